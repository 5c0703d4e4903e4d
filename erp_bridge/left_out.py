"""Records of the ERP that no map can read: passed over so that they do not hide the others, and counted, so
that nobody takes what was not understood for what is not there.

A connector's depths say `left_out.note(...)`; whoever asks the connector collects:

    with left_out.gathered() as lost:
        orders = await connector.orders(None)
    if lost: ...  # this reading proves nothing gone
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """`document`: the map's name as documents.<name> has it; `record`: how a clerk finds it in the ERP;
    `reason`: what stood in the way, with the field's name, free of secrets."""

    document: str
    record: str
    reason: str

    def __str__(self) -> str:
        return f"{self.document} {self.record}: {self.reason}"


_LOST: ContextVar[list[LeftOut] | None] = ContextVar("left_out", default=None)


def note(document: str, record: object, reason: object) -> None:
    """This record is passed over. Outside of `gathered` it is a line of the log alone."""
    lost = LeftOut(document, str(record), str(reason))
    log.warning("left out: %s", lost)
    if (gathering := _LOST.get()) is not None and lost not in gathering:
        gathering.append(lost)


@contextmanager
def gathered() -> Iterator[list[LeftOut]]:
    """What is passed over within, also in tasks that are begun within. One inside another keeps its own and
    hands it on."""
    outer, mine = _LOST.get(), list[LeftOut]()
    token = _LOST.set(mine)
    try:
        yield mine
    finally:
        _LOST.reset(token)
        if outer is not None:
            outer += [lost for lost in mine if lost not in outer]
