"""State tables of two machines, in memory: the real desk on a record that is a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alert_rules.rulebook import rulebook
from alert_rules.state import StateRule
from alert_rules.state_desk import StateTableDesk
from alert_rules.tables_in_use import TablesInUse
from hub.errors import Conflict, NotFound
from hub.model.batch import SampleBatch, join
from hub.model.equipment import Equipment, EquipmentLevel, StateSpan
from hub.model.equipment import EquipmentState as S
from hub.model.mapping import FROM_FILE, MappingState, MappingVersion
from hub.model.sample import Tag
from hub.model.state_table import KIND, Seam, StateTable
from hub.model.words import Words
from hub.ports import Clock, Plant
from hub.testing.clock import NOON

OWN = {1: S.EXECUTING, 7: S.FAULT}


class MemoryStateTables:
    """hub.ports.StateTables."""

    def __init__(self) -> None:
        self.kept: dict[str, list[MappingVersion]] = {}
        self.marked: dict[str, Seam] = {}

    async def seams(self) -> dict[str, Seam]:
        return self.marked

    async def set_seams(self, seams: Mapping[str, Seam]) -> None:
        self.marked |= seams

    async def versions(self, kind: str) -> list[MappingVersion]:
        return [*reversed(self.kept.get(kind, []))]

    async def active(self, kind: str) -> int:
        kept = self.kept.get(kind, [])
        return next((v.number for v in kept if v.state is MappingState.ACTIVE), FROM_FILE)

    async def in_use(self, prefix: str) -> list[MappingVersion]:
        kept = (v for kind, versions in self.kept.items() if kind.startswith(prefix) for v in versions)
        return [v for v in kept if v.state is MappingState.ACTIVE]

    async def save(
        self, kind: str, documents: Mapping[str, Any], latest: int, by: str, note: str, at: datetime
    ) -> MappingVersion:
        kept = self.kept.setdefault(kind, [])
        if latest != len(kept):
            raise Conflict("mapping-saved", "somebody was faster")
        kept.append(MappingVersion(latest + 1, kind, dict(documents), by, at, note))
        return kept[-1]

    async def activate(self, kind: str, number: int, active: int, by: str, at: datetime) -> None:
        if await self.active(kind) != active:
            raise Conflict("mapping-activated", "meanwhile")
        kept = self.kept.setdefault(kind, [])
        if number and number > len(kept):
            raise NotFound("not-found", "no such version")
        for n, v in enumerate(kept):
            if v.number == number:
                kept[n] = replace(v, state=MappingState.ACTIVE, activated_at=at, activated_by=by)
            elif v.state is MappingState.ACTIVE:
                kept[n] = replace(v, state=MappingState.RETIRED)


class ListedRaw:
    """hub.ports.RawStates."""

    def __init__(self, *batches: SampleBatch, gone: datetime | None = None) -> None:
        self.batches, self.gone = batches, gone

    async def span(
        self, tag: int, start: datetime, end: datetime, most: int
    ) -> tuple[SampleBatch, datetime | None]:
        if not self.batches:
            return SampleBatch.at([], start, []), self.gone
        return join(list(self.batches)), self.gone


class ListedStates:
    """The states of a ledger."""

    def __init__(self, *spans: StateSpan) -> None:
        self.spans = spans

    async def states(self, since: datetime, until: datetime) -> Sequence[StateSpan]:
        return self.spans


def states_plant(*paths: str) -> Plant:
    site = Equipment("p1", EquipmentLevel.SITE, Words("一厂", "Plant 1"))
    machines = [
        Equipment(
            path, EquipmentLevel.WORK_UNIT, Words("机", "Machine"), state_tag=f"{path}/state",
            state_map=dict(OWN), state_numbering="own",
        )
        for path in paths
    ]  # fmt: skip
    tags = [
        Tag(n, m.state_tag, Words("状态", "State"), stale_after=timedelta(seconds=5))
        for n, m in enumerate(machines, 1)
    ]
    return Plant(site, {"p1": site} | {m.path: m for m in machines}, {t.path: t for t in tags})


def two_versions(path: str) -> MemoryStateTables:
    """The first of them is active."""
    tables, kind, document = MemoryStateTables(), KIND + path, StateTable("own", OWN).document()
    tables.kept[kind] = [
        MappingVersion(n, kind, document, "boss", NOON, "", state)
        for n, state in ((1, MappingState.ACTIVE), (2, MappingState.SAVED))
    ]
    return tables


def states_desk(
    clock: Clock,
    *paths: str,
    raw: ListedRaw | None = None,
    told: ListedStates | None = None,
    tables: MemoryStateTables | None = None,
) -> StateTableDesk:
    """A rule watches the first machine for faults."""
    here, tables = states_plant(*paths), tables or MemoryStateTables()
    rules = [{"name": "down", "kind": "state", "equipment": paths[0], "states": ["fault"]}]
    in_use = TablesInUse(here, tables, lambda plant: rulebook(rules, plant, {"state": StateRule}, []))
    return StateTableDesk(here, tables, in_use, raw or ListedRaw(), told or ListedStates(), clock)  # type: ignore[arg-type]
