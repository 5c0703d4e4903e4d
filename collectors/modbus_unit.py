"""A unit: one device behind an address, and whether it is here, in question or away. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from collectors.blocks import Block, singles
from collectors.modbus_faults import BAD_DEVICE_FAILURE, BAD_TIMEOUT
from collectors.modbus_lane import Lane
from collectors.modbus_witness import witnesses

_FIRST_REST, _LONGEST_REST = 2.0, 60.0  # seconds until a unit that is away is asked again


class Unit:
    """Here, until it keeps silent; in question, until it was asked a second time; then here again or away.

    A device that is alone at its address is one unit as well.
    """

    def __init__(self, number: int, tags: Sequence[int], lanes: Sequence[Lane]) -> None:
        self.number, self.tags, self._lanes = number, tags, lanes
        self.here = True
        self.doubt: tuple[Lane, Block] | None = None  # what it kept silent for, while it is in question
        self.next_try = math.inf  # while it is away
        self.read_through: set[Lane] = set()  # lanes in which all that it has is known
        self._pause, self._by_one = _FIRST_REST, True

    @property
    def away(self) -> bool:
        return not self.here and self.doubt is None

    @property
    def blocks(self) -> list[Block]:
        """What it is read for: all that is wanted of it, but for what it refused."""
        return [b for lane in self._lanes for b in lane.blocks if b.unit == self.number]

    @property
    def is_unreadable(self) -> bool:
        """It can read nothing of all that is wanted of it, now; another address would not help."""
        refused = {status for lane in self._lanes for b, status in lane.refused if b.unit == self.number}
        return not self.blocks and not refused.isdisjoint({BAD_DEVICE_FAILURE, BAD_TIMEOUT})

    def kept_silent(self, lane: Lane, block: Block) -> None:
        """Once: whether it is away is not known yet."""
        self.here, self.doubt = False, (lane, block)

    def witnesses(self, lane: Lane, silent: Block) -> list[Block]:
        """Who else to ask whether it is there."""
        others = [b for b in self.blocks if b is not silent]
        return witnesses(silent, others, new=lane not in self.read_through)

    def lost(self, now: float) -> None:
        """Away. What it has when it comes back is not known."""
        self.here, self.doubt = False, None
        self.read_through.clear()
        self._pause, self._by_one = _FIRST_REST, True
        self.next_try = now + _FIRST_REST

    def next_question(self) -> Block:
        """Whether it is back: for one point and for a whole block in turn, because one address that it never
        answers would keep it away for good."""
        planned = [b for lane in self._lanes for b in lane.planned if b.unit == self.number]
        block = random.choice(self.blocks or planned)
        if self._by_one:
            block = random.choice(singles(block))
        self._by_one = not self._by_one
        return block

    def still_away(self, now: float) -> None:
        self._pause = min(self._pause * 2, _LONGEST_REST)
        self.next_try = now + self._pause * random.uniform(0.8, 1.2)

    def answered(self) -> None:
        """Here again."""
        self.here, self.doubt, self.next_try = True, None, math.inf

    def forget(self) -> None:
        """What was learnt of it: all that is wanted is asked for again."""
        for lane in self._lanes:
            lane.forget(self.number)
