"""Oracle's documents as data: what goes into which attribute, and what is read from them.

A site lays its `documents:` over these. Names are Oracle's. A name with a dot belongs to a child, as
`WorkOrderDFF.andonCause` (a descriptive flexfield); `TransactionLot[].LotNumber` to a list. A written text
that ends in `+` is one to which a step is added once. What comes out as null is left out.

Beside the fields of erp_bridge.mapping an expression sees `key` (our number), `reference` (what Oracle keeps
of it), `headline` (the title, with the machine's name where it has no number in Oracle), `organization`,
`source_system`, `other_asset` and `employee`; for transactions also `number` and `product` of the order,
`step` (operation), `last_step`, `amount`, `unit` and `to_state`, `material` or `resource` (as read by their
maps).
"""

from __future__ import annotations

from erp_bridge.fieldmap import MapBlock

_MINUTE = "'%m-%d %H:%M'"
_WORDS = {
    "sent": "已派单 sent",
    "accepted": "已接单 accepted",
    "on-site": "已到场 on site",
    "repairing": "维修中 repairing",
    "wait-parts": "待备件 waiting for parts",
    "verifying": "试机中 verifying",
    "reopened": "重新打开 reopened",
    "closed": "已修复 repaired",
    "false-alarm": "误报 false alarm",
}
_CAUSES = {
    "mechanical": "机械",
    "electrical": "电气",
    "tooling": "工装",
    "material": "物料",
    "operation": "操作",
}
_STATES = {  # their system status: one of ours; sites map their own codes to these
    "ORA_UNRELEASED": "created",
    "ORA_RELEASED": "released",
    "ORA_ON_HOLD": "held",
    "ORA_COMPLETED": "completed",
    "ORA_CLOSED": "closed",
    "ORA_CANCELED": "cancelled",
    "ORA_CANCELLED": "cancelled",
    "ORA_ABORTED": "cancelled",
}
STATES = _STATES | {code.removeprefix("ORA_"): state for code, state in _STATES.items()}
CODES = {  # what a status is called when it is set or asked for
    "unreleased": "ORA_UNRELEASED",
    "released": "ORA_RELEASED",
    "held": "ORA_ON_HOLD",
    "completed": "ORA_COMPLETED",
}
_STATE = "table('states', WorkOrderSystemStatusCode) || table('states', WorkOrderStatusCode)"
_ROW = {
    "SourceSystemCode": "source_system",
    "OrganizationCode": "organization",
    "WorkOrderNumber": "number",
    "WoOperationSequenceNumber": "number(step)",
    "TransactionQuantity": "amount",
    "TransactionUnitOfMeasure": "unit",
}
_MOVED = {name: text for name, text in _ROW.items() if name != "SourceSystemCode"} | {
    "SubinventoryCode": "filled(warehouse)",
    "TransactionLot[].LotNumber": "filled(lot)",
    "TransactionLot[].TransactionQuantity": "filled(lot) && amount",
}

TICKET = MapBlock(
    form="maintenanceWorkOrders",
    write={
        "OrganizationCode": "organization",
        "WorkOrderNumber": "reference",
        "AssetNumber": "filled(equipment) || filled(other_asset)",
        "WorkOrderDescription": "cut(join(' ', [headline, fault_code && join('', ['故障码 ', fault_code]),"
        " order && join('', ['工单 ', order])][?@]), `240`)",
        "WorkOrderTypeCode": "'CORRECTIVE'",
        "WorkOrderSubTypeCode": "if(stopped_at, 'ORA_EMERGENCY', `null`)",
        "WorkOrderStatusCode": "table('codes', opened_as)",
        "WorkOrderPriority": "number(table('priorities', priority))",
        "PlannedStartDate": "utc(stopped_at || opened_at, '%Y-%m-%dT%H:%M:%S+00:00')",
    },
    read={"erp_id": "text(WorkOrderId)", "number": "WorkOrderNumber", "state": _STATE},
    tables={
        "states": STATES,
        "codes": CODES,
        "priorities": {"4": 1, "3": 2, "2": 3, "1": 4},
    },
)
STEP = MapBlock(
    form="maintenanceWorkOrders",
    write={
        "WorkOrderDescription+": f"join(' ', [local(at, {_MINUTE}), table('words', state) || state,"
        " person_name, note][?@])"
    },
    tables={"words": _WORDS},
)
CLOSING = MapBlock(
    form="maintenanceWorkOrders",
    write={
        "WorkOrderDescription+": f"join(' ', [local(at, {_MINUTE}), table('words', state) || state,"
        " person_name, cause_class && (table('causes', cause_class) || cause_class), cause,"
        " downtime && join('', ['停机 ', text(rounded(over(downtime, `60`), `0`)), ' min'])][?@])"
    },
    tables={"words": _WORDS, "causes": _CAUSES},
)

