"""A register crosses a limit -> the alarm is drawn on a wall screen: a real browser, its own time stamp.

The product runs whole; the wall is its page in a headless Chromium with a device's token, as it hangs in a
hall. Registers are flipped in turn at random moments. In the page a MutationObserver sees the alarm's row
come; it counts as drawn when the frame after that begins, by the machine's clock, which is the flip's too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Page, async_playwright

from hub.people import make_wall, set_password
from hub.settings import load
from tests.bench import plant
from tests.bench.child import Child, child, environment_without_hub, words
from tests.bench.figures import machine, percentiles, say
from tests.bench.latency import ALL as POLLS
from tests.bench.latency import HIGH, LOW, ROBOTS, SECRET, Series, door
from tests.bench.robot import robot
from tests.e2e.browser import CHROMIUM, FLAGS

GOAL = {"p99_ms": 1000}
PATIENCE = 30.0
ALL = (*POLLS, Series("1s", {"every": "1s"}, 1.0, 100))
# One alarm is open at a time: a row that was not there before is the flip's.
WATCH = """
addEventListener('DOMContentLoaded', () => {
  const known = new Set()
  const all = {subtree: true, childList: true, attributes: true, characterData: true}
  new MutationObserver(() => {
    for (const row of document.querySelectorAll('#alarms andon-alarm[data-testid]')) {
      const id = row.dataset.testid
      if (known.has(id) || !row.checkVisibility() || !row.innerText.trim()) continue
      known.add(id)
      const seen = Date.now()
      requestAnimationFrame(() => requestAnimationFrame(() => drawn(id, row.innerText, seen, Date.now())))
    }
  }).observe(document.documentElement, all)
})
"""


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=wall ARGS=...", description=__doc__)
    parser.add_argument("--flips", type=int, default=33)
    parser.add_argument("--series", choices=[s.name for s in ALL], help="only this one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--keep", type=Path, help="folder for what the processes leave, instead of a passing one"
    )
    return parser.parse_args(given)


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    if CHROMIUM is None:
        raise SystemExit("no Chromium on this machine: apt-get install chromium, or set ANDON_CHROMIUM")
    before = machine()
    figures: dict[str, Any] = {"flips": chosen.flips}
    with contextlib.ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="andon-bench-")))
        for series in ALL:
            if chosen.series in (None, series.name):
                figures[series.name] = await _run(series, chosen, folder / series.name)
                say(f"{series.name}: {figures[series.name]}")
    return figures | {"edition": "plain, embedded"} | before


async def _run(series: Series, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder.parent, folder):
        place.chmod(0o711)  # the database's own account passes through
    async with contextlib.AsyncExitStack() as stack:
        ears = await stack.enter_async_context(robot())
        size = words(count=1, registers=100)
        devices = await stack.enter_async_context(child("tests.bench.devices", size, folder))
        made = plant.latency(devices.ready["ports"][0], 100, [ears.url] * ROBOTS, series.polls, folder)
        config = plant.write(made, folder)
        walls: list[str] = []
        await set_password(load(config, {}), "admin", SECRET)
        await make_wall(load(config, {}), "bench", "", walls.append)
        for register in range(ROBOTS):
            await devices.ask({"set": [0, register, LOW]})
        options = words(config=config, commits=folder / "commits.npy")
        product = await stack.enter_async_context(
            child("tests.bench.product", options, folder, environment_without_hub())
        )
        client = await stack.enter_async_context(door((await product.said())["up"]))
        wall = await stack.enter_async_context(_wall(walls[0]))
        flips = Flips(devices, wall, client, random.Random(chosen.seed), series.interval)
        seen, drawn = await flips.all(chosen.flips)
    return {"drawn_ms": percentiles(drawn, 1000), "in_the_page_ms": percentiles(seen, 1000), "goal": GOAL}


class Wall:
    """One screen; `drawn` has (alarm's id, text, when it came into the page, when it was drawn)."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.drawn: asyncio.Queue[tuple[str, str, float, float]] = asyncio.Queue()

    def note(self, row: str, text: str, seen: float, drawn: float) -> None:
        self.drawn.put_nowait((row.removeprefix("alarm-"), text, seen / 1000, drawn / 1000))


@contextlib.asynccontextmanager
async def _wall(address: str) -> AsyncIterator[Wall]:
    """Open and connected: it shows the line's machine."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = await browser.new_page(viewport={"width": 1920, "height": 1080})
            wall = Wall(page)
            await page.expose_function("drawn", wall.note)
            await page.add_init_script(WATCH)
            await page.goto(address)
            await page.locator("andon-machine").first.wait_for(timeout=PATIENCE * 1000)
            yield wall
        finally:
            await browser.close()


class Flips:
    """Each one a new alarm: acknowledged over the API, cleared, and gone from the wall before the next."""

    def __init__(
        self, devices: Child, wall: Wall, client: httpx.AsyncClient, chance: random.Random, interval: float
    ) -> None:
        self._devices, self._wall, self._client = devices, wall, client
        self._chance, self._interval = chance, interval

    async def all(self, count: int) -> tuple[list[float], list[float]]:
        """Seconds until the row was in the page, and until it was drawn."""
        both = [await self._one(n % ROBOTS) for n in range(count)]
        return [seen for seen, _ in both], [drawn for _, drawn in both]

    async def _one(self, register: int) -> tuple[float, float]:
        await asyncio.sleep(0.5 + (2 + self._chance.random()) * self._interval)
        begun = await self._put(register, HIGH)
        async with asyncio.timeout(PATIENCE):
            alarm, text, seen, drawn = await self._wall.drawn.get()
        if not re.search(rf"\bR{register}(?!\d)", text):
            raise RuntimeError(f"expected an alarm of R{register} on the wall, got {text!r}")
        (await self._client.post(f"/api/alarms/{alarm}/acknowledge")).raise_for_status()
        await self._put(register, LOW)
        gone = self._wall.page.locator(f"#alarms [data-testid=alarm-{alarm}]")
        await gone.wait_for(state="hidden", timeout=PATIENCE * 1000)
        return seen - begun, drawn - begun

    async def _put(self, register: int, value: int) -> float:
        return float((await self._devices.ask({"set": [0, register, value]}))["time"])
