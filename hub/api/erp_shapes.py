"""(pure) The ERP bridge as people read it: its health, a letter, an exchange, how a ticket stands there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.model.exchange import Exchange, Letter, Outcome, Pile
from hub.model.left_out import Omission
from hub.model.mapping import Targets
from hub.model.refusals import field_in, refusal
from hub.model.ticket import MaintenanceTicket

Json = dict[str, Any]

BRIDGE = "erp bridge"  # the part's name
NEWEST = 20  # unreadable records that are named
ARRIVED = frozenset({Outcome.DONE, Outcome.ADOPTED, Outcome.TAKEN})


def health(parts: Iterable[Mapping[str, Any]], piles: Sequence[Pile], now: datetime) -> Json:
    """`up`: the part runs and the ERP answered the last call. What nobody has told yet is left out."""
    part = _bridge(parts)
    told = dict(part.get("detail") or {})
    oldest = [p.oldest_at for p in piles if p.oldest_at is not None]
    found = {
        "running": bool(part.get("up")),
        "up": bool(part.get("up") and told.get("up") and not told.get("away")),
        "waiting": {p.kind: p.waiting for p in piles if p.waiting},
        "oldest_at": {p.kind: p.oldest_at for p in piles if p.oldest_at},
        "oldest_seconds": max(0.0, round((now - min(oldest)).total_seconds(), 1)) if oldest else 0.0,
        "dead": sum(p.dead for p in piles),
        "held": sum(p.held for p in piles),
    }
    for name in ("last_ok", "orders_at", "tickets_at", "in_hand", "done", "put_back", "given_up"):
        if told.get(name) is not None:
            found[name] = told[name]
    trouble = told.get("last_error") or part.get("last_error")
    return found | ({"last_error": trouble} if trouble else {})


def left_out(unread: Sequence[Omission]) -> Json:
    """How many records of the ERP cannot be read, by the map that should read them, and the newest of them;
    `unread` the newest first."""
    return {
        "count": len(unread),
        "since": min(o.since for o in unread),
        "documents": Counter(o.document for o in unread),
        "newest": [
            {"document": o.document, "record": o.record, "reason": o.reason, "since": o.since}
            for o in unread[:NEWEST]
        ],
    }


def _bridge(parts: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of several processes, the one that does it."""
    found = [p for p in parts if p.get("name") == BRIDGE]
    return max(found, key=lambda p: (bool(p.get("up")), "last_ok" in (p.get("detail") or {})), default={})


def ticket(it: MaintenanceTicket, letters: Sequence[Letter], exchanges: Sequence[Exchange]) -> Json:
    """`letters` are those about it that are not done, the oldest first; `exchanges` the newest first.

    `refused`: something about it was given up, with the ERP's words; `waiting`: something is under way, since
    when; `sent`: the ERP has all of it; `none`: the ERP does not know it.
    """
    arrived = next((e for e in exchanges if e.outcome in ARRIVED), None)
    found: Json = {"number": it.erp_number, "state": "sent" if it.erp_id or arrived else "none"}
    if arrived is not None:
        found |= {"at": arrived.at, "subject": arrived.subject}
    dead = next((x for x in letters if x.state == "dead"), None)
    first = dead or next(iter(letters), None)
    if first is None:
        return found
    found |= {"state": "refused" if dead else "waiting", "subject": first.kind, "letters": len(letters)}
    found["since"] = dead.finished_at or dead.written_at if dead else first.written_at
    if dead is not None:
        found["headline"] = refusal(dead.reason).headline.as_dict()
    return found | ({"reason": first.reason} if first.reason else {})


def exchange(one: Exchange) -> Json:
    return {
        "id": one.id,
        "at": one.at,
        "direction": one.direction.value,
        "subject": one.subject,
        "document": one.document,
        "erp_number": one.erp_number,
        "outcome": one.outcome.value,
        "seconds": one.seconds,
        "before": one.before,
        "after": one.after,
        "reason": one.reason,
    }


def letters(found: Sequence[Letter], behind: Sequence[Letter], targets: Sequence[Targets] = ()) -> list[Json]:
    """Each with what is held behind it, in the order in which it goes."""
    return [
        letter(one, targets) | {"behind": [letter(x) for x in behind if x.held_by == one.id]} for one in found
    ]


def letter(one: Letter, targets: Sequence[Targets] = ()) -> Json:
    """A refusal with a headline above the ERP's own words, and with what of the field maps it is about."""
    return {
        "id": one.id,
        "kind": one.kind,
        "key": one.key,
        "state": one.state,
        "attempts": one.attempts,
        "reason": one.reason,
        "written_at": one.written_at,
        "due_at": one.due_at,
        "finished_at": one.finished_at,
        "about": _about(one),
        "payload": one.payload,
        "held": bool(one.held_by),
    } | (_refused(one, targets) if one.state == "dead" else {})


def _refused(one: Letter, targets: Sequence[Targets]) -> Json:
    found = refusal(one.reason)
    document, field = found.document, found.field
    if not document and not field:
        document, field = _written(one, targets)
    return {
        "cause": found.cause.value,
        "headline": found.headline.as_dict(),
        "mapping": {"document": document, "about": _mapped(one), "field": field},
    }


def _written(one: Letter, targets: Sequence[Targets]) -> tuple[str, str]:
    """The field that its map writes and the ERP's words name, without saying that it is one."""
    for meaning in _mapped(one):
        for target in targets:
            if meaning in (target.document, target.meaning) and (n := field_in(one.reason, target.fields)):
                return target.document, target.fields[n]
    return "", ""


def _mapped(one: Letter) -> list[str]:
    """Documents whose field map made it, by what they mean; the likelier first."""
    if one.kind == "post":
        return [str(one.payload.get("kind") or "")]
    return _MAPPED.get(one.kind, [])


_MAPPED = {
    "open-ticket": ["ticket"],
    "update-ticket": ["step", "ticket"],
    "close-ticket": ["closing", "ticket"],
    "report-operation": ["report"],
    "change-order": ["order_change", "order"],
}


def _about(one: Letter) -> str:
    """The document a person would look for: a ticket, an order, a report."""
    told = one.payload
    for name in ("ticket", "order", "posting", "response"):
        if told.get(name):
            return str(told[name])
    return re.sub(r"^[a-z-]+:", "", one.key)
