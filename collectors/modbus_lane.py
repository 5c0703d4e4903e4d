"""A lane: the blocks of a device that are read at one interval, and which of their values are news. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from itertools import chain

from collectors.blocks import Block, Point, plan, rejoin
from collectors.deadband import news
from collectors.modbus_config import ModbusConfig
from hub.model.batch import SampleBatch

_HEARTBEAT = 1.0  # seconds at most until a fast point that stands still is told again


class Lane:
    """Blocks read at one interval, always at whole multiples of it; told whole every `whole` seconds."""

    def __init__(self, interval: float, whole: float, planned: tuple[Block, ...]) -> None:
        self.interval, self._whole = interval, whole
        self.due = self._whole_due = -math.inf
        self._said: SampleBatch | None = None
        self.planned = planned
        self.reset()

    def reset(self) -> None:
        """As configured again: whatever was refused is asked for anew."""
        self.blocks: tuple[Block, ...] = self.planned
        self.refused: tuple[tuple[Block, int], ...] = ()  # one point each, and its status

    def news(self, batch: SampleBatch, now: float) -> SampleBatch:
        """What of this round is worth telling."""
        said, self._said = self._said, batch
        if said is not None and now < self._whole_due - 1e-6:
            return news(said, batch)
        self._whole_due = (math.floor(now / self._whole + 1e-6) + 1) * self._whole
        return batch

    def done(self, now: float) -> None:
        """Next at the grid point after `now`; rounds that were missed meanwhile stay missed."""
        self.due = (math.floor(now / self.interval + 1e-6) + 1) * self.interval

    def remember(self, whole: Block, good: Sequence[Block], bad: Sequence[tuple[Block, int]]) -> None:
        """What came out of hunting through a block that was refused.

        Where every point answered it was too long, or had a hole in it: then nothing is put together again.
        """
        rest = (b for b in self.blocks if b is not whole)
        self.blocks = tuple(chain(rest, rejoin(good) if bad else good))
        self.refused += tuple(bad)

    def put_last(self, refused: tuple[Block, int]) -> None:
        """It was asked for just now; the others first."""
        self.refused = (*(r for r in self.refused if r is not refused), refused)

    def take_back(self, refused: tuple[Block, int]) -> None:
        """It answers now, and is read with its neighbours again."""
        self.refused = tuple(r for r in self.refused if r is not refused)
        one = refused[0]
        wholes = (p for p in self.planned if (p.unit, p.table) == (one.unit, one.table))
        whole = next(p for p in wholes if p.start <= one.start < p.end)
        near = [
            b for b in self.blocks
            if (b.unit, b.table) == (one.unit, one.table) and whole.start <= b.start < whole.end
        ]  # fmt: skip
        self.blocks = (*(b for b in self.blocks if b not in near), *rejoin([*near, one]))

    def forget(self, unit: int) -> None:
        """What was learnt of this unit."""
        self.blocks = (
            *(b for b in self.blocks if b.unit != unit),
            *(b for b in self.planned if b.unit == unit),
        )
        self.refused = tuple(r for r in self.refused if r[0].unit != unit)


def lanes_of(config: ModbusConfig, points: Sequence[Point], patience: float) -> list[Lane]:
    """One for each interval that has points, the shortest first. `patience`: seconds until a tag is stale."""
    every = config.every.total_seconds()
    quick = (config.fast or min(config.every, timedelta(milliseconds=100))).total_seconds()
    told = min(_HEARTBEAT, patience / 2)
    intervals = {"fast": (quick, max(quick, min(every, told))), "": (every, every)}
    intervals |= {n: (s, max(s, told)) for n, d in config.groups.items() if (s := d.total_seconds())}
    found = []
    for group, (interval, whole) in sorted(intervals.items(), key=lambda item: item[1][0]):
        some = [p for p, c in zip(points, config.points, strict=True) if c.group == group]
        if some:
            blocks = plan(some, config.hole, config.max_registers, config.max_bits)
            found.append(Lane(interval, whole, blocks))
    return found
