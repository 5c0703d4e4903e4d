"""The record of stops in memory, as the API's tests need it: each machine stood from 11:30 to 11:50."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from hub.errors import Conflict
from hub.kpi.stops import Change
from hub.model.equipment import EquipmentState, StateSpan
from hub.model.intent import Intent
from hub.model.stop import OldPart, StopPart
from hub.testing.clock import NOON

MINUTE = timedelta(minutes=1)
STOOD = NOON - 30 * MINUTE


class MemoryStops:
    """hub.ports.Stops and, for one caller at a time, its StopTx."""

    def __init__(self) -> None:
        self.kept: list[OldPart] = []

    @asynccontextmanager
    async def begin(self, equipment: str) -> AsyncIterator[_Tx]:
        yield _Tx(self, equipment)

    async def spans(
        self, machines: Collection[str], since: datetime, until: datetime, now: datetime
    ) -> list[StateSpan]:
        changes = [
            (EquipmentState.EXECUTING, NOON - 90 * MINUTE, STOOD),
            (EquipmentState.FAULT, STOOD, STOOD + 20 * MINUTE),
            (EquipmentState.EXECUTING, STOOD + 20 * MINUTE, now),
        ]
        return [StateSpan(m, s, a, b) for m in sorted(machines) for s, a, b in changes]

    async def parts(self, machines: Collection[str], since: datetime, until: datetime) -> list[StopPart]:
        held = [x.part for x in self.kept if x.replaced_at is None]
        return [p for p in held if p.equipment in machines and p.until > since and p.since < until]

    async def history(self, equipment: str, since: datetime, until: datetime) -> list[OldPart]:
        return [x for x in self.kept if x.part.equipment == equipment]

    async def used(self, machines: Collection[str], since: datetime) -> dict[str, dict[str, int]]:
        return {m: {"jam": 3} for m in machines}

    async def asked(self, since: datetime) -> list[tuple[str, datetime, datetime]]:
        return []

    async def ask(
        self, asked: tuple[str, datetime, datetime], at: datetime, intents: Sequence[Intent]
    ) -> bool:
        return True


class _Tx:
    def __init__(self, record: MemoryStops, equipment: str) -> None:
        self._record, self._equipment = record, equipment

    async def spans(self, since: datetime, until: datetime, now: datetime) -> list[StateSpan]:
        return await self._record.spans([self._equipment], since, until, now)

    async def parts(self, since: datetime, until: datetime) -> list[StopPart]:
        return await self._record.parts([self._equipment], since, until)

    async def apply(self, change: Change, by: str, at: datetime) -> None:
        for gone in change.gone:
            found = [x for x in self._record.kept if x.part.id == gone.id and x.replaced_at is None]
            if not found:
                raise Conflict("stop-changed", "somebody else")
            i = self._record.kept.index(found[0])
            self._record.kept[i] = OldPart(gone, at, by)
        for part in change.new:
            self._record.kept.append(OldPart(replace(part, id=len(self._record.kept) + 1), None, ""))

    async def stretch(self, parts: Sequence[StopPart]) -> None:
        """Nothing moves here."""
