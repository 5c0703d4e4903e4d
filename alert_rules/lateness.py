"""Batches that waited on the bus until they were history, though it got them as the present. Pure."""

from __future__ import annotations

from dataclasses import replace

from hub.model.batch import SampleBatch

PATIENCE = 30.0  # seconds in which whoever catches up has become ...
PROGRESS = 5.0  # ... so many seconds less late; else it is as near to the present as it gets


class Lateness:
    """Of which senders the last word was history by its waiting alone. The bus keeps one order: with the
    first batch that did not wait, or when nothing waits, the present is reached for all of them."""

    def __init__(self) -> None:
        self._late: dict[str, None] = {}
        self._since: tuple[float, float] | None = None  # (elapsed, age) by which progress is told

    def judge(
        self, batch: SampleBatch, origin: str, age: float, elapsed: float, *, late: bool
    ) -> SampleBatch:
        """As it has to be taken. One that its sender calls history stays that until the sender ends it."""
        if batch.historical:
            self._late.pop(origin, None)
        elif late:
            self._late[origin] = None
            self._since = self._since or (elapsed, age)
            return replace(batch, historical=True)
        return batch

    def waits(self, origin: str) -> None:
        """What was told under this name was history."""
        self._late[origin] = None

    def has_stuck(self, age: float, elapsed: float) -> bool:
        """The batch of this age was late, and it gets no better: alarms must not wait for it."""
        if self._since is None or elapsed - self._since[0] < PATIENCE:
            return False
        before, self._since = self._since[1], (elapsed, age)
        return age > before - PROGRESS

    def over(self) -> list[str]:
        """The present is reached: the senders for whom that is news."""
        out, self._late, self._since = list(self._late), {}, None
        return out
