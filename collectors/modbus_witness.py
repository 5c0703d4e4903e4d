"""Who else to ask where a unit kept silent for a block: is it the unit that is away, or some of it? Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from collectors.blocks import Block, Point, block

_PARTS = 3  # of a block that is all there is to ask for


def witnesses(silent: Block, others: Sequence[Block], *, new: bool) -> list[Block]:
    """Single points of the unit, one after another to be asked for until one is answered.

    Points, because one address that is never answered silences a whole block; another one each time, so that
    no unit is taken for dead for good. Each costs a timeout where the unit is dead: one will do for a unit
    that was read through (its blocks are known to be answered), two or three for one that is `new`. They are
    of its other blocks, another table's first; of one that has hardly any, spread over the silent block.
    """
    shuffled = random.sample(others, len(others))
    shuffled.sort(key=lambda other: other.table == silent.table)
    if not new:
        return [_one_of(other.points) for other in shuffled[:1]]
    own = spread(silent)
    random.shuffle(own)
    return [*(_one_of(other.points) for other in shuffled), *own][: 2 if others else _PARTS]


def spread(whole: Block) -> list[Block]:
    """A point out of each third of a block, by address. None of a single point: it was asked for."""
    ordered = sorted(whole.points, key=lambda p: (p.address, p.end))
    bounds = [len(ordered) * part // _PARTS for part in range(_PARTS + 1)]
    thirds = [ordered[a:b] for a, b in pairwise(bounds) if b > a]
    return [_one_of(third) for third in thirds] if len(ordered) > 1 else []


def _one_of(points: Sequence[Point]) -> Block:
    return block([random.choice(points)])
