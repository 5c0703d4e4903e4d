"""An MES that says more at once than we take, by mistake or by malice."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import tracemalloc
from typing import Any

import pytest

from collectors.mes_http import MesHttpSource
from hub.errors import SourceUnavailable
from hub.testing.clock import HandClock
from tests.integration.test_collector_mes_http import ORDER, REPORT, Mes, Shelf

pytestmark = pytest.mark.anyio

KNOWN = {"x": "y" * 3000}  # fields of the MES's own


class Paged(Mes):
    """Obeys limit= and after= as it is told to."""

    def __init__(self, *, pages_of_orders: bool = True) -> None:
        super().__init__()
        self.pages_of_orders = pages_of_orders
        self.orders_told = [{**ORDER, **KNOWN, "number": f"WO-{n:04}"} for n in range(900)]
        self.reports_told = [{**REPORT, **KNOWN, "id": f"R{n:04}"} for n in range(900)]

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        query = dict(p.split("=") for p in head.split(" ")[1].partition("?")[2].split("&") if p)
        self.reports = self._some(self.reports_told, "id", query)
        self.orders = (
            self._some(self.orders_told, "number", query) if self.pages_of_orders else self.orders_told
        )
        await super()._answer(head, writer)

    def _behind(self, after: str) -> Any:
        return self.reports

    @staticmethod
    def _some(told: list[dict[str, Any]], key: str, query: dict[str, str]) -> list[dict[str, Any]]:
        behind = [r for r in told if r[key] > query.get("after", "")]
        return behind[: int(query.get("limit", "100000"))]


def source(mes: Mes, **more: Any) -> MesHttpSource:
    block = {"base_url": f"http://127.0.0.1:{mes.port}", "wait": "0s", **more}
    return MesHttpSource(MesHttpSource.Config.model_validate(block), HandClock(), "mes")


async def test_pages_are_halved_until_they_fit_and_every_record_comes_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reports, orders = Shelf(), Shelf()
    caplog.set_level(logging.INFO)
    async with Paged() as mes:
        task = asyncio.create_task(source(mes).run(reports, orders, Shelf(), "", ""))
        await orders.until(900)
        await reports.until(900)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [o.number for o in orders.all] == [r["number"] for r in mes.orders_told]
    assert [r.id for r in reports.all] == [r["id"] for r in mes.reports_told]
    limits = [int(q["limit"]) for path, q, _ in mes.asked if path.endswith("reports")]
    assert limits[:4] == [500, 250, 250, 250], "what did not fit is not asked for again"
    assert "orders sent more than 1048576 bytes" in caplog.text


async def test_orders_that_come_whole_and_are_too_large_name_field_and_remedy() -> None:
    async with Paged(pages_of_orders=False) as mes:
        with pytest.raises(
            SourceUnavailable, match=r"orders sent more than 1048576 bytes; obey limit= and after= in "
            r"/mes/orders, or make max_answer: larger",
        ):  # fmt: skip
            await source(mes).run(Shelf(), Shelf(), Shelf(), "", "")
        mes.orders_told = mes.orders_told[:700]
        found = await source(mes, max_answer=4 << 20).probe()
    assert found == {f"http://127.0.0.1:{mes.port}": "700 orders, reports"}


async def test_an_mes_that_obeys_a_limit_of_orders_but_no_after_is_not_asked_for_ever() -> None:
    async with Paged() as mes:
        mes._some = lambda told, key, query: told[: int(query.get("limit", "100000"))]  # type: ignore[assignment]
        async with asyncio.timeout(10):
            found = await source(mes).probe()
    assert found == {f"http://127.0.0.1:{mes.port}": "250 orders, reports"}


async def test_one_record_that_is_too_large_is_told_with_its_remedy() -> None:
    async with Paged() as mes:
        mes.reports_told[0]["x"] = "y" * (2 << 20)
        with pytest.raises(SourceUnavailable, match="reports sent more than 1048576 bytes; obey limit="):
            await source(mes).run(Shelf(), Shelf(), Shelf(), "", "")


async def test_a_million_of_nothing_is_not_looked_at_one_by_one() -> None:
    async with Mes() as mes:
        mes.raw = b"[" + b"{}," * 300_000 + b"{}]"
        with pytest.raises(SourceUnavailable, match="orders sent 300001 records; 32768 can be read"):
            await source(mes).probe()


@pytest.mark.parametrize("bomb", ["gzip", "nested"])
async def test_a_bomb_goes_off_outside(bomb: str) -> None:
    """64 MB in 64 KB of gzip; lists in lists."""
    async with Mes() as mes:
        if bomb == "gzip":
            mes.headers = "Content-Encoding: gzip\r\n"
            mes.raw = gzip.compress(json.dumps([{"number": "x" * (64 << 20)}]).encode())
        else:
            mes.raw = b"[" * 500_000 + b"]" * 500_000
        tracemalloc.start()
        try:
            with pytest.raises(SourceUnavailable, match="not with JSON"):
                await source(mes).probe()
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
