"""Process parameters in memory, as the API's tests need them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from hub.model.parameter import BoundSample, JobSpan, Lot, ParameterFigures, ParameterLimits
from hub.model.sample import BAD_NO_COMMUNICATION
from hub.testing.clock import NOON

MINUTE = timedelta(minutes=1)
HIGHEST = 92.4


class MemoryParameters:
    """MO-1 ran here with lot L-1, MO-2 elsewhere with lot L-2; two samples each, one of them bad."""

    def __init__(self, here: str, elsewhere: str) -> None:
        places = {"MO-1": (here, Lot("STEEL", "L-1")), "MO-2": (elsewhere, Lot("STEEL", "L-2"))}
        self.kept = [
            JobSpan(place, NOON, number, "10", (lot,), n, NOON + 10 * MINUTE)
            for n, (number, (place, lot)) in enumerate(places.items(), 1)
        ]

    async def spans(self, order: str) -> list[JobSpan]:
        return [s for s in self.kept if s.order == order]

    async def spans_with(self, lot: str) -> list[JobSpan]:
        return [s for s in self.kept if any(x.lot == lot for x in s.lots)]

    async def figures(
        self, spans: Sequence[JobSpan], limits: Sequence[ParameterLimits]
    ) -> list[ParameterFigures]:
        return [
            ParameterFigures(
                s.operation, s.equipment, x.tag, 2, 1, int(x.high is not None and x.high < HIGHEST),
                HIGHEST, HIGHEST, HIGHEST, None, NOON, NOON + MINUTE,
            )
            for s in spans
            for x in limits
        ]  # fmt: skip

    async def curve(
        self, spans: Sequence[JobSpan], tag: int, points: int
    ) -> list[tuple[datetime, float, float, float]]:
        return [(NOON, HIGHEST, HIGHEST, HIGHEST)]

    async def samples(self, spans: Sequence[JobSpan], tags: Sequence[int]) -> AsyncIterator[BoundSample]:
        for span in spans:
            for tag in tags:
                job = (span.equipment, span.order, span.operation, span.lots)
                yield BoundSample(NOON, tag, HIGHEST, 0, *job)
                yield BoundSample(NOON + MINUTE, tag, None, BAD_NO_COMMUNICATION, *job)
