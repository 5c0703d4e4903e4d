"""What an MES may tell, as the hub reads it: one model of events for every kind of source.

An event has a `type`, an `id` of its own, and the fields of its type:

order 工单, report 报工 (start, stop, good, scrap, rework), posting (any below by its `kind`), labour 工时,
quality 检验, material 投料 (a lot that goes into an order), stock 出入库 (in: finished goods, out: material).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from collectors.mes_faults import Unreadable, faults_of, wrong
from collectors.mes_fields import (
    Amount,
    Balance,
    Code,
    Difference,
    Figure,
    Happened,
    Moment,
    Note,
    Quantity,
    Short,
    Title,
    Word,
    as_word,
    unsound,
)
from hub.model.erp import OperationClaim, PostingKind, StockClaim
from hub.model.intake import Fault
from hub.model.production import JobOrder, JobResponse, JobState, Posting, WorkOrder, WorkOrderState
from hub.model.words import Words

LONGEST_ID = 200
MOST_IGNORED = 20  # names that are told of one event


class Record(BaseModel):
    """What an MES may send: it may know more than we ask for, and is told what we leave out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class JobIn(Record):
    operation: Word
    name: Title
    work_center: Short = ""
    quantity: Quantity


class OrderIn(Record):
    number: Word
    product: Word
    product_name: Title
    quantity: Quantity
    due_at: Moment
    priority: int = Field(5, ge=-1000, le=1000)
    rush: bool = False
    customer: Short = ""
    sales_order: Short = ""
    erp_id: Short = ""
    erp_entry_id: Short = ""
    state: WorkOrderState | None = None  # counts where there is no ERP, whose word it is
    changed_at: Moment | None = None  # when the MES changed it: its older words do not come over newer ones
    jobs: list[JobIn] = Field(default_factory=list)

    @field_validator("jobs")
    @classmethod
    def _apart(cls, jobs: list[JobIn]) -> list[JobIn]:
        names = [j.operation for j in jobs]
        if len(set(names)) != len(names):
            raise wrong("jobs_twice")
        return jobs

    def order(self) -> WorkOrder:
        jobs = tuple(
            JobOrder(self.number, j.operation, j.name.words(), j.work_center, j.quantity) for j in self.jobs
        )
        return WorkOrder(
            self.number, self.product, self.product_name.words(), self.quantity, self.due_at.astimezone(UTC),
            self.priority, self.rush, self.sales_order, self.customer, self.erp_id, self.erp_entry_id, jobs,
        )  # fmt: skip


class ReportIn(Record):
    id: Word
    order: Word
    operation: Word
    at: Happened
    corrects: Code = ""  # the report that this one takes something back of
    good: Difference = 0
    scrap: Difference = 0
    state: JobState | None = None  # None: a count alone
    equipment: Short = ""
    person: Short = ""
    labour_seconds: Amount = 0.0
    rework: Difference = 0

    @field_validator("corrects")
    @classmethod
    def _another(cls, value: str, info: ValidationInfo) -> str:
        if value and value == info.data.get("id"):
            raise wrong("corrects_itself")
        return value

    @field_validator("good", "scrap", "rework")
    @classmethod
    def _takes_back(cls, value: int, info: ValidationInfo) -> int:
        if value < 0 and info.data.get("corrects") == "":  # else it was told what is wrong with that
            raise wrong("taken_back")
        return value

    def response(self) -> JobResponse:
        return JobResponse(
            self.id, self.order, self.operation, self.at.astimezone(UTC), self.good, self.scrap,
            self.state or JobState.RUNNING, self.equipment, self.person, self.labour_seconds, self.rework,
            self.state is not None, self.corrects,
        )  # fmt: skip


class PostingIn(Record):
    """What the books take beside reports: finished goods, material, quality results, hours, scrap."""

    id: Word
    kind: PostingKind
    order: Word
    operation: Code = ""
    at: Happened
    item: Code = ""
    quantity: Amount = 0.0
    unit: Short = ""
    lot: Code = ""
    warehouse: Code = ""
    reason: Note = ""
    check: Short = ""
    passed: bool | None = None
    value: Figure = ""
    sample_size: Quantity = 0
    labour_seconds: Amount = 0.0
    machine_seconds: Amount = 0.0
    equipment: Short = ""
    person: Short = ""

    @model_validator(mode="after")
    def _whole(self) -> PostingIn:
        match self.kind:
            case PostingKind.RECEIPT | PostingKind.ISSUE if not self.item or not self.quantity:
                raise wrong("needs_item", kind=self.kind.value)
            case PostingKind.QUALITY if not self.check:
                raise wrong("needs_check")
            case PostingKind.HOURS if not self.labour_seconds and not self.machine_seconds:
                raise wrong("needs_hours")
            case PostingKind.SCRAP if not self.quantity:
                raise wrong("needs_quantity")
        return self

    def posting(self) -> Posting:
        return Posting(**(self.model_dump() | {"at": self.at.astimezone(UTC)}))


class SumIn(Record):
    """What the MES adds up on one operation, for comparison with its reports."""

    order: Word
    operation: Word
    good: Balance = 0.0
    scrap: Balance = 0.0

    def claim(self) -> OperationClaim:
        return OperationClaim(self.order, self.operation, 0.0, self.good, self.scrap)


class StockIn(Record):
    """What lies on the shop floor's shelves; `lot` and `warehouse` where the MES tells them apart."""

    item: Word
    quantity: Balance
    lot: Code = ""
    warehouse: Code = ""

    def claim(self) -> StockClaim:
        return StockClaim(self.item, self.quantity, self.lot, self.warehouse)


