"""The newest value of every shown tag, as columns; JSON is made only of what is seen to change. (pure)"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch
from hub.model.sample import BAD_NO_COMMUNICATION, Tag
from screens.merge import Json

_SECOND = 1_000_000
REFRESH = _SECOND  # a number that stands still is told again this often, so that it does not look old
AHEAD = _SECOND  # a device clock further ahead than this may not hide what comes after
BEHIND = 60 * _SECOND
_NEVER = np.iinfo(np.int64).min // 2
_SEVERITY = ("good", "uncertain", "bad", "bad")


class Live:
    """Rows are shown tags. `take` is vectorised; `changes` gives a fragment of the board."""

    def __init__(self, tags: Iterable[Tag]) -> None:
        shown = [t for t in tags if t.shown]
        self._paths = [t.path for t in shown]
        self._machines = [t.equipment for t in shown]
        n = len(shown)
        numbers = np.array([t.number for t in shown], np.int64)
        self._row = np.full(int(numbers.max(initial=0)) + 1, -1, np.int64)
        self._row[numbers] = np.arange(n)
        self._scale = np.power(10.0, [t.decimals for t in shown])
        self._values: NDArray[np.float64] = np.full(n, np.nan)
        self._at: NDArray[np.int64] = np.full(n, _NEVER, np.int64)
        self._statuses: NDArray[np.uint32] = np.full(n, 0x80000000, np.uint32)
        self._fresh: NDArray[np.bool_] = np.zeros(n, np.bool_)  # taken in since it was told
        self._heard: NDArray[np.bool_] = np.zeros(n, np.bool_)  # ... from a source, not from the record
        self._told_value: NDArray[np.float64] = np.full(n, np.nan)
        self._told_at: NDArray[np.int64] = np.full(n, _NEVER, np.int64)
        self._told_severity: NDArray[np.int64] = np.full(n, 2, np.int64)
        self.board: dict[str, Json] = _blank(shown)  # machine -> tag -> what has been told

    @property
    def numbers(self) -> list[int]:
        """Tag numbers of the rows, to ask the sample store for."""
        return [int(n) for n in np.flatnonzero(self._row >= 0)]

    def take(self, batch: SampleBatch, now: int, *, heard: bool = True) -> bool:
        """Newest wins; `now` in microseconds since 1970. True when a shown tag got something new.

        Late samples of a backlog do not hide newer ones, but any sample ends "no communication", and a
        device clock that ran ahead loses its lead at the next sample. The record, which is not `heard`, may
        be behind what was: of it only what is newer counts.
        """
        known = (batch.tags >= 0) & (batch.tags < len(self._row))
        rows = np.where(known, self._row[np.where(known, batch.tags, 0)], -1)
        keep = np.flatnonzero(rows >= 0)
        if not len(keep):
            return False
        rows, times, statuses = rows[keep], batch.source_times[keep], batch.statuses[keep]
        shown = self._at[rows]
        wins = times > shown
        if heard:
            wins |= (times == shown) | (self._statuses[rows] == BAD_NO_COMMUNICATION) | (shown > now + AHEAD)
            wins |= (statuses == BAD_NO_COMMUNICATION) & (times >= shown - BEHIND)
        pick = np.flatnonzero(wins)
        pick = pick[np.argsort(times[pick], kind="stable")]  # of several for one row, the last assigned stays
        at = rows[pick]
        self._values[at] = batch.values[keep][pick]
        self._at[at] = times[pick]
        self._statuses[at] = statuses[pick]
        self._fresh[at] = True
        self._heard[at] = heard
        return bool(len(at))

    def changes(self, now: int) -> tuple[dict[str, Json], NDArray[np.float64]]:
        """{machine: {tag: patch}} since the last call, and the ages in seconds of what was heard in it."""
        severity = (self._statuses >> np.uint32(30)).astype(np.int64)
        visible = np.where((severity < 2) & np.isfinite(self._values), self._values, np.nan)
        with np.errstate(over="ignore"):
            rounded = np.rint(visible * self._scale) / self._scale
        same = (rounded == self._told_value) | (np.isnan(rounded) & np.isnan(self._told_value))
        news = ~same | (severity != self._told_severity) | (self._at - self._told_at >= REFRESH)
        rows = np.flatnonzero(self._fresh & (news | (self._at < self._told_at)))
        self._told_value[rows] = rounded[rows]
        self._told_at[rows] = self._at[rows]
        self._told_severity[rows] = severity[rows]
        ages = np.maximum(0, now - self._at[rows[self._heard[rows]]]) / _SECOND
        self._fresh[rows] = False
        self._heard[rows] = False
        return self._fragment(rows, rounded[rows], severity[rows]), ages

    def _fragment(
        self, rows: NDArray[np.intp], values: NDArray[np.float64], severity: NDArray[np.int64]
    ) -> dict[str, Json]:
        times = np.datetime_as_string(self._at[rows].astype("datetime64[us]"), unit="ms").tolist()
        out: dict[str, Json] = {}
        for row, value, at, level in zip(
            rows.tolist(), values.tolist(), times, severity.tolist(), strict=True
        ):
            machine, path = self._machines[row], self._paths[row]
            change: dict[str, Any] = {"at": at + "Z"}
            told = self.board[machine][path]
            told["at"] = change["at"]
            if not math.isnan(value):
                if told.get("value") != value:
                    change["value"] = told["value"] = value
            elif "value" in told:
                change["value"] = None
                del told["value"]
            if told["status"] != _SEVERITY[level]:
                change["status"] = told["status"] = _SEVERITY[level]
            out.setdefault(machine, {})[path] = change
        return out


def _blank(tags: Iterable[Tag]) -> dict[str, Json]:
    out: dict[str, Json] = {}
    for tag in tags:
        out.setdefault(tag.equipment, {})[tag.path] = {
            "label": tag.label.as_dict(),
            "unit": tag.unit,
            "decimals": tag.decimals,
            "status": "bad",
            "stale_after": tag.stale_after.total_seconds(),
        }
    return out


def seen_by(values: Mapping[str, Json], machines: frozenset[str] | None) -> Mapping[str, Json]:
    """Only these machines; None is all."""
    return values if machines is None else {m: v for m, v in values.items() if m in machines}
