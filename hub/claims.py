"""What one worker has taken off the outbox and not finished, and the heartbeat that keeps it so.

A lease is short, so that what a dead worker held is soon somebody else's, and it is renewed for as long as
the worker lives. One that was paused (a stopped process, a virtual machine moved, a database that hung) may
find when it wakes that others have taken over: `still_ours` is asked right before anything is done.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.errors import Transient
from hub.model.intent import Errand, IntentKind
from hub.ports import Clock, Outbox

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
BEATS = 3  # renewals in one lease: two may fail


class Claims:
    """One worker's side of the outbox. `keep` has to run beside whoever claims."""

    def __init__(self, outbox: Outbox, worker: str, clock: Clock, lease: timedelta = LEASE) -> None:
        """`worker`: stable across restarts, differs between processes."""
        self._outbox, self._worker, self._clock, self._lease = outbox, worker, clock, lease
        self._held: dict[int, Errand] = {}
        self._renewed = clock.monotonic()

    async def release(self) -> int:
        """At start: what this worker held when it died is due at once, in doubt."""
        self._held.clear()
        return await self._outbox.release(self._worker)

    async def claim(self, kinds: Sequence[IntentKind]) -> Errand | None:
        """After a pause the errands in hand come first: or we would take them from ourselves."""
        if self._held and self._clock.monotonic() - self._renewed >= self._beat:
            await self._renew(list(self._held.values()))
        errand = await self._outbox.claim(kinds, self._worker, self._lease)
        if errand is not None:
            self._held[errand.id] = errand
        return errand

    async def still_ours(self, *errands: Errand) -> bool:
        """Whether nobody has taken over one of these; for another lease, if so."""
        return len(await self._renew(errands)) == len(errands)

    async def keep(self) -> None:
        """Renews until cancelled. A record that is away is asked again at the next beat."""
        while True:
            await self._clock.sleep(self._beat)
            if not self._held:
                continue
            try:
                await self._renew(list(self._held.values()))
            except Transient as trouble:
                log.info("cannot renew %d claims just now: %s", len(self._held), trouble)

    async def wait(self, seconds: float) -> None:
        await self._outbox.wait(seconds)

    async def done(self, errand: Errand, receipt: Mapping[str, Any]) -> bool:
        self._let_go(errand)
        return await self._outbox.done(errand, receipt)

    async def put_back(
        self, errand: Errand, reason: str, retry_at: datetime, *, counted: bool, in_doubt: bool = False
    ) -> bool:
        self._let_go(errand)
        return await self._outbox.put_back(errand, reason, retry_at, counted=counted, in_doubt=in_doubt)

    async def give_up(self, errand: Errand, reason: str) -> bool:
        self._let_go(errand)
        return await self._outbox.give_up(errand, reason)

    @property
    def _beat(self) -> float:
        return self._lease.total_seconds() / BEATS

    async def _renew(self, errands: Sequence[Errand]) -> frozenset[int]:
        ours = await self._outbox.renew(errands, self._lease)
        self._renewed = self._clock.monotonic()
        for lost in (e for e in errands if e.id not in ours):
            self._let_go(lost)
        return ours

    def _let_go(self, errand: Errand) -> None:
        held = self._held.get(errand.id)
        if held is not None and held.fence == errand.fence:  # a newer claim of our own stays
            del self._held[errand.id]
