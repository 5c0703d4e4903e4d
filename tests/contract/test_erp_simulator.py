"""The simulated server refuses what the real one refuses, speaks every dialect, and remembers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.testing.clock import NOON, HandClock
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.kingdee.signing import login_signature

FORMS = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
AUTH = "Kingdee.BOS.WebApi.ServicesStub.AuthService."
TICKET = {"F_AH_FaultDesc": "油温过高", "F_AH_State": "OPEN", "F_AH_ReportTime": "2026-01-05 08:30:00"}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def erp(clock: HandClock) -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator(now=clock.now, order_start=NOON) as simulator:
        yield simulator


class Caller:
    """A client in cookie mode."""

    def __init__(self, erp: KingdeeSimulator) -> None:
        self._erp = erp
        self.http = httpx.Client(trust_env=False)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, service: str, **how: Any) -> httpx.Response:
        return self.http.post(f"{self._erp.url}{service}.common.kdsvc", **how)

    def login(self, password: str = "") -> dict[str, Any]:
        account = self._erp.account
        parameters = [account.acct_id, account.user, password or account.password, 2052]
        answer: dict[str, Any] = self.post(AUTH + "ValidateUser", json={"parameters": parameters}).json()
        return answer

    def call(self, method: str, form: str, data: Any, **more: Any) -> Any:
        return self.post(FORMS + method, json={"formid": form, "data": data} | more).json()


@pytest.fixture
def caller(erp: KingdeeSimulator) -> Iterator[Caller]:
    with Caller(erp) as made:
        made.login()
        yield made


def status(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer["Result"]["ResponseStatus"]
    return found


def refusal(answer: Any) -> tuple[int, str | None]:
    """MsgCode, and the field or the text."""
    failed = status(answer)
    assert failed["IsSuccess"] is False
    assert failed["ErrorCode"] == 500
    return failed["MsgCode"], failed["Errors"][0]["FieldName"] or failed["Errors"][0]["Message"]


def save(caller: Caller, **fields: Any) -> str:
    answer = caller.call("Save", "AH_EquipRepair", {"Model": TICKET | fields})
    assert status(answer)["IsSuccess"], answer
    return str(answer["Result"]["Id"])


# ------------------------------------------------------------------ HTTP and bodies
def test_only_posts_to_services_are_answered(erp: KingdeeSimulator, caller: Caller) -> None:
    assert caller.http.get(f"{erp.url}{FORMS}View.common.kdsvc").status_code == 405
    assert caller.http.post(f"{erp.url}{FORMS}View").status_code == 404
    assert caller.post("No.Such.Service", json={}).text.startswith("response_error:")
    assert caller.post(FORMS + "NoSuchMethod", json={}).text.startswith("response_error:")


@pytest.mark.parametrize("style", ["object", "text", "parameters", "form"])
def test_all_four_body_styles_say_the_same(caller: Caller, style: str) -> None:
    query: dict[str, Any] = {"FormId": "PRD_MO", "FieldKeys": "FBillNo", "FilterString": "FBillNo='MO0001'"}
    text = json.dumps(query)
    styles: dict[str, dict[str, Any]] = {
        "object": {"json": {"data": query}},
        "text": {"json": {"Data": text}},
        "parameters": {"json": {"format": 1, "useragent": "ApiClient", "v": "1.0", "parameters": [text]}},
        "form": {"data": {"data": text}},
    }
    assert caller.post(FORMS + "ExecuteBillQuery", **styles[style]).json() == [["MO0001"]]


def test_an_operation_by_position(caller: Caller) -> None:
    parameters = ["PRD_MO", "ToFinish", json.dumps({"Numbers": ["MO0001"]})]
    answer = caller.post(FORMS + "ExecuteOperation", json={"parameters": parameters}).json()
    assert status(answer)["IsSuccess"]


def test_data_that_was_encoded_twice_is_refused(caller: Caller) -> None:
    answer = caller.post(
        FORMS + "View", json={"formid": "PRD_MO", "data": json.dumps(json.dumps({"Id": "1"}))}
    )
    assert refusal(answer.json())[0] == 8


# ------------------------------------------------------------------ who is calling
def test_without_a_session_nothing_is_answered(erp: KingdeeSimulator) -> None:
    with Caller(erp) as caller:
        asked = {"data": {"FormId": "PRD_MO", "FieldKeys": "FID"}}
        answer = caller.post(FORMS + "ExecuteBillQuery", json=asked).json()
    assert status(answer[0][0])["MsgCode"] == 1


def test_the_three_logins_open_a_session_and_a_wrong_word_does_not(erp: KingdeeSimulator) -> None:
    account = erp.account
    stamp = "1700000000"
    sign = login_signature(account.acct_id, account.user, account.app_id, account.app_secret, stamp)
    logins = {
        "ValidateUser": [account.acct_id, account.user, account.password, 2052],
        "LoginByAppSecret": [account.acct_id, account.user, account.app_id, account.app_secret, 2052],
        "LoginBySign": [account.acct_id, account.user, account.app_id, stamp, sign, 2052],
    }
    with Caller(erp) as caller:
        for method, parameters in logins.items():
            caller.http.cookies.clear()
            answer = caller.post(AUTH + method, json={"parameters": parameters}).json()
            assert answer["LoginResultType"] == 1
            assert (
                caller.call("View", "PRD_MO", {"Number": "MO0001"})["Result"]["Result"]["BillNo"] == "MO0001"
            )
        refused = caller.login("wrong")
        assert (refused["LoginResultType"], refused["KDSVCSessionId"]) == (-1, "")
        caller.post(AUTH + "Logout", json={})
        assert refusal(caller.call("View", "PRD_MO", {"Number": "MO0001"}))[0] == 1


def test_an_idle_session_ends(caller: Caller, clock: HandClock) -> None:
    clock.turn(timedelta(minutes=19).total_seconds())
    save(caller)
    clock.turn(timedelta(minutes=21).total_seconds())
    assert refusal(caller.call("View", "PRD_MO", {"Number": "MO0001"}))[0] == 1


# ------------------------------------------------------------------ saving
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"F_AH_FaultDesc": ""}, (11, "F_AH_FaultDesc")),
        ({"F_AH_NoSuch": "1"}, (9, "f_ah_nosuch")),
        ({"F_AH_Equip": {"FNumber": "EQ-NONE"}}, (9, "F_AH_Equip")),
        ({"F_AH_Equip": "EQ-CNC-03"}, (8, "F_AH_Equip")),
        ({"F_AH_State": "BROKEN"}, (9, "F_AH_State")),
        ({"F_AH_ReportTime": "yesterday"}, (11, "F_AH_ReportTime")),
        ({"F_AH_ExtKey": "x" * 81}, (11, "F_AH_ExtKey")),
        ({"FID": 4711}, (10, "内码为 4711 的设备报修单不存在")),
    ],
)
def test_a_save_that_cannot_be_is_refused_by_field(
    erp: KingdeeSimulator, caller: Caller, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert refusal(caller.call("Save", "AH_EquipRepair", {"Model": TICKET | fields})) == expected
    assert erp.tickets() == []


def test_forms_are_known_or_refused(caller: Caller) -> None:
    assert refusal(caller.call("Save", "NO_FORM", {"Model": {}}))[0] == 4
    assert refusal(caller.call("Save", "", {"Model": {}}))[0] == 5
    assert refusal(caller.call("Allocate", "BD_MATERIAL", {})) == (4, "Allocate is not simulated")


def test_a_key_or_a_number_used_twice_is_refused(caller: Caller) -> None:
    save(caller, F_AH_ExtKey="AH-1", FBillNo="MINE-1")
    for fields in ({"F_AH_ExtKey": "AH-1"}, {"FBillNo": "MINE-1"}):
        failed = status(caller.call("Save", "AH_EquipRepair", {"Model": TICKET | fields}))
        assert failed["MsgCode"] == 11
        assert "已存在" in failed["Errors"][0]["Message"]


def test_the_very_same_json_twice_is_refused_when_asked_for(caller: Caller) -> None:
    data = {"Model": TICKET, "ValidateRepeatJson": "true"}
    assert status(caller.call("Save", "AH_EquipRepair", data))["IsSuccess"]
    assert refusal(caller.call("Save", "AH_EquipRepair", data))[0] == 11


def test_only_the_named_fields_are_written(erp: KingdeeSimulator, caller: Caller) -> None:
    ticket_id = save(caller)
    model = {"FID": int(ticket_id), "F_AH_State": "ACK", "F_AH_FaultDesc": "something else"}
    caller.call("Save", "AH_EquipRepair", {"NeedUpDateFields": ["F_AH_State"], "Model": model})
    (ticket,) = erp.tickets()
    assert (ticket["state"], ticket["title"]) == ("ACK", "油温过高")


def test_rows_that_are_not_named_are_deleted_unless_told_otherwise(
    erp: KingdeeSimulator, caller: Caller
) -> None:
    sale = erp.books.numbered("SAL_SaleOrder", "SO2001")
    assert sale is not None
    first, second = (row.id for row in sale.rows["fsaleorderentry"])
    caller.call("UnAudit", "SAL_SaleOrder", {"Ids": str(sale.id)})
    data = {
        "NeedUpDateFields": ["FSaleOrderEntry", "FPriority"],
        "IsDeleteEntry": False,
        "Model": {"FID": sale.id, "FSaleOrderEntry": [{"FEntryID": first, "FPriority": 1, "FQty": 0}]},
    }
    assert status(caller.call("Save", "SAL_SaleOrder", data))["IsSuccess"]
    rows = {r.id: r.values for r in erp.books.numbered("SAL_SaleOrder", "SO2001").rows["fsaleorderentry"]}  # type: ignore[union-attr]
    assert (rows[first]["fpriority"], rows[first]["fqty"]) == (1.0, 500.0)
    assert second in rows
    caller.call("Save", "SAL_SaleOrder", data | {"IsDeleteEntry": True})
    kept = [r.id for r in erp.books.numbered("SAL_SaleOrder", "SO2001").rows["fsaleorderentry"]]  # type: ignore[union-attr]
    assert kept == [first]


# ------------------------------------------------------------------ states
def test_a_document_moves_only_along_its_states(caller: Caller) -> None:
    ids = {"Ids": save(caller)}
    code, text = refusal(caller.call("Audit", "AH_EquipRepair", ids))
    assert (code, "未提交，不能审核" in str(text)) == (11, True)
    for wrong, right in (("UnAudit", "Submit"), ("Submit", "Audit"), ("CancelAssign", "UnAudit")):
        assert refusal(caller.call(wrong, "AH_EquipRepair", ids))[0] == 11
        assert status(caller.call(right, "AH_EquipRepair", ids))["IsSuccess"]
    assert status(caller.call("Delete", "AH_EquipRepair", ids))["IsSuccess"]
    assert refusal(caller.call("Delete", "AH_EquipRepair", ids))[0] == 10


def test_an_approved_document_takes_only_what_is_marked_changeable(caller: Caller) -> None:
    ticket_id = save(caller)
    for step in ("Submit", "Audit"):
        caller.call(step, "AH_EquipRepair", {"Ids": ticket_id})

    def write(**fields: Any) -> Any:
        model = {"FID": int(ticket_id)} | fields
        return caller.call("Save", "AH_EquipRepair", {"NeedUpDateFields": list(fields), "Model": model})

    assert status(write(F_AH_State="DONE"))["IsSuccess"]
    assert refusal(write(F_AH_FaultDesc="other"))[0] == 12


def test_ids_that_are_not_text_are_refused(caller: Caller) -> None:
    assert refusal(caller.call("Submit", "AH_EquipRepair", {"Ids": [1, 2]}))[0] == 8
    assert refusal(caller.call("Submit", "AH_EquipRepair", {}))[0] == 8


def test_a_batch_tells_who_failed(caller: Caller) -> None:
    first, second = save(caller), save(caller)
    caller.call("Submit", "AH_EquipRepair", {"Ids": first})
    told = status(caller.call("Submit", "AH_EquipRepair", {"Ids": f"{first},{second},999"}))
    assert [e["DIndex"] for e in told["Errors"]] == [0, 2]
    assert [s["DIndex"] for s in told["SuccessEntitys"]] == [1]


def test_a_line_of_an_order_is_moved_alone(erp: KingdeeSimulator, caller: Caller) -> None:
    order = erp.books.numbered("PRD_MO", "MO0001")
    assert order is not None
    pairs = [{"Id": str(order.id), "EntryIds": str(order.rows["ftreeentity"][0].id)}]
    answer = caller.call("ExcuteOperation", "PRD_MO", {"PkEntryIds": pairs}, opNumber="toFinish")
    assert status(answer)["IsSuccess"]
    assert refusal(caller.call("ExcuteOperation", "PRD_MO", {"PkEntryIds": pairs}, opNumber=""))[0] == 3


def test_a_push_needs_one_rule_and_an_approved_source(caller: Caller) -> None:
    both = {"Numbers": ["MO0001"], "RuleId": "PRD_MO-PRD_MORPT", "IsEnableDefaultRule": True}
    assert refusal(caller.call("Push", "PRD_MO", both))[0] == 8
    assert refusal(caller.call("Push", "PRD_MO", {"Numbers": ["MO0001"], "RuleId": "NO-RULE"}))[0] == 8
    by_default = {"Numbers": ["MO0001"], "TargetFormId": "PRD_INSTOCK", "IsEnableDefaultRule": "true"}
    assert status(caller.call("Push", "PRD_MO", by_default))["IsSuccess"]
    caller.call("UnAudit", "PRD_MO", {"Numbers": ["MO0001"]})
    assert refusal(caller.call("Push", "PRD_MO", by_default))[0] == 12


# ------------------------------------------------------------------ memory, control, the clerk's page
def test_the_state_survives_a_restart(tmp_path: Path, clock: HandClock) -> None:
    state = tmp_path / "erp.sqlite"
    with KingdeeSimulator(state=state, now=clock.now) as erp, Caller(erp) as caller:
        caller.login()
        ticket_id = save(caller, F_AH_ExtKey="AH-1")
        before = (erp.tickets(), erp.reports())
    with KingdeeSimulator(state=state, now=clock.now) as erp, Caller(erp) as caller:
        assert (erp.tickets(), erp.reports()) == before
        caller.login()
        assert int(save(caller, F_AH_ExtKey="AH-2")) > int(ticket_id)
        assert "已存在" in json.dumps(
            caller.call("Save", "AH_EquipRepair", {"Model": TICKET | {"F_AH_ExtKey": "AH-1"}}),
            ensure_ascii=False,
        )


def test_faults_are_ordered_by_http_and_cleared(erp: KingdeeSimulator, caller: Caller) -> None:
    control = f"{erp.origin}/_control/faults"
    asked = {"fault": "drop_after_commit", "services": ["Save"], "times": 1}
    assert caller.http.post(control, json=asked).json()[0]["kind"] == "drop_after_commit"
    with pytest.raises(httpx.RemoteProtocolError):
        save(caller)
    assert len(erp.tickets()) == 1
    assert caller.http.get(control).json() == []
    assert caller.http.post(control, json={"fault": "earthquake"}).status_code == 400
    caller.http.post(control, json={"fault": "down"})
    with pytest.raises(httpx.RemoteProtocolError):
        save(caller)
    assert caller.http.delete(control).json() == []
    save(caller)


def test_a_clerk_sees_tickets_in_both_languages_and_may_close_one(
    erp: KingdeeSimulator, caller: Caller
) -> None:
    ticket_id = save(caller, F_AH_FaultDesc="<script>alert(1)</script>", F_AH_ExtKey="AH-1")
    chinese = caller.http.get(erp.origin).text
    english = caller.http.get(f"{erp.origin}/?lang=en").text
    assert "设备报修单 (1)" in chinese
    assert "Maintenance tickets (1)" in english
    assert "<script>" not in chinese
    assert caller.http.get(f"{erp.origin}/_control/tickets").json()[0]["key"] == "AH-1"
    caller.http.post(f"{erp.origin}/tickets/{ticket_id}/close?lang=en", follow_redirects=True)
    assert erp.tickets()[0]["status"] == "C"
    assert "Approve and close" not in caller.http.get(f"{erp.origin}/?lang=en").text
