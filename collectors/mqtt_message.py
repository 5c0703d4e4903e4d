"""What goes over a line to a broker. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    topic: str
    payload: bytes
    qos: int
    retained: bool
    again: bool  # the broker has sent it before, and does not know whether it arrived
    number: int  # of the packet, for `done`
    filters: tuple[int, ...] = ()  # numbers of those it came for, where they have any
    left_out: int = 0  # bytes it had, where they were more than we take: its payload was thrown away


class Will(NamedTuple):
    """What the broker says of us when we are gone without a word."""

    topic: str
    payload: bytes
    retained: bool = False
