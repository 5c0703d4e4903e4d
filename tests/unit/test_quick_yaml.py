"""The quick way to values gives what PyYAML gives, and leaves to PyYAML whatever it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.quick_yaml import Unusual, quick

EXAMPLES = Path(__file__).parents[2] / "examples"


def slowly(text: str) -> Any:
    return yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 0x1F, 1_000, 1e3, 1.5, .inf, 8:30, 08:30, 010, 0o10]",
        "a: [off, On, yes, n, true, ~, null, 'off', \"1\"]\nb:",
        "a: [2001-09-09, 2001-09-09 01:46:40 +02:00, '2001-09-09']",
        "a: {1: x, '2': y, off: z}\nb: |\n  two\n  lines\nc: >\n  one\n  line",
        "base: &b {x: 1, y: [2]}\none: {<<: *b, y: 3}\ntwo: *b",
        "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {z: 0, <<: [*a, *b], y: 3}\nd: {<<: *b, q: {<<: *a}}",
        "a: &n 5\nb: *n\nc: &l [*n, 6]\nd: *l",
        '"{ json: }"',
        '{"a": [{"b": 1.5, "c": "\\u4e00"}, null, true]}',
        "# a remark\n---\na: 1\n...\n",
    ],
)
def test_it_means_what_pyyaml_means(text: str) -> None:
    assert repr(quick(text)) == repr(slowly(text)), "the same values, of the same types, in the same order"


def test_an_alias_is_the_very_thing_that_was_named() -> None:
    found = quick("a: &x [1]\nb: *x")
    assert found["a"] is found["b"]


def test_our_own_examples_go_the_quick_way() -> None:
    for path in [*EXAMPLES.glob("*.yaml"), *EXAMPLES.glob("*/plant.yaml")]:
        text = path.read_text(encoding="utf-8")
        assert quick(text) == slowly(text), path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1\na: 2",
        "1: a\n'1': b",
        "a: !!int '5'",
        "a: !x {b: 1}",
        "a: &r [*r]",
        "a: &x 1\nb: &x 2",
        "a: *nobody",
        "a: {<<: 5}",
        "a: {'<<': {b: 1}}",
        "a: <<",
        "a: {[1]: 2}",
        "a: {&k b: 1}",
        "a: 2001-99-99",
        "a: =",
        "a: 1\n---\nb: 2",
        "%YAML 1.1\n---\na: 1",
        "a: {b: [}",
        "\ta: 1",
        "a: \x07",
    ],
)
def test_what_is_seldom_or_wrong_is_left_to_pyyaml(text: str) -> None:
    with pytest.raises(Unusual):
        quick(text)


PIECES = [
    "a: ", "b", "\n", "  ", "- ", "{", "}", "[", "]", ", ", ": ", "&a ", "*a", "<<: ", "!!int ", "|\n", ">",
    "'", '"', "#", "---", "...", "? ", "=", "~", "1", "0x1", "1:30", "off", "2001-01-01", "\\x41",
]  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates())
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=15,
)


def never_another_meaning(text: str) -> None:
    try:
        found, meant = quick(text), slowly(text)
    except (Unusual, yaml.YAMLError):  # libyaml forgives a few slips, `>#` for one, that PyYAML does not
        return
    assert repr(found) == repr(meant)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_no_text_has_two_meanings(text: str) -> None:
    never_another_meaning(text)


@settings(deadline=None, max_examples=100)
@given(TREES, st.sampled_from([True, False, None]))
def test_no_value_is_read_as_another_one(value: Any, flow: bool | None) -> None:
    never_another_meaning(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True))
