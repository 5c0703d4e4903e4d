"""Why a machine stood, told on a phone and on the touch screen at its line: the real API, the real pages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.api.app import build
from hub.api.auth import SESSION_COOKIE
from hub.api.deps import Plugged
from hub.api.limits import Meter
from hub.api.rights import BOARD, PUBLIC
from hub.model.equipment import EquipmentState, StateSpan
from screens import board
from screens.app import BOARD_PATHS, PUBLIC_PATHS, pages
from screens.cut import cut
from tests.api_house import PRESS, House, StillFeed, house
from tests.api_stops import STOOD
from tests.e2e.browser import chromium, needs_chromium
from tests.simulators.process import http_server

pytestmark = [pytest.mark.anyio, pytest.mark.slow, needs_chromium]

CARD = f'[data-testid="stop-{PRESS}"]'
PHONE, TOUCH = (390, 844), (1920, 1080)


class Board(StillFeed):
    """The plant as it stands: the press has run since its stop, of which nobody has said why."""

    def __init__(self) -> None:
        self.plant: Any = None

    def snapshot(self, scopes: Iterable[str]) -> dict[str, Any]:
        states = {PRESS: StateSpan(PRESS, EquipmentState.EXECUTING, STOOD)}
        facts = board.Facts(states=states, unexplained={PRESS: 1})
        shown = cut(board.build(self.plant, facts, STOOD), scopes)
        return {"type": "snapshot", "seq": 1, "at": "2026-01-05T12:00:00Z", "board": shown}


async def _nobody(_: Any) -> None: ...


def furnished() -> House:
    feed = Board()
    screens = pages(feed, _nobody, lambda _: True)  # type: ignore[arg-type]
    rights = dict.fromkeys(PUBLIC_PATHS, PUBLIC) | dict.fromkeys(BOARD_PATHS, BOARD)
    it = house(plugged=(Plugged(screens, rights),))
    feed.plant = it.deps.plant
    deps = replace(it.deps, feed=feed)
    return replace(it, deps=deps, app=build(deps, meter=Meter(burst=1e9)))


@asynccontextmanager
async def visiting(it: House, who: str, path: str, size: tuple[int, int], **more: Any) -> AsyncIterator[Any]:
    async with http_server(it.app, 0) as url, chromium() as browser:
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]}, has_touch=True, service_workers="block", **more
        )
        context.set_default_timeout(15_000)
        await context.add_cookies([{"name": SESSION_COOKIE, "value": it.token(who), "url": url}])
        page = await context.new_page()
        await page.goto(f"{url}{path}")
        yield page
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth"), "it overflows"


async def picture(page: Any, name: str) -> None:
    if folder := os.environ.get("ANDON_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_on_a_phone_one_tap_gives_the_usual_reason() -> None:
    it = furnished()
    async with visiting(it, "operator-1", "/phone?lang=zh", PHONE) as page:
        await page.wait_for_selector('[data-testid="stops"][data-waits]')
        await picture(page, "phone-front")
        await page.tap('[data-testid="stops"]')
        quick = page.locator(f"{CARD} .stop-quick button").first
        await quick.wait_for()
        assert await quick.inner_text() == "卡料", "what is usual at this machine comes first"
        box = await quick.bounding_box()
        assert box["height"] >= 48
        await picture(page, "phone-stops")
        await quick.tap()
        await page.wait_for_selector(f"{CARD}:not([data-waits])")
        assert "卡料" in await page.inner_text(CARD)
    [line] = it.deps.stops._record.kept  # type: ignore[union-attr]
    assert (line.part.reason, line.part.by) == ("jam", "operator-1")


async def test_on_the_touch_screen_a_stop_is_split_explained_and_joined_with_a_finger() -> None:
    it = furnished()
    async with visiting(it, "operator-1", "/touch?place=p1/stamping/l1&lang=en", TOUCH) as page:
        await page.wait_for_selector('[data-testid="stop-split"]')
        assert await page.inner_text('[data-testid="stop-split"]') == "Split at 19:40"  # in the plant's zone
        await picture(page, "touch")
        await page.tap('[data-testid="stop-split"]')
        parts = page.locator(".stop-part")
        await page.wait_for_selector(".stop-part + .stop-part")
        await page.tap('[data-testid="reason-tooling"]')
        await page.wait_for_selector(".stop-part:first-child:not([data-bare])")
        await page.tap('[data-testid="reason-jam"]')
        await page.wait_for_selector(".stop-part:last-child:not([data-bare])")
        assert await parts.all_inner_texts() == ["Tool or die", "Jam"]
        await picture(page, "touch-split")
        heights = [
            (await b.bounding_box())["height"] for b in await page.locator("main button:visible").all()
        ]
        assert min(heights) >= 72, "a gloved finger hits it"
        await page.tap('[data-testid="merge-after"]')
        await page.wait_for_selector(".stop-part:only-child")
        assert await parts.all_inner_texts() == ["Tool or die"]


async def test_who_was_faster_is_named_and_what_they_said_is_shown() -> None:
    it = furnished()
    async with visiting(it, "technician-1", f"/touch?place={PRESS}&lang=en", TOUCH) as page:
        await page.wait_for_selector('[data-testid="reason-jam"]')
        async with it.as_person("operator-1") as other:
            tap = {"machine": PRESS, "at": STOOD.isoformat(), "version": 0, "reason": "tooling"}
            assert (await other.post("/api/stops/reason", json=tap)).status_code == 200
        await page.tap('[data-testid="reason-jam"]')
        await page.wait_for_selector('[data-testid="stop-trouble"]:not(:empty)')
        name = it.deps.plant.people["operator-1"].name.en
        assert name in await page.inner_text('[data-testid="stop-trouble"]')
        await page.wait_for_selector('[data-testid="reason-tooling"][aria-pressed="true"]')


async def test_who_only_looks_finds_no_button_to_press() -> None:
    it = furnished()
    async with visiting(it, "viewer-1", f"/touch?place={PRESS}", TOUCH) as page:
        await page.wait_for_selector('[data-testid="reason-jam"]')
        assert await page.locator("main button:enabled:visible").count() == 1, "the part itself"


async def test_the_console_shows_where_the_time_went_and_offers_each_stop_as_a_file() -> None:
    it = furnished()
    async with visiting(it, "manager-1", "/console?lang=en#stops", (1440, 900)) as page:
        row = await page.wait_for_selector('[data-testid="loss-none"]')
        assert "20.0" in await row.inner_text()
        await page.wait_for_selector('[data-testid="pareto"] .main-svg')
        await picture(page, "console-stops")
        async with page.expect_download() as file:
            await page.click('[data-testid="stops-csv"]')
        text = Path(await (await file.value).path()).read_text(encoding="utf-8-sig")
        assert PRESS in text
