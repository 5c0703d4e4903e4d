"""What an alarm or a ticket makes the hub intend: messages and ERP documents. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from alert_rules.lifecycle import ASIDE
from alert_rules.rule import Rule
from hub.model.alarm import Alarm, AlarmState
from hub.model.intent import Intent, IntentKind
from hub.model.people import Person
from hub.model.ticket import MaintenanceTicket
from hub.notices import called
from hub.ports import Plant

FLAPPING = 3  # raised this often within one episode: said once more, then silence while it goes on
CALM = timedelta(minutes=10)  # between two raisings: then it is no flapping


def stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def tells(
    plant: Plant, rule: Rule, before: Alarm, now: Alarm, owner: Person | None, ticket: str, link: str
) -> list[Intent]:
    """Messages for a change of an alarm. Nothing is said of what is shelved, suppressed or out of service.

    What was raised while it was put aside is said when it is back; what was said before, is not said again:
    its key is the same. An acknowledged alarm that sounds again is said again, each time.
    """
    quiet = {AlarmState.NORMAL, AlarmState.RTN_UNACKED} | ASIDE
    again = ""
    if now.state is AlarmState.UNACKED and (before.state in quiet or now.count > before.count):
        event = "raised"
    elif now.state is AlarmState.UNACKED and before.state is AlarmState.ACKED:
        event, again = "raised", f":again:{stamp(before.acked_at)}"
    elif before.condition and not now.condition and before.state in (AlarmState.UNACKED, AlarmState.ACKED):
        event = "cleared"
    else:
        return []
    if not again and now.count >= FLAPPING and _flaps(before, now, event):
        return []
    payload = facts(plant, rule, now, owner, ticket, link) | {"event": event, "again": bool(again)}
    return [
        Intent(
            IntentKind.TELL,
            f"tell:{now.id}:{event}:{now.count}{again}:{name}",
            f"tell:{name}:{now.id}",
            payload | {"notifier": name},
            priority=now.priority,
        )
        for name in rule.tell
    ]


def _flaps(before: Alarm, now: Alarm, event: str) -> bool:
    """Whether this is one more of many changes in a short time, of which people have heard enough."""
    if event == "cleared":
        return (
            now.raised_at is not None and now.cleared_at is not None and now.cleared_at - now.raised_at < CALM
        )
    if now.count == FLAPPING or before.raised_at is None or now.raised_at is None:
        return False
    return now.raised_at - before.raised_at < CALM


def facts(
    plant: Plant, rule: Rule, alarm: Alarm, owner: Person | None, ticket: str, link: str
) -> dict[str, Any]:
    """Everything a message needs, as it stands now: the words are chosen when it is sent."""
    return {
        "alarm_id": alarm.id,
        "where": plant.full_name(alarm.equipment).as_dict(),
        "title": alarm.title.as_dict(),
        "priority": int(alarm.priority),
        "value": alarm.value if rule.comparison else None,
        "limit": alarm.limit,
        "unit": alarm.unit,
        "decimals": rule.tag.decimals if rule.tag else 1,
        "comparison": rule.comparison,
        "raised_at": stamp(alarm.raised_at),
        "cleared_at": stamp(alarm.cleared_at),
        "opened_at": stamp(alarm.opened_at),
        "count": alarm.count,
        "flapping": alarm.count >= FLAPPING,
        "blind": alarm.blind,
        "owner": None if owner is None else called(owner),
        "ticket": ticket,
        "link": f"{link}#t={ticket}" if ticket else f"{link}#a={alarm.id}",
        "instruction": rule.instruction.as_dict() if rule.instruction else None,
        "time_zone": plant.time_zone,
    }


def open_ticket(plant: Plant, ticket: MaintenanceTicket, alarm: Alarm, fault_code: str, order: str) -> Intent:
    machine = plant.equipment[ticket.equipment]
    return Intent(
        IntentKind.OPEN_TICKET,
        f"open-ticket:{ticket.id}",
        f"ticket:{ticket.id}",
        {
            "ticket": ticket.id,
            "equipment": ticket.equipment,
            "erp_id": machine.erp_id,
            "equipment_name": plant.full_name(ticket.equipment).as_dict(),
            "title": alarm.title.as_dict(),
            "priority": int(alarm.priority),
            "fault_code": fault_code,
            "opened_at": stamp(ticket.opened_at),
            "stopped_at": stamp(ticket.stopped_at),
            "order": order,
        },
        priority=alarm.priority,
    )


def update_ticket(ticket: MaintenanceTicket, by: Person | None, at: datetime, note: str = "") -> Intent:
    return Intent(
        IntentKind.UPDATE_TICKET,
        f"update-ticket:{ticket.id}:{ticket.state}:{stamp(at)}",
        f"ticket:{ticket.id}",
        {
            "ticket": ticket.id,
            "state": str(ticket.state),
            "by": by.id if by else "",
            "by_name": by.name.in_("zh") if by else "",
            "at": stamp(at),
            "note": note,
        },
    )


def close_ticket(
    ticket: MaintenanceTicket,
    technician: Person | None,
    at: datetime,
    downtime_seconds: float,
    note: str = "",
) -> Intent:
    return Intent(
        IntentKind.CLOSE_TICKET,
        f"close-ticket:{ticket.id}:{stamp(at)}",
        f"ticket:{ticket.id}",
        {
            "ticket": ticket.id,
            "at": stamp(at),
            "cause_class": ticket.cause_class,
            "cause": ticket.cause or note,
            "technician": ticket.technician,
            "technician_name": technician.name.in_("zh") if technician else "",
            "downtime_seconds": round(downtime_seconds, 3),
            "photo": ticket.photo,
        },
    )
