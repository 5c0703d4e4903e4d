"""Recordings of real machines, played into the whole product: what they did is what the wall has shown.

What is expected is counted from the files by means of their own (data: NIST SMS Test Bed; SME manufacturing).
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from hub.training import checkout
from tests.e2e.typed import Typed, alive, board, typed, wall
from tests.e2e.world import free_port, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(420)]

SETS = Path(os.environ.get("ANDON_DATA_SETS", checkout().parent / "shared" / "data"))
MILL = SETS / "nist-mtconnect" / "Mazak01-201706" / "Mazak01-20170613-20170614.txt.gz"
CUTTER = SETS / "nist-mtconnect" / "GFAgie01-201610" / "GFAgie01-20161019-20161020.txt.gz"
SHOP = SETS / "sme-discrete" / "assets_0_1.csv.gz"
HALF_HOUR = ("2022-09-12 05:10", "2022-09-12 05:45")  # one in which a machine stood with an alarm
MEANS = {
    "ACTIVE": "executing", "READY": "idle", "STOPPED": "idle", "INTERRUPTED": "held", "FEED_HOLD": "held",
    "UNAVAILABLE": "unknown",
}  # fmt: skip
BRIEF = 20  # lines of the file: what passes sooner may last less than a millisecond when played
_WALL = re.compile(r"wall +(http\S+)")
_ADMIN = re.compile(r"admin +(\S+)$", re.MULTILINE)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="andon-e2e-") as name:
        Path(name).chmod(0o711)
        (Path(name) / "recording").mkdir()
        yield Path(name)


def present(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"no data set at {path}; set ANDON_DATA_SETS to the folder that holds them")
    return path


class Played:
    """A recording that is being played: its wall, and its administrator."""

    def __init__(
        self, folder: Path, command: Typed, screen: httpx.AsyncClient, admin: httpx.AsyncClient
    ) -> None:
        self.folder, self.command, self.screen, self.admin = folder, command, screen, admin

    async def to_its_end(self) -> None:
        await self.command.heard(
            lambda said: " the wall stays until Ctrl-C" in said, "the end of the recording"
        )

    def log(self) -> str:
        """The end of the hub's own log."""
        return (self.folder / "data" / "hub.log").read_text(encoding="utf-8")[-6000:]

    async def machine(self, path: str) -> dict[str, Any]:
        return dict((await board(self.screen))["machines"][path])

    async def states(self, path: str) -> list[str]:
        """What it was, one after the other."""
        spans = (await self._get("/api/timeline", hours=8))["spans"]
        # as moments: written, a whole second has no fraction and would stand behind those that have one
        mine = sorted(
            (datetime.fromisoformat(s["since"]), s["state"]) for s in spans if s["equipment"] == path
        )
        return [state for _, state in mine]

    async def alarms(self, path: str) -> list[dict[str, Any]]:
        found = (await self._get("/api/alarms", limit=500))["alarms"]
        return [a for a in found if a["equipment"] == path and a["rule"] != "not-heard"]

    async def _get(self, path: str, **query: Any) -> dict[str, Any]:
        return dict((await self.admin.get(path, params=query)).raise_for_status().json())


@asynccontextmanager
async def played(folder: Path, *words: str) -> AsyncIterator[Played]:
    port = free_port()
    hub = f"http://127.0.0.1:{port}"
    where = ("--data", str(folder / "data"), "--port", str(port))
    async with typed("replay", str(folder / "recording"), *where, *words) as command:
        text = await command.heard(lambda said: bool(_ADMIN.search(said)), "the administrator's password")
        address, password = _WALL.search(text), _ADMIN.search(text)
        assert address and password
        async with wall(address[1]) as screen, httpx.AsyncClient(base_url=hub, timeout=20) as admin:
            admin.headers["Origin"] = hub
            login = await admin.post("/api/login", json={"person": "admin", "password": password[1]})
            assert login.status_code == 200
            yield Played(folder, command, screen, admin)
        family = command.running()
        assert await command.ctrl_c() == 0
        assert alive(family) == set(), "left running"


