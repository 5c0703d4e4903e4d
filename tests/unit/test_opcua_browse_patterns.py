"""Which nodes a pattern of `andon browse` is about: names from the machine downwards."""

from __future__ import annotations

import pytest

from collectors.opcua_browse import Wanted


@pytest.mark.parametrize("pattern", ["Gateway", "Gate*", "Gateway/*", "Gateway/Line", "*/n1"])
def test_a_name_stands_for_all_that_is_below_it(pattern: str) -> None:
    assert Wanted(only=(pattern,)).takes("Gateway/Line/n1")
    assert not Wanted(leave_out=(pattern,)).takes("Gateway/Line/n1")
    assert Wanted(leave_out=(pattern,)).takes("Gateway2x/Other") is (pattern != "Gate*")
