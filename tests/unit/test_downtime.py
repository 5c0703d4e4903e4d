"""The minutes on a ticket are the minutes that OEE has lost, whatever lies between the stop and the reset."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest

from hub.kpi.calendar import common, planned_time
from hub.kpi.downtime import lost, standstill
from hub.kpi.oee import OUTSIDE_PBT, Bucket, Sums, machine_sums
from hub.kpi.pieces import Pieces
from hub.model.equipment import Equipment, EquipmentLevel, StateSpan
from hub.model.equipment import EquipmentState as S
from hub.model.people import Break, Shift
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.model.words import Words
from hub.ports import Plant
from screens.figures import ShiftRecord, oee

SIX = datetime(2026, 1, 5, 6, tzinfo=UTC)
M = "p1/a/l/m"
EARLY = Shift(Words("早班", "Early"), time(6), time(14), breaks=(Break(time(13), time(13, 30)),))
NIGHT = Shift(Words("夜班", "Night"), time(22), time(6))
SITE = Equipment("p1", EquipmentLevel.SITE, Words("厂", "plant"))
MACHINE = Equipment(M, EquipmentLevel.WORK_UNIT, Words("机", "m"))
PLANT = Plant(SITE, {"p1": SITE, M: MACHINE}, {}, "UTC", (EARLY, NIGHT), {}, {})
LOSSES = [b for b in Bucket if b not in OUTSIDE_PBT | {Bucket.PRODUCING}]


def at(hours: float) -> datetime:
    return SIX + timedelta(hours=hours)


def history(*changes: tuple[float, S]) -> list[StateSpan]:
    ends = [at(h) for h, _ in changes[1:]]
    return [StateSpan(M, s, at(h), e) for (h, s), e in zip(changes, [*ends, None], strict=True)]


def ticket(stopped: float, reset: float, state: TicketState = TicketState.CLOSED) -> MaintenanceTicket:
    return MaintenanceTicket(
        "AH-20260105-0001", 1, M, state, at(stopped), at(stopped), reset_at=at(reset), closed_at=at(reset + 1)
    )


def shift_sums(spans: list[StateSpan], record: ShiftRecord, start: datetime, end: datetime) -> Sums:
    """One shift as the wall's OEE has it."""
    planned = planned_time(PLANT, start, end)
    return machine_sums(spans, Pieces(), planned, None, until=end, repairs=record.repairs(M, end))


def in_oee(spans: list[StateSpan], found: MaintenanceTicket, until: float = 48) -> timedelta:
    """What the machine has lost in all shifts until then; it loses nothing but for the ticket."""
    record = ShiftRecord(SIX, at(until)).with_spans(spans).with_tickets([found])
    edges = [at(h) for h in (0, 8, 16, 24, 32, 40, 48) if h <= until]
    sums = [shift_sums(spans, record, a, b) for a, b in pairwise(edges)]
    return sum((s.lost(b) for s in sums for b in LOSSES), timedelta())


@pytest.mark.parametrize(
    "during",
    [
        pytest.param(((6.0, S.FAULT),), id="fault all the time"),
        pytest.param(((6.0, S.FAULT), (6.5, S.MAINTENANCE)), id="switched to maintenance by the technician"),
        pytest.param(((6.0, S.FAULT), (6.5, S.OFF), (17.0, S.HELD)), id="switched off for the repair"),
        pytest.param(((6.0, S.FAULT), (7.2, S.UNKNOWN)), id="its power cut: nobody hears it"),
        pytest.param(((6.0, S.FAULT), (6.1, S.FAULT), (7.1, S.STARVED)), id="told in pieces"),
    ],
)
def test_a_fault_over_a_break_and_two_shift_ends_is_as_long_on_the_ticket_as_in_oee(
    during: tuple[tuple[float, S], ...],
) -> None:
    """From 12:00 over the break at 13:00, the end of the shift at 14:00 and the night's begin to 23:00."""
    spans = history((0, S.EXECUTING), *during, (17, S.EXECUTING))
    found = ticket(6, 17)
    stop, reset = standstill(found) or (SIX, None)
    assert reset == at(17)
    minutes = lost(spans, planned_time(PLANT, stop, reset), stop, reset)
    assert minutes == timedelta(minutes=60 + 30 + 60), "12-13, 13:30-14 and 22-23; nothing else was planned"
    assert minutes == in_oee(spans, found)


def test_running_in_between_is_no_downtime_in_either() -> None:
    spans = history((0, S.EXECUTING), (6, S.FAULT), (6.5, S.EXECUTING), (7.75, S.FAULT), (17, S.EXECUTING))
    minutes = lost(spans, planned_time(PLANT, at(6), at(17)), at(6), at(17))
    assert minutes == timedelta(minutes=30 + 15 + 60) == in_oee(spans, ticket(6, 17))


def test_a_machine_that_was_never_heard_is_lost_in_both() -> None:
    found = ticket(6, 7)
    minutes = lost([], planned_time(PLANT, at(6), at(7)), at(6), at(7))
    assert minutes == timedelta(hours=1) == in_oee([], found)


def test_without_a_ticket_maintenance_off_and_silence_stay_outside() -> None:
    spans = history((0, S.EXECUTING), (1, S.MAINTENANCE), (2, S.OFF), (3, S.UNKNOWN), (4, S.EXECUTING))
    alarmless = ticket(0.5, 4.5, TicketState.FALSE_ALARM)
    assert standstill(alarmless) is None
    assert in_oee(spans, alarmless) == timedelta()


def test_the_walls_availability_knows_the_ticket() -> None:
    """Two of eight planned-busy hours in maintenance: planned without a ticket, lost with one."""
    spans = history((0, S.EXECUTING), (1, S.MAINTENANCE), (3, S.EXECUTING))
    record = ShiftRecord(SIX, at(8)).with_spans(spans)
    assert oee(PLANT, [MACHINE], record, at(8)).availability == 1.0
    broken = oee(PLANT, [MACHINE], record.with_tickets([ticket(1, 3)]), at(8))
    assert broken.availability == pytest.approx(5.5 / 7.5)


def test_an_open_ticket_lasts_until_now() -> None:
    open_one = MaintenanceTicket("AH-1", 1, M, TicketState.REPAIRING, at(1), at(1))
    record = ShiftRecord(SIX, at(8)).with_spans(history((0, S.EXECUTING), (1, S.OFF)))
    found = shift_sums(record.spans[M], record.with_tickets([open_one]), SIX, at(4))  # type: ignore[arg-type]
    assert found.lost(Bucket.REPAIR) == timedelta(hours=3)
    assert common([(at(0), at(4))], record.with_tickets([open_one]).repairs(M, at(4))) == [(at(1), at(4))]
