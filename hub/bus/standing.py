"""Who takes nothing any more of what waits for them, though it is on record meanwhile.

The first group of a topic puts its entries on record. The others can read there what they missed, so that one
of them that fails or hangs for good may not keep the rest from the record: it is waited for while it gets on,
however slowly, and is left behind when it stands still.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable

from hub import metrics

log = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds without one acknowledgement, while everybody waits for it


class Standing:
    """Of the groups of one bus, as publishers that wait see them."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._seen: dict[tuple[str, str], tuple[Hashable, float]] = {}
        self._told: set[tuple[str, str]] = set()

    def still(self, topic: str, group: str, reached: Hashable, elapsed: float) -> bool:
        """Whether it was here at every look for so long. Asked only while others wait for it."""
        key = topic, group
        if key not in self._seen or self._seen[key][0] != reached:
            self._seen[key] = reached, elapsed
            self._told.discard(key)
        return elapsed - self._seen[key][1] >= self._patience

    def tell(self, topic: str, group: str, entries: int) -> None:
        """So many went that the group was not given; in the log once for each time that it stands still."""
        if not entries:
            return
        metrics.let_go(group, entries)
        if (topic, group) not in self._told:
            self._told.add((topic, group))
            log.error(
                "the bus (%s) is full and %s takes nothing: what is on record is not kept for it any more "
                "(%d entries now); it will read that there", topic, group, entries,
            )  # fmt: skip
