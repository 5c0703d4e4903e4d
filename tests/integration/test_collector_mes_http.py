"""The MES source against a small HTTP server of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from collectors.mes_http import MesHttpSource
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.discrepancy import MesClaims
from hub.model.erp import OperationClaim, PostingKind, StockClaim
from hub.model.production import JobOrder, JobResponse, JobState, Posting, WorkOrder
from hub.model.words import Words
from hub.testing.clock import HandClock
from tests.ports import free_port

pytestmark = pytest.mark.anyio

TOKEN = "very-secret-token-4711"
ORDER: dict[str, Any] = {
    "number": "WO-1", "product": "A100", "product_name": {"zh": "油泵", "en": "Pump"}, "quantity": 100,
    "due_at": "2026-01-06T08:00:00+08:00", "priority": 1, "rush": True, "customer": "ACME",
    "sales_order": "SO-9",
    "jobs": [{"operation": 10, "name": {"zh": "冲压", "en": "Stamp"}, "work_center": "p1/a/l1",
              "quantity": 100}],
}  # fmt: skip
REPORT: dict[str, Any] = {
    "id": 17, "order": "WO-1", "operation": "10", "at": "2026-01-05T12:00:00Z", "good": 3, "scrap": 1,
    "state": "done", "equipment": "p1/a/l1/m", "person": "li", "labour_seconds": 30.5,
}  # fmt: skip


class Mes:
    """Answers with `orders` and the `reports` behind `after`; waits for news only when `patient`."""

    def __init__(self) -> None:
        self.orders: Any = [ORDER]
        self.reports: Any = [REPORT]
        self.postings: list[dict[str, Any]] | None = []
        self.claims: dict[str, Any] = {}  # sums, stock: those that it can tell
        self.status = 200
        self.headers = ""
        self.raw: bytes | None = None
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.news = asyncio.Event()
        self.port = 0
        self._talks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Mes:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        for writer in self._writers:  # also of a talk that was cancelled before it began
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._talks.add(asyncio.create_task(self._talk(reader, writer)))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        first, *rest = head.strip().split("\r\n")
        url = urlsplit(first.split(" ")[1])
        query = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
        self.asked.append((url.path, query, dict(h.lower().split(": ", 1) for h in rest)))
        what = url.path.rpartition("/")[2]
        if (what == "postings" and self.postings is None) or what in {"sums", "stock"} - set(self.claims):
            writer.write(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if url.path.endswith("/postings"):
            found = [p for p in self.postings or [] if str(p["id"]) > query["after"]]
            if not found:
                await asyncio.Event().wait()
        elif url.path.endswith("/orders"):
            found = self.orders
        elif what in self.claims:
            found = self.claims[what]
        else:
            found = self._behind(query["after"])
            while found == [] and self.status == 200:
                await self.news.wait()
                self.news.clear()
                found = self._behind(query["after"])
        body = self.raw if self.raw is not None else json.dumps(found).encode()
        writer.write(
            f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\n{self.headers}\r\n".encode() + body
        )
        await writer.drain()

    def _behind(self, after: str) -> Any:
        if not isinstance(self.reports, list):
            return self.reports
        ids = [str(r.get("id")) if isinstance(r, dict) else "" for r in self.reports]
        return self.reports[ids.index(after) + 1 :] if after and after in ids else self.reports


class Shelf:
    """A sink for orders or reports that a test can wait at."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._news = asyncio.Condition()

    async def put(self, item: Any) -> None:
        async with self._news:
            self.all.append(item)
            self._news.notify_all()

    async def until(self, number: int) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.all) >= number)


class Reading:
    def __init__(self, mes: Mes, **settings: Any) -> None:
        config = {"base_url": f"http://127.0.0.1:{mes.port}", **settings}
        self.clock, self.reports, self.orders, self.postings = HandClock(), Shelf(), Shelf(), Shelf()
        self.source = MesHttpSource(MesHttpSource.Config.model_validate(config), self.clock, "mes")

    async def run(self, since: str = "") -> None:
        await self.source.run(self.reports, self.orders, self.postings, since, "")


@asynccontextmanager
async def reading(mes: Mes, since: str = "", **settings: Any) -> AsyncIterator[Reading]:
    one = Reading(mes, **settings)
    task = asyncio.create_task(one.run(since))
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def asleep(clock: HandClock) -> None:
    async with asyncio.timeout(10):
        while not clock._sleepers:
            await asyncio.sleep(0.001)


