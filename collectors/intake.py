"""Typed events of an MES onto the record: each once, with its verdict; rejects are kept for people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from collectors.mes_events import Event, named, read
from collectors.mes_faults import Unreadable, reason_of
from collectors.mes_house import NO_PLACE, House, noted
from collectors.mes_unknown import Unknown
from collectors.runner import Shout, book, pass_on
from hub import patience
from hub.errors import RecordAway, Undone
from hub.failpoint import failpoint
from hub.model.intake import Fault, Reject, Uptake, Verdict
from hub.model.intent import Intent
from hub.model.production import JobResponse, Posting, WorkOrder
from hub.model.words import Words
from hub.ports import Clock, EventSource, Ledger, Tx

_TRIES = 5
TURN = 10.0  # seconds that a push or a person waits for the others
_TURNS: WeakKeyDictionary[Ledger, asyncio.Lock] = WeakKeyDictionary()
_Done = TypeVar("_Done")
ANOTHER = Fault(
    "id",
    Words(
        "此编号已用于内容不同的事件；更正请用新的编号",
        "was used before for other content; give a correction an id of its own",
    ),
)


class _OnlyAsked(Exception):
    """Undoes what was tried."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict


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
        unknown: Unknown | None = None,
        house: House | None = None,
    ) -> None:
        self.name = name
        self._source, self._ledger, self._clock, self._shout = source, ledger, clock, shout
        self._on_state = on_state
        self._up = False
        self._unknown, self._house = unknown or Unknown(), house or House()

    async def alive(self) -> None:
        if not self._up:
            self._up = True
            await self._on_state(True, "")

    async def take(self, records: Sequence[Any]) -> list[Verdict]:
        found = [(record, self._read(record)) for record in records]

        async def all_of_them(tx: Tx, touched: set[str]) -> list[Verdict]:
            return [await self._one(tx, record, event, touched) for record, event in found]

        verdicts = await self._written(all_of_them)
        for (_, event), verdict in zip(found, verdicts, strict=True):
            if isinstance(event, Event) and verdict.fate is Uptake.TAKEN:
                self._count(event)
        return verdicts

    async def again(self, reject: Reject) -> Verdict:
        """A record that was rejected, once more; rejected again, it is the same reject one more time."""
        verdicts = await self.take([json.loads(reject.record)])
        return verdicts[0]

    async def correct(self, event: Any, *, take: bool) -> Verdict:
        """What a person made of a record that was rejected. What is wrong with it is told and not kept."""
        try:
            made = read(event, self._clock.now())
        except Unreadable as why:
            return Verdict("", Uptake.REJECTED, why.faults)

        async def this_one(tx: Tx, touched: set[str]) -> Verdict:
            verdict = await self._judged(tx, made, touched)
            if not take:
                raise _OnlyAsked(verdict)
            return verdict

        try:
            return await self._written(this_one)
        except _OnlyAsked as asked:  # it was undone
            return asked.verdict

    async def _written(self, work: Callable[[Tx, set[str]], Awaitable[_Done]]) -> _Done:
        """One transaction, and the orders that it touched are told. Two batches that touch the same orders
        in another order each wait for the other: those of this process take turns, and one that is undone
        because of another process is taken once more."""
        for tried in range(1, _TRIES + 1):
            touched: set[str] = set()
            try:
                async with self._turn(), self._ledger.begin() as tx:
                    done = await work(tx, touched)
                    failpoint("mes.event_before_commit")
                break
            except Undone:
                if tried == _TRIES:
                    raise
        failpoint("mes.event_after_commit")
        for order in sorted(touched):
            await self._shout({"kind": "order", "number": order})
        return done

    async def _judged(self, tx: Tx, event: Event, touched: set[str]) -> Verdict:
        taken = await self._taken(tx, event, touched)
        faults = (ANOTHER,) if taken is Uptake.REJECTED else ()
        notes: tuple[Fault, ...] = ()
        if taken is Uptake.TAKEN:
            strange = (Fault(field, NO_PLACE) for field, _ in self._house.strange(event.thing))
            notes = (*await noted(tx, event.thing), *dict.fromkeys(strange))
        return Verdict(event.id, taken, faults, event.ignored, notes)

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

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Waited for here, where no connection is held and no patience is spent meanwhile. Whoever has any
        does not wait for ever, for the database may be silent towards the one whose turn it is."""
        turn = _TURNS.setdefault(self._ledger, asyncio.Lock())
        try:
            async with asyncio.timeout(TURN if patience.present() else None):
                await turn.acquire()
        except TimeoutError:
            raise RecordAway(f"others have been writing for {TURN:g} s") from None
        try:
            yield
        finally:
            turn.release()

    def _marked(self, name: str) -> str:
        return f"mes:{self.name}:{name}"

    def _read(self, record: Any) -> Event | Unreadable:
        try:
            return read(self._source.event_of(record), self._clock.now())
        except Unreadable as why:
            return why

    async def _one(self, tx: Tx, record: Any, event: Event | Unreadable, touched: set[str]) -> Verdict:
        if isinstance(event, Unreadable):
            return await self._reject(tx, record, event.faults)
        verdict = await self._judged(tx, event, touched)
        if verdict.fate is Uptake.REJECTED:
            return await self._reject(tx, record, verdict.faults)
        return verdict

    def _count(self, event: Event) -> None:
        self._unknown.count(self.name, event.kind, event.ignored)
        for field, place in self._house.strange(event.thing):
            self._unknown.place(self.name, event.kind, field, place)

    async def _taken(self, tx: Tx, event: Event, touched: set[str]) -> Uptake:
        taken = Uptake.TAKEN
        if event.id:
            taken = await tx.take_event(self.name, event.kind, event.id, event.digest, self._clock.now())
        if taken is Uptake.TAKEN and not await self._write(tx, event, touched):
            return Uptake.REPEAT
        return taken

    async def _reject(self, tx: Tx, record: Any, faults: tuple[Fault, ...]) -> Verdict:
        try:
            kind, name = named(self._source.event_of(record))
        except Unreadable as why:
            kind, name = why.kind, why.name
        now, text = self._clock.now(), json.dumps(record, default=str)  # ASCII: the record holds any text so
        place = getattr(self._source, "place", ())  # where it stood, which says nothing of what it is
        same = json.dumps({n: v for n, v in record.items() if n not in place}, default=str) if place else ""
        await tx.reject(Reject(self.name, kind, name, text, reason_of(faults), now, now, same=same))
        return Verdict(name, Uptake.REJECTED, faults)

    async def _write(self, tx: Tx, event: Event, touched: set[str]) -> bool:
        """False when it was on record just so."""
        match event.thing:
            case WorkOrder() as order:
                if await self._save(tx, order, event):
                    touched.add(order.number)
                    return True
            case JobResponse() as told:
                if report := await tx.add_response(told, self.name, self._house.peers):
                    touched.add(report.order)
                    if report.stated and not self._house.erp:
                        await tx.follow_reports(report.order)
                    await self._tell_erp(tx, pass_on(report))
                    return True
            case Posting() as told:
                if posting := await tx.add_posting(told, self.name, self._house.peers):
                    await self._tell_erp(tx, book(posting))
                    return True
        return False

    async def _save(self, tx: Tx, order: WorkOrder, event: Event) -> bool:
        """Its state is the office's word; where there is no office, that of the MES."""
        state = None if self._house.erp else event.state
        return await tx.save_floor_order(order, state, event.changed_at)

    async def _tell_erp(self, tx: Tx, intent: Intent) -> None:
        if self._house.erp:
            await tx.intend(intent)
