"""SAP's documents as data: what goes into which of its properties, and what is read from them.

A site lays its `documents:` over these. Names are SAP's; values are plain (numbers, texts, `2026-11-22`,
`08:15:00`, instants): how OData writes them follows from the type that $metadata gives. A property that a
release does not have is left out; one that the site has asked for is missed loudly. A written text that ends
in `+` is a long text to which a line is added once.

Beside the fields of erp_bridge.mapping an expression sees `key` (our number), `reference` (what SAP keeps of
it), `headline` (the title, with the machine's name where it has no number in SAP), `personnel`, `sap_user`,
and for confirmations `number`, `step`, `sequence`, `plant`, `base_unit` and `material` of the order in SAP.
"""

from __future__ import annotations

from erp_bridge.fieldmap import MapBlock

_DAY, _TIME = "'%Y-%m-%d'", "'%H:%M:%S'"
_MINUTE = "'%Y-%m-%d %H:%M'"
_WORDS = {
    "sent": "已派单 sent",
    "accepted": "已接单 accepted",
    "on-site": "已到场 on site",
    "repairing": "维修中 repairing",
    "wait-parts": "待备件 waiting for parts",
    "verifying": "试机中 verifying",
    "reopened": "重新打开 reopened",
    "closed": "已关闭 closed",
    "false-alarm": "误报 false alarm",
}
_CAUSES = {
    "mechanical": "机械",
    "electrical": "电气",
    "tooling": "工装",
    "material": "物料",
    "operation": "操作",
}
_LEVELS = {"1": "低 low", "2": "中 medium", "3": "高 high", "4": "紧急 critical"}
_OPERATION = {
    "OrderID": "number",
    "OrderOperation": "step",
    "Sequence": "sequence",
    "ExternalSystemConfirmation": "reference",
    "PostingDate": f"local(at, {_DAY})",
    "Personnel": "personnel",
    "ConfirmationText": "cut(key, `40`)",
    "FinalConfirmationType": "''",
}
_MOVED = "to_ProdnOrdConfMatlDocItm[]."

TICKET = MapBlock(
    form="MaintenanceNotification",
    write={
        "NotificationType": "'M2'",
        "NotificationText": "cut(headline, `40`)",
        "MaintPriority": "table('priorities', priority)",
        "TechnicalObject": "filled(equipment)",
        "TechObjIsEquipOrFuncnlLoc": "if(equipment, 'EAMS_EQUI', `null`)",
        "MaintenanceObjectIsDown": "if(stopped_at, `true`, `false`)",
        "MalfunctionStartDate": f"local(stopped_at || opened_at, {_DAY})",
        "MalfunctionStartTime": f"local(stopped_at || opened_at, {_TIME})",
        "MaintNotifExtReferenceNumber": "reference",
        "MaintNotifLongTextForEdit": 'cut(join(`"\\n"`, [key, title,'
        " join('', ['设备 machine: ', equipment_name || equipment || equipment_path]),"
        " join('', ['级别 level: ', table('levels', priority) || text(priority)]),"
        " fault_code && join('', ['故障码 fault code: ', fault_code]),"
        " order && join('', ['工单 order: ', order]),"
        f" opened_at && join('', ['报警 raised: ', local(opened_at, {_MINUTE})]),"
        f" stopped_at && join('', ['停机 stopped: ', local(stopped_at, {_MINUTE})])][?@]), `1333`)",
    },
    read={
        "erp_id": "text(MaintenanceNotification)",
        "phase": "text(NotifProcessingPhase)",
        "closed": "contains(['4', '5'], text(NotifProcessingPhase))",
    },
    tables={"priorities": {"4": "1", "3": "2", "2": "3", "1": "4"}, "levels": _LEVELS},
)
STEP = MapBlock(
    form="MaintenanceNotification",
    write={
        "MaintNotifLongTextForEdit+": f"join(' ', [local(at, {_MINUTE}), table('words', state) || state,"
        " person_name, note][?@])"
    },
    tables={"words": _WORDS},
)
CLOSING = MapBlock(
    form="MaintenanceNotification",
    write={
        "MalfunctionEndDate": f"local(at, {_DAY})",
        "MalfunctionEndTime": f"local(at, {_TIME})",
        "MaintObjectDowntimeDuration": "rounded(over(downtime, `60`), `1`)",
        "MaintObjDowntimeDurationUnit": "downtime && 'MIN'",
        "MaintNotifLongTextForEdit+": f"join(' ', [local(at, {_MINUTE}), table('words', state) || state,"
        " person_name, cause_class && join('', ['原因 cause: ', table('causes', cause_class)"
        " || cause_class]), cause, downtime && join('', ['停机 downtime: ',"
        " text(rounded(over(downtime, `60`), `1`)), ' min'])][?@])",
    },
    tables={"words": _WORDS, "causes": _CAUSES},
)
COMPLETION = MapBlock(  # arguments of the function; an older release lacks the first
    form="CompleteMaintNotification",
    write={
        "MaintNotifReferenceDateTime": "at",
        "NotificationReferenceDate": f"local(at, {_DAY})",
        "NotificationReferenceTime": f"local(at, {_TIME})",
    },
)

