"""Samples of process parameters on a real server: bound to what ran at their own time, and kept right."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.kpi import job_spans as kpi
from hub.model.batch import SampleBatch
from hub.model.erp import PostingKind
from hub.model.parameter import ParameterLimits, ProcessParameter
from hub.model.production import JobOrder, JobResponse, JobState, Posting, WorkOrder
from hub.model.sample import BAD_NO_COMMUNICATION, Tag
from hub.model.words import Words
from hub.store import job_reports, job_spans, parameter_book
from hub.store.binding import Binding, register
from hub.store.edition import Edition
from hub.store.job_spans import follow
from hub.store.ledger import PgLedger
from hub.store.parameter_book import PgParameterBook
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_table import TagTable
from hub.store.upkeep import Keep, edition_of, retain
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio

LINE = "p1/stamping/l1"
PRESS, OTHER = f"{LINE}/press-01", f"{LINE}/press-02"
W = Words("", "")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


class Plant:
    """A record with two presses; oil and pressure of the first are process parameters."""

    def __init__(self, pool: Pool, numbers: dict[str, int], *, copy: bool = True) -> None:
        marks = {f"{PRESS}/oil": ProcessParameter(W, 20, 80), f"{PRESS}/bar": ProcessParameter(W)}
        self.tags = {p: Tag(n, p, W, parameter=marks.get(p)) for p, n in numbers.items()}
        self.oil, self.bar = numbers[f"{PRESS}/oil"], numbers[f"{PRESS}/bar"]
        self.plain = numbers[f"{OTHER}/oil"]
        self.pool, self.ledger = pool, PgLedger(pool)
        self.samples = PgSampleStore(pool, copy=copy)
        self.samples.bind(Binding(self.tags.values()))
        self._said = 0

    async def store(self, *rows: tuple[int, float, float], historical: bool = False) -> None:
        batches = [SampleBatch.at([t], at(m), [v]) for t, m, v in rows]
        await self.samples.write(
            [SampleBatch(b.tags, b.source_times, b.values, b.statuses, "", historical) for b in batches]
        )

    async def report(self, minutes: float, order: str, state: str = "running", place: str = PRESS) -> None:
        self._said += 1
        async with self.ledger.begin() as tx:
            await tx.add_response(
                JobResponse(
                    f"R{self._said}", order, "10", at(minutes), state=JobState(state), equipment=place
                )
            )

    async def issue(self, minutes: float, order: str, lot: str) -> None:
        self._said += 1
        async with self.ledger.begin() as tx:
            await tx.add_posting(
                Posting(f"P{self._said}", PostingKind.ISSUE, order, "10", at(minutes), "STEEL", 1.0, lot=lot)
            )

    async def bound(self, tag: int | None = None) -> list[tuple[float, str, str]]:
        """(minutes, order, its lots) of each stored sample of a process parameter, in order of time."""
        async with self.pool.connection() as connection:
            rows = await (await connection.execute(BOUND, {"tag": tag})).fetchall()
        return [((r["ts"] - NOON).total_seconds() / 60, r["work_order"], r["lots"]) for r in rows]


BOUND = """
select p.ts, coalesce(s.work_order, '-') as work_order, coalesce(array_to_string(s.lots, ','), '') as lots
from parameter_samples p left join job_spans s on s.id = p.span
where %(tag)s::integer is null or p.tag = %(tag)s order by p.ts, p.tag
"""


async def made(pool: Pool, *, copy: bool = True) -> Plant:
    numbers = await TagTable(pool).number([f"{PRESS}/oil", f"{PRESS}/bar", f"{OTHER}/oil"])
    plant = Plant(pool, numbers, copy=copy)
    await register(pool, plant.tags)
    return plant


@pytest.fixture
async def plant(any_dsn: str) -> AsyncIterator[Plant]:
    pool = await open_pool(any_dsn)
    yield await made(pool)
    await pool.close()


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    found = await open_pool(dsn)
    yield found
    await found.close()


async def test_samples_are_bound_to_what_ran_at_their_own_time(plant: Plant) -> None:
    await plant.issue(-30, "MO-1", "S1")
    await plant.report(0, "MO-1")
    await plant.report(10, "MO-1", "done")
    await plant.report(20, "MO-2")
    late = [(plant.oil, m, 50.0) for m in (5, 15, 25, -5)]
    await plant.store(*late, (plant.bar, 9, 200.0), (plant.plain, 5, 1.0))
    assert await plant.bound() == [
        (-5, "-", ""), (5, "MO-1", "S1"), (9, "MO-1", "S1"), (15, "", ""), (25, "MO-2", ""),
    ]  # fmt: skip
    assert len(await plant.samples.since([plant.oil, plant.bar, plant.plain], at(-60))) == 6


async def test_a_start_and_a_lot_that_come_late_move_what_is_stored_already(plant: Plant) -> None:
    await plant.report(0, "MO-1")
    await plant.store(*((plant.oil, m, 50.0) for m in range(0, 20, 2)))
    assert {order for _, order, _ in await plant.bound()} == {"MO-1"}
    await plant.report(5, "MO-2")
    await plant.issue(10, "MO-2", "S9")
    await plant.report(15, "MO-2", "done")
    told = await plant.bound()
    assert [order for _, order, _ in told] == ["MO-1"] * 3 + ["MO-2"] * 5 + [""] * 2
    assert [lots for _, order, lots in told if order == "MO-2"] == ["", "", "S9", "S9", "S9"]


async def test_a_replay_of_yesterday_is_bound_to_yesterdays_order(plant: Plant) -> None:
    await plant.report(-1440, "MO-0")
    await plant.report(0, "MO-1")
    await plant.store((plant.oil, -1430, 1.0), (plant.oil, 1, 2.0), historical=True)
    assert [order for _, order, _ in await plant.bound()] == ["MO-0", "MO-1"]


async def test_a_report_about_the_line_and_one_that_names_no_place_count_for_its_machines(
    plant: Plant,
) -> None:
    job = JobOrder("MO-2", "10", W, LINE, 5)
    async with plant.ledger.begin() as tx:
        await tx.save_order(WorkOrder("MO-2", "A", W, 5, at(600), jobs=(job,)))
    await plant.report(0, "MO-1", place=LINE)
    await plant.report(10, "MO-2", place="")
    await plant.report(20, "MO-3", place=OTHER)
    await plant.store((plant.oil, 5, 1.0), (plant.oil, 15, 1.0), (plant.oil, 25, 1.0))
    assert [order for _, order, _ in await plant.bound()] == ["MO-1", "MO-2", "MO-2"]


async def test_nothing_is_stored_between_a_moved_span_and_its_samples(plant: Plant) -> None:
    """A batch that is stored while a start is put on record waits for it, and is bound to it."""
    await plant.report(0, "MO-1")
    async with plant.ledger.begin() as tx:
        await tx.add_response(JobResponse("late", "MO-2", "10", at(5), equipment=PRESS))
        await tx.settle()  # the span has moved and is not committed yet
        storing = asyncio.create_task(plant.store((plant.oil, 6, 1.0)))
        await waiting_for_a_lock(plant.pool)
    await storing
    assert await plant.bound() == [(6, "MO-2", "")]


async def test_both_ways_in_store_the_same(pool: Pool) -> None:
    plant = await made(pool, copy=False)
    await plant.report(0, "MO-1")
    await plant.samples.write([SampleBatch.at([plant.oil], at(1), [float("nan")], "", BAD_NO_COMMUNICATION)])
    assert await plant.bound() == [(1, "MO-1", "")]


async def test_a_plant_that_marks_nothing_stores_nothing_twice(pool: Pool) -> None:
    plant = await made(pool)
    bare = {p: Tag(t.number, p, W) for p, t in plant.tags.items()}
    assert await register(pool, bare) == 0
    plant.samples.bind(Binding(bare.values()))
    await plant.report(0, "MO-1")
    await plant.store((plant.oil, 1, 1.0))
    assert await plant.bound() == []


async def test_a_machine_that_is_marked_later_is_caught_up_with_its_reports(pool: Pool) -> None:
    plant = await made(pool)
    await register(pool, {})
    await plant.report(0, "MO-1")
    await plant.report(10, "MO-2")
    assert await register(pool, plant.tags) == 2
    await plant.store((plant.oil, 5, 1.0), (plant.oil, 15, 1.0))
    assert [order for _, order, _ in await plant.bound()] == ["MO-1", "MO-2"]


async def test_a_report_told_twice_and_one_undone_change_nothing(plant: Plant) -> None:
    await plant.report(0, "MO-1")
    await plant.store((plant.oil, 5, 1.0))
    before = await plant.bound()
    with pytest.raises(ZeroDivisionError):
        async with plant.ledger.begin() as tx:
            await tx.add_response(JobResponse("gone", "MO-9", "10", at(2), equipment=PRESS))
            1 / 0  # noqa: B018
    await plant.report(3, "MO-1")
    assert await plant.bound() == before


async def waiting_for_a_lock(pool: Pool) -> None:
    async with asyncio.timeout(30), pool.connection() as connection:
        while True:
            row = await (await connection.execute(WAITING)).fetchone()
            if row and row["n"]:
                return
            await asyncio.sleep(0)


WAITING = "select count(*) as n from pg_locks where not granted and locktype = 'advisory'"


# ------------------------------------------------------------------ what is asked of them afterwards
async def test_an_order_is_told_by_operation_machine_and_parameter_with_what_lay_outside(
    plant: Plant,
) -> None:
    await plant.report(0, "MO-1")
    await plant.report(10, "MO-2")
    await plant.report(20, "MO-1")
    await plant.report(30, "MO-1", "done")
    rows = [(0, 30.0), (5, 90.0), (12, 500.0), (25, 10.0), (31, 500.0)]
    await plant.store(*((plant.oil, m, v) for m, v in rows), (plant.bar, 1, 7.0), (plant.oil, 26, math.nan))
    book = PgParameterBook(plant.pool)
    spans = await book.spans("MO-1")
    assert [(s.since, s.until) for s in spans] == [(at(0), at(10)), (at(20), at(30))]
    limits = [ParameterLimits(plant.oil, 20, 80), ParameterLimits(plant.bar, None, None)]
    oil, bar = sorted(await book.figures(spans, limits), key=lambda f: f.tag != plant.oil)
    assert (oil.samples, oil.bad, oil.outside) == (4, 1, 2)
    assert (oil.low, oil.high, oil.first_at, oil.last_at) == (10, 90, at(0), at(26))
    assert oil.mean == pytest.approx(130 / 3) and oil.deviation == pytest.approx(41.63, abs=0.01)
    assert (bar.samples, bar.outside, bar.deviation, bar.operation) == (1, 0, None, "10")
    curve = await book.curve(spans, plant.oil, 2)
    assert sum(low <= mean <= high for _, mean, low, high in curve) == len(curve)
    assert (min(p[2] for p in curve), max(p[3] for p in curve)) == (10, 90)
    assert await book.curve(await book.spans("MO-9"), plant.oil, 2) == []


async def test_every_sample_comes_once_however_long_the_pages(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameter_book, "PAGE", 3)
    await plant.issue(0, "MO-1", "S1")
    await plant.report(0, "MO-1")
    rows = [(tag, m, float(m)) for m in range(7) for tag in (plant.oil, plant.bar)]
    await plant.store(*rows)
    book = PgParameterBook(plant.pool)
    spans = await book.spans("MO-1")
    found = [s async for s in book.samples(spans, [plant.oil, plant.bar])]
    assert sorted((s.at, s.tag) for s in found) == sorted((at(m), tag) for tag, m, _ in rows)
    assert {(s.order, s.operation, s.equipment, s.lots[0].lot) for s in found} == {
        ("MO-1", "10", PRESS, "S1")
    }


async def test_a_page_looks_at_its_own_samples_and_not_at_all_that_lie_behind_it(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else reading an order takes as long as the square of its samples: 16,000 of 20,000 in 32 pages."""
    monkeypatch.setattr(parameter_book, "PAGE", 500)
    pool = await open_pool(dsn, max_size=1)  # the server counts for each connection what it has read
    plant = await made(pool)
    for minutes, order in ((0, "MO-1"), (100, "MO-2"), (1000, "MO-1")):
        await plant.report(minutes, order)
    async with pool.connection() as connection:
        await connection.execute(MANY, {"tags": [plant.oil, plant.bar], "start": at(0)})
        await connection.execute("vacuum analyze parameter_samples")
    book = PgParameterBook(pool)
    spans = await book.spans("MO-1")
    before = await looked_at(pool)
    found = [s.at async for s in book.samples(spans, [plant.oil, plant.bar])]
    assert len(found) == 16_000 and found == sorted(found)
    assert await looked_at(pool) - before < 4 * len(found)
    await pool.close()


