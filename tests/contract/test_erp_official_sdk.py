"""The vendor's own client works against the simulator, unmodified: the calls of the contract's section 12."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from k3cloud_webapi_sdk.main import K3CloudApiSdk

from tests.simulators.kingdee.server import KingdeeSimulator

TICKET = "AH_EquipRepair"


@pytest.fixture
def erp() -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator() as simulator:
        yield simulator


@pytest.fixture
def sdk(erp: KingdeeSimulator) -> K3CloudApiSdk:
    return client(erp)


def client(erp: KingdeeSimulator, secret: str = "", acct: str = "") -> K3CloudApiSdk:
    account, sdk = erp.account, K3CloudApiSdk(erp.url)
    sdk.InitConfig(
        acct or account.acct_id,
        account.user,
        account.app_id,
        secret or account.app_secret,
        erp.url,
        org_num=100,
    )
    return sdk


def model(key: str = "AH-20260105-0007", **more: Any) -> dict[str, Any]:
    return {
        "F_AH_ExtKey": key,
        "F_AH_Equip": {"FNumber": "EQ-CNC-03"},
        "F_AH_FaultDesc": "主轴温度超限 82℃",
        "F_AH_Level": "2",
        "F_AH_State": "OPEN",
        "F_AH_ReportTime": "2026-01-05 08:30:00",
    } | more


def done(text: str) -> dict[str, Any]:
    """The `Result` of a call that must have succeeded."""
    result: dict[str, Any] = json.loads(text)["Result"]
    assert result["ResponseStatus"]["IsSuccess"], result
    return result


def refused(text: str) -> tuple[int, str]:
    status = json.loads(text)["Result"]["ResponseStatus"]
    assert not status["IsSuccess"]
    return status["MsgCode"], status["Errors"][0]["Message"]


def status_of(sdk: K3CloudApiSdk, record_id: int, form: str = TICKET) -> str:
    asked = {"FormId": form, "FieldKeys": "FDocumentStatus", "FilterString": f"FID={record_id}"}
    return str(json.loads(sdk.ExecuteBillQuery(asked))[0][0])


def test_data_centres_are_listed_before_any_login(erp: KingdeeSimulator, sdk: K3CloudApiSdk) -> None:
    assert json.loads(sdk.GetDataCenters())[0]["Id"] == erp.account.acct_id


def test_a_ticket_lives_from_draft_to_deletion(sdk: K3CloudApiSdk) -> None:
    record_id = done(sdk.Draft(TICKET, {"Model": {"F_AH_ExtKey": "AH-1"}}))["Id"]
    assert status_of(sdk, record_id) == "Z"
    done(sdk.Save(TICKET, {"IsDeleteEntry": False, "Model": model("AH-1", FID=record_id)}))
    assert status_of(sdk, record_id) == "A"
    ids = {"Ids": str(record_id)}
    for call, status in (
        (sdk.Submit, "B"),
        (sdk.CancelAssign, "D"),
        (sdk.Submit, "B"),
        (sdk.Audit, "C"),
        (sdk.UnAudit, "D"),
    ):
        done(call(TICKET, ids))
        assert status_of(sdk, record_id) == status
    done(sdk.Delete(TICKET, ids))
    assert json.loads(sdk.ExecuteBillQuery({"FormId": TICKET, "FieldKeys": "FID"})) == []


def test_save_echoes_what_was_asked_for(sdk: K3CloudApiSdk) -> None:
    result = done(sdk.Save(TICKET, {"NeedReturnFields": ["FBillNo", "F_AH_ExtKey"], "Model": model()}))
    assert result["NeedReturnData"] == [{"FBillNo": result["Number"], "F_AH_ExtKey": "AH-20260105-0007"}]
    assert result["ResponseStatus"]["SuccessEntitys"] == [
        {"Id": result["Id"], "Number": result["Number"], "DIndex": 0}
    ]


def test_a_batch_succeeds_and_fails_record_by_record(sdk: K3CloudApiSdk) -> None:
    asked = {"Model": [model("A"), model("A"), model("B")], "BatchCount": 1}
    status = json.loads(sdk.BatchSave(TICKET, asked))["Result"]["ResponseStatus"]
    assert [s["DIndex"] for s in status["SuccessEntitys"]] == [0, 2]
    assert [(e["DIndex"], "已存在" in e["Message"]) for e in status["Errors"]] == [(1, True)]


def test_a_batch_can_be_polled(sdk: K3CloudApiSdk) -> None:
    done(sdk.BatchSaveQuery(TICKET, {"Model": [model("A"), model("B")]}))
    assert len(json.loads(sdk.ExecuteBillQuery({"FormId": TICKET, "FieldKeys": "FID"}))) == 2


def test_both_queries_read_orders_and_follow_references(sdk: K3CloudApiSdk) -> None:
    asked = {
        "FormId": "PRD_MO",
        "FieldKeys": "FBillNo,FTreeEntity_FSeq,FMaterialId.FNumber,FQty,FStatus,FUnitId.FName",
        "FilterString": "FBillNo='MO0001' and FStatus in ('3','4')",
        "OrderString": "FID ASC",
        "TopRowCount": 0,
        "StartRow": 0,
        "Limit": 2000,
    }
    assert json.loads(sdk.ExecuteBillQuery(asked)) == [["MO0001", 1, "A100", 400.0, "4", "件"]]
    assert json.loads(sdk.BillQuery(asked))[0]["FMaterialId.FNumber"] == "A100"


def test_view_speaks_in_property_names(sdk: K3CloudApiSdk) -> None:
    seen = json.loads(sdk.View("PRD_MO", {"Number": "MO0001"}))["Result"]
    assert seen["ResponseStatus"] is None
    assert seen["Result"]["TreeEntity"][0]["MaterialId"]["Number"] == "A100"


def test_a_report_is_pushed_and_its_approval_adds_up(sdk: K3CloudApiSdk) -> None:
    line = {
        "FormId": "PRD_MO",
        "FieldKeys": "FTreeEntity_FEntryId,FRptFinishQty",
        "FilterString": "FBillNo='MO0001'",
    }
    entry, before = json.loads(sdk.ExecuteBillQuery(line))[0]
    pushed = done(
        sdk.Push("PRD_MO", {"Numbers": ["MO0001"], "EntryIds": str(entry), "RuleId": "PRD_MO-PRD_MORPT"})
    )
    report = str(pushed["ResponseStatus"]["SuccessEntitys"][0]["Id"])
    for call in (sdk.Submit, sdk.Audit):
        done(call("PRD_MORPT", {"Ids": report}))
    assert json.loads(sdk.ExecuteBillQuery(line))[0][1] == before + 400
    done(sdk.UnAudit("PRD_MORPT", {"Ids": report}))
    assert json.loads(sdk.ExecuteBillQuery(line))[0][1] == before


def rows(sdk: K3CloudApiSdk, form: str, keys: str, where: str) -> list[list[Any]]:
    asked = {"FormId": form, "FieldKeys": keys, "FilterString": where, "OrderString": "FID ASC"}
    found: list[list[Any]] = json.loads(sdk.ExecuteBillQuery(asked))
    return found


def pushed(sdk: K3CloudApiSdk, source: str, line: int, target: str, **fields: Any) -> str:
    """What a client does: push, fill in the line, submit, approve; the bill's id."""
    made = done(sdk.Push(source, {"EntryIds": str(line), "Ids": str(bill_of(sdk, source, line)),
                                  "TargetFormId": target, "IsEnableDefaultRule": "true"}))  # fmt: skip
    (bill,) = made["ResponseStatus"]["SuccessEntitys"]
    (entry,) = bill["EntryIds"]["FEntity"]
    model = {"FID": bill["Id"], "FEntity": [{"FEntryID": entry, **fields}]}
    done(sdk.Save(target, {"IsDeleteEntry": False, "NeedUpDateFields": ["FEntity", *fields], "Model": model}))
    for call in (sdk.Submit, sdk.Audit):
        done(call(target, {"Ids": str(bill["Id"])}))
    return str(bill["Id"])


