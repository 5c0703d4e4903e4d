"""How a table is to be read, told from its first rows: divider, header, times, machines, points."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from itertools import islice
from pathlib import Path

from tests.simulators.replay.mapping import Mapping
from tests.simulators.replay.texts import lines, stem, whole

_TIME_NAMES = re.compile(
    r"(ts|t|time|time[_ ]?stamp|date[_ ]?time|date|start([_ ]?time)?|zeit(stempel)?|datum|when"
    r"|.*时间|日期|时间戳)([_ ]?[(\[]?(s|ms|us|ns|utc|毫秒|秒)[)\]]?)?",
    re.IGNORECASE,
)
_ASSET_NAMES = re.compile(
    r"(asset|machine|equipment|device|resource|station|unit|anlage|maschine)([_ ]?(id|no|name|nr|number))?"
    r"|(设备|机台|机床)(编号|名称)?",
    re.IGNORECASE,
)
_POINT_NAMES = re.compile(
    r"(tag|point|signal|variable|item|parameter|sensor|channel|metric|data[_ ]?item)([_ ]?(id|name))?"
    r"|(点位|变量|测点|参数)(名称|名)?",
    re.IGNORECASE,
)
_VALUE_NAMES = re.compile(r"val(ue)?|reading|数值|值", re.IGNORECASE)
_FORMATS = (
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d.%m.%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y",
    "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y",
    "%d-%b-%Y %H:%M:%S", "%d-%b-%y %H:%M:%S", "%Y%m%d %H%M%S", "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H:%M",
)  # fmt: skip
_FRACTION = re.compile(r"(:\d{2}),(?=\d+$)")  # of a second, written with a comma
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?")
_SAMPLE = 200  # rows looked at to guess
_MOST_WRONG = 0.1  # share of the texts that may be no times: a row of units, a torn line
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)  # of rows that have no times

Record = tuple[datetime, str, dict[str, str]]
Parse = Callable[[str], datetime]


@dataclass(slots=True)
class Layout:
    """How to read one file. `time` may be two columns, a day and a clock time; none where rows are `every`
    so far apart. With `point` and `value` each row is one reading of one point."""

    path: Path
    delimiter: str
    skip: int
    columns: tuple[str, ...]
    time: tuple[str, ...]
    parse: Parse
    asset: str = ""
    point: str = ""
    value: str = ""
    every: timedelta | None = None
    unreadable: int = 0  # rows without a time that could be read

    @property
    def aside(self) -> frozenset[str]:
        """Columns that are no signals."""
        return frozenset((*self.time, self.asset, ""))

    def records(self) -> Iterator[Record]:
        """(time, machine, cells) of every row whose time can be read, in the order of the file."""
        self.unreadable = 0
        with whole(self.path):
            for number, row in enumerate(csv.reader(self._body(), delimiter=self.delimiter)):
                cells = dict(zip(self.columns, row, strict=False))
                try:
                    at = self._time(number, cells)
                except (ValueError, OverflowError, OSError):
                    self.unreadable += bool(row)
                    continue
                machine = cells.get(self.asset, "").strip() if self.asset else stem(self.path)
                if self.point:
                    cells = {cells.get(self.point, "").strip(): cells.get(self.value, "")}
                yield at, machine, {k: v for k, v in cells.items() if k not in self.aside}

    def _body(self) -> Iterator[str]:
        return islice(lines(self.path), self.skip, None)

    def _time(self, number: int, cells: dict[str, str]) -> datetime:
        if self.every is not None:
            return _BEGIN + number * self.every
        return self.parse(" ".join(cells.get(c, "").strip() for c in self.time))


def layout(path: Path, zone: tzinfo, mapping: Mapping) -> Layout | None:
    """The layout of a file as far as it can be told from its first rows; None when it has no times."""
    head = list(islice(lines(path), _SAMPLE))
    if len(head) < 2:
        return None
    delimiter, skip = _shape(head)
    rows = list(csv.reader(head[skip:], delimiter=delimiter))
    columns, body = _apart([c.strip() for c in rows[0]]), rows[1:]
    found = _times(columns, body, zone, mapping)
    if found is not None and not _wrong(found[1], [" ".join(found[0])], 0):
        columns, skip = _numbered(rows[0]), skip - 1  # the first line is a row already
        found = _times(columns, rows, zone, mapping)
    if found is None:
        if mapping.every is None:
            return None
        found = (), datetime.fromisoformat
    made = Layout(path, delimiter, skip + 1, columns, *found)
    made.every = None if made.time else mapping.every
    rest = [c for c in columns if c and c not in made.time]
    made.asset = mapping.asset or next((c for c in rest if _ASSET_NAMES.fullmatch(c)), "")
    made.point, made.value = _long(rest)
    return made


def _shape(head: Sequence[str]) -> tuple[str, int]:
    """(divider, lines before the header). What stands above a table has not its number of dividers."""
    best = ("", 0, 0)
    for delimiter in ",;\t|":
        count, lines_of = Counter(line.count(delimiter) for line in head if line.strip()).most_common(1)[0]
        if count and (lines_of, count) > best[1:]:
            best = (delimiter, lines_of, count)
    delimiter, _, count = best
    if not delimiter:
        return ",", 0
    return delimiter, next(i for i, line in enumerate(head) if line.count(delimiter) >= count)


def _apart(names: Sequence[str]) -> tuple[str, ...]:
    """A name that is there twice is told apart by its place."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += bool(name)
        out.append(f"{name}_{seen[name]}" if seen[name] > 1 else name)
    return tuple(out)


