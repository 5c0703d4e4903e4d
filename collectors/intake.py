"""Typed events of an MES onto the record: each once, with its verdict; rejects are kept for people."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from collectors.mes_events import Event, named, read
from collectors.mes_faults import Unreadable, reason_of
from collectors.runner import Shout, book, pass_on
from hub.failpoint import failpoint
from hub.model.intake import Fault, Reject, Uptake, Verdict
from hub.model.production import JobResponse, Posting, WorkOrder
from hub.model.words import Words
from hub.ports import Clock, EventSource, Ledger, Tx

_log = logging.getLogger(__name__)
_MOST_TOLD = 100  # sets of unknown fields: a sender with ever new names does not fill the log
ANOTHER = Fault(
    "id",
    Words(
        "此编号已用于内容不同的事件；更正请用新的编号",
        "was used before for other content; give a correction an id of its own",
    ),
)


async def _nobody(up: bool, error: str) -> None:
    """Where nobody asks whether the source is up."""


class Intake:
    """hub.ports.MesIntake of one source.

    The events of a batch, what the ERP is to be told of them and the rejects are one transaction, so that a
    crash at any point neither loses nor doubles one: whoever reads marks afterwards how far it is, and what
    is read again is a repeat.
    """

    def __init__(
        self,
        name: str,
        source: EventSource,
        ledger: Ledger,
        clock: Clock,
        shout: Shout,
        on_state: Callable[[bool, str], Awaitable[None]] = _nobody,
    ) -> None:
        self.name = name
        self._source, self._ledger, self._clock, self._shout = source, ledger, clock, shout
        self._on_state = on_state
        self._up = False
        self._ignored: set[tuple[str, tuple[str, ...]]] = set()

    async def alive(self) -> None:
        if not self._up:
            self._up = True
            await self._on_state(True, "")

    async def take(self, records: Sequence[Any]) -> list[Verdict]:
        found = [(record, self._read(record)) for record in records]
        touched: set[str] = set()
        async with self._ledger.begin() as tx:
            verdicts = [await self._one(tx, record, event, touched) for record, event in found]
            failpoint("mes.event_before_commit")
        failpoint("mes.event_after_commit")
        for order in sorted(touched):
            await self._shout({"kind": "order", "number": order})
        return verdicts

    async def again(self, reject: Reject) -> Verdict:
        """A record that was rejected, once more; rejected again, it is the same reject one more time."""
        verdicts = await self.take([json.loads(reject.record)])
        return verdicts[0]

    async def mark(self, name: str) -> str:
        return await self._ledger.mark(self._marked(name))

    async def set_mark(self, name: str, value: str) -> None:
        failpoint("mes.before_mark")
        async with self._ledger.begin() as tx:
            await tx.set_mark(self._marked(name), value)

    async def remember(self, kind: str, what: str) -> bool:
        failpoint("mes.before_mark")
        async with self._ledger.begin() as tx:
            taken = await tx.take_event(self.name, kind, what, what, self._clock.now())
        return taken is Uptake.TAKEN

    async def remembers(self, kind: str, what: str) -> bool:
        async with self._ledger.begin() as tx:
            return await tx.knows_event(self.name, kind, what)

    def _marked(self, name: str) -> str:
        return f"mes:{self.name}:{name}"

    def _read(self, record: Any) -> Event | Unreadable:
        try:
            return read(self._source.event_of(record))
        except Unreadable as why:
            return why

    async def _one(self, tx: Tx, record: Any, event: Event | Unreadable, touched: set[str]) -> Verdict:
        if isinstance(event, Unreadable):
            return await self._reject(tx, record, event.faults)
        if (
            event.ignored
            and len(self._ignored) < _MOST_TOLD
            and (event.kind, event.ignored) not in self._ignored
        ):
            self._ignored.add((event.kind, event.ignored))
            _log.warning(
                "%s: %s: fields that we do not know are left out: %s",
                self.name, event.kind, ", ".join(map(repr, event.ignored)),
            )  # fmt: skip
        taken = Uptake.TAKEN
        if event.id:
            taken = await tx.take_event(self.name, event.kind, event.id, event.digest, self._clock.now())
        if taken is Uptake.REJECTED:
            return await self._reject(tx, record, (ANOTHER,))
        if taken is Uptake.TAKEN and not await _write(tx, event.thing, touched):
            taken = Uptake.REPEAT
        return Verdict(event.id, taken, ignored=event.ignored)

    async def _reject(self, tx: Tx, record: Any, faults: tuple[Fault, ...]) -> Verdict:
        try:
            kind, name = named(self._source.event_of(record))
        except Unreadable:
            kind, name = "", ""
        now, text = self._clock.now(), json.dumps(record, default=str)  # ASCII: the record holds any text so
        await tx.reject(Reject(self.name, kind, name, text, reason_of(faults), now, now))
        return Verdict(name, Uptake.REJECTED, faults)


async def _write(tx: Tx, thing: WorkOrder | JobResponse | Posting, touched: set[str]) -> bool:
    """False when it was on record just so."""
    match thing:
        case WorkOrder():
            new, order = await tx.save_order(thing, keep_state=True), thing.number
        case JobResponse():
            new, order = await tx.add_response(thing), thing.order
            if new:
                await tx.intend(pass_on(thing))
        case Posting():
            if new := await tx.add_posting(thing):
                await tx.intend(book(thing))
            return new
    if new:
        touched.add(order)
    return new
