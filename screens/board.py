"""Everything a wall, a phone and the console show, built from facts. (pure)

The shape is docs/api.md's. Numbers of tags are not in here but in `screens.live`: they change a thousand
times as often. What is not known is absent, never null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.kpi.calendar import rostered, shift_at
from hub.kpi.progress import Outlook
from hub.model.alarm import Alarm, AlarmState
from hub.model.equipment import Equipment, EquipmentLevel, EquipmentState, StateSpan
from hub.model.people import ShiftSpan
from hub.model.production import JobProgress, JobState, OrderChange, WorkOrder, WorkOrderState
from hub.model.ticket import MaintenanceTicket
from hub.model.words import Words
from hub.ports import Plant
from screens.figures import as_time
from screens.merge import Json, tidy

ACTIVE = frozenset({AlarmState.UNACKED, AlarmState.ACKED, AlarmState.RTN_UNACKED})
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record says, as last read."""

    alarms: Sequence[Alarm] = ()  # open
    ended: Sequence[Alarm] = ()  # the newest that are not open any more
    tickets: Sequence[MaintenanceTicket] = ()  # open
    states: Mapping[str, StateSpan] = field(default_factory=dict)
    orders: Sequence[WorkOrder] = ()
    progress: Sequence[JobProgress] = ()
    outlooks: Mapping[str, Outlook] = field(default_factory=dict)
    changes: Sequence[OrderChange] = ()  # that the floor has not confirmed
    made: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # machine -> good, scrap this shift
    unexplained: Mapping[str, int] = field(default_factory=dict)  # machine -> stops that need a reason
    lines: Mapping[str, Json] = field(default_factory=dict)  # line -> figures
    health: Mapping[str, Any] = field(default_factory=dict)
    feeds: Mapping[str, frozenset[str]] = field(default_factory=dict)  # source -> machines it speaks for
    tellers: Mapping[str, frozenset[str]] = field(default_factory=dict)  # source -> whose state it tells


@dataclass(frozen=True, slots=True)
class Board:
    """The whole plant's board as JSON, and what `screens.cut` must know beside it."""

    sections: Json
    calm: Mapping[str, datetime]  # equipment -> end of its last alarm
    feeds: Mapping[str, frozenset[str]]
    site: str


def build(plant: Plant, facts: Facts, now: datetime) -> Board:
    span = shift_at(plant, now)
    desk = _People(plant, facts, span)
    sections = tidy(
        plant={
            "path": plant.site.path,
            "name": plant.site.name.as_dict(),
            "time_zone": plant.time_zone,
        },
        areas=_areas(plant),
        machines=_machines(plant, facts),
        lines={path: dict(figures) for path, figures in facts.lines.items()},
        alarms={str(a.id): _alarm(plant, a, desk) for a in facts.alarms},
        tickets={t.id: _ticket(plant, t, desk) for t in facts.tickets},
        orders=_orders(facts),
        shift=_shift(span),
        health=_health(facts),
    )
    return Board(sections, _calm(facts), facts.feeds, plant.site.path)


# ------------------------------------------------------------------ building
class _People:
    """Who answers for what: who took it, else who is on duty."""

    def __init__(self, plant: Plant, facts: Facts, span: ShiftSpan | None) -> None:
        self._plant, self._span = plant, span
        self._by_alarm = {(t.alarm_id, t.equipment): t for t in facts.tickets}
        self._by_machine = {t.equipment: t for t in facts.tickets}
        self._titles = {(a.id, a.equipment): a.title for a in (*facts.ended, *facts.alarms)}

    def ticket_of(self, alarm: Alarm) -> MaintenanceTicket | None:
        return self._by_alarm.get((alarm.id, alarm.equipment)) or self._by_machine.get(alarm.equipment)

    def title(self, ticket: MaintenanceTicket) -> Json | None:
        title = self._titles.get((ticket.alarm_id, ticket.equipment))
        return title.as_dict() if title else None

    def owner(self, alarm: Alarm) -> Json | None:
        ticket = self.ticket_of(alarm)
        named = (ticket.technician if ticket else "") or alarm.owner or alarm.acked_by
        if named or self._span is None:
            return self.person(named)
        on_duty = rostered(self._plant, self._span, alarm.equipment)
        return self.person(on_duty.id) if on_duty else None

    def person(self, person_id: str) -> Json | None:
        if not person_id:
            return None
        known = self._plant.people.get(person_id)
        name = known.name.as_dict() if known else {"zh": person_id, "en": person_id}
        return {"id": person_id, "name": name}


