"""Writing an alarm's or a ticket's change with all that follows from it, inside one transaction.

The evaluator's runner and the desk both write through here, so that a change by telemetry and a change by a
person have the same history lines, the same messages and the same ERP documents.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from alert_rules import telling, ticketing
from alert_rules.lifecycle import (
    ASIDE,
    Acked,
    Event,
    Raised,
    Reannunciated,
    ServiceTaken,
    Sight,
    Suppressed,
    after,
)
from alert_rules.rule import Rule
from hub.errors import Conflict
from hub.kpi.calendar import on_duty, planned_time, shift_at
from hub.kpi.downtime import lost, standstill
from hub.model.alarm import Alarm, AlarmLine, AlarmState
from hub.model.people import Person
from hub.model.ticket import MaintenanceTicket, TicketLine, TicketState
from hub.model.words import Words
from hub.ports import Clock, Ledger, Plant, Tx

Shout = Callable[[dict[str, Any]], Awaitable[None]]


class Casebook:
    """`rules` by (name, subject); `link` is the address of the phone page, for messages."""

    def __init__(
        self, plant: Plant, rules: Mapping[tuple[str, str], Rule], ledger: Ledger, clock: Clock, shout: Shout,
        link: str,
    ) -> None:  # fmt: skip
        self.plant = plant
        self.rules = rules
        self.ledger = ledger
        self.clock = clock
        self.shout = shout
        self._link = link

    # ---------------------------------------------------------------- alarms
    async def condition(
        self, tx: Tx, rule: Rule, event: Event, suppressed: Words | None = None
    ) -> Alarm | None:
        """An event of the evaluator; the alarm as it now stands, None when nothing changed.

        `suppressed`: why the rule keeps quiet. An alarm that is normal is not written down as suppressed; it
        is so from the moment in which it would have been raised.
        """
        known = await tx.alarm_for(rule.name, rule.subject)
        raised = isinstance(event, Raised) and not _old_news(known, event)
        if not raised and (known is None or not known.is_open):
            return None
        quiet = None
        if suppressed is not None and isinstance(event, Raised):
            quiet = await self._on(tx, rule, known, Suppressed(self.clock.now(), True, suppressed))
        return await self._on(tx, rule, quiet or known, event) or quiet

    async def take_out(self, tx: Tx, rule: Rule, by: Person, reason: str) -> Alarm | None:
        """Out of service, also when no alarm is open: then this opens one that has never been raised."""
        event = ServiceTaken(self.clock.now(), by.id, True, reason)
        known = await tx.alarm_for(rule.name, rule.subject)
        return await self._on(tx, rule, known, event, by.id, reason)

    async def _on(
        self, tx: Tx, rule: Rule, known: Alarm | None, event: Event, by: str = "", note: str = ""
    ) -> Alarm | None:
        """The event on the open alarm, else on a new one. Rules and people may both be about to open one."""
        if known is not None and known.is_open:
            return await self.change(tx, known, event, by, note)
        try:
            return await self.change(tx, self._fresh(rule, known), event, by, note)
        except Conflict:
            opened = await tx.alarm_for(rule.name, rule.subject)
            if opened is None or not opened.is_open:
                raise
            return await self.change(tx, opened, event, by, note)

    def _fresh(self, rule: Rule, last: Alarm | None) -> Alarm:
        now = self.clock.now()
        owner = on_duty(self.plant, rule.equipment, now)
        return Alarm(
            rule.name, rule.subject, rule.equipment, rule.priority, rule.title,
            limit=rule.limit, unit=rule.tag.unit if rule.tag and rule.comparison else "",
            condition_at=last.condition_at if last else None, rule_version=rule.version, opened_at=now,
            latched=rule.latched, owner=owner.id if owner else "",
        )  # fmt: skip

    async def change(self, tx: Tx, before: Alarm, event: Event, by: str = "", note: str = "") -> Alarm | None:
        """Apply the event; when it changes something: alarm, history line, ticket and messages together."""
        then = after(before, event)
        if then is before:
            return None
        at = self.clock.now()
        then = await tx.save_alarm(self._attended(before, then, event, at))
        await tx.add_alarm_line(
            AlarmLine(
                then.id,
                at,
                _word(event),
                before.state,
                then.state,
                by,
                note,
                getattr(event, "at", None),
                getattr(event, "value", None),
            )
        )
        rule = self.rules.get((then.rule, then.subject))
        if rule is not None:
            await self._consequences(tx, rule, before, then)
        return then

    def _attended(self, before: Alarm, then: Alarm, event: Event, at: datetime) -> Alarm:
        """With who answers for it: who acknowledged it, in the shift in which they did; else who is on duty
        when it begins to sound. And an episode begins with its first raising, not with being put aside."""
        if isinstance(event, Acked) and event.by:
            return replace(then, owner=event.by)
        if then.count == 1 and before.count == 0:
            then = replace(then, opened_at=at)
        if then.annunciated and not before.annunciated and before.is_open:
            then = replace(then, owner=self._answerable(before, at))
        return then

    def _answerable(self, alarm: Alarm, at: datetime) -> str:
        shift = shift_at(self.plant, at)
        if alarm.acked_by and alarm.acked_at and (shift is None or shift.start <= alarm.acked_at):
            return alarm.owner
        person = on_duty(self.plant, alarm.equipment, at)
        return person.id if person else ""

    async def _consequences(self, tx: Tx, rule: Rule, before: Alarm, then: Alarm) -> None:
        ticket = await tx.open_ticket_of(then.equipment)
        risen = then.condition and (not before.condition or before.state in ASIDE)
        if risen and rule.ticket and then.state is AlarmState.UNACKED:
            ticket = await self._ticket(tx, rule, then, ticket)
        number = ticket.id if ticket is not None and ticket.is_open and rule.ticket else ""
        taken = ticket.technician if ticket is not None and number else ""
        owner = self.plant.people.get(taken or then.owner)
        for intent in telling.tells(self.plant, rule, before, then, owner, number, self._link):
            await tx.intend(intent)

    async def _ticket(
        self, tx: Tx, rule: Rule, alarm: Alarm, known: MaintenanceTicket | None
    ) -> MaintenanceTicket:
        now = self.clock.now()
        if known is not None:
            again = ticketing.relapsed(known)
            if again is not known:
                await self.save_ticket(tx, known, again, None, "telemetry", note="relapse")
            return again
        ticket = MaintenanceTicket(
            await tx.next_ticket_id(now), alarm.id, alarm.equipment, TicketState.NEW, now,
            (alarm.raised_at or now) - rule.on_delay,
            cycles_needed=self.plant.equipment[alarm.equipment].verify_cycles,
        )  # fmt: skip
        await tx.save_ticket(ticket)
        await tx.add_ticket_line(TicketLine(ticket.id, now, TicketState.NEW, TicketState.NEW, "", "hub"))
        code = rule.subject.partition("#")[2]
        await tx.intend(telling.open_ticket(self.plant, ticket, alarm, code, ""))
        return ticket

    # ---------------------------------------------------------------- tickets
    async def save_ticket(
        self,
        tx: Tx,
        before: MaintenanceTicket,
        then: MaintenanceTicket,
        by: Person | None,
        channel: str,
        device_time: datetime | None = None,
        note: str = "",
    ) -> None:
        """The ticket, a history line for each step, and what the ERP has to learn."""
        now = self.clock.now()
        if then.state is TicketState.CLOSED and then.downtime_seconds is None:
            then = replace(then, downtime_seconds=await self._downtime(tx, then, now))
        await tx.save_ticket(then)
        if then.erp_number != before.erp_number:
            note = note or then.erp_number  # the technician may have been quicker: then the state stays
        elif then.state is before.state:
            return
        was = before.state
        for step in ticketing.steps(before.state, then.state):
            said = note if step is then.state else ""
            line = TicketLine(then.id, now, was, step, by.id if by else "", channel, device_time, said)
            await tx.add_ticket_line(line)
            was = step
        if channel == "erp":
            return
        if then.state is TicketState.CLOSED:
            technician = self.plant.people.get(then.technician)
            stopped = then.downtime_seconds or 0.0
            await tx.intend(telling.close_ticket(then, technician, now, stopped, note))
        elif then.state is not TicketState.SENT:
            await tx.intend(telling.update_ticket(then, by, now, note))

    async def _downtime(self, tx: Tx, ticket: MaintenanceTicket, now: datetime) -> float:
        """Seconds that OEE lost from the stop to the reset."""
        found = standstill(ticket)
        if found is None:
            return 0.0
        start, end = found[0], found[1] or now
        spans = [s for s in await tx.states(start, end) if s.equipment == ticket.equipment]
        return lost(spans, planned_time(self.plant, start, end), start, end).total_seconds()

    def hold(self, ticket: MaintenanceTicket, alarms: Iterable[Alarm]) -> bool:
        """Whether one of these alarms says that the machine still needs what the ticket is for."""
        return any(
            a.condition and (a.id == ticket.alarm_id or self._calls(a))
            for a in alarms
            if a.equipment == ticket.equipment
        )

    def _calls(self, alarm: Alarm) -> bool:
        rule = self.rules.get((alarm.rule, alarm.subject))
        return rule is not None and rule.ticket

    # ---------------------------------------------------------------- telling the house
    async def told(self, *alarms: Alarm | None) -> None:
        """After the commit: hints for the screens."""
        for alarm in alarms:
            if alarm is not None:
                await self.shout({"kind": "alarm", "id": alarm.id, "equipment": alarm.equipment})

    async def told_ticket(self, ticket: MaintenanceTicket) -> None:
        await self.shout({"kind": "ticket", "id": ticket.id, "equipment": ticket.equipment})


def _old_news(closed: Alarm | None, event: Raised) -> bool:
    """A raising that the newest closed episode has already seen: a replay after a crash."""
    return (
        closed is not None
        and not closed.is_open
        and closed.condition_at is not None
        and event.at <= closed.condition_at
    )


def _word(event: Event) -> str:
    """As the history says it."""
    match event:
        case Suppressed(on=on):
            return "suppressed" if on else "unsuppressed"
        case ServiceTaken(out=out):
            return "out-of-service" if out else "returned"
        case Sight(blind=blind):
            return "blind" if blind else "seen"
        case Reannunciated(priority=priority):
            return "realarmed" if priority is None else "priority"
        case _:  # raised, cleared, acked, shelved, unshelved, reset, retired
            return type(event).__name__.lower()
