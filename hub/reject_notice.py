"""Tells people once that records of the MES wait for a decision; not once for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from hub.model.people import Role
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import Clock, Ledger

LOOK_EVERY = 10.0  # seconds
GATHER = timedelta(minutes=1)  # from the first one on: a spoilt file is one message
AGAIN = timedelta(hours=4)  # between two messages while some wait all the time
MARK = "mes-rejects:told"
WHERE = Words("MES", "MES")


class Waiting(Protocol):
    async def waiting(self) -> Mapping[str, int]: ...
    async def newest(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Told:
    """The newest reject that people have heard of, and when they have; as a mark keeps it."""

    newest: int = 0
    at: datetime | None = None

    @classmethod
    def read(cls, mark: str) -> Told:
        newest, _, at = mark.partition(" ")
        return cls(int(newest), datetime.fromisoformat(at)) if at else cls()

    def __str__(self) -> str:
        return f"{self.newest} {self.at.isoformat() if self.at else ''}"


def due(told: Told, newest: int, seen: datetime, settled: bool, now: datetime) -> bool:
    """Whether people are to hear: `seen` is when the first of those they have not heard of was, `settled`
    whether nothing waited in between."""
    if newest <= told.newest or now - seen < GATHER:
        return False
    return settled or told.at is None or now - told.at >= AGAIN


class RejectNotice:
    """One process of the house does this."""

    def __init__(self, rejects: Waiting, ledger: Ledger, notices: Notices, clock: Clock) -> None:
        self._rejects, self._ledger, self._notices, self._clock = rejects, ledger, notices, clock
        self._seen: datetime | None = None
        self._settled = False  # nothing has waited since people were told

    async def run(self) -> None:
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        waiting, now = await self._rejects.waiting(), self._clock.now()
        if not waiting:
            self._seen, self._settled = None, True
            return
        told, newest = Told.read(await self._ledger.mark(MARK)), await self._rejects.newest()
        if newest > told.newest and self._seen is None:
            self._seen = now
        if self._seen is not None and due(told, newest, self._seen, self._settled, now):
            await self._tell(waiting, newest, now)

    async def _tell(self, waiting: Mapping[str, int], newest: int, now: datetime) -> None:
        async with self._ledger.begin() as tx:
            for intent in self._notices.about(f"mes-rejects:{newest}", **said(self._notices, waiting)):
                await tx.intend(intent)
            await tx.set_mark(MARK, str(Told(newest, now)))
        self._seen, self._settled = None, False


def said(notices: Notices, waiting: Mapping[str, int]) -> dict[str, Any]:
    n = sum(waiting.values())
    title = Words(
        f"MES 有 {n} 条记录未被收下，等待处理",
        f"{n} records of the MES were not taken and wait" if n > 1 else "A record of the MES was not taken",
    )
    lines = [(Words(name, name), Words(f"{count} 条", str(count))) for name, count in sorted(waiting.items())]
    link = notices.link.removesuffix("/phone").removesuffix("/wall") + "/console#rejects"
    people = notices.holders({Role.PLANNER, Role.MANAGER, Role.ADMIN})
    return {"title": title, "where": WHERE, "lines": lines[:10], "people": people, "link": link}
