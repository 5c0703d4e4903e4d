"""Who sent a batch and which of theirs it is: what makes a repeat and a loss visible to whoever takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Stamp(NamedTuple):
    """`origin` is one life of one sender; it counts its batches 1, 2, 3 ... and leaves no number out.

    `follows`: the number that this sender gave the bus just before, so that a bus that lost it meanwhile
    refuses to go on (the sender then begins again where the record ends); 0 when it begins, or begins again.
    None: a sender that can give nothing twice.
    """

    origin: str
    number: int
    follows: int | None = None


class Tally:
    """The last number taken of each origin. `taken`: as it stood on record.

    `from_the_first`: who keeps this tally has had everything from an origin's first batch on. Otherwise an
    origin may be met half-way, and nothing is missing before that.
    """

    def __init__(self, taken: Mapping[str, int] | None = None, *, from_the_first: bool = True) -> None:
        self._taken = dict(taken or {})
        self._from_the_first = from_the_first

    def take(self, stamp: Stamp) -> int | None:
        """How many batches of this origin are missing just before this one; None: it was taken before."""
        unknown = 0 if self._from_the_first else stamp.number - 1
        last = self._taken.get(stamp.origin, unknown)
        if stamp.number <= last:
            return None
        self._taken[stamp.origin] = stamp.number
        return stamp.number - last - 1
