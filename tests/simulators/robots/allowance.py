"""The vendors' twenty a minute, as each of them keeps it."""

from __future__ import annotations

from collections import deque
from typing import Literal


class Allowance:
    """Counts accepted messages. `sliding` looks back 60 s from now, `fixed` starts anew every full 60 s.

    `block`: seconds for which everything is refused after one message too many; 0 only refuses that one.
    """

    def __init__(self, limit: int = 20, seconds: float = 60.0, block: float = 0.0) -> None:
        self.limit, self.seconds, self.block = limit, seconds, block
        self.window: Literal["sliding", "fixed"] = "sliding"
        self._taken: deque[float] = deque()
        self._blocked_until = float("-inf")
        self.most = 0  # the fullest minute so far

    def take(self, now: float) -> bool:
        """Whether one more message may be shown at `now`."""
        self._forget(now)
        if now < self._blocked_until:
            return False
        if len(self._taken) >= self.limit:
            if self.block:
                self._blocked_until = now + self.block
            return False
        self._taken.append(now)
        self.most = max(self.most, len(self._taken))
        return True

    def free(self, now: float) -> int:
        self._forget(now)
        return 0 if now < self._blocked_until else self.limit - len(self._taken)

    def blocked(self, now: float) -> float:
        return max(0.0, self._blocked_until - now)

    def reset(self) -> None:
        self._taken.clear()
        self._blocked_until = float("-inf")

    def _forget(self, now: float) -> None:
        start = now - self.seconds if self.window == "sliding" else now // self.seconds * self.seconds
        while self._taken and (
            self._taken[0] <= start if self.window == "sliding" else self._taken[0] < start
        ):
            self._taken.popleft()