ORDER = MapBlock(
    form="workOrders",
    read={
        "id": "text(WorkOrderId)",
        "number": "text(WorkOrderNumber)",
        "product": "text(ItemNumber)",
        "product_name": "ItemDescription || Description",
        "quantity": "number(PlannedStartQuantity)",
        "completed": "number(CompletedQuantity)",
        "scrapped": "number(ScrappedQuantity)",
        "unit": "UOMCode",
        "due_at": "instant(PlannedCompletionDate)",
        "priority": "number(WorkOrderPriority)",
        "sales_order": "filled(SalesOrderNumber)",
        "customer": "filled(CustomerName)",
        "state": _STATE,
    },
    tables={"states": STATES, "codes": CODES},
)
OPERATION = MapBlock(
    form="WorkOrderOperation",
    read={
        "id": "text(WorkOrderOperationId)",
        "operation": "text(OperationSequenceNumber)",
        "name": "OperationName || OperationDescription",
        "work_center": "table('work_centers', WorkCenterCode) || WorkCenterCode",
        "unit": "UOMCode || UnitOfMeasure",
        "ready": "number(ReadyQuantity)",
        "good": "number(CompletedQuantity)",
        "scrap": "number(ScrappedQuantity)",
    },
    tables={"work_centers": {}},
)
MATERIAL = MapBlock(
    form="WorkOrderOperationMaterial",
    read={
        "item": "text(ItemNumber || InventoryItemNumber || ComponentItemNumber)",
        "sequence": "text(MaterialSequenceNumber)",
        "unit": "UOMCode || UnitOfMeasure",
        "issued": "number(IssuedQuantity)",
    },
)
RESOURCE = MapBlock(
    form="WorkOrderOperationResource",
    read={
        "code": "ResourceCode",
        "sequence": "text(ResourceSequenceNumber)",
        "type": "back('types', ResourceType || ResourceTypeCode)",
        "unit": "UOMCode || UnitOfMeasure",
        "used": "number(ActualResourceUsage)",
    },
    tables={"types": {"labour": "LABOR", "machine": "EQUIPMENT"}},
)
ORDER_CHANGE = MapBlock(
    form="workOrders",
    write={
        "WorkOrderPriority": "number(table('priorities', priority))",
        "PlannedCompletionDate": "utc(due_at, '%Y-%m-%dT%H:%M:%S+00:00')",
    },
    tables={"priorities": {str(n): n for n in range(1, 10)}},
)
SALES_ORDER = MapBlock(
    form="salesOrdersForOrderHub",
    read={
        "number": "text(order.OrderNumber || order.SourceTransactionNumber)",
        "line": "text(line.DisplayLineNumber || line.LineNumber || line.SourceTransactionLineNumber"
        " || line.FulfillLineId)",
        "customer": "order.BuyingPartyName || order.BuyingPartyNumber || order.CustomerPONumber",
        "product": "text(line.ProductNumber)",
        "quantity": "number(line.OrderedQuantity)",
        "due_at": "instant(line.RequestedShipDate || line.ScheduleShipDate || order.RequestedShipDate)",
        "priority": "table('shipment', line.ShipmentPriorityCode || line.ShipmentPriority"
        " || order.ShipmentPriorityCode)",
        "open": "!contains(['CLOSED', 'CANCELED', 'CANCELLED', 'SHIPPED', 'AWAIT_BILLING', 'BILLED'],"
        " line.StatusCode || order.StatusCode || '') && !contains(['CLOSED', 'CANCELED', 'DOO_DRAFT',"
        " 'DOO_CANCELED'], order.StatusCode || '')",
        "seller": "order.SalespersonName || order.Salesperson",
        "erp_id": "text(order.OrderKey || order.HeaderId)",
    },
    tables={"shipment": {"URGENT": 1, "Urgent": 1, "HIGH": 2, "High": 2, "STANDARD": 5, "Standard": 5}},
)
ITEM = MapBlock(
    form="itemsV2",
    read={
        "number": "text(ItemNumber)",
        "name": "ItemDescription || Description",
        "unit": "PrimaryUOMCode || PrimaryUOMValue",
        "family": "ItemClass || UserItemTypeValue",
        "erp_id": "text(ItemId)",
    },
)
EQUIPMENT = MapBlock(
    form="maintenanceAssets",
    read={
        "number": "text(AssetNumber)",
        "name": "AssetDescription || Description",
        "place": "WorkCenterCode || LocationName || AssetLocation",
        "end": "AssetEndDate || ActiveEndDate",
        "erp_id": "text(AssetId)",
    },
)
STOCK = MapBlock(
    form="onhandQuantityDetails",
    read={
        "item": "text(ItemNumber)",
        "quantity": "number(OnhandQuantity || PrimaryQuantity)",
        "lot": "text(LotNumber)",
        "warehouse": "SubinventoryCode",
    },
)

