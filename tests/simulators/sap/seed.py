"""A small company: two plants, production orders in every state, machines, sales orders, a batch."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tests.simulators.sap.books import Books
from tests.simulators.sap.orders import OPERATIONS, SET
from tests.simulators.sap.schema import Service
from tests.simulators.sap.writing import touch

PLANT, OTHER_PLANT = "1710", "1720"
ITEM, COMPONENT, LOT = "SG124", "RM-STEEL", "L2601"
ORDER, EQUIPMENT = "1000020", "10000045"
ON_FLOOR = 7  # released orders of our plant
FOREVER = datetime(9999, 12, 31)  # noqa: DTZ001 dates on this wire have no zone


def seed(books: Books, services: dict[str, Service]) -> None:
    service = services["API_PRODUCTION_ORDER_2_SRV"]
    day = _day(books.now())
    for place in range(ON_FLOOR):
        _order(
            books, service, str(1000020 + place), PLANT, day + timedelta(days=3 + place), OrderIsReleased="X"
        )
    later = day + timedelta(days=20)
    _order(books, service, "1000040", PLANT, later, OrderIsCreated="X")
    _order(books, service, "1000041", PLANT, later, OrderIsReleased="X", OrderIsTechnicallyCompleted="X")
    _order(books, service, "1000042", OTHER_PLANT, later, OrderIsReleased="X")
    _machines(books)
    _sales(books, services["API_SALES_ORDER_SRV"], day)
    batch = {"Material": COMPONENT, "BatchIdentifyingPlant": "", "Batch": LOT}
    books.put("Batch", tuple(batch.values()), batch | {"LastChangeDateTime": books.now()})


def _day(at: datetime) -> datetime:
    return datetime(at.year, at.month, at.day)  # noqa: DTZ001


def _order(books: Books, service: Service, number: str, plant: str, due: datetime, **flags: str) -> None:
    routing = str(books.next("routing", 1))
    row: dict[str, Any] = {
        "ManufacturingOrder": number, "ManufacturingOrderCategory": "10", "ManufacturingOrderType": "YBM1",
        "Material": ITEM, "ProductionPlant": plant, "Plant": plant, "ProductionUnit": "PC",
        "OrderInternalBillOfOperations": routing, "TotalQuantity": Decimal(400),
        "MfgOrderConfirmedYieldQty": Decimal(0), "MfgOrderPlannedStartDate": due - timedelta(days=2),
        "MfgOrderPlannedStartTime": time(8), "MfgOrderPlannedEndDate": due,
        "MfgOrderPlannedEndTime": time(17), "SalesOrder": "3001", "SalesOrderItem": "10",
        "CustomerName": "华东轴承", **flags,
    }  # fmt: skip
    touch(books, service.kind_of(SET), row)
    row["LastChangeDateTime"] = f"{books.now().astimezone(UTC):%Y%m%d%H%M%S}"
    books.put(SET, (number,), row)
    for place, (step, text) in enumerate((("0010", "车削 turning"), ("0020", "磨削 grinding")), 1):
        operation = {
            "OrderInternalBillOfOperations": routing, "OrderIntBillOfOperationsItem": str(place),
            "ManufacturingOrder": number, "ManufacturingOrderSequence": "0",
            "ManufacturingOrderOperation": step, "MfgOrderOperationText": text, "ProductionPlant": plant,
            "WorkCenter": "CNC-L2", "OperationUnit": "PC", "OpPlannedTotalQuantity": Decimal(400),
            "OpTotalConfirmedYieldQty": Decimal(0), "OperationIsReleased": flags.get("OrderIsReleased", ""),
            "LastChangeDateTime": row["LastChangeDateTime"],
            "ConfirmationGroup_": str(books.next("confirmation group", 101)),
        }  # fmt: skip
        books.put(OPERATIONS, (routing, str(place)), operation)


def _machines(books: Books) -> None:
    ended = _day(books.now()) - timedelta(days=30)
    for number, name, until in (
        (EQUIPMENT, "旧名 CNC-03", ended), (EQUIPMENT, "加工中心 CNC-03", FOREVER),
        ("10000046", "压机 PRESS-01", FOREVER), ("10000047", "磨床 GRIND-02", FOREVER),
    ):  # fmt: skip
        row = {
            "Equipment": number, "ValidityEndDate": until, "EquipmentName": name, "WorkCenter": "CNC-L2",
            "ValidityStartDate": ended - timedelta(days=900) if until == ended else ended,
            "MaintenancePlant": PLANT, "LastChangeDateTime": books.now(),
        }  # fmt: skip
        books.put("Equipment", (number, until), row)


def _sales(books: Books, service: Service, day: datetime) -> None:
    for number in ("3001", "3002"):
        row = {
            "SalesOrder": number, "SalesOrderType": "OR", "SoldToParty": "10100001", "CreationDate": day,
            "RequestedDeliveryDate": day + timedelta(days=9), "OverallSDProcessStatus": "A",
        }  # fmt: skip
        touch(books, service.kind_of("A_SalesOrder"), row)
        books.put("A_SalesOrder", (number,), row)
        for item in ("10", "20"):
            line = {
                "SalesOrder": number, "SalesOrderItem": item, "Material": ITEM,
                "RequestedQuantity": Decimal(120), "RequestedQuantityUnit": "PC",
                "SalesOrderItemText": "轴承 SG124", "DeliveryPriority": "2",
                "SDProcessStatus": "A",
            }  # fmt: skip
            books.put("A_SalesOrderItem", (number, item), line)
            schedule = {
                "SalesOrder": number, "SalesOrderItem": item, "ScheduleLine": "1",
                "RequestedDeliveryDate": day + timedelta(days=8),
                "ConfirmedDeliveryDate": day + timedelta(days=8),
            }  # fmt: skip
            books.put("A_SalesOrderScheduleLine", (number, item, "1"), schedule)
