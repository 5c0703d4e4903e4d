"""How long the present piece of work is willing to wait for the record, all its questions together.

A runner waits as long as it takes: there is nothing better to do. A person at a screen is told within seconds
that the database does not answer. Only waiting counts, not the reading of a slow photo in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Patience:
    """Seconds that are left; they run only within `spent`."""

    seconds: float
    _since: float | None = None

    def left(self) -> float:
        gone = 0.0 if self._since is None else asyncio.get_running_loop().time() - self._since
        return max(0.0, self.seconds - gone)

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Waiting, from here to the end of the block."""
        outermost, self._since = self._since, self._since or asyncio.get_running_loop().time()
        try:
            yield
        finally:
            if outermost is None:
                self.seconds, self._since = self.left(), None


_PRESENT: ContextVar[Patience | None] = ContextVar("patience", default=None)


def present() -> Patience | None:
    """None: as long as it takes."""
    return _PRESENT.get()


@contextmanager
def patient_for(seconds: float | None) -> Iterator[None]:
    """Everything the block waits for from the record may take this long together; None: no limit."""
    token = _PRESENT.set(None if seconds is None else Patience(seconds))
    try:
        yield
    finally:
        _PRESENT.reset(token)
