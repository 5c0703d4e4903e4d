"""Who sent a batch and which of theirs it is: what makes a repeat and a loss visible to whoever takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Stamp(NamedTuple):
    """`origin` is one life of one sender; it counts its batches 1, 2, 3 ... and leaves no number out.

    `follows`: the number that this sender gave the bus just before, so that a bus that lost it meanwhile
    refuses to go on (the sender then begins again where the record ends); 0 when it begins, or begins again.
    None: a sender that can give nothing twice. `age`: seconds since it was taken, when it is given, by a
    clock that nobody sets. `record`: the database by which its tags are numbered; "" where nobody said.
    """

    origin: str
    number: int
    follows: int | None = None
    age: float = 0.0
    record: str = ""


def family(origin: str) -> str:
    """One sender under all names that it has had: `a` and `a+7.x` are one."""
    return origin.partition("+")[0]


def begins_after(origin: str) -> int:
    """The number before its first: an origin that takes over from another one says so in its name."""
    after = origin.partition("+")[2].partition(".")[0]
    return int(after) if after.isdecimal() else 0


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
        unknown = begins_after(stamp.origin) if self._from_the_first else stamp.number - 1
        last = self._taken.get(stamp.origin, unknown)
        if stamp.number <= last:
            return None
        self._taken[stamp.origin] = stamp.number
        return stamp.number - last - 1
