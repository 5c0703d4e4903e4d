"""The machines' state tables as people have activated them, laid over the plant file, and what the rules on
states make of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alert_rules.rule import Codes, Rule
from alert_rules.suppression import Key
from hub.errors import ConfigError
from hub.model.equipment import Equipment
from hub.model.mapping import MappingVersion
from hub.model.state_table import KIND, Seam, StateTable, digest, read_table
from hub.ports import Plant, StateTables

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds until another table is noticed, at most
MARK = "rules:state-tables"  # the versions that the record's states were told by

RulesOf = Callable[[Plant], Sequence[Rule]]


@dataclass(frozen=True, slots=True)
class Tables:
    """`numbers`: machine -> version; `troubles`: machine -> why the file's table is used instead."""

    machines: tuple[Equipment, ...] = ()
    codes: Mapping[Key, Codes] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        return json.dumps(dict(sorted(self.numbers.items())))


class TablesInUse:
    """`plant` and `rules_of(plant)` are the file's."""

    def __init__(self, plant: Plant, tables: StateTables, rules_of: RulesOf) -> None:
        self._plant, self._tables, self._rules_of = plant, tables, rules_of
        self.now = Tables()

    def told(self) -> dict[str, Any]:
        """For the status page: how many machines' tables are the console's, and which cannot be used."""
        used = len(self.now.numbers) - len(self.now.troubles)
        troubles = "; ".join(f"{path}: {why}" for path, why in self.now.troubles.items())
        return {"state_tables": used} | ({"state_tables_trouble": troubles} if troubles else {})

    async def resume(self, mark: str) -> Tables:
        """Those by which the record's states were told, also if others have been activated since."""
        wanted: dict[str, MappingVersion] = {}
        for path, number in (json.loads(mark) if mark else {}).items():
            for version in await self._tables.versions(KIND + path):
                if version.number == number:
                    wanted[path] = version
        self.now = self._laid(wanted)
        return self.now

    async def look(self) -> Tables | None:
        """The active ones where they are others than before."""
        wanted = {v.kind.removeprefix(KIND): v for v in await self._tables.in_use(KIND)}
        if {path: v.number for path, v in wanted.items()} == self.now.numbers:
            return None
        self.now = self._laid(wanted)
        for path, why in self.now.troubles.items():
            log.error("version %d of the states of %s cannot be used: %s", self.now.numbers[path], path, why)
        return self.now

    async def mark_seams(self, told: Callable[[str], datetime | None], now: datetime) -> None:
        """Where machines' codes mean something else than the last time: up to where the record tells by what
        they meant before. `told`: up to where the rules have heard a machine."""
        known = await self._tables.seams()
        codes = {m.path: digest(m.state_map) for m in self.now.machines}
        news = {
            path: Seam(mark, told(path) or now)
            for path, mark in codes.items()
            if path not in known or known[path].codes != mark
        }
        if news:
            await self._tables.set_seams(news)

    def _laid(self, wanted: Mapping[str, MappingVersion]) -> Tables:
        machines, troubles = {}, {}
        for path, version in wanted.items():
            try:
                machines[path] = self.fitted(path, read_table(version.documents))
            except (ConfigError, ValueError) as cause:
                troubles[path] = str(cause)
        numbers = {path: v.number for path, v in wanted.items()}
        known = {m.path: m for m in self._plant.machines() if m.state_tag} | machines
        return Tables(tuple(known.values()), self._codes(machines), numbers, troubles)

    def fitted(self, path: str, table: StateTable) -> Equipment:
        """The machine with this table; ConfigError when a rule could not go on with it."""
        machine = self._plant.equipment.get(path)
        if machine is None or not machine.state_tag:
            raise ConfigError(f"{path} is no machine with a state: block in the plant file; add one")
        made = replace(machine, state_map=dict(table.map), state_numbering=table.numbering)
        self._codes({path: made})
        return made

    def _codes(self, machines: Mapping[str, Equipment]) -> dict[Key, Codes]:
        laid = replace(self._plant, equipment={**self._plant.equipment, **machines})
        rules = self._rules_of(laid)
        return {(r.name, r.subject): r.condition for r in rules if isinstance(r.condition, Codes)}


def as_activated(rules: Sequence[Rule], codes: Mapping[Key, Codes]) -> list[Rule]:
    """The rules, holding on these codes."""
    return [replace(r, condition=codes.get((r.name, r.subject), r.condition)) for r in rules]
