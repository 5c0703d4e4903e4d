"""Alarms & Conditions (OPC 10000-9) as tags, kept in step by ConditionRefresh. Pure.

A tag is 0 while none of its conditions is active, else the highest severity among them (1 to 1000), or the
number that `codes:` gives to the most severe one. Limit and fault-code rules make alarms of it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from pydantic import Field, field_validator

from collectors.opcua_nodes import checked
from hub.config import Block

_BASE, _CONDITION, _ALARM = (ua.NodeId.from_string(f"i={n}") for n in (2041, 2782, 2915))
REFRESH_START, REFRESH_END, REFRESH_REQUIRED, OVERFLOW = (
    ua.NodeId.from_string(f"i={n}") for n in (2787, 2788, 2789, 3035)
)
_FIELDS = (  # whose, path; of the condition itself its node id (part 9, clause 5.5.2)
    (_BASE, "EventType"), (_BASE, "SourceNode"), (_BASE, "Time"), (_BASE, "Severity"), (_CONDITION, ""),
    (_CONDITION, "ConditionName"), (_CONDITION, "BranchId"), (_CONDITION, "Retain"),
    (_CONDITION, "EnabledState/Id"), (_ALARM, "ActiveState/Id"),
)  # fmt: skip


class AlarmBlock(Block):
    """A tag and the conditions it tells of: those that fit everything named here; without a name, all."""

    tag: str
    condition: str = Field("", description="node id or path of one condition")
    source: str = Field("", description="node id or path of what the conditions are about")
    name: str = Field("*", description="name of the condition; * and ? as in file names")
    codes: dict[str, float] = Field({}, description="name of the condition: number instead of its severity")

    @field_validator("condition", "source")
    @classmethod
    def _written_right(cls, value: str) -> str:
        return checked(value) if value else value


@dataclass(frozen=True, slots=True)
class Watched:
    """An AlarmBlock with its ids as this server numbers them now; a null one fits nothing."""

    condition: ua.NodeId | None
    source: ua.NodeId | None
    name: str
    codes: Mapping[str, float]

    def fits(self, standing: Standing) -> bool:
        return (
            self.condition in (None, standing.condition)
            and self.source in (None, standing.source)
            and fnmatch.fnmatchcase(standing.name, self.name)
        )

    def value(self, standing: Sequence[Standing]) -> float:
        found = [s for s in standing if self.fits(s)]
        if not found:
            return 0.0
        worst = max(found, key=lambda s: s.severity)
        return self.codes.get(worst.name, float(max(worst.severity, 1)))


@dataclass(frozen=True, slots=True)
class Standing:
    """A condition that is active."""

    condition: ua.NodeId
    source: ua.NodeId | None
    name: str
    severity: int


class Conditions:
    """What stands, by what was heard since the last refresh began.

    `is_whole` is False until a refresh has ended: nobody can say before then what is not active. Nor can
    anybody of a condition that the server does not show (`unknown`), until it was heard of.
    """

    def __init__(self, watched: Sequence[Watched], unknown: Collection[int] = ()) -> None:
        self._heard: set[int] = set()  # rows that an event was about
        self.watch(watched, unknown)
        self._standing: dict[ua.NodeId, Standing] = {}
        self._mentioned: set[ua.NodeId] | None = None  # since the refresh began
        self._told: list[float | None] | None = None
        self.is_whole = False

    def watch(self, watched: Sequence[Watched], unknown: Collection[int]) -> None:
        """What to look for from now on; `unknown` are the rows that the server shows nothing of."""
        self._watched, self.unknown = watched, set(unknown) - self._heard

    def hear(self, fields: Sequence[Any]) -> bool:
        """Take one event in, its fields as `wish` asks for them. True when a refresh has to be asked for."""
        if len(fields) != len(_FIELDS):
            return False
        kind, source, _, severity, condition, name, branch, retain, enabled, active = fields
        if kind in (REFRESH_REQUIRED, OVERFLOW):
            return True
        if kind == REFRESH_START:
            self._mentioned = set()
        elif kind == REFRESH_END:
            self._end()
        elif isinstance(condition, ua.NodeId) and not condition.is_null() and _is_null(branch):
            if self._mentioned is not None:
                self._mentioned.add(condition)
            standing = Standing(condition, source, str(name or ""), int(severity or 0))
            self._known(standing)
            if enabled is False or retain is False or active is False or (active is None and not retain):
                self._standing.pop(condition, None)
            else:
                self._standing[condition] = standing
        return False

    def without_refresh(self) -> None:
        """The server knows none: what is heard from now on is all there is."""
        self.is_whole = True

    def _known(self, heard: Standing) -> None:
        found = {row for row in self.unknown if self._watched[row].fits(heard)}
        self._heard |= found
        self.unknown -= found

    def news(self) -> Iterator[tuple[int, float | None]]:
        """(row, value) of what is other than when this was asked last; nothing until it is whole. None is the
        value of what nobody knows."""
        if not self.is_whole:
            return
        standing = list(self._standing.values())
        now = [None if row in self.unknown else w.value(standing) for row, w in enumerate(self._watched)]
        before, self._told = self._told, now
        yield from ((row, v) for row, v in enumerate(now) if before is None or before[row] != v)

    def _end(self) -> None:
        if self._mentioned is not None:
            self._standing = {c: s for c, s in self._standing.items() if c in self._mentioned}
            self._mentioned, self.is_whole = None, True


def wish() -> ua.EventFilter:
    """The fields that `hear` wants of every event."""
    found = ua.EventFilter()
    for kind, path in _FIELDS:
        operand = ua.SimpleAttributeOperand()
        operand.TypeDefinitionId = kind
        operand.AttributeId = AttributeIds.Value if path else AttributeIds.NodeId
        operand.BrowsePath = [ua.QualifiedName(step, 0) for step in path.split("/")] if path else []
        found.SelectClauses.append(operand)
    return found


def event_time(fields: Sequence[Any]) -> datetime | None:
    return fields[2] if len(fields) == len(_FIELDS) and isinstance(fields[2], datetime) else None


def _is_null(branch: Any) -> bool:
    """The condition itself; a branch is a state of the past that somebody has still to acknowledge."""
    return branch is None or (isinstance(branch, ua.NodeId) and branch.is_null())
