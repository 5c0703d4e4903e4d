"""Many rejects at once: found by source, kind and words, replayed or put aside together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from collectors.intake import Intake
from collectors.mes_push import MesDesk, MesPushSource
from hub.api.app import build
from hub.api.limits import Meter
from hub.model.people import Role
from hub.store.rejects import PgRejects
from tests.api_house import House, house
from tests.contract.mes.worlds import EVENTS, SECRET, Record, record

pytestmark = pytest.mark.anyio
ORDER, REPORT = EVENTS[0], EVENTS[1]


class Piles:
    def __init__(self, it: House, on: Record) -> None:
        self.it, self.record = it, on
        self.sources = {n: self._source(n) for n in ("a", "b")}
        self.intakes = {n: Intake(n, s, on.ledger, it.clock, on.shout) for n, s in self.sources.items()}
        doors = {n: MesDesk(s, self.intakes[n], it.clock) for n, s in self.sources.items()}
        it.deps = replace(it.deps, mes_doors=doors, rejects=PgRejects(on.pool))
        it.app = build(it.deps, meter=Meter(burst=1e9))

    def _source(self, name: str) -> MesPushSource:
        return MesPushSource(MesPushSource.Config.model_validate({"secrets": [SECRET]}), self.it.clock, name)

    async def spoilt(self) -> None:
        """Three reports of `a`, one of `b` and a labour whose person is 王芳 wait."""
        await self.intakes["a"].take([ORDER, *({**REPORT, "id": f"R-{n}", "good": "x"} for n in range(3))])
        labour = {**EVENTS[3], "person": "王芳", "labour_seconds": "long"}
        await self.intakes["b"].take([{**REPORT, "good": "x"}, labour])


@pytest.fixture
async def piles(dsn: str) -> AsyncIterator[Piles]:
    async with record(dsn) as on:
        yield Piles(house(), on)


async def found(planner: httpx.AsyncClient, query: str = "") -> tuple[list[str], int]:
    told = (await planner.get(f"/api/mes/rejects?{query}")).json()
    return [f"{r['source']} {r['event']}" for r in told["rejects"]], told["count"]


async def test_what_waits_is_counted_and_found_by_source_kind_and_words(piles: Piles) -> None:
    await piles.spoilt()
    async with piles.it.as_role(Role.PLANNER) as planner:
        assert await found(planner, "limit=2") == (["b H-1", "b R-1"], 5)
        assert (await found(planner, "source=a"))[1] == 3
        assert await found(planner, "source=b&kind=report") == (["b R-1"], 1)
        assert await found(planner, "text=王芳") == (["b H-1"], 1)
        assert (await found(planner, "text=须为整数"))[1] == 4
        assert (await found(planner, "text=%25"))[1] == 0
        assert (await planner.get("/api/mes/rejects?text=%00")).status_code == 400
        assert (await planner.get("/api/mes/rejects")).json()["waiting"] == {"a": 3, "b": 2}


async def test_those_that_were_chosen_and_all_of_a_source_are_replayed_and_put_aside(piles: Piles) -> None:
    await piles.spoilt()
    rows = await piles.record.rejects()
    await piles.record.rows(
        "update mes_rejects set record = replace(record, '\"x\"', '7') where source = 'a' returning 1"
    )
    async with piles.it.as_role(Role.PLANNER) as planner:
        ids = [r["id"] for r in rows if r["source"] == "a"][:2]
        told: Any = (await planner.post("/api/mes/rejects/replay", json={"ids": [*ids, 999999]})).json()
        assert told["counts"] == {"taken": 2}
        again = (await planner.post("/api/mes/rejects/replay", json={"text": "r-"})).json()
        assert again["counts"] == {"rejected": 1, "taken": 1}
        rest = {"source": "b", "reason": "试运行"}
        done = (await planner.post("/api/mes/rejects/aside", json=rest)).json()
        assert done["counts"] == {"aside": 2} and (await found(planner))[1] == 0
        assert (await planner.post("/api/mes/rejects/aside", json=rest)).json()["counts"] == {"aside": 0}
    assert sum(r["good"] for r in (await piles.record.everything())["reports"]) == 21


async def test_reports_without_their_order_are_listed_with_their_pieces(piles: Piles) -> None:
    await piles.intakes["a"].take([{**REPORT, "order": "NOPE"}])
    async with piles.it.as_role(Role.PLANNER) as planner:
        told = (await planner.get("/api/mes/unbound")).json()
    (one,) = told["unbound"]
    assert (told["count"], one["order"], one["order_known"], one["good"]) == (1, "NOPE", False, 3)
