"""Whether each tag has one source: with two, their values would alternate in curve and rules. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from hub.model.sample import Tag

_AT_MOST = 20  # complaints of one kind


def refused(tags: Iterable[Tag], collectors: Mapping[str, Any]) -> list[str]:
    """Complaints of what is configured; `collectors` by name, each with its `tag_numbers`.

    Topics of MQTT may share a tag: a machine may say "started" on one and "stopped" on another.
    """
    known = {t.number: t for t in tags}
    first: dict[int, str] = {}
    complaints: list[str] = []
    for name, collector in collectors.items():
        for number in collector.tag_numbers:
            tag, before = known.get(number), first.setdefault(number, name)
            if tag is None:
                continue
            if tag.formula:
                complaints.append(
                    f"collectors.{name}: {tag.path} has a formula: and is worked out; remove one of both"
                )
            elif before != name:
                complaints.append(
                    f"collectors.{name}: {tag.path} comes from {before} already; remove it from one of "
                    "them, or give it a tag of its own"
                )
        if getattr(collector, "may_share_tags", False):
            continue
        twice = [n for n, times in Counter(collector.tag_numbers).items() if times > 1 and n in known]
        complaints += [
            f"collectors.{name}: {known[n].path} is named twice; remove one, or give it a tag of its own"
            for n in twice
        ]
    unique = list(dict.fromkeys(complaints))
    rest = len(unique) - _AT_MOST
    return unique[:_AT_MOST] + ([f"collectors: {rest} more of this kind"] if rest > 0 else [])
