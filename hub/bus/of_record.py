"""A bus as the processes hear it whose tags are numbered by one database."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from hub.ports import Bus, Delivery

log = logging.getLogger(__name__)


class OfRecord:
    """What was numbered for another database is refused: its numbers mean other tags here. Whoever sent it
    gives it again, numbered anew, as soon as it meets this one."""

    def __init__(self, bus: Bus, record: str) -> None:
        self._bus, self._record = bus, record
        self._told: set[str] = set()
        self.refused = 0
        self.publish, self.shout, self.listen = bus.publish, bus.shout, bus.listen
        self.ahead, self.behind = bus.ahead, bus.behind
        self.healthy, self.close = bus.healthy, bus.close

    async def consume(self, topic: str, group: str) -> AsyncIterator[Delivery]:
        passed_over = False  # who is refused cannot tell it
        async with aclosing(self._bus.consume(topic, group)) as deliveries:  # type: ignore[type-var]
            async for delivery in deliveries:
                passed_over |= delivery.passed_over
                if delivery.stamp is not None and delivery.stamp.record not in ("", self._record):
                    self._refuse(delivery.stamp.origin)
                    await delivery.ack()
                else:
                    yield replace(delivery, passed_over=passed_over)
                    passed_over = False

    def _refuse(self, origin: str) -> None:
        self.refused += 1
        if origin not in self._told:
            self._told.add(origin)
            log.warning("batches of %s are numbered for another database: they are given again", origin)
