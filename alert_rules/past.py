"""Which tags a replay is busy with: what their samples tell was so, and need not be so now. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch

PATIENCE = 10_000_000  # microseconds without another batch of a replay: it has stopped half-way


class Past:
    """`of[tag]`: the replay whose sample was the tag's last one, 0 when that one was of the present."""

    def __init__(self, size: int) -> None:
        self.of = np.zeros(size + 1, np.int32)
        self._replays: dict[str, int] = {}
        self._told_at: dict[int, int] = {}  # hub time of a replay's last batch

    def take(self, batch: SampleBatch, origin: str, now: int) -> None:
        """Rows that were newer than what was known of their tags."""
        if not batch.historical:
            if self._replays:
                self.of[batch.tags] = 0
            return
        replay = self._replays.setdefault(origin, max(self._told_at, default=0) + 1)
        self.of[batch.tags] = replay
        self._told_at[replay] = now

    def over(self, origin: str) -> NDArray[np.intp]:
        """This origin tells of the present again: the tags whose last word was of the past until now."""
        replay = self._replays.pop(origin, 0)
        tags = np.flatnonzero(self.of == replay) if replay else np.empty(0, np.intp)
        self._told_at.pop(replay, None)
        self.of[tags] = 0
        return tags

    def moving(self, tag: int, now: int) -> bool:
        """The tag's replay goes on: that nothing newer was heard is no news."""
        replay = int(self.of[tag])
        return replay != 0 and now - self._told_at.get(replay, now) < PATIENCE

    def moved(self, now: int) -> NDArray[np.bool_] | None:
        """The tags of which a replay goes on; None when there is none."""
        going = [replay for replay, at in self._told_at.items() if now - at < PATIENCE]
        return np.isin(self.of, going) if going else None
