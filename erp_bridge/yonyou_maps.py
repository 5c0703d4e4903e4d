"""U9's documents as data: what goes into which of its fields, what is read from them, which interface it is.

A site lays its `documents:` and `services:` over these. Names are those of U9's input models; an answer's
m_docNo is read as DocNo. The lists are in erp_bridge.yonyou_list_maps.

Beside the fields of erp_bridge.mapping an expression sees `key` (our number), `reference` (what U9 keeps of
it), `org`, `doc_type`, `employee`, and for postings `mo` (the order's id), `step` and `next_step` (operations
as U9 numbers them), `product`, `pick_line`, `supply_warehouse`. One field has to be `reference`: DocNo, where
the document type allows numbers of ours, or a DescFlexField segment, where it gives its own.
"""

from __future__ import annotations

from erp_bridge.fieldmap import MapBlock
from erp_bridge.yonyou_config import ServiceBlock
from erp_bridge.yonyou_list_maps import EQUIPMENT, ITEM_LIST, ORDER_LIST, SALES_ORDER, STOCK, end_of_day

_SECOND, _DAY = "'%Y-%m-%dT%H:%M:%S'", "'%Y-%m-%d'"
SEGMENT = "DescFlexField.PrivateDescSeg1"
_CAUSES = {
    "mechanical": "机械",
    "electrical": "电气",
    "tooling": "工装",
    "material": "物料",
    "operation": "操作",
}


# ------------------------------------------------------------------ the stand-in for repairs
TICKET = MapBlock(
    write={
        "OtherID": "key",
        "DocNo": "reference",
        "Org.Code": "org",
        "EquipCode": "filled(equipment)",
        "FaultCode": "filled(fault_code)",
        "FaultDesc": "cut(headline, `250`)",
        "Level": "table('levels', priority)",
        "MODocNo": "filled(order)",
        "ReportTime": f"local(stopped_at || opened_at, {_SECOND})",
        "Reporter": "'安灯 Andon'",
    },
    read={
        "erp_id": "text(ID)",
        "key": "text(OtherID)",
        "number": "text(DocNo)",
        "doc_state": "number(DocState)",
        "closed": "text(DocState) == '3'",
    },
    tables={"levels": {"4": 4, "3": 3, "2": 2, "1": 1}},
)
STEP = MapBlock(
    write={
        "OtherID": "key",
        "DocNo": "number",
        "Org.Code": "org",
        "DocState": "table('states', state)",
        "Worker": "employee || filled(person_name)",
        "AckTime": f"if(state == 'accepted', local(at, {_SECOND}), `null`)",
    },
    tables={
        "states": {
            "accepted": 1,
            "on-site": 2,
            "repairing": 2,
            "wait-parts": 2,
            "verifying": 2,
            "reopened": 2,
        }
    },
)
CLOSING = MapBlock(
    write={
        "OtherID": "key",
        "ID": "number(document_id)",
        "Code": "number",
        "CloseTime": f"local(at, {_SECOND})",
        "Result": "cut(join(' ', [table('causes', cause_class) || cause_class, cause, person_name, downtime"
        " && join('', ['停机 ', text(rounded(over(downtime, `60`), `1`)), ' 分钟'])][?@]), `250`)",
    },
    tables={"causes": _CAUSES},
)

