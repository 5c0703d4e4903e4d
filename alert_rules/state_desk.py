"""What machines' codes mean, for people: a table is tried on the record, saved as a version, activated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from alert_rules.state_trial import changed_share, changes, codes_seen, seconds_of, within
from alert_rules.tables_in_use import TablesInUse
from hub.errors import ConfigError, NotFound, Refused
from hub.model.equipment import Equipment, EquipmentState, StateSpan
from hub.model.mapping import FROM_FILE, MappingVersion
from hub.model.state_table import KIND, PRESETS, StateTable, WrongTable, read_table
from hub.model.words import Words
from hub.ports import Clock, Ledger, Plant, RawStates, StateTables

MOST = 300_000  # samples of one trial: three days and a half at one a second
SHOWN = 2_000  # spans of one line of the picture


class StateTableDesk:
    """hub.ports.StateDesk."""

    def __init__(
        self,
        plant: Plant,
        tables: StateTables,
        in_use: TablesInUse,
        raw: RawStates,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._plant, self._tables, self._in_use = plant, tables, in_use
        self._raw, self._ledger, self._clock = raw, ledger, clock
        self._turn = asyncio.Lock()  # one trial at a time: it is a second's thinking

    # ------------------------------------------------------------------ looking
    async def machines(self, by: Callable[[str], bool]) -> dict[str, Any]:
        active = {v.kind.removeprefix(KIND): v.number for v in await self._tables.in_use(KIND)}
        mine = [m for m in self._plant.machines() if m.state_tag and by(m.path)]
        return {
            "machines": [
                {"machine": m.path, "name": self._plant.full_name(m.path).as_dict(), "tag": m.state_tag,
                 "active": active.get(m.path, FROM_FILE)}
                for m in mine
            ],
            "presets": {name: StateTable(name, table).document()["map"] for name, table in PRESETS.items()},
            "states": list(EquipmentState),
        }  # fmt: skip

    async def machine(self, path: str) -> dict[str, Any]:
        machine = self._known(path)
        versions = await self._tables.versions(KIND + path)
        active = await self._tables.active(KIND + path)
        used, trouble = self._used(machine, versions, active)
        return {
            "machine": path,
            "name": self._plant.full_name(path).as_dict(),
            "tag": machine.state_tag,
            "file": _of_file(machine).document(),
            "table": used.document(),
            "active": active,
            "trouble": trouble,
            "latest": versions[0].number if versions else FROM_FILE,
            "versions": [_shape(v) for v in versions],
        }

    async def used(self, path: str) -> tuple[StateTable, int]:
        """The table that the rules go by, and the version that is active."""
        machine = self._known(path)
        versions = await self._tables.versions(KIND + path)
        active = await self._tables.active(KIND + path)
        return self._used(machine, versions, active)[0], active

    def _used(
        self, machine: Equipment, versions: Sequence[MappingVersion], active: int
    ) -> tuple[StateTable, str]:
        """What the rules go by, and why that is not the active version where it is not."""
        for version in versions:
            if version.number == active:
                try:
                    table = read_table(version.documents)
                    self._in_use.fitted(machine.path, table)
                    return table, ""
                except (ConfigError, ValueError) as cause:
                    return _of_file(machine), str(cause)
        return _of_file(machine), ""

    # ------------------------------------------------------------------ trying
    async def preview(self, path: str, table: Mapping[str, Any], hours: int) -> dict[str, Any]:
        machine, proposed = self._known(path), _read(table)
        seen = await self.machine(path)
        until = self._clock.now()
        async with self._turn:
            return await self._tried(
                machine, read_table(seen["table"]), proposed, until, until - timedelta(hours=hours)
            )

    async def _tried(
        self, machine: Equipment, current: StateTable, proposed: StateTable, until: datetime, since: datetime
    ) -> dict[str, Any]:
        tag = self._plant.tags[machine.state_tag]
        rows, gone = await self._raw.span(tag.number, since - tag.stale_after, until, MOST)
        asked = since
        if len(rows) == MOST:  # more than one trial takes: its newest part is told, not a sample of it
            since = max(since, rows.sample(0).source_time)
        if gone is not None and gone > since:
            since = min(gone, until)
        now, then = [
            within(
                await asyncio.to_thread(changes, machine, tag, table, rows, until), machine.path, since, until
            )
            for table in (current, proposed)
        ]
        recorded = [s for s in await self._ledger.states(since, until) if s.equipment == machine.path]
        lines = {"current": now, "proposed": then, "recorded": within(recorded, machine.path, since, until)}
        return {
            "since": since,
            "until": until,
            "asked": asked,
            "raw_gone": since if gone is not None and gone > asked else None,
            "cut": len(rows) == MOST,
            "samples": len(rows),
            "lines": {name: _spans(spans) for name, spans in lines.items()},
            "seconds": {name: _seconds(spans) for name, spans in lines.items()},
            "changed": changed_share(now, then),
            "codes": [
                asdict(c) | {"current": _state(current, c.code), "proposed": _state(proposed, c.code)}
                for c in codes_seen(rows, tag, since, until)
            ],
        }  # fmt: skip

    # ------------------------------------------------------------------ deciding
    async def save(
        self, path: str, table: Mapping[str, Any], latest: int, by: str, note: str
    ) -> dict[str, Any]:
        machine, made = self._known(path), _read(table)
        self._fits(machine, made)
        saved = await self._tables.save(KIND + path, made.document(), latest, by, note, self._clock.now())
        return {"number": saved.number} | await self.machine(path)

    async def activate(self, path: str, number: int, active: int, by: str) -> dict[str, Any]:
        machine = self._known(path)
        if number != FROM_FILE:
            wanted = [v for v in await self._tables.versions(KIND + path) if v.number == number]
            if not wanted:
                raise NotFound("not-found", f"there is no version {number}")
            self._fits(machine, _read(wanted[0].documents))
        await self._tables.activate(KIND + path, number, active, by, self._clock.now())
        return await self.machine(path)

    def _fits(self, machine: Equipment, table: StateTable) -> None:
        try:
            self._in_use.fitted(machine.path, table)
        except ConfigError as cause:
            told = "; ".join(cause.complaints)
            zh = f"有规则用到的状态，此表中没有代码对应；请补上代码，或修改规则（{told}）"
            raise Refused("states-refused", Words(zh, told)) from None

    def _known(self, path: str) -> Equipment:
        machine = self._plant.equipment.get(path)
        if machine is None or not machine.state_tag:
            raise NotFound("not-found", f"{path} has no state: block in the plant file")
        return machine


def _read(table: Mapping[str, Any]) -> StateTable:
    try:
        return read_table(table)
    except WrongTable as cause:
        raise Refused("states-refused", cause.words) from None


def _of_file(machine: Equipment) -> StateTable:
    return StateTable(machine.state_numbering or "own", machine.state_map)


def _state(table: StateTable, code: int) -> str | None:
    """None: no state; the machine is UNKNOWN then."""
    found = table.map.get(code)
    return found.value if found is not None else None


def _spans(spans: Sequence[StateSpan]) -> list[dict[str, Any]]:
    """The newest of them: what is beyond is told in the sums."""
    return [{"state": s.state, "since": s.since, "until": s.until} for s in spans[-SHOWN:]]


def _seconds(spans: Sequence[StateSpan]) -> dict[str, float]:
    return {state.value: round(seconds, 3) for state, seconds in seconds_of(spans).items()}


def _shape(version: MappingVersion) -> dict[str, Any]:
    return {
        "number": version.number, "by": version.by, "at": version.at, "note": version.note,
        "state": version.state, "activated_at": version.activated_at, "activated_by": version.activated_by,
        "table": version.documents,
    }  # fmt: skip
