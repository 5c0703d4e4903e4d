"""Nodes whose source times are always behind the server's: a gateway that polls, a device's slow clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from collectors.opcua import OpcUaCollector
from collectors.opcua_decode import Changes, Published
from collectors.source_times import UNCERTAIN_LAST_USABLE
from hub.model.batch import SampleBatch, micros
from hub.model.sample import Tag
from hub.model.words import Words
from hub.testing.clock import HandClock

pytestmark = pytest.mark.anyio
SECOND = 1_000_000
BEGUN = micros(HandClock().now())

EACH_SECOND = [float(n) for n in range(-50, 100)]
EACH_SEVENTH = [float(n) for n in range(-49, 140, 7)]
STILL_FOR_A_MINUTE = [*range(-50, 41), 101.0, 102.0]


class Row(NamedTuple):
    """All in seconds since the start."""

    came: float
    at: float
    value: float
    status: int


class Rows:
    def __init__(self) -> None:
        self.came, self.of = 0.0, dict[int, list[Row]]()

    async def put(self, item: SampleBatch) -> None:
        times = (item.source_times - BEGUN) / SECOND
        for tag, *told in zip(item.tags, times, item.values, item.statuses, strict=True):
            self.of.setdefault(int(tag), []).append(Row(self.came, *map(float, told[:2]), int(told[2])))


class Server:
    """The collector's side of a connection: what it hears, second by second."""

    def __init__(self, stale_after: float, nodes: int = 1) -> None:
        patience = timedelta(seconds=stale_after)
        tags = {f"m/{n}": Tag(n, f"m/{n}", Words("", ""), stale_after=patience) for n in range(nodes)}
        told = [{"tag": path, "node": f"ns=2;i={n}"} for n, path in enumerate(tags)]
        given = {"endpoint": "opc.tcp://127.0.0.1:1", "security": "none", "nodes": told}
        self._make = lambda: OpcUaCollector(
            OpcUaCollector.Config.model_validate(given), self.clock, tags, "gw"
        )
        self.clock, self.rows = HandClock(), Rows()
        self.collector = self._make()
        self._from = self.clock.now()

    def connect_again(self, lost_at: float) -> None:
        before, self.collector = self.collector, self._make()
        self.collector.follow(before, self._from + timedelta(seconds=lost_at))

    async def says(self, at: float, *told: tuple[int, float, float]) -> None:
        """(node, source time, value) each; none is a keep-alive."""
        self.clock.set(self._from + timedelta(seconds=at))
        self.rows.came = at
        nodes, times, values = zip(*told, strict=True) if told else ((), (), ())
        changes = Changes(
            np.array(nodes, np.uint32), np.array(values, np.float64), np.zeros(len(told), np.uint32),
            np.array([BEGUN + round(t * SECOND) for t in times], np.int64),
        )  # fmt: skip
        now = BEGUN + round(at * SECOND)
        await self.collector._put(self.rows, Published(1, 1, now, (changes,) if told else ()), now)

    async def runs(self, changes: Sequence[float], lag: float, until: int) -> float:
        """One node whose value is the time of its change; when the first change was heard."""
        standing = max(c for c in changes if c + lag <= 0)
        await self.says(0, (0, standing, standing))
        to_come = {round(c + lag, 3): c for c in changes if 0 < c + lag <= until}
        for at in sorted({*to_come, *range(1, until)}):
            await self.says(at, *[(0, to_come[at], to_come[at])] if at in to_come else [])
        return min(to_come)


def told_once(rows: Sequence[Row], changes: Sequence[float], since: float) -> None:
    """Of what changed since then: at its own time, and what is told besides lies before the next change."""
    own = {r.value: [q for q in rows if q.value == r.value] for r in rows if r.value > since}
    assert sorted(own) == [c for c in changes if since < c <= max(own)]
    for change, following in pairwise([*sorted(own), float("inf")]):
        assert [r.at for r in own[change]].count(change) == 1 and own[change][0].at == change
        assert all(r.status == 0 and change <= r.at < following for r in own[change])
    later = [r.at for r in rows if r.at >= min(own)]
    assert later == sorted(set(later)), "times never go back"


def lives(rows: Sequence[Row], lag: float, stale_after: float) -> None:
    """Told often enough for whoever measures by its arrival, as new as its lag allows, and no more often."""
    for before, after in pairwise(rows):
        assert (
            after.came == before.came
            or after.at == after.value
            or after.came - before.came >= stale_after / 4
        )
        assert after.came - before.came <= stale_after
        assert after.came == before.came or after.came - before.at <= stale_after + lag


