"""Where two books disagree: ours, the MES's and the ERP's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hub.model.erp import OperationClaim, StockClaim


class Book(StrEnum):
    """What a comparison is about; each has an owner."""

    ORDERS = "orders"
    REPORTS = "reports"
    POSTINGS = "postings"
    STOCK = "stock"
    TICKETS = "tickets"
    EQUIPMENT = "equipment"
    RECORDS = "records"


class DiscrepancyKind(StrEnum):
    ORDER_NOT_HERE = "order-not-here"  # on the ERP's shop floor, unknown here
    ORDER_NOT_IN_ERP = "order-not-in-erp"
    ORDER_QUANTITY = "order-quantity"
    ORDER_DUE = "order-due"
    ORDER_STATE = "order-state"
    ORDER_PRIORITY = "order-priority"  # priority and rush
    OPERATION_NOT_HERE = "operation-not-here"
    OPERATION_NOT_IN_ERP = "operation-not-in-erp"
    OPERATION_QUANTITY = "operation-quantity"
    REPORT_NOT_IN_ERP = "report-not-in-erp"
    REPORT_UNKNOWN = "report-unknown"  # the ERP has more than everybody has reported through us
    REPORT_SUM = "report-sum"  # every report is there, and yet the sums differ
    MES_SUM = "mes-sum"  # the MES's own sum is not that of its reports
    POSTING_NOT_IN_ERP = "posting-not-in-erp"
    STOCK = "stock"  # what the MES has on its shelves against the ERP's stock
    TICKET_NOT_IN_ERP = "ticket-not-in-erp"
    TICKET_STATE = "ticket-state"
    TICKET_TWICE = "ticket-twice"  # several documents of the ERP carry one key of ours
    EQUIPMENT_NOT_IN_ERP = "equipment-not-in-erp"  # has no number of the ERP's, or one that is not there
    EQUIPMENT_NOT_HERE = "equipment-not-here"
    EQUIPMENT_SHARED = "equipment-shared"  # several machines of ours name one asset
    EQUIPMENT_TWICE = "equipment-twice"  # several assets carry the number that one machine names
    RECORD_UNREADABLE = "record-unreadable"  # in the ERP, and no map makes anything of ours of it

    @property
    def book(self) -> Book:
        return _BOOKS[self]


_K, _B = DiscrepancyKind, Book
_BOOKS = {
    _K.ORDER_NOT_HERE: _B.ORDERS, _K.ORDER_NOT_IN_ERP: _B.ORDERS, _K.ORDER_QUANTITY: _B.ORDERS,
    _K.ORDER_DUE: _B.ORDERS, _K.ORDER_STATE: _B.ORDERS, _K.ORDER_PRIORITY: _B.ORDERS,
    _K.OPERATION_NOT_HERE: _B.ORDERS, _K.OPERATION_NOT_IN_ERP: _B.ORDERS, _K.OPERATION_QUANTITY: _B.ORDERS,
    _K.REPORT_NOT_IN_ERP: _B.REPORTS, _K.REPORT_UNKNOWN: _B.REPORTS, _K.REPORT_SUM: _B.REPORTS,
    _K.MES_SUM: _B.REPORTS, _K.POSTING_NOT_IN_ERP: _B.POSTINGS, _K.STOCK: _B.STOCK,
    _K.TICKET_NOT_IN_ERP: _B.TICKETS, _K.TICKET_STATE: _B.TICKETS, _K.TICKET_TWICE: _B.TICKETS,
    _K.EQUIPMENT_NOT_IN_ERP: _B.EQUIPMENT, _K.EQUIPMENT_NOT_HERE: _B.EQUIPMENT,
    _K.EQUIPMENT_SHARED: _B.EQUIPMENT, _K.EQUIPMENT_TWICE: _B.EQUIPMENT, _K.RECORD_UNREADABLE: _B.RECORDS,
}  # fmt: skip


class Repair(StrEnum):
    """What the hub can do about it by itself, once a person has said so. Each looks before it writes."""

    NONE = ""  # a person has to decide
    SEND_AGAIN = "send-again"  # the report, posting or ticket goes to the ERP once more
    TAKE_THEIRS = "take-theirs"  # the order as the ERP has it
    CLOSE_HERE = "close-here"
    CLOSE_THERE = "close-there"


class RepairState(StrEnum):
    NONE = ""
    ASKED = "asked"
    DONE = "done"  # carried out; whether it helped the next comparison tells
    FAILED = "failed"
    IN_VAIN = "in-vain"  # carried out, and yet a later comparison found it again


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first entry of ours at which the two books part: its id (ours) and its time."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """`kind`, `subject` and `part` say which it is, from one comparison to the next. `ours` and `theirs` are
    for people, "" where there is nothing; `gap` is what has to stay the same for it to be the same
    disagreement: of sums that move on both sides, their difference."""

    kind: DiscrepancyKind
    subject: str  # number of the order, ticket, item or machine; MO0001/10 for an operation
    part: str = ""  # which of several of one subject: a report's id, a lot
    ours: str = ""
    theirs: str = ""
    gap: str = ""
    divergence: Divergence | None = None
    repair: Repair = Repair.NONE
    equipment: str = ""  # where in the plant, "" where that is not known

    @property
    def key(self) -> str:
        return f"{self.kind.value}:{self.subject}:{self.part}"


@dataclass(frozen=True, slots=True)
class OpenDiscrepancy:
    """One on record, with its history. `owner` is a role or a person's id."""

    id: int
    what: Discrepancy
    owner: str
    first_seen: datetime
    last_seen: datetime
    told_at: datetime | None = None
    repair_state: RepairState = RepairState.NONE
    repaired_by: str = ""
    repaired_at: datetime | None = None
    repair_result: str = ""
    aside_by: str = ""
    aside_at: datetime | None = None
    aside_reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run over the books. `not_compared`: book or kind -> why, in words for people."""

    began_at: datetime
    ended_at: datetime
    asked_by: str = ""  # "" when it was due
    compared: dict[str, int] = field(default_factory=dict)  # kind of thing -> how many were looked at
    not_compared: dict[str, str] = field(default_factory=dict)
    found: int = 0
    trouble: str = ""  # why it could not be ended


@dataclass(frozen=True, slots=True)
class MesClaims:
    """What an MES itself adds up; None where it cannot tell."""

    sums: tuple[OperationClaim, ...] | None = None
    stock: tuple[StockClaim, ...] | None = None
