"""Kingdee's own documents as data: what goes into which of their fields, and what is read from them.

A site lays its `documents:` over these. Beside the fields of erp_bridge.mapping an expression sees:
`key` (our number of the document), `headline` (the title, with the machine's name where it has no number in
the ERP), `employee` (the person's number there, when `employees` has one), `bill` and `seq` (MO0001.2 is line
2 of bill MO0001) and, for bills that are pushed, `source_id`, `source_number`, `source_line`.

Field keys are those of the vendor's documentation; F_AH_... are fields that the customer adds to a bill.
"""

from __future__ import annotations

from erp_bridge.fieldmap import MapBlock
from erp_bridge.kingdee_config import PostingBlock

_TIME = "'%Y-%m-%d %H:%M:%S'"
_DAY = "'%Y-%m-%d'"

TICKET = MapBlock(
    form="AH_EquipRepair",
    write={
        "F_AH_ExtKey": "key",
        "F_AH_Equip.FNumber": "filled(equipment)",
        "F_AH_FaultDesc": "headline",
        "F_AH_FaultCode": "filled(fault_code)",
        "F_AH_Level": "table('levels', priority)",
        "F_AH_MoNo": "filled(order)",
        "F_AH_State": "table('states', state)",
        "F_AH_ReportTime": f"local(opened_at, {_TIME})",
        "F_AH_StopTime": f"local(stopped_at, {_TIME})",
        "F_AH_AckTime": f"local(if(state == 'accepted', at, `null`), {_TIME})",
        "F_AH_ArriveTime": f"local(if(state == 'on-site', at, `null`), {_TIME})",
        "F_AH_CloseTime": f"local(if(state == 'closed', at, `null`), {_TIME})",
        "F_AH_Worker.FNumber": "employee",
        "F_AH_WorkerName": "filled(person_name)",
        "F_AH_CauseClass": "filled(cause_class)",
        "F_AH_Result": "filled(cut(cause, `2000`))",
        "F_AH_DownMin": "rounded(over(downtime, `60`), `1`)",
        "F_AH_Photo": "filled(photo)",
        "F_AH_Note": "filled(cut(note, `2000`))",
    },
    read={
        "erp_id": "text(FID)",
        "closed": "contains(['DONE', 'CANCELLED'], F_AH_State)"
        " || FDocumentStatus == 'C' || FCancelStatus == 'B'",
        "photo": "F_AH_Photo",
    },
    tables={
        "states": {
            "sent": "OPEN",
            "accepted": "ACK",
            "on-site": "ON_SITE",
            "repairing": "DOING",
            "verifying": "VERIFYING",
            "wait-parts": "WAIT_PARTS",
            "reopened": "REOPENED",
            "closed": "DONE",
            "false-alarm": "CANCELLED",
        },
        "levels": {"1": "1", "2": "2", "3": "3", "4": "4"},
    },
)

ORDER = MapBlock(
    form="PRD_MO",
    write={"FTreeEntity[].FPlanFinishDate": f"local(due_at, {_TIME})"},
    read={
        "erp_id": "text(FID)",
        "erp_entry_id": "text(FTreeEntity_FEntryId)",
        "bill": "FBillNo",
        "seq": "number(FTreeEntity_FSeq)",
        "product": "FMaterialId.FNumber",
        "product_name": "FMaterialId.FName",
        "quantity": "number(FQty)",
        "due_at": "instant(FPlanFinishDate)",
        "starts_at": "instant(FPlanStartDate)",
        "sales_order": "FSaleOrderNo",
        "organisation": "FPrdOrgId.FNumber",
        "status": "text(FStatus)",
        "state": "if(FCancelStatus == 'B', 'cancelled',"
        " if(FDocumentStatus != 'C', 'held', table('order_states', FStatus) || 'held'))",
    },
    tables={
        "order_states": {
            "1": "held",  # 计划
            "2": "held",  # 计划确认
            "3": "released",  # 下达
            "4": "released",  # 开工
            "5": "completed",  # 完工
            "6": "completed",  # 结案
        }
    },
)

PLAN = MapBlock(
    form="SFC_OperationPlanning",
    read={
        "order_line": "text(FMOEntryId)",
        "order": "FMONumber",
        "operation": "text(FOperNumber)",
        "name": "FOperDescription",
        "work_center": "FWorkCenterId.FNumber",
        "quantity": "number(FOperQty)",
        "good": "number(FQualifiedQty)",
        "scrap": "number(FProcessFailQty)",
    },
)

