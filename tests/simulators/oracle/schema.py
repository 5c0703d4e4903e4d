"""What resources there are, their attributes, and what may be written."""

from __future__ import annotations

from dataclasses import dataclass, field

INT, NUM, TEXT, DATE, BOOL = "int", "number", "text", "date", "boolean"


@dataclass(frozen=True, slots=True)
class Attribute:
    kind: str = TEXT
    most: int = 0
    create: bool = True
    update: bool = True


@dataclass
class Resource:
    name: str
    key: str
    attributes: dict[str, Attribute]
    children: dict[str, Resource] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    hashed: bool = False  # its key in URLs is an opaque hash
    writable: bool = False
    transaction: bool = False


def _read(kind: str, *names: str) -> dict[str, Attribute]:
    return {name: Attribute(kind, create=False, update=False) for name in names}


def _free(kind: str, *names: str, most: int = 0) -> dict[str, Attribute]:
    return {name: Attribute(kind, most) for name in names}


def _once(kind: str, *names: str, most: int = 0) -> dict[str, Attribute]:
    return {name: Attribute(kind, most, update=False) for name in names}


def _status() -> dict[str, Attribute]:
    return _free(TEXT, "WorkOrderStatusCode", "CanceledReason", most=80) | _read(
        TEXT, "WorkOrderStatusName", "WorkOrderSystemStatusCode"
    )


def _dff() -> Resource:
    names = _free(TEXT, "__FLEX_Context", "andonFaultCode", "andonTechnician", "andonMark", most=400)
    return Resource(
        "WorkOrderDFF", "WorkOrderId", _read(INT, "WorkOrderId") | names, writable=True, hashed=True
    )


def _operation() -> Resource:
    quantities = _read(
        NUM, "ReadyQuantity", "CompletedQuantity", "ScrappedQuantity", "RejectedQuantity", "InProcessQuantity"
    )
    material = Resource(
        "WorkOrderOperationMaterial", "WorkOrderOperationMaterialId",
        _read(INT, "WorkOrderOperationMaterialId", "MaterialSequenceNumber")
        | _read(TEXT, "ItemNumber", "UOMCode") | _read(NUM, "Quantity", "IssuedQuantity"),
    )  # fmt: skip
    resource = Resource(
        "WorkOrderOperationResource", "WorkOrderOperationResourceId",
        _read(INT, "WorkOrderOperationResourceId", "ResourceSequenceNumber")
        | _read(TEXT, "ResourceCode", "ResourceType", "UOMCode") | _read(NUM, "ActualResourceUsage"),
    )  # fmt: skip
    return Resource(
        "WorkOrderOperation", "WorkOrderOperationId",
        _read(INT, "WorkOrderOperationId", "OperationSequenceNumber")
        | _read(TEXT, "OperationName", "WorkCenterCode", "UOMCode") | quantities,
        {material.name: material, resource.name: resource},
    )  # fmt: skip


def _work_orders() -> Resource:
    attributes = (
        _read(INT, "WorkOrderId", "OrganizationId", "InventoryItemId")
        | _once(TEXT, "OrganizationCode", most=18) | _once(TEXT, "WorkOrderNumber", most=120)
        | _free(TEXT, "WorkOrderDescription", most=240)
        | _read(TEXT, "ItemNumber", "Description", "UOMCode", "WorkOrderType", "WorkOrderSubType")
        | _status() | _free(NUM, "WorkOrderPriority", "PlannedStartQuantity")
        | _free(DATE, "PlannedStartDate", "PlannedCompletionDate")
        | _read(DATE, "ActualStartDate", "ActualCompletionDate", "LastUpdateDate")
        | _read(NUM, "CompletedQuantity", "ScrappedQuantity", "RejectedQuantity")
    )  # fmt: skip
    return Resource(
        "workOrders", "WorkOrderId", attributes,
        {"WorkOrderOperation": _operation(), "WorkOrderDFF": _dff()},
        ("InventoryItemId", "PlannedStartQuantity", "WorkOrderType"), writable=True,
    )  # fmt: skip


