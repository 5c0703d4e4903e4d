"""MTConnect adapter logs: `time|name|value` and `time|name|level|code|severity|qualifier|text`.

Such files open with the state at that moment: lines with older times that repeat what was said before. A few
lines run backwards. UNAVAILABLE says that the adapter has lost the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from tests.simulators.replay.recording import Condition, Row
from tests.simulators.replay.texts import lines, stem

LEVELS = frozenset({"normal", "warning", "fault", "unavailable"})
_DATED = re.compile(r"^(?P<machine>.+?)[-_.](?P<date>(?:19|20)\d{6})(?:[-_.]\d{4,8})*$")
_MONTHLY = re.compile(r"^(?P<machine>.+?)[-_.](?:19|20)\d{4,6}$")


def is_adapter_log(path: Path) -> bool:
    """Whether the first lines look like `time|name|...`."""
    seen = [line for line in islice(lines(path), 5) if line.strip()]
    return bool(seen) and all(_parse(line) for line in seen)


def machine_of(path: Path) -> str:
    """The machine's name: the file name before the date, else the folder's, else the file name."""
    found = _DATED.match(stem(path))
    if found:
        return found["machine"]
    folder = _MONTHLY.match(path.parent.name)
    return folder["machine"] if folder else stem(path)


def rows(files: Sequence[Path]) -> Iterator[Row]:
    """The changes of one machine, never backwards in time.

    A line older than what its own signal said last is left out; any other old line counts as said now: it is
    the state at the file's beginning.
    """
    now = datetime.min.replace(tzinfo=UTC)
    said: dict[str, datetime] = {}
    for path in sorted(files, key=lambda p: (stem(p), str(p))):
        now = max(now, _begins(path))
        for line in lines(path):
            for row in _parse(line):
                if row.at < said.get(row.name, row.at):
                    continue
                said[row.name] = row.at
                now = max(now, row.at)
                yield row._replace(at=now)


def _begins(path: Path) -> datetime:
    found = _DATED.match(stem(path))
    try:
        return datetime.strptime(found["date"], "%Y%m%d").replace(tzinfo=UTC) if found else _NEVER
    except ValueError:
        return _NEVER


_NEVER = datetime.min.replace(tzinfo=UTC)


def _parse(line: str) -> list[Row]:
    """What one line says; an adapter may put several values into it, `time|name|value|name|value`."""
    parts = line.rstrip("\r\n").split("|")
    if len(parts) < 3 or not parts[1]:
        return []
    try:
        at = datetime.fromisoformat(parts[0].strip())
    except ValueError:
        return []
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    name, value = parts[1].strip(), parts[2].strip()
    if len(parts) >= 7 and value.lower() in LEVELS:
        text = " ".join("|".join(parts[6:]).split())
        return [Row(at, name, Condition(value.lower(), parts[3].strip(), text))]
    if len(parts) == 3 or not len(parts) % 2:
        return [Row(at, name, _known(value))]
    return [Row(at, n.strip(), _known(v.strip())) for n, v in zip(parts[1::2], parts[2::2], strict=True)]


def _known(value: str) -> str | None:
    return None if value.upper() == "UNAVAILABLE" else value