REPORT = MapBlock(
    form="operationTransactions",
    write=_ROW | {"FromDispatchState": "'READY'", "ToDispatchState": "to_state"},
)
SCRAP = MapBlock(
    form="operationTransactions",
    write=_ROW
    | {
        "FromDispatchState": "'READY'",
        "ToDispatchState": "to_state",
        "ReasonCode": "table('reasons', reason)",
    },
    tables={"reasons": {}},
)
RECEIPT = MapBlock(
    form="materialTransactions",
    write=_MOVED
    | {
        "WoOperationSequenceNumber": "number(last_step)",
        "TransactionTypeCode": "'PRODUCT_COMPLETION'",
        "InventoryItemNumber": "filled(item) || product",
    },
)
ISSUE = MapBlock(
    form="materialTransactions",
    write=_MOVED | {"TransactionTypeCode": "'MATERIAL_ISSUE'", "InventoryItemNumber": "item"},
)
HOURS = MapBlock(
    form="resourceTransactions",
    write={name: text for name, text in _ROW.items() if name != "SourceSystemCode"}
    | {
        "TransactionTypeCode": "'RESOURCE_CHARGE'",
        "ResourceCode": "resource.code",
        "ResourceSequenceNumber": "number(resource.sequence)",
        "LaborIdentifier": "if(resource.type == 'labour', employee, `null`)",
    },
)
QUALITY = MapBlock(
    form="",  # quality.resource
    write={
        "OrganizationCode": "organization",
        "WorkOrderNumber": "filled(order)",
        "OperationSequenceNumber": "number(operation)",
        "ItemNumber": "filled(item)",
        "LotNumber": "filled(lot)",
        "CharacteristicName": "check",
        "ResultValue": "filled(value)",
        "SampleSize": "sample_size",
        "DispositionStatus": "if(passed == `true`, 'ACCEPT', if(passed == `false`, 'REJECT', `null`))",
        "InspectionDate": "utc(at, '%Y-%m-%dT%H:%M:%S+00:00')",
    },
)

DOCUMENTS = {
    "ticket": TICKET, "step": STEP, "closing": CLOSING, "order": ORDER, "operation": OPERATION,
    "material": MATERIAL, "resource": RESOURCE, "order_change": ORDER_CHANGE, "sales_order": SALES_ORDER,
    "item": ITEM, "equipment": EQUIPMENT, "stock": STOCK, "report": REPORT, "scrap": SCRAP,
    "receipt": RECEIPT, "issue": ISSUE, "hours": HOURS, "quality": QUALITY,
}  # fmt: skip
DETAILS = {  # the list of rows inside each transaction
    "operationTransactions": "OperationTransactionDetail",
    "materialTransactions": "MaterialTransactionDetail",
    "resourceTransactions": "ResourceTransactionDetail",
    "maintenanceOperationTransactions": "OperationTransactionDetail",
}
