"""The ERP's side of the record in memory, as the API's tests need it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.errors import NotFound
from hub.model.exchange import Direction, Exchange, Letter, Outcome, Pile
from hub.model.production import JobOrder, OrderChange, WorkOrder
from hub.model.words import Words
from hub.testing.clock import NOON

LINES = {"MO-1": "p1/stamping/l1", "MO-2": "p1/machining/l2"}


class MemoryErpBook:
    """A change of an order here (1) and of one elsewhere (2); a dead letter (1) and one that is done (2)."""

    def __init__(self) -> None:
        self.changes = {
            n: OrderChange(order, {"quantity": (100, 80)}, NOON, id=n) for n, order in enumerate(LINES, 1)
        }
        dead = Letter(
            1, "report-operation", "report:R1", "order:MO-1:10", "dead", 3, "会计期间已关闭", NOON, None,
            NOON, {"order": "MO-1"},
        )  # fmt: skip
        self.all = {1: dead, 2: replace(dead, id=2, state="done")}

    async def exchanges(self, document: str = "", before: int = 0, limit: int = 100) -> list[Exchange]:
        sent = {"order": "MO-1"}
        return [
            Exchange(NOON, Direction.OUT, "report-operation", "report:R1", Outcome.DONE, after=sent, id=7)
        ]

    async def orders(self, numbers: Any) -> list[WorkOrder]:
        name = Words("油泵", "Pump")
        return [
            WorkOrder(n, "A100", name, 100, NOON, jobs=(JobOrder(n, "10", name, LINES[n], 100),))
            for n in numbers
        ]

    async def confirm_change(self, change_id: int, seen: datetime, by: str, at: datetime) -> OrderChange:
        if change_id not in self.changes:
            raise NotFound("not-found", "there is no such change")
        return self.changes.pop(change_id)

    async def letters(self, dead: bool = True, before: int = 0, limit: int = 100) -> list[Letter]:
        return [one for one in self.all.values() if (one.state == "dead") == dead]

    async def unfinished(self, lane: str) -> list[Letter]:
        return [one for one in self.all.values() if one.lane == lane and one.state != "done"]

    async def piles(self) -> list[Pile]:
        dead = sum(one.state == "dead" for one in self.all.values())
        return [Pile("report-operation", 3, NOON - timedelta(minutes=2), dead), Pile("erp-news", 0, None, 0)]

    async def letter(self, letter_id: int) -> Letter:
        if letter_id not in self.all:
            raise NotFound("not-found", "there is no such letter")
        return self.all[letter_id]

    async def send_again(self, letter_id: int) -> bool:
        return self._ended(letter_id, "waiting")

    async def set_aside(self, letter_id: int, reason: str) -> bool:
        return self._ended(letter_id, "done", reason)

    def _ended(self, letter_id: int, state: str, reason: str = "") -> bool:
        was_dead = self.all[letter_id].state == "dead"
        if was_dead:
            self.all[letter_id] = replace(self.all[letter_id], state=state, reason=reason)
        return was_dead
