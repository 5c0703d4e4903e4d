"""What of an MES was not taken, in memory, as the API's tests need it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from hub.errors import NotFound
from hub.model.erp import ErpPush
from hub.model.intake import Correction, Fault, Reject, RejectState, RejectsWanted, Unbound, Uptake, Verdict
from hub.model.words import Words
from hub.testing.clock import NOON

MISSING = Words("order 缺少，请补上", "order is missing; add it")


class MemoryRejects:
    """hub.ports.Rejects with one that waits (1)."""

    def __init__(self) -> None:
        self.kept = {1: Reject("mes", "report", "R-9", '{"type": "report"}', MISSING, NOON, NOON, id=1)}

    async def those(self, wanted: RejectsWanted, before: int = 0, limit: int = 100) -> list[Reject]:
        kept = (r for r in self.kept.values() if r.state is wanted.state)
        return [r for r in kept if wanted.source in ("", r.source)][:limit]

    async def count(self, wanted: RejectsWanted) -> int:
        return len(await self.those(wanted))

    async def one(self, reject_id: int) -> Reject:
        if reject_id not in self.kept:
            raise NotFound("not-found", str(reject_id))
        return self.kept[reject_id]

    async def decide(
        self,
        reject_id: int,
        state: RejectState,
        by: str,
        at: datetime,
        note: str = "",
        correction: str = "",
    ) -> bool:
        found = self.kept[reject_id]
        if found.state is not RejectState.WAITING:
            return False
        self.kept[reject_id] = replace(
            found, state=state, decided_by=by, decided_at=at, note=note, correction=correction
        )
        return True

    async def waiting(self) -> Mapping[str, int]:
        return Counter(r.source for r in self.kept.values() if r.state is RejectState.WAITING)

    async def unbound(self, limit: int = 100) -> tuple[list[Unbound], int]:
        return [Unbound("MO-404", "10", False, 2, 5, 0, 0, 0, NOON, NOON, ["mes"])], 1


class QuickDoor:
    """hub.ports.MesDoor that believes everybody; an event named `bad` is rejected."""

    pushed = True

    def __init__(self, *bad: str) -> None:
        self.bad = bad

    async def push(self, request: ErpPush) -> list[Verdict]:
        return [self._verdict(name) for name in request.body.decode("utf-8", "replace").split()]

    async def replay(self, reject: Reject) -> Verdict:
        return self._verdict(reject.event)

    def draft(self, reject: Reject) -> str:
        return reject.record

    async def correct(self, reject: Reject, event: str, *, take: bool) -> Correction:
        return Correction(self._verdict(reject.event), event=event)

    def _verdict(self, name: str) -> Verdict:
        if name in self.bad:
            return Verdict(name, Uptake.REJECTED, (Fault("order", MISSING),))
        return Verdict(name, Uptake.TAKEN)
