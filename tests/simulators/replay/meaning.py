"""From a machine's surveyed signals, and what a person said about them, to a described machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from hub.model.equipment import EquipmentState
from tests.simulators.replay import guess
from tests.simulators.replay.guess import Survey, as_number
from tests.simulators.replay.mapping import CounterMapping, Mapping
from tests.simulators.replay.recording import Condition, Level, MachineRecording, Role, Row, Signal

MOST_SHOWN = 6  # numbers on a machine's tile
FIRST_OWN_CODE = 10001  # numbers given to fault codes that are no numbers of their own
NO_FAULT = frozenset({"0", "none", "no", "ok", "normal", "false", "0.0"})


def machine(
    name: str,
    rows: Callable[[], Iterator[Row]],
    mapping: Mapping,
    silent_after: float | None,
    units: dict[str, str] | None = None,
) -> MachineRecording | None:
    """None when nothing was ever known of it."""
    span = _Span()
    surveys = guess.survey(span.watch(rows()))
    surveys = {n: s for n, s in surveys.items() if n not in mapping.ignore}
    if not any(s.known for s in surveys.values()):
        return None
    made = _Builder(surveys, mapping, {**(units or {}), **mapping.units})
    made.state(rows)
    made.fault()
    made.counter("good", mapping.good)
    made.counter("scrap", mapping.scrap)
    made.words()
    made.values()
    assert span.first is not None and span.last is not None
    return MachineRecording(
        mapping.machines.get(name) or identifier(name), name, tuple(made.signals), rows, span.first,
        span.last, span.count, made.state_map, made.fault_codes, made.fault_texts, made.fault_levels,
        silent_after,
    )  # fmt: skip


def identifier(name: str) -> str:
    """Small letters, digits, - and _; a machine that is only a number gets a word before it."""
    plain = re.sub(r"[^a-z0-9_]+", "-", name.strip().lower()).strip("-_")
    return plain if plain and not plain.isdigit() else f"machine-{plain or 'x'}"


class _Span:
    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.count = 0

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.first = self.first or row.at
            self.last = row.at
            self.count += 1
            yield row


class _Builder:
    """Takes the surveyed signals one role after the other; what is taken is gone."""

    def __init__(self, surveys: dict[str, Survey], mapping: Mapping, units: dict[str, str]) -> None:
        self.left = dict(surveys)
        self.mapping = mapping
        self.units = units
        self.signals: list[Signal] = []
        self.state_map: dict[int, EquipmentState] = {}
        self.fault_codes: dict[tuple[str, str, str], int] = {}
        self.fault_texts: dict[int, str] = {}
        self.fault_levels: dict[int, Level] = {}
        self._tags = {"state", "fault", "good", "scrap"}

    # -------------------------------------------------------------- state
    def state(self, rows: Callable[[], Iterator[Row]]) -> None:
        wanted = self.mapping.state
        found = self.left.get(wanted.signal) if wanted else guess.state_signal(self.left)
        if found is None:
            return
        del self.left[found.name]
        given = wanted.map if wanted else {}
        words = sorted(found.values)
        if found.numeric:
            meanings = given or guess.states_of_numbers(self._happenings(found.name, rows()))
            plain = {w: as_number(w) for w in words}
            named = {_plain(w): s for w, s in meanings.items()}
            unknown = EquipmentState.UNKNOWN
            self.state_map = {
                int(n): named.get(_plain(w), unknown) for w, n in plain.items() if n is not None
            }
            codes: dict[str, int] = {}
        else:
            codes = {w: i for i, w in enumerate(words, 1)}
            self.state_map = {i: given.get(w) or guess.state_of_word(w) for w, i in codes.items()}
        self.signals.append(Signal("state", "state", (found.name,), found.name, codes=codes))

    def _happenings(self, state: str, rows: Iterator[Row]) -> Iterator[tuple[str, float | None, bool]]:
        """(state, how much was made or drawn, alarm) of every recorded moment."""
        good, _ = guess.counters(self.left)
        drawn = next((n for n, s in self.left.items() if s.numeric and guess.worth_showing(n)), "")
        amount = good.name if good else drawn
        alarm = guess.fault_signal(self.left)
        for moment in _moments(rows):
            if state in moment:
                text = moment.get(alarm.name, "0") if alarm else "0"
                yield moment[state], as_number(moment.get(amount, "")), text.lower() not in NO_FAULT

    # -------------------------------------------------------------- faults
    def fault(self) -> None:
        conditions = [s for s in self.left.values() if s.is_condition]
        if conditions:
            self._fault_of_conditions(conditions)
            return
        found = self.left.get(self.mapping.fault) or guess.fault_signal(self.left)
        if found is None:
            return
        del self.left[found.name]
        alarms = sorted(w for w in found.values if w.lower() not in NO_FAULT)
        for number, word in zip(_numbers(alarms), alarms, strict=True):
            self.fault_codes[found.name, word, ""] = number
            self.fault_texts[number] = f"{found.name} {word}"
            self.fault_levels[number] = "fault"
        self.signals.append(Signal("fault", "fault", (found.name,), found.name))

    def _fault_of_conditions(self, conditions: list[Survey]) -> None:
        keys = sorted((s.name, code, text) for s in conditions for code, text in s.conditions)
        for number, key in zip(_numbers([k[1] for k in keys]), keys, strict=True):
            name, code, text = key
            self.fault_codes[key] = number
            self.fault_texts[number] = f"{text or name} ({' '.join(filter(None, (name, code)))})"
            self.fault_levels[number] = next(s for s in conditions if s.name == name).conditions[code, text]
        names = tuple(s.name for s in conditions)
        for name in names:
            del self.left[name]
        self.signals.append(Signal("fault", "fault", names, "conditions"))

    # -------------------------------------------------------------- counters, words, values
    def counter(self, role: Role, given: CounterMapping | None) -> None:
        good, scrap = guess.counters(self.left)
        guessed = good if role == "good" else scrap
        found = self.left.get(given.signal) if given else guessed
        if found is None or not found.numeric:
            return
        del self.left[found.name]
        adds = given.adds if given and given.adds is not None else not _is_total(found)
        self.signals.append(Signal(role, role, (found.name,), found.name, adds=adds))

    def words(self) -> None:
        for found in guess.word_signals(self.left):
            del self.left[found.name]
            codes = {w: i for i, w in enumerate(sorted(found.values), 1)}
            self.signals.append(Signal(self._tag(found.name), "word", (found.name,), found.name, codes=codes))

    def values(self) -> None:
        """Numbers, those to be shown first: where no name says what is worth it, whatever moves."""
        numbers = [s for s in self.left.values() if s.numeric]
        moving = [s for s in numbers if len(s.values) > 1]
        named = [s for s in moving if guess.worth_showing(s.name)]
        shown = sorted(named or moving, key=lambda s: (-s.lively, s.name))[:MOST_SHOWN]
        for found in [*shown, *(s for s in numbers if s not in shown)]:
            unit = self.units.get(found.name, guess.unit_of(found.name))
            self.signals.append(
                Signal(
                    self._tag(found.name), "value", (found.name,), found.name, unit, found.decimals,
                    found in shown,
                )
            )  # fmt: skip

    def _tag(self, name: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "value"
        tag, n = plain, 2
        while tag in self._tags:
            tag, n = f"{plain}_{n}", n + 1
        self._tags.add(tag)
        return tag


def _is_total(found: Survey) -> bool:
    """A running total never falls, except to begin again; a table of increments goes up and down."""
    if re.search(r"count|total|累计", found.name, re.I):
        return True
    return not found.falls and len(found.values) > 1


def _numbers(codes: list[str]) -> list[int]:
    """A number for each code: its own where it is one and free, else one of ours."""
    own = [_own_number(c) for c in codes]
    taken: set[int] = set()
    out: list[int] = []
    spare = FIRST_OWN_CODE
    for number in own:
        if not number or number in taken:
            while spare in taken or spare in own:
                spare += 1
            number = spare  # noqa: PLW2901
        taken.add(number)
        out.append(number)
    return out


def _own_number(code: str) -> int:
    plain = code.removesuffix(".0")
    return int(plain) if plain.isascii() and plain.isdigit() and int(plain) < 2**31 else 0


def _plain(word: str) -> str:
    number = as_number(word)
    return word if number is None else f"{number:g}"


def _moments(rows: Iterator[Row]) -> Iterator[dict[str, str]]:
    """Rows of one time together."""
    at, moment = None, dict[str, str]()
    for row in rows:
        if row.at != at and moment:
            yield moment
            moment = {}
        at = row.at
        if isinstance(row.value, str):
            moment[row.name] = row.value
    if moment:
        yield moment


def condition_key(name: str, condition: Condition) -> tuple[str, str, str]:
    return name, condition.code, condition.text
