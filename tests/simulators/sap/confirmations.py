"""Completion confirmations: what they do to the order, the movements below them, and taking them back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.simulators.sap.answers import SapError
from tests.simulators.sap.books import Books, Row
from tests.simulators.sap.orders import OPERATIONS, Orders, is_set
from tests.simulators.sap.schema import Service
from tests.simulators.sap.writing import required, touch

SET, MOVEMENTS = "ProdnOrdConf2", "ProdnOrdConfMatlDocItm"
QUANTITIES = ("ConfirmationYieldQuantity", "ConfirmationScrapQuantity", "ConfirmationReworkQuantity")
TYPES = frozenset({"101", "102", "261", "262", "531"})


class Confirmations:
    def __init__(self, books: Books, orders: Orders, order_service: Service) -> None:
        self._books = books
        self._orders = orders
        self._order_service = order_service
        self.material_delay = timedelta(0)  # goods movements are posted by a job of their own

    def create(self, row: Row) -> tuple[Row, str]:
        """(the confirmation, a warning or "")."""
        movements: list[Row] = row.pop("to_ProdnOrdConfMatlDocItm", [])
        number = row.get("OrderID", "")
        order = self._orders.get(number)
        if order is None:
            raise SapError(400, "RU/505", f"Order {number or '(none)'} does not exist")
        self._check_order(order)
        operation = self._operation(order, row)
        self._check_level(row)
        if any((row.get(name) or 0) < 0 for name in QUANTITIES):
            raise SapError(400, "RU/012", "Enter a positive quantity")
        for movement in movements:
            self._check_movement(movement)
        made = self._made(row, order, operation)
        warning = self._out_of_turn(operation, made)
        self._books.put(SET, (made["ConfirmationGroup"], made["ConfirmationCount"]), made)
        self._count(made, operation, order, 1)
        for place, movement in enumerate(movements, 1):
            self._move(made, movement, place)
        return made, warning

    def _check_order(self, order: Row) -> None:
        number = order["ManufacturingOrder"]
        if is_set(order, "OrderIsMarkedForDeletion", "OrderIsDeleted"):
            raise SapError(400, "RU/506", f"Order {number} is flagged for deletion")
        if is_set(order, "OrderIsTechnicallyCompleted", "OrderIsClosed", "OrderIsLocked"):
            raise SapError(400, "RU/507", f"Status of order {number} does not allow a confirmation")
        if not is_set(order, "OrderIsReleased"):
            raise SapError(400, "RU/508", f"Order {number} is not released")

    def _operation(self, order: Row, row: Row) -> Row | None:
        if not row.get("OrderOperation"):
            return None
        found = self._books.where(
            OPERATIONS, ManufacturingOrder=order["ManufacturingOrder"],
            ManufacturingOrderOperation=row["OrderOperation"],
            ManufacturingOrderSequence=row.get("Sequence") or "0",
        )  # fmt: skip
        if not found:
            raise SapError(
                400, "RU/017", f"Order {order['ManufacturingOrder']} has no operation {row['OrderOperation']}"
            )
        return found[0]

    def _check_level(self, row: Row) -> None:
        """One order is confirmed by operation or as a whole, never both."""
        for other in self._books.where(SET, OrderID=row["OrderID"]):
            if other.get("IsReversed") or other.get("IsReversal"):
                continue
            if bool(other.get("OrderOperation")) != bool(row.get("OrderOperation")):
                raise SapError(400, "RU/055", f"Order {row['OrderID']} is already confirmed at another level")

    def _check_movement(self, movement: Row) -> None:
        required(movement, "Material", "Plant", "GoodsMovementType", "EntryUnit")
        if movement["GoodsMovementType"] not in TYPES:
            raise SapError(400, "M7/001", f"Movement type {movement['GoodsMovementType']} is not allowed")
        if movement["GoodsMovementType"] == "101" and movement.get("GoodsMovementRefDocType") != "F":
            raise SapError(400, "M7/002", "A receipt for an order needs reference document type F")
        if not (movement.get("QuantityInEntryUnit") or 0) > 0:
            raise SapError(400, "M7/003", "Enter a quantity")
        batch = movement.get("Batch")
        known = self._books.where("Batch", Material=movement["Material"], Batch=batch)
        if batch and movement["GoodsMovementType"] == "261" and not known:
            raise SapError(400, "M7/042", f"Batch {batch} of material {movement['Material']} does not exist")

    def _made(self, row: Row, order: Row, operation: Row | None) -> Row:
        group = (operation or order).get("ConfirmationGroup_") or "100"
        day = self._books.now()
        return row | {
            "ConfirmationGroup": group,
            "ConfirmationCount": str(self._books.next(f"{SET}/{group}", 1)),
            "Material": order["Material"], "Plant": order["ProductionPlant"],
            "OrderConfirmationRecordType": "L20" if operation else "A10",
            "ConfirmationEntryDate": datetime(day.year, day.month, day.day),  # noqa: DTZ001
            "EnteredByUser": "ANDON", "IsReversed": False, "IsReversal": False,
            "IsFinalConfirmation": row.get("FinalConfirmationType") == "X",
        }  # fmt: skip

    def _out_of_turn(self, operation: Row | None, made: Row) -> str:
        if operation is None:
            return ""
        earlier = [
            other
            for other in self._books.where(OPERATIONS, ManufacturingOrder=operation["ManufacturingOrder"])
            if other["ManufacturingOrderOperation"] < operation["ManufacturingOrderOperation"]
        ]
        whole = operation["OpTotalConfirmedYieldQty"] + (made.get("ConfirmationYieldQuantity") or 0)
        late = any(whole > other["OpTotalConfirmedYieldQty"] for other in earlier)
        return "Sequence of operations is not kept" if late else ""

    # ------------------------------------------------------------------ what it does to the order
    def _count(self, made: Row, operation: Row | None, order: Row, sign: int) -> None:
        good = sign * (made.get("ConfirmationYieldQuantity") or Decimal(0))
        last = True
        if operation is not None:
            operation["OpTotalConfirmedYieldQty"] += good
            done = made.get("FinalConfirmationType") == "X" and sign > 0
            operation["OperationIsConfirmed"] = "X" if done else ""
            operation["OperationIsPartiallyConfirmed"] = "X" if not done else ""
            touch(self._books, self._order_service.kind_of(OPERATIONS), operation)
            key = (
                operation["OrderInternalBillOfOperations"], operation["OrderIntBillOfOperationsItem"],
            )  # fmt: skip
            self._books.put(OPERATIONS, key, operation)
            all_of = self._books.where(OPERATIONS, ManufacturingOrder=order["ManufacturingOrder"])
            last = operation["ManufacturingOrderOperation"] == max(
                o["ManufacturingOrderOperation"] for o in all_of
            )
        if last:
            order["MfgOrderConfirmedYieldQty"] += good
        order["OrderIsPartiallyConfirmed"] = "X"
        self._orders.put(order)

    def _move(self, made: Row, movement: Row, place: int) -> None:
        document = str(self._books.next(MOVEMENTS, 4900000001))
        keys = {
            "ConfirmationGroup": made["ConfirmationGroup"], "ConfirmationCount": made["ConfirmationCount"],
            "MaterialDocument": document, "MaterialDocumentItem": str(place),
            "MaterialDocumentYear": str(self._books.now().year),
        }  # fmt: skip
        row = {"OrderID": made["OrderID"]} | movement | keys
        self._books.put(MOVEMENTS, tuple(keys.values()), row, self.material_delay)
        if movement["GoodsMovementType"] == "101" and movement.get("Batch"):
            key = (movement["Material"], "", movement["Batch"])
            names = ("Material", "BatchIdentifyingPlant", "Batch")
            self._books.put("Batch", key, dict(zip(names, key, strict=True)))

    # ------------------------------------------------------------------ taken back
    def cancel(self, arguments: Mapping[str, Any]) -> Row:
        key = (arguments["ConfirmationGroup"].lstrip("0"), arguments["ConfirmationCount"].lstrip("0"))
        row = self._books.get(SET, key)
        if row is None:
            raise SapError(
                404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{SET}' {key[0]}/{key[1]}"
            )
        if row["IsReversed"] or row["IsReversal"]:
            raise SapError(400, "RU/151", f"Confirmation {key[0]}/{key[1]} is already cancelled")
        self._books.put(SET, key, row | {"IsReversed": True})
        count = str(self._books.next(f"{SET}/{key[0]}", 1))
        given = arguments.get("ExternalSystemConfirmation")
        reversal = row | {
            "ConfirmationCount": count, "IsReversal": True, "ExternalSystemConfirmation": given,
            "ConfirmationText": arguments.get("ConfirmationText") or "",
        }  # fmt: skip
        self._books.put(SET, (key[0], count), reversal)
        order = self._orders.get(row["OrderID"])
        assert order is not None
        self._count(row, self._operation(order, row), order, -1)
        return reversal
