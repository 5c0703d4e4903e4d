"""How a number is named where `codes:` translate it."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

import pytest
from asyncua import ua

from collectors.opcua_nodes import checked, code_word, steps, written
from collectors.opcua_words import no_part


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (5.0, "5"), (-3.0, "-3"), (1234567.0, "1234567"), (4294967295.0, "4294967295"), (0.5, "0.5"),
        (0.10000000149011612, "0.1"), (math.nan, "nan"), (math.inf, "inf"),
    ],
)  # fmt: skip
def test_a_whole_number_is_named_with_all_its_digits(value: float, word: str) -> None:
    assert code_word(value) == word


AXIS = {"Speed": 1.0, "Limits": [1, 2], "Drive": {"Load": None}}


@pytest.mark.parametrize(
    ("value", "item", "told"),
    [
        (AXIS, "", "m/t is a structure; item: names a part of it"),
        (AXIS, "Sped", "m/t: item: Sped: Sped is not there; there are: Speed, Limits, Drive"),
        (
            [AXIS], "[0].Limits[2]",
            "m/t: item: [0].Limits[2]: [2] is not there in [0].Limits; there are: [0], [1]",
        ),
        (AXIS, "Drive", "m/t: item: Drive leads to a structure, no single value; there are: Load"),
        (AXIS, "Drive.Load", "m/t: item: Drive.Load: Load holds nothing in Drive"),
        ([1.0], "", "m/t is an array; item: names a part of it"),
        (b"x", "", "m/t is a ByteString, no number and no text; name another node"),
        (UUID(int=1), "", "m/t is a Guid, no number and no text; name another node"),
        ([], "[0]", "m/t: item: [0]: [0] is not there; it has no parts"),
        (ua.Range(1, 2), "Top", "m/t: item: Top: Top is not there; there are: Low, High"),
        (
            ua.ExtensionObject(ua.NodeId(7, 2), b"x"), "Speed",
            "m/t: item: Speed: Speed is not there; the server does not tell what this type is made of "
            "(DataTypeDefinition)",
        ),
    ],
)  # fmt: skip
def test_an_item_that_leads_nowhere_is_told_with_the_parts(value: Any, item: str, told: str) -> None:
    assert no_part("m/t", value, item) == told


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("nsu=urn:a;path=Press/Temp", [("urn:a", "Press"), ("urn:a", "Temp")]),
        (
            "nsu=urn:a;path=Press/nsu=http://b/c/;Axis 1/X",
            [("urn:a", "Press"), ("http://b/c/", "Axis 1"), ("http://b/c/", "X")],
        ),
        ("nsu=urn:a;path=a&/b&&/注塑", [("urn:a", "a/b&"), ("urn:a", "注塑")]),
    ],
)
def test_a_path_is_read_as_it_is_written(path: str, way: list[tuple[str, str]]) -> None:
    assert steps(checked(path)) == way
    assert written(way) == path


@pytest.mark.parametrize(
    "path",
    ["nsu=urn:a;path=", "nsu=urn:a;path=/a", "ns=2;path=a", "nsu=urn:a;path=a//b", "nsu=urn:a;path=a/"],
)
def test_what_is_no_path_is_refused_with_the_remedy(path: str) -> None:
    with pytest.raises(ValueError, match="nsu=URI;path="):
        checked(path)
