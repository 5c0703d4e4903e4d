"""Every call to the ERP is counted by its outcome, and changes nothing for who makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from erp_bridge.connector import Connector
from erp_bridge.metered import metered
from hub import metrics
from hub.errors import ErpRefused, ErpUnavailable
from hub.testing.clock import HandClock

pytestmark = pytest.mark.anyio


class SlowErp(Connector):
    """Takes two seconds by the hand clock, then does what it was told to."""

    capabilities = frozenset({"tickets"})

    def __init__(self, clock: HandClock, end: BaseException | None = None) -> None:
        self._clock, self._end = clock, end

    async def open_ticket(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        self._clock.turn(2)
        if self._end is not None:
            raise self._end
        return key, "WO-1"


async def outcomes_of(kind: str, end: BaseException | None) -> dict[str, float]:
    clock = HandClock()
    erp = metered(SlowErp(clock, end), kind, clock)
    if end is None:
        assert await erp.open_ticket("T-1", {}) == ("T-1", "WO-1")
    else:
        with pytest.raises(type(end)) as raised:
            await erp.open_ticket("T-1", {})
        assert raised.value is end
    names = ("ok", "unavailable", "in_doubt", "refused")
    found = {
        o: metrics.value("andon_erp_calls_total", connector=kind, call="open_ticket", outcome=o)
        for o in names
    }
    return {name: count for name, count in found.items() if count is not None}


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (None, "ok"),
        (ErpUnavailable("away"), "unavailable"),
        (ErpUnavailable("no answer", in_doubt=True), "in_doubt"),
        (ErpRefused("no such asset"), "refused"),
    ],
)
async def test_a_call_counts_once_with_its_outcome_and_its_seconds(
    end: BaseException | None, outcome: str
) -> None:
    kind = f"erp-that-says-{outcome}"
    assert await outcomes_of(kind, end) == {outcome: 1}
    assert metrics.value("andon_erp_call_seconds_sum", connector=kind, call="open_ticket") == 2


async def test_a_call_that_was_broken_off_has_no_outcome() -> None:
    assert await outcomes_of("erp-broken-off", asyncio.CancelledError()) == {}


def test_what_is_no_call_is_the_connectors_own() -> None:
    assert metered(SlowErp(HandClock()), "erp", HandClock()).capabilities == {"tickets"}
