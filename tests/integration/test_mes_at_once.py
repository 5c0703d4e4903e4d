"""Batches at once that touch the same orders: all of them are taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from collectors import intake as intakes
from collectors.intake import Intake
from collectors.mes_push import MesPushSource
from collectors.mes_unknown import Unknown
from hub import patience
from hub.errors import RecordAway
from hub.testing.clock import HandClock
from tests.contract.mes.worlds import ORDER, SECRET, Record, record

pytestmark = pytest.mark.anyio


ORDERS = [{**ORDER, "id": f"O-{n}", "number": f"MO-{n}", "colour": "red"} for n in range(3)]
TAKEN, REPEAT = ["taken"] * 3, ["repeat"] * 3


class Hindered(Intake):
    """Does something once it has written its first event."""

    then: Callable[[], Awaitable[Any]] | None = None

    async def _write(self, *of: Any) -> bool:
        done = await super()._write(*of)
        then, self.then = self.then, None
        if then:
            await then()
        return done


def made(on: Record, unknown: Unknown | None = None) -> Hindered:
    clock = HandClock()
    source = MesPushSource(MesPushSource.Config.model_validate({"secrets": [SECRET]}), clock, "mes")
    return Hindered("mes", source, on.ledger, clock, on.shout, unknown=unknown)


def soon(dsn: str) -> None:
    """Who waits in a circle is found at once and not after a second."""
    name = sql.Identifier(str(conninfo_to_dict(dsn)["dbname"]))
    with psycopg.connect(dsn, autocommit=True) as line:
        line.execute(sql.SQL("alter database {} set deadlock_timeout = '10ms'").format(name))


async def test_two_processes_that_write_in_opposite_order_are_both_heard(dsn: str) -> None:
    soon(dsn)
    async with record(dsn) as here, record(dsn) as there:
        met, unknown = asyncio.Barrier(2), Unknown()
        one, two = made(here, unknown), made(there, unknown)
        one.then = two.then = met.wait
        said = await asyncio.gather(one.take(ORDERS), two.take(ORDERS[::-1]))
        fates = sorted([v.fate.value for v in verdicts] for verdicts in said)
        assert fates == [REPEAT, TAKEN] and len((await here.everything())["orders"]) == 3
        assert unknown.health() == {
            "unknown_fields": ["order.colour ×3"]
        }  # not once more for what was undone
        assert [e["number"] for e in (*here.shouted, *there.shouted)] == ["MO-0", "MO-1", "MO-2"]


async def test_batches_of_one_process_take_turns(dsn: str) -> None:
    async with record(dsn) as on:
        one, two = made(on), made(on)
        second: list[asyncio.Task[Any]] = []
        wrote = asyncio.Event()

        async def note() -> None:
            wrote.set()

        async def meanwhile() -> None:
            second.append(asyncio.create_task(two.take(ORDERS[::-1])))
            for _ in range(20):  # round trips in which it would have written
                await on.ledger.orders()
            assert not wrote.is_set()

        one.then, two.then = meanwhile, note
        assert [v.fate.value for v in await one.take(ORDERS)] == TAKEN
        assert [v.fate.value for v in await second[0]] == REPEAT


async def test_a_push_does_not_wait_for_ever_for_its_turn(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "TURN", 0.0)
    async with record(dsn) as on:
        one, two = made(on), made(on)

        async def meanwhile() -> None:
            with patience.patient_for(4), pytest.raises(RecordAway, match="others have been writing"):
                await two.take(ORDERS[::-1])

        one.then = meanwhile
        assert [v.fate.value for v in await one.take(ORDERS)] == TAKEN
