from __future__ import annotations

import pytest

from collectors.mqtt_filters import Copies, level, meet, partly
from collectors.mqtt_message import Message
from collectors.templates import topic_pattern

LINE, PRESS, OTHER = "a/+/x", "a/b/+", "c/#"


def sent(topic: str, *filters: int) -> Message:
    return Message(topic, b"5", 1, False, False, 1, filters)


def copies(*filters: str) -> Copies:
    made = Copies(filters)
    for one in filters:
        if one in made.numbers:
            made.asked_for(one)
    return made


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("a/+/x", "a/b/+", "a/b/x"), ("a/#", "+/b", "a/b"), ("a/#", "a", "a"), ("a/#", "+", "a"),
        ("#", "a/+", "a/+"), ("a/b/#", "+/+/c/d", "a/b/c/d"), ("a/+", "a", None), ("a/b", "a/c", None),
        ("+/x", "$SYS/+", None), ("$SYS/+", "$SYS/x", "$SYS/x"), ("#", "$SYS/x", None), ("a/#", "b/#", None),
        ("a//b", "a/+/b", "a//b"), ("a/+/#", "a", None),
    ],
)  # fmt: skip
def test_what_fits_both_of_two_filters(one: str, other: str, both: str | None) -> None:
    assert (meet(one, other), meet(other, one)) == (both, both)
    if both is not None and "+" not in both:
        assert topic_pattern(one).fullmatch(both) and topic_pattern(other).fullmatch(both)


def test_only_those_overlap_in_part_of_which_neither_lies_within_the_other() -> None:
    assert partly(["a/#", "a/b/+", "a/+/x", "a/b/x", "c/+"]) == [("a/b/+", "a/+/x", "a/b/x")]


def test_filters_that_overlap_have_the_higher_quality_of_service() -> None:
    assert level([(LINE, 0), (PRESS, 2), (OTHER, 1)]) == [(LINE, 2), (PRESS, 2), (OTHER, 1)]


def test_of_copies_the_one_for_the_filter_that_was_granted_first_counts() -> None:
    made = copies(LINE, PRESS, OTHER)
    line, press = made.numbers[LINE], made.numbers[PRESS]
    assert OTHER not in made.numbers
    assert [made.counts(sent("a/b/x", number)) for number in (line, press)] == [True, False]
    assert made.counts(sent("a/b/x", line, press)), "a broker that sends it once names all of them"
    assert made.counts(sent("a/b/y", press)), "the first does not fit"
    assert made.counts(sent("a/b/x")), "nothing is told"


def test_what_a_session_holds_for_other_filters_than_these_counts() -> None:
    before, now = copies(LINE, PRESS), copies(LINE, PRESS, "+/b/x")
    assert not set(before.numbers.values()) & set(now.numbers.values())
    assert all(now.counts(sent("a/b/x", number)) for number in before.numbers.values())
    assert copies(PRESS, LINE).numbers == before.numbers, "their order means nothing"


def test_where_the_first_is_refused_the_copy_for_the_next_counts() -> None:
    made = copies(LINE, PRESS)
    made.refused(LINE)
    assert made.counts(sent("a/b/x", made.numbers[PRESS]))
