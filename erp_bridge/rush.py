"""What a rush order displaces, before anybody taps (pure).

The same arithmetic that the wall's predictions use is done twice, with and without the rush; whatever differs
is what the tap would do. Nothing is estimated a second way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.errors import Conflict, NotFound
from hub.kpi.calendar import PlantCalendar
from hub.kpi.progress import Outlook, finishes
from hub.model.production import JobProgress, WorkOrder, WorkOrderState

FIRST = 1  # the most urgent priority
NOTICEABLE = timedelta(minutes=1)  # nobody is told of less
BEYOND = timedelta(days=36500)  # how far away the end is that no prediction reaches: it is sorted first


@dataclass(frozen=True, slots=True)
class Move:
    """One order whose end the rush moves. `by` is positive when it ends later."""

    order: WorkOrder
    before: datetime | None  # None: nobody can say, or farther away than predictions reach
    after: datetime | None
    by: timedelta | None
    late_before: timedelta | None
    late_after: timedelta | None

    @property
    def becomes_late(self) -> bool:
        return self.late_before is None and self.late_after is not None


@dataclass(frozen=True, slots=True)
class Preview:
    """`winner` is the rush order itself; `losers` end later, the most delayed first; `others` end sooner."""

    winner: Move
    losers: tuple[Move, ...]
    others: tuple[Move, ...]

    @property
    def newly_late(self) -> tuple[Move, ...]:
        return tuple(m for m in self.losers if m.becomes_late)


def preview(
    number: str,
    orders: Sequence[WorkOrder],
    progress: Iterable[JobProgress],
    plant: PlantCalendar,
    targets: Mapping[str, int],
    now: datetime,
    due_at: datetime | None = None,
) -> Preview:
    """What making `number` a rush order (due at `due_at`, when its date is to change) would do.

    Raises NotFound, or Conflict when it is not worked on or is a rush order already with this date.
    """
    told = list(progress)
    active = [o for o in orders if o.state is WorkOrderState.RELEASED]
    known = next((o for o in orders if o.number == number), None)
    if known is None:
        raise NotFound("order", f"there is no order {number}")
    rushed = made_rush(known, due_at)
    if known not in active:
        raise Conflict(
            "order-state", f"order {number} is {known.state.value}; only a released one can be rushed"
        )
    if rushed == known:
        raise Conflict("rush", f"order {number} is a rush order already")
    before = finishes(active, told, plant, targets, now)
    after = finishes([rushed if o is known else o for o in active], told, plant, targets, now)
    if number not in before:
        raise Conflict("order-state", f"every operation of order {number} is done")
    moves = [
        _move(rushed if o is known else o, before[o.number], after[o.number])
        for o in active
        if o.number in before
    ]
    rest = [m for m in moves if m.order.number != number]
    return Preview(
        next(m for m in moves if m.order.number == number),
        tuple(sorted(filter(_loses, rest), key=_worst_first)),
        tuple(m for m in rest if m.by is not None and m.by <= -NOTICEABLE),
    )


def made_rush(order: WorkOrder, due_at: datetime | None) -> WorkOrder:
    return replace(order, rush=True, priority=FIRST, due_at=due_at or order.due_at)


def _move(order: WorkOrder, before: Outlook, after: Outlook) -> Move:
    by = after.finish - before.finish if after.finish and before.finish else None
    return Move(order, before.finish, after.finish, by, before.late_by, after.late_by)


def _loses(move: Move) -> bool:
    """Pushed beyond what predictions reach is a loss as well."""
    if move.by is None:
        return move.before is not None and move.after is None
    return move.by >= NOTICEABLE


def _worst_first(move: Move) -> tuple[bool, timedelta, str]:
    return not move.becomes_late, -(move.by or BEYOND), move.order.number