@pytest.mark.parametrize(
    "changes", [EACH_SECOND, EACH_SEVENTH, STILL_FOR_A_MINUTE], ids=["1s", "7s", "still"]
)
@pytest.mark.parametrize("lag", [0, 1, 2.5, 4, 10, 30])
@pytest.mark.parametrize("stale_after", [5, 60])
async def test_a_source_that_is_always_behind_is_stored_once_and_lives(
    stale_after: float, lag: float, changes: Sequence[float]
) -> None:
    server = Server(stale_after)
    learnt = await server.runs(changes, lag, 130)
    rows = server.rows.of[0]
    assert rows[-1].came >= 129 - stale_after
    lives(rows, lag, stale_after)
    told_once(rows, changes, since=rows[0].at - 1 if stale_after > 2 * lag + 10 else learnt)


async def test_a_change_of_unknown_lag_from_before_what_was_told_is_told_twice_and_the_next_once() -> None:
    server = Server(stale_after=15)
    await server.says(0, (0, -3600, -3600))
    for second in range(1, 32):
        await server.says(second, *[(0, second - 4, second - 4)] if second in (12, 20, 28) else [])
    rows = server.rows.of[0]
    assert [r.at for r in rows if r.value == 8][:2] == [8, pytest.approx(10, abs=1e-5)], "said again at 10 s"
    told_once([r for r in rows if r.value > 8], [16, 24], since=8)


async def test_other_nodes_of_the_server_show_how_far_behind_it_is() -> None:
    server = Server(stale_after=15, nodes=2)
    await server.says(0, (0, -3600, -3600), (1, -4.5, -4.5))
    for second in range(1, 32):
        nodes = (0, 1) if second in (12, 20, 28) else (1,)
        await server.says(second, *((node, second - 4, second - 4) for node in nodes))
    told_once([r for r in server.rows.of[0] if r.value > 0], [8, 16, 24], since=0)


async def test_who_is_further_behind_than_a_tag_may_be_silent_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for stale_after in (60, 5):
        assert not caplog.text
        server = Server(stale_after)
        await server.runs(EACH_SECOND, 10, 20)
        server.collector._say_who_is_behind()
        server.collector._say_who_is_behind()
    assert caplog.text.count("1 nodes (m/0: 10 s) are so far behind the server's clock") == 1


async def test_of_a_clock_that_is_hours_behind_what_is_told_is_of_now_once_and_nobody_knows_since_when(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, hours = Server(10), 8 * 3600
    for at in range(75):
        await server.says(at, (0, at - hours, at))
    server.connect_again(75.0)
    for at in range(76, 80):
        await server.says(at, (0, at - hours, at))
    known = [r for r in server.rows.of[0] if r.came >= 60]
    assert [(r.at, r.value) for r in known if r.came != 76] == [
        (float(at), at) for at in [*range(60, 75), *range(77, 80)]
    ]
    assert {r.status for r in known} == {UNCERTAIN_LAST_USABLE}
    assert caplog.text.count("is as far behind as the ones before it; correct the clock") == 2, "each line"


async def test_a_reconnect_forgets_no_lag_and_tells_what_holds_behind_the_mark_that_it_was_lost() -> None:
    server = Server(stale_after=15)
    await server.runs(EACH_SECOND, 10, 20)
    server.rows.of.clear()
    server.connect_again(lost_at=11)
    to_come = {22: 10, 30: 20, 32: 22, 34: 24}  # the first is on record
    for second in range(22, 40):
        change = to_come.get(second)
        await server.says(second, *[] if change is None else [(0, change, change)])
    rows = server.rows.of[0]
    assert rows[0] == (22, 12, 10, 0), "good again at once"
    told_once(rows[1:], [20, 22, 24], since=10)
    assert max(r.at for r in rows if r.value == 10) < 20


async def test_what_is_over_within_one_answer_is_not_what_is_said_again() -> None:
    server = Server(stale_after=10)
    await server.says(0, (0, 0, 1))
    await server.says(8)
    await server.says(10, (0, 6, 2), (0, 9, 3))
    await server.says(20)
    told = [(r.at, r.value) for r in server.rows.of[0]]
    assert told[:5] == [(0, 1), (8, 1), (6, 2), (pytest.approx(8, abs=1e-5), 2), (9, 3)]
    assert [value for _, value in told[5:]] == [3]


async def test_what_a_server_kept_while_the_line_was_cut_is_no_lag() -> None:
    server = Server(stale_after=60)
    await server.runs(EACH_SECOND, 0, 10)
    server.collector._is_behind = True
    await server.says(40, (0, 12, 12), (0, 15, 15))
    server.collector._is_behind = False
    await server.says(80)
    assert server.rows.of[0][-1] == (80, 80, 15, 0)
