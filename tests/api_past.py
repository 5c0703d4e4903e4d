"""Machines' states of the past in memory: the real desk on a record that is a list of changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import numpy as np

from alert_rules.state_again import StateHistoryDesk
from alert_rules.state_desk import StateTableDesk
from hub.model.batch import SampleBatch, micros
from hub.model.equipment import Count, StateSpan
from hub.model.state_table import Seam, digest
from hub.model.ticket import MaintenanceTicket
from hub.ports import Clock, Plant, Stops


class MemoryPast:
    """hub.ports.state_history.StateHistory and its transaction. `raw`: of every machine."""

    def __init__(self, raw: SampleBatch, changes: Sequence[StateSpan], seams: Mapping[str, Seam]) -> None:
        self.raw, self.kept, self.seams = raw, list(changes), seams
        self.book: list[dict[str, Any]] = []
        self._of = ""

    @asynccontextmanager
    async def begin(self, equipment: str) -> AsyncIterator[_Tx]:
        yield _Tx(self, equipment)

    async def seam(self, equipment: str) -> Seam | None:
        return self.seams.get(equipment)

    async def changes(self, equipment: str, since: datetime, until: datetime) -> list[StateSpan]:
        mine = sorted((s for s in self.kept if s.equipment == equipment), key=lambda s: s.since)
        before = [s for s in mine if s.since <= since]
        return [*before[-1:], *(s for s in mine if since < s.since < until)]

    async def counts(self, equipment: str, since: datetime, until: datetime) -> list[Count]:
        return []

    async def page(self, tag: int, start: datetime, end: datetime, most: int) -> SampleBatch:
        inside = (self.raw.source_times >= micros(start)) & (self.raw.source_times < micros(end))
        return self.raw.take(np.flatnonzero(inside)[:most])

    async def raw_gone(self, tag: int) -> datetime | None:
        return None

    async def done(self, equipment: str, most: int) -> list[dict[str, Any]]:
        mine = [line for line in reversed(self.book) if line["equipment"] == equipment]
        return [{k: v for k, v in line.items() if k != "equipment"} for line in mine[:most]]


class _Tx:
    def __init__(self, record: MemoryPast, equipment: str) -> None:
        self._record, self._equipment = record, equipment

    async def seam(self) -> Seam | None:
        return await self._record.seam(self._equipment)

    async def changes(self, since: datetime, until: datetime) -> list[StateSpan]:
        return await self._record.changes(self._equipment, since, until)

    async def replace(self, since: datetime, until: datetime, changes: Sequence[StateSpan]) -> None:
        here = self._equipment
        kept = [s for s in self._record.kept if s.equipment != here or not since <= s.since < until]
        known = {s.since for s in kept if s.equipment == here}
        news = [s for s in changes if s.since not in known]
        self._record.kept = sorted([*kept, *news], key=lambda s: s.since)

    async def never_ask(self, stops: Sequence[tuple[datetime, datetime]], at: datetime) -> None:
        pass

    async def note(
        self, at: datetime, by: str, since: datetime, until: datetime, report: Mapping[str, Any],
        audit: Mapping[str, Any],
    ) -> None:  # fmt: skip
        line = {"at": at, "by": by, "since": since, "until": until, "report": report}
        self._record.book.append(line | {"equipment": self._equipment})


class NoTickets:
    """The tickets of a ledger that has none."""

    async def open_tickets(self) -> list[MaintenanceTicket]:
        return []

    async def recent_tickets(self, limit: int) -> list[MaintenanceTicket]:
        return []


async def _unheard(event: Mapping[str, Any]) -> None:
    pass


def seams_of(plant: Plant, since: datetime) -> dict[str, Seam]:
    """The file's tables were taken up then."""
    return {m.path: Seam(digest(m.state_map), since) for m in plant.machines() if m.state_tag}


def past_desk(
    plant: Plant, tables: StateTableDesk, past: MemoryPast, stops: Stops, clock: Clock
) -> StateHistoryDesk:
    return StateHistoryDesk(plant, tables.used, past, stops, NoTickets(), clock, _unheard)  # type: ignore[arg-type]