ORDER = MapBlock(
    form="A_ProductionOrder_2",
    read={
        "number": "text(ManufacturingOrder)",
        "product": "Material",
        "quantity": "number(TotalQuantity)",
        "unit": "ProductionUnit",
        "plant": "ProductionPlant",
        "due_at": "(MfgOrderPlannedEndDate || MfgOrderScheduledEndDate) && instant(join('T', ["
        "cut(MfgOrderPlannedEndDate || MfgOrderScheduledEndDate, `10`), if(MfgOrderPlannedEndDate,"
        " MfgOrderPlannedEndTime, MfgOrderScheduledEndTime) || '23:59:59']))",
        "sales_order": "filled(SalesOrder)",
        "customer": "CustomerName",
        "priority": "number(back('importance', ManufacturingOrderImportance))",
        "state": "if(OrderIsDeleted == 'X' || OrderIsMarkedForDeletion == 'X', 'cancelled',"
        " if(OrderIsClosed == 'X' || OrderIsTechnicallyCompleted == 'X' || OrderIsDelivered == 'X'"
        " || OrderIsConfirmed == 'X', 'completed', if(OrderIsLocked == 'X', 'held',"
        " if(OrderIsPartiallyConfirmed == 'X' || OrderIsReleased == 'X' || OrderIsPartiallyReleased == 'X',"
        " 'released', 'created'))))",
    },
    tables={"importance": {str(n): str(n) for n in range(1, 10)}},
)
OPERATION = MapBlock(
    form="to_ProductionOrderOperation",
    read={
        "operation": "text(ManufacturingOrderOperation)",
        "part": "ManufacturingOrderSubOperation",
        "sequence": "text(ManufacturingOrderSequence)",
        "name": "MfgOrderOperationText",
        "work_center": "table('work_centers', WorkCenter) || WorkCenter",
        "quantity": "number(OpPlannedTotalQuantity)",
        "unit": "OperationUnit",
        "good": "number(OpTotalConfirmedYieldQty)",
        "deleted": "OperationIsDeleted == 'X'",
    },
    tables={"work_centers": {}},
)
ORDER_CHANGE = MapBlock(
    form="A_ProductionOrder_2",
    write={
        "ManufacturingOrderImportance": "table('importance', priority)",
        "MfgOrderPlannedEndDate": f"local(due_at, {_DAY})",
        "MfgOrderPlannedEndTime": f"local(due_at, {_TIME})",
    },
    tables={"importance": {str(n): str(n) for n in range(1, 10)}},
)
SALES_ORDER = MapBlock(
    form="A_SalesOrder",
    read={
        "number": "order.SalesOrder",
        "line": "text(item.SalesOrderItem)",
        "customer": "order.SoldToParty",
        "product": "item.Material",
        "product_name": "item.SalesOrderItemText",
        "unit": "item.RequestedQuantityUnit",
        "quantity": "number(item.RequestedQuantity)",
        "due_at": "instant(line.ConfirmedDeliveryDate || line.RequestedDeliveryDate"
        " || order.RequestedDeliveryDate)",
        "priority": "number(back('delivery', text(number(item.DeliveryPriority))))",
        "open": "!contains(['C'], text(item.SDProcessStatus || order.OverallSDProcessStatus || ''))"
        " && !filled(item.SalesDocumentRjcnReason)",
    },
    tables={"delivery": {"1": "1", "2": "2", "3": "3", "4": "4"}},
)
SALES_CHANGE = MapBlock(form="A_SalesOrderItem", write={"DeliveryPriority": "if(rush, '01', `null`)"})
ITEM = MapBlock(
    form="A_Product",
    read={
        "number": "Product",
        "name": "to_Description[?Language == 'ZH'].ProductDescription | [0]"
        " || to_Description[0].ProductDescription",
        "unit": "BaseUnit",
        "family": "ProductGroup",
    },
)
EQUIPMENT = MapBlock(
    form="Equipment",
    read={
        "number": "text(Equipment)",
        "name": "EquipmentName",
        "place": "filled(WorkCenter) || filled(FunctionalLocationLabelName)",
        "until": "ValidityEndDate",
        "active": "EquipmentIsMarkedForDeletion != `true` && EquipmentIsInactive != `true`",
    },
)

