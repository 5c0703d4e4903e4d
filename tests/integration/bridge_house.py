"""A record, a desk and a bridge to the simulated ERP, put together for tests.

As a program it carries out whatever is due and ends: `python -m tests.integration.bridge_house DSN URL`. With
ANDON_FAILPOINTS set it dies on the way, as after kill -9.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from alert_rules import telling
from alert_rules.casebook import Casebook
from alert_rules.desk import AlarmDesk
from collectors.runner import pass_on
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from erp_bridge.runner import BridgeRunner
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.intent import IntentKind
from hub.model.people import Person, Role
from hub.model.production import JobResponse
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import ErpConnector, Plant
from hub.store.erp_book import PgErpBook
from hub.store.ledger import PgLedger
from hub.store.outbox import PgOutbox
from hub.store.pool import Pool, open_pool
from hub.testing.clock import HandClock
from tests.simulators.kingdee.sessions import Account

TECHNICIAN = Person("tech-a", Words("值班技师甲", "Technician A"), frozenset({Role.TECHNICIAN}), ("p1",))
WORKER = "test/bridge"


class QuickClock(HandClock):
    """Whoever sleeps turns the clock himself: nobody waits."""

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds)
        await asyncio.sleep(0)


def plant(machines: int = 8, erp_id: str = "EQ-CNC-03") -> Plant:
    nodes = [Equipment("p1", EquipmentLevel.SITE, Words("一厂", "Plant 1"))]
    nodes += [
        Equipment(f"p1/a/l/m{n}", EquipmentLevel.WORK_UNIT, Words(f"机床{n}", f"Mill {n}"), erp_id=erp_id)
        for n in range(machines)
    ]
    return Plant(nodes[0], {n.path: n for n in nodes}, {}, people={TECHNICIAN.id: TECHNICIAN})


class BridgeHouse:
    """Writes alarms, tickets and intents as the rules do, and runs the bridge by hand."""

    def __init__(
        self, pool: Pool, dsn: str, connect: Callable[[], ErpConnector], clock: HandClock, where: Plant
    ) -> None:
        self.clock = clock
        self._connect = connect
        self.plant = where
        self._pool = pool
        self.ledger = PgLedger(pool, clock=clock)
        self.book = PgErpBook(pool)
        self.outbox = PgOutbox(pool, dsn, clock)
        self.shouted: list[dict[str, Any]] = []
        self.desk = AlarmDesk(Casebook(self.plant, {}, self.ledger, clock, self._shout, ""))
        self.connector = self._connect()
        self.bridge = self._hire()

    def _hire(self) -> BridgeRunner:
        return self.runner(WORKER)

    def runner(self, worker: str) -> BridgeRunner:
        return BridgeRunner(
            self.ledger, self.outbox, self.desk, self.connector, self.clock, self._shout, worker,
            Notices(self.plant, ("group",)), book=self.book,
        )  # fmt: skip

    async def _shout(self, event: dict[str, Any]) -> None:
        self.shouted.append(event)

    async def told(self) -> list[dict[str, Any]]:
        """What people are to hear, the first thing first."""
        async with self._pool.connection() as connection:
            rows = await connection.execute("select payload from outbox where kind = 'tell' order by id")
            return [row["payload"] async for row in rows]

    async def restart(self) -> None:
        """The bridge died and was started again."""
        await self.connector.close()
        self.connector = self._connect()
        self.bridge = self._hire()
        await self.outbox.release(WORKER)

    async def close(self) -> None:
        await self.connector.close()
        await self.outbox.close()

    # ------------------------------------------------------------------ what the rules and people do
    async def break_down(self, machine: int = 0) -> str:
        """An alarm with its ticket and the intent to open it, in one transaction; the ticket's id."""
        path, now = f"p1/a/l/m{machine}", self.clock.now()
        alarm = Alarm(
            "fault", f"{path}#17", path, Priority.CRITICAL, Words("油温过高", "Oil too hot"),
            AlarmState.UNACKED, condition=True, raised_at=now, condition_at=now, opened_at=now,
        )  # fmt: skip
        async with self.ledger.begin() as tx:
            saved = await tx.save_alarm(alarm)
            number = await tx.next_ticket_id(now)
            ticket = MaintenanceTicket(number, saved.id, path, TicketState.NEW, now, now)
            await tx.save_ticket(ticket)
            await tx.intend(telling.open_ticket(self.plant, ticket, saved, "17", ""))
        return number

    async def repair(self, ticket_id: str) -> None:
        """Accepted, arrived, repaired, and proved by the machine."""
        for step in (self.desk.accept, self.desk.arrive):
            self.clock.turn(60)
            await step(ticket_id, TECHNICIAN, None)
        self.clock.turn(60)
        await self.desk.repaired(ticket_id, TECHNICIAN, "mechanical", "更换密封圈", "", None)
        self.clock.turn(60)
        async with self.ledger.begin() as tx:
            ticket = await tx.ticket(ticket_id)
            await tx.intend(telling.close_ticket(ticket, TECHNICIAN, self.clock.now(), 240.0))

    async def report(self, report_id: str, order: str, operation: str, good: int, scrap: int = 0) -> None:
        response = JobResponse(report_id, order, operation, self.clock.now(), good, scrap)
        async with self.ledger.begin() as tx:
            await tx.intend(pass_on(response))

    # ------------------------------------------------------------------ the bridge, by hand
    async def drain(self, rounds: int = 400) -> None:
        """Until nothing waits; a pause is skipped by turning the clock."""
        for _ in range(rounds):
            while await self.bridge.deliver_one():
                pass
            if not set((await self.outbox.stats())["waiting"]) - {IntentKind.TELL}:
                return
            self.clock.turn(60)
        raise AssertionError(f"still waiting: {await self.outbox.stats()}")

    async def dead(self) -> int:
        return int((await self.outbox.stats())["dead"])


def kingdee(url: str, clock: HandClock) -> KingdeeGalaxyConnector:
    account = Account()
    config = {
        "server_url": url,
        "acct_id": account.acct_id,
        "user": account.user,
        "app_id": account.app_id,
        "app_secret": account.app_secret,
        "timeout": timedelta(seconds=5),
    }
    return KingdeeGalaxyConnector(KingdeeConfig.model_validate(config), clock)


@asynccontextmanager
async def bridge_house(
    dsn: str,
    url: str,
    clock: HandClock,
    connect: Callable[[], ErpConnector] | None = None,
    where: Plant | None = None,
) -> AsyncIterator[BridgeHouse]:
    """With the simulated Kingdee at `url`, or with whatever `connect` makes."""
    pool = await open_pool(dsn)
    house = BridgeHouse(pool, dsn, connect or (lambda: kingdee(url, clock)), clock, where or plant())
    try:
        yield house
    finally:
        await house.close()
        await pool.close()


async def until(condition: Callable[[], bool], turning: HandClock | None = None) -> None:
    """Real sockets and threads are at work: look again and again, but not for ever."""
    async with asyncio.timeout(30):
        while not condition():
            if turning:
                turning.turn(1)
            await asyncio.sleep(0.02)


async def _main(dsn: str, url: str) -> None:
    async with bridge_house(dsn, url, QuickClock()) as house:
        await house.drain()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
