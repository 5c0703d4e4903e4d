"""What can be lost as a whole: a source that a collector reads, or one of several behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.model.sample import Tag


@dataclass(frozen=True, slots=True)
class Device:
    """`name` is the collector's, or `collector/part` of what is behind it (`part_of`): a unit behind a
    gateway, a machine behind a server, an edge node or a device of one. `regular`: it repeats what stands
    still, so that its silence tells. `told`: its source says by itself which part is gone, and knows."""

    name: str
    tags: tuple[int, ...]
    equipment: str  # the machine, or the nearest node that has all of it below
    part_of: str = ""
    regular: bool = True
    told: bool = False


def devices_of(
    name: str,
    numbers: Sequence[int],
    parts: Mapping[str, Sequence[int]],
    tags: Mapping[int, Tag],
    *,
    regular: bool = True,
    told: bool = False,
) -> list[Device]:
    """The source and, where it has several, each of its parts. Without `parts` every machine is one.

    A part called `node/device` is behind the part `node`; one that is all of what it is behind is not told
    apart from that.
    """
    known = tuple(dict.fromkeys(n for n in numbers if n in tags))
    if not known:
        return []
    parts = parts or _by_machine(known, tags)
    found = [Device(name, known, _above(known, tags), regular=regular)]
    made = {"": frozenset(known)}
    for part, some in sorted(parts.items(), key=lambda p: p[0].count("/")) if told else parts.items():
        behind = max((m for m in made if not m or part.startswith(f"{m}/")), key=len)
        if frozenset(some) != made[behind]:
            made[part] = frozenset(some)
            above = f"{name}/{behind}" if behind else name
            found.append(Device(f"{name}/{part}", tuple(some), _above(some, tags), above, regular, told))
    return found


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
