"""The feed on the real record: what one part of the hub writes is what everybody sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import orjson
import pytest

from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.batch import SampleBatch
from hub.model.equipment import Count, EquipmentState, StateSpan
from hub.model.production import JobOrder, JobResponse, JobState, WorkOrder
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.model.words import Words
from hub.ports import EVENTS
from hub.store.ledger import PgLedger
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.testing.clock import NOON, HandClock
from screens.feed import Feed
from tests.buses import MakeBus, Overheard
from tests.integration.feed_stage import L1, M1, TEMP1, Reader, small_plant, until

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
HOT = Alarm(
    "hot", TEMP1, M1, Priority.CRITICAL, Words("油温高", "oil hot"), AlarmState.UNACKED,
    condition=True, value=92.4, limit=80.0, unit="℃", raised_at=NOON, opened_at=NOON, count=1,
)  # fmt: skip


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn)
    yield pool
    await pool.close()


async def test_what_is_written_is_what_is_seen(pool: Pool, make_bus: MakeBus) -> None:
    clock, bus = HandClock(), Overheard(make_bus({}))
    ledger, samples = PgLedger(pool, "UTC", clock), PgSampleStore(pool)
    await samples.write([SampleBatch.at([1], NOON - MINUTE, [71.5])])
    async with ledger.begin() as tx:
        await tx.add_states([StateSpan(M1, EquipmentState.EXECUTING, NOON - 60 * MINUTE)])
        await tx.add_counts([Count(M1, NOON - n * MINUTE, True, 1, 60 - n) for n in range(1, 46)])
        job = JobOrder("MO1", "10", Words("冲压", "press"), L1, 120)
        await tx.save_order(WorkOrder("MO1", "A", Words("甲", "A"), 120, NOON + MINUTE, jobs=(job,)))
        await tx.add_response(JobResponse("r1", "MO1", "10", NOON - 5 * MINUTE, 60, 1, JobState.RUNNING))
    feed = Feed(small_plant(), ledger, samples, bus, clock, dict)
    task = asyncio.create_task(feed.run())
    try:
        async with feed.watch(("p1",)) as place:
            reader = Reader(place)
            await reader.next()
            machine, line = reader.board["machines"][M1], reader.board["lines"][L1]
            assert (machine["state"], machine["good"]) == ("executing", 45)
            assert machine["values"][TEMP1]["value"] == 71.5
            assert line["oee"]["performance"] == 0.75
            order = reader.board["orders"]["MO1"]
            assert order["operations"][0] | {"name": ""} == {
                "operation": "10", "name": "", "work_center": L1, "quantity": 120, "good": 60, "scrap": 1,
                "state": "running",
            }  # fmt: skip
            assert order["late_by"] == 59 * 60  # 60 more at 60 an hour

            async with ledger.begin() as tx:
                hot = await tx.save_alarm(HOT)
                ticket = MaintenanceTicket("AH-1", hot.id, M1, TicketState.NEW, NOON, NOON)
                await tx.save_ticket(ticket)
            await bus.listening()
            await bus.shout(EVENTS, orjson.dumps({"kind": "alarm", "id": hot.id}))
            await reader.next("patch")
            assert reader.board["alarms"][str(hot.id)]["ticket"] == "AH-1"
            assert reader.board["machines"][M1]["alarm"] == "critical"
    finally:
        task.cancel()
        await asyncio.wait([task])
    await until(lambda: feed.readers == 0)
