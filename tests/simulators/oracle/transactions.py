"""Operation, material and resource transactions: 201 whatever becomes of the rows, and never read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulators.oracle.books import Books, Row
from tests.simulators.oracle.seed import SOURCE_SYSTEM, put_stock

DETAILS = {
    "operationTransactions": "OperationTransactionDetail",
    "maintenanceOperationTransactions": "OperationTransactionDetail",
    "materialTransactions": "MaterialTransactionDetail",
    "resourceTransactions": "ResourceTransactionDetail",
}
_COUNTER = {"COMPLETE": "CompletedQuantity", "SCRAP": "ScrappedQuantity", "REJECT": "RejectedQuantity"}


class Refused(Exception):
    def __init__(self, name: str, text: str) -> None:
        self.name = name
        super().__init__(text)


class Transactions:
    def __init__(self, books: Books) -> None:
        self._books = books
        self.booked: list[tuple[str, Row]] = []  # what stands in the books, for a clerk
        self.source_systems = {SOURCE_SYSTEM, "FUSION_MOBILE"}
        self._turn = 0

    def take(self, name: str, body: Row, *, fail_first: bool = False) -> Row:
        rows, failed = [], False
        for at, row in enumerate(body.get(DETAILS[name]) or []):
            said: Row = {}
            try:
                if fail_first and at == 0:
                    raise Refused("WIE_TXN_FAILED", "The transaction could not be processed.")
                self._row(name, {"SourceSystemCode": body.get("SourceSystemCode")} | row)
            except Refused as refusal:
                failed = True
                said = {"ErrorMessages": str(refusal), "ErrorMessageNames": refusal.name}
            rows.append({**row, "ErrorMessages": None, "ErrorMessageNames": None} | said)
        self._turn += 1
        shown: Any = rows if self._turn % 2 else {"items": rows, "count": len(rows), "hasMore": False}
        return {**body, "ErrorsExistFlag": "true" if failed else "false", DETAILS[name]: shown}

    def _row(self, name: str, row: Row) -> None:
        if row.get("SourceSystemCode") not in self.source_systems:
            raise Refused("WIE_INVALID_SOURCE_SYSTEM", "The source system code is not valid.")
        resource = "maintenanceWorkOrders" if name.startswith("maintenance") else "workOrders"
        order = self._order(resource, row)
        if not (row.get("TransactionQuantity") or 0) > 0:
            raise Refused("WIE_INVALID_QUANTITY", "The transaction quantity must be more than zero.")
        done: dict[str, Callable[[Row, Row], None]] = {
            "materialTransactions": self._material, "resourceTransactions": self._resource,
        }  # fmt: skip
        done.get(name, self._operation)(order, row)
        order["LastUpdateDate"] = self._books.now()
        self._books.put(resource, order["WorkOrderId"], order)
        self.booked.append((name, row))

    def _order(self, resource: str, row: Row) -> Row:
        found = self._books.where(
            resource, OrganizationCode=row.get("OrganizationCode"), WorkOrderNumber=row.get("WorkOrderNumber")
        )
        if not found:
            raise Refused("WIE_INVALID_WORK_ORDER", f"Work order {row.get('WorkOrderNumber')} is not valid.")
        if found[0]["WorkOrderSystemStatusCode"] != "ORA_RELEASED":
            raise Refused("WIE_WO_STATUS", "The work order isn't released.")
        return found[0]

    # ------------------------------------------------------------------ pieces
    def _operation(self, order: Row, row: Row) -> None:
        step = _step(order, row)
        source, target = row.get("FromDispatchState"), row.get("ToDispatchState")
        quantity = row["TransactionQuantity"]
        if (source, target) == ("COMPLETE", "READY"):
            _take(step, "CompletedQuantity", quantity)
            step["ReadyQuantity"] += quantity
            return
        if source != "READY" or target not in _COUNTER:
            raise Refused(
                "WIE_DISPATCH_STATE", f"{source} to {target} is not a valid pair of dispatch states."
            )
        _take(step, "ReadyQuantity", quantity)
        step[_COUNTER[target]] += quantity
        if target != "COMPLETE":
            order[_COUNTER[target]] = order.get(_COUNTER[target], 0) + quantity
            return
        later = [s for s in order["WorkOrderOperation"]
                 if s["OperationSequenceNumber"] > step["OperationSequenceNumber"]]  # fmt: skip
        if later:
            later[0]["ReadyQuantity"] += quantity
        else:
            order["CompletedQuantity"] = order.get("CompletedQuantity", 0) + quantity

    # ------------------------------------------------------------------ stock
    def _material(self, order: Row, row: Row) -> None:
        kind, quantity = row.get("TransactionTypeCode"), row["TransactionQuantity"]
        step, item = _step(order, row), row.get("InventoryItemNumber")
        lots = row.get("TransactionLot") or []
        if sum(lot["TransactionQuantity"] for lot in lots) not in (0, quantity):
            raise Refused("INV_LOT_QUANTITY", "The lot quantities do not add up to the transaction quantity.")
        if kind in ("PRODUCT_COMPLETION", "PRODUCT_RETURN"):
            if item != order["ItemNumber"]:
                raise Refused("WIE_INVALID_ITEM", f"{item} is not the product of the work order.")
            if step is not order["WorkOrderOperation"][-1]:
                raise Refused("WIE_LAST_OPERATION", "A product is completed at the last operation.")
            sign = 1 if kind == "PRODUCT_COMPLETION" else -1
            if order["CompletedQuantity"] + sign * quantity > order["PlannedStartQuantity"]:
                raise Refused("WIE_OVERCOMPLETION", "The quantity is more than the work order's.")
            order["CompletedQuantity"] += sign * quantity
        elif kind in ("MATERIAL_ISSUE", "MATERIAL_RETURN"):
            material = next((m for m in step["WorkOrderOperationMaterial"] if m["ItemNumber"] == item), None)
            if material is None:
                raise Refused("WIE_INVALID_MATERIAL", f"{item} is not a material of the operation.")
            sign = -1 if kind == "MATERIAL_ISSUE" else 1
            if not lots:
                raise Refused("INV_LOT_REQUIRED", f"{item} needs a lot.")
            material["IssuedQuantity"] -= sign * quantity
        else:
            raise Refused("WIE_TXN_TYPE", f"{kind} is not a valid transaction type.")
        for lot in lots:
            try:
                store = row.get("SubinventoryCode") or ""
                put_stock(self._books, str(item), lot["LotNumber"], store, sign * lot["TransactionQuantity"])
            except ValueError as short:
                raise Refused("INV_NOT_ENOUGH", str(short)) from None

    # ------------------------------------------------------------------ hours
    def _resource(self, order: Row, row: Row) -> None:
        if row.get("TransactionTypeCode") not in ("RESOURCE_CHARGE", "RESOURCE_REVERSE"):
            raise Refused(
                "WIE_TXN_TYPE", f"{row.get('TransactionTypeCode')} is not a valid transaction type."
            )
        step = _step(order, row)
        wanted = row.get("ResourceSequenceNumber"), row.get("ResourceCode")
        found = [
            r for r in step["WorkOrderOperationResource"]
            if wanted[0] in (None, r["ResourceSequenceNumber"]) and wanted[1] in (None, r["ResourceCode"])
        ]  # fmt: skip
        if not found or wanted == (None, None):
            raise Refused("WIE_INVALID_RESOURCE", f"{wanted[1]} is not a resource of the operation.")
        if row.get("TransactionUnitOfMeasure") != found[0]["UOMCode"]:
            raise Refused("WIE_UOM", f"{row.get('TransactionUnitOfMeasure')} is not a valid unit of measure.")
        sign = 1 if row["TransactionTypeCode"] == "RESOURCE_CHARGE" else -1
        found[0]["ActualResourceUsage"] += sign * row["TransactionQuantity"]


def _step(order: Row, row: Row) -> Row:
    """The very one: what is changed in it is changed in the order."""
    sequence = row.get("WoOperationSequenceNumber")
    for step in order["WorkOrderOperation"]:
        if step["OperationSequenceNumber"] == sequence:
            found: Row = step
            return found
    raise Refused("WIE_INVALID_OPERATION", f"Operation {sequence} is not valid.")


def _take(step: Row, name: str, quantity: float) -> None:
    if step[name] < quantity:
        raise Refused("WIE_NOT_ENOUGH", f"{name} of the operation is {step[name]}, not {quantity}.")
    step[name] -= quantity
