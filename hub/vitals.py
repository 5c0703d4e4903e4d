"""How this process and the house fare: what GET /health, the status page and the walls' corner say."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime
from typing import Any

from hub import metrics
from hub.house import Record
from hub.outline import ErpBlock
from hub.ports import SAMPLES, Bus, Clock
from hub.rollcall import RollCall, as_json, stands_by
from hub.store.left_out import PgLeftOut
from hub.store.reconciliation import PgReconciliation
from hub.store.rejects import PgRejects
from hub.supervisor import Supervisor

UNANSWERED = 5.0  # seconds without an answer of the record or the bus: the hub is not well
MES_EVERY = 5  # rounds of a second
BOOKS_MISSED = 4  # comparisons that came to nothing: the count on the wall is told with its age


class Vitals:
    """`measure` and `ask_the_bus` are runners for the supervisor; the rest tells what they and the
    roll-call know."""

    def __init__(
        self,
        roll: RollCall,
        supervisor: Supervisor,
        record: Record,
        bus: Bus,
        clock: Clock,
        ready: asyncio.Event,
        erp: ErpBlock | None,
    ) -> None:
        self._roll, self._supervisor, self._ready = roll, supervisor, ready
        self._record, self._bus, self._clock, self._erp = record, bus, clock, erp
        self._gauges: dict[str, Any] = {}
        self._books_at: datetime | None = None  # when our books and the ERP's were last compared
        self._measured = clock.monotonic()  # when the record last answered
        self._bus_heard = clock.monotonic()  # when the bus did

    def health(self) -> dict[str, Any]:
        """For GET /health: ok once every part has come up, and while every part of the hub itself is up.

        A machine or an MES that is away stands in `parts` as false and leaves the hub ok; a process of the
        hub that is away does not. `standby`: parts that a further process is ready to take over.
        """
        told, mine = self._roll.parts(), [as_json(p) for p in self._supervisor.health()]
        standby = {str(p["name"]) for p in (*told, *mine) if stands_by(p)}
        active = [p for p in (*sorted(told, key=lambda p: bool(p["up"])), *mine) if not stands_by(p)]
        rows = {str(p["name"]): p for p in active}
        parts = dict.fromkeys(standby, False) | {name: bool(p["up"]) for name, p in rows.items()}
        parts["record"] = self._clock.monotonic() - self._measured < UNANSWERED
        parts["bus"] = self._bus_answers()
        well = all(up for name, up in parts.items() if not rows.get(name, {}).get("outside"))
        ready = self._ready.is_set()
        status = "starting" if not ready else "ok" if well else "degraded"
        return {"status": status, "parts": parts, "standby": sorted(standby)}

    def trust(self) -> dict[str, Any]:
        return {
            "outbox_oldest": max(
                self._gauges.get("outbox", {}).get("oldest_seconds", {}).values(), default=0
            ),
            "parts_down": sorted(self._down()),
            "discrepancies": self._gauges.get("discrepancies", 0),
            "books_old_since": self._books_old_since(),
            "sources": self._roll.sources,
        }

    def _down(self) -> set[str]:
        return {*self._roll.down(), *(() if self._bus_answers() else ("bus",))}

    def _bus_answers(self) -> bool:
        """Whether it did just now: while it hangs, those who wait for it look up to everybody else."""
        return self._clock.monotonic() - self._bus_heard < UNANSWERED

    def status(self) -> dict[str, Any]:
        """For GET /api/status, but for what only the feed of the walls knows."""
        return {"parts": self._roll.parts(), "sources": self._roll.sources, **self._gauges}

    async def measure(self) -> None:
        for second in itertools.count():
            if second % MES_EVERY == 0:
                await self._measure_mes()
            self._gauges["outbox"] = dict(await self._record.outbox.stats())
            if self._erp is not None:
                await self._measure_books()
            metrics.alarms_open(await self._record.ledger.open_alarms())
            self._gauges["at"] = self._clock.now().isoformat().replace("+00:00", "Z")
            self._measured = self._clock.monotonic()
            await self._clock.sleep(1)

    async def _measure_mes(self) -> None:
        """What of an MES waits for people, where any does."""
        rejects = PgRejects(self._record.pool)
        _, unbound = await rejects.unbound(0)
        found = {"mes_rejects": dict(await rejects.waiting()), "mes_unbound": unbound}
        for name, waits in found.items():
            self._gauges.pop(name, None)
            if waits:
                self._gauges[name] = waits

    async def _measure_books(self) -> None:
        """The count is what the last comparison that came to an end has left: when that was belongs to it."""
        books = PgReconciliation(self._record.pool)
        self._gauges["discrepancies"] = await books.count()
        self._books_at = await books.settled_at()
        unread = await PgLeftOut(self._record.pool).counts()
        self._gauges["left_out"] = unread
        metrics.erp_left_out(unread)

    def _books_old_since(self) -> datetime | None:
        """When the books were last compared, once that is so long ago that the count says little; None while
        it is fresh."""
        at, block = self._books_at, self._erp
        if at is None or block is None or self._clock.now() - at <= BOOKS_MISSED * block.reconcile_every:
            return None
        return at

    async def ask_the_bus(self) -> None:
        while True:
            if await self._bus.healthy():
                self._bus_heard = self._clock.monotonic()
            self._gauges["bus"] = dict(await self._bus.behind(SAMPLES))
            await self._clock.sleep(1)
