"""What a recording is made of, whatever format it came in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from hub.model.equipment import EquipmentState

Role = Literal["state", "fault", "good", "scrap", "word", "value"]
Level = Literal["fault", "warning"]


class Condition(NamedTuple):
    """An alarm condition as recorded: `level` is normal, warning, fault or unavailable."""

    level: str
    code: str
    text: str


class Row(NamedTuple):
    """One recorded change. `value` is the text as written, a condition, or None for not known."""

    at: datetime
    name: str
    value: str | Condition | None


class Change(NamedTuple):
    """One change to play: None means that the recorder had lost the machine."""

    at: datetime
    tag: str
    value: float | str | None


@dataclass(frozen=True, slots=True)
class Signal:
    """A recorded signal and what it was taken for. `names`: the recorded names it is made of (several for the
    fault code). `codes`: numbers for its words. `adds`: each value is an increment of a counter."""

    tag: str
    role: Role
    names: tuple[str, ...]
    label: str
    unit: str = ""
    decimals: int = 0
    shown: bool = False
    codes: dict[str, int] = field(default_factory=dict)
    adds: bool = False


@dataclass(frozen=True, slots=True)
class MachineRecording:
    """One machine. `rows` reads its recording from the beginning, in the order of time."""

    id: str
    label: str
    signals: tuple[Signal, ...]
    rows: Callable[[], Iterator[Row]]
    first: datetime
    last: datetime
    count: int
    state_map: dict[int, EquipmentState] = field(default_factory=dict)
    fault_codes: dict[tuple[str, str, str], int] = field(default_factory=dict)  # (name, code, text) -> number
    fault_texts: dict[int, str] = field(default_factory=dict)
    fault_levels: dict[int, Level] = field(default_factory=dict)
    silent_after: float | None = None  # seconds without a row after which nothing is known

    def signal(self, role: Role) -> Signal | None:
        return next((s for s in self.signals if s.role == role), None)


@dataclass(frozen=True, slots=True)
class Recording:
    """All machines of a folder. `notes`: what was left out, and why."""

    machines: tuple[MachineRecording, ...]
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> datetime:
        return min(m.first for m in self.machines)

    @property
    def last(self) -> datetime:
        return max(m.last for m in self.machines)