# Two tags, a sample of each every 3 s: two thirds of them 15 hours after the others.
MANY = """
insert into parameter_samples (ts, tag, value, status, span)
select at, tag, 1, 0, (select id from job_spans where since <= at order by since desc limit 1)
from generate_series(0, 9999) n, unnest(%(tags)s::integer[]) tag,
    lateral (select %(start)s::timestamptz + n * interval '3 s' + case when n < 4000 then interval '0'
        else interval '15 h' end as at) times
order by at
"""


async def looked_at(pool: Pool) -> int:
    """Samples of process parameters that the server has read."""
    async with pool.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        row = await (await connection.execute(READ)).fetchone()
    return int(row["n"]) if row else -1


READ = """
select seq_tup_read + idx_tup_fetch as n from pg_stat_user_tables where relname = 'parameter_samples'
"""


async def test_a_lot_leads_to_what_it_went_into_and_to_what_it_came_out_of(plant: Plant) -> None:
    await plant.issue(-1, "MO-1", "S1")
    await plant.issue(10, "MO-1", "S2")
    await plant.report(0, "MO-1")
    await plant.report(20, "MO-2")
    async with plant.ledger.begin() as tx:
        done = Posting("F1", PostingKind.RECEIPT, "MO-2", "10", at(30), "A", 5.0, lot="FIN-7")
        await tx.add_posting(done)
    book = PgParameterBook(plant.pool)
    assert [(s.since, s.until) for s in await book.spans_with("S1")] == [(at(0), at(10))]
    assert [s.order for s in await book.spans_with("S2")] == ["MO-1"]
    assert [s.order for s in await book.spans_with("FIN-7")] == ["MO-2"]
    assert await book.spans_with("nothing") == []