def _numbered(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"column_{i}" for i, _ in enumerate(row, 1))


def _long(columns: Sequence[str]) -> tuple[str, str]:
    """(point, value) of a table with a reading a row, as historians write them; else nothing."""
    point = next((c for c in columns if _POINT_NAMES.fullmatch(c)), "")
    value = next((c for c in columns if _VALUE_NAMES.fullmatch(c)), "")
    return (point, value) if point and value else ("", "")


def _times(
    columns: Sequence[str], rows: Sequence[Sequence[str]], zone: tzinfo, mapping: Mapping
) -> tuple[tuple[str, ...], Parse] | None:
    """The column of times, or the two, and how they are read."""
    table = {c: [r[i].strip() for r in rows if i < len(r)] for i, c in enumerate(columns) if c}
    if mapping.time:
        chosen = [mapping.time] if mapping.time in table else []
    else:
        chosen = sorted(table, key=lambda c: not _TIME_NAMES.fullmatch(c))
    for column in chosen:
        named = bool(mapping.time) or bool(_TIME_NAMES.fullmatch(column))
        if clock := _clock_beside(column, table):
            both = [f"{day} {time}" for day, time in zip(table[column], table[clock], strict=False)]
            if parse := _time_reader(both, zone, named):
                return (column, clock), parse
        if parse := _time_reader(table[column], zone, named):
            return (column,), parse
    return None


def _clock_beside(column: str, table: dict[str, list[str]]) -> str:
    """A column of nothing but clock times, where this one has none."""
    if any(":" in text for text in table[column]):
        return ""
    return next((c for c, texts in table.items() if c != column and _all_clocks(texts)), "")


def _all_clocks(texts: Sequence[str]) -> bool:
    return bool(texts) and all(_CLOCK.fullmatch(t) for t in texts)


def _time_reader(texts: Sequence[str], zone: tzinfo, named: bool) -> Parse | None:
    """What turns these texts into times; numbers only where the column is named like a time."""
    texts = [t for t in texts if t]
    if not texts or _all_clocks(texts):
        return None
    readers: list[Parse] = [lambda s: _aware(datetime.fromisoformat(s), zone)]
    readers += [partial(_formatted, form, zone) for form in _FORMATS]
    numbers = sum(t.replace(".", "", 1).lstrip("-").isdigit() for t in texts)
    if numbers >= len(texts) * (1 - _MOST_WRONG):
        readers = [_epoch] if named else []
    allowed = int(len(texts) * _MOST_WRONG) + (len(texts) > 2)  # a row of units in a short table
    return next((r for r in readers if _wrong(r, texts, allowed) <= allowed), None)


def _wrong(read: Parse, texts: Sequence[str], enough: int) -> int:
    wrong = 0
    for text in texts:
        try:
            read(text)
        except (ValueError, OverflowError, OSError):
            wrong += 1
            if wrong > enough:
                break
    return wrong


def _aware(at: datetime, zone: tzinfo) -> datetime:
    return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)


def _formatted(form: str, zone: tzinfo, text: str) -> datetime:
    return datetime.strptime(_FRACTION.sub(r"\1.", text), form).replace(tzinfo=zone).astimezone(UTC)


def _epoch(text: str) -> datetime:
    """Seconds since 1970, or milli-, micro- or nanoseconds when the number is that large."""
    number = float(text)
    for scale in (1.0, 1e3, 1e6, 1e9):
        if abs(number / scale) < 1e10:
            return datetime.fromtimestamp(number / scale, UTC)
    raise ValueError(f"{text!r} is no time")