def _areas(plant: Plant) -> list[Json]:
    children: dict[tuple[str, EquipmentLevel], list[Equipment]] = {}
    for node in plant.equipment.values():
        children.setdefault((node.parent, node.level), []).append(node)

    def below(parent: Equipment, level: EquipmentLevel) -> list[Equipment]:
        return children.get((parent.path, level), [])

    return [
        {
            "path": area.path,
            "name": area.name.as_dict(),
            "lines": [
                {
                    "path": line.path,
                    "name": line.name.as_dict(),
                    "machines": [m.path for m in below(line, EquipmentLevel.WORK_UNIT)],
                }
                for line in below(area, EquipmentLevel.WORK_CENTER)
            ],
        }
        for area in below(plant.site, EquipmentLevel.AREA)
    ]


def _machines(plant: Plant, facts: Facts) -> Json:
    worst: dict[str, Alarm] = {}
    for alarm in facts.alarms:
        known = worst.get(alarm.equipment)
        if alarm.state in ACTIVE and (known is None or _weight(alarm) > _weight(known)):
            worst[alarm.equipment] = alarm
    unheard = _unheard(facts)
    return {m.path: _machine(m, facts, worst.get(m.path), unheard.get(m.path)) for m in plant.machines()}


def _unheard(facts: Facts) -> dict[str, StateSpan]:
    """Machines whose state nobody can tell now: its source is lost.

    The record keeps the last state until the signal's limit is over, so that a short break is no hole in the
    figures. People who read that the source is lost are told no state beside it, not even so long.
    """
    sources = facts.health.get("sources", {})
    lost = {name: source for name, source in sources.items() if not source.get("up")}
    heard = {m for name, machines in facts.tellers.items() if name not in lost for m in machines}
    return {
        m: StateSpan(m, EquipmentState.UNKNOWN, source.get("since"))
        for name, source in lost.items()
        for m in facts.tellers.get(name, frozenset()) - heard
    }


def _weight(alarm: Alarm) -> tuple[bool, int]:
    """What is wrong now stands before what is over and only waits to be seen or reset."""
    return alarm.condition, alarm.priority


def _machine(machine: Equipment, facts: Facts, worst: Alarm | None, unheard: StateSpan | None) -> Json:
    span = facts.states.get(machine.path)
    if unheard and span and span.state is not EquipmentState.UNKNOWN:
        span = unheard
    good, scrap = facts.made.get(machine.path, (0, 0))
    return tidy(
        **{"class": machine.kind},
        path=machine.path,
        name=machine.name.as_dict(),
        line=machine.parent,
        state=(span.state if span else EquipmentState.UNKNOWN).value,
        since=_time(span.since) if span else None,
        alarm=worst.priority.word if worst else None,
        good=good,
        scrap=scrap,
        unexplained=facts.unexplained.get(machine.path),
    )


def _alarm(plant: Plant, alarm: Alarm, desk: _People) -> Json:
    ticket = desk.ticket_of(alarm)
    return tidy(
        id=alarm.id,
        rule=alarm.rule,
        subject=alarm.subject,
        equipment=alarm.equipment,
        where=_where(plant, alarm.equipment),
        title=alarm.title.as_dict(),
        priority=alarm.priority.word,
        state=alarm.state.value,
        condition=alarm.condition,
        blind=alarm.blind,
        value=alarm.value,
        limit=alarm.limit,
        unit=alarm.unit,
        raised_at=_time(alarm.raised_at),
        opened_at=_time(alarm.opened_at),
        cleared_at=_time(alarm.cleared_at),
        acked_at=_time(alarm.acked_at),
        acked_by=alarm.acked_by or None,
        owner=desk.owner(alarm),
        count=alarm.count,
        latched=alarm.latched or None,
        aside=_aside(alarm, desk),
        ticket=ticket.id if ticket else None,
        instruction=_said(plant.instructions.get(alarm.rule)),
    )


def _aside(alarm: Alarm, desk: _People) -> Json | None:
    """Who put it aside, since when, why and until when; nobody did where the design logic suppresses it."""
    if alarm.aside_at is None:
        return None
    people = {"zh": alarm.aside_reason, "en": alarm.aside_reason}
    reason = _said(alarm.suppressed) if alarm.state is AlarmState.SUPPRESSED else people
    return tidy(
        by=desk.person(alarm.aside_by),
        at=_time(alarm.aside_at),
        reason=reason,
        until=_time(alarm.shelved_until),
    )


def _said(words: Words | None) -> Json | None:
    return words.as_dict() if words else None


