"""A maintenance ticket's life, and what counts as proof of a repair."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alert_rules.ticketing import (
    accepted,
    arrived,
    begun,
    closed,
    relapsed,
    repaired,
    sent,
    steps,
    verified,
)
from hub.errors import Conflict, Refused
from hub.model.equipment import Count, EquipmentState, StateSpan
from hub.model.people import Person, Role
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.model.words import Words
from hub.testing.clock import NOON

PRESS = "p1/a/l/press"
LI = Person("li", Words("李", "Li"), frozenset({Role.TECHNICIAN}), ("p1",))
WANG = replace(LI, id="wang")
NEW = MaintenanceTicket("AH-1", 1, PRESS, TicketState.NEW, NOON, NOON)
S = EquipmentState


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def span(state: EquipmentState, start: float, end: float | None = None) -> StateSpan:
    return StateSpan(PRESS, state, at(start), None if end is None else at(end))


def good(*seconds: float) -> list[Count]:
    return [Count(PRESS, at(s), True, 1, i) for i, s in enumerate(seconds)]


def verifying() -> MaintenanceTicket:
    return repaired(arrived(NEW, LI, at(10)), LI, "mechanical", "pump", "photo-1", at(60))


def test_the_first_technician_has_it_and_the_second_is_told_who() -> None:
    mine = accepted(NEW, LI, at(5))
    assert (mine.state, mine.technician, mine.accepted_at) == (TicketState.ACCEPTED, "li", at(5))
    with pytest.raises(Conflict) as taken:
        accepted(mine, WANG, at(6))
    assert str(taken.value) == "li"


def test_tapping_twice_changes_nothing() -> None:
    mine = accepted(NEW, LI, at(5))
    assert accepted(mine, LI, at(6)) is mine
    there = arrived(mine, LI, at(7))
    assert arrived(there, LI, at(8)) is there


def test_who_arrives_has_accepted() -> None:
    there = arrived(NEW, LI, at(7))
    assert (there.state, there.technician, there.accepted_at) == (TicketState.ON_SITE, "li", at(7))


def test_a_repair_begins_when_the_technician_says_so_and_only_once() -> None:
    working = begun(arrived(NEW, LI, at(7)), LI, at(9))
    assert working.state is TicketState.REPAIRING
    assert begun(working, LI, at(10)) is working
    done = repaired(working, LI, "mechanical", "pump", "", at(60))
    assert (done.state, begun(done, LI, at(61))) == (TicketState.VERIFYING, done)
    with pytest.raises(Conflict):
        begun(working, WANG, at(10))


def test_who_begins_is_there_and_has_accepted() -> None:
    working = begun(NEW, LI, at(7))
    assert (working.technician, working.accepted_at, working.arrived_at) == ("li", at(7), at(7))


def test_what_is_left_out_on_the_phone_is_told_in_the_history() -> None:
    T = TicketState
    assert steps(T.SENT, T.ACCEPTED) == [T.ACCEPTED]
    assert steps(T.ON_SITE, T.VERIFYING) == [T.REPAIRING, T.VERIFYING]
    assert steps(T.NEW, T.VERIFYING) == [T.ACCEPTED, T.ON_SITE, T.REPAIRING, T.VERIFYING]
    assert steps(T.REOPENED, T.ON_SITE) == [T.ACCEPTED, T.ON_SITE]


def test_nothing_is_implied_by_a_way_back_or_by_an_end() -> None:
    T = TicketState
    assert steps(T.VERIFYING, T.REPAIRING) == [T.REPAIRING], "a relapse"
    assert steps(T.ACCEPTED, T.CLOSED) == [T.CLOSED], "by hand"
    assert steps(T.NEW, T.SENT) == [T.SENT]


def test_a_repair_needs_a_cause() -> None:
    with pytest.raises(Refused, match="mechanical"):
        repaired(NEW, LI, "", "", "", at(60))


def test_repaired_means_that_the_machine_has_to_prove_it() -> None:
    ticket = verifying()
    assert (ticket.state, ticket.cause, ticket.photo) == (TicketState.VERIFYING, "pump", "photo-1")
    assert verified(ticket, [span(S.FAULT, 0)], [], False, at(61)) is ticket


def test_running_again_and_enough_good_pieces_close_it() -> None:
    spans = [span(S.FAULT, 0, 50), span(S.EXECUTING, 50)]
    two = verified(verifying(), spans, good(51, 62), False, at(62))
    assert (two.state, two.reset_at, two.good_cycles) == (TicketState.VERIFYING, at(50), 2)
    three = verified(two, spans, good(51, 62, 70), False, at(71))
    assert (three.state, three.closed_at) == (TicketState.CLOSED, at(71))


def test_pieces_made_before_the_technician_came_prove_nothing() -> None:
    spans = [span(S.EXECUTING, 0)]
    assert verified(verifying(), spans, good(1, 2, 3, 4), False, at(62)).good_cycles == 0


def test_scrap_proves_nothing() -> None:
    scrap = [Count(PRESS, at(55 + i), False, 1, i) for i in range(5)]
    assert verified(verifying(), [span(S.EXECUTING, 50)], scrap, False, at(62)).good_cycles == 0


def test_a_new_fault_begins_the_proof_anew() -> None:
    spans = [span(S.EXECUTING, 50, 63), span(S.FAULT, 63, 66), span(S.EXECUTING, 66)]
    seen = verified(verifying(), spans, good(51, 62, 70), False, at(71))
    assert (seen.reset_at, seen.good_cycles) == (at(66), 1)


def test_waiting_for_material_only_interrupts_the_proof() -> None:
    spans = [span(S.EXECUTING, 50, 63), span(S.STARVED, 63, 66), span(S.EXECUTING, 66)]
    assert verified(verifying(), spans, good(51, 62, 70), False, at(71)).state is TicketState.CLOSED


def test_while_the_alarm_holds_nothing_is_proved() -> None:
    spans = [span(S.EXECUTING, 50)]
    once = verified(verifying(), spans, good(51), False, at(52))
    assert verified(once, spans, good(51, 52, 53), True, at(54)).reset_at is None


def test_a_relapse_goes_back_to_work() -> None:
    again = relapsed(replace(verifying(), reset_at=at(61), good_cycles=2))
    assert (again.state, again.reset_at, again.good_cycles) == (TicketState.REPAIRING, None, 0)
    assert relapsed(NEW) is NEW


def test_the_erp_number_comes_late_without_undoing_what_the_technician_did() -> None:
    assert sent(NEW, "100021", "AHR1").state is TicketState.SENT
    assert sent(accepted(NEW, LI, at(5)), "100021", "AHR1").state is TicketState.ACCEPTED


def test_what_is_closed_stays_closed() -> None:
    done = closed(NEW, at(9))
    assert closed(done, at(10)) is done
    with pytest.raises(Conflict):
        accepted(done, LI, at(11))
