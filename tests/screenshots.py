"""`make screenshots`: real pictures of the real product on the living plant; docs/wall.png is one of them.

Waits until the wall has some history, lets the press overheat, and takes every page at the sizes it is made
for. Pictures other than the README's go to test-results/.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser

from tests.e2e.browser import CHROMIUM, chromium
from tests.e2e.world import World, make_wall, set_password, until, world

WALLS = {"1080p": (1920, 1080), "4k": (3840, 2160), "720p": (1366, 768), "portrait": (1080, 1920)}
OUT = Path("test-results")
PASSWORD = "kalu meri tosu 4827"
HISTORY = 180  # seconds of production before the picture


async def take(browser: Browser, url: str, size: tuple[int, int], path: Path) -> None:
    page = await (await browser.new_context(viewport={"width": size[0], "height": size[1]})).new_page()
    await page.goto(url)
    await page.wait_for_timeout(4000)
    await page.screenshot(path=path)
    await page.context.close()


async def open_ticket(here: World) -> str:
    async def opened() -> str:
        found = [t["key"] for t in await here.erp_tickets() if t["state"] != "DONE"]
        return found[0] if found else ""

    return str(await until(opened, "a ticket"))


async def main() -> None:
    if CHROMIUM is None:
        sys.exit("no Chromium: apt-get install chromium, or set ANDON_CHROMIUM")
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="andon-shots-") as name:
        Path(name).chmod(0o711)
        async with world(Path(name) / "world", speed=1.0) as here, chromium() as browser:
            for person in ("tech-a", "boss"):
                await set_password(here.plant, person, PASSWORD)
            wall = await make_wall(here.plant, "pictures")
            await here.hub.start()
            await here.healthy()
            await asyncio.sleep(HISTORY)
            for label, size in WALLS.items():
                await take(browser, wall, size, OUT / f"wall-calm-{label}.png")
            await here.command("press-01", "fault", {"kind": "overheat"})
            ticket = await open_ticket(here)
            await take(browser, wall, WALLS["1080p"], Path("docs/wall.png"))
            for label, size in WALLS.items():
                await take(browser, wall, size, OUT / f"wall-{label}.png")
            await people(here, browser, ticket)


async def people(here: World, browser: Browser, ticket: str) -> None:
    pages = {
        "tech-a": ((390, 844), {"phone": "/phone", "ticket": f"/phone#t={ticket}"}),
        "boss": (
            (1920, 1080),
            {f"console-{p}": f"/console#{p}" for p in ("status", "alarms", "tickets", "timeline")},
        ),
    }
    for person, (size, paths) in pages.items():
        context = await browser.new_context(viewport={"width": size[0], "height": size[1]})
        page = await context.new_page()
        await page.goto(f"{here.url}/login?next=%2Fphone")
        await page.get_by_test_id("person").fill(person)
        await page.get_by_test_id("password").fill(PASSWORD)
        await page.get_by_test_id("login").click()
        await page.wait_for_url("**/phone**")
        for label, path in paths.items():
            await page.goto(here.url + path)
            await page.wait_for_timeout(3000)
            await page.screenshot(path=OUT / f"{label}.png")
        await context.close()
    await take(browser, here.plant.addresses["robots"], (1920, 1080), OUT / "inbox.png")
    await take(browser, here.plant.addresses["robots"], (390, 844), OUT / "inbox-phone.png")


if __name__ == "__main__":
    asyncio.run(main())