SALES_ORDER = MapBlock(
    form="SAL_SaleOrder",
    write={"FSaleOrderEntry[].FPriority": "priority", "FSaleOrderEntry[].F_AH_Rush": "rush"},
    read={
        "erp_id": "text(FID)",
        "erp_entry_id": "text(FSaleOrderEntry_FEntryId)",
        "number": "FBillNo",
        "line": "text(FSaleOrderEntry_FSeq)",
        "customer": "FCustId.FName",
        "product": "FMaterialId.FNumber",
        "quantity": "number(FQty)",
        "due_at": "instant(FDeliveryDate)",
        "priority": "number(FPriority)",
        "rush": "contains(['1', 'true'], text(F_AH_Rush))",
        "open": "FDocumentStatus == 'C' && FCloseStatus != 'B' && FCancelStatus != 'B'",
        "seller": "FSalerId.FName",
    },
)

ITEM = MapBlock(
    form="BD_MATERIAL",
    read={
        "erp_id": "text(FMATERIALID)",
        "number": "FNumber",
        "name": "FName",
        "unit": "FBaseUnitId.FNumber",
        "family": "FMaterialGroup.FNumber",
        "active": "FDocumentStatus == 'C' && FForbidStatus != 'B'",
    },
)

EQUIPMENT = MapBlock(
    form="ENG_Equipment",
    read={
        "number": "FNumber",
        "name": "FName",
        "place": "FWorkCenterId.FName",
        "active": "FDocumentStatus == 'C' && FForbidStatus != 'B'",
    },
)

STOCK = MapBlock(  # 即时库存
    form="STK_Inventory",
    read={
        "item": "FMaterialId.FNumber",
        "warehouse": "FStockId.FNumber",
        "lot": "FLot.FNumber",
        "quantity": "number(FBaseQty)",
    },
)

ORDER_CHANGE = MapBlock(  # 生产订单变更单: one row as it was (2), one as it shall be (3)
    form="PRD_MOChange",
    write={
        "F_AH_ExtKey": "key",
        "FPrdOrgId.FNumber": "filled(organisation)",
        "FDate": f"local(now, {_DAY})",
        "F_AH_Reason": "filled(cut(reason, `200`))",
        "FEntity[].FChangeType": "if(changed, '3', '2')",
        "FEntity[].FMoId": "number(erp_id)",
        "FEntity[].FMoEntryId": "number(erp_entry_id)",
        "FEntity[].FMoNo": "bill",
        "FEntity[].FMaterialId.FNumber": "product",
        "FEntity[].FQty": "quantity",
        "FEntity[].FPlanStartDate": f"local(starts_at, {_TIME})",
        "FEntity[].FPlanFinishDate": f"local(due_at, {_TIME})",
    },
)

REPORT = MapBlock(
    form="SFC_OperationReport",
    write={
        "F_AH_RptKey": "key",
        "FEntity[].FFinishQty": "plus(good, scrap)",
        "FEntity[].FQuaQty": "good",
        "FEntity[].FProcessFailQty": "scrap",
        "FEntity[].F_AH_Worker": "filled(person)",
        "FEntity[].F_AH_Equip": "filled(equipment)",
        "FEntity[].F_AH_RptTime": f"local(at, {_TIME})",
    },
)

SCRAP = MapBlock(
    form="SFC_OperationReport",
    write={
        "F_AH_RptKey": "key",
        "FEntity[].FFinishQty": "quantity",
        "FEntity[].FQuaQty": "`0`",
        "FEntity[].FProcessFailQty": "quantity",
        "FEntity[].F_AH_Reason": "filled(cut(reason, `200`))",
        "FEntity[].F_AH_Worker": "filled(person)",
        "FEntity[].F_AH_Equip": "filled(equipment)",
        "FEntity[].F_AH_RptTime": f"local(at, {_TIME})",
    },
)

HOURS = MapBlock(  # a report of no pieces 工时汇报
    form="PRD_MORPT",
    write={
        "F_AH_RptKey": "key",
        "FEntity[].FFinishQty": "`0`",
        "FEntity[].FQuaQty": "`0`",
        "FEntity[].FFailQty": "`0`",
        "FEntity[].FHrWorkTime": "rounded(over(labour_seconds, `3600`), `4`)",
        "FEntity[].FMacWorkTime": "rounded(over(machine_seconds, `3600`), `4`)",
        "FEntity[].F_AH_OperNo": "filled(operation)",
        "FEntity[].F_AH_Worker": "filled(person)",
        "FEntity[].F_AH_Equip": "filled(equipment)",
    },
)

