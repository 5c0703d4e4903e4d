"""What people read of the ERP bridge: how it is, and how a ticket stands there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hub.api import erp_shapes
from hub.model.exchange import Direction, Exchange, Letter, Outcome, Pile
from hub.model.people import Role
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.testing.clock import NOON
from tests.api_house import MY_TICKET, house

TICKET = MaintenanceTicket("AH-1", 1, "p1/a/l/m", TicketState.SENT, NOON, NOON, erp_id="7", erp_number="WX7")
WAITING = Letter(
    3, "update-ticket", "k", "ticket:AH-1", "waiting", 4, "no answer", NOON, NOON, None, {"ticket": "AH-1"}
)
DEAD = replace(WAITING, id=4, state="dead", reason="单据已锁定", finished_at=NOON + timedelta(minutes=3))


def told(minutes: float, outcome: Outcome, subject: str = "open-ticket") -> Exchange:
    return Exchange(NOON + timedelta(minutes=minutes), Direction.OUT, subject, "AH-1", outcome)


def part(up: bool = True, process: str = "a", **detail: object) -> dict[str, object]:
    return {"name": "erp bridge", "up": up, "process": process, "last_error": "", "detail": detail}


def test_a_ticket_that_the_erp_has_says_when_it_heard_last() -> None:
    found = erp_shapes.ticket(TICKET, [], [told(5, Outcome.DEFERRED), told(2, Outcome.DONE)])
    assert found == {
        "number": "WX7", "state": "sent", "at": NOON + timedelta(minutes=2), "subject": "open-ticket",
    }  # fmt: skip


def test_what_waits_says_since_when_and_why() -> None:
    later = replace(WAITING, id=5, written_at=NOON + timedelta(minutes=9))
    found = erp_shapes.ticket(TICKET, [WAITING, later], [told(-1, Outcome.DONE)])
    assert (found["state"], found["since"], found["letters"]) == ("waiting", NOON, 2)
    assert (found["reason"], found["subject"]) == ("no answer", "update-ticket")


def test_a_refusal_is_told_before_what_waits_behind_it() -> None:
    found = erp_shapes.ticket(TICKET, [WAITING, DEAD], [])
    assert (found["state"], found["reason"]) == ("refused", "单据已锁定")
    assert found["since"] == DEAD.finished_at


def test_a_ticket_nobody_has_sent_is_not_there() -> None:
    new = replace(TICKET, erp_id="", erp_number="")
    assert erp_shapes.ticket(new, [], [told(1, Outcome.REFUSED)]) == {"number": "", "state": "none"}


def test_the_bridge_is_up_when_its_last_call_was_answered() -> None:
    piles = [
        Pile("open-ticket", 2, NOON - timedelta(seconds=90), 1),
        Pile("post", 0, None, 3),
    ]
    found = erp_shapes.health([part(up=True, last_ok=NOON, away=False)], piles, NOON)
    assert (found["running"], found["up"]) == (True, False), "nobody has answered yet"
    found = erp_shapes.health([{"name": "web"}, part(last_ok=NOON) | {"detail": {"up": True}}], piles, NOON)
    assert (found["up"], found["waiting"], found["dead"]) == (True, {"open-ticket": 2}, 4)
    assert found["oldest_seconds"] == 90.0
    assert "last_error" not in found


@pytest.mark.parametrize("detail", [{"up": True, "away": True}, {"up": False, "last_error": "no answer"}, {}])
def test_an_erp_that_is_away_is_not_up(detail: dict[str, object]) -> None:
    found = erp_shapes.health([part() | {"detail": detail}], [], NOON)
    assert not found["up"]
    assert (found["oldest_seconds"], found["dead"]) == (0.0, 0)


def test_the_process_that_does_it_speaks_and_not_the_one_that_stands_by() -> None:
    by = part(standby=True)
    does = part() | {"detail": {"up": True, "last_ok": NOON}}
    for parts in ([by, does], [does, by]):
        assert erp_shapes.health(parts, [], NOON)["up"]
    assert erp_shapes.health([], [], NOON)["running"] is False


@pytest.mark.anyio
async def test_a_ticket_asked_for_tells_how_it_stands_in_the_erp() -> None:
    async with house().as_role(Role.VIEWER) as person:
        answer = (await person.get(f"/api/tickets/{MY_TICKET}")).json()
    assert (answer["erp"]["state"], answer["erp"]["headline"]["zh"]) == ("refused", "单据被他人占用或锁定")


@pytest.mark.anyio
async def test_the_health_is_told_to_who_keeps_the_erp() -> None:
    async with house().as_role(Role.PLANNER) as person:
        found = (await person.get("/api/erp/health")).json()
    assert (found["waiting"], found["dead"]) == ({"report-operation": 3}, 1)
    assert found["oldest_seconds"] == 120.0
    assert datetime.fromisoformat(found["oldest_at"]["report-operation"]) == NOON - timedelta(minutes=2)