# ------------------------------------------------------------------ a mill and a cutter, over OPC UA
def lines(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n").split("|") for line in file]


def known(states: Iterable[str]) -> list[str]:
    """One after the other, without the moments in which nothing was known: short ones are no state."""
    return [state for state, _ in groupby(s for s in states if s != "unknown")]


def recorded_states(path: Path, among: int = 0) -> list[str]:
    """What the file says it was; only what it still was after `among` more lines."""
    everything = lines(path)
    said = [(n, MEANS[p[2]]) for n, p in enumerate(everything) if p[1] == "execution"]
    ends = [n for n, _ in said[1:]] + [len(everything)]
    return [state for (n, state), end in zip(said, ends, strict=True) if end - n > among]


def within(part: Iterable[str], whole: Iterable[str]) -> bool:
    """All of the part is in the whole, in the same order."""
    rest = iter(whole)
    return all(state in rest for state in part)


def raised(path: Path) -> set[str]:
    """The texts of its conditions."""
    return {" ".join(p[6].split()) for p in lines(path) if len(p) == 7 and p[2] in ("Warning", "Fault")}


def measured(path: Path) -> dict[str, set[str]]:
    """Everything that was said of each name."""
    said: dict[str, set[str]] = defaultdict(set)
    for parts in lines(path):
        said[parts[1]].add(parts[2])
    return said


async def test_two_machine_tools_do_on_the_wall_what_they_did_that_day(folder: Path) -> None:
    for file in (MILL, CUTTER):
        shutil.copy(present(file), folder / "recording")
    mill, cutter = "p1/replay/l1/mazak01", "p1/replay/l1/gfagie01"
    said = measured(MILL)
    async with played(folder, "--as", "opcua", "--speed", "7200") as day:
        assert "Mazak01: state from execution; pieces from PartCountAct" in day.command.text
        assert "GFAgie01: state from execution" in day.command.text

        async def seen_moving() -> bool:
            shown = (await day.machine(mill))["values"].values()
            good = [v for v in shown if v["status"] == "good" and v["value"]]
            for value in good:
                told = map(float, said[value["label"]["zh"]] - {"UNAVAILABLE"})
                assert any(abs(value["value"] - was) <= 0.51 * 10 ** -value["decimals"] for was in told), (
                    value
                )
            return len(good) > 2

        await until(seen_moving, "the wall shows what was measured that day")
        await day.to_its_end()
        for path, source in ((mill, MILL), (cutter, CUTTER)):
            lasting = known(recorded_states(source, BRIEF))
            assert len(set(lasting)) > 1

            async def all_seen(path: str = path, lasting: list[str] = lasting) -> bool:
                return within(lasting, known(await day.states(path)))

            try:
                await until(all_seen, f"{path} was everything that it was that day, in its order")
            except AssertionError:
                print(await day.states(path), lasting, day.log())
                raise
            seen = known(await day.states(path))
            assert within(seen, known(recorded_states(source))), f"nothing that never was: {seen}"
            titles = {a["title"]["zh"] for a in await day.alarms(path)}
            assert {title.partition(" (")[0] for title in titles} == raised(source) != set()
        counted = {float(p[2]) for p in lines(MILL) if p[1] == "PartCountAct" and p[2] != "UNAVAILABLE"}
        assert counted == {0.0} and (await day.machine(mill))["good"] == 0, "a day of setting up"


# ------------------------------------------------------------------ a shop, over Modbus
MEANINGS = {"1.0": "idle", "2.0": "executing", "3.0": "fault"}
READING = "select min(reading), max(reading), sum(delta) from counts where good and equipment = %s"


def reading(folder: Path, path: str) -> tuple[int, int, int]:
    """The counter when it was first seen and last, and the pieces on record."""
    sockets = quote(str(folder / "data" / "postgres" / "s"), safe="")
    with psycopg.connect(f"postgresql://andon@/andon?host={sockets}") as record:
        row = record.execute(READING, [path]).fetchone()
    first, last, pieces = row or (0, 0, 0)
    return int(first or 0), int(last or 0), int(pieces or 0)


def half_an_hour() -> list[dict[str, str]]:
    with gzip.open(present(SHOP), "rt", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if HALF_HOUR[0] <= row["ts"] < HALF_HOUR[1]]


async def test_two_machines_of_a_shop_make_what_they_made_in_half_an_hour(folder: Path) -> None:
    rows = half_an_hour()
    with (folder / "recording" / "assets.csv").open("w", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    async with played(folder, "--as", "modbus", "--speed", "300") as shop:
        shift = (await board(shop.screen))["shift"]
        await shop.to_its_end()
        for asset in ("0", "1"):
            mine = [r for r in rows if r["asset"] == asset]
            path, items = f"p1/replay/l1/machine-{asset}", [int(float(r["items"])) for r in mine]

            async def counted(path: str = path, made: int = sum(items)) -> bool:
                return reading(folder, path)[1] == made

            await until(counted, f"{path} has counted what the rows add up to")
            first, last, pieces = reading(folder, path)
            assert first in accumulate(items) and pieces == last - first > 0

            ended = MEANINGS[mine[-1]["status"]]

            async def on_the_wall(path: str = path, ended: str = ended, made: int = pieces) -> bool:
                now = await board(shop.screen)
                shown = now["machines"][path]
                counts = shown["good"] == made or now["shift"] != shift  # which may have changed meanwhile
                return bool(shown["state"] == ended and counts)

            await until(on_the_wall, f"{path} stands on the wall as recorded, with {pieces} pieces")
            stood = any(r["alarm"] == "1" for r in mine)
            assert stood == (asset == "1")
            assert bool(await shop.alarms(path)) is stood
            assert ("fault" in await shop.states(path)) is stood
            assert "executing" in await shop.states(path)