async def test_orders_and_reports_arrive_in_our_words() -> None:
    async with Mes() as mes, reading(mes, token=TOKEN) as one:
        await one.reports.until(1)
        assert mes.asked[0][2]["authorization"] == f"Bearer {TOKEN}".lower()
    assert one.orders.all == [
        WorkOrder(
            "WO-1", "A100", Words("油泵", "Pump"), 100, datetime(2026, 1, 6, 0, tzinfo=UTC), 1, True,
            "SO-9", "ACME",
            jobs=(JobOrder("WO-1", "10", Words("冲压", "Stamp"), "p1/a/l1", 100),),
        )
    ]  # fmt: skip
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert one.reports.all == [
        JobResponse("17", "WO-1", "10", at, 3, 1, JobState.DONE, "p1/a/l1/m", "li", 30.5)
    ]


async def test_reports_are_asked_for_behind_the_last_one_and_waited_for() -> None:
    async with Mes() as mes, reading(mes, since="17", wait="20s") as one:
        await one.orders.until(1)
        mes.reports.append({**REPORT, "id": 18})
        mes.news.set()
        await one.reports.until(1)
        assert [r.id for r in one.reports.all] == ["18"]
        first = next(q for path, q, _ in mes.asked if path == "/mes/reports")
        assert first == {"after": "17", "limit": "500", "wait": "20"}
        mes.reports.append({**REPORT, "id": 19})
        mes.news.set()
        await one.reports.until(2)
        assert [q["after"] for path, q, _ in mes.asked if path == "/mes/reports"][:2] == ["17", "18"]


async def test_an_order_is_put_again_only_when_it_has_changed() -> None:
    async with Mes() as mes, reading(mes, every="2s") as one:
        await one.orders.until(1)
        for _ in range(3):
            await asleep(one.clock)
            one.clock.turn(2)
        mes.orders = [{**ORDER, "quantity": 200}]
        await asleep(one.clock)
        one.clock.turn(2)
        await one.orders.until(2)
    assert [o.quantity for o in one.orders.all] == [100, 200]


async def test_fields_that_we_do_not_know_are_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async with Mes() as mes:
        mes.orders = [{**ORDER, "colour": "red", "jobs": [{**ORDER["jobs"][0], "tool": "T1"}]}]
        mes.reports = [{**REPORT, "id": n, "shift": "A"} for n in (17, 18)]
        async with reading(mes, every="2s") as one:
            await one.reports.until(2)
            await asleep(one.clock)
            one.clock.turn(2)
            await asleep(one.clock)
            told = one.source.unknown.health()["unknown_fields"]
    assert sorted(told) == ["order.colour ×1", "order.jobs.tool ×1", "report.shift ×2"]
    assert caplog.text.count("'shift'") == 1


BAD: list[tuple[str, Any]] = [
    ("no order", {k: v for k, v in REPORT.items() if k != "order"}),
    ("negative", {**REPORT, "good": -1}),
    ("half a piece", {**REPORT, "good": 0.5}),
    ("no zone", {**REPORT, "at": "2026-01-05T12:00:00"}),
    ("unknown state", {**REPORT, "state": "sleeping"}),
    ("not a record", "hello"),
    ("endless labour", {**REPORT, "labour_seconds": 1e999}),
    ("huge", {**REPORT, "good": 10**30}),
]


