"""The ERP's side of the record in memory, as the API's tests need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.errors import NotFound
from hub.model.exchange import Direction, Exchange, Letter, Outcome, Pile
from hub.model.production import JobOrder, OrderChange, WorkOrder
from hub.model.words import Words
from hub.testing.clock import NOON

LINES = {"MO-1": "p1/stamping/l1", "MO-2": "p1/machining/l2"}
HERE, ELSEWHERE, PRESS = "AH-20260105-0001", "AH-20260105-0002", "p1/stamping/l1/press-01"
MACHINES = {HERE: PRESS, ELSEWHERE: "p1/machining/l2/cnc-01"}


class MemoryErpBook:
    """A change of an order here (1) and of one elsewhere (2); dead letters of an order here (1) and elsewhere
    (3), of a ticket here (4, with steps behind it: 5, 6) and elsewhere (7), and of the whole plant (8); one
    that is done (2). Exchanges of all these."""

    def __init__(self) -> None:
        self.changes = {
            n: OrderChange(order, {"quantity": (100, 80)}, NOON, id=n) for n, order in enumerate(LINES, 1)
        }
        dead = Letter(
            1, "report-operation", "report:R1", "order:MO-1:10", "dead", 3, "会计期间已关闭", NOON, None,
            NOON, {"order": "MO-1"},
        )  # fmt: skip
        opening = Letter(
            4, "open-ticket", f"open-ticket:{HERE}", f"ticket:{HERE}", "dead", 1, "单据已锁定", NOON, None,
            NOON, {"ticket": HERE},
        )  # fmt: skip
        step = replace(opening, id=5, kind="update-ticket", state="waiting", attempts=0, reason="", held_by=4)
        self.all = {
            x.id: x
            for x in (
                dead,
                replace(dead, id=2, state="done"),
                replace(dead, id=3, payload={"order": "MO-2"}),
                opening,
                step,
                replace(step, id=6, kind="close-ticket"),
                replace(opening, id=7, payload={"ticket": ELSEWHERE}),
                replace(dead, id=8, kind="erp-news", payload={"subject": "orders"}),
            )
        }

    async def sent(self, subjects: Sequence[str], most: int) -> list[Exchange]:
        found = [e for e in await self.exchanges() if e.subject in subjects and e.after]
        return found[:most]

    async def exchanges(self, document: str = "", before: int = 0, limit: int = 100) -> list[Exchange]:
        out = Exchange(NOON, Direction.OUT, "report-operation", "report:R1", Outcome.DONE)
        taken = replace(out, direction=Direction.IN, outcome=Outcome.TAKEN)
        found = [
            replace(out, after={"order": "MO-1", "operation": "10"}, id=7),
            replace(out, after={"order": "MO-2", "operation": "10"}, id=6),
            replace(taken, subject="ticket", document=HERE, id=5),
            replace(taken, subject="ticket", document=ELSEWHERE, id=4),
            replace(taken, subject="order", document="order:MO-2", after={"equipment": PRESS}, id=3),
            replace(taken, subject="equipment", document="EQ-1", after={"equipment": PRESS}, id=2),
            replace(out, after={"order": "MO-2", "equipment": PRESS}, id=1),
        ]
        return [e for e in found if (not before or e.id < before) and e.document.startswith(document)][:limit]

    async def machines(self, tickets: Any) -> dict[str, str]:
        return {t: MACHINES[t] for t in tickets if t in MACHINES}

    async def orders(self, numbers: Any) -> list[WorkOrder]:
        name = Words("油泵", "Pump")
        return [
            WorkOrder(n, "A100", name, 100, NOON, jobs=(JobOrder(n, "10", name, LINES[n], 100),))
            for n in numbers
            if n in LINES
        ]

    async def confirm_change(self, change_id: int, seen: datetime, by: str, at: datetime) -> OrderChange:
        if change_id not in self.changes:
            raise NotFound("not-found", "there is no such change")
        return self.changes.pop(change_id)

    async def letters(self, dead: bool = True, before: int = 0, limit: int = 100) -> list[Letter]:
        found = [x for x in self.all.values() if not x.held_by and (x.state == "dead") == dead]
        return sorted((x for x in found if not before or x.id < before), key=lambda x: -x.id)[:limit]

    async def held(self, letters: Any) -> list[Letter]:
        return [x for x in self.all.values() if x.held_by in letters]

    async def unfinished(self, lane: str) -> list[Letter]:
        return [one for one in self.all.values() if one.lane == lane and one.state != "done"]

    async def piles(self) -> list[Pile]:
        dead = 1
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