def bill_of(sdk: K3CloudApiSdk, form: str, line: int) -> int:
    entry = {"PRD_MO": "FTreeEntity", "PRD_PPBOM": "FEntity"}[form]
    return int(rows(sdk, form, "FID", f"{entry}_FEntryId={line}")[0][0])


def test_goods_come_in_and_material_goes_out_by_lot(sdk: K3CloudApiSdk) -> None:
    order = rows(sdk, "PRD_MO", "FTreeEntity_FEntryId", "FBillNo='MO0001'")[0][0]
    receipt = pushed(
        sdk,
        "PRD_MO",
        order,
        "PRD_INSTOCK",
        FRealQty=5,
        FLot={"FNumber": "FG-1"},
        FStockId={"FNumber": "CK02"},
    )
    need = rows(sdk, "PRD_PPBOM", "FEntity_FEntryId", "FMOBillNO='MO0001' and FMaterialID2.FNumber='R-STEEL'")
    issue = pushed(
        sdk, "PRD_PPBOM", need[0][0], "PRD_PickMtrl",
        FActualQty=7, FLot={"FNumber": "L2601"}, FStockId={"FNumber": "CK01"},
    )  # fmt: skip
    assert rows(sdk, "PRD_MO", "FStockInQuaQty", "FBillNo='MO0001'") == [[5.0]]
    assert rows(sdk, "PRD_PickMtrl", "FMoBillNo,FLot.FNumber,FParentMaterialId.FNumber", f"FID={issue}") == [
        ["MO0001", "L2601", "A100"]
    ]
    assert rows(sdk, "STK_Inventory", "FLot.FNumber,FBaseQty", "FLot.FNumber in ('FG-1','L2601')") == [
        ["L2601", 49_993.0], ["FG-1", 5.0],
    ]  # fmt: skip
    done(sdk.UnAudit("PRD_INSTOCK", {"Ids": receipt}))
    assert rows(sdk, "PRD_MO", "FStockInQuaQty", "FBillNo='MO0001'") == [[0.0]]
    assert rows(sdk, "STK_Inventory", "FBaseQty", "FLot.FNumber='FG-1'") == [[0.0]]


