"""Asks once why a machine stood, when a stop has lasted so long that it needs a reason.

Nothing is timed here: every few seconds the record is looked at, so a hub that was away asks when it is back,
and what it has asked is on record together with the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from hub.kpi.calendar import on_duty
from hub.kpi.stops import Stop
from hub.model.alarm import Priority
from hub.model.equipment import Equipment
from hub.model.intent import Intent
from hub.model.people import Person, Role
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import Clock, Plant, SeenStop, Stops

EVERY = 15.0  # seconds
BACK = timedelta(hours=12)  # a stop that was over before that is asked of nobody


class Looks(Protocol):
    async def seen(
        self, machines: Sequence[Equipment], since: datetime, until: datetime
    ) -> list[SeenStop]: ...
    async def settle(self, seen: Sequence[SeenStop]) -> None: ...


class StopAsker:
    """`run` until cancelled."""

    def __init__(self, plant: Plant, desk: Looks, record: Stops, clock: Clock, notices: Notices) -> None:
        self._plant, self._desk, self._record = plant, desk, record
        self._clock, self._notices = clock, notices
        self._waiting = 0

    async def run(self) -> None:
        while True:
            await self.round()
            await self._clock.sleep(EVERY)

    async def round(self) -> None:
        now = self._clock.now()
        seen = await self._desk.seen(self._plant.machines(), now - BACK, now)
        waiting = [s.stop for s in seen if s.waits]
        self._waiting = len(waiting)
        asked = await self._record.asked(now - BACK)
        for stop in waiting if self._plant.stops.ask else ():
            if not any(m == stop.equipment and a < stop.end and b > stop.start for m, a, b in asked):
                await self._record.ask((stop.equipment, stop.start, stop.end), now, self._message(stop, now))
        await self._desk.settle(seen)

    def detail(self) -> dict[str, Any]:
        return {"waiting_for_reason": self._waiting}

    def _message(self, stop: Stop, now: datetime) -> list[Intent]:
        where = self._plant.full_name(stop.equipment)
        minutes = int(stop.total / timedelta(minutes=1))
        title = Words(
            f"{where.zh} 停机 {minutes} 分钟，请填写原因",
            f"{where.en} has stood for {minutes} min: say why",
        )
        return self._notices.about(
            f"stop:{stop.equipment}@{stop.start.isoformat()}",
            title,
            where=where,
            people=self._people(stop.equipment, now),
            priority=Priority.LOW,
            link=f"{self._notices.link}#w=*",
        )

    def _people(self, machine: str, now: datetime) -> list[Person]:
        """Who is on duty there; where the roster names nobody, the operators of the place."""
        person = on_duty(self._plant, machine, now)
        return [person] if person else self._notices.holders([Role.OPERATOR], machine)