# ------------------------------------------------------------------ postings under names of their own
class LabourIn(Record):
    """Hours of a person or a machine on one operation."""

    id: Word
    order: Word
    operation: Word
    at: Happened
    labour_seconds: Amount = 0.0
    machine_seconds: Amount = 0.0
    equipment: Short = ""
    person: Short = ""

    def posting(self) -> Posting:
        return _posting(PostingKind.HOURS, self)


class QualityIn(Record):
    """A result of an inspection; `passed` is left out when nobody has judged."""

    id: Word
    order: Word
    operation: Code = ""
    at: Happened
    check: Word
    passed: bool | None = None
    value: Figure = ""
    unit: Short = ""
    item: Code = ""
    lot: Code = ""
    quantity: Amount = 0.0
    sample_size: Quantity = 0
    reason: Note = ""
    equipment: Short = ""
    person: Short = ""

    def posting(self) -> Posting:
        return _posting(PostingKind.QUALITY, self)


class MaterialIn(Record):
    """A lot that goes into an order."""

    id: Word
    order: Word
    operation: Code = ""
    at: Happened
    item: Word
    quantity: Annotated[Amount, Field(gt=0)]
    unit: Short = ""
    lot: Code = ""
    warehouse: Code = ""
    equipment: Short = ""
    person: Short = ""

    def posting(self) -> Posting:
        return _posting(PostingKind.ISSUE, self)


class MovementIn(MaterialIn):
    """In: into the store (finished goods); out: out of it, into the order."""

    direction: Literal["in", "out"]

    def posting(self) -> Posting:
        return _posting(PostingKind.RECEIPT if self.direction == "in" else PostingKind.ISSUE, self)


def _posting(kind: PostingKind, found: Record) -> Posting:
    """Checked by PostingIn, which knows what each kind needs."""
    return PostingIn.model_validate(found.model_dump() | {"kind": kind}).posting()


EventType = Literal["order", "report", "posting", "labour", "quality", "material", "stock"]
MODELS: Mapping[str, type[Record]] = {
    "order": OrderIn, "report": ReportIn, "posting": PostingIn, "labour": LabourIn, "quality": QualityIn,
    "material": MaterialIn, "stock": MovementIn,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` and `id` name it once in its source; `id` is "" of an order that only says how it is now."""

    kind: str
    id: str
    thing: WorkOrder | JobResponse | Posting
    ignored: tuple[str, ...] = ()
    state: WorkOrderState | None = None  # of an order, where the MES tells it
    changed_at: datetime | None = None  # of an order

    @property
    def digest(self) -> str:
        told = asdict(self.thing)
        if not told.get("rework"):
            told.pop("rework", None)  # as it was before there was this field: a repeat stays one
        told.pop("stated", None)
        if not told.get("corrects"):
            told.pop("corrects", None)
        if self.state is not None:
            told["state"] = self.state.value
        if self.changed_at is not None:
            told["changed_at"] = self.changed_at
        said = json.dumps(told, sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()


def read(found: Any, now: datetime | None = None) -> Event:
    """Raises Unreadable with every fault, each with its field. With `now`, nothing happens long after it."""
    if not isinstance(found, Mapping):
        raise Unreadable(Fault("", Words("应为一个对象", "must be an object with type, id and fields")))
    model = MODELS.get(str(found.get("type")))
    if model is None:
        known = ", ".join(MODELS)
        raise Unreadable(Fault("type", Words(f"须为 {known} 之一", f"must be one of {known}")))
    try:
        made = model.model_validate(found, context={"now": now})
        return replace(_event(made, found), ignored=unknown_fields(model, found))
    except ValidationError as cause:
        raise Unreadable(*faults_of(cause)) from None


def unknown_fields(model: type[Record], found: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields that are not of this type; they may well be told to nobody, but not without a word."""
    own = {str(name) for name in found} - {*model.model_fields, "type", "id"}
    jobs = found.get("jobs", []) if model is OrderIn else []
    inner = {f"jobs.{name}" for job in jobs for name in job if name not in JobIn.model_fields}
    return tuple(name[:LONGEST_ID] for name in sorted(own | inner)[:MOST_IGNORED] if not unsound(name))


def _event(made: Record, found: Mapping[str, Any]) -> Event:
    match made:
        case OrderIn():
            changed = made.changed_at.astimezone(UTC) if made.changed_at else None
            return Event("order", _id_of(found), made.order(), state=made.state, changed_at=changed)
        case ReportIn():
            return Event("report", made.id, made.response())
        case PostingIn() | LabourIn() | QualityIn() | MaterialIn():
            posting = made.posting()
            return Event(posting.kind.value, posting.id, posting)
        case _:
            raise AssertionError(made)


def _id_of(found: Mapping[str, Any]) -> str:
    """Of an order, whose own key is its number."""
    told = as_word(found.get("id", ""))
    if not isinstance(told, str) or len(told) > LONGEST_ID or unsound(told):
        raise Unreadable(
            Fault("id", Words("须为文本，最多 200 个字符", "must be a text of 200 characters at most"))
        )
    return told


def named(found: Any) -> tuple[str, str]:
    """(type, id) as far as they can be told of something that may be no event at all."""
    if not isinstance(found, Mapping):
        return "", ""
    return short_name(found.get("type")), short_name(found.get("id") or found.get("number"))


def short_name(value: Any) -> str:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return "" if unsound(text) else text[:LONGEST_ID]
