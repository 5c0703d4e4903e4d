"""Every call to the ERP counted and timed, whoever makes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from hub import metrics
from hub.errors import ErpUnavailable, Permanent, Transient
from hub.ports import Clock, ErpConnector


def metered(connector: ErpConnector, kind: str, clock: Clock) -> ErpConnector:
    """The same connector; what it is asked goes into andon_erp_calls and andon_erp_call_seconds."""
    return cast(ErpConnector, _Metered(connector, kind, clock))


class _Metered:
    """Stands before a connector and keeps nothing of it. A call that was cancelled, or broke by an error of
    our own, has no outcome and is not counted.
    """

    def __init__(self, connector: ErpConnector, kind: str, clock: Clock) -> None:
        self._connector, self._kind, self._clock = connector, kind, clock

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._connector, name)
        return self._counted(name, asked) if iscoroutinefunction(asked) else asked

    def _counted(self, call: str, asked: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def ask(*args: Any, **named: Any) -> Any:
            began, outcome = self._clock.monotonic(), ""
            try:
                answer = await asked(*args, **named)
                outcome = "ok"
            except Transient as trouble:
                doubtful = isinstance(trouble, ErpUnavailable) and trouble.in_doubt
                outcome = "in_doubt" if doubtful else "unavailable"
                raise
            except Permanent:
                outcome = "refused"
                raise
            finally:
                if outcome:
                    metrics.erp_call(self._kind, call, outcome, self._clock.monotonic() - began)
            return answer

        return ask
