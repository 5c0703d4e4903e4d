"""Records of an MES that is asked over HTTP and that cannot be read: kept with why, corrected, taken once."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from collectors.intake import Intake
from collectors.mes_http import MesHttpSource
from collectors.mes_push import MesDesk
from collectors.runner import MesRunner
from hub.model.intake import Uptake
from hub.store.rejects import PgRejects
from hub.testing.clock import HandClock
from tests.contract.mes.worlds import Record, record
from tests.integration.test_collector_mes_http import ORDER, REPORT, Mes

pytestmark = pytest.mark.anyio

BAD_ORDER = {**ORDER, "number": "WO-2", "due_at": "tomorrow"}
BAD_REPORT = {**REPORT, "id": 18, "good": "many"}


def _source(mes: Mes, clock: HandClock) -> MesHttpSource:
    block = {"base_url": f"http://127.0.0.1:{mes.port}"}
    return MesHttpSource(MesHttpSource.Config.model_validate(block), clock, "mes")


async def _read(mes: Mes, on: Record, clock: HandClock, reports: int, rejects: int) -> None:
    """One life of the source, until so much is on record."""
    runner = MesRunner("mes", lambda: _source(mes, clock), on.ledger, clock, on.shout)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        while len((await on.everything())["reports"]) < reports or len(await on.rejects()) < rejects:
            assert not task.done() or task.result()
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_report_from_a_clock_that_runs_ahead_is_kept_with_its_remedy(dsn: str) -> None:
    clock = HandClock()
    ahead = (clock.now() + timedelta(days=2)).isoformat()
    async with record(dsn) as on, Mes() as mes:
        mes.orders, mes.reports = [ORDER], [{**REPORT, "at": ahead}, {**REPORT, "id": 19}]
        await _read(mes, on, clock, 1, 1)
        (kept,) = await PgRejects(on.pool).those()
        assert kept.reason.en.startswith("at lies more than a day ahead")


async def test_what_cannot_be_read_waits_for_a_person_who_corrects_it_and_it_counts_once(dsn: str) -> None:
    clock = HandClock()
    async with record(dsn) as on, Mes() as mes:
        mes.orders = [ORDER, BAD_ORDER]
        mes.reports = [REPORT, BAD_REPORT, {**REPORT, "id": 19}, ["no", "report"]]
        await _read(mes, on, clock, 2, 3)
        book = PgRejects(on.pool)
        kept = {r.event: r for r in await book.those()}
        assert {(r.kind, r.event) for r in kept.values()} == {("order", "WO-2"), ("report", "18"), ("", "")}
        assert kept["WO-2"].reason.en.startswith("due_at must be a time")
        assert kept["18"].reason.zh == "good 须为整数"
        assert json.loads(kept["18"].record) == {"type": "report", "record": BAD_REPORT}

        source = _source(mes, clock)
        desk = MesDesk(source, Intake("mes", source, on.ledger, clock, on.shout), clock)
        assert (await desk.replay(kept["18"])).fate is Uptake.REJECTED
        draft: dict[str, Any] = json.loads(desk.draft(kept["18"]))
        made = await desk.correct(kept["18"], json.dumps(draft | {"good": 7}), take=True)
        assert made.verdict.fate is Uptake.TAKEN and [c.field for c in made.changes] == ["good"]
        draft = json.loads(desk.draft(kept["WO-2"]))
        fixed = await desk.correct(kept["WO-2"], json.dumps(draft | {"due_at": ORDER["due_at"]}), take=True)
        assert fixed.verdict.fate is Uptake.TAKEN

        mes.reports[1] = {**BAD_REPORT, "good": 7}  # the MES itself mends it later
        async with on.ledger.begin() as tx:
            await tx.set_mark("mes:mes", "")
        await _read(mes, on, clock, 3, 3)
        everything = await on.everything()
        assert {r["id"]: r["good"] for r in everything["reports"]} == {"17": 3, "18": 7, "19": 3}
        assert sorted(o["number"] for o in everything["orders"]) == ["WO-1", "WO-2"]
        assert len([i for i in everything["intents"] if "18" in i["key"]]) == 1


async def test_a_bad_order_that_is_polled_again_is_one_reject_of_one_connection(dsn: str) -> None:
    clock = HandClock()
    async with record(dsn) as on, Mes() as mes:
        mes.orders, mes.reports = [BAD_ORDER], [REPORT]
        runner = MesRunner("mes", lambda: _source(mes, clock), on.ledger, clock, on.shout)
        task = asyncio.create_task(runner.run())
        async with asyncio.timeout(10):
            while sum(path.endswith("/orders") for path, _, _ in mes.asked) < 4:
                clock.turn(2)
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [r["times"] for r in await on.rejects()] == [1]
