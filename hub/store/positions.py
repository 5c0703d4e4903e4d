"""Positions in a durable stream, in their order."""

from __future__ import annotations

import re

_NUMBERS = re.compile(r"^\d+(-\d+)*$")


def after(position: str, recorded: str) -> bool:
    """Whether `position` comes after what is on record; both as the bus gave them.

    Numbers joined by dashes (Redis: milliseconds and a counter) compare as numbers, all else as text.
    """
    if not recorded:
        return True
    if _NUMBERS.match(position) and _NUMBERS.match(recorded):
        return _numbers(position) > _numbers(recorded)
    return position > recorded


def _numbers(position: str) -> tuple[int, ...]:
    return tuple(int(part) for part in position.split("-"))