def _ticket(plant: Plant, ticket: MaintenanceTicket, desk: _People) -> Json:
    return tidy(
        id=ticket.id,
        alarm_id=ticket.alarm_id,
        equipment=ticket.equipment,
        where=_where(plant, ticket.equipment),
        title=desk.title(ticket) or _where(plant, ticket.equipment),
        state=ticket.state.value,
        opened_at=_time(ticket.opened_at),
        stopped_at=_time(ticket.stopped_at),
        technician=desk.person(ticket.technician),
        erp_number=ticket.erp_number,
        accepted_at=_time(ticket.accepted_at),
        arrived_at=_time(ticket.arrived_at),
        repaired_at=_time(ticket.repaired_at),
        reset_at=_time(ticket.reset_at),
        good_cycles=ticket.good_cycles,
        cycles_needed=ticket.cycles_needed,
        closed_at=_time(ticket.closed_at),
        cause_class=ticket.cause_class,
        cause=ticket.cause,
        photo=ticket.photo,
        downtime_seconds=ticket.downtime_seconds,
    )


def _orders(facts: Facts) -> Json:
    told = {(p.job.order, p.job.operation): p for p in facts.progress}
    changes = {c.order: c for c in facts.changes}
    out = {}
    for order in facts.orders:
        parts = [
            told.get((j.order, j.operation)) or JobProgress(j, 0, 0, JobState.WAITING, None, None)
            for j in order.jobs
        ]
        change = changes.get(order.number)
        if change is None and not _in_sight(order, parts):
            continue
        out[order.number] = _order(order, parts, facts.outlooks.get(order.number), change)
    return out


def _in_sight(order: WorkOrder, parts: Sequence[JobProgress]) -> bool:
    """What is merely planned concerns nobody on the floor yet; what was begun and is held does."""
    match order.state:
        case WorkOrderState.CANCELLED:
            return False
        case WorkOrderState.HELD:
            return any(p.good or p.scrap for p in parts)
        case _:
            return True


def _change(change: OrderChange | None) -> Json | None:
    if change is None:
        return None
    return {
        "id": change.id,
        "at": change.at.isoformat(),  # exact: the confirmation names it
        "escalated": change.escalated_at is not None,
        "changed": {name: {"before": a, "after": b} for name, (a, b) in change.changed.items()},
    }


def _order(
    order: WorkOrder, parts: Sequence[JobProgress], outlook: Outlook | None, change: OrderChange | None
) -> Json:
    late = outlook.late_by if outlook else None
    return tidy(
        number=order.number,
        product=order.product,
        product_name=order.product_name.as_dict(),
        quantity=order.quantity,
        due_at=_time(order.due_at),
        priority=order.priority,
        rush=order.rush,
        state=order.state.value if order.state is not WorkOrderState.RELEASED else None,
        change=_change(change),
        customer=order.customer,
        late_by=late // _MINUTE * 60 if late is not None and late >= _MINUTE else None,
        operations=[
            {
                "operation": p.job.operation,
                "name": p.job.name.as_dict(),
                "work_center": p.job.work_center,
                "quantity": p.job.quantity,
                "good": p.good,
                "scrap": p.scrap,
                **({"rework": p.rework} if p.rework else {}),
                "state": p.state.value,
            }
            for p in parts
        ],
    )


def _shift(span: ShiftSpan | None) -> Json | None:
    if span is None:
        return None
    return {"name": span.shift.name.as_dict(), "start": _time(span.start), "end": _time(span.end)}


def _health(facts: Facts) -> Json:
    health = facts.health
    sources = {
        name: tidy(
            up=bool(s.get("up")),
            since=_time(s.get("since")),
            machines=None if s.get("up") else sorted(facts.feeds.get(name, ())) or None,
        )
        for name, s in health.get("sources", {}).items()
    }
    return tidy(
        latency=health.get("latency"),
        sources=sources,
        outbox_oldest=int(health.get("outbox_oldest") or 0),
        parts_down=sorted(health.get("parts_down", ())),
        discrepancies=int(health.get("discrepancies") or 0) or None,
        books_old_since=_time(health.get("books_old_since")),
    )


def _calm(facts: Facts) -> dict[str, datetime]:
    out: dict[str, datetime] = {}
    for alarm in facts.ended:
        ends = [at for at in (alarm.cleared_at, alarm.acked_at) if at is not None]
        if ends:
            out[alarm.equipment] = max(*ends, out.get(alarm.equipment, ends[0]))
    return out


def _where(plant: Plant, path: str) -> Json:
    return plant.full_name(path).as_dict() if path in plant.equipment else {"zh": path, "en": path}


def _time(at: datetime | str | None) -> str | None:
    return as_time(at) if isinstance(at, datetime) else at
