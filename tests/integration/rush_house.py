"""A plant with three orders on one line, on a real record, behind the real door: for tests of rush orders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx

from erp_bridge.rush_desk import OrderRushDesk
from erp_bridge.rush_notices import Crowd
from hub.api.app import build
from hub.api.limits import Meter
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.intent import IntentKind
from hub.model.people import Person, Role
from hub.model.production import JobOrder, WorkOrder
from hub.model.words import Words
from hub.notices import Notices
from hub.store.ledger import PgLedger
from hub.store.outbox import PgOutbox
from hub.store.pool import Pool, open_pool
from hub.store.rush import PgRushes
from hub.testing.clock import NOON
from tests.api_house import House, house, plant

LINE = "p1/stamping/l1"
FAR = "p1/machining/l2"
HOUR = timedelta(hours=1)
ANNA = Person("anna", Words("安娜", "Anna"), frozenset({Role.SALES}), ("p1",), wecom_id="anna.w")
BO = Person("bo", Words("波", "Bo"), frozenset({Role.PLANNER}), ("p1",))


def order(number: str, minutes: int, due: float, line: str = LINE, **changes: Any) -> WorkOrder:
    """So many minutes of work on one line (a piece a minute); `due` in hours from noon."""
    job = JobOrder(number, "10", Words("冲压", "Stamping"), line, minutes)
    made = WorkOrder(
        number, "A", Words("支架", "Bracket"), minutes, NOON + due * HOUR, customer=f"C-{number}", jobs=(job,)
    )
    return replace(made, **changes)


ORDERS = (order("A", 60, 1.25), order("B", 60, 9), order("C", 90, 10))  # rushing C makes A late and B later


class RushHouse:
    def __init__(self, pool: Pool, dsn: str, sellers: Mapping[str, str], erp: bool) -> None:
        self.door: House = house(ANNA, BO, meter=Meter(burst=1e9))
        self.clock = self.door.clock
        where = plant(ANNA, BO)
        line = Equipment(LINE, EquipmentLevel.WORK_CENTER, Words("1号线", "Line 1"))
        self.plant = replace(where, equipment={**where.equipment, LINE: line}, targets={LINE: 60, FAR: 60})
        self.ledger = PgLedger(pool, self.plant.time_zone, self.clock)
        self.outbox = PgOutbox(pool, dsn, self.clock)
        self.rushes = PgRushes(pool, self.clock)
        self.pool, self.shouted = pool, list[dict[str, Any]]()
        notices = Notices(self.plant, ("group",), "http://hub/phone")
        self.desk = OrderRushDesk(
            self.plant, self.rushes, self.clock, self._shout, Crowd(notices, sellers), erp
        )
        deps = replace(self.door.deps, plant=self.plant, ledger=self.ledger, rush=self.desk)
        self.door.app = build(deps, meter=Meter(burst=1e9))

    async def _shout(self, event: dict[str, Any]) -> None:
        self.shouted.append(event)

    def who(self, person: Person | Role) -> httpx.AsyncClient:
        if isinstance(person, Person):
            return self.door.as_person(person.id)
        return self.door.as_role(person)

    async def preview(self, number: str = "C") -> dict[str, Any]:
        async with self.who(BO) as client:
            found: dict[str, Any] = (await client.get(f"/api/orders/{number}/rush")).json()
        return found

    async def tap(
        self, who: Person | Role = BO, number: str = "C", digest: str = "", **more: Any
    ) -> httpx.Response:
        body = {"digest": digest or (await self.preview(number))["preview"]["digest"], **more}
        async with self.who(who) as client:
            return await client.post(f"/api/orders/{number}/rush", json=body)

    async def undo(self, who: Person | Role = BO, number: str = "C") -> httpx.Response:
        async with self.who(who) as client:
            return await client.delete(f"/api/orders/{number}/rush")

    async def says(self, *orders: WorkOrder) -> None:
        """The ERP tells of its orders."""
        async with self.ledger.begin() as tx:
            for each in orders:
                await tx.save_order(each)

    async def erp(self, refusal: str = "") -> dict[str, Any]:
        """One change of an order is carried out in the ERP, or refused; what it was."""
        errand = await self.outbox.claim([IntentKind.CHANGE_ORDER], "erp", HOUR)
        assert errand is not None, "nothing for the ERP"
        if refusal:
            assert await self.outbox.give_up(errand, refusal)
        else:
            assert await self.outbox.done(errand, {})
        return {"key": errand.intent.key, **errand.intent.payload}

    async def rows(self, statement: str) -> list[dict[str, Any]]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(statement.encode())).fetchall()

    async def messages(self) -> list[tuple[str, str, list[str]]]:
        """(key, headline in English, people called) of everything that is told, in order."""
        found = await self.rows("select key, payload from outbox where kind = 'tell' order by id")
        return [
            (r["key"], r["payload"]["title"]["en"], [p["id"] for p in r["payload"]["people"]]) for r in found
        ]

    async def now(self, number: str = "C") -> tuple[bool, int]:
        [found] = [o for o in await self.ledger.orders() if o.number == number]
        return found.rush, found.priority


@asynccontextmanager
async def rush_house(
    dsn: str, sellers: Mapping[str, str] | None = None, erp: bool = True
) -> AsyncIterator[RushHouse]:
    pool = await open_pool(dsn)
    try:
        made = RushHouse(pool, dsn, sellers or {}, erp)
        await made.says(*ORDERS)
        yield made
        await made.outbox.close()
    finally:
        await pool.close()
