"""Why machines stood."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from hub.kpi.stops import Change, Stop, waits
from hub.model.equipment import Equipment, StateSpan
from hub.model.intent import Intent
from hub.model.people import Person
from hub.model.stop import OldPart, StopPart, StopReason


class StopTx(Protocol):
    """One transaction about one machine's stops; nobody else has one meanwhile."""

    async def spans(self, since: datetime, until: datetime, now: datetime) -> list[StateSpan]: ...
    async def parts(self, since: datetime, until: datetime) -> list[StopPart]: ...
    async def apply(self, change: Change, by: str, at: datetime) -> None:
        """Conflict when what is to be replaced no longer holds."""
        ...

    async def stretch(self, parts: Sequence[StopPart]) -> None:
        """The same parts over more time: nobody has said anything new."""
        ...


class Stops(Protocol):
    """The record of why machines stood."""

    def begin(self, equipment: str) -> AbstractAsyncContextManager[StopTx]: ...
    async def spans(
        self, machines: Collection[str], since: datetime, until: datetime, now: datetime
    ) -> list[StateSpan]:
        """States that touch [since, until), and as far beyond as a stop that does reaches."""
        ...

    async def parts(self, machines: Collection[str], since: datetime, until: datetime) -> list[StopPart]:
        """What holds of this time."""
        ...

    async def history(self, equipment: str, since: datetime, until: datetime) -> list[OldPart]:
        """With what was replaced, in the order in which it was said."""
        ...

    async def used(self, machines: Collection[str], since: datetime) -> Mapping[str, Mapping[str, int]]:
        """Machine -> reason -> how often it was given since then, the most usual first."""
        ...

    async def asked(self, since: datetime) -> list[tuple[str, datetime, datetime]]:
        """Stops (machine, from, until as then known) whose person has been told, and that ended later."""
        ...

    async def ask(
        self, asked: tuple[str, datetime, datetime], at: datetime, intents: Sequence[Intent]
    ) -> bool:
        """False when somebody has told of it before: then nothing is written."""
        ...


@dataclass(frozen=True, slots=True)
class SeenStop:
    """A stop with what people said of it, as somebody sees it."""

    stop: Stop
    parts: Sequence[StopPart]
    after: timedelta  # so long until it needs a reason

    @property
    def waits(self) -> bool:
        return waits(self.stop, self.parts, self.after)


class StopDesk(Protocol):
    """What people may do about stops. Raises Refused with a reason."""

    async def seen(self, machines: Sequence[Equipment], since: datetime, until: datetime) -> list[SeenStop]:
        """Stops that touch [since, until), by machine, then the oldest first."""
        ...

    async def usual(self, machines: Sequence[Equipment]) -> Mapping[str, list[StopReason]]:
        """What may be said of each, what is said most often of it first."""
        ...

    async def one(self, machine: Equipment, at: datetime) -> SeenStop:
        """The stop that this instant lies in; raises Conflict `stop-moved`."""
        ...

    async def history(self, machine: Equipment, at: datetime) -> list[OldPart]: ...
    async def explain(
        self, machine: Equipment, at: datetime, version: int, by: Person, reason: str, note: str = "",
        part: datetime | None = None,
    ) -> SeenStop:  # fmt: skip
        """`part`: the instant at which the part begins; None: the whole stop. Conflict `stop-changed` when
        `version` is not that of what holds."""
        ...

    async def split(
        self, machine: Equipment, at: datetime, version: int, by: Person, cut: datetime
    ) -> SeenStop: ...
    async def merge(
        self, machine: Equipment, at: datetime, version: int, by: Person, cut: datetime, *, keep_later: bool
    ) -> SeenStop: ...
