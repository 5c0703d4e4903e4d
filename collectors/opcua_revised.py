"""What a server has made of our wishes: it may tell and look more seldom, and keep fewer values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from asyncua.ua.attribute_ids import AttributeIds

_SELDOM = 86_400_000.0  # milliseconds; what is slower is none of a server that means it


@dataclass(slots=True)
class Revised:
    """Of one connection, in milliseconds."""

    publishing: float = 0.0
    slowest: float = 0.0  # of what is monitored, how often the server looks at the one it looks at least
    slow: int = 0  # monitored items it looks at less than half as often as was wished
    short: int = 0  # those of which it keeps fewer values than it finds between two answers

    def hear(self, wished: Sequence[Any], given: Sequence[Any]) -> None:
        """The items of one request and the answer to each."""
        for wish, one in zip(wished, given, strict=False):
            asked, sampling = wish.RequestedParameters, float(one.RevisedSamplingInterval)
            if wish.ItemToMonitor.AttributeId != AttributeIds.Value or not one.StatusCode.is_good():
                continue
            if not 0 < sampling <= _SELDOM:  # nor a NaN
                continue
            self.slowest = max(self.slowest, sampling)
            self.slow += sampling > 2 * max(asked.SamplingInterval, 50.0)
            between = self.publishing / sampling
            self.short += one.RevisedQueueSize < min(between, asked.QueueSize)

    def settled(self, at_least: timedelta) -> timedelta:
        """How old a change has to be for the server to have told it."""
        return max(at_least, 3 * timedelta(milliseconds=max(self.slowest, self.publishing)))

    def complaints(self, interval: timedelta) -> Iterator[tuple[str, str]]:
        """(what, text) of what a person should know."""
        if self.publishing > 2 * interval / timedelta(milliseconds=1):
            yield (
                "publishing",
                f"the server tells every {self.publishing / 1000:g} s, not every {_spelled(interval)}",
            )
        if self.slow:
            yield (
                "sampling",
                (
                    f"the server looks at {self.slow} nodes more seldom than wished, at some only every"
                    f" {self.slowest / 1000:g} s; what is shorter is not seen"
                ),
            )
        if self.short:
            yield (
                "queue",
                (
                    f"of {self.short} nodes the server keeps fewer values than it finds between two answers;"
                    " make interval: shorter or sampling: longer"
                ),
            )


def _spelled(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
