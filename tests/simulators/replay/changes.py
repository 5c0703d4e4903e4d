"""Recorded rows into changes of a machine's tags. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.simulators.replay.guess import as_number
from tests.simulators.replay.recording import Change, Condition, MachineRecording, Row, Signal

_WORST_FIRST = {"fault": 0, "warning": 1}
_COUNTER = 2**32
Value = float | str | None


def changes(machine: MachineRecording) -> Iterator[Change]:
    """What a machine said, from the beginning: only values that differ from the one before.

    Unknown is everything at first, what the recorder has lost, and a table's signals while rows are missing.
    """
    reader = _Reader(machine)
    silence = timedelta(seconds=machine.silent_after) if machine.silent_after else None
    last: datetime | None = None
    for row in machine.rows():
        if silence and last and row.at - last > silence:
            yield from reader.lost(last + silence)
        last = row.at
        yield from reader.take(row)


class _Reader:
    def __init__(self, machine: MachineRecording) -> None:
        self._by_name = {name: s for s in machine.signals for name in s.names}
        self._shown: dict[str, Value] = {s.tag: None for s in machine.signals}
        self._totals: dict[str, float] = {}
        self._codes = machine.fault_codes
        fault = machine.signal("fault")
        self._conditions = Conditions(machine, fault.names if fault else ())

    def take(self, row: Row) -> Iterator[Change]:
        signal = self._by_name.get(row.name)
        if signal is None:
            return
        value = self._value(signal, row)
        if value != self._shown[signal.tag]:
            self._shown[signal.tag] = value
            yield Change(row.at, signal.tag, value)

    def lost(self, at: datetime) -> Iterator[Change]:
        for tag, shown in self._shown.items():
            if shown is not None:
                self._shown[tag] = None
                yield Change(at, tag, None)

    def _value(self, signal: Signal, row: Row) -> Value:
        if isinstance(row.value, Condition):
            return self._conditions.take(row.name, row.value)
        if row.value is None or row.value == "":
            return None
        if signal.role == "fault":
            return float(self._codes.get((row.name, row.value, ""), 0))
        if signal.codes:
            return row.value
        number = as_number(row.value)
        if number is not None and signal.adds:
            number = self._totals[signal.tag] = (self._totals.get(signal.tag, 0.0) + number) % _COUNTER
        return number


@dataclass(slots=True)
class Conditions:
    """The conditions of a machine that hold now, shown as one number: the worst one, of equals the oldest."""

    machine: MachineRecording
    names: tuple[str, ...]
    active: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # -> (rank, fault number)
    unknown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.unknown = set(self.names)

    def take(self, name: str, condition: Condition) -> float | None:
        """0 while none holds; None while nothing is known of any."""
        self.unknown.discard(name)
        match condition.level:
            case "unavailable":
                self._end(name, "")
                self.unknown.add(name)
            case "normal":
                self._end(name, condition.code)
            case level:
                number = self.machine.fault_codes[name, condition.code, condition.text]
                key = (name, condition.code)
                if self.active.get(key) != (_WORST_FIRST[level], number):
                    if key in self.active and self.active[key][0] != _WORST_FIRST[level]:
                        del self.active[key]  # it became another one: its age begins anew
                    self.active[key] = (_WORST_FIRST[level], number)
        if len(self.unknown) == len(self.names):
            return None
        return float(min(self.active.values(), key=lambda a: a[0])[1]) if self.active else 0.0

    def _end(self, name: str, code: str) -> None:
        """A Normal with a code ends that one, without a code all of its name."""
        for key in [k for k in self.active if k[0] == name and code in ("", k[1])]:
            del self.active[key]
