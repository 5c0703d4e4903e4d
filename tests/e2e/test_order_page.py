"""A customer's order on a phone, by a link and without a login: the real door, the real page, a browser."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.api.app import build
from hub.api.deps import Plugged
from hub.api.limits import Meter
from hub.api.rights import BOARD, PUBLIC
from hub.model.people import Role
from hub.model.production import JobOrder, JobProgress, JobState
from hub.testing.clock import NOON
from screens.app import BOARD_PATHS, PUBLIC_PATHS, pages
from tests.api_house import House, StillFeed, house, w
from tests.api_sales_book import MemorySales
from tests.e2e.browser import chromium, needs_chromium
from tests.front.mock import Hub, running
from tests.simulators.process import http_server

pytestmark = [pytest.mark.anyio, pytest.mark.slow, needs_chromium]

LINE = "p1/stamping/l1"


async def _nobody(_: Any) -> None: ...


def furnished() -> House:
    """One order, forty of a hundred made, an hour left at sixty an hour."""
    screens = pages(StillFeed(), _nobody, lambda _: True)  # type: ignore[arg-type]
    rights = dict.fromkeys(PUBLIC_PATHS, PUBLIC) | dict.fromkeys(BOARD_PATHS, BOARD)
    it = house(plugged=(Plugged(screens, rights),))
    book = it.deps.sales
    assert isinstance(book, MemorySales)
    job = JobOrder("MO-1", "10", w("冲压", "Stamping"), LINE, 100)
    book.told = [JobProgress(job, 40, 2, JobState.RUNNING, NOON, NOON)]

    async def progress() -> list[JobProgress]:
        return book.told

    it.ledger.progress = progress  # type: ignore[method-assign]
    deps = replace(it.deps, plant=replace(it.deps.plant, targets={LINE: 60}))
    return replace(it, deps=deps, app=build(deps, meter=Meter(burst=1e9)))


async def share(it: House) -> str:
    async with it.as_role(Role.SALES) as client:
        return str((await client.post("/api/orders/MO-1/links")).json()["path"])


@asynccontextmanager
async def phone(**more: Any) -> AsyncIterator[tuple[Any, list[tuple[str, str]]]]:
    """The page, and every (address, referrer) that it asked for."""
    async with chromium() as browser:
        context = await browser.new_context(
            viewport={"width": 390, "height": 844}, service_workers="block", **more
        )
        context.set_default_timeout(15_000)
        page = await context.new_page()
        asked: list[tuple[str, str]] = []
        page.on("request", lambda request: asked.append((request.url, request.headers.get("referer", ""))))
        yield page, asked


async def test_a_customer_reads_how_the_order_stands() -> None:
    it = furnished()
    path = await share(it)
    async with http_server(it.app, 0) as url, phone(locale="zh-CN") as (page, asked):
        await page.goto(f"{url}{path}")
        text = await page.inner_text('[data-testid="line-A"]')
        for said in ("支架", "生产中", "40 / 100 件", "冲压 40/100", "预计按期完成", "01-05 21:00"):
            assert said in text, (said, text)
        assert "01-05 20:00" in await page.inner_text('[data-testid="as-of"]')
        assert await page.evaluate("document.documentElement.scrollWidth") == 390  # nothing to push sideways
        if folder := os.environ.get("ANDON_PICTURES"):
            await page.screenshot(path=Path(folder) / "order-zh.png", full_page=True)
        token = path.removeprefix("/o/")
        others = [address for address, _ in asked if token in address]
        assert others == [f"{url}{path}"]  # the secret stands in no other address
        assert not [sent for _, sent in asked if token in sent]


async def test_late_and_old_facts_are_said_in_english_and_a_revoked_link_shows_nothing() -> None:
    it = furnished()
    path = await share(it)
    book = it.deps.sales
    assert isinstance(book, MemorySales)
    book.sold = [replace(s, due_at=NOON + timedelta(minutes=10)) for s in book.sold]
    it.ledger.marks["erp:orders"] = (NOON - timedelta(minutes=20)).isoformat()
    async with http_server(it.app, 0) as url, phone(locale="en-GB") as (page, _):
        await page.goto(f"{url}{path}")
        assert "Expected 50 min late" in await page.inner_text('[data-testid="verdict"]')
        assert "20 min" in await page.inner_text('[data-testid="stale"]')
        if folder := os.environ.get("ANDON_PICTURES"):
            await page.screenshot(path=Path(folder) / "order-en.png", full_page=True)
        for link in list(book.kept):
            await book.revoke_link(link, "boss", NOON)
        await page.reload()
        await page.wait_for_selector('[data-testid="none"]:has-text("over")')
        assert await page.is_hidden("andon-shared-order .shared")


async def test_a_seller_finds_the_order_makes_a_link_and_takes_it_back() -> None:
    hub = Hub("hot", roles=("sales",))
    with running(hub) as mock:
        async with phone(locale="zh-CN") as (page, _):
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
            await page.goto(f"{mock.url}/phone")
            await page.get_by_test_id("sales").click()
            text = await page.get_by_test_id("sale-SO-1").inner_text()
            assert "预计超交期 1 小时" in text
            assert "待排产" in await page.get_by_test_id("sale-SO-2").inner_text()
            if folder := os.environ.get("ANDON_PICTURES"):
                await page.screenshot(path=Path(folder) / "sales.png")
            await page.get_by_test_id("sale-share").first.click()
            await page.get_by_test_id("share").click()
            await page.get_by_test_id("share-address").wait_for()
            address = await page.get_by_test_id("share-address").input_value()
            assert address == f"{mock.url}/o/abcdefghijklmnopqrstuv"
            if folder := os.environ.get("ANDON_PICTURES"):
                await page.screenshot(path=Path(folder) / "share.png", full_page=True)
            await page.get_by_test_id("share-revoke").click()
            await page.get_by_test_id("share-revoke").click()
            await page.get_by_test_id("share-revoke").wait_for(state="detached")
            assert hub.links == {}
            assert not wrong


async def test_the_console_tells_the_month_and_which_machine_is_which_asset() -> None:
    with running(Hub("hot", roles=("manager",))) as mock:
        async with phone(locale="zh-CN") as (page, _):
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            await page.set_viewport_size({"width": 1366, "height": 768})
            await page.goto(f"{mock.url}/console#delivery")
            text = await page.get_by_test_id("figures-p1/paint/l2").inner_text()
            assert text.count("无数据") == 3
            assert "93.4%" in await page.get_by_test_id("figures-all").inner_text()
            assert "2.00 小时" in await page.get_by_test_id("cost-MO260105-0031-machine").inner_text()
            if folder := os.environ.get("ANDON_PICTURES"):
                await page.screenshot(path=Path(folder) / "delivery.png")
            await page.goto(f"{mock.url}/console#assets")
            assert "press-02" in await page.get_by_test_id("orphan-p1/stamping/l1/press-02").inner_text()
            assert "EQ-OVEN-01 固化炉" in await page.get_by_test_id("orphan-EQ-OVEN-01").inner_text()
            if folder := os.environ.get("ANDON_PICTURES"):
                await page.screenshot(path=Path(folder) / "assets.png")
            assert not wrong
