"""One carrier: what waits for it, what it may be given this minute, and the giving."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

import structlog

from hub import metrics
from hub.claims import Claims
from hub.config import WordsBlock
from hub.errors import DeliveryDeferred, DeliveryRefused, NotFound
from hub.failpoint import failpoint
from hub.model.alarm import Alarm, Priority
from hub.model.intent import Errand
from hub.model.message import Message, Receipt
from hub.model.words import Language
from hub.ports import Clock, Ledger, Notifier, Plant
from notifiers import wording
from notifiers.exchange import NeverLeft
from notifiers.facts import Facts
from notifiers.throttle import (
    Budget,
    Bundle,
    Limits,
    Send,
    Wait,
    delay,
    next_step,
    noted,
    remembered,
    tries,
)
from notifiers.wanted import no_longer

log = structlog.get_logger(__name__)

TRAY = 200  # so many and it is a flood: no need to wait for the rest
LIMIT_PAUSE = timedelta(seconds=60)  # when the carrier did not say how long


@runtime_checkable
class Tuned(Protocol):
    """What a notifier may say about itself; one that does not gets Chinese and the defaults of `Limits`."""

    person_key: wording.PersonKey

    @property
    def language(self) -> Language: ...

    @property
    def limits(self) -> Limits: ...


@dataclass(frozen=True, slots=True)
class Item:
    """An errand of this carrier, claimed and not yet finished."""

    errand: Errand
    facts: Facts


@dataclass(frozen=True, slots=True)
class Shared:
    """What all channels share."""

    outbox: Claims
    ledger: Ledger
    clock: Clock
    plant: Plant | None
    board: str  # address of the board, for digests


class Channel:
    """Tells one thing at a time, so that its budget is never overdrawn; never waits while it holds an errand:
    what cannot be said now goes back into the outbox until its time."""

    def __init__(self, name: str, notifier: Notifier, shared: Shared) -> None:
        self.name = name
        self._notifier = notifier
        self._shared = shared
        tuned = notifier if isinstance(notifier, Tuned) else None
        self._language: Language = tuned.language if tuned else "zh"
        self._limits = tuned.limits if tuned else Limits()
        self._person_key: wording.PersonKey = tuned.person_key if tuned else ""
        self._budget = Budget()
        self._tray: list[Item] = []
        self._stirred = asyncio.Event()
        self._over = False
        self._complete = False
        self._untold: set[int] = set()  # alarms whose raising was dropped
        self._health: dict[str, Any] = {"sent": 0, "dropped": 0, "dead": 0, "last_error": ""}

    # -------------------------------------------------------------- from the runner
    def take(self, item: Item) -> None:
        """A critical alarm is told at once; with the others we wait a moment to see how many there are."""
        self._tray.append(item)
        self._complete = len(self._tray) >= TRAY
        if item.facts.priority is Priority.CRITICAL or self._complete:
            self._stirred.set()

    def settle(self) -> None:
        """Everything that was due has been handed out."""
        self._complete = True
        if self._tray:
            self._stirred.set()

    def health(self) -> dict[str, Any]:
        """For the status page: counts, the last success and error, and until when it is held."""
        now = self._shared.clock.monotonic()
        held = self._budget.held_until - now
        free = self._budget.free(now, self._limits, critical=False)
        return self._health | {"held_seconds": round(max(0.0, held), 1), "free": free}

    async def run(self) -> None:
        """Until cancelled or told to end."""
        self._budget = remembered(
            await self._shared.ledger.mark(self._mark),
            self._shared.clock.monotonic(),
            self._shared.clock.now(),
        )
        while not self._over:
            await self._stirred.wait()
            self._stirred.clear()
            while self._ripe() and not self._over:
                await self._step()

    def end(self) -> None:
        """Begin nothing more."""
        self._over = True
        self._stirred.set()

    async def put_all_back(self) -> None:
        """At an orderly end: what was never begun is not in doubt."""
        await self._back(self._pick(range(len(self._tray))), "the hub was stopped", 0.0)

    # -------------------------------------------------------------- one step
    def _ripe(self) -> list[int]:
        """Which of the tray may be told now: all once it is complete, until then the critical ones."""
        return [
            n
            for n, item in enumerate(self._tray)
            if self._complete or item.facts.priority is Priority.CRITICAL
        ]

    async def _step(self) -> None:
        now = self._shared.clock.monotonic()
        ripe = self._ripe()
        step = next_step([self._tray[n].facts.priority for n in ripe], self._budget, self._limits, now)
        match step:
            case Send(index):
                await self._tell_one(self._pick([ripe[index]])[0])
            case Bundle(indices):
                await self._tell_many(self._pick([ripe[i] for i in indices]))
            case Wait(indices, until, reason):
                await self._back(self._pick([ripe[i] for i in indices]), reason, until - now)

    def _pick(self, indices: Sequence[int]) -> list[Item]:
        chosen = [self._tray[i] for i in indices]
        left = set(range(len(self._tray))) - set(indices)
        self._tray = [self._tray[i] for i in sorted(left)]
        return chosen

    async def _tell_one(self, item: Item) -> None:
        alarm = await self._alarm(item.facts.alarm_id)
        item = self._placed(item, alarm)
        if await self._dropped(item, alarm) or not await self._ours([item]):
            return
        message = wording.message(
            item.facts,
            key=item.errand.intent.key,
            now=self._shared.clock.now(),
            language=self._language,
            person_key=self._person_key,
            repeat=item.errand.in_doubt,
            blind=alarm is not None and alarm.blind,
        )
        await self._say(message, [item])

    async def _tell_many(self, items: list[Item]) -> None:
        alarms = {a.id: a for a in await self._shared.ledger.open_alarms()}
        wanted = []
        for item in items:
            # not among the open ones and told as raised: it is normal again
            alarm = alarms.get(item.facts.alarm_id) or await self._alarm(item.facts.alarm_id)
            if not await self._dropped(item, alarm):
                wanted.append(self._placed(item, alarm))
        wanted = await self._ours(wanted)
        if len(wanted) < 2:
            self._tray = wanted + self._tray
            return
        message = wording.digest(
            [i.facts for i in wanted],
            keys=[i.errand.intent.key for i in wanted],
            now=self._shared.clock.now(),
            language=self._language,
            person_key=self._person_key,
            repeat=any(i.errand.in_doubt for i in wanted),
            link=self._shared.board,
        )
        await self._say(message, wanted)

    async def _alarm(self, alarm_id: int) -> Alarm | None:
        if not alarm_id:
            return None
        try:
            async with self._shared.ledger.begin() as tx:
                return await tx.alarm(alarm_id)
        except NotFound:
            return None

    def _placed(self, item: Item, alarm: Alarm | None) -> Item:
        """With the name of its line, which a digest counts by."""
        plant = self._shared.plant
        if item.facts.line is not None or alarm is None or plant is None:
            return item
        machine = plant.equipment.get(alarm.equipment)
        line = plant.equipment.get(machine.parent) if machine else None
        if line is None:
            return item
        words = WordsBlock(**line.name.as_dict())
        return Item(item.errand, item.facts.model_copy(update={"line": words}))

    async def _ours(self, items: list[Item]) -> list[Item]:
        """Right before telling: without those that another worker took while we were paused."""
        kept = [i for i in items if await self._shared.outbox.still_ours(i.errand)]
        if len(kept) < len(items):
            log.warning("message.taken_over", notifier=self.name, count=len(items) - len(kept))
        return kept

    async def _dropped(self, item: Item, alarm: Alarm | None) -> bool:
        reason = no_longer(item.facts, alarm, untold=item.facts.alarm_id in self._untold)
        if not reason:
            return False
        if item.facts.event == "cleared":
            self._untold.discard(item.facts.alarm_id)
        elif not item.errand.in_doubt:
            self._untold.add(item.facts.alarm_id)
        self._health["dropped"] += 1
        await self._finish(item, {"dropped": reason})
        log.info("message.dropped", notifier=self.name, key=item.errand.intent.key, reason=reason)
        return True

    # -------------------------------------------------------------- saying it, and what came of it
    async def _say(self, message: Message, items: list[Item]) -> None:
        try:
            receipt = await self._notifier.send(message)
        except DeliveryDeferred as trouble:
            await self._deferred(items, trouble)
        except DeliveryRefused as trouble:
            await self._refused(items, str(trouble))
        else:
            failpoint("notifier.sent_before_mark")
            await self._told(message, items, receipt)

    async def _told(self, message: Message, items: list[Item], receipt: Receipt) -> None:
        clock = self._shared.clock
        messages = int(receipt.detail.get("messages", "1"))
        await self._spend(self._budget.after_sending(clock.monotonic(), messages))
        self._health |= {"sent": self._health["sent"] + messages, "last_ok": clock.now().isoformat()}
        said: dict[str, Any] = {"carrier_id": receipt.carrier_id, "headline": message.headline}
        said |= {"detail": receipt.detail, "at": clock.now().isoformat(), "repeat": message.repeat}
        if len(items) > 1:
            said["digest_of"] = len(items)
        for item in items:
            await self._finish(item, said)
        since = clock.now() - min(i.errand.written_at for i in items)
        metrics.notification(self.name, "sent")
        log.info("message.told", notifier=self.name, key=message.key, of=len(items),
                 seconds=round(since.total_seconds(), 3), repeat=message.repeat)  # fmt: skip

    async def _deferred(self, items: list[Item], trouble: DeliveryDeferred) -> None:
        now = self._shared.clock.monotonic()
        self._health["last_error"] = str(trouble)
        if trouble.limited:
            pause = trouble.retry_after or LIMIT_PAUSE
            await self._spend(self._budget.after_limit(now + pause.total_seconds()))
            await self._back(items, str(trouble), pause.total_seconds(), in_doubt=trouble.in_doubt)
        else:
            left = not isinstance(trouble, NeverLeft)
            spent = self._budget.after_sending(now, failed=True) if left else self._budget
            await self._spend(spent.after_failure(now))
            for item in items:
                await self._try_later(item, trouble)
        metrics.notification(self.name, "limited" if trouble.limited else "deferred")
        log.warning("message.deferred", notifier=self.name, of=len(items), limited=trouble.limited,
                    reason=str(trouble))  # fmt: skip

    async def _try_later(self, item: Item, trouble: DeliveryDeferred) -> None:
        attempt, priority = item.errand.attempts, item.facts.priority
        if attempt >= tries(priority):
            await self._give_up(item, f"{attempt} tries: {trouble}")
            return
        pause = max(delay(priority, attempt, random.random()), trouble.retry_after or timedelta())
        retry_at = self._shared.clock.now() + pause
        await self._shared.outbox.put_back(
            item.errand, str(trouble), retry_at, counted=True, in_doubt=trouble.in_doubt
        )

    async def _refused(self, items: list[Item], reason: str) -> None:
        await self._spend(self._budget.after_sending(self._shared.clock.monotonic()))
        self._health["last_error"] = reason
        for item in items:
            await self._give_up(item, reason)
        metrics.notification(self.name, "refused")
        log.error("message.refused", notifier=self.name, of=len(items), reason=reason)

    async def _give_up(self, item: Item, reason: str) -> None:
        self._health["dead"] += 1
        await self._shared.outbox.give_up(item.errand, reason)

    async def _finish(self, item: Item, receipt: dict[str, Any]) -> None:
        if not await self._shared.outbox.done(item.errand, receipt):
            log.warning("message.fenced", notifier=self.name, key=item.errand.intent.key)

    async def _back(
        self, items: Sequence[Item], reason: str, seconds: float, *, in_doubt: bool = False
    ) -> None:
        retry_at = self._shared.clock.now() + timedelta(seconds=max(0.0, seconds))
        for item in items:
            await self._shared.outbox.put_back(
                item.errand, reason, retry_at, counted=False, in_doubt=in_doubt
            )

    @property
    def _mark(self) -> str:
        return f"notifier:{self.name}"

    async def _spend(self, budget: Budget) -> None:
        """The vendor goes on counting while we are away: so does the record, before anything is finished."""
        self._budget = budget
        clock = self._shared.clock
        async with self._shared.ledger.begin() as tx:
            await tx.set_mark(self._mark, noted(self._budget, clock.monotonic(), clock.now()))
