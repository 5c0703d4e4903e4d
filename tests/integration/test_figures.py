"""What the figures of a month are made of, as the record has it; and a customer's links on the record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.errors import Conflict, NotFound
from hub.model.erp import PostingKind, SalesOrder
from hub.model.exchange import Direction, Exchange, Outcome
from hub.model.order_link import OrderLink
from hub.model.production import JobResponse, JobState, Posting
from hub.store import sales
from hub.store.erp_book import PgErpBook
from hub.store.figures import PgFigures
from hub.store.ledger import PgLedger
from hub.store.pool import Pool, open_pool
from hub.store.sales import PgSales
from hub.testing.clock import NOON
from tests.api_house import order

pytestmark = pytest.mark.anyio

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
L1 = "p1/stamping/l1"
LINK = OrderLink("SO-1", "MO-1", "anna", NOON, NOON + DAY * 90)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    made = await open_pool(dsn)
    yield made
    await made.close()


async def exchanged(pool: Pool, document: str, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        await PgErpBook(pool).note(Exchange(NOON, Direction.OUT, "post", document, outcome))


async def test_of_what_was_booked_the_erp_has_taken_what_its_ledger_says(pool: Pool) -> None:
    async with PgLedger(pool).begin() as tx:
        await tx.save_order(order("MO-1", L1))
        for n, good in enumerate((30, 40, 5), 1):
            await tx.add_response(JobResponse(f"R{n}", "MO-1", "10", NOON, good, labour_seconds=60.0))
        for n, unit in enumerate(("kg", "kg", "m"), 1):
            await tx.add_posting(
                Posting(f"I{n}", PostingKind.ISSUE, "MO-1", "10", NOON, "STEEL", float(n), unit)
            )
        hours = Posting("H1", PostingKind.HOURS, "MO-1", "10", NOON, machine_seconds=600.0)
        await tx.add_posting(hours)
        await tx.add_posting(replace(hours, id="H2", at=NOON - DAY * 40))
    await exchanged(pool, "report:R1", Outcome.DEFERRED, Outcome.DONE)
    await exchanged(pool, "report:R2", Outcome.REFUSED)
    await exchanged(pool, "report:R3", Outcome.REFUSED, Outcome.ADOPTED)
    await exchanged(pool, "issue:I1", Outcome.DONE, Outcome.DONE)  # noted twice rather than not at all
    await exchanged(pool, "hours:H1", Outcome.SKIPPED)
    rows = await PgFigures(pool).costs(NOON - DAY, NOON + DAY)
    found = {(r["what"], r["item"], r["unit"]): (r["booked"], r["taken"]) for r in rows}
    assert found == {
        ("good", "", ""): (75.0, 35.0),
        ("report-labour", "", "s"): (180.0, 120.0),
        ("material", "STEEL", "kg"): (3.0, 1.0),
        ("material", "STEEL", "m"): (3.0, 0.0),
        ("machine", "", "s"): (600.0, 0.0),
    }
    (pieces,) = [r for r in rows if r["what"] == "good"]
    assert (pieces["documents"], pieces["documents_taken"], pieces["documents_refused"]) == (3, 2, 1)
    assert await PgFigures(pool).costs(NOON - DAY, NOON + DAY, "MO-2") == []


async def test_a_month_has_the_orders_that_were_due_in_it_with_all_their_reports(pool: Pool) -> None:
    async with PgLedger(pool).begin() as tx:
        for number, due in (("MO-1", NOON), ("MO-2", NOON + DAY)):
            await tx.save_order(replace(order(number, L1), due_at=due))
        await tx.add_response(JobResponse("R1", "MO-1", "10", NOON - DAY * 99, 3))
        await tx.add_response(JobResponse("R2", "MO-2", "10", NOON, 4))
    orders, reports = await PgFigures(pool).due(NOON, NOON + DAY)
    assert [o.number for o in orders] == ["MO-1"]
    assert [r.id for r in reports] == ["R1"]


async def test_what_was_issued_is_told_with_its_line_and_stock_by_day(pool: Pool) -> None:
    figures = PgFigures(pool)
    async with PgLedger(pool).begin() as tx:
        await tx.save_order(order("MO-1", L1))
        for n, operation in enumerate(("10", "10", "99"), 1):
            await tx.add_posting(Posting(f"I{n}", PostingKind.ISSUE, "MO-1", operation, NOON, "STEEL", 2.0))
    for day in range(3):
        await PgSales(pool).take_stock((NOON + DAY * day).date(), {"STEEL": 10.0 * day}, {})
    issued = await figures.issued(NOON - HOUR, NOON + HOUR)
    assert {r["work_center"]: r["quantity"] for r in issued} == {L1: 4.0, "": 2.0}
    assert await figures.stock(NOON - DAY, NOON + DAY * 2) == {"STEEL": [0.0, 10.0]}


# ------------------------------------------------------------------ links
async def test_a_link_is_found_by_its_hash_while_it_lasts(pool: Pool) -> None:
    book = PgSales(pool)
    made = await book.add_link("hash", LINK)
    assert await book.link_by("hash", NOON + HOUR) == made
    assert (await book.link(made.id)).seen_at == NOON + HOUR
    assert await book.link_by("other", NOON) is None
    assert await book.link_by("hash", NOON + DAY * 90) is None
    assert await book.revoke_link(made.id, "boss", NOON)
    assert not await book.revoke_link(made.id, "boss", NOON)
    assert await book.link_by("hash", NOON) is None
    with pytest.raises(NotFound):
        await book.link(made.id + 1)


async def test_links_of_one_order_are_listed_and_are_not_without_end(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sales, "MOST_LINKS", 2)
    book = PgSales(pool)
    first = await book.add_link("a", LINK)
    await book.add_link("b", replace(LINK, work_order="MO-7"))
    await book.add_link("c", replace(LINK, sales_order="", work_order="MO-1"))
    assert {x.work_order for x in await book.links("SO-1", "MO-1")} == {"MO-1", "MO-7"}
    assert [x.sales_order for x in await book.links("", "MO-1")] == [""]
    with pytest.raises(Conflict):
        await book.add_link("d", LINK)
    await book.revoke_link(first.id, "boss", NOON)
    await book.add_link("d", LINK)


async def test_an_ended_orders_progress_is_still_there_for_its_customer(pool: Pool) -> None:
    async with PgLedger(pool).begin() as tx:
        await tx.save_order(replace(order("MO-1", L1), sales_order="SO-1"))
        await tx.save_order(replace(order("MO-2", L1), sales_order="SO-2"))
        await tx.add_response(JobResponse("R1", "MO-1", "10", NOON, 100, state=JobState.DONE))
    async with pool.connection() as connection:
        await connection.execute("update work_orders set ended_at = now() - interval '9 days'")
    book = PgSales(pool)
    await book.take_sales_orders([SalesOrder("SO-1", "1", "甲", "A", 100.0, NOON, seller="SA01")], (), {})
    (found,) = await book.work_orders(["SO-1"])
    assert (found.number, found.seller) == ("MO-1", "SA01")
    assert [(p.good, p.state) for p in await book.progress(["MO-1"])] == [(100, JobState.DONE)]
