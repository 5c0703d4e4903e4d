"""`andon check`: everything that can be known of a configuration without a plant, told in one go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from hub.errors import ConfigError
from hub.house import readable_plugins, with_numbers
from hub.places import located
from hub.plan import check, notes, read_rules, refuse_wrong_points, tag_classes
from hub.settings import Settings, Survey, load, survey

_BLOCK = re.compile(r"(rules|collectors|mes|notifiers|erp|people|shifts)(\[\d+\])?")


def checkup(path: Path, environment: Mapping[str, str] | None = None) -> dict[str, int]:
    """Counts to show; raises ConfigError with every complaint, each with its line.

    A mistake in the outline does not keep those behind it from being told: the rest is looked at with what
    is wrong left out. Where that took a name away, what refers to names is not judged: it would be blamed
    for somebody else's mistake.
    """
    seen = survey(path, environment)
    complaints = dict.fromkeys([*seen.complaints, *_beyond(seen, path)])  # each once
    if complaints or seen.settings is None:
        raise ConfigError(*located(complaints, path))
    return check(seen.settings)


def remarks(path: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    """Of a sound configuration, what may be a slip all the same, each with its line."""
    return located((f"{path}: {note}" for note in notes(load(path, environment))), path)


def _beyond(seen: Survey, path: Path) -> Iterable[str]:
    """What else is wrong, in blocks that nothing was said about yet."""
    if seen.settings is None:
        return []
    told = {_block(c, path) for c in seen.complaints} - {""}
    return [c for c in _deeper(seen.settings, seen.named) if _block(c, path) not in told]


def _deeper(settings: Settings, named: bool) -> list[str]:
    complaints: list[str] = []
    used = readable_plugins(settings, complaints)
    if not named:
        return complaints
    plant = with_numbers(settings.plant, {t: i for i, t in enumerate(settings.plant.tags, 1)})
    try:
        refuse_wrong_points(settings, used, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    try:
        tag_classes(settings, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    try:
        read_rules(settings, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    return complaints


def _block(complaint: str, path: Path) -> str:
    """The block of the file that this is about, `rules[3]`; "" for the plant and the hub."""
    found = _BLOCK.match(complaint.removeprefix(f"{path}: "))
    return found[0] if found else ""
