"""(pure) Alarms, tickets and people as JSON, as docs/api.md writes them. What is not known is left out."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from hub.kpi.calendar import on_duty
from hub.model import discrepancy_words
from hub.model.alarm import Alarm, AlarmLine, AlarmState
from hub.model.discrepancy import Comparison, OpenDiscrepancy
from hub.model.people import Account, Person, Role, WallScreen
from hub.model.ticket import MaintenanceTicket, TicketLine
from hub.model.words import Words
from hub.ports import Plant, Watched

Json = dict[str, Any]


def alarm(it: Alarm, plant: Plant, now: datetime, ticket: MaintenanceTicket | None = None) -> Json:
    said = plant.instructions.get(it.rule)
    return _known(
        id=it.id,
        rule=it.rule,
        subject=it.subject,
        equipment=it.equipment,
        where=where(it.equipment, plant).as_dict(),
        title=it.title.as_dict(),
        priority=it.priority.word,
        state=it.state.value,
        condition=it.condition,
        blind=it.blind,
        value=it.value,
        limit=it.limit,
        unit=it.unit,
        raised_at=it.raised_at,
        opened_at=it.opened_at,
        cleared_at=it.cleared_at,
        acked_at=it.acked_at,
        acked_by=it.acked_by or None,
        owner=owner(it, plant, now, ticket),
        count=it.count,
        note=it.note or None,
        latched=it.latched or None,
        aside=aside(it, plant),
        ticket=ticket.id if ticket else None,
        instruction=said.as_dict() if said else None,
    )


def aside(it: Alarm, plant: Plant) -> Json | None:
    """Who put it aside, since when, why and until when; nobody did where the design logic suppresses it."""
    if it.aside_at is None or not it.is_open:
        return None
    people = Words(it.aside_reason, it.aside_reason)
    why = it.suppressed if it.state is AlarmState.SUPPRESSED else people
    reason = why.as_dict() if why else None
    return _known(by=who(it.aside_by, plant), at=it.aside_at, reason=reason, until=it.shelved_until)


def watched(it: Watched, plant: Plant) -> Json:
    """A rule on one subject; its words are those of its alarm."""
    return _known(
        rule=it.rule,
        subject=it.subject,
        equipment=it.equipment,
        where=where(it.equipment, plant).as_dict(),
        title=it.title.as_dict(),
        priority=it.priority.word,
        latched=it.latched or None,
        realarm_after=it.realarm_after.total_seconds() if it.realarm_after else None,
        suppressed_when=[why.as_dict() for why in it.suppressed_when] or None,
    )


def owner(it: Alarm, plant: Plant, now: datetime, ticket: MaintenanceTicket | None) -> Json | None:
    """Who has accepted or acknowledged, else who is on duty."""
    named = (ticket.technician if ticket else "") or it.owner or it.acked_by
    if not named:
        on_call = on_duty(plant, it.equipment, now)
        named = on_call.id if on_call else ""
    return who(named, plant)


def alarm_line(line: AlarmLine) -> Json:
    return _known(
        at=line.at,
        event=line.event,
        before=line.before.value,
        after=line.after.value,
        by=line.by,
        note=line.note,
        value=line.value,
    )


def ticket(it: MaintenanceTicket, plant: Plant, title: Words | None = None) -> Json:
    """`title` is its alarm's; without one the machine's name has to do."""
    place = where(it.equipment, plant)
    return _known(
        id=it.id,
        alarm_id=it.alarm_id,
        equipment=it.equipment,
        where=place.as_dict(),
        title=(title or place).as_dict(),
        state=it.state.value,
        opened_at=it.opened_at,
        stopped_at=it.stopped_at,
        technician=who(it.technician, plant),
        erp_number=it.erp_number,
        accepted_at=it.accepted_at,
        arrived_at=it.arrived_at,
        repaired_at=it.repaired_at,
        reset_at=it.reset_at,
        good_cycles=it.good_cycles,
        cycles_needed=it.cycles_needed,
        closed_at=it.closed_at,
        cause_class=it.cause_class,
        cause=it.cause,
        photo=it.photo,
        downtime_seconds=it.downtime_seconds,
    )


def ticket_line(line: TicketLine) -> Json:
    return _known(
        at=line.at,
        before=line.before.value,
        after=line.after.value,
        by=line.by,
        channel=line.channel,
        note=line.note,
        device_time=line.device_time,
    )


def discrepancy(it: OpenDiscrepancy, plant: Plant) -> Json:
    """`first` is the first entry of ours at which the books part."""
    what = it.what
    first = what.divergence
    explained = discrepancy_words.why(what)
    return _known(
        id=it.id,
        kind=what.kind.value,
        book=what.kind.book.value,
        subject=what.subject,
        part=what.part or None,
        title=discrepancy_words.KINDS[what.kind].as_dict(),
        where=where(what.equipment, plant).as_dict() if what.equipment else None,
        ours=discrepancy_words.said(what, what.ours).as_dict(),
        theirs=discrepancy_words.said(what, what.theirs).as_dict(),
        why=explained.as_dict() if explained else None,
        first={"id": first.id, "at": first.at} if first else None,
        owner=_owner_of(it.owner, plant),
        first_seen=it.first_seen,
        last_seen=it.last_seen,
        repair=what.repair.value or None,
        repair_title=discrepancy_words.REPAIRS[what.repair].as_dict(),
        repair_state=it.repair_state.value or None,
        repair_result=it.repair_result or None,
        repaired_by=who(it.repaired_by, plant),
        repaired_at=it.repaired_at,
        aside=_known(by=who(it.aside_by, plant), at=it.aside_at, reason=it.aside_reason)
        if it.aside_at
        else None,
    )


def _owner_of(owner: str, plant: Plant) -> Json | None:
    """A role is named by the screens."""
    return {"role": owner} if owner in {role.value for role in Role} else who(owner, plant)


def comparison(it: Comparison) -> Json:
    return _known(
        began_at=it.began_at,
        ended_at=it.ended_at,
        asked_by=it.asked_by or None,
        compared=it.compared,
        not_compared=it.not_compared,
        found=it.found,
        trouble=it.trouble or None,
    )


def person(it: Person) -> Json:
    return {
        "id": it.id,
        "name": it.name.as_dict(),
        "roles": sorted(role.value for role in it.roles),
        "scopes": list(it.scopes),
        "language": it.language,
    }


def account(it: Person, stands: Account) -> Json:
    """`password`: own, once (until `once_until`) or none."""
    kind = "none" if not stands.has_password else "own" if stands.once_until is None else "once"
    return person(it) | _known(
        password=kind, once_until=stands.once_until, sessions=stands.sessions, seen_at=stands.seen_at
    )


def device(it: WallScreen, plant: Plant) -> Json:
    place = where(it.scope, plant).as_dict()
    return _known(id=it.id, name=it.name, scope=it.scope, where=place, made_at=it.made_at, seen_at=it.seen_at)


def who(person_id: str, plant: Plant) -> Json | None:
    if not person_id:
        return None
    known = plant.people.get(person_id)
    return {"id": person_id, "name": (known.name if known else Words(person_id, person_id)).as_dict()}


def where(path: str, plant: Plant) -> Words:
    """A machine that has left the configuration keeps its path."""
    return plant.full_name(path) if path in plant.equipment else Words(path, path)


def _known(**members: Any) -> Json:
    return {
        k: v for k, v in members.items() if v is not None and not (isinstance(v, float) and math.isnan(v))
    }
