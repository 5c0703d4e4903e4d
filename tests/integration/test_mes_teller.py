"""Repair progress and the machine's reset reach the MES, also one that was away or learns it late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collectors.mes_http import MesHttpSource
from collectors.mes_teller import ASK_AGAIN, AT_ONCE, EVERY, RECENT, MesTeller, as_told
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.ports import Ledger
from hub.testing.clock import NOON, HandClock
from tests.simulators.mes import MemoryShop, mes_routes
from tests.simulators.process import http_server

pytestmark = pytest.mark.anyio

PRESS = "p1/a/l/press"
TICKET = MaintenanceTicket("AH-1", 1, PRESS, TicketState.SENT, NOON, NOON, erp_number="WX1")
TOKEN = "a-secret-of-the-mes"


class Books:
    """The ledger's tickets, as a test has them."""

    def __init__(self, *tickets: MaintenanceTicket) -> None:
        self.all = {t.id: t for t in tickets}

    def put(self, ticket: MaintenanceTicket, **changes: Any) -> None:
        self.all[ticket.id] = replace(self.all.get(ticket.id, ticket), **changes)

    async def recent_tickets(self, limit: int) -> list[MaintenanceTicket]:
        return sorted(self.all.values(), key=lambda t: t.opened_at, reverse=True)[:limit]

    async def open_tickets(self) -> list[MaintenanceTicket]:
        return [t for t in self.all.values() if t.is_open]


class Telling:
    """A teller on its way, and the MES that hears it."""

    def __init__(self, url: str, books: Books) -> None:
        config = MesHttpSource.Config.model_validate({"base_url": url, "token": TOKEN})
        self.clock = HandClock()
        source = MesHttpSource(config, self.clock, "mes")
        self.teller = MesTeller("mes", lambda: source, cast(Ledger, books), self.clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.teller.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def turn(self, after: timedelta = EVERY) -> None:
        """Let it finish what it does, then let so much time pass, and let it finish that."""
        await self.asleep()
        self.clock.turn(after.total_seconds())
        await self.asleep()

    async def asleep(self) -> None:
        async with asyncio.timeout(20):
            while not self.clock._sleepers:
                await asyncio.sleep(0.002)


async def test_each_step_and_the_machines_reset_are_seen_in_the_mes() -> None:
    books, shop = Books(TICKET), MemoryShop()
    async with http_server(Starlette(routes=mes_routes(shop)), 0) as url:
        here = Telling(url, books)
        async with here.running():
            await here.asleep()
            assert shop.repairs.by_ticket == {"AH-1": as_told(TICKET)}
            assert shop.repairs.machines() == [
                {"equipment": PRESS, "ticket": "AH-1", "repair": "sent", "reset": False, "good_cycles": 0,
                 "under_repair": True}
            ]  # fmt: skip
            books.put(TICKET, state=TicketState.VERIFYING, reset_at=NOON, good_cycles=2)
            await here.turn()
            (machine,) = shop.repairs.machines()
            assert (machine["repair"], machine["reset"], machine["good_cycles"]) == ("verifying", True, 2)
            books.put(TICKET, state=TicketState.CLOSED, closed_at=NOON, downtime_seconds=95.5, good_cycles=3)
            await here.turn()
            assert not shop.repairs.machines()[0]["under_repair"]
            assert shop.repairs.by_ticket["AH-1"]["downtime_seconds"] == 95.5
            before = shop.repairs.tellings
            await here.turn()
            assert shop.repairs.tellings == before, "what has not changed is not told again"


async def test_what_happened_while_the_mes_was_away_is_told_when_it_is_back() -> None:
    books, shop = Books(TICKET), MemoryShop()
    async with http_server(Starlette(), 0) as url:
        here = Telling(url, books)  # nobody will listen there any more
    async with here.running() as task:
        with pytest.raises(SourceUnavailable) as error:
            await task
    assert TOKEN not in str(error.value)
    books.put(TICKET, state=TicketState.CLOSED, closed_at=NOON)
    books.put(replace(TICKET, id="AH-2", opened_at=NOON + timedelta(days=3)))
    async with http_server(Starlette(routes=mes_routes(shop)), 0) as url:
        config = MesHttpSource.Config.model_validate({"base_url": url})
        here.teller._make = lambda: MesHttpSource(config, here.clock, "mes")
        async with here.running():
            await here.asleep()
    assert {n: t["state"] for n, t in shop.repairs.by_ticket.items()} == {"AH-1": "closed", "AH-2": "sent"}


async def test_an_mes_that_has_no_such_door_is_asked_again_later_and_found_without_a_restart() -> None:
    books, shop, asked, learnt = Books(TICKET), MemoryShop(), 0, False

    async def take(request: Request) -> Response:
        nonlocal asked
        asked += 1
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        if learnt:
            shop.repairs.take(await request.json())
        return Response(status_code=200 if learnt else 405)

    async with http_server(Starlette(routes=[Route("/mes/tickets", take, methods=["POST"])]), 0) as url:
        here = Telling(url, books)
        async with here.running():
            await here.turn()
            assert (asked, here.teller.health()) == (1, {"told": 0, "wanted": False})
            learnt = True
            await here.turn(ASK_AGAIN)
            assert here.teller.health() == {"told": 1, "wanted": True}
    assert "AH-1" in shop.repairs.by_ticket


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, SourceRefused), (403, SourceRefused), (500, SourceUnavailable), (503, SourceUnavailable)],
)
async def test_a_refusal_is_told_to_people_and_trouble_is_tried_again(
    status: int, error: type[Exception]
) -> None:
    async def no(request: Request) -> Response:
        return Response(status_code=status, headers={"Retry-After": "7"})

    async with http_server(Starlette(routes=[Route("/mes/tickets", no, methods=["POST"])]), 0) as url:
        here = Telling(url, Books(TICKET))
        with pytest.raises(error, match="/mes/tickets") as said:
            await here.teller.run()
    if status == 503:
        assert cast(SourceUnavailable, said.value).retry_after == timedelta(seconds=7)
    assert here.teller.health()["told"] == 0


async def test_many_tickets_go_in_pieces_and_what_is_forgotten_is_not_kept() -> None:
    many = [
        replace(TICKET, id=f"AH-{n:04}", opened_at=NOON + n * timedelta(minutes=1), state=TicketState.CLOSED)
        for n in range(RECENT + 5)
    ]
    shop = MemoryShop()
    async with http_server(Starlette(routes=mes_routes(shop)), 0) as url:
        here = Telling(url, Books(*many))
        async with here.running():
            await here.asleep()
    assert (len(shop.repairs.by_ticket), shop.repairs.tellings) == (RECENT, RECENT // AT_ONCE)
    assert here.teller.health()["told"] == RECENT
