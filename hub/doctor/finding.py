"""What the doctor says of one thing."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

APART = timedelta(seconds=2)  # clocks of servers that differ by more tell wrong ages


class Finding(NamedTuple):
    good: bool
    what: str  # was looked at, and found
    remedy: str = ""


def clocks(whose: str, apart: timedelta) -> Finding:
    """How far a server's clock is from ours."""
    what = f"{whose}: its clock differs from ours by {apart.total_seconds():+.1f} s"
    return Finding(abs(apart) <= APART, what, "let NTP set both clocks")