def test_hours_are_reported_on_a_report_of_no_pieces(sdk: K3CloudApiSdk) -> None:
    order = rows(sdk, "PRD_MO", "FTreeEntity_FEntryId", "FBillNo='MO0001'")[0][0]
    bill = pushed(sdk, "PRD_MO", order, "PRD_MORPT", FFinishQty=0, FQuaQty=0, FHrWorkTime=1.5)
    assert rows(sdk, "PRD_MORPT", "FHrWorkTime,FDocumentStatus", f"FID={bill}") == [[1.5, "C"]]


def test_an_inspection_is_saved_with_its_result(sdk: K3CloudApiSdk) -> None:
    line = {"FMaterialId": {"FNumber": "A100"}, "FInspectQty": 5, "FInspectResult": "2", "F_AH_Value": "20.1"}
    bill = {"FBillTypeID": {"FNUMBER": "JYD002_SYS"}, "FDate": "2026-01-05", "FEntity": [line]}
    made = done(sdk.Save("QM_InspectBill", {"Model": bill}))
    seen = rows(sdk, "QM_InspectBill", "FInspectQty,FInspectResult", f"FID={made['Id']}")
    assert seen == [[5.0, "2"]]
    lacking = bill | {"FEntity": [line | {"FMaterialId": {"FNumber": "NO-SUCH"}}]}
    assert refused(sdk.Save("QM_InspectBill", {"Model": lacking}))[0] == 9


def test_an_approved_order_changes_by_a_change_bill_only(sdk: K3CloudApiSdk) -> None:
    order, line = rows(sdk, "PRD_MO", "FID,FTreeEntity_FEntryId", "FBillNo='MO0001'")[0]
    direct = {"FID": order, "FTreeEntity": [{"FEntryID": line, "FPlanFinishDate": "2026-01-06 09:00:00"}]}
    assert refused(sdk.Save("PRD_MO", {"IsDeleteEntry": False, "Model": direct}))[0] == 12
    known = {"FMoId": order, "FMoEntryId": line, "FMaterialId": {"FNumber": "A100"}, "FQty": 400}
    wanted = {"FChangeType": "3", "FPlanFinishDate": "2026-01-06 09:00:00"}
    bill = {"FDate": "2026-01-05", "FPrdOrgId": {"FNumber": "100"},
            "FEntity": [known | {"FChangeType": "2"}, known | wanted]}  # fmt: skip
    made = str(done(sdk.Save("PRD_MOChange", {"Model": bill}))["Id"])
    for call in (sdk.Submit, sdk.Audit):
        done(call("PRD_MOChange", {"Ids": made}))
    assert rows(sdk, "PRD_MO", "FPlanFinishDate", "FBillNo='MO0001'") == [["2026-01-06T09:00:00"]]
    assert refused(sdk.UnAudit("PRD_MOChange", {"Ids": made}))[0] == 12


