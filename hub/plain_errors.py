"""What pydantic finds, in terms of the file instead of Python's: each mistake once, at its place. Pure.

Where a field takes one of several things (true, or a block), pydantic complains for each of them and puts its
name for it into the place. Whoever wrote a block is told what is wrong in the block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Place = tuple[str | int, ...]
_KEY = "[key]"
_QUOTED = re.compile(r"'([^']*)'")
_BLOCK, _LIST = "expected keys with values below it", "expected a list; begin each entry with -"
_TEXT, _WHOLE, _NUMBER = "expected text; put it in quotes", "expected a whole number", "expected a number"
_BOOL, _CLOCK = "expected true or false", "expected a time of day such as 08:30"
_PLAINLY = {
    "missing": "is missing; add it",
    "model_type": _BLOCK,
    "model_attributes_type": _BLOCK,
    "dict_type": _BLOCK,
    "mapping_type": _BLOCK,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "string_type": _TEXT,
    "bool_type": _BOOL,
    "bool_parsing": _BOOL,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "has too many digits; write fewer",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "expected a number, not NaN or infinity",
    "time_type": _CLOCK,
    "time_parsing": _CLOCK,
    "path_type": "expected a path; put it in quotes",
    "invalid_key": "is a key that is no text; put it in quotes",
}
_WITH_BOUNDS = {
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "string_too_long": "may have {max_length} characters at most; shorten it",
    "string_too_short": "needs {min_length} or more characters",
    "string_pattern_mismatch": "does not look as it must; write it like {pattern}",
}
_ARMS: tuple[tuple[str, str], ...] = (  # pydantic's names for kinds, and what it says of others
    ("bool", "bool_"), ("int", "int_"), ("float", "float_"), ("str", "string_"), ("literal[", "literal_"),
    ("list[", "list_"), ("tuple[", "tuple_"), ("dict[", "dict_"), ("function-", ""), ("", "model_"),
)  # fmt: skip


class Mistake(NamedTuple):
    place: Place
    text: str
    kind: str


def mistakes(errors: Sequence[Any], is_block: Callable[[str], bool]) -> list[Mistake]:
    """`is_block`: whether a model of this name exists."""
    found = [Mistake(tuple(e["loc"]), _said(e), str(e["type"])) for e in errors]
    deepest = max((len(m.place) for m in found), default=0)
    for depth in range(deepest - 1, -1, -1):
        found = _of_one_arm(found, depth, is_block)
    return [_at_the_key(m) for m in found]


def _of_one_arm(found: list[Mistake], depth: int, is_block: Callable[[str], bool]) -> list[Mistake]:
    """With the names of arms at this depth taken out, and only what is about the arm that was meant."""
    groups: dict[Place, list[Mistake]] = {}
    for mistake in found:
        groups.setdefault(mistake.place[:depth], []).append(mistake)
    out: list[Mistake] = []
    for above, group in groups.items():
        arms = {str(m.place[depth]) for m in group if len(m.place) > depth}
        if not _are_arms(arms, group, depth, is_block):
            out += group
            continue
        meant = [m for m in group if not _is_of_another_kind(m, depth)]
        bare = [m._replace(place=(*above, *m.place[depth + 1 :])) for m in meant or group]
        out += bare if meant else [bare[0]._replace(text=_any_of(m.text for m in bare))]
    return out


def _are_arms(arms: set[str], group: Sequence[Mistake], depth: int, is_block: Callable[[str], bool]) -> bool:
    """Not tags that are called `int` and the like: of those it is not all that is said that they are none."""
    if len(arms) < 2 or any(len(m.place) <= depth for m in group):
        return False
    return all(_is_arm(a, is_block) for a in arms) and any(_is_of_another_kind(m, depth) for m in group)


def _is_arm(name: str, is_block: Callable[[str], bool]) -> bool:
    return is_block(name) or any(
        name.startswith(arm) if arm.endswith(("[", "-")) else name == arm for arm, _ in _ARMS if arm
    )


def _is_of_another_kind(mistake: Mistake, depth: int) -> bool:
    """Whether it says no more than that something else was written."""
    if len(mistake.place) != depth + 1:
        return False
    name = str(mistake.place[depth])
    return any(mistake.kind.startswith(says) and name.startswith(arm) for arm, says in _ARMS if says)


def _any_of(texts: Iterable[str]) -> str:
    first, *others = dict.fromkeys(texts)
    return ", or ".join([first, *(t.removeprefix("expected ") for t in others)])


def _at_the_key(mistake: Mistake) -> Mistake:
    if mistake.place[-1:] != (_KEY,):
        return mistake
    return mistake._replace(place=mistake.place[:-1], text=f"its key: {mistake.text}")


def _said(error: Any) -> str:
    kind, about = str(error["type"]), error.get("ctx") or {}
    if kind in ("enum", "literal_error") and (words := _QUOTED.findall(str(about.get("expected")))):
        return f"write one of {', '.join(words)}" if len(words) > 1 else f"write {words[0]}"
    if kind == "too_short":
        return f"needs {about.get('min_length')} or more entries; begin each with -"
    if kind == "too_long":
        return f"may have {about.get('max_length')} entries at most; remove some"
    if kind in _WITH_BOUNDS:
        return _WITH_BOUNDS[kind].format_map({n: _number(v) for n, v in about.items()})
    return _PLAINLY.get(kind) or str(error["msg"]).removeprefix("Value error, ")


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
