"""What machines' states were, derived anew from raw samples by the table that holds now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from hub.model.batch import SampleBatch
from hub.model.equipment import Count, StateSpan
from hub.model.state_table import Seam


class StateHistoryTx(Protocol):
    """One transaction about one machine's past; nobody else writes states or stops of it meanwhile."""

    async def seam(self) -> Seam | None: ...
    async def changes(self, since: datetime, until: datetime) -> list[StateSpan]:
        """What is on record of [since, until): the state at `since`, where there is one, and what follows."""
        ...

    async def replace(self, since: datetime, until: datetime, changes: Sequence[StateSpan]) -> None:
        """These instead of all that is on record of [since, until)."""
        ...

    async def never_ask(self, stops: Sequence[tuple[datetime, datetime]], at: datetime) -> None:
        """Nobody is told that these stops need a reason: they are old facts."""
        ...

    async def note(
        self,
        at: datetime,
        by: str,
        since: datetime,
        until: datetime,
        report: Mapping[str, Any],
        audit: Mapping[str, Any],
    ) -> None:
        """Who did it and what it changed, in the machine's book and on the audit trail."""
        ...  # fmt: skip


class StateHistory(Protocol):
    def begin(self, equipment: str) -> AbstractAsyncContextManager[StateHistoryTx]: ...
    async def seam(self, equipment: str) -> Seam | None: ...
    async def changes(self, equipment: str, since: datetime, until: datetime) -> list[StateSpan]: ...
    async def counts(self, equipment: str, since: datetime, until: datetime) -> list[Count]: ...
    async def page(self, tag: int, start: datetime, end: datetime, most: int) -> SampleBatch:
        """The oldest `most` raw samples of [start, end), in order."""
        ...

    async def raw_gone(self, tag: int) -> datetime | None:
        """Below it raw samples have been let go."""
        ...

    async def done(self, equipment: str, most: int) -> list[dict[str, Any]]:
        """The newest first: {"at", "by", "since", "until", "report"}."""
        ...


class StateHistoryDesk(Protocol):
    """For people: what deriving anew would change, and doing it. All of it as JSON knows it."""

    async def preview(self, path: str, since: datetime) -> dict[str, Any]:
        """Changes nothing; Refused, NotFound, Conflict while the rules have not taken the table up."""
        ...

    async def apply(self, path: str, since: datetime, key: str, by: str, address: str = "") -> dict[str, Any]:
        """`key`: of the preview that the person has seen; Conflict when it is not what would happen."""
        ...

    async def done(self, path: str) -> list[dict[str, Any]]: ...
