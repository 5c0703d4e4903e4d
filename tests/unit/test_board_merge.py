"""RFC 7386: a patch turns the old document into the new one, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screens.merge import apply, both, patch, tidy

keys = st.sampled_from("abcd")
scalars = st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, "x", ""])
values = st.recursive(
    scalars,
    lambda inner: st.dictionaries(keys, inner, max_size=3) | st.lists(inner | st.none(), max_size=3),
    max_leaves=12,
)
documents = st.dictionaries(keys, values, max_size=4)


@given(documents, documents)
def test_applying_the_patch_gives_the_new_document_and_leaves_the_old_one_alone(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    before = copy.deepcopy(old)
    assert same(apply(patch(old, new), old), new)
    assert old == before


@given(documents)
def test_nothing_changed_is_an_empty_patch(document: dict[str, Any]) -> None:
    assert patch(document, copy.deepcopy(document)) == {}


@given(documents, documents, documents)
def test_patches_follow_one_another(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    assert same(apply(patch(b, c), apply(patch(a, b), a)), c)


def same(a: Any, b: Any) -> bool:
    """Equal as JSON, where true is not 1."""
    return bool(repr_sorted(a) == repr_sorted(b))


def repr_sorted(node: Any) -> str:
    if isinstance(node, dict):
        return "{" + ",".join(f"{k}:{repr_sorted(node[k])}" for k in sorted(node)) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(repr_sorted, node)) + "]"
    return repr(node)


@pytest.mark.parametrize(
    ("document", "change", "expected"),
    [  # RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_standard(document: Any, change: dict[str, Any], expected: Any) -> None:
    assert apply(change, document) == expected


def test_two_patches_of_different_members_are_one() -> None:
    first, second = {"a": {"x": 1}, "b": None}, {"a": {"y": {"z": 2}}}
    assert both(first, second) == {"a": {"x": 1, "y": {"z": 2}}, "b": None}


def test_what_is_not_known_is_absent() -> None:
    assert tidy(a=1, b=None, c="", d=0, e=False) == {"a": 1, "c": "", "d": 0, "e": False}
