"""Production orders: their flags, what functions make of them, what may be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulators.sap.answers import SapError
from tests.simulators.sap.books import Books, Row
from tests.simulators.sap.schema import Service
from tests.simulators.sap.writing import check_version, touch

SET, OPERATIONS = "A_ProductionOrder_2", "A_ProductionOrderOperation_2"
FLAGS = {  # function -> (flags it sets, what must hold before)
    "ReleaseOrder": ("OrderIsReleased", "created"),
    "TechlyCmpltOrder": ("OrderIsTechnicallyCompleted", "released"),
    "CloseOrder": ("OrderIsClosed", "completed"),
    "DeliveryCompletedOrder": ("OrderIsDelivered", "released"),
    "DeletionFlagOrder": ("OrderIsMarkedForDeletion", ""),
    "DeletionIndOrder": ("OrderIsDeleted", "flagged"),
    "DiscardOrder": ("OrderIsDeleted", "created"),
    "OrderReleasedByMES": ("", "released"),
}
LOCK_TEXT = "Order {} is currently being processed by user WANG"


def is_set(row: Mapping[str, Any], *flags: str) -> bool:
    return any(row.get(flag) == "X" for flag in flags)


class Orders:
    def __init__(self, books: Books, service: Service) -> None:
        self._books = books
        self._service = service

    def get(self, number: str) -> Row | None:
        return self._books.get(SET, (number,))

    def change(self, before: Row, row: Row) -> Row:
        if is_set(before, "OrderIsMarkedForDeletion", "OrderIsDeleted", "OrderIsClosed"):
            raise SapError(400, "CO/081", f"Order {before['ManufacturingOrder']} cannot be changed any more")
        after = before | row
        start, end = after.get("MfgOrderPlannedStartDate"), after.get("MfgOrderPlannedEndDate")
        if start and end and start > end:
            raise SapError(400, "CO/015", "Basic start date lies after the basic finish date")
        return self.put(after)

    def call(self, name: str, arguments: Mapping[str, Any], version: str) -> dict[str, str]:
        number = arguments.get("ManufacturingOrder", "")
        row = self.get(number)
        if row is None:
            raise SapError(404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment 'Order' {number}")
        check_version(self._service.kind_of(SET), row, version)
        if name not in FLAGS:
            raise SapError(501, "/IWBEP/CM_MGW_RT/009", f"{name} is not implemented here")
        flag, before = FLAGS[name]
        complaint = self._forbidden(row, before)
        if complaint:
            return message("E", "CO", "469", f"{name}: order {number} {complaint}")
        if flag:
            row[flag] = "X"
        if name == "ReleaseOrder":
            row["OrderIsCreated"] = ""
        self.put(row)
        return message("S", "CO", "100", f"Order number {number} saved")

    def _forbidden(self, row: Row, before: str) -> str:
        holds = {
            "created": is_set(row, "OrderIsCreated"),
            "released": is_set(row, "OrderIsReleased"),
            "completed": is_set(row, "OrderIsTechnicallyCompleted", "OrderIsDelivered"),
            "flagged": is_set(row, "OrderIsMarkedForDeletion"),
            "": True,
        }
        return "" if holds[before] else f"is not {before or 'as it should be'}"

    def put(self, row: Row) -> Row:
        touch(self._books, self._service.kind_of(SET), row)
        self._books.put(SET, (row["ManufacturingOrder"],), row)
        return row


def message(kind: str, area: str, number: str, text: str) -> dict[str, str]:
    """FunctionMessage: its type says whether it went well, whatever the HTTP status is."""
    variables = {f"SystemMessageVariable{n}": "" for n in range(1, 5)}
    return {
        "SystemMessageType": kind, "SystemMessageIdentification": area, "SystemMessageNumber": number,
        "SystemMessageLongText": text[:220], **variables,
    }  # fmt: skip
