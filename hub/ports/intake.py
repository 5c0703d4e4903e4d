"""What an MES sends, and what of it was rejected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from hub.model.erp import ErpPush
from hub.model.intake import ALL_WAITING, Correction, Reject, RejectState, RejectsWanted, Unbound, Verdict


class Rejects(Protocol):
    """Records of an MES that were not taken, until somebody has decided."""

    async def those(
        self, wanted: RejectsWanted = ALL_WAITING, before: int = 0, limit: int = 100
    ) -> list[Reject]:
        """The newest first; `before`: the id to go on behind."""
        ...

    async def count(self, wanted: RejectsWanted) -> int: ...

    async def one(self, reject_id: int) -> Reject:
        """Raises NotFound."""
        ...

    async def decide(
        self,
        reject_id: int,
        state: RejectState,
        by: str,
        at: datetime,
        note: str = "",
        correction: str = "",
    ) -> bool:
        """False when it is not waiting (any more). What was corrected stays decided when it comes again."""
        ...

    async def waiting(self) -> Mapping[str, int]:
        """How many of each source."""
        ...

    async def unbound(self, limit: int = 100) -> tuple[list[Unbound], int]:
        """What was told of operations that no order has, the latest first; and how many there are."""
        ...


class MesDoor(Protocol):
    """One MES as the API knows it: what it pushes, and what of it was rejected."""

    pushed: bool  # whether it pushes: others are read by the hub

    async def push(self, request: ErpPush) -> list[Verdict]:
        """One verdict for each event of the batch. Raises NotAllowed when it is not signed as it should be,
        Refused when it is no batch."""
        ...

    async def replay(self, reject: Reject) -> Verdict:
        """Once more, with the present configuration; kept as it is when it is rejected again."""
        ...

    def draft(self, reject: Reject) -> str:
        """The event that the record means, as far as it can be told, for a person to correct: JSON."""
        ...

    async def correct(self, reject: Reject, event: str, *, take: bool) -> Correction:
        """A person's version of it, an event as in docs/mes.md. `take=False` only tells what would become of
        it. What is wrong with it is told, not kept."""
        ...