# ------------------------------------------------------------------ orders
ORDER = MapBlock(
    form="MODoc/Query",
    read={
        "erp_id": "text(MOID || ID)",
        "number": "text(DocNo)",
        "org": "Org.Code",
        "product": "ItemMaster.Code",
        "product_name": "ItemMaster.Name",
        "quantity": "number(ProductQty)",
        "due_at": end_of_day("CompleteDate"),
        "priority": "number(Priority)",
        "rush": "`false`",
        "state": "`null`",
        "operations": "MOOperationDTOs",
        "sources": "MOSrcRelationDTOs",
        "picks": "MOPickListDTOs",
    },
)
OPERATION = MapBlock(
    read={
        "operation": "text(OperationNum)",
        "name": "OpDescription || Operation.Name",
        "work_center": "table('work_centers', WorkCenter.Code) || WorkCenter.Code",
        "quantity": "number(PlanProductQty)",
        "cancelled": "IsCancel",
        "here": "plus(plus(TotalQueueQty || `0`, TotalProcessQty || `0`), TransferringQty || `0`)",
        "lost": "plus(plus(TotalScrapQty || `0`, RejectQty || `0`), ReworkQty || `0`)",
        "scrap": "number(TotalScrapQty)",
    },
)
SOURCE = MapBlock(
    read={
        "sales_order": "text(SrcDocNo)",
        "line": "text(SrcDocLine_LineNo)",
        "customer": "SrcCustomer.Name || SrcCustomer.Code || SrcCustomer",
        "due_at": end_of_day("RequireDate"),
        "priority": "number(Priority)",
        "quantity": "number(SrcDocQty)",
    },
)
PICK = MapBlock(
    read={
        "item": "ItemMaster.Code",
        "line": "text(DocLineNo)",
        "id": "text(ID)",
        "warehouse": "SupplyWh.Code",
        "operation": "text(OperationNum)",
    },
)
START = MapBlock(
    write={
        "OtherID": "join('', ['AH-ST-', order])",
        "DocNo": "order",
        "Org.Code": "org",
        "OperateType": "`true`",
        "OperateOn": f"local(at, {_SECOND})",
        "OperateQty": "order_quantity",
    },
)
ORDER_CHANGE = MapBlock(
    write={
        "OtherID": "join('', ['AH-CH-', number])",
        "ID": "number(mo)",
        "DocNo": "number",
        "Org.Code": "org",
        "Priority": "priority",
        "CompleteDate": f"local(due_at, {_SECOND})",
        "Description": "filled(reason)",
    },
)
SALES_CHANGE = MapBlock(write={"DocNo": "sales_order", "Org.Code": "org"})

ITEM = MapBlock(
    form="ItemMaster/Query",
    read={
        "number": "text(Code)",
        "name": "Name",
        "unit": "InventoryUOM.Name || InventoryUOM.Code || InventoryUOM",
        "family": "MainItemCategory.Code",
        "erp_id": "text(ID)",
    },
)
# ------------------------------------------------------------------ postings
_DOCUMENT = {
    "number": "text(DocNo)",
    "erp_id": "text(ID)",
    "reference": SEGMENT,
    "done": "contains(['2', '3'], text(DocState || DocStatus || Status))",
    "received": "text(DocState || DocStatus || Status) == '3' || ActualRcvTime && `true` || `false`",
}
_HEAD = {
    "OtherID": "key",
    "DocNo": "reference",
    "Org.Code": "org",
    "BusinessDate": f"local(at, {_DAY})",
    SEGMENT: "reference",
}
_COMPLETION = _HEAD | {
    "CompleteDocType.Code": "doc_type",
    "MO.Code": "order",
    "CompleteOp": "filled(step)",
    "CompleteDate": f"local(at, {_SECOND})",
    "HandlePerson.Code": "employee",
}
_LINE = "CompleteRptRcvLines[]."
REPORT = MapBlock(
    write=_COMPLETION | {"CompleteQty": "plus(good, scrap)", "EligibleQty": "good", "ScrapQty": "scrap"},
    read=_DOCUMENT,
)
SCRAP = MapBlock(
    write=_COMPLETION
    | {
        "CompleteQty": "quantity",
        "EligibleQty": "`0`",
        "ScrapQty": "quantity",
        "ScrapReason.Code": "table('reasons', reason)",
        "Description": "filled(reason)",
    },
    read=_DOCUMENT,
    tables={"reasons": {}},
)
RECEIPT = MapBlock(
    write=_COMPLETION
    | {
        "CompleteQty": "quantity",
        "EligibleQty": "quantity",
        "RcvWh.Code": "filled(warehouse)",
        f"{_LINE}LineNum": "`10`",
        f"{_LINE}Wh.Code": "filled(warehouse)",
        f"{_LINE}StorageType": "`4`",
        f"{_LINE}RcvLotNo": "filled(lot)",
        f"{_LINE}RcvQtyByProductUOM": "quantity",
    },
    read=_DOCUMENT,
)
RECEIVING = MapBlock(  # 入库 of a completion report
    write={
        "OtherID": "key",
        "ID": "number(document_id)",
        "DocNo": "number",
        "Org.Code": "org",
        "RcvWh.Code": "filled(warehouse)",
        "RcvLotNo": "filled(lot)",
        "ActualRcvTime": f"local(at, {_SECOND})",
    },
)
TRANSFER = MapBlock(
    write=_HEAD
    | {
        "OpTransDocType.Code": "doc_type",
        "MO.Code": "order",
        "SrcOpNum": "step",
        "SrcOpState": "`1`",
        "TargetOpNum": "next_step",
        "TargetOpState": "`0`",
        "TransferQty": "plus(good, scrap)",
        "EligibleQty": "good",
        "ScrapQty": "scrap",
    },
    read=_DOCUMENT,
)
ISSUE = MapBlock(
    write=_HEAD
    | {
        "DocType.Code": "doc_type",
        "IssueDocLines[].LineNum": "`10`",
        "IssueDocLines[].MO.Code": "order",
        "IssueDocLines[].MOPickListLineNo": "pick_line",
        "IssueDocLines[].ItemMaster.Code": "item",
        "IssueDocLines[].IssueQty": "quantity",
        "IssueDocLines[].Wh.Code": "filled(warehouse) || supply_warehouse",
        "IssueDocLines[].LotNo": "filled(lot)",
    },
    read=_DOCUMENT,
)
QUALITY = MapBlock(
    write=_HEAD
    | {
        "DocType.Code": "doc_type",
        "MO.Code": "filled(order)",
        "OperationNum": "filled(step)",
        "ItemMaster.Code": "filled(item) || product",
        "LotNo": "filled(lot)",
        "SampleQty": "sample_size",
        "Inspector.Code": "employee",
        "QCDocLines[].LineNum": "`10`",
        "QCDocLines[].QCItem": "check",
        "QCDocLines[].QCValue": "join(' ', [value, unit][?@])",
        "QCDocLines[].IsEligible": "passed",
    },
    read=_DOCUMENT,
)
HOURS = MapBlock(
    write={
        "OtherID": "reference",
        "WorkHourType": "`0`",
        "MO.Code": "order",
        "MOOperationNum": "step",
        "RunLaborHours": "rounded(over(labour_seconds, `3600`), `4`)",
        "RunMachineHours": "rounded(over(machine_seconds, `3600`), `4`)",
        "BusinessDate": f"local(at, {_DAY})",
        SEGMENT: "reference",
    },
)

