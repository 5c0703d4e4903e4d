"""What a host says of itself, in the words of either edition, and what it makes of somebody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.sparkplug_state import Said, Version, heard, payload, topic


def test_each_edition_has_its_place_and_its_words() -> None:
    assert topic("3.0", "hub") == "spBv1.0/STATE/hub" and topic("2.2", "hub") == "STATE/hub"
    assert payload("3.0", Said(online=True, at=17)) == b'{"online":true,"timestamp":17}'
    assert [payload("2.2", Said(online, 17)) for online in (True, False)] == [b"ONLINE", b"OFFLINE"]


@pytest.mark.parametrize("version", ["3.0", "2.2"])
@pytest.mark.parametrize("online", [True, False])
def test_what_we_say_is_what_we_hear(version: Version, online: bool) -> None:
    at = 17 if version == "3.0" else 0
    assert heard(version, payload(version, Said(online, at))) == Said(online, at)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"ONLINE", b"{", b"[]", b'{"online":1,"timestamp":5}', b'{"timestamp":5}', b"[" * 100_000,
        b'{"online":false,"timestamp":true}', b'{"online":false,"timestamp":-1}', b"\xff\xfe",
        b'{"online":false,"timestamp":1e400}', b'{"online":false,"timestamp":99999999999999999999}',
    ],
)  # fmt: skip
def test_what_cannot_be_meant_says_that_we_are_gone(data: bytes) -> None:
    said = heard("3.0", data)
    assert not said.online and said.at in (0, 5)


@given(st.binary(max_size=60))
def test_nothing_that_comes_is_an_exception(data: bytes) -> None:
    assert heard("3.0", data).at >= 0 and heard("2.2", data).at == 0
