"""Joins the simulation with time and the world: steps it, shows it on the machines' servers, answers HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from hub.clock import SystemClock
from tests.simulators.fleet import Fleet
from tests.simulators.mes import Repairs, mes_routes
from tests.simulators.plant.books import postings_of, stock_of, sums_of
from tests.simulators.plant.machines import STATE_WORDS, UNITS, wiring
from tests.simulators.plant.memory import Journal, recall, remember
from tests.simulators.plant.orders import as_json
from tests.simulators.plant.plant import STORY_MACHINE, TICK, Plant, faults_of
from tests.simulators.plant.standing import Slate, stand, standing

PAGE = Path(__file__).parent / "page.html"  # the shop floor: repair, break, switch off

KEEP_EVERY = 1.0  # seconds of real time: as much is lost of what the machines do when the plant is killed
LONGEST_LEAP = 2.0  # seconds of real time made up for at most, after the computer was asleep


class Conductor:
    """Holds plant and fleet together. `speed` is plant seconds per second."""

    def __init__(
        self, seed: int, speed: float, modbus_base: int, opcua_base: int,
        state: Path | None = None, faults: bool = True,
    ) -> None:  # fmt: skip
        self.clock = SystemClock()
        self.speed = speed
        start = self.clock.now()
        self.plant = Plant(seed, start, faults=faults, stamp=lambda at: start + (at - start) / speed)
        self.fleet = Fleet(wiring(modbus_base, opcua_base))
        self.journal = Journal(state) if state else None
        self.slate = Slate(state) if state else None
        self._kept_at = float("-inf")
        self.repairs = Repairs()  # as the hub has told them
        self._news = asyncio.Event()
        self._open()

    def _open(self) -> None:
        before = self.journal.read() if self.journal else []
        if before:
            recall(self.plant, before)
            stand(self.plant, self.slate.read() if self.slate else {})
        else:
            self.plant.open()
        if self.journal:
            self.journal.rewrite(remember(self.plant))
            self.plant.floor.write_down = self.journal.add

    def keep(self, now: float, every: float = KEEP_EVERY) -> None:
        """How the machines stand, unless that was written less than `every` seconds (monotonic) ago."""
        if self.slate and now - self._kept_at >= every:
            self._kept_at = now
            self.slate.write(standing(self.plant))

    async def run(self, story_after: float | None) -> None:
        """Until cancelled: let time pass, tell the story, keep how the machines stand."""
        last = self.clock.monotonic()
        due = None if story_after is None else last + story_after
        while True:
            await asyncio.sleep(TICK)
            now = self.clock.monotonic()
            if due is not None and now >= due:
                due = None
                self.tell_story()
            self.pass_time(min(now - last, LONGEST_LEAP))
            last = now
            self.keep(now)

    def tell_story(self) -> None:
        """The press overheats, unless it is down from before the start: that story is not told to its end."""
        if self.plant.machines[STORY_MACHINE].fault is None:
            self.plant.cause(STORY_MACHINE, "overheat")

    def pass_time(self, seconds: float) -> None:
        """So much real time: step, show, wake who waits for reports."""
        told = self.plant.floor.next_report
        self.plant.step(seconds * self.speed)
        self.show()
        if self.plant.floor.next_report != told:
            self._news.set()
            self._news = asyncio.Event()

    def show(self) -> None:
        for name, image in self.plant.image().items():
            self.fleet.hands[name].tell(image)

    async def close(self) -> None:
        await self.fleet.stop()
        self.plant.floor.tell_tallies(self.plant.seconds, self.plant.now, 0.0)
        self.keep(self.clock.monotonic(), every=0.0)
        if self.journal:
            self.journal.close()

    # -------------------------------------------------------------- the MES's view
    def orders(self) -> list[dict[str, Any]]:
        return [as_json(o) for o in self.plant.floor.orders.values()]

    def reports(self, after: str, limit: int) -> list[dict[str, Any]]:
        told = list(self.plant.floor.reports)
        first = bisect_right(told, after, key=lambda r: r.id)
        return [r.as_json() for r in told[first : first + limit]]

    def postings(self, after: str, limit: int) -> list[dict[str, Any]]:
        floor = self.plant.floor
        told = list(floor.reports)
        first = bisect_left(told, after.partition("-")[0], key=lambda r: r.id)
        found: list[dict[str, Any]] = []
        for report in told[first:]:
            found += (p for p in postings_of(report, floor.orders) if p["id"] > after)
            if len(found) >= limit:
                break
        return found[:limit]

    def sums(self) -> list[dict[str, Any]]:
        return sums_of(self.plant.floor.reports)

    def stock(self) -> list[dict[str, Any]]:
        return stock_of(self.plant.floor.reports, self.plant.floor.orders)

    async def news(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    # -------------------------------------------------------------- the truth, for tests and for the curious
    def truth(self) -> dict[str, Any]:
        return {name: self.truth_of(name) for name in self.plant.machines}

    def truth_of(self, name: str) -> dict[str, Any]:
        machine, hand = self.plant.machines[name], self.fleet.hands[name]
        return {
            "path": machine.unit.path,
            "protocol": machine.unit.protocol,
            "endpoint": hand.machine.endpoint,
            "up": hand.up,
            "pid": hand.process.pid if hand.process else None,
            "state": STATE_WORDS[machine.state],
            "problem": machine.fault.kind.name if machine.fault else "",
            "faults": [kind.name for kind in faults_of(machine.unit.kind.name)],
            "order": machine.work.order.number if machine.work else "",
            "operation": machine.work.job.operation if machine.work else "",
            "values": machine.image(),
        }


def app(conductor: Conductor) -> Starlette:
    return Starlette(routes=[*mes_routes(conductor), *control_routes(conductor)])


def control_routes(conductor: Conductor) -> list[Route]:
    def unknown(name: str) -> JSONResponse:
        return JSONResponse({"error": f"no machine {name!r}; known are {', '.join(UNITS)}"}, 404)

    async def machines(request: Request) -> JSONResponse:
        return JSONResponse(conductor.truth())

    async def health(request: Request) -> JSONResponse:
        hands = conductor.fleet.hands
        return JSONResponse(
            {
                "status": "ok" if all(h.up for h in hands.values()) else "degraded",
                "machines": {n: h.up for n, h in hands.items()},
                "restarts": {n: h.restarts for n, h in hands.items()},
                "plant_seconds": conductor.plant.seconds,
                "speed": conductor.speed,
            }
        )

    async def fault(request: Request) -> JSONResponse:
        name = request.path_params["id"]
        if name not in UNITS:
            return unknown(name)
        try:
            conductor.plant.cause(name, str((await request.json()).get("kind", "")))
        except ValueError as cause:
            return JSONResponse({"error": str(cause)}, 400)
        return JSONResponse(conductor.truth_of(name))

    async def repair(request: Request) -> JSONResponse:
        name = request.path_params["id"]
        if name not in UNITS:
            return unknown(name)
        return JSONResponse({"repaired": conductor.plant.repair(name)})

    async def power(request: Request) -> JSONResponse:
        name = request.path_params["id"]
        if name not in UNITS:
            return unknown(name)
        on = (await request.json()).get("on")
        if not isinstance(on, bool):
            return JSONResponse({"error": 'say {"on": true} or {"on": false}'}, 400)
        await conductor.fleet.power(name, on)
        return JSONResponse({"up": conductor.fleet.hands[name].up})

    async def page(request: Request) -> FileResponse:
        return FileResponse(PAGE, media_type="text/html")

    return [
        Route("/", page),
        Route("/control/machines", machines),
        Route("/control/health", health),
        Route("/control/machines/{id}/fault", fault, methods=["POST"]),
        Route("/control/machines/{id}/repair", repair, methods=["POST"]),
        Route("/control/machines/{id}/power", power, methods=["POST"]),
    ]
