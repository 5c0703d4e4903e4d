"""Rows that are on record already, under whatever number they come: whoever begins to read a source anew is
told at first what stands there, with the time from which on it does. Its collector may have told that in a
life before, which it has forgotten, or another one has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch, from_micros
from hub.store.pool import Connection

MOST = 8  # of one tag in one write
_UNKNOWN, _NEVER = np.iinfo(np.int64).max, np.iinfo(np.int64).min


class StandingRows:
    """Looks for a row on record where it is no newer than the last one that was stored of its tag since
    `begin`, or of the very time of the newest one; before there was one, for the first. So what streams costs
    nothing (a look: 0.1 ms)."""

    def __init__(self) -> None:
        self._last = np.empty(0, np.int64)  # source time, by the number of the tag
        self._newest = np.empty(0, np.int64)  # the same, where something late came after it

    def begin(self) -> None:
        """A writer begins: another one may have stored meanwhile."""
        self._last = self._newest = np.empty(0, np.int64)

    async def on_record(self, connection: Connection, rows: SampleBatch) -> NDArray[np.bool_]:
        """Which of these rows are there, with the same time, value and status. Of a tag with more than MOST
        doubtful ones the oldest are looked for: the others come of a clock that was set back, or a replay."""
        there = _repeated(rows)
        doubtful = np.setdiff1d(self._doubtful(rows), np.flatnonzero(there))
        if not len(doubtful):
            return there
        doubtful = doubtful[np.lexsort((rows.source_times[doubtful], rows.tags[doubtful]))]
        tags = rows.tags[doubtful]
        of_tag = np.arange(len(tags)) - np.searchsorted(tags, tags)
        there[await _found(connection, rows, doubtful[of_tag < MOST])] = True
        return there

    def _doubtful(self, rows: SampleBatch) -> NDArray[np.intp]:
        """Rows no newer than what was stored of their tag, or came before them here; and a tag's first."""
        self._know_of(rows)
        doubt = (rows.source_times <= self._last[rows.tags]) | (rows.source_times == self._newest[rows.tags])
        if (new := self._last[rows.tags] == _UNKNOWN).any():
            mine = np.flatnonzero(new)
            mine = mine[np.argsort(rows.tags[mine], kind="stable")]
            same = np.diff(rows.tags[mine], prepend=-1) == 0
            doubt[mine] = ~same | (np.diff(rows.source_times[mine], prepend=0) <= 0)
        return np.flatnonzero(doubt)

    def stored(self, rows: SampleBatch, left_out: SampleBatch) -> None:
        """The last one stored counts, also where it is older: a clock that was set goes on from there."""
        self._know_of(rows)
        new = self._last[left_out.tags] == _UNKNOWN
        self._last[left_out.tags[new]] = left_out.source_times[new]
        self._last[rows.tags] = rows.source_times
        np.maximum.at(self._newest, rows.tags, rows.source_times)

    def _know_of(self, rows: SampleBatch) -> None:
        more = int(rows.tags.max(initial=0)) + 1 - len(self._last)
        if more > 0:
            self._last = np.concatenate([self._last, np.full(more, _UNKNOWN)])
            self._newest = np.concatenate([self._newest, np.full(more, _NEVER)])


def _repeated(rows: SampleBatch) -> NDArray[np.bool_]:
    """Rows that this very write has before: two lives of a collector, while the record was away."""
    repeated = np.zeros(len(rows), np.bool_)
    order = np.argsort(rows.tags, kind="stable")
    tags, times = rows.tags[order], rows.source_times[order]
    back = (tags[1:] == tags[:-1]) & (times[1:] <= times[:-1])
    if back.any():
        some = np.flatnonzero(np.isin(rows.tags, tags[1:][back]))
        values = rows.values[some].view(np.int64)
        said = np.stack([rows.tags[some], rows.source_times[some], values, rows.statuses[some]], axis=1)
        _, first = np.unique(said, axis=0, return_index=True)
        repeated[np.delete(some, first)] = True
    return repeated


async def _found(connection: Connection, rows: SampleBatch, doubtful: NDArray[np.intp]) -> NDArray[np.intp]:
    asked = rows.take(doubtful)
    values = {
        "tags": asked.tags.tolist(),
        "times": [from_micros(us) for us in asked.source_times.tolist()],
        "values": asked.values.tolist(),
        "statuses": asked.statuses.tolist(),
    }
    found = await (await connection.execute(THERE, values)).fetchall()
    return doubtful[np.array([row["n"] - 1 for row in found], np.intp)]


# `limit` keeps it one look into the index for each row, whatever is on record
THERE = """
select asked.n from unnest(
    %(tags)s::integer[], %(times)s::timestamptz[], %(values)s::float8[], %(statuses)s::bigint[]
) with ordinality as asked (tag, ts, value, status, n)
cross join lateral (
    select from samples s where s.tag = asked.tag and s.ts = asked.ts
    and s.value = asked.value and s.status = asked.status limit 1
) known
"""
