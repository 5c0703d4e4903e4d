"""Which tags follow from others, in the order in which they have to be worked out. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from hub.kpi.formula import Formula, parse
from hub.model.sample import Tag


class Derivation(NamedTuple):
    tag: Tag
    formula: Formula
    inputs: tuple[str, ...]  # paths, one for each of the formula's names


def derivations(tags: Mapping[str, Tag], complaints: list[str]) -> list[Derivation]:
    """Every tag with a formula, behind those that it needs. A name without / is a tag of the same machine.

    What names no tag, and circles, go to `complaints`.
    """
    found: dict[str, Derivation] = {}
    for path, tag in tags.items():
        if tag.formula:
            formula = parse(tag.formula)
            inputs = tuple(n if "/" in n else f"{tag.equipment}/{n}" for n in formula.names)
            found[path] = Derivation(tag, formula, inputs)
            complaints += [_unknown(path, i, tags) for i in inputs if i not in tags]
            if path in inputs:
                complaints.append(f"plant: {path}: formula: names its own tag; name what it follows from")
            if not inputs:
                complaints.append(
                    f"plant: {path}: formula: names no tag; a value that never changes is no signal"
                )
    order = TopologicalSorter(
        {path: [i for i in d.inputs if i in found and i != path] for path, d in found.items()}
    )
    try:
        return [found[path] for path in order.static_order()]
    except CycleError as cause:
        circle = " <- ".join(cause.args[1])
        complaints.append(f"plant: {cause.args[1][0]}: formula: {circle} go round in a circle; break it")
        return []


def _unknown(path: str, name: str, tags: Mapping[str, Tag]) -> str:
    near = difflib.get_close_matches(name, tags, 1)
    hint = f"did you mean {near[0]!r}?" if near else "add it to its machine's tags:"
    return f"plant: {path}: formula: no tag {name!r}; {hint}"
