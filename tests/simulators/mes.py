"""A manufacturing execution system's HTTP interface: orders, and reports in the order they were told.

GET /mes/orders                      every order that is open or was finished lately
GET /mes/reports?after=ID&limit=500  reports told after ID; `wait=20` waits so long for one
GET /mes/postings?...                the same for what the books take: lots, material, checks, hours, scrap
POST /mes/tickets                    how repairs stand, one record a ticket; the newest one counts
GET /mes/tickets                     what has been told, for whoever looks at the MES's screen
GET /mes/sums, /mes/stock            what it adds up itself, where the shop can: for comparison
GET /mes/machines                    the same by machine: is it under repair, has it said that it runs again
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MOST = 1000
LONGEST_WAIT = 30.0


class Shop(Protocol):
    """Where the orders and reports come from."""

    def orders(self) -> list[dict[str, Any]]: ...

    def reports(self, after: str, limit: int) -> list[dict[str, Any]]: ...

    def postings(self, after: str, limit: int) -> list[dict[str, Any]]: ...

    repairs: Repairs

    async def news(self, seconds: float) -> None:
        """Until something was reported, or so long."""
        ...


class Repairs:
    """Tickets as the hub has told them: by their number, the newest telling of each."""

    def __init__(self) -> None:
        self.by_ticket: dict[str, dict[str, Any]] = {}
        self.tellings = 0

    def take(self, told: list[dict[str, Any]]) -> None:
        self.tellings += 1
        self.by_ticket |= {one["ticket"]: one for one in told}

    def machines(self) -> list[dict[str, Any]]:
        """Of each machine its last ticket; `reset` once the machine itself has said that it runs again."""
        last = {t["equipment"]: t for t in sorted(self.by_ticket.values(), key=lambda t: str(t["opened_at"]))}
        return [
            {"equipment": path, "ticket": t["ticket"], "repair": t["state"],
             "reset": t["reset_at"] is not None, "good_cycles": t["good_cycles"],
             "under_repair": t["closed_at"] is None}
            for path, t in sorted(last.items())
        ]  # fmt: skip


class MemoryShop:
    """A shop made of lists, for tests: `report` adds one and wakes who waits."""

    def __init__(self, orders: Sequence[dict[str, Any]] = ()) -> None:
        self.book = list(orders)
        self.told: list[dict[str, Any]] = []
        self.posted: list[dict[str, Any]] = []
        self.repairs = Repairs()
        self._news = asyncio.Event()

    def report(self, **fields: Any) -> dict[str, Any]:
        line = {
            "id": f"R{len(self.told) + 1:010d}", "good": 0, "scrap": 0, "state": "running", "equipment": "",
            "person": "", "labour_seconds": 0.0, **fields,
        }  # fmt: skip
        self.told.append(line)
        self._news.set()
        self._news = asyncio.Event()
        return line

    def post(self, **fields: Any) -> dict[str, Any]:
        line = {"id": f"P{len(self.posted) + 1:010d}", **fields}
        self.posted.append(line)
        self._news.set()
        self._news = asyncio.Event()
        return line

    def orders(self) -> list[dict[str, Any]]:
        return self.book

    def postings(self, after: str, limit: int) -> list[dict[str, Any]]:
        return [p for p in self.posted if p["id"] > after][:limit]

    def reports(self, after: str, limit: int) -> list[dict[str, Any]]:
        return [r for r in self.told if r["id"] > after][:limit]

    async def news(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()


def mes_routes(shop: Shop) -> list[Route]:
    async def orders(request: Request) -> JSONResponse:
        return JSONResponse(shop.orders())

    def told(tell: Callable[[str, int], list[dict[str, Any]]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> JSONResponse:
            return await _told(shop, tell, request)

        return answer

    async def take(request: Request) -> JSONResponse:
        told = await request.json()
        if not isinstance(told, list) or not all(isinstance(t, dict) and t.get("ticket") for t in told):
            return JSONResponse({"error": "a list of tickets, each with its number as ticket"}, 400)
        shop.repairs.take(told)
        return JSONResponse({"taken": len(told)})

    async def tickets(request: Request) -> JSONResponse:
        return JSONResponse(list(shop.repairs.by_ticket.values()))

    async def machines(request: Request) -> JSONResponse:
        return JSONResponse(shop.repairs.machines())

    added_up = [
        Route(f"/mes/{name}", partial(_added_up, add))
        for name in ("sums", "stock")
        if (add := getattr(shop, name, None))
    ]
    return [
        *added_up,
        Route("/mes/tickets", take, methods=["POST"]),
        Route("/mes/tickets", tickets),
        Route("/mes/machines", machines),
        Route("/mes/orders", orders),
        Route("/mes/reports", told(shop.reports)),
        Route("/mes/postings", told(shop.postings)),
    ]


async def _added_up(add: Callable[[], list[dict[str, Any]]], request: Request) -> JSONResponse:
    return JSONResponse(add())


async def _told(
    shop: Shop, tell: Callable[[str, int], list[dict[str, Any]]], request: Request
) -> JSONResponse:
    try:
        limit = min(MOST, int(request.query_params.get("limit", "500")))
        wait = min(LONGEST_WAIT, float(request.query_params.get("wait", "0")))
    except ValueError:
        return JSONResponse({"error": "limit and wait are numbers"}, 400)
    after = request.query_params.get("after", "")
    lines = tell(after, limit)
    if not lines and wait > 0:
        await shop.news(wait)
        lines = tell(after, limit)
    return JSONResponse(lines)