RECEIPT = MapBlock(
    form="PRD_INSTOCK",
    write={
        "F_AH_ExtKey": "key",
        "FDate": f"local(at, {_DAY})",
        "FEntity[].FRealQty": "quantity",
        "FEntity[].FLot.FNumber": "filled(lot)",
        "FEntity[].FStockId.FNumber": "filled(warehouse)",
    },
)

ISSUE = MapBlock(
    form="PRD_PickMtrl",
    write={
        "F_AH_ExtKey": "key",
        "FDate": f"local(at, {_DAY})",
        "FEntity[].FActualQty": "quantity",
        "FEntity[].FLot.FNumber": "filled(lot)",
        "FEntity[].FStockId.FNumber": "filled(warehouse)",
    },
)

QUALITY = MapBlock(
    form="QM_InspectBill",
    write={
        "F_AH_ExtKey": "key",
        "FBillTypeID.FNUMBER": "'JYD002_SYS'",  # 过程检验
        "FDate": f"local(at, {_DAY})",
        "FEntity[].FMaterialId.FNumber": "filled(item)",
        "FEntity[].FInspectQty": "if(sample_size, sample_size, quantity)",
        "FEntity[].FQualifiedQty": "if(passed, if(sample_size, sample_size, quantity), `0`)",
        "FEntity[].FUnqualifiedQty": "if(passed, `0`, if(sample_size, sample_size, quantity))",
        "FEntity[].FInspectResult": "if(passed, '1', '2')",
        "FEntity[].FLot.FNumber": "filled(lot)",
        "FEntity[].F_AH_MoNo": "filled(order)",
        "FEntity[].F_AH_OperNo": "filled(operation)",
        "FEntity[].F_AH_Check": "filled(check)",
        "FEntity[].F_AH_Value": "filled(value)",
        "FEntity[].F_AH_Equip": "filled(equipment)",
        "FEntity[].F_AH_Worker": "filled(person)",
        "FEntity[].F_AH_Time": f"local(at, {_TIME})",
    },
)

DOCUMENTS: dict[str, MapBlock] = {
    "ticket": TICKET,
    "order": ORDER,
    "plan": PLAN,
    "sales_order": SALES_ORDER,
    "item": ITEM,
    "equipment": EQUIPMENT,
    "stock": STOCK,
    "order_change": ORDER_CHANGE,
    "report": REPORT,
    "receipt": RECEIPT,
    "issue": ISSUE,
    "quality": QUALITY,
    "hours": HOURS,
    "scrap": SCRAP,
}

# without these a record means nothing; whatever else a tenant lacks is left out
NEEDED: dict[str, frozenset[str]] = {
    "ticket": frozenset({"erp_id", "closed"}),
    "order": frozenset({"erp_id", "erp_entry_id", "bill", "product", "quantity", "due_at", "status"}),
    "plan": frozenset({"order_line", "order", "operation", "quantity"}),
    "sales_order": frozenset({"number", "product"}),
    "item": frozenset({"number", "name"}),
    "equipment": frozenset({"number", "name"}),
    "stock": frozenset({"item", "quantity"}),
}

_FROM_PLAN = PostingBlock(
    source="SFC_OperationPlanning",
    entry="FSubEntity",
    match={"FMONumber": "bill", "FOperNumber": "operation", "FMOEntryId": "order_line"},
    trace={"FSourceBillNo": "source_number", "FOperNumber": "operation"},
)
_FROM_ORDER = PostingBlock(
    source="PRD_MO",
    entry="FTreeEntity",
    match={"FBillNo": "bill", "FTreeEntity_FSeq": "seq"},
    trace={"FMoBillNo": "bill", "FMoEntryId": "number(source_line)"},
)
POSTINGS: dict[str, PostingBlock] = {
    "report": _FROM_PLAN,
    "scrap": _FROM_PLAN,
    "hours": _FROM_ORDER,
    "receipt": _FROM_ORDER,
    "issue": PostingBlock(  # 生产用料清单: what the order needs
        source="PRD_PPBOM",
        entry="FEntity",
        match={
            "FMOBillNO": "bill",
            "FMOEntrySeq": "if(seq > `1`, seq, `null`)",
            "FMaterialID2.FNumber": "item",
        },
        trace={"FMoBillNo": "bill", "FMaterialId.FNumber": "item"},
    ),
    "quality": PostingBlock(source=""),
}
