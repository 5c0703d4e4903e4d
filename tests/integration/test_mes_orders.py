"""Orders as an MES tells them: their state and end in a house without an ERP, words that come out of turn,
counts that are no starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from collectors.intake import Intake
from collectors.mes_house import House
from collectors.mes_push import MesPushSource
from hub.testing.clock import HandClock
from tests.contract.mes.worlds import EVENTS, SECRET, Record, record

pytestmark = pytest.mark.anyio
ORDER, REPORT = EVENTS[0], EVENTS[1]
ALONE = House(erp=False)


@pytest.fixture
async def on(dsn: str) -> AsyncIterator[Record]:
    async with record(dsn) as it:
        yield it


def intake(on: Record, house: House = ALONE) -> Intake:
    clock = HandClock()
    source = MesPushSource(MesPushSource.Config.model_validate({"secrets": [SECRET]}), clock, "mes")
    return Intake("mes", source, on.ledger, clock, on.shout, house=house)


def order(id_: str, **more: Any) -> dict[str, Any]:
    return {**ORDER, "id": id_, **more}


def report(id_: str, minute: int, operation: str = "10", **more: Any) -> dict[str, Any]:
    bare = {k: v for k, v in REPORT.items() if k != "state"}
    return {**bare, "id": id_, "operation": operation, "at": f"2026-01-05T11:{minute:02}:00Z", **more}


async def fates(of: Intake, *events: Any) -> list[str]:
    return [v.fate.value for v in await of.take(events)]


async def state(on: Record) -> str:
    [row] = await on.rows("select state, ended_at is not null as ended from work_orders")
    return f"{row['state']}{' ended' if row['ended'] else ''}"


async def states(on: Record) -> dict[str, str]:
    return {p.job.operation: p.state.value for p in await on.ledger.progress()}


async def test_an_older_word_about_an_order_does_not_come_over_a_newer_one(on: Record) -> None:
    mes = intake(on)
    new = order("v2", quantity=20, changed_at="2026-01-05T10:00:00Z")
    old = order("v1", quantity=10, changed_at="2026-01-05T09:00:00Z")
    assert await fates(mes, new, old) == ["taken", "repeat"]
    assert [r["quantity"] for r in await on.rows("select quantity from work_orders")] == [20]
    assert await fates(mes, order("v3", quantity=30, changed_at="2026-01-05T10:00:01Z")) == ["taken"]
    assert [r["quantity"] for r in await on.rows("select quantity from work_orders")] == [30]


async def test_without_an_erp_the_mes_says_when_an_order_is_cancelled_or_goes_on(on: Record) -> None:
    mes = intake(on)
    await mes.take([order("a")])
    assert await fates(mes, order("b", state="cancelled")) == ["taken"]
    assert await state(on) == "cancelled ended"
    assert await fates(mes, order("c", quantity=7)) == ["taken"]
    assert await state(on) == "cancelled ended", "who says nothing of it changes nothing"
    assert await fates(mes, order("d", state="released")) == ["taken"]
    assert await state(on) == "released"


async def test_with_an_erp_the_state_is_the_offices_word(on: Record) -> None:
    mes = intake(on, House())
    await mes.take([order("a"), order("b", state="cancelled")])
    assert await state(on) == "released"


async def test_without_an_erp_an_order_ends_with_its_last_operation_and_comes_back_when_one_runs_again(
    on: Record,
) -> None:
    mes = intake(on)
    operations = [j["operation"] for j in ORDER["jobs"]]
    await mes.take([ORDER, *(report(f"d{n}", n, n_, state="done") for n, n_ in enumerate(operations[:-1]))])
    assert await state(on) == "released"
    await mes.take([report("last", 20, operations[-1], state="done")])
    assert await state(on) == "completed ended"
    await mes.take([report("count", 30, operations[-1], good=1)])
    assert await state(on) == "completed ended", "a count starts nothing"
    await mes.take([report("again", 40, operations[-1], state="running")])
    assert await state(on) == "released"


async def test_with_an_erp_reports_end_no_order(on: Record) -> None:
    mes = intake(on, House())
    operations = [j["operation"] for j in ORDER["jobs"]]
    await mes.take([ORDER, *(report(f"d{n}", n, n_, state="done") for n, n_ in enumerate(operations))])
    assert await state(on) == "released"


async def test_a_late_count_opens_nothing_that_is_done_and_is_counted(on: Record) -> None:
    mes = intake(on)
    await mes.take([ORDER, report("r1", 1, good=3), report("r2", 2, state="done", good=1)])
    await mes.take([report("r3", 9, good=2)])
    assert (await states(on))["10"] == "done"
    assert {p.job.operation: p.good for p in await on.ledger.progress()}["10"] == 6


async def test_where_only_counts_are_told_what_is_counted_runs(on: Record) -> None:
    await intake(on).take([ORDER, report("r1", 1, good=3)])
    assert (await states(on))["10"] == "running"


async def test_a_report_that_names_what_it_corrects_takes_pieces_back(on: Record) -> None:
    mes = intake(on, House())
    bare = {k: v for k, v in REPORT.items() if k not in ("state", "scrap")}
    await mes.take([ORDER, {**bare, "id": "r1", "good": 5}])
    [refused] = await mes.take([{**bare, "id": "r2", "good": -2}])
    assert [(f.field, "corrects" in f.text.en) for f in refused.faults] == [("good", True)]
    assert await fates(mes, {**bare, "id": "r2", "good": -2, "corrects": "r1"}) == ["taken"]
    assert {p.job.operation: p.good for p in await on.ledger.progress()}["10"] == 3
    [row] = await on.rows("select corrects from job_responses where id = 'r2'")
    assert row["corrects"] == "r1"
