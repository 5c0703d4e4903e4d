"""Process parameters 工艺参数: tags whose samples belong to the order that the machine was running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.model.words import Words


@dataclass(frozen=True, slots=True)
class ProcessParameter:
    """What a recipe says of it, in the tag's unit. A value below `low` or above `high` lies outside."""

    name: Words
    low: float | None = None
    high: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot of material 物料批次 that goes into an order."""

    item: str
    lot: str


@dataclass(frozen=True, slots=True)
class JobSpan:
    """What a machine ran from `since` until its next span; `order` is "" where nothing is known to run."""

    equipment: str
    since: datetime
    order: str = ""
    operation: str = ""
    lots: tuple[Lot, ...] = ()
    id: int = 0
    until: datetime | None = None  # of one that was read: where the next one begins

    def same_as(self, other: JobSpan | None) -> bool:
        """Whether it runs the same, whenever it began."""
        mine = (self.order, self.operation, self.lots)
        return mine == ((other.order, other.operation, other.lots) if other else ("", "", ()))


@dataclass(frozen=True, slots=True)
class ParameterLimits:
    """Which samples of a tag lie outside; None: no limit on that side."""

    tag: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ParameterFigures:
    """Of one parameter during one operation on one machine. `mean` and the rest are None where no usable
    value (good or uncertain, and a number) was stored; `bad` counts samples without one."""

    operation: str
    equipment: str
    tag: int
    samples: int
    bad: int
    outside: int
    low: float | None
    mean: float | None
    high: float | None
    deviation: float | None
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class BoundSample:
    """One sample with what it was bound to when it was stored."""

    at: datetime
    tag: int
    value: float | None
    status: int
    equipment: str
    order: str
    operation: str
    lots: Sequence[Lot]