async def test_parameters_outlive_the_raw_samples_and_are_let_go_in_their_turn(plant: Plant) -> None:
    await plant.report(-60 * 24 * 40, "MO-1")
    await plant.store(*((plant.oil, -60 * 24 * days, 1.0) for days in (1, 8, 30)))
    async with plant.pool.connection() as connection:
        edition = await edition_of(connection)
        await retain(connection, edition, NOON, Keep(parameters=timedelta(days=16)), HandClock())
    assert [(m, order) for m, order, _ in await plant.bound()] == [
        (-60 * 24 * 8, "MO-1"), (-60 * 24, "MO-1"),
    ]  # fmt: skip


class Busy(HandClock):
    """Whose seconds go by whenever somebody looks at it."""

    def monotonic(self) -> float:
        self.turn(1)
        return super().monotonic()


async def test_old_parameters_go_for_as_long_as_a_round_has_and_the_rest_with_the_next(pool: Pool) -> None:
    """However fast they come, so fast they go: 25,000 are more than one statement takes."""
    plant = await made(pool)
    await plant.store((plant.oil, -60 * 24, 1.0))

    async def left_after(clock: HandClock) -> list[int]:
        out = []
        async with pool.connection() as connection:
            await connection.execute(OLD, {"tags": [plant.oil, plant.bar], "start": at(-60 * 24 * 20)})
            while not out or (out[-1] > 1 and len(out) < 20):
                await retain(connection, Edition.PLAIN, NOON, Keep(parameters=timedelta(days=16)), clock)
                row = await (await connection.execute(COUNT)).fetchone()
                out.append(int(row["n"]) if row else -1)
        return out

    assert await left_after(HandClock()) == [1]
    several = await left_after(Busy())
    assert 25_001 > several[0] > 1 and several == sorted(several, reverse=True) and several[-1] == 1


