"""What people may do about rush orders: each wish is one transaction, one at a time in the whole plant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from erp_bridge.foresight import foresight, still_so
from erp_bridge.rush import preview
from erp_bridge.rush_notices import Crowd, as_foreseen
from hub.errors import Conflict, NotFound
from hub.failpoint import failpoint
from hub.model.alarm import Priority
from hub.model.intent import Intent, IntentKind
from hub.model.people import Person
from hub.model.production import JobProgress, WorkOrder
from hub.model.rush import ErpWord, Fate, Foresight, Rush, Sight, Standing, Terms, Told
from hub.ports import Clock, Plant, Rushes, RushTx, Stale

log = structlog.get_logger(__name__)

UNDO = timedelta(minutes=10)
LOOK_EVERY = 2.0  # seconds; for what the ERP has refused
Shout = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class OrderRushDesk:
    """The RushDesk of hub.ports. `erp`: there is one that takes changes of orders."""

    plant: Plant
    rushes: Rushes
    clock: Clock
    shout: Shout
    crowd: Crowd
    erp: bool = True
    undo_within: timedelta = UNDO

    # ---------------------------------------------------------------- looking
    async def foresee(self, number: str, due_at: datetime | None = None) -> Foresight:
        async with self.rushes.look() as tx:
            orders, progress = await tx.orders(), await tx.progress()
        return await self._foreseen(number, orders, progress, due_at)

    async def order(self, number: str) -> WorkOrder:
        async with self.rushes.look() as tx:
            return _found(number, await tx.orders())

    async def standing(self, number: str) -> Standing | None:
        rush = await self.rushes.newest(number)
        return (await self._standings([rush]))[0] if rush else None

    async def recent(self, limit: int) -> list[Standing]:
        return await self._standings(await self.rushes.recent(limit))

    async def _foreseen(
        self, number: str, orders: Sequence[WorkOrder], progress: Sequence[JobProgress],
        due_at: datetime | None,
    ) -> Foresight:  # fmt: skip
        """In a thread: five hundred orders must not keep a wall from its next second."""
        now = self.clock.now()

        def think() -> Foresight:
            found = preview(number, orders, progress, self.plant, self.plant.targets, now, due_at)
            return foresight(found, orders, progress, self.crowd.sellers_of, now)

        return await asyncio.to_thread(think)

    # ---------------------------------------------------------------- the tap
    async def tap(
        self,
        number: str,
        by: Person,
        digest: str,
        due_at: datetime | None = None,
        reason: str = "",
        tap: str = "",
    ) -> Standing:
        async with self.rushes.begin() as tx:
            orders, progress = await tx.orders(), await tx.progress()
            order = _found(number, orders)
            last = await self._holding(tx, order)
            same_date = due_at is None or due_at == order.due_at
            if last is not None and same_date and (last.by, last.tap) == (by.id, tap):
                rush, again = last, True
            else:
                if last is not None and same_date:
                    raise Conflict("rush-taken", last.by)
                sight = await self._foreseen(number, orders, progress, due_at)
                if not still_so(digest, sight.digest):
                    raise Stale(sight)
                rush, again = await self._write(tx, order, sight, by, reason, tap), False
        if not again:
            failpoint("rush.after_tap")
            await self._told(rush)
        return (await self._standings([rush]))[0]

    async def _holding(self, tx: RushTx, order: WorkOrder) -> Rush | None:
        """The tap by which it is a rush order now."""
        last = await tx.newest(order.number)
        if last is None or last.undone_at is not None or not order.rush:
            return None
        fate = (await tx.fates([last.key])).get(last.key)
        return None if fate is not None and fate.state == "dead" else last

    async def _write(
        self, tx: RushTx, order: WorkOrder, sight: Foresight, by: Person, reason: str, tap: str
    ) -> Rush:
        now = self.clock.now()
        rush = await tx.add(
            Rush(
                order.number, by.id, now, now + self.undo_within,
                Terms(order.priority, order.rush, order.due_at), sight.terms, reason, tap,
                as_foreseen(sight), self.crowd.audience(sight), told_erp=self.erp,
            )
        )  # fmt: skip
        await self._intend(tx, rush, rush.key, rush.before, rush.after, reason)
        for intent in self.crowd.made(rush):
            await tx.intend(intent)
        await tx.audit(now, by.id, "rush", f"order:{order.number}", {
            "rush": rush.id, "reason": reason, "before": _terms(rush.before), "after": _terms(rush.after),
            "losers": [slip.order for slip in sight.losers],
        })  # fmt: skip
        return rush

    async def _intend(
        self, tx: RushTx, rush: Rush, key: str, before: Terms, after: Terms, reason: str
    ) -> None:
        """What does not change stays out: the ERP's own words for it are left as they are."""
        if not self.erp:
            return
        moved = after.due_at != before.due_at
        payload = {
            "order": rush.order,
            "priority": after.priority,
            "rush": after.rush,
            "due_at": after.due_at.isoformat() if moved else None,
            "reason": reason,
        }
        intent = Intent(IntentKind.CHANGE_ORDER, key, f"order:{rush.order}", payload, priority=Priority.HIGH)
        await tx.intend(intent)

    # ---------------------------------------------------------------- undoing
    async def undo(self, number: str, by: Person) -> Standing:
        async with self.rushes.begin() as tx:
            last = await tx.newest(number)
            if last is None:
                _found(number, await tx.orders())
                raise Conflict("rush-none", "nobody has made it a rush order here")
            if last.undone_at is not None:
                if last.undone_by != by.id:
                    raise Conflict("rush-undone", last.undone_by)
                rush, again = last, True
            else:
                await self._refuse_undo(tx, last)
                rush, again = await self._unwrite(tx, last, by), False
        if not again:
            failpoint("rush.after_undo")
            await self._told(rush)
        return (await self._standings([rush]))[0]

    async def _refuse_undo(self, tx: RushTx, last: Rush) -> None:
        fate = (await tx.fates([last.key])).get(last.key)
        if fate is not None and fate.state == "dead":
            raise Conflict("rush-refused", fate.reason)
        if self.clock.now() >= last.until:
            raise Conflict("rush-window", "the time for undoing it is over")

    async def _unwrite(self, tx: RushTx, last: Rush, by: Person) -> Rush:
        now = self.clock.now()
        rush = await tx.undo(last, now, by.id)
        if rush.told_erp:
            await self._intend(tx, rush, rush.undo_key, rush.after, rush.before, "撤销插单")
        for intent in self.crowd.undone(rush):
            await tx.intend(intent)
        about = {"rush": rush.id, "before": _terms(rush.after), "after": _terms(rush.before)}
        await tx.audit(now, by.id, "rush-undo", f"order:{rush.order}", about)
        return rush

    # ---------------------------------------------------------------- how it stands
    async def _standings(self, rushes: Sequence[Rush]) -> list[Standing]:
        messages = {rush.id: self.crowd.keys(rush) for rush in rushes}
        keys = [rush.key for rush in rushes] + [key for many in messages.values() for *_, key in many]
        fates = await self.rushes.fates(keys)
        seen = await self.rushes.sights([rush.id for rush in rushes])
        return [
            replace(
                _standing(rush, messages[rush.id], fates), seen=tuple(s for s in seen if s.rush == rush.id)
            )
            for rush in rushes
        ]

    async def saw(self, number: str, by: Person) -> None:
        standing = await self.standing(number)
        if standing is None or not any(by.id in people for people in standing.rush.audience.values()):
            return
        if await self.rushes.saw(Sight(standing.rush.id, standing.state, by.id, self.clock.now())):
            await self._told(standing.rush)

    async def _told(self, rush: Rush) -> None:
        await self.shout({"kind": "order", "order": rush.order})

    # ---------------------------------------------------------------- what the ERP refuses
    async def watch(self) -> None:
        """Until cancelled: people hear of a refusal once, whoever of several processes sees it first."""
        while True:
            for rush in await self.rushes.refused():
                await self._tell_refusal(rush)
            await self.clock.sleep(LOOK_EVERY)

    async def _tell_refusal(self, seen: Rush) -> None:
        async with self.rushes.begin() as tx:
            rush = await tx.newest(seen.order)
            fate = (await tx.fates([seen.key])).get(seen.key)
            if fate is None or fate.state != "dead":
                return
            if rush is not None and rush.id == seen.id and rush.refusal_told_at is not None:
                return
            for intent in self.crowd.refused(seen, fate.reason):
                await tx.intend(intent)
            await tx.refusal_told(seen, self.clock.now())
            about = {"rush": seen.id, "reason": fate.reason}
            await tx.audit(self.clock.now(), "erp", "rush-refused", f"order:{seen.order}", about)
        log.warning("rush.refused", order=seen.order, reason=fate.reason)
        await self._told(seen)


def _found(number: str, orders: Sequence[WorkOrder]) -> WorkOrder:
    for order in orders:
        if order.number == number:
            return order
    raise NotFound("order", f"there is no order {number}")


def _terms(terms: Terms) -> dict[str, Any]:
    return {"priority": terms.priority, "rush": terms.rush, "due_at": terms.due_at.isoformat()}


def _standing(rush: Rush, messages: Sequence[tuple[str, str, str]], fates: Mapping[str, Fate]) -> Standing:
    told = tuple(
        Told(event, audience, tuple(rush.audience.get(audience, ())), fates[key])
        for event, audience, key in messages
        if key in fates
    )
    errand = fates.get(rush.key)
    if not rush.told_erp:
        return Standing(rush, ErpWord.NONE, None, "", told)
    if errand is None:  # done, and so long ago that the outbox has forgotten it
        return Standing(rush, ErpWord.DONE, None, "", told)
    words = {"done": ErpWord.DONE, "dead": ErpWord.REFUSED}
    reason = "" if errand.state == "done" else errand.reason
    return Standing(rush, words.get(errand.state, ErpWord.WAITING), errand.at, reason, told)
