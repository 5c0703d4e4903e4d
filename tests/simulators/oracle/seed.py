"""A plant M1 with machines, orders on the shop floor, stock and sales orders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.simulators.oracle.books import Books, Row

ORGANIZATION, SOURCE_SYSTEM = "M1", "ANDON_HUB"
ORDER, ITEM, COMPONENT, LOT = "M1-1208", "AS65101", "RM-2040", "RM-LOT-07"
ASSET, OTHER = "CNC-0001", "M1-OTHER"
ON_FLOOR = 11
STATUSES = {  # code -> (system status, name); the last is a site's own
    "ORA_UNRELEASED": ("ORA_UNRELEASED", "Unreleased"),
    "ORA_RELEASED": ("ORA_RELEASED", "Released"),
    "ORA_ON_HOLD": ("ORA_ON_HOLD", "On Hold"),
    "ORA_COMPLETED": ("ORA_COMPLETED", "Completed"),
    "ORA_CLOSED": ("ORA_CLOSED", "Closed"),
    "ORA_CANCELED": ("ORA_CANCELED", "Canceled"),
    "M1_KITTED": ("ORA_RELEASED", "Kitted"),
}


def seed(books: Books) -> None:
    organization = books.next()
    books.put(
        "inventoryOrganizations", organization,
        {"OrganizationId": organization, "OrganizationCode": ORGANIZATION, "OrganizationName": "苏州一厂"},
    )  # fmt: skip
    for number, name in ((ASSET, "加工中心 03"), ("CNC-0002", "加工中心 04"), (OTHER, "其他设备")):
        key = books.next()
        row = {"AssetId": key, "AssetNumber": number, "AssetDescription": name,
               "SerialNumber": f"SN-{number}", "OrganizationCode": ORGANIZATION}  # fmt: skip
        books.put("maintenanceAssets", key, row)
    _items(books)
    for at in range(ON_FLOOR):
        code = "M1_KITTED" if at == 3 else "ORA_ON_HOLD" if at == 5 else "ORA_RELEASED"
        books_order(books, f"M1-{1208 + at}", code, days=5 + at)
    books_order(books, "M1-1100", "ORA_CLOSED", days=-9)
    books_order(books, "M1-1300", "ORA_UNRELEASED", days=30)
    _sales(books)


def _items(books: Books) -> None:
    for number, name, family in (
        (ITEM, "轴承座 AS65101", "Finished Goods"), (COMPONENT, "圆钢 RM-2040", "Raw"),
        ("RM-2041", "密封圈", "Raw"),
    ):  # fmt: skip
        key = books.next()
        row = {"ItemId": key, "ItemNumber": number, "OrganizationCode": ORGANIZATION, "ItemDescription": name,
               "PrimaryUOMValue": "Each", "ItemClass": family, "LastUpdateDate": books.now()}  # fmt: skip
        books.put("itemsV2", key, row)
    for number, lot, store, quantity in ((COMPONENT, LOT, "RAW", 900.0), (ITEM, "FG-LOT-00", "FG", 12.0)):
        put_stock(books, number, lot, store, quantity)


def put_stock(books: Books, item: str, lot: str, store: str, quantity: float) -> None:
    """Adds; raises ValueError when it would become less than nothing."""
    wanted = {
        "OrganizationCode": ORGANIZATION,
        "ItemNumber": item,
        "LotNumber": lot,
        "SubinventoryCode": store,
    }
    found = books.where("onhandQuantityDetails", **wanted)
    key = books.next()
    row: Row = found[0] if found else {"OnhandId": key, "OnhandQuantity": 0.0} | wanted
    if row["OnhandQuantity"] + quantity < 0:
        raise ValueError(f"lot {lot} of {item} has {row['OnhandQuantity']} in {store}")
    books.put(
        "onhandQuantityDetails", row["OnhandId"], row | {"OnhandQuantity": row["OnhandQuantity"] + quantity}
    )


def books_order(books: Books, number: str, code: str, days: int, quantity: int = 400) -> Row:
    now = books.now().replace(microsecond=0)
    key = books.next()
    row: dict[str, Any] = {
        "WorkOrderId": key, "WorkOrderNumber": number, "WorkOrderDescription": f"轴承座 {number}",
        "WorkOrderStatusCode": code, "WorkOrderSystemStatusCode": STATUSES[code][0],
        "WorkOrderStatusName": STATUSES[code][1], "OrganizationCode": ORGANIZATION,
        "ItemNumber": ITEM, "Description": "轴承座 AS65101", "UOMCode": "Ea", "WorkOrderType": "ORA_STANDARD",
        "PlannedStartQuantity": quantity, "CompletedQuantity": 0, "ScrappedQuantity": 0,
        "RejectedQuantity": 0, "WorkOrderPriority": 5, "PlannedStartDate": now + timedelta(days=days - 4),
        "PlannedCompletionDate": now + timedelta(days=days), "LastUpdateDate": now,
        "WorkOrderOperation": [_operation(books, at, quantity) for at in (10, 20, 30)], "WorkOrderDFF": [],
    }  # fmt: skip
    books.put("workOrders", key, row)
    return row


def _operation(books: Books, sequence: int, quantity: int) -> Row:
    ready = {10: quantity - 240, 20: 200, 30: 0}[sequence]
    done = {10: 240, 20: 40, 30: 0}[sequence]
    material = {
        "WorkOrderOperationMaterialId": books.next(), "MaterialSequenceNumber": 10, "ItemNumber": COMPONENT,
        "UOMCode": "Kg", "Quantity": 800, "IssuedQuantity": 0,
    }  # fmt: skip
    resources = [
        {"WorkOrderOperationResourceId": books.next(), "ResourceSequenceNumber": at, "ResourceCode": code,
         "ResourceType": kind, "UOMCode": "HR", "ActualResourceUsage": 0.0}
        for at, code, kind in ((10, "MC-CNC", "EQUIPMENT"), (20, "OPERATOR", "LABOR"))
    ]  # fmt: skip
    return {
        "WorkOrderOperationId": books.next(), "OperationSequenceNumber": sequence,
        "OperationName": {10: "粗车", 20: "精车", 30: "检验"}[sequence], "WorkCenterCode": "CNC-L2",
        "UOMCode": "Ea", "ReadyQuantity": ready, "CompletedQuantity": done, "ScrappedQuantity": 0,
        "RejectedQuantity": 0, "InProcessQuantity": 0,
        "WorkOrderOperationMaterial": [material] if sequence == 20 else [],
        "WorkOrderOperationResource": resources,
    }  # fmt: skip


def _sales(books: Books) -> None:
    now = books.now().replace(microsecond=0)
    for at in (1, 2):
        key = books.next()
        lines = [
            {"FulfillLineId": books.next(), "LineNumber": n, "ProductNumber": ITEM, "OrderedQuantity": 120,
             "OrderedUOMCode": "Ea", "ShippedQuantity": 0, "ScheduleShipDate": now + timedelta(days=9),
             "StatusCode": "AWAIT_SHIP"}
            for n in (1, 2)
        ]  # fmt: skip
        row = {
            "OrderKey": f"OPS:{key}", "HeaderId": key, "OrderNumber": f"SO-{3000 + at}",
            "CustomerPONumber": f"PO-{at}", "StatusCode": "OPEN", "SubmittedFlag": True, "OnHoldFlag": False,
            "RequestedShipDate": now + timedelta(days=8), "LastUpdateDate": now, "lines": lines,
        }  # fmt: skip
        books.put("salesOrdersForOrderHub", row["OrderKey"], row)
