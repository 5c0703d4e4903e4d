"""JSON Merge Patch (RFC 7386): what turns one document into another. (pure)

Documents here hold no null as an object's member, because a patch says "remove" with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """The smallest merge patch with apply(patch(old, new), old) == new; {} when they are equal."""
    out: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            out[key] = value
            continue
        before = old[key]
        if before is value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            if inner := patch(before, value):
                out[key] = inner
        elif before != value or type(before) is not type(value):  # True is not 1 to a browser
            out[key] = value
    return out


def apply(change: Mapping[str, Any], document: Any) -> Json:
    """RFC 7386, section 2; neither argument is changed."""
    out: Json = dict(document) if isinstance(document, dict) else {}
    for key, value in change.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = apply(value, out.get(key))
        else:
            out[key] = value
    return out


def both(first: Json, second: Json) -> Json:
    """One patch for two that touch different members."""
    out = dict(first)
    for key, value in second.items():
        there = out.get(key)
        out[key] = both(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return out


def tidy(**members: Any) -> Json:
    """An object without its None members: what is not known is absent."""
    return {key: value for key, value in members.items() if value is not None}
