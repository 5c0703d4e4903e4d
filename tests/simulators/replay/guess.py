"""What a recorded signal most likely is, from its name and its values. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.model.equipment import EquipmentState as S
from tests.simulators.replay.recording import Condition, Level, Row

_DISTINCT = 40  # different values remembered of each signal


def _words(*patterns: str) -> re.Pattern[str]:
    """The whole name is one of these, blanks and underscores alike, great or small."""
    return re.compile("|".join(f"(?:{p})" for p in patterns).replace(" ", "[_ ]?"), re.IGNORECASE)


_STATE = _words("execution( state)?", "(machine )?(state|status)", "(运行)?状态")
_WORD = _words("(controller )?mode", "e stop", "emergency stop", "avail(ability)?", "power", "door.*")
_GOOD = _words(
    "items", "pieces", "parts?", "parts? count.*", "count(er)?", "good.*", "produced", "output",
    "qty( good| completed)?", "quantity", "产量", "合格.*",
)  # fmt: skip
_SCRAP = _words(
    "scrap.*", "reject.*", "ng", "defects?", "bad( parts)?", "qty (rejected|scrap)", "废品.*", "不良.*"
)
_FAULT = _words(
    "alarms?( code| id| no)?", "fault.*", "error( id| code| no)?", "failure", "anomaly", "故障.*", "报警.*"
)
_SHOWN = re.compile(
    "load|temp|rpm|speed|power|pres|vib|current|torque|flow|feed|fact|accel|volt|rotate|温|压|振|功率|转速",
    re.IGNORECASE,
)
_UNITS = (
    (re.compile(r"load$|ovr$|percent|%", re.I), "%"),
    (re.compile(r"temp|thermo", re.I), "℃"),
    (re.compile(r"rpm", re.I), "rpm"),
)
_WORDS: Mapping[str, S] = {
    "active": S.EXECUTING, "executing": S.EXECUTING, "running": S.EXECUTING, "run": S.EXECUTING,
    "auto": S.EXECUTING, "automatic": S.EXECUTING, "producing": S.EXECUTING, "work": S.EXECUTING,
    "working": S.EXECUTING, "运行": S.EXECUTING, "生产": S.EXECUTING, "加工": S.EXECUTING,
    "ready": S.IDLE, "idle": S.IDLE, "stopped": S.IDLE, "stop": S.IDLE, "standby": S.IDLE, "waiting": S.IDLE,
    "wait": S.IDLE, "program_completed": S.IDLE, "complete": S.IDLE, "待机": S.IDLE, "停止": S.IDLE,
    "interrupted": S.HELD, "feed_hold": S.HELD, "hold": S.HELD, "held": S.HELD, "program_stopped": S.HELD,
    "optional_stop": S.HELD, "program_optional_stop": S.HELD, "paused": S.HELD, "suspended": S.HELD,
    "manual": S.SETUP, "setup": S.SETUP, "manual_data_input": S.SETUP, "edit": S.SETUP, "换型": S.SETUP,
    "换模": S.SETUP, "调机": S.SETUP, "保持": S.HELD, "暂停": S.HELD,
    "starved": S.STARVED, "blocked": S.BLOCKED, "缺料": S.STARVED, "堵料": S.BLOCKED,
    "fault": S.FAULT, "alarm": S.FAULT, "error": S.FAULT, "down": S.FAULT, "failure": S.FAULT,
    "aborted": S.FAULT, "breakdown": S.FAULT, "emergency": S.FAULT, "故障": S.FAULT, "报警": S.FAULT,
    "maintenance": S.MAINTENANCE, "service": S.MAINTENANCE, "保养": S.MAINTENANCE, "维修": S.MAINTENANCE,
    "off": S.OFF, "shutdown": S.OFF, "power_off": S.OFF, "关机": S.OFF, "停机": S.OFF,
}  # fmt: skip


@dataclass(slots=True)
class Survey:
    """What was seen of one signal."""

    name: str
    known: int = 0
    numbers: int = 0
    values: Counter[str] = field(default_factory=Counter)
    many: bool = False
    decimals: int = 0
    falls: bool = False  # the number went down at least once
    lively: int = 0  # how often the number changed
    conditions: dict[tuple[str, str], Level] = field(default_factory=dict)
    is_condition: bool = False
    _last: float | None = None

    def take(self, value: str | Condition | None) -> None:
        if isinstance(value, Condition):
            self.is_condition = True
            self.known += value.level != "unavailable"
            if value.level in ("warning", "fault"):
                key = (value.code, value.text)
                worst = "fault" if value.level == "fault" else self.conditions.get(key, "warning")
                self.conditions[key] = worst
            return
        if value is None or value == "":
            return
        self.known += 1
        if len(self.values) < _DISTINCT or value in self.values:
            self.values[value] += 1
        else:
            self.many = True
        number = as_number(value)
        if number is not None:
            self.numbers += 1
            self.decimals = max(self.decimals, min(3, len(value.partition(".")[2].rstrip("0"))))
            self.falls |= self._last is not None and number < self._last
            self.lively += number != self._last
            self._last = number

    @property
    def numeric(self) -> bool:
        return self.known > 0 and self.numbers == self.known

    @property
    def few(self) -> bool:
        return not self.many and 0 < len(self.values) <= 20


def as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None  # neither infinite nor not a number


def survey(rows: Iterable[Row]) -> dict[str, Survey]:
    out: dict[str, Survey] = {}
    for row in rows:
        if row.name not in out:
            out[row.name] = Survey(row.name)
        out[row.name].take(row.value)
    return out


def find(surveys: Mapping[str, Survey], pattern: re.Pattern[str]) -> list[Survey]:
    return [s for s in surveys.values() if pattern.fullmatch(s.name.strip()) and s.known]


def state_signal(surveys: Mapping[str, Survey]) -> Survey | None:
    found = [s for s in find(surveys, _STATE) if s.few]
    return min(found, key=lambda s: (s.numeric, len(s.name)), default=None)


def word_signals(surveys: Mapping[str, Survey]) -> list[Survey]:
    return [s for s in find(surveys, _WORD) if s.few and not s.numeric]


def counters(surveys: Mapping[str, Survey]) -> tuple[Survey | None, Survey | None]:
    good = [s for s in find(surveys, _GOOD) if s.numeric]
    scrap = [s for s in find(surveys, _SCRAP) if s.numeric]
    return _shortest(good), _shortest(scrap)


def _shortest(found: list[Survey]) -> Survey | None:
    return min(found, key=lambda s: len(s.name), default=None)


def fault_signal(surveys: Mapping[str, Survey]) -> Survey | None:
    """A column of alarm numbers or names, where alarms were not recorded as conditions."""
    return _shortest([s for s in find(surveys, _FAULT) if s.few])


def state_of_word(word: str) -> S:
    """UNKNOWN where the word says nothing to us."""
    plain = re.sub(r"[ \-]+", "_", word.strip().lower())
    return _WORDS.get(plain, S.UNKNOWN)


def unit_of(name: str) -> str:
    return next((unit for pattern, unit in _UNITS if pattern.search(name)), "")


def worth_showing(name: str) -> bool:
    return bool(_SHOWN.search(name))


def states_of_numbers(
    seen: Iterable[tuple[str, float | None, bool]],
) -> dict[str, S]:
    """Meanings of numeric states from what happened in them: (state, pieces made or power drawn, alarm).

    The state in which most was made per row is executing; one in which most rows have an alarm is a fault;
    the others are idle. Where nothing is known of the work, 0 is idle and the rest is executing.
    """
    work: dict[str, list[float]] = {}
    alarms: dict[str, list[bool]] = {}
    for state, amount, alarm in seen:
        work.setdefault(state, [])
        alarms.setdefault(state, []).append(alarm)
        if amount is not None:
            work[state].append(amount)
    faulty = {s for s, flags in alarms.items() if sum(flags) * 2 > len(flags)}
    mean = {s: sum(a) / len(a) for s, a in work.items() if a and s not in faulty}
    if not mean or max(mean.values()) <= 0:
        busy = {s for s in work if s not in faulty and as_number(s) != 0}
    else:
        busy = {max(mean, key=lambda s: mean[s])}
    return {s: S.FAULT if s in faulty else S.EXECUTING if s in busy else S.IDLE for s in work}
