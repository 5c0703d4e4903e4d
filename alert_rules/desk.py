"""What people, and the ERP, may do to alarms and tickets: each wish is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from alert_rules import orphans, ticketing
from alert_rules.casebook import Casebook
from alert_rules.lifecycle import Acked, Event, Reset, ServiceTaken, Shelved, Unshelved
from alert_rules.rule import Rule, Told
from alert_rules.wishes import objection
from hub.errors import Conflict, NotAllowed, NotFound, Refused
from hub.failpoint import failpoint
from hub.model.alarm import Alarm, AlarmState
from hub.model.people import Person, Role
from hub.model.ticket import MaintenanceTicket
from hub.ports import Tx, Watched

Step = Callable[[MaintenanceTicket], MaintenanceTicket]
LONGEST_SHELF = timedelta(hours=24)


class AlarmDesk:
    """The Desk of hub.ports."""

    def __init__(self, casebook: Casebook) -> None:
        self._book = casebook

    # ---------------------------------------------------------------- alarms
    async def acknowledge(self, alarm_id: int, by: Person, note: str = "") -> Alarm:
        """Seen, not solved. A second acknowledgement changes nothing and answers with who was first."""
        return await self._alarm(alarm_id, by, Acked(self._book.clock.now(), by.id, note), note)

    async def shelve(self, alarm_id: int, by: Person, until: datetime, reason: str) -> Alarm:
        now = self._book.clock.now()
        _asked_why(reason)
        if not now < until <= now + LONGEST_SHELF:
            raise Refused("shelve-until", "until: a time within the next 24 hours")
        return await self._alarm(alarm_id, by, Shelved(now, by.id, until, reason), reason)

    async def unshelve(self, alarm_id: int, by: Person) -> Alarm:
        return await self._alarm(alarm_id, by, Unshelved(self._book.clock.now(), by.id))

    async def out_of_service(self, alarm_id: int, by: Person, reason: str) -> Alarm:
        _asked_why(reason)
        return await self._alarm(
            alarm_id, by, ServiceTaken(self._book.clock.now(), by.id, True, reason), reason
        )

    async def return_to_service(self, alarm_id: int, by: Person) -> Alarm:
        return await self._alarm(alarm_id, by, ServiceTaken(self._book.clock.now(), by.id, False))

    async def reset(self, alarm_id: int, by: Person) -> Alarm:
        return await self._alarm(alarm_id, by, Reset(self._book.clock.now(), by.id))

    async def _alarm(self, alarm_id: int, by: Person, event: Event, note: str = "") -> Alarm:
        async with self._book.ledger.begin() as tx:
            alarm = await self._visible_alarm(tx, alarm_id, by)
            no = objection(alarm, event)
            if no is not None:
                raise no
            changed = await self._book.change(tx, alarm, event, by.id, note)
        if changed is None:
            return alarm
        failpoint("web.after_acknowledge")
        await self._book.told(changed)
        return changed

    async def _visible_alarm(self, tx: Tx, alarm_id: int, by: Person) -> Alarm:
        alarm = await tx.alarm(alarm_id)
        if not by.may_see(alarm.equipment):
            raise NotFound("alarm-not-found", str(alarm_id))
        return alarm

    # ---------------------------------------------------------------- what a comparison of books tells
    async def orphaned(self, kind: str, orders: Mapping[str, datetime]) -> None:
        now = self._book.clock.now()
        for rule in [r for r in self._book.rules.values() if r.condition == Told(kind)]:
            async with self._book.ledger.begin() as tx:
                known = await tx.alarm_for(rule.name, rule.subject)
                alarm = await self._book.condition(tx, rule, orphans.event(known, orders, now))
            await self._book.told(alarm)

    # ---------------------------------------------------------------- a machine's rules
    def watched(self, by: Person) -> list[Watched]:
        return [_watched(r) for r in self._book.rules.values() if by.may_see(r.equipment)]

    async def take_out(
        self, equipment: str, by: Person, reason: str, rule: str = "", subject: str = ""
    ) -> list[Alarm]:
        """One transaction for each rule: a repeat after a failure half-way does what was left."""
        _asked_why(reason)
        changed = []
        for each in self._rules_of(equipment, by, rule, subject):
            async with self._book.ledger.begin() as tx:
                alarm = await self._book.take_out(tx, each, by, reason)
            await self._book.told(alarm)
            changed += [alarm] if alarm is not None else []
        if not changed:
            raise Conflict("alarm-out-of-service", "state: all of it is out of service already")
        return changed

    async def put_back(self, equipment: str, by: Person, rule: str = "", subject: str = "") -> list[Alarm]:
        changed = []
        event = ServiceTaken(self._book.clock.now(), by.id, False)
        for each in self._rules_of(equipment, by, rule, subject):
            async with self._book.ledger.begin() as tx:
                known = await tx.alarm_for(each.name, each.subject)
                alarm = await self._book.change(tx, known, event, by.id) if known else None
            await self._book.told(alarm)
            changed += [alarm] if alarm is not None else []
        if not changed:
            raise Conflict("not-out-of-service", "state: nothing of it is out of service")
        return changed

    def _rules_of(self, equipment: str, by: Person, rule: str, subject: str) -> list[Rule]:
        mine = [r for r in self._book.rules.values() if r.equipment == equipment and by.may_see(equipment)]
        wanted = [r for r in mine if rule in ("", r.name) and subject in ("", r.subject)]
        if not wanted:
            raise NotFound("no-such-rule", f"equipment: no such rule watches {equipment}")
        return wanted

    # ---------------------------------------------------------------- tickets
    async def accept(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket:
        """接单; the alarm behind it counts as acknowledged by the same person, in the same transaction."""
        now = self._book.clock.now()
        return await self._ticket(ticket_id, by, device_time, lambda t: ticketing.accepted(t, by, now))

    async def arrive(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket:
        now = self._book.clock.now()
        return await self._ticket(ticket_id, by, device_time, lambda t: ticketing.arrived(t, by, now))

    async def begin(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket:
        now = self._book.clock.now()
        return await self._ticket(ticket_id, by, device_time, lambda t: ticketing.begun(t, by, now))

    async def repaired(
        self,
        ticket_id: str,
        by: Person,
        cause_class: str,
        cause: str,
        photo: str,
        device_time: datetime | None,
    ) -> MaintenanceTicket:
        now = self._book.clock.now()
        return await self._ticket(
            ticket_id,
            by,
            device_time,
            lambda t: ticketing.repaired(t, by, cause_class, cause, photo, now),
        )

    async def close(self, ticket_id: str, by: Person, reason: str) -> MaintenanceTicket:
        if not by.roles & {Role.MANAGER, Role.ADMIN}:
            raise NotAllowed("close-by-manager", "only a manager closes without the machine's proof")
        if not reason.strip():
            raise Refused("reason-missing", "reason: say why it is closed without the machine's proof")
        now = self._book.clock.now()
        return await self._ticket(ticket_id, by, None, lambda t: ticketing.closed(t, now), note=reason)

    async def closed_in_erp(self, ticket_id: str) -> MaintenanceTicket:
        now = self._book.clock.now()
        return await self._ticket(ticket_id, None, None, lambda t: ticketing.closed(t, now), channel="erp")

    async def sent_to_erp(self, ticket_id: str, erp_id: str, erp_number: str) -> MaintenanceTicket:
        return await self._ticket(
            ticket_id, None, None, lambda t: ticketing.sent(t, erp_id, erp_number), channel="erp"
        )

    async def _ticket(
        self,
        ticket_id: str,
        by: Person | None,
        device_time: datetime | None,
        step: Step,
        channel: str = "phone",
        note: str = "",
    ) -> MaintenanceTicket:
        alarm = None
        about = (await self._book.ledger.ticket_of(ticket_id)).alarm_id
        async with self._book.ledger.begin() as tx:
            await tx.alarm(about)  # locked before the ticket, as the rules do: nobody waits in a circle
            ticket = await tx.ticket(ticket_id)
            if by is not None and not by.may_see(ticket.equipment):
                raise NotFound("ticket-not-found", ticket_id)
            then = step(ticket)
            if then is ticket:
                return ticket
            await self._book.save_ticket(tx, ticket, then, by, channel, device_time, note)
            if by is not None:
                alarm = await self._acknowledge_with(tx, ticket, by)
        await self._book.told(alarm)
        await self._book.told_ticket(then)
        return then

    async def _acknowledge_with(self, tx: Tx, ticket: MaintenanceTicket, by: Person) -> Alarm | None:
        alarm = await tx.alarm(ticket.alarm_id)
        if alarm.state not in (AlarmState.UNACKED, AlarmState.RTN_UNACKED):
            return None
        return await self._book.change(tx, alarm, Acked(self._book.clock.now(), by.id, ticket.id), by.id)


def _asked_why(reason: str) -> None:
    if not reason.strip():
        raise Refused("reason-missing", "reason: say why the alarm is put aside")


def _watched(rule: Rule) -> Watched:
    why = tuple(s.why for s in rule.suppressors)
    return Watched(
        rule.name,
        rule.subject,
        rule.equipment,
        rule.title,
        rule.priority,
        rule.latched,
        rule.realarm_after,
        why,
    )
