"""Orders and their operations, in ISA-95 part 4's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.model.erp import PostingKind
from hub.model.words import Words


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    INSPECTION = "inspection"  # finished, awaiting inspection
    DONE = "done"


class WorkOrderState(StrEnum):
    """As the ERP has it. Only a released order is worked on."""

    RELEASED = "released"
    HELD = "held"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class JobOrder:
    """One operation of a work order 工序任务."""

    order: str
    operation: str  # "10", "20" ... in the order of work
    name: Words
    work_center: str  # equipment path of the line
    quantity: int


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """A production order 工单; `number` is the ERP's and binds both sides."""

    number: str
    product: str
    product_name: Words
    quantity: int
    due_at: datetime
    priority: int = 5  # 1 is the most urgent
    rush: bool = False
    sales_order: str = ""
    customer: str = ""
    erp_id: str = ""
    erp_entry_id: str = ""
    jobs: tuple[JobOrder, ...] = ()
    state: WorkOrderState = WorkOrderState.RELEASED
    seller: str = ""  # of its sales order, as the ERP names them; read with the order, never written with it


@dataclass(frozen=True, slots=True)
class JobResponse:
    """One report 报工 from the MES. Quantities are increments: the sum of reports is the progress, always.

    `id` is the MES's own and unique; taking one in twice changes nothing.
    """

    id: str
    order: str
    operation: str
    at: datetime
    good: int = 0
    scrap: int = 0
    state: JobState = JobState.RUNNING
    equipment: str = ""
    person: str = ""
    labour_seconds: float = 0.0
    rework: int = 0  # pieces worked on once more: neither good nor scrap
    stated: bool = True  # False: a count alone; the MES said nothing of the state
    corrects: str = ""  # the report that this one takes something back of; its quantities may be negative


@dataclass(frozen=True, slots=True)
class Posting:
    """A fact of the shop floor that the ERP's books take: finished goods into stock, material out of it, a
    quality result, hours, scrap. `id` is the MES's own, unique within the kind.

    `quantity` is in `unit`; of a quality result `check` names what was looked at, `value` is its number as
    text in `unit` and `passed` None when nobody has judged. Fields that a kind has no use for are empty.
    """

    id: str
    kind: PostingKind
    order: str
    operation: str
    at: datetime
    item: str = ""
    quantity: float = 0.0
    unit: str = ""
    lot: str = ""
    warehouse: str = ""
    reason: str = ""
    check: str = ""
    passed: bool | None = None
    value: str = ""
    sample_size: int = 0
    labour_seconds: float = 0.0
    machine_seconds: float = 0.0
    equipment: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What the office has changed about an order that the floor works on, until somebody there confirms.

    `changed`: field -> (before, after), as JSON can hold them.
    """

    order: str
    changed: Mapping[str, tuple[Any, Any]]
    at: datetime
    confirmed_at: datetime | None = None
    confirmed_by: str = ""
    escalated_at: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class JobProgress:
    """What the reports of one operation add up to."""

    job: JobOrder
    good: int
    scrap: int
    state: JobState
    started_at: datetime | None
    last_at: datetime | None
    rework: int = 0
