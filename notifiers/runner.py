"""Empties the outbox of what is to be told to people."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from hub.claims import Claims
from hub.failpoint import failpoint
from hub.model.intent import Errand, IntentKind
from hub.ports import Clock, Ledger, Notifier, Outbox, Plant
from notifiers.channel import Channel, Item, Shared
from notifiers.facts import Unreadable, read
from notifiers.throttle import CRITICAL_TRIES, tries

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0  # seconds; for what has become due without anything being written


class NotifierRunner:
    """One loop claims and hands out; one task for each carrier tells. No carrier waits for another one.

    Promises: every intent ends told, dropped with a reason, or in the dead letters with a reason. Without a
    crash it is told once. After a crash between sending and marking it is told once more, marked as a repeat.
    """

    def __init__(
        self,
        outbox: Outbox,
        ledger: Ledger,
        notifiers: Mapping[str, Notifier],
        clock: Clock,
        *,
        worker: str = "notifier",
        plant: Plant | None = None,
        board: str = "",
    ) -> None:
        """`worker`: stable across restarts, differs between processes. `plant`: names lines in digests.
        `board`: address that digests link to. The notifiers stay the caller's: they are not closed here."""
        self._claims = Claims(outbox, worker, clock)
        self._over = False
        shared = Shared(self._claims, ledger, clock, plant, board)
        self._channels = {name: Channel(name, notifier, shared) for name, notifier in notifiers.items()}

    async def run(self) -> None:
        """Until cancelled; raises Transient when the record is away."""
        released = await self._claims.release()
        if released:
            log.info("messages.in_doubt", count=released)
        try:
            async with asyncio.TaskGroup() as group:
                for channel in self._channels.values():
                    group.create_task(self._live(channel), name=f"notifier {channel.name}")
                beat = group.create_task(self._claims.keep(), name="notifier claims")
                try:
                    await self._hand_out()
                finally:
                    beat.cancel()
        except asyncio.CancelledError:
            for channel in self._channels.values():
                await channel.put_all_back()
            raise

    def health(self) -> dict[str, Any]:
        """By notifier: sent, dropped, dead, last_ok, last_error, held_seconds, free."""
        return {name: channel.health() for name, channel in self._channels.items()}

    async def _live(self, channel: Channel) -> None:
        try:
            await channel.run()
        finally:
            self._end()

    def _end(self) -> None:
        """All or none: a flag beside the cancellation, which a library may swallow before Python 3.12."""
        self._over = True
        for channel in self._channels.values():
            channel.end()

    async def _hand_out(self) -> None:
        try:
            while not self._over:
                await self._hand_out_one()
        finally:
            self._end()

    async def _hand_out_one(self) -> None:
        errand = await self._claims.claim([IntentKind.TELL])
        if errand is None:
            for channel in self._channels.values():
                channel.settle()
            await self._claims.wait(LOOK_EVERY)
            return
        failpoint("notifier.after_claim")
        reason = self._give(errand)
        if reason:
            log.error("message.unusable", key=errand.intent.key, reason=reason)
            await self._claims.give_up(errand, reason)

    def _give(self, errand: Errand) -> str:
        """To its carrier, or why that cannot be."""
        try:
            facts = read(errand.intent.payload)
        except Unreadable as cause:
            return str(cause)
        channel = self._channels.get(facts.notifier)
        if channel is None:
            known = ", ".join(self._channels) or "none"
            return f"no notifier {facts.notifier!r} is configured; known are {known}"
        if errand.attempts > min(2 * tries(facts.priority), CRITICAL_TRIES):
            return f"begun {errand.attempts} times without coming to an end"
        channel.take(Item(errand, facts))
        return ""
