"""Orders and their operations, in ISA-95 part 4's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class JobProgress:
    """What the reports of one operation add up to."""

    job: JobOrder
    good: int
    scrap: int
    state: JobState
    started_at: datetime | None
    last_at: datetime | None
