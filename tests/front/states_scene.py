"""State tables of a press whose code 3 nobody has given a state, and of a robot: the real desks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from alert_rules.state_again import StateHistoryDesk
from alert_rules.state_desk import StateTableDesk
from alert_rules.state_trial import changes
from hub.clock import SystemClock
from hub.model.batch import SampleBatch, micros
from hub.model.equipment import EquipmentState as S
from hub.model.equipment import StateSpan
from hub.model.state_table import Seam, StateTable, digest
from hub.model.stop import StopPart
from hub.store.machines import spans_of
from tests.api_past import MemoryPast, past_desk, seams_of
from tests.api_states import OWN, ListedRaw, ListedStates, states_desk, states_plant
from tests.api_stops import MemoryStops

PRESS, ROBOT = "p1/stamping/l1/press-01", "p1/assembly/l4/robot-01"


class RecordedStops(MemoryStops):
    """As the record's states tell them; two faults of the press have a reason."""

    def __init__(self, past: MemoryPast, parts: list[StopPart]) -> None:
        super().__init__()
        self._past, self._parts = past, parts

    async def spans(
        self, machines: Collection[str], since: datetime, until: datetime, now: datetime
    ) -> list[StateSpan]:
        return spans_of(sorted(self._past.kept, key=lambda s: s.since), now)

    async def parts(self, machines: Collection[str], since: datetime, until: datetime) -> list[StopPart]:
        return [p for p in self._parts if p.until > since and p.since < until]


class Scene:
    """A day, one sample every four seconds: it runs, is set up (3), runs, faults (7)."""

    def __init__(self) -> None:
        clock = SystemClock()
        now = clock.now()
        step, whole = timedelta(seconds=4), timedelta(hours=25)
        course = [1] * 700 + [3] * 150 + [1] * 600 + [7] * 80 + [2] * 40
        times = [now - whole + n * step for n in range(int(whole / step))]
        codes = np.array([course[n % len(course)] for n in range(len(times))], np.float64)
        stamps = np.array([micros(at) for at in times], np.int64)
        rows = SampleBatch(np.ones(len(times), np.int32), stamps, codes, np.zeros(len(times), np.uint32))
        told = ListedStates(StateSpan(PRESS, S.EXECUTING, now - whole, now))
        self.tables: StateTableDesk = states_desk(clock, PRESS, ROBOT, raw=ListedRaw(rows), told=told)
        plant = states_plant(PRESS, ROBOT)
        press = plant.equipment[PRESS]
        there = changes(press, plant.tags[press.state_tag], StateTable("own", OWN), rows, now)
        faults = [s.since for s in there if s.state is S.FAULT][-3:-1]
        parts = [
            StopPart(PRESS, at, at + 80 * step, "jam", "", "li", at, opens=True, closes=True, id=n)
            for n, at in enumerate(faults, 1)
        ]
        self._now = now
        self._record = MemoryPast(rows, there, seams_of(plant, now - timedelta(minutes=1)))
        stops = RecordedStops(self._record, parts)
        self.past: StateHistoryDesk = past_desk(plant, self.tables, self._record, stops, clock)

    async def activate(self, body: Any) -> Any:
        """The rules of this scene take it up at once."""
        found = await self.tables.activate(body["machine"], body["number"], body["active"], "zhang")
        table, _ = await self.tables.used(body["machine"])
        seam = Seam(digest(table.map), self._now - timedelta(seconds=4))
        self._record.seams = {**self._record.seams, body["machine"]: seam}
        return found


async def answer(here: Scene, method: str, path: str, query: Any, body: Any) -> Any:
    """As hub.api.state_tables does it; `path` is what follows /api/state-tables."""
    match [method, path.strip("/")]:
        case ["GET", ""]:
            return await here.tables.machines(lambda path: True)
        case ["GET", "machine"]:
            return await here.tables.machine(query["path"])
        case ["POST", "preview"]:
            return await here.tables.preview(body["machine"], body["table"], body["hours"])
        case ["POST", "activate"]:
            return await here.activate(body)
        case ["GET", "history"]:
            return {"done": await here.past.done(query["path"])}
        case ["POST", "history/preview"]:
            return await here.past.preview(body["machine"], datetime.fromisoformat(body["since"]))
        case ["POST", "history"]:
            since = datetime.fromisoformat(body["since"])
            return await here.past.apply(body["machine"], since, body["key"], "zhang")
        case _:
            return await here.tables.save(
                body["machine"], body["table"], body["latest"], "zhang", body["note"]
            )
