"""What a full spool keeps of a batch: the samples which say that something happened. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch

_BAD = 0x80000000  # of a status: its value is not to be used
_NAN = 0x7FF8_0000_0000_0000  # no number looks like this: what is not good is told apart by its status
_NEVER = 0x7FFF_FFFF_FFFF_FFFF
_ORDINARY = 0
_SETS = 16  # of tags that are remembered with their owners
_LEAST, _MOST = 0, 4_102_444_800_000_000  # times that can be meant: 1970 to 2100


_Owned = tuple[str, NDArray[np.int_], frozenset[str]]  # source, its tags and their paths


@dataclass(frozen=True, slots=True)
class Worth:
    """`events`: tags of which every change tells (states, fault codes, conditions of a device). `limits`: of
    others, the values at which a rule changes its mind. `sources`: who reads a tag. `names`: their paths.

    Of every tag it tells that it could not be read any more, and that it can be again.
    """

    events: frozenset[int] = frozenset()
    limits: Mapping[int, Sequence[float]] = field(default_factory=dict)
    sources: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes of one batch, of one source."""

    source: str
    first: int  # microseconds since 1970, at the source
    last: int
    samples: int
    tags: frozenset[str]

    def __add__(self, other: Loss) -> Loss:
        return Loss(
            self.source, min(self.first, other.first), max(self.last, other.last),
            self.samples + other.samples, self.tags if self.tags is other.tags else self.tags | other.tags,
        )  # fmt: skip


class Thinner:
    """Takes batches in their order. A sample stays when it tells something else than the one before it."""

    def __init__(self, worth: Worth) -> None:
        self._worth = worth
        self._size = 1 + max((*worth.events, *worth.limits, 0))
        self._event = np.zeros(self._size, np.bool_)
        self._event[list(worth.events)] = True
        width = max((len(at) for at in worth.limits.values()), default=0)
        self._limits = np.full((self._size, width), np.inf)
        for tag, at in worth.limits.items():
            self._limits[tag, : len(at)] = at
        self._last: dict[int, int] = {}
        self._owned: dict[tuple[bytes, str], list[_Owned]] = {}

    def stays(self, batch: SampleBatch) -> NDArray[np.bool_]:
        """Which rows."""
        if not len(batch):
            return np.zeros(0, np.bool_)
        order = np.argsort(batch.tags, kind="stable")
        tags, said = batch.tags[order], self._meaning(batch)[order]
        first = np.append(True, tags[1:] != tags[:-1])
        before = np.roll(said, 1)
        before[first] = self._before(tags[first].tolist())
        last = np.append(first[1:], True)
        self._last.update(zip(tags[last].tolist(), said[last].tolist(), strict=True))
        stays = np.empty(len(batch), np.bool_)
        stays[order] = said != before
        return stays

    def _before(self, tags: list[int]) -> list[int]:
        known = list(map(self._last.get, tags))
        if None not in known:
            return known  # type: ignore[return-value]
        told = self._worth.events | self._worth.limits.keys()
        usual = (_NEVER if tag in told else _ORDINARY for tag in tags)
        return [u if k is None else k for k, u in zip(known, usual, strict=True)]

    def _meaning(self, batch: SampleBatch) -> NDArray[np.int64]:
        known = np.where((batch.tags >= 0) & (batch.tags < self._size), batch.tags, 0)
        limits, values = self._limits[known], batch.values[:, None]
        means = ((values > limits).sum(1) + (values >= limits).sum(1)).astype(np.float64)
        event = self._event[known]
        means[event] = batch.values[event] + 0.0
        out: NDArray[np.int64] = means.view(np.int64)
        bad = (batch.statuses >= _BAD) | np.isnan(batch.values)
        out[bad] = batch.statuses[bad].astype(np.int64) | _NAN
        return out

    def losses(self, batch: SampleBatch) -> list[Loss]:
        """All rows of this batch are lost: by source."""
        tags, out = np.unique(batch.tags), []
        for source, mine, paths in self._owners(tags, batch.source):
            whole = len(mine) == len(tags)
            times = batch.source_times if whole else batch.source_times[np.isin(batch.tags, mine)]
            meant = times[(times >= _LEAST) & (times < _MOST)]
            if len(meant):
                out.append(Loss(source, int(meant.min()), int(meant.max()), len(times), paths))
        return out

    def _owners(self, tags: NDArray[np.int32], reader: str) -> list[_Owned]:
        """Most batches are of the same tags as one before."""
        key = (tags.tobytes(), reader)
        if key not in self._owned:
            if len(self._owned) >= _SETS:
                self._owned.clear()
            self._owned[key] = self._by_owner(tags.tolist(), reader)
        return self._owned[key]

    def _by_owner(self, tags: list[int], reader: str) -> list[_Owned]:
        owned: dict[str, list[int]] = {}
        for tag in tags:
            owned.setdefault(self._worth.sources.get(tag, reader), []).append(tag)
        return [
            (source, np.array(mine), frozenset(self._worth.names.get(tag, f"#{tag}") for tag in mine))
            for source, mine in sorted(owned.items())
        ]
