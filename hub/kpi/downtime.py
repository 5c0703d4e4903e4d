"""How long a machine stood because of what a ticket is for, counted as OEE counts its losses (pure).

A ticket says that the machine stands from its stop until the machine itself has said that it runs again.
Within that span nobody had planned maintenance, nobody has switched it off for want of work, and a power that
was cut for the repair is no missing knowledge: all planned time without running is lost. Outside the shifts
and in their breaks nothing is planned, so nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from hub.kpi.calendar import Interval, common
from hub.kpi.oee import machine_sums
from hub.kpi.pieces import Pieces
from hub.model.equipment import StateSpan
from hub.model.ticket import MaintenanceTicket, TicketState

Standstill = tuple[datetime, datetime | None]  # the end is None while it lasts


def standstill(ticket: MaintenanceTicket) -> Standstill | None:
    """From the stop to the machine's word that it runs, else to the closing; None for a false alarm."""
    if ticket.state is TicketState.FALSE_ALARM:
        return None
    return ticket.stopped_at, ticket.reset_at or ticket.closed_at


def lost(
    spans: Iterable[StateSpan], planned: Sequence[Interval], start: datetime, end: datetime
) -> timedelta:
    """The sum of the time losses that OEE shows for [start, end) of one machine with a ticket."""
    if start >= end:
        return timedelta()
    span = [(start, end)]
    sums = machine_sums(spans, Pieces(), common(planned, span), None, until=end, maintenance=(), repairs=span)
    return sums.pbt - sums.apt
