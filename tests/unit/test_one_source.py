"""A tag has one source, or the configuration is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hub.model.sample import Tag
from hub.model.words import Words
from hub.one_source import refused

NAMES = Words("", "")
TAGS = [Tag(1, "m/a", NAMES), Tag(2, "m/b", NAMES), Tag(3, "m/sum", NAMES, formula="a + b")]


def fed(*numbers: int, **more: Any) -> Any:
    return SimpleNamespace(tag_numbers=numbers, **more)


def test_each_tag_once_is_well() -> None:
    assert refused(TAGS, {"x": fed(1), "y": fed(2)}) == []


def test_two_collectors_of_one_tag_are_both_named() -> None:
    [told] = refused(TAGS, {"x": fed(1, 2), "y": fed(2)})
    assert told.startswith("collectors.y: m/b comes from x already; remove it")


def test_a_tag_named_twice_is_told_once_and_topics_may_share_one() -> None:
    assert refused(TAGS, {"x": fed(1, 1, 1)}) == [
        "collectors.x: m/a is named twice; remove one, or give it a tag of its own"
    ]
    assert refused(TAGS, {"x": fed(1, 1, may_share_tags=True)}) == []


def test_what_is_worked_out_is_not_collected_as_well() -> None:
    [told] = refused(TAGS, {"x": fed(1, 3)})
    assert "m/sum has a formula:" in told


def test_of_many_complaints_the_first_are_told_and_the_rest_counted() -> None:
    tags = [Tag(n, f"m/t{n}", NAMES) for n in range(1, 51)]
    told = refused(tags, {"x": fed(*range(1, 51)), "y": fed(*range(1, 51))})
    assert (len(told), told[-1]) == (21, "collectors: 30 more of this kind")
