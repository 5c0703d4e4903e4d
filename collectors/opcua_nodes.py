"""Node ids as people write them, and the one number that is wanted of a value with many. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any

from asyncua import ua
from asyncua.ua.uaerrors import UaError
from pydantic import Field, field_validator, model_validator

from collectors.codes import Codes
from hub.config import Block, Duration

_NODE = re.compile(r"^(?:nsu=(?P<uri>[^;]+);|ns=(?P<index>\d+);)?(?P<rest>[isgb]=.+)$")
_PATH = re.compile(r"^nsu=(?P<uri>[^;]+);path=(?P<way>.+)$")
_STEP = re.compile(r"(?:nsu=([^;]+);)?((?:&.|[^&/])+)(?:/|$)")
Step = tuple[str, str]  # URI of the namespace, and name
_ITEM = re.compile(r"^(#|(\.?[A-Za-z_]\w*)?(\[\d+\]|\.[A-Za-z_]\w*)*#?)$")
STEP = re.compile(r"\[(\d+)\]|\.?([A-Za-z_]\w*)|(#)")


def checked(value: str) -> str:
    """The node id as written; raises ValueError with the remedy."""
    if ";path=" in value:
        if steps(value) is None:
            raise ValueError(f"{value!r} is no path; write nsu=URI;path=Press/Temperature, from Objects on")
        return value
    found = _NODE.match(value)
    try:
        if found is None:
            raise ValueError
        ua.NodeId.from_string(found["rest"])
    except (UaError, ValueError):
        raise ValueError(
            f"{value!r} is no node id; write nsu=URI;s=Name, nsu=URI;i=85, ns=2;s=Name or nsu=URI;path=A/B"
        ) from None
    return value


class NodeBlock(Block):
    """One variable. `nsu=` is the namespace's URI, whose number the server may change at every start."""

    tag: str
    node: str
    codes: Codes = Field(default_factory=dict)
    item: str = Field(
        "", description="of an array or structure: [2] an element, Speed a field, [0].Load both, # how many"
    )

    sampling: Duration | None = Field(None, description="how often the server looks at this one")
    deadband: float = Field(
        0, ge=0, allow_inf_nan=False, description="the server need not tell of changes up to this"
    )
    deadband_percent: float = Field(0, ge=0, le=100, description="the same in per cent of its EURange")

    @model_validator(mode="after")
    def _of_a_number(self) -> NodeBlock:
        if not (self.deadband or self.deadband_percent):
            return self
        if self.deadband and self.deadband_percent:
            raise ValueError("deadband: and deadband_percent: are two ways to say one thing; keep one")
        if self.codes or self.item:
            raise ValueError("deadband: is of a plain number; with codes: or item: give it to the tag")
        return self

    @field_validator("node")
    @classmethod
    def _written_right(cls, value: str) -> str:
        return checked(value)

    @field_validator("item")
    @classmethod
    def _a_way(cls, value: str) -> str:
        if not _ITEM.match(value):
            raise ValueError(f"{value!r} leads to no part of a value; write [2], Speed, [0].Load or #")
        return value


def resolve(node: str, uris: Sequence[str]) -> ua.NodeId | None:
    """The node id as this server numbers its namespaces now; None when it has no such namespace."""
    found = _NODE.match(node)
    if found is None or (found["uri"] and found["uri"] not in uris):
        return None
    index = uris.index(found["uri"]) if found["uri"] else int(found["index"] or 0)
    return ua.NodeId.from_string(f"ns={index};{found['rest']}")


def steps(node: str) -> list[Step] | None:
    """The browse names from Objects on, each with the URI of its namespace; None for what is no path.

    nsu=URI;path=A/B/C; a step of another namespace begins with nsu=URI; which then holds for those after it.
    & before a / or & that is part of a name.
    """
    found = _PATH.match(node)
    if found is None:
        return None
    uri, at, way = found["uri"], 0, []
    while at < len(found["way"]):
        step = _STEP.match(found["way"], at)
        if step is None:
            return None
        uri, at = step[1] or uri, step.end()
        way.append((uri, re.sub("&(.)", r"\1", step[2])))
    return None if found["way"].endswith("/") else way


def written(way: Sequence[Step]) -> str:
    """A path as `steps` reads it."""
    uri, parts = way[0][0], []
    for here, name in way:
        parts.append(("" if here == uri else f"nsu={here};") + re.sub("([&/])", r"&\1", name))
        uri = here
    return f"nsu={way[0][0]};path={'/'.join(parts)}"


def code_word(value: float) -> str:
    """How `codes:` names a number: a whole one with all its digits."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:g}"


def picked(value: Any, item: str) -> Any:
    """The part that `item` leads to; None where there is none."""
    for index, name, count in STEP.findall(item):
        if count and value is None:  # nothing instead of an empty list
            return 0
        if index or count:
            if not isinstance(value, list | tuple):
                return None
            if count:
                return len(value)
            value = value[int(index)] if int(index) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(name)
        else:
            value = getattr(value, name, None) if is_dataclass(value) else None
    return value
