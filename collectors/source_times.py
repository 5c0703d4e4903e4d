"""Whether a source's own time can be meant. One that cannot is not kept: the time of arrival stands for it,
and the value is the last usable one at best. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hub.config import Duration
from hub.model.batch import from_micros, micros
from hub.model.sample import GOOD

UNCERTAIN_LAST_USABLE = 0x40900000  # nobody knows since when
AHEAD = timedelta(minutes=5)
BEHIND = 600_000_000  # microseconds; no word of now is on its way for so long: its clock is wrong
DISORDER = 2_000_000  # microseconds: what lies further back than that is no disorder of messages
_MINUTE = 60_000_000
LONGEST_LAG = _MINUTE  # no lag that a tag has no patience for is longer: it is a wrong clock
EARLIEST = micros(datetime(2000, 1, 1, tzinfo=UTC))  # a device whose clock has forgotten the time says 1970
ClockAhead = Annotated[
    Duration,
    Field(gt=timedelta(), description="no source time further ahead of our clock is believed"),
]


def believed(at: int, arrived: int, ahead: int) -> bool:
    """All in microseconds since 1970; `ahead` is how far the source's clock may be before ours."""
    return EARLIEST <= at <= arrived + ahead


def judged(
    times: NDArray[np.int64], statuses: NDArray[np.uint32], arrived: int, ahead: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.intp]]:
    """The same where all can be meant, and the rows that cannot. Those keep their order."""
    rows = np.flatnonzero((times < EARLIEST) | (times > arrived + ahead))
    return *of_arrival(times, statuses, rows, arrived), rows


def of_arrival(
    times: NDArray[np.int64], statuses: NDArray[np.uint32], rows: NDArray[np.intp], arrived: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """With the time of arrival for these rows. They keep their order."""
    if not len(rows):
        return times, statuses
    times, statuses = times.copy(), statuses.copy()
    times[rows] = arrived + np.arange(len(rows))
    good = rows[statuses[rows] == GOOD]
    statuses[good] = UNCERTAIN_LAST_USABLE
    return times, statuses


class SetBack:
    """Which readings come by a clock that was set back, or is wrong by more than BEHIND: it is as far behind
    ours with each of them, and nothing newer than before has come for as long as makes a tag stale (a minute
    at least, where only ours says so). What a device had kept is no such thing: that comes faster than it
    happened, or beside what is newer."""

    def __init__(self, patience: Sequence[int]) -> None:
        """Microseconds until its silence makes a tag stale, by row."""
        self._patience = patience
        self._newest: dict[int, int] = {}
        self._behind: dict[int, tuple[int, int]] = {}  # row -> (by how much, since when by our clock)

    def judge(self, row: int, at: int, arrived: int) -> bool:
        goes_on = at >= self._newest.get(row, at)
        if goes_on:
            self._newest[row] = at
        if goes_on and arrived - at <= BEHIND:
            self._behind.pop(row, None)
            return False
        by, since = self._behind.get(row, (arrived - at, arrived))
        if abs(arrived - at - by) > DISORDER:
            by, since = arrived - at, arrived
        self._behind[row] = by, since
        return arrived - since >= max(self._patience[row], _MINUTE * goes_on)


class SlowClocks:
    """Which rows come by a clock that is wrong by more than BEHIND, of many sources at a time: each of them
    is as far behind as the one before, and none of now came between, for as long as makes the tag stale (a
    minute at least). A value that stood for long comes once; what was kept comes faster than it happened."""

    def __init__(self, patience: NDArray[np.int64]) -> None:
        """Microseconds until its silence makes a tag stale."""
        self._patience = np.maximum(patience, _MINUTE)
        self._by = np.zeros(len(patience), np.int64)
        self._since = np.zeros(len(patience), np.int64)  # 0: it is not behind
        self._any = False

    def rows(self, handles: NDArray[Any], times: NDArray[np.int64], arrived: int) -> NDArray[np.intp]:
        """Of what came now. Several rows may be of one source, the newest last."""
        far = times < arrived - BEHIND
        rows = np.flatnonzero(far)
        if not (len(rows) or self._any):
            return rows
        self._any = True
        self._since[handles[~far]] = 0
        who, by = handles[rows], arrived - times[rows]
        begins = (self._since[who] == 0) | (np.abs(by - self._by[who]) > DISORDER)
        self._since[who] = np.where(begins, arrived, self._since[who])
        self._by[who] = np.where(begins, by, self._by[who])
        wrong: NDArray[np.intp] = rows[arrived - self._since[who] >= self._patience[who]]
        return wrong


def learned(
    ways: NDArray[np.int64], lags: NDArray[np.int64], before: NDArray[np.int64], patience: NDArray[np.int64],
    first: NDArray[np.bool_] | bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """How far each source is behind by now, and how much of the way of its newest word counts for that:
    that is `before` the next time. All in microseconds, none below zero.

    More than its tag has patience for counts as far as the word before was on its way, too: one straggler
    makes no slow source. What was learnt fades with each word, not with the `first` ones of a connection.
    """
    counts = np.where(ways <= np.maximum(patience, LONGEST_LAG), ways, 0)
    faded = np.where(first, lags, lags * 7 // 8)
    return np.minimum(np.maximum(counts, faded), np.maximum(before, patience)), counts


def spelled(at: int) -> str:
    """For a person; a count from the ends of time is left as it is."""
    try:
        return f"{from_micros(at):%F %T}"
    except (OverflowError, ValueError):
        return f"{at} µs"
