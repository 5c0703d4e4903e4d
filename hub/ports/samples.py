"""Where samples lie and are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hub.model.batch import SampleBatch


class SampleStore(Protocol):
    async def write(
        self,
        batches: Sequence[SampleBatch],
        position: str = "",
        taken: Mapping[str, int] | None = None,
        lost: Mapping[str, int] | None = None,
    ) -> int:
        """COPY them in, in one transaction with the stream's position; rows written.

        `taken`: the last number of each origin among them. When the record has that number already somebody
        else writes too: Transient, and nothing is written. Without `taken`, batches at or before the position
        on record are left out: a repeat is harmless. `lost`: how many batches of an origin were missing
        before these; goes into the audit trail.
        """
        ...

    async def origins(self) -> Mapping[str, int]:
        """The last number on record of each origin that was heard of lately."""
        ...

    async def position(self) -> str:
        """Up to where the stream of samples is on record; "" when nothing is."""
        ...

    async def newest(self, tags: Sequence[int]) -> SampleBatch:
        """The last sample of each tag that has one."""
        ...

    async def since(self, tags: Sequence[int], start: datetime, end: datetime | None = None) -> SampleBatch:
        """Raw samples of these tags from `start` and before `end` (None: all), ordered by time."""
        ...

    async def trend(
        self, tag: int, start: datetime, end: datetime, points: int
    ) -> list[tuple[datetime, float, float, float]]:
        """(bucket, mean, min, max) from raw or the roll-up that fits; at most about `points` rows."""
        ...