def test_an_order_moves_along_its_states_only(sdk: K3CloudApiSdk) -> None:
    done(sdk.ExcuteOperation("PRD_MO", "ToFinish", {"Numbers": ["MO0001"]}))
    code, text = refused(sdk.ExcuteOperation("PRD_MO", "ToStart", {"Numbers": ["MO0001"]}))
    assert code == 12
    assert "MO0001" in text
    done(sdk.ExcuteOperation("PRD_MO", "UndoToComplete", {"Numbers": ["MO0001"]}))


def test_metadata_names_fields_and_operations(sdk: K3CloudApiSdk) -> None:
    described = done(sdk.QueryBusinessInfo({"FormId": "PRD_MO"}))["NeedReturnData"]
    assert [e["Key"] for e in described["Entrys"]] == ["FBillHead", "FTreeEntity"]
    assert "ToStart" in [o["OperationNumber"] for o in described["Operations"]]


def test_a_workflow_approves_and_an_organisation_is_switched(sdk: K3CloudApiSdk) -> None:
    record_id = done(sdk.Save(TICKET, {"Model": model()}))["Id"]
    done(sdk.Submit(TICKET, {"Ids": str(record_id)}))
    done(sdk.WorkflowAudit({"FormId": TICKET, "Ids": str(record_id), "ApprovalType": "1"}))
    assert status_of(sdk, record_id) == "C"
    done(sdk.SwitchOrg({"OrgNumber": "100"}))
    assert refused(sdk.SwitchOrg({"OrgNumber": "999"}))[0] == 10


def test_an_attachment_comes_back_as_it_was_sent(sdk: K3CloudApiSdk) -> None:
    record_id = done(sdk.Save(TICKET, {"Model": model()}))["Id"]
    about = {"FileName": "弯折.jpg", "FormId": TICKET, "InterId": str(record_id), "EntryinterId": -1}
    first = {"FileId": "", "IsLast": False, "SendByte": base64.b64encode(b"one ").decode()}
    file_id = done(sdk.AttachmentUpload(about | first))["FileId"]
    last = {"FileId": file_id, "IsLast": True, "SendByte": base64.b64encode(b"two").decode()}
    done(sdk.AttachmentUpload(about | last))
    got = done(sdk.AttachmentDownLoad({"FileId": file_id, "StartIndex": 0}))
    assert (base64.b64decode(got["FilePart"]), got["FileName"], got["IsLast"]) == (
        b"one two",
        "弯折.jpg",
        True,
    )


def test_what_is_not_simulated_is_not_pretended(sdk: K3CloudApiSdk) -> None:
    assert refused(sdk.Allocate("BD_MATERIAL", {"PkIds": "1"})) == (4, "Allocate is not simulated")


def test_a_wrong_secret_is_a_lost_context_and_a_wrong_account_an_http_error(erp: KingdeeSimulator) -> None:
    answer = json.loads(
        client(erp, secret="wrong").ExecuteBillQuery({"FormId": "PRD_MO", "FieldKeys": "FID"})
    )
    assert answer[0][0]["Result"]["ResponseStatus"]["MsgCode"] == 1
    with pytest.raises(RuntimeError, match="账套"):
        client(erp, acct="elsewhere").View("PRD_MO", {"Number": "MO0001"})


def test_the_session_is_used_again_and_a_dead_one_replaced(erp: KingdeeSimulator, sdk: K3CloudApiSdk) -> None:
    asked = {"FormId": "BD_Currency", "FieldKeys": "FCODE", "FilterString": " FNUMBER='PRE001' "}
    for _ in range(3):
        assert "CNY" in sdk.ExecuteBillQuery(asked)
    assert len(erp.service.sessions.open) == 1
    first = next(iter(erp.service.sessions.open))
    erp.service.sessions.kill_all()
    assert "CNY" in sdk.ExecuteBillQuery(asked)
    assert first not in erp.service.sessions.open


def test_an_unhandled_exception_is_plain_text(erp: KingdeeSimulator, sdk: K3CloudApiSdk) -> None:
    erp.faults.add("response_error")
    with pytest.raises(RuntimeError, match="response_error"):
        sdk.View("PRD_MO", {"Number": "MO0001"})
