"""Rush orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from hub.errors import Conflict
from hub.model.intent import Intent
from hub.model.people import Person
from hub.model.production import JobProgress, WorkOrder
from hub.model.rush import Fate, Foresight, Rush, Sight, Standing


class RushTx(Protocol):
    """One transaction about rush orders."""

    async def orders(self) -> list[WorkOrder]:
        """As `Ledger.orders`."""
        ...

    async def progress(self) -> list[JobProgress]: ...
    async def newest(self, order: str) -> Rush | None:
        """The last tap on this order, undone or not."""
        ...

    async def add(self, rush: Rush) -> Rush:
        """Returns it with its id."""
        ...

    async def undo(self, rush: Rush, at: datetime, by: str) -> Rush: ...
    async def refusal_told(self, rush: Rush, at: datetime) -> None: ...
    async def fates(self, keys: Sequence[str]) -> Mapping[str, Fate]: ...
    async def intend(self, intent: Intent) -> None: ...
    async def audit(
        self, at: datetime, who: str, what: str, about: str, detail: Mapping[str, Any]
    ) -> None: ...


class Rushes(Protocol):
    """The record of rush orders."""

    def begin(self) -> AbstractAsyncContextManager[RushTx]:
        """Who decides: one at a time in the whole plant."""
        ...

    def look(self) -> AbstractAsyncContextManager[RushTx]:
        """Who only looks: of one moment, writes nothing."""
        ...

    async def newest(self, order: str) -> Rush | None: ...
    async def recent(self, limit: int) -> list[Rush]:
        """The newest first."""
        ...

    async def fates(self, keys: Sequence[str]) -> Mapping[str, Fate]:
        """What has become of these intents; what the record has forgotten is left out."""
        ...

    async def saw(self, sight: Sight) -> bool:
        """False when this person had seen it before."""
        ...

    async def sights(self, rushes: Sequence[int]) -> list[Sight]:
        """The first to look first."""
        ...

    async def refused(self) -> list[Rush]:
        """Those that the ERP has refused and people have not been told of."""
        ...


class Stale(Conflict):
    """What the person decided on is no longer so: `fresh` is what a tap would do now."""

    def __init__(self, fresh: Foresight) -> None:
        self.fresh = fresh
        super().__init__("rush-stale", "the preview is out of date")


class RushDesk(Protocol):
    """What people may do about rush orders. Raises Refused with a reason."""

    async def foresee(self, number: str, due_at: datetime | None = None) -> Foresight:
        """What a tap would do now. NotFound, or Conflict when it cannot be rushed."""
        ...

    async def tap(
        self,
        number: str,
        by: Person,
        digest: str,
        due_at: datetime | None = None,
        reason: str = "",
        tap: str = "",
    ) -> Standing:
        """Stale when `digest` is not that of what it would do now; Conflict with the name of who was faster.
        The same `tap` once more changes nothing and is answered as before."""
        ...

    async def undo(self, number: str, by: Person) -> Standing:
        """Conflict when the time for it is over."""
        ...

    async def standing(self, number: str) -> Standing | None:
        """Of the last tap on this order."""
        ...

    async def saw(self, number: str, by: Person) -> None:
        """This person has looked at how it stands: a receipt, when they are among those who were told."""
        ...

    async def recent(self, limit: int) -> list[Standing]:
        """The newest first."""
        ...

    async def order(self, number: str) -> WorkOrder:
        """As it holds now; raises NotFound."""
        ...
