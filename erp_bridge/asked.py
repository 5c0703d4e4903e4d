"""What the one who asks a connector for a document by its key knows of it besides: for an ERP that keeps a
part of what it was told alone, and has to tell "not there" from "not to be seen any more".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """`first`: nobody has tried to send it before. `sent`: our record has the ERP's answer to it."""

    order: str = ""
    at: datetime | None = None  # as the document itself says it, whenever it is sent
    first: bool = False
    sent: bool = False


_ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)


def known() -> Asked:
    return _ASKED.get() or Asked()


@contextmanager
def about(asked: Asked) -> Iterator[None]:
    token = _ASKED.set(asked)
    try:
        yield
    finally:
        _ASKED.reset(token)
