"""(pure) Previews and rushes as JSON, as docs/api.md writes them. What is not known is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from hub.api.errors import words_of
from hub.api.shapes import Json, who
from hub.errors import Conflict
from hub.model.production import WorkOrder
from hub.model.rush import Foresight, Slip, Standing, Terms, Told
from hub.ports import Plant

Sees = Callable[[str], bool]


def order(it: WorkOrder) -> Json:
    return _known(
        number=it.number,
        product_name=it.product_name.as_dict(),
        quantity=it.quantity,
        customer=it.customer or None,
        due_at=it.due_at,
        priority=it.priority,
        rush=it.rush,
    )


def preview(it: Foresight, plant: Plant, sees: Sees) -> Json:
    """`elsewhere`: losers outside the caller's part of the plant, of whom only the sums are told."""
    mine = [s for s in it.losers if any(map(sees, s.lines))]
    hidden = [s for s in it.losers if s not in mine]
    return _known(
        digest=it.digest,
        at=it.at,
        terms=terms(it.terms),
        winner=slip(it.winner, plant),
        losers=[slip(s, plant) for s in mine],
        others=[slip(s, plant) for s in it.others if any(map(sees, s.lines))],
        newly_late=it.newly_late,
        elsewhere=_sums(hidden) if hidden else None,
    )


def _sums(slips: Iterable[Slip]) -> Json:
    many = list(slips)
    return {
        "count": len(many),
        "newly_late": sum(s.becomes_late for s in many),
        "minutes": max((s.minutes or 0 for s in many), default=0),
    }


def slip(it: Slip, plant: Plant) -> Json:
    """`from` and `to`: predicted ends; `minutes` positive when it ends later."""
    return _known(
        order=it.order,
        product_name=it.product.as_dict(),
        customer=it.customer or None,
        sellers=[who(person, plant) for person in it.sellers],
        due_at=it.due_at,
        **{"from": it.before, "to": it.after},
        minutes=it.minutes,
        late_before=it.late_before,
        late_after=it.late_after,
        becomes_late=it.becomes_late,
    )


def terms(it: Terms) -> Json:
    return {"priority": it.priority, "rush": it.rush, "due_at": it.due_at}


def standing(it: Standing, plant: Plant, now: datetime) -> Json:
    rush = it.rush
    return _known(
        id=rush.id,
        order=rush.order,
        state=it.state,
        by=who(rush.by, plant),
        at=rush.at,
        reason=rush.reason or None,
        before=terms(rush.before),
        after=terms(rush.after),
        undo_until=rush.until if _can_undo(it, now) else None,
        undone_at=rush.undone_at,
        undone_by=who(rush.undone_by, plant),
        gain=rush.foreseen.get("gain"),
        losers=[_loser(kept, plant) for kept in rush.foreseen.get("losers", ())],
        erp=_known(state=it.erp.value, at=it.erp_at, reason=it.erp_reason or None),
        told=[told(each, plant) for each in it.told],
        seen=[{"event": s.event, "person": who(s.person, plant), "at": s.at} for s in it.seen],
    )


def _can_undo(it: Standing, now: datetime) -> bool:
    return it.holds and now < it.rush.until


def _loser(kept: Json, plant: Plant) -> Json:
    shown = {k: v for k, v in kept.items() if k not in ("lines", "sellers", "after") and v is not None}
    sellers = [who(person, plant) for person in kept.get("sellers", ())]
    return shown | _known(sellers=sellers, to=kept.get("after"))


def told(it: Told, plant: Plant) -> Json:
    """One receipt. `state`: waiting, done or failed; `at`: when the carrier took it or it was given up."""
    states = {"done": "done", "dead": "failed"}
    return _known(
        event=it.event,
        audience=it.audience,
        people=[who(person, plant) for person in it.people],
        notifier=it.fate.notifier,
        state=states.get(it.fate.state, "waiting"),
        at=it.fate.at,
        reason=it.fate.reason or None,
    )


def why_not(no: Conflict, plant: Plant) -> Json:
    return {"code": no.code, "text": words_of(no, plant.people).as_dict()}


def _known(**members: object) -> Json:
    return {k: v for k, v in members.items() if v is not None}