@pytest.mark.parametrize("bad", [b for _, b in BAD], ids=[name for name, _ in BAD])
async def test_a_record_that_cannot_be_read_is_named_counted_and_passed_by(
    bad: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good = [{**REPORT, "id": 16}, {**REPORT, "id": 99}]
    async with Mes() as mes:
        mes.reports = [good[0], bad, good[1]]
        async with reading(mes) as one:
            await one.reports.until(2)
            assert [r.id for r in one.reports.all] == ["16", "99"]
            assert one.source.skipped == 1
            assert "left out reports[1]" in caplog.text


async def test_a_bad_record_at_the_end_does_not_hold_up_the_next_and_is_not_asked_for_again() -> None:
    async with Mes() as mes:
        mes.reports = [REPORT, {**REPORT, "id": 18, "good": "many"}]
        async with reading(mes) as one:
            await one.reports.until(1)
            mes.reports.append({**REPORT, "id": 19})
            mes.news.set()
            await one.reports.until(2)
    assert [r.id for r in one.reports.all] == ["17", "19"]
    assert one.source.skipped == 1


async def test_a_record_without_a_number_makes_no_busy_loop() -> None:
    """It comes again with every answer; between them the clock has to move."""
    async with Mes() as mes:
        mes.reports = [{"good": 1}]
        async with reading(mes, every="2s") as one:
            await one.orders.until(1)
            async with asyncio.timeout(10):
                while len(one.clock._sleepers) < 2:
                    await asyncio.sleep(0.001)
            asked = sum(path == "/mes/reports" for path, _, _ in mes.asked)
    assert asked == 1
    assert one.source.skipped == 1


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, SourceRefused, "token"), (403, SourceRefused, "token"), (404, SourceRefused, "base_url"),
        (500, SourceUnavailable, "500"), (302, SourceUnavailable, "302"), (503, SourceUnavailable, "busy"),
    ],
)  # fmt: skip
async def test_a_refusal_says_what_to_do_and_never_the_token(
    status: int, kind: type[Exception], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Mes() as mes:
        mes.status = status
        with pytest.raises(kind, match=said) as caught:
            await Reading(mes, token=TOKEN).run()
    assert TOKEN not in str(caught.value) + caplog.text


async def test_a_busy_mes_may_say_how_long() -> None:
    async with Mes() as mes:
        mes.status, mes.headers = 429, "Retry-After: 7\r\n"
        with pytest.raises(SourceUnavailable) as caught:
            await Reading(mes).run()
    assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("raw", [b"<html>", b'{"error": "no"}', b"3", b"\xff", b"[" * 100_000])
async def test_an_answer_that_is_no_list_is_a_lost_source(raw: bytes) -> None:
    async with Mes() as mes:
        mes.raw = raw
        with pytest.raises(SourceUnavailable, match="answered, but"):
            await Reading(mes).run()


async def test_nobody_there_is_a_lost_source() -> None:
    mes = Mes()
    mes.port = free_port()
    with pytest.raises(SourceUnavailable, match="no answer"):
        await Reading(mes).run()


async def test_an_mes_that_dies_while_we_wait_for_reports_is_a_lost_source() -> None:
    async with Mes() as mes:
        mes.reports = []
        one = Reading(mes)
        task = asyncio.create_task(one.run())
        await one.orders.until(1)
        async with asyncio.timeout(10):
            while not any(path == "/mes/reports" for path, _, _ in mes.asked):
                await asyncio.sleep(0.001)
    with pytest.raises(SourceUnavailable):
        async with asyncio.timeout(10):
            await task


@pytest.mark.parametrize(
    "url", ["mes.local", "ftp://mes", "http://user:hush@mes", "http://mes?token=hush", "http://"]
)
def test_an_address_with_a_secret_or_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="token:") as caught:
        MesHttpSource.Config.model_validate({"base_url": url})
    assert "hush" not in "; ".join(e["msg"] for e in caught.value.errors())


# ------------------------------------------------------------------ what the books take
LOT: dict[str, Any] = {
    "id": "S1", "kind": "receipt", "order": "WO-1", "operation": 10, "at": "2026-01-05T20:00:00+08:00",
    "item": "A100", "quantity": 3, "unit": "Pcs", "lot": 26010501,
}  # fmt: skip


async def test_postings_arrive_in_our_words_and_those_that_lack_something_are_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bare = {k: v for k, v in LOT.items() if k != "item"} | {"id": "S0"}
    check = {
        "id": "S2", "kind": "quality", "order": "WO-1", "at": LOT["at"], "check": "外径", "passed": False,
        "value": 25.02, "unit": "mm", "sample_size": 5,
    }  # fmt: skip
    async with Mes() as mes:
        mes.postings = [bare, LOT, check]
        async with reading(mes) as one:
            await one.postings.until(2)
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert one.postings.all == [
        Posting("S1", PostingKind.RECEIPT, "WO-1", "10", at, "A100", 3.0, "Pcs", "26010501"),
        Posting(
            "S2", PostingKind.QUALITY, "WO-1", "", at, unit="mm", check="外径", passed=False, value="25.02",
            sample_size=5,
        ),
    ]  # fmt: skip
    assert "postings[0] (id 'S0', order 'WO-1'): record: a posting of kind receipt needs item" in caplog.text


async def test_an_mes_that_knows_no_postings_is_asked_again_after_a_while() -> None:
    async with Mes() as mes:
        mes.postings = None
        async with reading(mes) as one:
            await one.reports.until(1)
            async with asyncio.timeout(10):
                while len(one.clock._sleepers) < 2:  # between orders, and until postings are asked for again
                    await asyncio.sleep(0.001)
            mes.postings = [LOT]
            one.clock.turn(600)
            await one.postings.until(1)


async def test_what_the_mes_adds_up_is_told_and_what_it_cannot_tell_is_none() -> None:
    async with Mes() as mes:
        mes.claims = {"sums": [{"order": "WO-1", "operation": 10, "good": 3, "scrap": 1}, {"order": "WO-1"}]}
        config = MesHttpSource.Config(base_url=f"http://127.0.0.1:{mes.port}")
        source = MesHttpSource(config, HandClock(), "mes")
        assert await source.claims() == MesClaims((OperationClaim("WO-1", "10", 0, 3, 1),), None)
        assert source.skipped == 1
        mes.claims = {"stock": {"stock": [{"item": "S", "quantity": 2.5, "lot": "L1"}]}}
        assert await source.claims() == MesClaims(None, (StockClaim("S", 2.5, "L1"),))
