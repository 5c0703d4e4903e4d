"""Records of the ERP that no map can read: kept, told to whoever keeps the ERP, and told when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from erp_bridge import owners
from erp_bridge.left_out import LeftOut
from hub import metrics
from hub.model.discrepancy import Book
from hub.model.intent import Intent
from hub.model.left_out import Omission
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import Clock

AGAIN = timedelta(hours=1)  # until everything is read anew: somebody may have mended the record or the map
TOGETHER = timedelta(minutes=15)  # what comes one after the other is one message
REMIND = timedelta(hours=24)
SHOWN = 5  # in one message; the console has all


class Shelf(Protocol):
    """The record's side; hub.store.left_out keeps it."""

    async def heard(
        self, source: str, lost: Mapping[tuple[str, str], str], at: datetime, *, whole: bool
    ) -> None: ...
    async def open_ones(self) -> list[Omission]: ...
    async def over_untold(self) -> list[int]: ...
    async def tell(self, at: datetime, intents: Sequence[Intent]) -> None: ...


@dataclass(slots=True)
class Omissions:
    """`owner`: a role or a person's id. Without a shelf nothing is kept, and nobody is told."""

    clock: Clock
    notices: Notices
    shelf: Shelf | None = None
    owner: str = owners.DEFAULT[Book.RECORDS]
    _open: list[Omission] = field(default_factory=list)

    def health(self) -> dict[str, Any]:
        """For the status page: `degraded` says in words that something of the ERP is not understood."""
        if not self._open:
            return {}
        newest = self._open[0]
        return {
            "left_out": len(self._open),
            "left_out_since": min(o.since for o in self._open),
            "left_out_newest": f"{newest.document} {newest.record}: {newest.reason}",
            "degraded": headline(len(self._open)).as_dict(),
        }

    async def heard(self, source: str, lost: Sequence[LeftOut], *, whole: bool) -> None:
        """What one reading passed over. A `whole` one ends what it did not pass over again."""
        if self.shelf is None:
            return
        await self.shelf.heard(source, by_record(lost), self.clock.now(), whole=whole)
        self._open = await self.shelf.open_ones()
        metrics.erp_left_out(Counter(o.document for o in self._open))
        await self._tell()

    async def open_ones(self) -> list[Omission]:
        return await self.shelf.open_ones() if self.shelf else []

    async def _tell(self) -> None:
        assert self.shelf is not None
        now = self.clock.now()
        over = [] if self._open else await self.shelf.over_untold()
        if over:
            await self.shelf.tell(now, self._said(f"over:{over[-1]}", OVER))
        elif is_due(self._open, now):
            key = f"{max(o.id for o in self._open)}:{len(self._open)}:{last_told(self._open)}"
            await self.shelf.tell(now, self._said(key, headline(len(self._open)), lines(self._open)))

    def _said(self, key: str, title: Words, said: Sequence[tuple[Words, Words]] = ()) -> list[Intent]:
        return self.notices.about(
            f"left-out:{key}", title, where=WHERE, lines=said,
            people=owners.people(self.notices, self.owner), link=owners.console(self.notices, "erp"),
        )  # fmt: skip


def by_record(lost: Iterable[LeftOut]) -> dict[tuple[str, str], str]:
    """The first reason of each."""
    found: dict[tuple[str, str], str] = {}
    for one in lost:
        found.setdefault((one.document, one.record), one.reason)
    return found


def is_due(open_ones: Sequence[Omission], now: datetime) -> bool:
    """Nobody has heard of some of them, or what was told has grown old."""
    last = last_told(open_ones)
    if last is None:
        return bool(open_ones)
    grown = any(o.told_at is None for o in open_ones)
    return now - last >= (TOGETHER if grown else REMIND)


def last_told(open_ones: Iterable[Omission]) -> datetime | None:
    return max((o.told_at for o in open_ones if o.told_at), default=None)


def headline(n: int) -> Words:
    return Words(
        f"ERP 有 {n} 条记录读不出来", f"{n} records in the ERP cannot be read" if n > 1 else
        "1 record in the ERP cannot be read",
    )  # fmt: skip


def lines(open_ones: Sequence[Omission]) -> list[tuple[Words, Words]]:
    told = [
        (Words(f"{o.document} {o.record}", f"{o.document} {o.record}"), Words(o.reason, o.reason))
        for o in open_ones[:SHOWN]
    ]
    if rest := len(open_ones) - len(told):
        told.append((Words("其余", "More"), Words(f"{rest} 条见控制台", f"{rest} in the console")))
    return told


WHERE = Words("ERP 记录", "ERP records")
OVER = Words("ERP 的记录又都能读出来了", "Every record in the ERP can be read again")
