"""What an MES tells of orders and operations that are not on record is kept, told, counted once they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from collectors.intake import Intake
from collectors.mes_house import House
from collectors.mes_unknown import Unknown
from hub.model.intake import Verdict
from hub.store.rejects import PgRejects
from hub.store.upkeep import Upkeep
from hub.testing.clock import HandClock
from tests.contract.mes.worlds import EVENTS, JOBS, Record, record
from tests.integration.test_mes_two_sources import good, intake

pytestmark = pytest.mark.anyio
ORDER, REPORT, MATERIAL = EVENTS[0], EVENTS[1], EVENTS[5]


@pytest.fixture
async def on(dsn: str) -> AsyncIterator[Record]:
    async with record(dsn) as it:
        yield it


async def told(of: Intake, event: Any) -> tuple[Verdict, list[str]]:
    (verdict,) = await of.take([event])
    return verdict, [f.field for f in verdict.notes]


async def test_a_report_before_its_order_is_kept_told_and_counted_when_the_order_comes(on: Record) -> None:
    mes = intake(on, "a")
    assert (await told(mes, REPORT))[1] == (await told(mes, MATERIAL))[1] == ["order"]
    await told(mes, {**REPORT, "id": "R-2", "good": 4})
    ((one,), count) = await PgRejects(on.pool).unbound()
    assert (one.order, one.operation, one.order_known, one.sources) == ("MO-1", "10", False, ["a"])
    assert (one.reports, one.good, one.scrap, one.postings, count) == (2, 7, 2, 1, 1)
    await mes.take([{**ORDER, "jobs": JOBS[1:]}])
    ((one,), _) = await PgRejects(on.pool).unbound()
    assert one.order_known
    assert (await told(mes, {**REPORT, "id": "R-3"}))[1] == ["operation"]
    await mes.take([{**ORDER, "id": "O-2"}])
    assert await good(on) == {"MO-1": 10}
    assert await PgRejects(on.pool).unbound() == ([], 0)


async def test_an_order_that_leaves_out_an_operation_with_pieces_keeps_them(on: Record) -> None:
    mes = intake(on, "a")
    await mes.take([ORDER, REPORT])
    assert (await told(mes, {**ORDER, "id": "O-2", "jobs": []}))[0].fate.value == "taken"
    assert [(p.job.operation, p.good, p.job.quantity) for p in await on.ledger.progress()] == [("10", 3, 3)]
    await mes.take([{**ORDER, "id": "O-3"}])
    assert [(p.job.operation, p.job.quantity) for p in await on.ledger.progress()] == [
        ("10", 100),
        ("20", 100),
    ]


async def test_a_posting_without_an_operation_needs_its_order_only(on: Record) -> None:
    mes, loose = intake(on, "a"), {**MATERIAL, "operation": ""}
    assert (await told(mes, loose))[1] == ["order"]
    await mes.take([ORDER])
    assert (await told(mes, {**loose, "id": "M-2"}))[1] == []
    assert await PgRejects(on.pool).unbound() == ([], 0)


async def test_equipment_that_the_plant_does_not_have_is_counted_and_said(on: Record) -> None:
    mes = intake(on, "a", House(places={"p1/a/l1": 1}))
    mes._unknown = unknown = Unknown()
    assert [f.field for f in (await mes.take([ORDER]))[0].notes] == ["jobs.work_center"]
    for n, place in enumerate(("M-07", "M-07", "p1/a/l1", "")):
        await mes.take([{**REPORT, "id": f"R-{n}", "equipment": place}])
    assert unknown.health() == {
        "unknown_places": ["report.equipment M-07 ×2", "order.jobs.work_center p1/a/l2 ×1"]
    }


async def test_blanks_around_a_code_are_no_part_of_it(on: Record) -> None:
    mes = intake(on, "a")
    await mes.take([ORDER, {**REPORT, "order": " MO-1 ", "operation": "10\u3000"}])
    assert await good(on) == {"MO-1": 3}
    verdict, _ = await told(mes, {**REPORT, "id": "R-2", "order": "  "})
    assert [f.field for f in verdict.faults] == ["order"]


async def test_the_check_of_a_correction_says_what_taking_it_would(on: Record) -> None:
    mes = intake(on, "a")
    await mes.take([ORDER, REPORT])
    other = {**REPORT, "good": 99}
    for take in (False, True):
        verdict = await mes.correct(other, take=take)
        assert (verdict.fate.value, [f.field for f in verdict.faults]) == ("rejected", ["id"])
        assert (await mes.correct(REPORT, take=take)).fate.value == "repeat"
    asked = await mes.correct({**REPORT, "id": "R-5", "operation": "77"}, take=False)
    assert (asked.fate.value, [f.field for f in asked.notes]) == ("taken", ["operation"])
    assert await good(on) == {"MO-1": 3} and await PgRejects(on.pool).unbound() == ([], 0)
    assert len((await on.everything())["intents"]) == 1


async def test_what_has_found_its_order_is_let_go_by_the_upkeep(on: Record) -> None:
    mes = intake(on, "a")
    await mes.take([REPORT, {**REPORT, "id": "R-2", "order": "NOPE"}, ORDER])
    await Upkeep(on.pool, HandClock()).round(datetime(2099, 1, 1, tzinfo=UTC))
    assert [r["work_order"] for r in await on.rows("select * from unbound_jobs")] == ["NOPE"]
