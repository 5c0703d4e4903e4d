"""`andon demo` as a newcomer runs it: everything comes up, the wall moves, Ctrl-C ends it, the data stays."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from hub.demo import CREW
from hub.training import checkout
from tests.e2e.typed import Board, Typed, alive, board, parts, patches, typed, wall
from tests.e2e.world import free_port, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(420)]

PARTS = {
    "plant", "kingdee", "robots", "database", "migrations", "bus", "writer", "rules", "collectors", "mes",
    "notifiers", "erp bridge",
}  # fmt: skip
ADDRESSES = ("wall", "phone", "console", "inbox", "ERP", "plant")
_ADDRESS = re.compile(r"^ {2}\S+ (\w+) +(http\S+)$", re.MULTILINE)
_LOGIN = re.compile(r"^ {4}(\S+) +(\S+)$", re.MULTILINE)
OIL = "p1/stamping/l1/press-01/oil_temp"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="andon-e2e-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "demo"


def people() -> set[str]:
    """Everybody whose login is printed: all but the simulated technician."""
    plant = yaml.safe_load((checkout() / "examples/demo/plant.yaml").read_text(encoding="utf-8"))
    return {p["id"] for p in plant["people"]} - {CREW}


async def opened(demo: Typed) -> tuple[dict[str, str], dict[str, str]]:
    """Its addresses and logins, once they are printed."""
    everybody = people()
    text = await demo.heard(lambda said: everybody <= set(dict(_LOGIN.findall(said))), "its logins")
    addresses, logins = dict(_ADDRESS.findall(text)), dict(_LOGIN.findall(text))
    assert tuple(addresses) == ADDRESSES
    assert set(logins) == everybody and all(len(word) > 8 for word in logins.values())
    return addresses, logins


async def healthy(hub: str) -> None:
    async with httpx.AsyncClient(base_url=hub, timeout=20) as http:

        async def ok() -> bool:
            answer = await http.get("/health")
            return answer.status_code == 200 and answer.json()["status"] == "ok"

        await until(ok, "GET /health answers 200 and ok")


async def logged_in(hub: str, person: str, password: str) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=hub, headers={"Origin": hub}, timeout=20)
    answer = await client.post("/api/login", json={"person": person, "password": password})
    assert answer.status_code == 200, f"{person} cannot log in with the printed password"
    return client


async def shown(screen: httpx.AsyncClient) -> Board:
    """The board, as soon as there is one: what /health said a moment ago promises nothing about now."""
    return dict(await until(lambda: board(screen), "GET /api/board answers with one"))


def made(seen: Board) -> dict[str, int]:
    """Good pieces of each operation of each order: they never become fewer."""
    return {
        f"{number}/{o['operation']}": o["good"]
        for number, order in seen["orders"].items()
        for o in order["operations"]
    }


async def running_orders(screen: httpx.AsyncClient) -> dict[str, int]:
    async def some() -> dict[str, int]:
        found = made(await board(screen))
        return found if any(found.values()) else {}

    return dict(await until(some, "pieces are reported on orders"))


PAGES = (
    "/api/alarms", "/api/tickets", "/api/rushes", "/api/reconciliation", "/api/erp/health",
    "/api/erp/letters", "/api/erp/exchanges", "/api/mes/rejects", "/api/equipment-map",
    "/api/delivery?month=2026-11", "/api/costs?month=2026-11", "/api/timeline", "/api/status",
)  # fmt: skip


async def sample_times(boss: httpx.AsyncClient, seconds: float = 0.0) -> list[str]:
    """Of the curve's points, once they span so long; of many samples close together it draws only some, not
    always the same."""

    async def some() -> Any:
        answer = await boss.get("/api/trend", params={"tag": OIL, "minutes": 60})
        points = answer.raise_for_status().json()["points"]
        first, last = (datetime.fromisoformat(points[at][0]) for at in (0, -1)) if points else (None, None)
        return points if first and last and (last - first).total_seconds() >= seconds else None

    return [at for at, *_ in await until(some, "samples of the press are on the record")]


async def test_the_demo_starts_moves_stops_and_finds_its_data_again(folder: Path) -> None:
    port = free_port()
    words = (
        "demo",
        "--port",
        str(port),
        "--data",
        str(folder),
        "--story",
        "-1",
        "--no-hands-off",
        "--speed",
        "4",
    )
    hub = f"http://127.0.0.1:{port}"
    async with typed(*words) as demo:
        addresses, logins = await opened(demo)
        said = parts(demo.text)
        assert set(said) == PARTS and len(said) == len(PARTS), "one line for each part"
        assert addresses["wall"].startswith(f"{hub}/wall#device=")
        await healthy(hub)
        for name in ("phone", "console", "inbox", "ERP", "plant"):
            async with httpx.AsyncClient(timeout=20, follow_redirects=True) as http:
                assert (await http.get(addresses[name])).status_code == 200, addresses[name]
        async with wall(addresses["wall"]) as screen:
            await patches(screen, moved(await shown(screen)), "values that are not those of the snapshot")
            before = await running_orders(screen)
        boss = await logged_in(hub, "boss", logins["boss"])
        latest_sample = (await sample_times(boss, seconds=5))[-1]
        await boss.aclose()
        family = demo.running()
        assert len(family) > 12, "machines, ERP, robots and the database are processes of their own"
        assert await demo.ctrl_c() == 0
        assert demo.text.rstrip().endswith("stopped") and "Traceback" not in demo.text
        assert alive(family) == set(), "left running"

    async with typed(*words) as demo:
        assert await opened(demo) == (addresses, logins), "the same addresses and logins"
        assert set(parts(demo.text)) == PARTS and "up to date" in demo.text
        await healthy(hub)
        async with wall(addresses["wall"]) as screen:
            after = made(await shown(screen))
        assert {k: after.get(k, 0) >= n for k, n in before.items()} == dict.fromkeys(before, True)
        boss = await logged_in(hub, "boss", logins["boss"])
        assert (await sample_times(boss))[0] <= latest_sample, "what was measured before the stop"
        asked = {path: (await boss.get(path)).status_code for path in PAGES}
        assert asked == dict.fromkeys(PAGES, 200), "every page of the console has something to show"
        await boss.aclose()
        family = demo.running()
        assert await demo.ctrl_c() == 0
        assert alive(family) == set(), "left running"


def moved(seen: Board) -> Any:
    """Whether a patch brings a reading that differs from the one on this board."""
    then = {tag: v.get("value") for m in seen["machines"].values() for tag, v in m["values"].items()}

    def differs(patch: Board) -> bool:
        machines = patch.get("machines") or {}
        now = {t: v for m in machines.values() if m for t, v in (m.get("values") or {}).items() if v}
        return any("value" in v and v["value"] != then.get(tag) for tag, v in now.items())

    return differs
