"""A configuration with mistakes in its outline, made readable: so that the rest of what is wrong is told too.

What is wrong has been complained of; here it is left out or stands in for itself, and nothing runs on it.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

T = TypeVar("T")
_ROUNDS = 12
_STANDS_IN: dict[str, Any] = {
    "id": "unread", "name": "unread", "zh": "unread", "en": "unread", "kind": "", "tag": "",
    "numbering": "own", "map": {}, "roles": [], "start": "00:00", "end": "00:00",
}  # fmt: skip
NAMES = {  # what others refer to, and by which key
    "plant": frozenset({"plant", "id", "areas", "lines", "machines", "tags"}),
    "people": frozenset({"people", "id"}),
    "notifiers": frozenset({"notifiers", "name"}),
}


def mended(raw: Any, wrong: ValidationError, read: Callable[[Any], T]) -> tuple[T | None, bool]:
    """What can be read of it, and whether everything that others refer to is still there under its name.

    None when there is too much wrong with it.
    """
    raw, named = copy.deepcopy(raw), True
    tried: set[tuple[str | int, ...]] = set()
    for _ in range(_ROUNDS):
        for error in wrong.errors(include_url=False, include_input=False, include_context=False):
            where, missing = [*error["loc"]], error["type"] == "missing"
            while where and (*where, missing) in tried:  # that did not help: what holds it goes
                where, missing = where[:-1], False
            tried.add((*where, missing))
            named &= not _renames(where, unknown=error["type"] == "extra_forbidden")
            _mend(raw, where, missing=missing)
        try:
            return read(raw), named
        except ValidationError as cause:
            wrong = cause
    return None, False


def _renames(where: Sequence[str | int], *, unknown: bool) -> bool:
    """Whether this is about something that rules, points or shifts may name.

    A key that is `unknown` may be one of those misspelt.
    """
    words = [step for step in where if isinstance(step, str)]
    if not words or words[0] not in NAMES:
        return not words
    names = NAMES[words[0]]
    if unknown:
        return bool(difflib.get_close_matches(words[-1], names, 1))
    return words[-1] in names or "tags" in words[-2:-1]


def _mend(raw: Any, where: Sequence[str | int], *, missing: bool) -> None:
    """Put something in for what is missing, take away what is wrong."""
    *above, last = where or [""]
    here, depth = raw, 0
    for step in above:
        if not _has(here, step):
            break
        here, depth = here[step], depth + 1
    if missing and depth == len(above) and isinstance(here, dict):
        here[last] = copy.deepcopy(_STANDS_IN.get(str(last), ""))
        return
    key = where[depth] if where else ""
    if _has(here, key):
        if isinstance(here, dict):
            del here[key]
        else:
            here[int(key)] = {}  # the items behind it keep their numbers


def _has(here: Any, step: str | int) -> bool:
    if isinstance(here, dict):
        return step in here
    return isinstance(here, list) and isinstance(step, int) and 0 <= step < len(here)
