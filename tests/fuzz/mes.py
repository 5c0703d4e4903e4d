"""A hostile MES: what a web server said to our mes-http source, spoilt."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from fastapi import FastAPI

from collectors.mes_http import MesHttpSource
from hub.api.server import server
from hub.clock import SystemClock
from tests.fuzz.mutations import mutated
from tests.fuzz.stand import Answer, Last, Outcome, Recorder, luck, many, playing

_ORDER = {
    "number": "WO-1", "product": "A", "product_name": {"zh": "泵", "en": "Pump"}, "quantity": 100,
    "due_at": "2026-01-06T08:00:00+08:00", "jobs": [
        {"operation": "10", "name": {"zh": "冲", "en": "Stamp"}, "work_center": "p/a/l", "quantity": 100}],
}  # fmt: skip
_REPORTS = [
    {"id": n, "order": "WO-1", "operation": "10", "at": "2026-01-05T12:00:00Z", "good": 3, "scrap": 1,
     "labour_seconds": 30.5} for n in range(3)
]  # fmt: skip
_POSTING = {
    "id": "P1",
    "kind": "issue",
    "order": "WO-1",
    "at": "2026-01-05T12:00:00Z",
    "item": "S",
    "quantity": 2.5,
}


class _Shelf:
    def __init__(self, out: Outcome, number: int) -> None:
        self._out, self._number = out, number

    async def put(self, item: Any) -> None:
        self._out.samples += 1
        numbers = [getattr(item, n, 0) for n in ("quantity", "good", "scrap", "labour_seconds")]
        if not all(math.isfinite(n) and n >= 0 for n in numbers):
            self._out.fault(self._number, f"on record: {item}")


def cut(held: bytes) -> int:
    """A question without a body."""
    at = held.find(b"\r\n\r\n")
    return at + 4 if at >= 0 else 0


def _source(port: int) -> MesHttpSource:
    block = {"base_url": f"http://127.0.0.1:{port}", "wait": "50ms"}
    return MesHttpSource(MesHttpSource.Config.model_validate(block), SystemClock(), "mes")


async def recorded() -> dict[bytes, bytes]:
    """By path, whole answers of uvicorn."""
    app, asked = FastAPI(), asyncio.Event()

    @app.get("/mes/orders")
    async def orders() -> Any:
        return [_ORDER]

    @app.get("/mes/reports")
    async def reports(after: str) -> Any:
        return {"reports": [r for r in _REPORTS if after < str(r["id"])]}

    @app.get("/mes/postings")
    async def postings(after: str) -> Any:
        asked.set()
        return {"postings": [] if after else [_POSTING]}

    one = server(app, "127.0.0.1", 0)
    serving = asyncio.create_task(one.serve())
    await one.ready.wait()
    async with Recorder(one.port) as between:
        shelf = _Shelf(Outcome(), 0)
        task = asyncio.create_task(_source(between.port).run(shelf, shelf, shelf, "", ""))
        async with asyncio.timeout(10):
            await asked.wait()
            while not _paths(between) >= {b"/mes/orders", b"/mes/reports", b"/mes/postings"}:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = {path: answer for talk in between.talks for path, answer in reversed(_pairs(talk))}
    one.should_exit = True
    await serving
    return found


def _pairs(talk: list[tuple[str, bytes]]) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    for who, data in talk:
        if who == "client":
            found.append((_path(data), b""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + data)
    return [(path, answer) for path, answer in found if answer]


def _paths(between: Recorder) -> set[bytes]:
    return {path for talk in between.talks for path, _ in _pairs(talk)}


def _path(question: bytes) -> bytes:
    return question.split(b" ", 2)[1].partition(b"?")[0]


def answers(number: int, seed: int, told: dict[bytes, bytes]) -> Answer:
    rng, asked = luck(seed, number), set[bytes]()
    spoilt = rng.choice(sorted(told))

    def reply(question: bytes) -> bytes | None:
        path = _path(question)
        if path in asked or path not in told:
            return None
        asked.add(path)
        return Last(mutated(rng, told[path], text=True)) if path == spoilt else told[path]

    return reply


async def fuzz(count: int, seed: int = 1) -> Outcome:
    told, out = await recorded(), Outcome()

    async def one(number: int) -> str:
        shelf, answer = _Shelf(out, number), answers(number, seed, told)
        async with playing(cut, lambda: answer) as port:
            await _source(port).run(shelf, shelf, shelf, "", "")
        return "ended"

    return await many(count, one, out, 16)
