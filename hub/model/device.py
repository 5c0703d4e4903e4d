"""What can be lost as a whole: a source that a collector reads, or one of several behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.model.sample import Tag


@dataclass(frozen=True, slots=True)
class Device:
    """`name` is the collector's, or `collector/part` of what is behind it (`part_of`): a unit behind a
    gateway, a machine behind a server. `regular`: it repeats what stands still, so that its silence tells."""

    name: str
    tags: tuple[int, ...]
    equipment: str  # the machine, or the nearest node that has all of it below
    part_of: str = ""
    regular: bool = True


def devices_of(
    name: str,
    numbers: Sequence[int],
    parts: Mapping[str, Sequence[int]],
    tags: Mapping[int, Tag],
    *,
    regular: bool = True,
) -> list[Device]:
    """The source and, where it has several, each of its parts. Without `parts` every machine is one."""
    known = tuple(dict.fromkeys(n for n in numbers if n in tags))
    if not known:
        return []
    parts = parts or _by_machine(known, tags)
    found = [Device(name, known, _above(known, tags), regular=regular)]
    if len(parts) < 2:
        return found
    return found + [
        Device(f"{name}/{part}", tuple(some), _above(some, tags), name, regular)
        for part, some in parts.items()
    ]


def _by_machine(numbers: Sequence[int], tags: Mapping[int, Tag]) -> dict[str, list[int]]:
    out: dict[str, list[int]] = {}
    for number in numbers:
        out.setdefault(tags[number].equipment, []).append(number)
    return {path.rpartition("/")[2] if _apart(out) else path: some for path, some in out.items()}


def _apart(machines: Mapping[str, object]) -> bool:
    """Whether their own ids tell them apart."""
    return len({path.rpartition("/")[2] for path in machines}) == len(machines)


def _above(numbers: Sequence[int], tags: Mapping[int, Tag]) -> str:
    """The lowest node that is above all of them."""
    first, *others = [tags[n].equipment.split("/") for n in numbers]
    for other in others:
        same = [a == b for a, b in zip(first, other, strict=False)]
        first = first[: same.index(False) if False in same else len(same)]
    return "/".join(first)
