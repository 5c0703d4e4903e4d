"""A command as a person types it: its lines as they come, Ctrl-C, and what it leaves running."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

from hub.training import checkout
from tests.bench.processes import family
from tests.e2e.world import ANDON, PATIENCE, until
from tests.leash import leashed

Board = dict[str, Any]


class Typed:
    """One command, the leader of a process group as in a terminal."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.text = ""

    async def heard(self, enough: Callable[[str], bool], what: str) -> str:
        """All it has said so far, once that is enough; fails with the text when the command ends before."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while not enough(self.text):
                line = await self.process.stdout.readline()
                assert line, f"it ended without {what}:\n{self.text}"
                self.text += line.decode()
        return self.text

    async def ctrl_c(self) -> int:
        """As a terminal does: SIGINT to every process of the group. The exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            out, _ = await self.process.communicate()
        self.text += out.decode()
        assert self.process.returncode is not None
        return self.process.returncode

    def running(self) -> set[tuple[int, str]]:
        """It and all below it, each as (pid, start): a pid alone may come again."""
        return {(pid, born) for pid in family(self.process.pid) if (born := _born(pid))}


def alive(processes: set[tuple[int, str]]) -> set[str]:
    """The command lines of those that still run."""
    return {
        Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        for pid, born in processes
        if _born(pid) == born
    }


def _born(pid: int) -> str:
    """When it was started, in ticks; "" for one that has ended, reaped or not."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""


@contextlib.asynccontextmanager
async def typed(*words: str) -> AsyncIterator[Typed]:
    """`andon WORDS`, ended at the end of the block if it has not ended itself."""
    process = await asyncio.create_subprocess_exec(
        *leashed([*ANDON, *words]),
        cwd=checkout(), start_new_session=True, env={**os.environ, "COLUMNS": "80"},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    command = Typed(process)
    try:
        yield command
    except BaseException:
        print(command.text)
        raise
    finally:
        if process.returncode is None:
            process.terminate()
            await command.ended()


PART = re.compile(r"^✓ +[\d.]+ s {2}(\S+(?: \S+)*) {2,}\S", re.MULTILINE)


def parts(text: str) -> list[str]:
    """The parts it told to be started, in their order."""
    return PART.findall(text)


# ------------------------------------------------------------------ the wall, as its page reads it
@contextlib.asynccontextmanager
async def wall(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A wall screen that was opened at the address the command has printed, `/wall#device=TOKEN`."""
    url, _, token = address.partition("/wall#device=")
    async with httpx.AsyncClient(base_url=url, headers={"Origin": url}, timeout=20) as screen:
        page = await screen.get("/wall")
        assert page.status_code == 200 and "<html" in page.text

        async def inside() -> bool:
            return (await screen.post("/api/device-login", json={"token": token})).status_code == 204

        await until(inside, "the wall's token opens the board")
        yield screen


async def board(screen: httpx.AsyncClient) -> Board:
    return dict((await screen.get("/api/board")).raise_for_status().json()["board"])


async def patches(screen: httpx.AsyncClient, enough: Callable[[Board], bool], what: str) -> None:
    """Reads the WebSocket's snapshot and patches as a wall does, until one of the patches is enough."""
    socket = str(screen.base_url).replace("http", "ws", 1).rstrip("/") + "/ws"
    cookies = "; ".join(f"{name}={value}" for name, value in screen.cookies.items())
    headers = {"Cookie": cookies, "Origin": screen.headers["Origin"]}
    async with connect(socket, additional_headers=headers, max_size=None) as line:
        first = json.loads(await line.recv())
        assert (first["type"], first["seq"]) == ("snapshot", 1)
        try:
            async with asyncio.timeout(PATIENCE):
                async for frame in line:
                    said = json.loads(frame)
                    if said["type"] == "patch" and enough(said["board"]):
                        return
        except TimeoutError:
            raise AssertionError(f"no patch within {PATIENCE:g} s with {what}") from None
