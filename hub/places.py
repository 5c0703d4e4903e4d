"""Where in the file a complaint is at home: its line, for people and for editors that jump to it.

Nothing of this runs while a configuration is sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STEP = re.compile(r"\[(\d+)\]|([^\s.\[\]:]+)")
_ELSEWHERE = " (from ANDON_"  # said of what the environment brought


def located(complaints: Iterable[str], path: Path) -> list[str]:
    """`FILE: plant.areas[0].lines: ...` as `FILE:12: plant.areas[0].lines: ...`, in the order of the file.

    What is about no place in the file stays as it is, and comes first.
    """
    tree = _tree(path)
    if tree is None:
        return list(complaints)
    file = f"{path}: "
    placed: list[tuple[int, str]] = []
    for complaint in complaints:
        line = _line(complaint.removeprefix(file), tree) if complaint.startswith(file) else 0
        placed.append((line, f"{path}:{line}: {complaint.removeprefix(file)}" if line else complaint))
    return [complaint for _, complaint in sorted(placed, key=lambda pair: pair[0])]


def _tree(path: Path) -> yaml.Node | None:
    try:
        return yaml.compose(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None


def _line(complaint: str, tree: yaml.Node) -> int:
    """The line of the deepest thing that the complaint's first words name; 0 where they name nothing."""
    if _ELSEWHERE in complaint:
        return 0
    here, line = tree, 0
    for number, word in _STEP.findall(complaint):
        found = _item(here, number) if number else _below(here, word) or _in_the_plant(here, word)
        if found is None:
            if _is_named(here, word):
                continue
            break
        here, line = found
    return line


def _item(here: yaml.Node, number: str) -> tuple[yaml.Node, int] | None:
    """The item of a list, or the value of a key that is a number."""
    if not isinstance(here, yaml.SequenceNode):
        return _below(here, number)
    if int(number) >= len(here.value):
        return None
    item = here.value[int(number)]
    return item, item.start_mark.line + 1


def _below(here: yaml.Node, word: str) -> tuple[yaml.Node, int] | None:
    """The value of a key, or the item of a list that has this name or id."""
    if isinstance(here, yaml.MappingNode):
        for key, value in here.value:
            if isinstance(key, yaml.ScalarNode) and key.value == word:
                return value, key.start_mark.line + 1
        return None
    if isinstance(here, yaml.SequenceNode):
        found = next((item for item in here.value if _is_named(item, word)), None)
        return (found, found.start_mark.line + 1) if found is not None else None
    return None


def _in_the_plant(here: yaml.Node, path: str) -> tuple[yaml.Node, int] | None:
    """A node or tag by its path: site/area/line/machine/tag."""
    if "/" not in path:
        return None
    site, *ids = path.split("/")
    found: tuple[yaml.Node, int] | None = (here, 0) if _is_named(here, site) else None
    for below, name in zip(("areas", "lines", "machines", "tags"), ids, strict=False):
        inner = _below(found[0], below) if found else None
        found = _below(inner[0], name) if inner else None
    return found


def _is_named(item: yaml.Node, word: str) -> bool:
    return isinstance(item, yaml.MappingNode) and any(
        key.value in ("id", "name") and value.value == word
        for key, value in item.value
        if isinstance(key, yaml.ScalarNode)
    )
