"""Maintenance notifications: outstanding, in process, completed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.simulators.sap.answers import SapError
from tests.simulators.sap.books import Books, Row
from tests.simulators.sap.schema import Service
from tests.simulators.sap.writing import required, touch

SET, ITEM = "MaintenanceNotification", "MaintenanceNotificationItem"
LONG_TEXT = "MaintNotifLongTextForEdit"
PHASES = {"1": "Outstanding", "2": "Postponed", "3": "In process", "4": "Completed", "5": "Deletion flag"}
TYPES = frozenset({"M1", "M2", "M3"})
BUSY = "Notification {} is currently being processed by user WANG"


class Notifications:
    def __init__(self, books: Books, service: Service) -> None:
        self._books = books
        self._service = service
        self.appends = False  # what becomes of a long text that is written again

    def create(self, row: Row) -> Row:
        deep = {n: row.pop(n) for n in list(row) if isinstance(row[n], list)}
        required(row, "NotificationType", "NotificationText")
        if row["NotificationType"] not in TYPES:
            raise SapError(400, "IM/003", f"Notification type {row['NotificationType']} does not exist")
        self._check_object(row)
        number = str(self._books.next(SET, 10000123))
        made = row | {SET: number, "MaintNotifInternalID": f"QM{number}", "CreatedByUser": "ANDON"}
        made["CreationDateTime"] = self._books.now()
        made["MaintNotificationLongText"] = made.get(LONG_TEXT, "")
        self._phase(made, "1")
        for place, item in enumerate(deep.get("to_Item", []), 1):
            below = item | {SET: number, ITEM: str(place)}
            self._books.put(ITEM, (number, str(place)), below)
        return self._put(made)

    def change(self, before: Row, row: Row) -> Row:
        if before["NotifProcessingPhase"] in ("4", "5"):
            raise SapError(400, "IM/254", f"Notification {before[SET]} is completed and cannot be changed")
        if "NotificationText" in row:
            required(row, "NotificationText")
        if row.get("TechnicalObject"):
            self._check_object(row)
        after = before | row
        if LONG_TEXT in row:
            old = str(before.get(LONG_TEXT) or "")
            after[LONG_TEXT] = f"{old}\n{row[LONG_TEXT]}" if self.appends and old else row[LONG_TEXT]
            after["MaintNotificationLongText"] = after[LONG_TEXT]
        return self._put(after)

    def call(self, name: str, arguments: Mapping[str, Any]) -> Row:
        row = self._books.get(SET, (arguments[SET],))
        if row is None:
            raise SapError(
                404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{SET}' {arguments[SET]}"
            )
        match name:
            case "SetMaintNotifToInProcess":
                self._from(row, "1", "2")
                self._phase(row, "3")
            case "CompleteMaintNotification":
                self._from(row, "1", "3")
                self._phase(row, "4")
                self._completed(row, arguments)
            case _:
                raise SapError(501, "/IWBEP/CM_MGW_RT/009", f"{name} is not implemented here")
        return self._put(row)

    def _from(self, row: Row, *phases: str) -> None:
        if row["NotifProcessingPhase"] not in phases:
            state = row["NotifProcessingPhaseDesc"]
            raise SapError(400, "BS/007", f"Status of notification {row[SET]} ({state}) does not allow this")

    def _completed(self, row: Row, arguments: Mapping[str, Any]) -> None:
        at: datetime = arguments.get("MaintNotifReferenceDateTime") or self._books.now()
        day = arguments.get("NotificationReferenceDate")
        row["NotificationCompletionDate"] = day or datetime(at.year, at.month, at.day)  # noqa: DTZ001
        row["CompletionTime"] = arguments.get("NotificationReferenceTime") or at.time()

    def by_hand(self, number: str, phase: str) -> None:
        row = self._books.get(SET, (number,))
        assert row is not None, number
        self._phase(row, phase)
        self._put(row)

    def _phase(self, row: Row, phase: str) -> None:
        row |= {"NotifProcessingPhase": phase, "NotifProcessingPhaseDesc": PHASES[phase]}

    def _check_object(self, row: Row) -> None:
        name = row.get("TechnicalObject")
        if not name:
            return
        kind = row.get("TechObjIsEquipOrFuncnlLoc")
        if kind not in ("EAMS_EQUI", "EAMS_FL"):
            raise SapError(400, "IM/010", "TechObjIsEquipOrFuncnlLoc does not say what the object is")
        if kind == "EAMS_EQUI" and not self._books.where("Equipment", Equipment=name):
            raise SapError(400, "IE/001", f"Equipment {name} does not exist")

    def _put(self, row: Row) -> Row:
        touch(self._books, self._service.kind_of(SET), row)
        self._books.put(SET, (row[SET],), row, timedelta(0))
        return row
