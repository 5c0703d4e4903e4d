"""The main job, unattended: a press overheats, people are told, it is repaired, the wall is calm again.

Everything is real: OPC UA and Modbus servers in processes of their own, PostgreSQL, the hub as a process, a
browser on the wall and one in the technician's hand; only the press, the ERP and the chat are simulated.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import chromium, needs_chromium
from tests.e2e.world import World, make_wall, set_password, until, world
from tests.simulators.crew import picture

pytestmark = [pytest.mark.anyio, pytest.mark.slow, needs_chromium, pytest.mark.timeout(300)]

TECHNICIAN, PASSWORD = "tech-a", "kalu meri tosu 4827"
PRESS = "p1/stamping/l1/press-01"
SOON = 60_000  # milliseconds a page may take on a busy machine; how fast it is, `make bench` tells


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="andon-e2e-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "world"


async def open_wall(browser: Browser, address: str) -> Page:
    context = await browser.new_context(viewport={"width": 1920, "height": 1080})
    page = await context.new_page()
    await page.goto(address)
    await expect(page.get_by_test_id(f"machine-{PRESS}")).to_be_visible(timeout=SOON)
    return page


async def open_phone(browser: Browser, here: World, ticket: str) -> Page:
    context = await browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = await context.new_page()
    await page.goto(f"{here.url}/login?next=%2Fphone")
    await page.get_by_test_id("person").fill(TECHNICIAN)
    await page.get_by_test_id("password").fill(PASSWORD)
    await page.get_by_test_id("login").click()
    await page.wait_for_url("**/phone**")
    await page.goto(f"{here.url}/phone#t={ticket}")
    await expect(page.get_by_test_id("ticket-state")).to_be_visible(timeout=SOON)
    return page


async def test_a_press_overheats_and_is_repaired(folder: Path) -> None:
    async with world(folder) as here, chromium() as browser:
        await set_password(here.plant, TECHNICIAN, PASSWORD)
        address = await make_wall(here.plant, "story")
        await here.hub.start()
        await here.healthy()
        wall = await open_wall(browser, address)
        await here.command("press-01", "fault", {"kind": "overheat"})

        # the wall says it, with the machine and the value against its limit
        band = wall.get_by_test_id("band")
        await expect(band).to_contain_text("冲压机01", timeout=SOON)
        await expect(band).to_contain_text("油温")
        await expect(band).to_contain_text("80")

        # both chats: equipment, value, limit, since when, who is on duty, ticket, a link
        async def told() -> list[dict[str, str]]:
            found = [m for m in await here.messages() if "冲压机01" in m["text"] and "油温" in m["text"]]
            return found if {m["robot"] for m in found} == {"wecom", "dingtalk"} else []

        for message in await until(told, "both robots tell"):
            for part in ("【紧急】", "80", "℃", "开始", "值班", "技师", "AH-", f"{here.url}/phone#t=AH-"):
                assert part in message["text"], f"{part} is missing in {message['robot']}"

        # the ERP: exactly once
        async def opened() -> list[dict[str, str]]:
            return [t for t in await here.erp_tickets() if t["equipment"] == "EQ-PRESS-01"]

        [erp] = await until(opened, "a ticket in the ERP")
        ticket = erp["key"]

        # the technician's phone: 接单, 到场, 修复 with cause and photo
        phone = await open_phone(browser, here, ticket)
        await phone.get_by_test_id("accept").click()
        await expect(phone.get_by_test_id("arrive")).to_be_enabled(timeout=SOON)
        await phone.get_by_test_id("arrive").click()

        async def tripped() -> bool:
            return (await here.machine("press-01"))["state"] == "fault"

        await until(tripped, "the press has stopped by itself: from then on it is down")
        await here.command("press-01", "repair")
        await phone.get_by_test_id("repair").click()
        await phone.get_by_test_id("cause-mechanical").click()
        await phone.get_by_test_id("cause").fill("冷却泵堵塞，已清洗")
        await phone.get_by_test_id("photo").set_input_files(
            {"name": "pump.png", "mimeType": "image/png", "buffer": picture()}
        )
        await phone.get_by_test_id("submit-repair").click()

        # the machine's own proof closes it, here and in the ERP, with the downtime counted
        async def closed() -> dict[str, str] | None:
            [found] = [t for t in await here.erp_tickets() if t["equipment"] == "EQ-PRESS-01"]
            return found if found["state"] == "DONE" else None

        done = await until(closed, "closed in the ERP")
        async with aclosing(await here.login(TECHNICIAN, PASSWORD)) as person:
            ours = (await person.get(f"/api/tickets/{ticket}")).json()["ticket"]
        minutes = ours["downtime_seconds"] / 60  # none in a break of the plant: OEE loses none there either
        assert float(done["downtime_minutes"]) == pytest.approx(minutes, abs=0.051)
        assert done["cause_class"] == "mechanical" and "冷却泵" in done["result"] and done["photo"]
        await expect(phone.get_by_test_id("ticket-state")).to_contain_text(re.compile("关闭"), timeout=SOON)

        # and the MES sees that the machine itself says it runs again
        async def known_to_the_mes() -> bool:
            told = [m for m in await here.mes_machines() if m["ticket"] == ticket]
            return bool(told) and told[0]["reset"] and not told[0]["under_repair"]

        await until(known_to_the_mes, "the MES sees the repair and the reset")
        await expect(band).not_to_contain_text("冲压机01", timeout=SOON)

        # order progress of every operation flows from the MES to the ERP and to the wall
        async def progress() -> bool:
            told = {r["key"] for r in await here.erp_reports()}
            return len(told) >= 3

        await until(progress, "operation reports in the ERP")
        await expect(wall.locator("[data-testid^=order-MO]").first).to_be_visible(timeout=SOON)

        # a wall that loses its hub says so
        await here.hub.kill()
        await expect(wall.get_by_test_id("lost")).to_be_visible(timeout=SOON)
