"""Two MES that number their reports alike; what was on record before it was kept who told it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from collectors.intake import Intake
from collectors.mes_house import House
from collectors.mes_push import MesPushSource
from hub.store.outbox import PgOutbox
from hub.testing.clock import HandClock
from tests.contract.mes.worlds import EVENTS, SECRET, Record, record

pytestmark = pytest.mark.anyio
ORDER, REPORT, MATERIAL = EVENTS[0], EVENTS[1], EVENTS[5]
OTHER_ORDER = {**ORDER, "number": "MO-2", "id": "O-2"}


@pytest.fixture
async def on(dsn: str) -> AsyncIterator[Record]:
    async with record(dsn) as it:
        yield it


def intake(on: Record, name: str, house: House | None = None) -> Intake:
    clock = HandClock()
    source = MesPushSource(MesPushSource.Config.model_validate({"secrets": [SECRET]}), clock, name)
    return Intake(name, source, on.ledger, clock, on.shout, house=house)


async def fates(of: Intake, *events: Any) -> list[str]:
    return [v.fate.value for v in await of.take(events)]


async def good(on: Record) -> dict[str, int]:
    return {p.job.order: p.good for p in await on.ledger.progress() if p.job.operation == "10"}


async def test_ids_are_unique_within_their_source_and_the_erp_is_told_of_both(on: Record) -> None:
    a, b = intake(on, "a"), intake(on, "b")
    assert await fates(a, ORDER, OTHER_ORDER, REPORT, MATERIAL) == ["taken"] * 4
    told = [{**REPORT, "order": "MO-2", "good": 7}, {**MATERIAL, "order": "MO-2", "quantity": 9.0}]
    assert await fates(b, *told) == ["taken"] * 2
    assert await good(on) == {"MO-1": 3, "MO-2": 7}
    keys = [i["key"] for i in (await on.everything())["intents"]]
    assert keys == ["post:issue:M-1", "post:issue:b:M-1", "report:R-1", "report:b:R-1"]
    assert {i["payload"].get("response") for i in (await on.everything())["intents"]} >= {"R-1", "b:R-1"}
    await on.rows(
        "delete from mes_events returning 1"
    )  # what is told again long after is a repeat all the same
    assert await fates(b, *told) == ["repeat"] * 2
    assert await fates(a, REPORT, MATERIAL) == ["repeat"] * 2
    assert await good(on) == {"MO-1": 3, "MO-2": 7}


async def test_even_the_same_words_of_two_sources_are_two_reports(on: Record) -> None:
    house = House(peers=("a", "b"))
    for name in ("a", "b"):
        await intake(on, name, house).take([ORDER, REPORT])
    assert await good(on) == {"MO-1": 6}


async def test_what_was_on_record_before_sources_were_kept_is_not_booked_again(on: Record) -> None:
    await intake(on, "a").take([ORDER, OTHER_ORDER, REPORT, MATERIAL])
    for table in ("job_responses", "postings"):
        await on.rows(f"update {table} set source = '' returning 1")
    await on.rows("delete from mes_events returning 1")
    assert await fates(intake(on, "a"), REPORT, MATERIAL) == ["repeat"] * 2
    assert await fates(intake(on, "b"), {**REPORT, "order": "MO-2"}) == ["taken"]
    assert [i["key"] for i in (await on.everything())["intents"]] == [
        "post:issue:M-1", "report:R-1", "report:b:R-1",
    ]  # fmt: skip


async def test_a_source_that_was_renamed_and_reads_all_again_doubles_nothing(on: Record) -> None:
    await intake(on, "old", House(peers=("old",))).take([ORDER, REPORT, MATERIAL])
    new = intake(on, "new", House(peers=("new",)))
    assert await fates(new, REPORT, MATERIAL, {**REPORT, "at": "2026-01-05T09:00:01Z"}) == [
        "repeat", "repeat", "rejected",
    ]  # fmt: skip
    assert await good(on) == {"MO-1": 3}


async def test_where_there_is_no_erp_nothing_waits_for_one(on: Record) -> None:
    await intake(on, "a", House(erp=False)).take([ORDER, REPORT, MATERIAL])
    assert await good(on) == {"MO-1": 3} and not (await on.everything())["intents"]


async def test_what_lies_in_the_outbox_of_a_house_without_an_erp_is_no_figure(on: Record, dsn: str) -> None:
    await intake(on, "a").take([ORDER, REPORT, MATERIAL])
    with_one, without = PgOutbox(on.pool, dsn), PgOutbox(on.pool, dsn, erp=False)
    assert (await with_one.stats())["waiting"] == {"post": 1, "report-operation": 1}
    assert await without.stats() == {"waiting": {}, "oldest_seconds": {}, "dead": 0}
