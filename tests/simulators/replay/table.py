"""Tables: one row a moment, a column of times, perhaps a column that names the machine."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from tests.simulators.replay.adapterlog import open_text, stem
from tests.simulators.replay.recording import Row

_TIME_NAMES = re.compile(
    r"ts|t|time|time[_ ]?stamp|date[_ ]?time|date|start([_ ]?time)?|zeit|时间|日期|时间戳", re.IGNORECASE
)
_ASSET_NAMES = re.compile(
    r"(asset|machine|equipment|device|resource|station|unit)([_ ]?(id|no|name|nr|number))?"
    r"|(设备|机台)(编号|名称)?",
    re.IGNORECASE,
)
_FORMATS = (
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y%m%d %H%M%S",
)  # fmt: skip
_NOTHING = frozenset({"", "nan", "null", "none", "na", "n/a", "unavailable", "-"})
_SAMPLE = 200  # rows looked at to guess


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read one file."""

    path: Path
    delimiter: str
    columns: tuple[str, ...]
    time: str
    asset: str | None
    parse: Callable[[str], datetime]

    def records(self) -> Iterator[tuple[datetime, str, dict[str, str]]]:
        """(time, machine, cells) of every row whose time can be read, in the order of the file."""
        with open_text(self.path) as lines:
            for cells in csv.DictReader(lines, delimiter=self.delimiter):
                try:
                    at = self.parse((cells.get(self.time) or "").strip())
                except (ValueError, OverflowError):
                    continue
                machine = (cells.get(self.asset) or "").strip() if self.asset else stem(self.path)
                yield at, machine, {k: v for k, v in cells.items() if k and v is not None}


def layout(path: Path, zone: tzinfo, time: str = "", asset: str = "") -> Layout | None:
    """The layout of a file as far as it can be told from its first rows; None when it has no times."""
    with open_text(path) as lines:
        head = [line for line, _ in zip(lines, range(_SAMPLE), strict=False)]
    if len(head) < 2:
        return None
    delimiter = max(",;\t|", key=lambda d: (min(line.count(d) for line in head[:10]), d == ","))
    sample = list(csv.DictReader(head, delimiter=delimiter))
    columns = tuple(c for c in (sample[0] if sample else {}) if c)
    chosen = (
        [time] if time in columns else sorted(columns, key=lambda c: not _TIME_NAMES.fullmatch(c.strip()))
    )
    for column in chosen:
        texts = [(row.get(column) or "").strip() for row in sample]
        parse = _time_reader(texts, zone, bool(time) or _is(_TIME_NAMES, column))
        if parse:
            found = asset or next(
                (c for c in columns if c != column and _ASSET_NAMES.fullmatch(c.strip())), None
            )
            return Layout(path, delimiter, columns, column, found, parse)
    return None


def _is(pattern: re.Pattern[str], column: str) -> bool:
    return bool(pattern.fullmatch(column.strip()))


def _time_reader(texts: list[str], zone: tzinfo, named: bool) -> Callable[[str], datetime] | None:
    """What turns every one of these texts into a time; numbers only where the column is named like a time."""

    readers: list[Callable[[str], datetime]] = [lambda s: _aware(datetime.fromisoformat(s), zone)]
    readers += [partial(_formatted, form, zone) for form in _FORMATS]
    if all(t.replace(".", "", 1).lstrip("-").isdigit() for t in texts):
        readers = [_epoch] if named else []
    for read in readers:
        try:
            for text in texts:
                read(text)
        except (ValueError, OverflowError, OSError):
            continue
        return read
    return None


def _aware(at: datetime, zone: tzinfo) -> datetime:
    return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)


def _formatted(form: str, zone: tzinfo, text: str) -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=zone).astimezone(UTC)


def _epoch(text: str) -> datetime:
    """Seconds since 1970, or milli- or microseconds when the number is that large."""
    number = float(text)
    for scale in (1.0, 1e3, 1e6, 1e9):
        if abs(number / scale) < 1e10:
            return datetime.fromtimestamp(number / scale, UTC)
    raise ValueError(f"{text!r} is no time")


Moment = tuple[datetime, dict[str, str]]


class Tables:
    """The tables of one folder, read once, as machines."""

    def __init__(self, layouts: Iterable[Layout]) -> None:
        self._moments: dict[str, list[Moment]] = {}
        for one in layouts:
            aside = (one.time, one.asset)
            for at, machine, cells in one.records():
                kept = {k: _number(v, one.delimiter) for k, v in cells.items() if k not in aside}
                self._moments.setdefault(machine, []).append((at, kept))
        for moments in self._moments.values():
            moments.sort(key=lambda m: m[0])

    def machines(self) -> list[str]:
        return sorted(m for m in self._moments if m)

    def rows(self, machine: str) -> Iterator[Row]:
        """The cells of one machine's rows in the order of time; empty cells are not known."""
        for at, cells in self._moments[machine]:
            for name, text in cells.items():
                yield Row(at, name, None if text.strip().lower() in _NOTHING else text.strip())

    def interval(self, machine: str) -> float | None:
        """Seconds from row to row where most rows keep to it; None where they come as they like."""
        times = sorted({at for at, _ in self._moments[machine]})
        gaps = [(b - a).total_seconds() for a, b in pairwise(times)]
        if len(gaps) < 3:
            return None
        usual = median(gaps)
        regular = sum(abs(g - usual) <= 0.2 * usual for g in gaps)
        return usual if regular > 0.6 * len(gaps) else None


def _number(text: str, delimiter: str) -> str:
    """`1,5` in a table whose columns are not divided by commas is one and a half."""
    if delimiter != "," and re.fullmatch(r"-?\d+,\d+", text.strip()):
        return text.strip().replace(",", ".")
    return text
