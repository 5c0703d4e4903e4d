"""The life of a maintenance ticket, and the machine's own proof that it is repaired. Pure.

NEW -> SENT -> ACCEPTED -> ON_SITE -> REPAIRING -> VERIFYING -> CLOSED. A ticket closes when the machine has
said that it runs again and has made the good pieces that were asked for; a technician's word alone does not
close it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hub.errors import Conflict, Refused
from hub.model.equipment import Count, EquipmentState, StateSpan
from hub.model.people import Person
from hub.model.ticket import MaintenanceTicket, TicketState

T = TicketState
DISPROOF = (EquipmentState.FAULT, EquipmentState.UNKNOWN, EquipmentState.MAINTENANCE)
CAUSES = ("mechanical", "electrical", "tooling", "material", "operation", "other")
_RANK = {
    T.NEW: 0,
    T.SENT: 1,
    T.REOPENED: 1,
    T.ACCEPTED: 2,
    T.ON_SITE: 3,
    T.WAIT_PARTS: 3,
    T.REPAIRING: 4,
    T.VERIFYING: 5,
}


def accepted(ticket: MaintenanceTicket, by: Person, at: datetime) -> MaintenanceTicket:
    """接单. The first one wins; the same person again changes nothing; another one is told who has it."""
    _must_be_open(ticket)
    if ticket.technician and ticket.technician != by.id:
        raise Conflict("ticket-taken", ticket.technician)
    if _RANK[ticket.state] >= _RANK[T.ACCEPTED]:
        return ticket
    return replace(ticket, state=T.ACCEPTED, technician=by.id, accepted_at=at)


def arrived(ticket: MaintenanceTicket, by: Person, at: datetime) -> MaintenanceTicket:
    """到场. Who arrives without having accepted has accepted by arriving."""
    taken = accepted(ticket, by, at)
    if _RANK[taken.state] >= _RANK[T.ON_SITE]:
        return taken
    return replace(taken, state=T.ON_SITE, arrived_at=at)


def begun(ticket: MaintenanceTicket, by: Person, at: datetime) -> MaintenanceTicket:
    """开始维修. Once it has been said, or is over, it changes nothing."""
    there = arrived(ticket, by, at)
    if _RANK[there.state] >= _RANK[T.REPAIRING]:
        return there
    return replace(there, state=T.REPAIRING)


def repaired(
    ticket: MaintenanceTicket, by: Person, cause_class: str, cause: str, photo: str, at: datetime
) -> MaintenanceTicket:
    """修复, with the cause: from now on the machine has to prove it."""
    if cause_class not in CAUSES:
        raise Refused("cause-missing", f"cause_class: choose one of {', '.join(CAUSES)}")
    there = arrived(ticket, by, at)
    if there.state is T.VERIFYING:
        return there
    return replace(
        there, state=T.VERIFYING, repaired_at=at, cause_class=cause_class, cause=cause, photo=photo,
        reset_at=None, good_cycles=0,
    )  # fmt: skip


def steps(before: TicketState, after: TicketState) -> list[TicketState]:
    """What the history has to tell between two states, `after` last: who arrives has accepted, and who has
    repaired has begun. That it is in the ERP is the ERP's own word and follows from nothing."""
    implied = (s for s in (T.ACCEPTED, T.ON_SITE, T.REPAIRING) if after in _RANK)
    return [*(s for s in implied if _RANK[before] < _RANK[s] < _RANK[after]), after]


def relapsed(ticket: MaintenanceTicket) -> MaintenanceTicket:
    """The alarm came back while the repair was being verified: back to work, nothing counted."""
    if ticket.state is not T.VERIFYING:
        return ticket
    return replace(ticket, state=T.REPAIRING, repaired_at=None, reset_at=None, good_cycles=0)


def verified(
    ticket: MaintenanceTicket,
    spans: Sequence[StateSpan],
    counts: Sequence[Count],
    condition: bool,
    at: datetime,
    calm_since: datetime | None = None,
) -> MaintenanceTicket:
    """What the machine's signals prove of a ticket in VERIFYING: reset seen, good pieces since, closed.

    `spans` and `counts` are the machine's since the technician arrived. The reset is the first running after
    the last fault: a new fault, an unknown time or the alarm's condition begin the proof anew; waiting for
    material or a change of tools only interrupts it. What was made while the alarm still held
    (before `calm_since`) proves nothing.
    """
    if ticket.state is not T.VERIFYING:
        return ticket
    arrived = ticket.arrived_at or ticket.opened_at
    reset_at = None if condition else _reset(spans, max(arrived, calm_since or arrived))
    if reset_at is None:
        return replace(ticket, reset_at=None, good_cycles=0) if ticket.reset_at else ticket
    good = sum(c.delta for c in counts if c.good and c.at > reset_at)
    seen = replace(ticket, reset_at=reset_at, good_cycles=good)
    if good < ticket.cycles_needed:
        return seen
    return replace(seen, state=T.CLOSED, closed_at=at)


def _reset(spans: Sequence[StateSpan], arrived: datetime) -> datetime | None:
    """Since when the machine has been able to run, by its own word."""
    reset_at = None
    for span in sorted(spans, key=lambda s: s.since):
        if span.state in DISPROOF:
            reset_at = None
        elif span.state is EquipmentState.EXECUTING and reset_at is None:
            reset_at = max(span.since, arrived)
    return reset_at


def closed(ticket: MaintenanceTicket, at: datetime) -> MaintenanceTicket:
    """By hand, or in the ERP: no proof asked."""
    if not ticket.is_open:
        return ticket
    return replace(ticket, state=T.CLOSED, closed_at=at)


def sent(ticket: MaintenanceTicket, erp_id: str, erp_number: str) -> MaintenanceTicket:
    """The ERP knows it. A technician may have been quicker: then only the numbers are kept."""
    state = T.SENT if ticket.state is T.NEW else ticket.state
    return replace(ticket, state=state, erp_id=erp_id, erp_number=erp_number)


def _must_be_open(ticket: MaintenanceTicket) -> None:
    if not ticket.is_open:
        raise Conflict("ticket-closed", ticket.id)
