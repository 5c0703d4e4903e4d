"""Repair progress and the machine's reset, told to the MES.

What is told is how each ticket stands now, not that it has changed: an MES that was away is told once more
as soon as it is back, and telling the same twice changes nothing there. So there is nothing to queue, and the
record of the tickets is all that has to be kept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx

from hub.errors import SourceRefused, SourceUnavailable
from hub.model.ticket import MaintenanceTicket
from hub.ports import Clock, Ledger

_log = logging.getLogger(__name__)

Told = Mapping[str, Any]
EVERY = timedelta(seconds=2)
ASK_AGAIN = timedelta(minutes=10)  # an MES that learns to take them is found without a restart
RECENT = 200  # tickets, open or not: what was closed while the MES was away is told when it is back
AT_ONCE = 100


class Listener(Protocol):
    """A `hub.ports.MesSource` that can be told something as well."""

    async def tell(self, tickets: Sequence[Told]) -> bool:
        """How these tickets stand; False when this MES does not want to know. Raises SourceUnavailable or
        SourceRefused."""
        ...


class MesTeller:
    """`run` until cancelled; what was told is remembered over the lives that the supervisor gives it."""

    def __init__(self, name: str, make: Callable[[], Listener], ledger: Ledger, clock: Clock) -> None:
        self.name = name
        self._make, self._ledger, self._clock = make, ledger, clock
        self._told: dict[str, Told] = {}
        self._wanted = True

    def health(self) -> dict[str, Any]:
        return {"told": len(self._told), "wanted": self._wanted}

    async def run(self) -> None:
        listener = self._make()
        while True:
            self._wanted = await self._tell(listener, await self._news())
            await self._clock.sleep((EVERY if self._wanted else ASK_AGAIN).total_seconds())

    async def _news(self) -> list[Told]:
        """Tickets that stand otherwise than they were told, the oldest first."""
        known = {t.id: t for t in await self._ledger.recent_tickets(RECENT)}
        known |= {t.id: t for t in await self._ledger.open_tickets()}
        self._told = {number: told for number, told in self._told.items() if number in known}
        now = {t.id: as_told(t) for t in sorted(known.values(), key=lambda t: (t.opened_at, t.id))}
        return [told for number, told in now.items() if self._told.get(number) != told]

    async def _tell(self, listener: Listener, news: Sequence[Told]) -> bool:
        for start in range(0, len(news), AT_ONCE):
            some = news[start : start + AT_ONCE]
            if not await listener.tell(some):
                _log.info("%s: takes no repair progress; asked again in %s", self.name, ASK_AGAIN)
                return False
            self._told |= {told["ticket"]: told for told in some}
        return True


def as_told(it: MaintenanceTicket) -> Told:
    """`reset_at`: since when the machine itself says that it can run again; what is not known is null."""
    return {
        "ticket": it.id,
        "equipment": it.equipment,
        "state": it.state.value,
        "erp_number": it.erp_number,
        "technician": it.technician,
        "opened_at": _stamp(it.opened_at),
        "stopped_at": _stamp(it.stopped_at),
        "accepted_at": _stamp(it.accepted_at),
        "arrived_at": _stamp(it.arrived_at),
        "repaired_at": _stamp(it.repaired_at),
        "reset_at": _stamp(it.reset_at),
        "good_cycles": it.good_cycles,
        "cycles_needed": it.cycles_needed,
        "closed_at": _stamp(it.closed_at),
        "cause_class": it.cause_class,
        "cause": it.cause,
        "downtime_seconds": it.downtime_seconds,
    }


async def post(http: httpx.AsyncClient, url: str, name: str, tickets: Sequence[Told]) -> bool:
    """To an MES over HTTP. One that has no such door, or only one to read at, does not want to know."""
    body = json.dumps(list(tickets), ensure_ascii=False)
    try:
        headers = {"Content-Type": "application/json"}
        async with http.stream("POST", url, content=body, headers=headers) as reply:
            pass  # its status is all that is read
    except httpx.HTTPError as cause:
        raise SourceUnavailable(f"{name}: no answer from {url} ({type(cause).__name__})") from None
    match reply.status_code:
        case status if 200 <= status < 300:
            return True
        case 404 | 405 | 501:
            return False
        case 401 | 403 as status:
            raise SourceRefused(f"{name}: {url} refuses our token ({status}); correct token:")
        case 429 | 503 as status:
            pause = reply.headers.get("Retry-After", "")
            later = timedelta(seconds=min(int(pause), 3600)) if pause.isdecimal() else None
            raise SourceUnavailable(f"{name}: {url} is busy ({status})", retry_after=later)
        case status:
            raise SourceUnavailable(f"{name}: {url} answered {status}")


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
