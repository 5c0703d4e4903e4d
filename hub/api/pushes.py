"""Pushes that nobody has signed: the sender learns that and no more; why is for those who keep the hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from starlette.requests import Request

from hub.api.texts import TEXTS
from hub.errors import NotAllowed

_log = structlog.get_logger("hub.api")


class RefusedPushes:
    """Since the start, by who should have sent them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._last: dict[str, str] = {}

    def add(self, source: str, why: str) -> None:
        self._counts[source] += 1
        self._last[source] = why

    def told(self) -> dict[str, Any]:
        return {"refused_pushes": {"count": dict(self._counts), "last": self._last}} if self._counts else {}


@contextmanager
def anonymous(request: Request, source: str) -> Iterator[None]:
    """Whoever is not known yet is told neither which key of the configuration is empty nor what fits."""
    try:
        yield
    except NotAllowed as cause:
        _log.warning("push.refused", source=source, code=cause.code, reason=str(cause))
        request.app.state.refused_pushes.add(source, str(cause))
        raise NotAllowed("not-signed", TEXTS["not-signed"].en) from None