def _maintenance() -> Resource:
    attributes = (
        _read(INT, "WorkOrderId", "OrganizationId", "AssetId")
        | _once(TEXT, "OrganizationCode", most=18) | _once(TEXT, "WorkOrderNumber", most=120)
        | _free(TEXT, "WorkOrderDescription", most=240) | _free(TEXT, "AssetNumber", most=80)
        | _free(TEXT, "WorkOrderTypeCode", "WorkOrderSubTypeCode", most=30) | _free(TEXT, "UOMCode", most=3)
        | _free(INT, "InventoryItemId") | _status() | _free(NUM, "WorkOrderPriority", "PlannedStartQuantity")
        | _free(DATE, "PlannedStartDate", "PlannedCompletionDate")
        | _read(DATE, "ActualCompletionDate", "LastUpdateDate")
    )  # fmt: skip
    return Resource(
        "maintenanceWorkOrders", "WorkOrderId", attributes,
        {"WorkOrderOperation": _operation(), "WorkOrderDFF": _dff()}, ("WorkOrderTypeCode",), writable=True,
    )  # fmt: skip


def _transaction(name: str, detail: str, more: dict[str, Attribute]) -> Resource:
    lot = Resource(
        "TransactionLot", "", _free(TEXT, "LotNumber", most=80) | _free(NUM, "TransactionQuantity")
    )
    rows = Resource(
        detail, "",
        _free(TEXT, "SourceSystemCode", "OrganizationCode", "TransactionUnitOfMeasure", "ReasonCode", most=30)
        | _free(TEXT, "WorkOrderNumber", most=120) | _free(INT, "WoOperationSequenceNumber")
        | _free(NUM, "TransactionQuantity") | _free(DATE, "TransactionDate") | more,
        {"TransactionLot": lot} if name == "materialTransactions" else {},
        ("OrganizationCode", "WorkOrderNumber", "TransactionQuantity"),
    )  # fmt: skip
    return Resource(
        name, "", _free(TEXT, "SourceSystemCode", "SourceSystemType", most=30), {detail: rows},
        transaction=True,
    )  # fmt: skip


def resources() -> dict[str, Resource]:
    states = _free(TEXT, "FromDispatchState", "ToDispatchState", most=30)
    moved = _free(TEXT, "TransactionTypeCode", "InventoryItemNumber", "SubinventoryCode", most=300)
    charged = _free(TEXT, "TransactionTypeCode", "ResourceCode", "LaborIdentifier", most=30) | _free(
        INT, "ResourceSequenceNumber"
    )
    lines = Resource(
        "lines", "FulfillLineId",
        _read(INT, "FulfillLineId", "LineNumber") | _read(NUM, "OrderedQuantity", "ShippedQuantity")
        | _read(TEXT, "ProductNumber", "OrderedUOMCode", "StatusCode") | _read(DATE, "ScheduleShipDate"),
    )  # fmt: skip
    found = [
        _work_orders(),
        _maintenance(),
        _transaction("operationTransactions", "OperationTransactionDetail", states),
        _transaction("maintenanceOperationTransactions", "OperationTransactionDetail", states),
        _transaction("materialTransactions", "MaterialTransactionDetail", moved),
        _transaction("resourceTransactions", "ResourceTransactionDetail", charged),
        Resource(
            "salesOrdersForOrderHub", "OrderKey",
            _read(TEXT, "OrderKey", "OrderNumber", "CustomerPONumber", "StatusCode")
            | _read(INT, "HeaderId") | _read(BOOL, "SubmittedFlag", "OnHoldFlag")
            | _read(DATE, "RequestedShipDate", "LastUpdateDate"),
            {"lines": lines},
        ),
        Resource(
            "itemsV2", "ItemId",
            _read(INT, "ItemId") | _read(DATE, "LastUpdateDate")
            | _read(TEXT, "ItemNumber", "OrganizationCode", "ItemDescription")
            | _read(TEXT, "PrimaryUOMValue", "ItemClass"),
            hashed=True,
        ),
        Resource(
            "maintenanceAssets", "AssetId",
            _read(INT, "AssetId")
            | _read(TEXT, "AssetNumber", "AssetDescription", "SerialNumber", "OrganizationCode"),
        ),
        Resource(
            "onhandQuantityDetails", "OnhandId",
            _read(INT, "OnhandId") | _read(NUM, "OnhandQuantity")
            | _read(TEXT, "OrganizationCode", "ItemNumber", "SubinventoryCode", "LotNumber"),
            hashed=True,
        ),
        Resource(
            "inventoryOrganizations", "OrganizationId",
            _read(INT, "OrganizationId") | _read(TEXT, "OrganizationCode", "OrganizationName"),
        ),
    ]  # fmt: skip
    return {resource.name: resource for resource in found}