REPORT = MapBlock(
    form="ProdnOrdConf2",
    write=_OPERATION
    | {
        "ConfirmationYieldQuantity": "good",
        "ConfirmationScrapQuantity": "scrap",
        "ConfirmationUnit": "base_unit",
    },
)
RECEIPT = MapBlock(
    form="ProdnOrdConf2",
    write=_OPERATION
    | {
        "ConfirmationUnit": "base_unit",
        "ConfirmationYieldQuantity": "`0`",
        f"{_MOVED}OrderID": "number",
        f"{_MOVED}OrderItem": "'1'",
        f"{_MOVED}Material": "filled(item) || material",
        f"{_MOVED}Plant": "plant",
        f"{_MOVED}StorageLocation": "filled(warehouse)",
        f"{_MOVED}GoodsMovementType": "'101'",
        f"{_MOVED}GoodsMovementRefDocType": "'F'",
        f"{_MOVED}Batch": "filled(lot)",
        f"{_MOVED}QuantityInEntryUnit": "quantity",
        f"{_MOVED}EntryUnit": "filled(unit) || base_unit",
    },
)
ISSUE = MapBlock(
    form="ProdnOrdConf2",
    write=_OPERATION
    | {
        "ConfirmationUnit": "base_unit",
        "ConfirmationYieldQuantity": "`0`",
        f"{_MOVED}OrderID": "number",
        f"{_MOVED}Material": "item",
        f"{_MOVED}Plant": "plant",
        f"{_MOVED}StorageLocation": "filled(warehouse)",
        f"{_MOVED}GoodsMovementType": "'261'",
        f"{_MOVED}Batch": "filled(lot)",
        f"{_MOVED}QuantityInEntryUnit": "quantity",
        f"{_MOVED}EntryUnit": "filled(unit) || component_unit || base_unit",
    },
)
HOURS = MapBlock(
    form="ProdnOrdConf2",
    write=_OPERATION
    | {
        "ConfirmationUnit": "base_unit",
        "ConfirmationYieldQuantity": "`0`",
        "OpConfirmedWorkQuantity1": "rounded(over(labour_seconds, `60`), `1`)",
        "OpWorkQuantityUnit1": "'MIN'",
        "OpConfirmedWorkQuantity2": "if(machine_seconds, rounded(over(machine_seconds, `60`), `1`), `null`)",
        "OpWorkQuantityUnit2": "if(machine_seconds, 'MIN', `null`)",
    },
)
SCRAP = MapBlock(
    form="ProdnOrdConf2",
    write=_OPERATION
    | {
        "ConfirmationUnit": "base_unit",
        "ConfirmationYieldQuantity": "`0`",
        "ConfirmationScrapQuantity": "quantity",
        "VarianceReasonCode": "table('reasons', reason)",
        "ConfirmationText": "cut(join(' ', [key, reason][?@]), `40`)",
    },
    tables={"reasons": {}},
)
QUALITY = MapBlock(
    form="MaintenanceNotification",
    write={
        "NotificationType": "type",
        "NotificationText": "cut(join(' ', ['检验', check, value, unit, if(passed, '合格', '不合格')][?@]),"
        " `40`)",
        "TechnicalObject": "filled(equipment)",
        "TechObjIsEquipOrFuncnlLoc": "if(equipment, 'EAMS_EQUI', `null`)",
        "MaintNotifExtReferenceNumber": "reference",
        "MaintNotifLongTextForEdit": "cut(join(`\"\\n\"`, [key, join('', ['检验项 check: ', check]),"
        " join('', ['结果 result: ', value, unit]), if(passed, '合格 passed', '不合格 failed'),"
        " if(sample_size, join('', ['样本 sample: ', text(sample_size)]), `null`),"
        " join(' ', ['工单 order:', order, operation, item, lot])][?@]), `1333`)",
    },
)

DOCUMENTS = {
    "ticket": TICKET, "step": STEP, "closing": CLOSING, "completion": COMPLETION, "order": ORDER,
    "operation": OPERATION, "order_change": ORDER_CHANGE, "sales_order": SALES_ORDER,
    "sales_change": SALES_CHANGE, "item": ITEM, "equipment": EQUIPMENT, "report": REPORT, "receipt": RECEIPT,
    "issue": ISSUE, "hours": HOURS, "scrap": SCRAP, "quality": QUALITY,
}  # fmt: skip
SERVICES = {
    "ticket": "notification", "step": "notification", "closing": "notification", "quality": "notification",
    "completion": "notification", "order": "production_order", "operation": "production_order",
    "order_change": "production_order", "sales_order": "sales_order", "sales_change": "sales_order",
    "item": "product", "equipment": "equipment", "report": "confirmation", "receipt": "confirmation",
    "issue": "confirmation", "hours": "confirmation", "scrap": "confirmation",
}  # fmt: skip
# A document without these is worth nothing, whatever release it is.
NEEDED = {
    "ticket": frozenset({"NotificationType", "NotificationText", "MaintNotifExtReferenceNumber"}),
    "quality": frozenset({"NotificationType", "NotificationText", "MaintNotifExtReferenceNumber"}),
    **{
        name: frozenset({"OrderID", "ExternalSystemConfirmation"})
        for name in ("report", "receipt", "issue", "hours", "scrap")
    },
}
