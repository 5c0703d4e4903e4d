"""What a host knows of its tags: the last value of each, which still holds, and what time it is at its node.

Pure: time is an argument, in microseconds since 1970 (`arrived`) and in seconds (`now`).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.mqtt_values import number
from collectors.source_times import (
    AHEAD,
    BEHIND,
    DISORDER,
    UNCERTAIN_LAST_USABLE,
    believed,
    learned,
)
from collectors.sparkplug_edge import Absent, Stale, Told, Value
from collectors.sparkplug_parts import picked
from collectors.sparkplug_payload import meant
from hub.model.batch import SampleBatch
from hub.model.sample import BAD_NO_COMMUNICATION, GOOD

BAD_NODE_UNKNOWN = 0x80340000
GOOD_ENTRY_INSERTED = 0x00A20000  # put into the history after the fact (OPC UA part 11): good, and no news
_SECOND = 1_000_000
_HISTORY = 20_000  # lines of it that are known when they come again


class Row(NamedTuple):
    """One metric as configured."""

    tag: int  # its number
    scale: float
    offset: float
    codes: Mapping[str, float]
    patience: int  # microseconds until its silence looks stale
    node: int
    item: str = ""  # the part of the metric
    lead: int = -1  # row that stands for the metric; -1: itself


class Line(NamedTuple):
    """One row of a batch to be."""

    row: int
    at: int
    value: float
    status: int


class Rows:
    """`put` what an edge told; `take` it as batches, what is past last and apart."""

    def __init__(self, rows: Sequence[Row], nodes: int, source: str, ahead: timedelta = AHEAD) -> None:
        self._rows, self._source, self._ahead = rows, source, ahead // timedelta(microseconds=1)
        self._tags = np.array([r.tag for r in rows], np.int32)
        self._patience = np.array([r.patience for r in rows], np.int64) // 2
        self._sharing: dict[int, list[int]] = {}  # rows of the same metric, by the one that stands for them
        for number_, row in enumerate(rows):
            self._sharing.setdefault(row.lead if row.lead >= 0 else number_, []).append(number_)
        self._node = np.array([r.node for r in rows], np.intp)
        self._last = np.zeros(len(rows), np.int64)  # told, also where it was said again
        self._word = np.zeros(len(rows), np.int64)  # the edge's own last word of it
        self._lag = np.zeros(len(rows), np.int64)  # how long such words were on their way lately
        self._before = np.zeros(len(rows), np.int64)  # how long the last one was
        self._ways: dict[int, int] = {}  # ... and of those nothing was learnt from yet
        self._told_at = np.zeros(len(rows), np.int64)  # time at the node when it was told
        self._values = np.full(len(rows), np.nan)
        self._statuses = np.full(len(rows), BAD_NO_COMMUNICATION, np.uint32)
        self._holds = np.zeros(len(rows), bool)  # somebody speaks for it
        self._node_at = np.zeros(nodes, np.int64)  # time at the node when it was heard last
        self._node_now = np.zeros(nodes)  # ... in our own seconds
        self._node_said = np.zeros(nodes, np.int64)  # by its own clock, at most
        self._node_wrong = np.zeros(nodes, bool)  # that clock is not to be believed
        self._lines: list[Line] = []
        self._past: list[Line] = []
        self._history: OrderedDict[Line, None] = OrderedDict()  # what was told of it last
        self.complaints: list[tuple[int, str]] = []  # the caller takes and empties them

    def heard(self, node: int, at: int, arrived: int, now: float) -> None:
        """A message came with this time of the node's clock. Where that is far behind ours, or went back,
        ours stands for it. It never goes back here: it goes on at half its pace until a clock that was
        ahead, or a message that was delayed, has caught up."""
        usable = believed(at, arrived, self._ahead)
        back = at < max(arrived - BEHIND, int(self._node_said[node]) - DISORDER)
        self._node_wrong[node] = usable and back
        if usable:
            self._node_said[node] = max(at, self._node_said[node])
        known = (self.time_at(node, now) + int(self._node_at[node])) // 2
        self._node_at[node] = max(at if usable and not back else arrived, known)
        self._node_now[node] = now

    def time_at(self, node: int, now: float) -> int:
        """The node's clock as far as it can be known; 0 before it was heard."""
        if not self._node_at[node]:
            return 0
        return int(self._node_at[node]) + int((now - self._node_now[node]) * _SECOND)

    # ------------------------------------------------------------------ what edges tell
    def put(self, told: Sequence[Told], node: int, arrived: int, now: float) -> None:
        present = self.time_at(node, now) or arrived
        for one in told:
            match one:
                case Value():
                    for row in self._sharing[one.row]:
                        self._part(one._replace(row=row), arrived, present)
                case Absent(rows):
                    self._nobody(rows, BAD_NODE_UNKNOWN, present)
                case Stale(rows):
                    self._nobody(rows, BAD_NO_COMMUNICATION, present)

    def _part(self, told: Value, arrived: int, present: int) -> None:
        """A template may be told in part: what is not in it is no news, unless its birth leaves it out."""
        item = self._rows[told.row].item
        if item and not told.metric.null:
            part = picked(told.metric, told.kind, item)
            if part is None:
                if told.birth or told.metric.field != "template_value":
                    self.complaints.append((told.row, f"has no part {item}; correct item:"))
                    self._absent(told.row, present)
                return
            told = told._replace(metric=part)
        self._value(told, arrived, present)

    def _value(self, told: Value, arrived: int, present: int) -> None:
        row = told.row
        wrong = not told.past and bool(self._node_wrong[self._rows[row].node])
        known = believed(told.at, arrived, self._ahead) and not wrong
        at = told.at if known else present
        value, status = self._understood(told)
        if told.at and not known and status == GOOD:
            status = UNCERTAIN_LAST_USABLE
            self.complaints.append((row, "has no time that can be meant; correct the node's clock"))
        if told.past:
            line = Line(row, at, value, GOOD_ENTRY_INSERTED if status == GOOD else status)
            if not (known and self._had(line)):
                self._past.append(line)
            return
        last = int(self._last[row])
        self._holds[row] = True
        if told.birth:
            lag = int(self._lags()[row])
            self._word[row], self._before[row] = at, max(present - at, 0)
            at = max(at, present - lag) if at <= last else at  # it holds now, since whenever
            self._line(row, max(at, last + 1), value, status, present)
            return
        if at > self._word[row]:
            self._learn(row, present - at)
        if at > last:
            self._word[row] = at
            self._line(row, at, value, status, present)
        else:
            self._overtaken(row, at, value, status, present)

    def _had(self, line: Line) -> bool:
        """A node whose line broke while it sent its history begins it anew."""
        key = line if math.isfinite(line.value) else line._replace(value=0.0)
        if key in self._history:
            return True
        self._history[key] = None
        if len(self._history) > _HISTORY:
            self._history.popitem(last=False)
        return False

    def _learn(self, row: int, way: int) -> None:
        """How long a word was on its way."""
        if row in self._ways:
            self._lags()
        self._ways[row] = max(way, 0)

    def _lags(self) -> NDArray[np.int64]:
        """By how much each row is behind, by all that was heard."""
        if self._ways:
            rows = np.fromiter(self._ways, np.intp)
            ways = np.fromiter(self._ways.values(), np.int64)
            before, patience = self._before[rows], self._patience[rows]
            self._lag[rows], self._before[rows] = learned(ways, self._lag[rows], before, patience)
            self._ways.clear()
        return self._lag

    def _overtaken(self, row: int, at: int, value: float, status: int, present: int) -> None:
        """How it is now, though with a time from before what was told: the value before it was said again
        meanwhile, or the clock was set back. It is told at its own time, where that can be meant, and as of
        now: not ahead of what the metric says next."""
        word = int(self._word[row])
        if at < word - DISORDER and status == GOOD:
            status = UNCERTAIN_LAST_USABLE
            self.complaints.append((row, "has a time from before its last one; correct the clock"))
        same = status == self._statuses[row] and (value == self._values[row] or math.isnan(value))
        if at >= word - DISORDER and not (same and at <= word) and at < self._last[row]:
            self._past.append(Line(row, at, value, status))
        self._word[row] = max(at, word)
        if not same:
            now = present - int(self._lags()[row])
            self._line(row, max(now, int(self._last[row]) + 1), value, status, present)

    def _understood(self, told: Value) -> tuple[float, int]:
        value, text, status, why = meant(told.metric, told.kind)
        config = self._rows[told.row]
        if not why and status < 0x80000000 and (text is not None or config.codes):
            raw = text if text is not None else value
            value, said, why = number(raw, config.codes)
            status = said or status
        elif math.isfinite(value):
            value = value * config.scale + config.offset
        if why:
            self.complaints.append((told.row, why))
        return (math.nan if status >= 0x80000000 else value), status

    def _nobody(self, rows: Sequence[int], status: int, present: int) -> None:
        for row in (r for lead in rows for r in self._sharing[lead]):
            self._absent(row, present, status)

    def _absent(self, row: int, present: int, status: int = BAD_NODE_UNKNOWN) -> None:
        self._holds[row] = False
        self._line(row, max(present, int(self._last[row]) + 1), math.nan, status, present)

    def _line(self, row: int, at: int, value: float, status: int, present: int) -> None:
        self._told_at[row] = present
        self._last[row], self._values[row], self._statuses[row] = at, value, status
        self._lines.append(Line(row, at, value, status))

    # ------------------------------------------------------------------ what the house is told
    def take(self, now: float, silent: Sequence[int] = ()) -> list[SampleBatch]:
        """First how it is, then what was. Values that hold are said again before anybody takes their silence
        for a dead line, but not those of the nodes in `silent`.

        What is past comes behind a value of the present for the same tag, so that no rule takes it for news.
        """
        current = self._lines
        self._lines = []
        clocks = self._node_at + ((now - self._node_now) * _SECOND).astype(np.int64)
        present = clocks[self._node]
        lags = self._lags()
        patience = np.maximum(self._patience, lags + self._patience // 2)
        is_silent = present - self._told_at >= self._patience
        due = self._holds & ((present - self._last >= patience) | is_silent)
        if len(silent):
            due &= ~np.isin(self._node, list(silent))
        newest_of: dict[int, int] = {}
        for line in self._past:
            newest_of[line.row] = max(line.at, newest_of.get(line.row, 0))
        behind = np.zeros(len(self._last), np.int64)
        for row, newest in newest_of.items():
            due[row] |= self._last[row] <= newest
            behind[row] = newest + 1
        rows = np.flatnonzero(due)
        self._told_at[rows] = clocks[self._node][rows]
        told = np.maximum(present - lags, behind)  # what changed may be on its way
        self._last[rows] = np.maximum(told[rows], self._last[rows] + 1)
        again = SampleBatch(
            self._tags[rows], self._last[rows], self._values[rows], self._statuses[rows], self._source
        )
        past, self._past = self._past, []
        out = [self._batch(current), again, self._batch(past)]
        return [batch for batch in out if len(batch)]

    def _batch(self, lines: Sequence[Line]) -> SampleBatch:
        rows: NDArray[np.intp] = np.array([line.row for line in lines], np.intp)
        return SampleBatch(
            self._tags[rows],
            np.array([line.at for line in lines], np.int64),
            np.array([line.value for line in lines], np.float64),
            np.array([line.status for line in lines], np.uint32),
            self._source,
        )
