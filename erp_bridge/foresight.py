"""What a rush would do, as people are shown it, and whether what they saw is still so (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from erp_bridge.rush import Move, Preview
from hub.model.production import JobProgress, JobState, WorkOrder, WorkOrderState
from hub.model.rush import Foresight, Slip, Terms

MINUTE = timedelta(minutes=1)
NEAR = 5  # minutes by which sums may have drifted while somebody read them ...
NEARLY = 0.1  # ... or this share of them: production goes on meanwhile

Sellers = Callable[[WorkOrder], tuple[str, ...]]


def foresight(
    preview: Preview,
    orders: Sequence[WorkOrder],
    progress: Iterable[JobProgress],
    sellers: Sellers,
    now: datetime,
) -> Foresight:
    done = {(p.job.order, p.job.operation) for p in progress if p.state is JobState.DONE}
    known = {o.number: o for o in orders}

    def slip(move: Move) -> Slip:
        return _slip(known[move.order.number], move, done, sellers)

    winner, losers = slip(preview.winner), tuple(map(slip, preview.losers))
    after = preview.winner.order
    return Foresight(
        _digest(known, after, winner, losers, done),
        now,
        Terms(after.priority, after.rush, after.due_at),
        winner,
        losers,
        tuple(map(slip, preview.others)),
    )


def _slip(order: WorkOrder, move: Move, done: set[tuple[str, str]], sellers: Sellers) -> Slip:
    lines = dict.fromkeys(j.work_center for j in order.jobs if (j.order, j.operation) not in done)
    return Slip(
        order.number, order.product_name, order.customer, sellers(order), move.order.due_at,
        move.before, move.after, minutes(move.by), minutes(move.late_before), minutes(move.late_after),
        tuple(lines),
    )  # fmt: skip


def minutes(span: timedelta | None) -> int | None:
    """Whole minutes, the nearest; what is late by less than one is late by one."""
    if span is None:
        return None
    return max(1, round(span / MINUTE)) if span > timedelta() else round(span / MINUTE)


# ------------------------------------------------------------------ is it still so?
def _digest(
    known: dict[str, WorkOrder], after: WorkOrder, winner: Slip, losers: Sequence[Slip],
    done: set[tuple[str, str]],
) -> str:  # fmt: skip
    """Who loses, who becomes late, and what decides about turns, as a hash; gain and loss, which drift with
    every piece that is made, as numbers beside it."""
    ahead = sorted(o.number for o in known.values() if o.rush and _at_work(o, done))
    concerned = sorted([winner.order, *ahead, *(s.order for s in losers)])
    said: dict[str, Any] = {
        "rush": [after.number, after.priority, after.due_at.isoformat()],
        "turns": [[n, known[n].rush, known[n].priority, known[n].due_at.isoformat()] for n in concerned],
        "losers": sorted([s.order, s.becomes_late] for s in losers),
    }
    mark = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:20]
    return f"{mark}.{-(winner.minutes or 0)}.{sum(s.minutes or 0 for s in losers)}"


def _at_work(order: WorkOrder, done: set[tuple[str, str]]) -> bool:
    left = any((j.order, j.operation) not in done for j in order.jobs)
    return left and order.state is WorkOrderState.RELEASED


def still_so(seen: str, fresh: str) -> bool:
    """Whether what somebody saw, and what is so now, are the same thing to decide on."""
    before, now = seen.split("."), fresh.split(".")
    if len(before) != 3 or before[0] != now[0]:
        return False
    try:
        pairs = [(int(a), int(b)) for a, b in zip(before[1:], now[1:], strict=True)]
    except ValueError:
        return False
    return all(abs(a - b) <= max(NEAR, NEARLY * abs(b)) for a, b in pairs)
