"""What every kind of collector's samples go through on their way to the bus: derived tags, deadbands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from hub.kpi.derived import Derivation, derivations
from hub.kpi.formula import worked_out
from hub.model.batch import SampleBatch
from hub.model.recent import Recent
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.ports import Sink

_SEVERITY = 0xC0000000  # the top two bits of a status (OPC UA part 4, 7.39)
_FIRST = itemgetter(0)
_NEVER = np.iinfo(np.int64).min // 2
_DISORDER = 2e6, 5e6  # microseconds: what lies further back than that is no disorder, a clock was set back


def normalised(sink: Sink[SampleBatch], tags: Mapping[str, Tag]) -> Sink[SampleBatch]:
    """The same sink where no tag is derived and none has a deadband."""
    if not any(t.deadband or t.formula for t in tags.values()):
        return sink
    return _Normalised(sink, Normaliser(tags))


class _Normalised:
    def __init__(self, sink: Sink[SampleBatch], normaliser: Normaliser) -> None:
        self._sink, self._normaliser = sink, normaliser

    async def put(self, item: SampleBatch) -> None:
        told = self._normaliser.told(item)
        if len(told):
            await self._sink.put(told)

    async def recall(self, source: str) -> Recent:
        return await recalled(self._sink, source)


async def recalled(sink: Sink[SampleBatch], source: str) -> Recent:
    """What the house was told to remember of this source (`SampleBatch.recent`), where it does."""
    ask = getattr(sink, "recall", None)
    return await ask(source) if ask is not None else Recent()


@dataclass(slots=True)
class _Known:
    """The newest of a tag that a formula needs."""

    time: int
    value: float
    status: int


class Normaliser:
    """For one process: derived tags see the sources that it reads. Pure.

    A derived tag is told for every time at which a batch holds one of its inputs, once all of them were
    heard, at the time of the newest one. A bad input makes it bad with the same status; a formula
    without a result is BadOutOfRange.

    A tag with a deadband is told when it has moved by more than that since it was last told, when its status
    changes, and often enough not to be taken for stale. What is told late (historical) passes as it is.

    A time that lies well behind the newest one (a tenth of stale_after, 2 to 5 s) begins anew: one sample
    of a clock that was ahead must not silence the tag until that time is reached.
    """

    def __init__(self, tags: Mapping[str, Tag]) -> None:
        size = 1 + max((t.number for t in tags.values()), default=0)
        self._band, self._quiet = np.zeros(size), np.zeros(size, np.int64)
        self._disorder = np.zeros(size, np.int64)
        self._value, self._at = np.full(size, np.nan), np.full(size, _NEVER)
        self._seen = np.full(size, _NEVER)  # the newest reading, told or not
        self._status = np.zeros(size, np.uint32)
        self._needed = np.zeros(size, np.bool_)
        for tag in tags.values():
            self._band[tag.number] = tag.deadband
            self._quiet[tag.number] = tag.stale_after.total_seconds() * 1e6 * 4 / 5
            self._disorder[tag.number] = np.clip(tag.stale_after.total_seconds() * 1e5, *_DISORDER)
        self._banded = bool(self._band.any())
        self._derived = [
            (d, tuple(tags[i].number for i in d.inputs)) for d in derivations(tags, []) if d.inputs
        ]
        for _, inputs in self._derived:
            self._needed[list(inputs)] = True
        self._dependents = _dependents(self._derived)
        self._known: dict[int, _Known] = {}

    def told(self, batch: SampleBatch) -> SampleBatch:
        """What of a batch goes on, and what follows from it."""
        if batch.historical:
            return batch
        return self._thinned(self._with_derived(batch))

    # ---------------------------------------------------------------- derived tags
    def _with_derived(self, batch: SampleBatch) -> SampleBatch:
        rows = np.flatnonzero(self._needed[batch.tags])
        if not len(rows):
            return batch
        times = batch.source_times[rows]
        order = np.argsort(times, kind="stable")
        found: dict[tuple[int, int], _Known] = {}  # one value of a tag and time: the last is the whole truth
        for _, same in groupby(zip(times[order].tolist(), rows[order].tolist(), strict=True), key=_FIRST):
            touched = self._learn(batch, [row for _, row in same])
            for which in sorted(set().union(*(self._dependents.get(tag, ()) for tag in touched))):
                if (result := self._follow(*self._derived[which])) is not None:
                    found[self._derived[which][0].tag.number, result.time] = result
        return _with(batch, found)

    def _learn(self, batch: SampleBatch, rows: list[int]) -> set[int]:
        """Tags of these rows, of one time, that are newer than what is known."""
        touched: set[int] = set()
        for row in rows:
            tag, at = int(batch.tags[row]), int(batch.source_times[row])
            known = self._known.get(tag)
            if known is not None and known.time - at > self._disorder[tag]:
                self._set_back(tag, at)
                known = None
            if known is None or known.time <= at:
                self._known[tag] = _Known(at, float(batch.values[row]), int(batch.statuses[row]))
                touched.add(tag)
        return touched

    def _set_back(self, tag: int, at: int) -> None:
        """This input's clock was: what is known beside it may not hold its derived tags in the future."""
        for _, inputs in self._derived:
            if tag in inputs:
                for known in filter(None, map(self._known.get, inputs)):
                    known.time = min(known.time, at)

    def _follow(self, derivation: Derivation, inputs: tuple[int, ...]) -> _Known | None:
        heard = [self._known.get(i) for i in inputs]
        known = [k for k in heard if k is not None]
        if len(known) < len(heard):
            return None
        status = max((k.status for k in known), key=lambda s: s & _SEVERITY)
        value = worked_out(derivation.formula, [k.value for k in known])
        if status & _SEVERITY >= 0x80000000:
            value = math.nan
        elif math.isnan(value):
            status = BAD_OUT_OF_RANGE
        result = self._known[derivation.tag.number] = _Known(max(k.time for k in known), value, status)
        return result

    # ---------------------------------------------------------------- report by exception
    def _thinned(self, batch: SampleBatch) -> SampleBatch:
        if not self._banded:
            return batch
        rows = np.flatnonzero(self._band[batch.tags] > 0)
        if not len(rows):
            return batch
        keep = np.ones(len(batch), np.bool_)
        if len(np.unique(batch.tags[rows])) == len(rows):
            keep[rows] = self._news(batch, rows)
        else:  # several readings of one tag: each is measured by the one that was told before it
            for row in rows:
                keep[row] = self._news(batch, np.array([row]))[0]
        return batch if keep.all() else batch.take(keep)

    def _news(self, batch: SampleBatch, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        tags, at = batch.tags[rows], batch.source_times[rows]
        values, statuses = batch.values[rows], batch.statuses[rows]
        nothing = np.isnan(values) & np.isnan(self._value[tags])
        still = nothing | (np.abs(values - self._value[tags]) <= self._band[tags])
        since = at - self._at[tags]
        pace = np.clip(
            at - self._seen[tags], 0, self._quiet[tags] * 5 // 12
        )  # a third of stale_after at most
        self._seen[tags] = at
        due = (since >= self._quiet[tags] - pace) | (since < -self._disorder[tags])
        told: NDArray[np.bool_] = ~still | (statuses != self._status[tags]) | due
        now = tags[told]
        self._value[now], self._at[now] = values[told], at[told]
        self._status[now] = statuses[told]
        return told


def _dependents(derived: Sequence[tuple[Derivation, tuple[int, ...]]]) -> dict[int, set[int]]:
    """Tag -> which of `derived` follow from it, through others too; inputs stand before what needs them."""
    found: dict[int, set[int]] = {}
    for which in reversed(range(len(derived))):
        derivation, inputs = derived[which]
        for tag in inputs:
            found.setdefault(tag, set()).update({which} | found.get(derivation.tag.number, set()))
    return found


def _with(batch: SampleBatch, found: Mapping[tuple[int, int], _Known]) -> SampleBatch:
    if not found:
        return batch
    return SampleBatch(
        np.concatenate([batch.tags, np.array([n for n, _ in found], np.int32)]),
        np.concatenate([batch.source_times, np.array([at for _, at in found], np.int64)]),
        np.concatenate([batch.values, np.array([k.value for k in found.values()])]),
        np.concatenate([batch.statuses, np.array([k.status for k in found.values()], np.uint32)]),
        batch.source,
        recent=batch.recent,
    )