DOCUMENTS: dict[str, MapBlock] = {
    "ticket": TICKET, "step": STEP, "closing": CLOSING, "order_list": ORDER_LIST, "order": ORDER,
    "operation": OPERATION, "source": SOURCE, "pick": PICK, "start": START, "order_change": ORDER_CHANGE,
    "sales_change": SALES_CHANGE, "sales_order": SALES_ORDER, "item_list": ITEM_LIST, "item": ITEM,
    "equipment": EQUIPMENT, "stock": STOCK, "report": REPORT, "transfer": TRANSFER, "receipt": RECEIPT,
    "receiving": RECEIVING, "issue": ISSUE, "quality": QUALITY, "hours": HOURS, "scrap": SCRAP,
}  # fmt: skip
# Which interface takes which document; a report and its scrap may also be a transfer.
SERVICE_OF = {
    "report": "completion", "scrap": "completion", "receipt": "completion", "transfer": "transfer",
    "issue": "issue", "quality": "quality", "hours": "hours", "ticket": "ticket",
}  # fmt: skip
PREFIXES = {"report": "", "receipt": "RC-", "issue": "IS-", "quality": "QC-", "hours": "WH-", "scrap": "SC-"}
_APPROVAL = "{Keys: rows, OperateType: `true`}"
SERVICES: dict[str, ServiceBlock] = {
    "ticket": ServiceBlock(
        create="AHEquipRepair/Create", query="AHEquipRepair/Query", modify="AHEquipRepair/Modify",
        close="AHEquipRepair/Close",
    ),
    "completion": ServiceBlock(
        create="CompleteDoc/Create", query="CompleteDoc/Query", approve="CompleteDoc/Approve",
        approve_body=_APPROVAL, receive="CompleteDoc/Rcv", look_up="MO_CompleteRpt d", doc_type="01",
    ),
    "transfer": ServiceBlock(
        create="OpTransferDoc/Create", query="OpTransferDoc/Query", approve="OpTransferDoc/Approve",
        look_up="MO_OpTransferDoc d", doc_type="01",
    ),
    "issue": ServiceBlock(
        create="IssueDoc/Create", query="IssueDoc/Query", approve="IssueDoc/Approve",
        look_up="MO_IssueDoc d", doc_type="01",
    ),
    "quality": ServiceBlock(
        create="QCDoc/Create", query="QCDoc/Query", approve="QCDoc/Approve", look_up="QC_QCDoc d",
        doc_type="01",
    ),
    "hours": ServiceBlock(
        create="MESAPIMOWorkHour/Create", delete="MESAPIMOWorkHour/Delete", look_up="MO_MOWorkHour d"
    ),
    "order_change": ServiceBlock(),
    "sales_change": ServiceBlock(modify="SO/Modify"),
}  # fmt: skip