OLD = """
insert into parameter_samples (ts, tag, value, status, span)
select %(start)s::timestamptz + n * interval '300 ms', tag, 1, 0, 0
from generate_series(1, 12500) n, unnest(%(tags)s::integer[]) tag
"""
COUNT = "select count(*) as n from parameter_samples"
REPORTED = """
insert into job_responses (id, work_order, operation, at, good, scrap, state, equipment, person,
    labour_seconds, stated)
select 'old-' || n, 'MO-' || mod(n, 7), '10', %s::timestamptz + n * interval '1 s' * %s, 1, 0, 'running',
    %s, '', 0, %s
from generate_series(1, 3000) n
"""


@pytest.mark.parametrize("states", [True, False])
async def test_a_late_report_asks_for_none_of_those_that_it_cannot_change(
    pool: Pool, states: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = await made(pool)
    async with plant.pool.connection() as connection:
        await connection.execute(REPORTED, [at(0), 1, PRESS, states])
        await follow(connection, PRESS, at(-100))
    read: list[int] = []
    heard = job_spans.told

    async def counted(*asked: Any) -> Any:
        found = await heard(*asked)
        read.append(len(found.reports))
        return found

    monkeypatch.setattr(job_spans, "told", counted)
    await plant.store((plant.oil, -4, 1), (plant.oil, 0.01, 2), (plant.oil, 20, 3))
    before = await plant.bound()
    async with plant.ledger.begin() as tx:
        await tx.add_response(JobResponse("late", "LATE", "10", at(-5), 1, equipment=PRESS, stated=states))
    assert read[0] < 10
    assert [order for _, order, _ in before] == ["-", "-", "MO-3"]
    assert [order for _, order, _ in await plant.bound()] == ["LATE", "LATE", "MO-3"]


async def test_many_reports_of_one_instant_are_not_read_again_with_each_that_joins_them(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = await made(pool)
    async with plant.pool.connection() as connection:
        await connection.execute(REPORTED, [at(0), 0, PRESS, False])
        await follow(connection, PRESS, at(-100))
    read: list[int] = []
    page = job_reports._Asked.page

    async def counted(*asked: Any) -> Any:
        found = await page(*asked)
        read.append(len(found))
        return found

    monkeypatch.setattr(job_reports._Asked, "page", counted)
    async with plant.ledger.begin() as tx:
        late = JobResponse("older", "LAST", "10", at(0), 1, equipment=PRESS, stated=False)
        await tx.add_response(late)
    assert sum(read) < 10
    await plant.store((plant.oil, 1, 1))
    assert [order for _, order, _ in await plant.bound()] == ["LAST"]


@pytest.mark.parametrize("seed", range(3))
async def test_reports_in_any_order_and_company_give_the_spans_of_all_of_them(pool: Pool, seed: int) -> None:
    dice = random.Random(seed)
    await made(pool)
    every = [
        JobResponse(
            f"R{n}", dice.choice("ABC"), dice.choice(["10", "20"]), at(dice.randrange(12)), 1,
            state=dice.choice([JobState.RUNNING, JobState.RUNNING, JobState.DONE]), equipment=PRESS,
            stated=dice.random() < (0.2, 0.6, 1)[seed % 3],
        )
        for n in range(40)
    ]  # fmt: skip
    dice.shuffle(every)
    ledger, heard = PgLedger(pool), list[JobResponse]()
    while every:
        some = [every.pop() for _ in range(min(dice.randrange(1, 4), len(every)))]
        heard += some
        async with ledger.begin() as tx:
            for report in some:
                await tx.add_response(report)
    meant = kpi.job_spans(PRESS, None, at(-1), heard, [])
    async with pool.connection() as connection:
        query = "select since, work_order, operation from job_spans where equipment = %s order by since"
        rows = await (await connection.execute(query.encode(), [PRESS])).fetchall()
    assert [(r["since"], r["work_order"], r["operation"]) for r in rows] == [
        (s.since, s.order, s.operation) for s in meant
    ]


async def test_a_state_that_is_told_late_counts_for_the_counts_behind_it(pool: Pool) -> None:
    plant = await made(pool)
    counts = [JobResponse(f"C{n}", "A", "10", at(n), 1, equipment=PRESS, stated=False) for n in (5, 6)]
    for report in (*counts, JobResponse("S", "A", "10", at(0), state=JobState.DONE, equipment=PRESS)):
        async with plant.ledger.begin() as tx:
            await tx.add_response(report)
    await plant.store((plant.oil, 7, 1))
    assert [order for _, order, _ in await plant.bound()] in (["-"], [""])
