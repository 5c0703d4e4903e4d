"""Reports, scrap, receipts, issues and hours: transactions without a key, booked once all the same.

Before one is sent the production order is marked (oracle_mark) with what its counters say, on the order's own
version, so that of two workers only one gets as far as sending. Whoever comes after a doubtful end compares
the counters with the mark: moved by our quantity, it was done; not moved, it was not; otherwise somebody else
has booked too and a person has to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge import asked, left_out, oracle_mark
from erp_bridge.oracle_answers import OracleRefusal, Stale, TimedOut, failures, is_busy
from erp_bridge.oracle_client import PLAIN
from erp_bridge.oracle_maps import DETAILS
from erp_bridge.oracle_mark import Begun, Mark, Verdict
from erp_bridge.oracle_orders import Order, Orders
from erp_bridge.oracle_plans import Plan, Plans
from erp_bridge.oracle_records import TRIES, Records, Row
from hub.errors import AndonError, ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

_REMEMBERED = 5000  # keys of which this process knows the end
_LOOK_AGAIN = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Marked:
    order: Order
    plain: str  # what people have written beside the mark
    mark: Mark
    text: str = ""  # both, as Oracle has them


class Bookings:
    def __init__(self, records: Records, orders: Orders, clock: Clock) -> None:
        self._records = records
        self._config = records.config
        self._orders = orders
        self._clock = clock
        self._plans = Plans(records)
        self._orders_form = records.kinds["order"].form
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._booked: OrderedDict[str, str] = OrderedDict()  # digest -> order: answered for, in this process
        self._unwritten: dict[str, Mark] = {}  # by order, where a site wants no marks in Oracle
        self._kept: OrderedDict[str, Mark] = OrderedDict()  # by order, as this process has last written it
        self._ended: OrderedDict[str, str] = OrderedDict()  # digest -> order: sent, and the sending is over

    # ------------------------------------------------------------------ looking
    async def find(self, name: str, key: str) -> str | None:
        """From the order that says so; from the one whose counters do, when it was only begun."""
        known_as = oracle_mark.digest(name, key)
        for order in await self._candidates(known_as):
            marked = await self._marked(order)
            begun = marked.mark.begun
            if known_as in marked.mark.done:
                return _number(order, known_as)
            if begun is None or begun.digest != known_as:
                continue
            if known_as in self._booked or await self._verdict(order, begun) is Verdict.DONE:
                return _number(order, known_as)
        if number := self._booked.get(known_as):  # Oracle has told us so, whatever the mark says by now
            return f"{number}/{known_as}"
        await self._doubted()
        return None

    async def _doubted(self) -> None:
        """Says so where a booking without a mark may be one whose mark had to make room, or was lost."""
        about = asked.known()
        if about.first or not self._config.mark.attribute:
            return
        if about.order:
            order = await self._orders.one(about.order)
            orders = [order] if order else []
        else:
            orders = await self._candidates(oracle_mark.OLD)
        for order in orders:
            mark = (await self._marked(order)).mark
            if mark.may_have_dropped(about.at):
                left_out.note("order", order.number, f"{self._where()} had no room for older marks")
            elif about.order and about.sent and not mark.knows():
                left_out.note("order", order.number, f"our mark is not in {self._where()} any more")

    async def _candidates(self, known_as: str) -> list[Order]:
        number = self._booked.get(known_as) or self._ended.get(known_as)
        if number:
            order = await self._orders.one(number)
            return [order] if order else []
        mark = self._config.mark
        if not mark.attribute:
            return []
        attribute = f"{mark.child}.{mark.attribute}" if mark.child else mark.attribute
        since = self._clock.now() - self._config.marks_kept
        try:
            return await self._orders.holding(attribute, known_as, since)
        except OracleRefusal as refusal:
            if refusal.status != 400:
                raise
            log.info("orders cannot be asked for by %s; the order itself will tell (%s)", attribute, refusal)
            return []

    # ------------------------------------------------------------------ booking
    async def book(self, name: str, key: str, fields: Mapping[str, Any]) -> str:
        number, known_as = str(fields.get("order") or ""), oracle_mark.digest(name, key)
        async with self._turns.setdefault(number, asyncio.Lock()):
            for tries in range(TRIES):
                try:
                    return await self._booked_once(name, key, known_as, fields)
                except Stale:
                    if tries + 1 == TRIES:
                        raise
            raise AssertionError("the last try returns or raises")

    async def _booked_once(self, name: str, key: str, known_as: str, fields: Mapping[str, Any]) -> str:
        if booked := self._booked.get(known_as):
            return f"{booked}/{known_as}"
        order = await self._orders.one(str(fields.get("order") or ""))
        if order is None:
            raise self._too_early(fields, f"Oracle has no work order {fields.get('order')}")
        marked = await self._marked(order)
        if known_as in marked.mark.done:
            return _number(order, known_as)
        if known_as in marked.mark.unclear:
            raise self._parked(order, known_as)
        marked = await self._settled(marked, known_as)
        if known_as in marked.mark.done:
            return _number(order, known_as)
        ours = marked.mark.begun is not None and marked.mark.begun.digest == known_as
        if not ours and not asked.known().first and marked.mark.may_have_dropped(_instant(fields)):
            raise self._forgotten(order, known_as)
        self._must_be_ready(order, fields)
        plan = await self._plans.plan(name, key, fields, order)
        self._must_be_enough(order, plan, fields)
        await self._send(name, key, known_as, marked, plan, _instant(fields))
        return _number(order, known_as)

    async def _send(
        self, name: str, key: str, known_as: str, marked: Marked, plan: Plan, at: datetime | None
    ) -> None:
        order, before = marked.order, marked.mark.begun
        counters = await self._plans.counters(order, [move for move, _ in plan.rows])
        moves = before.moves if before else tuple(replace(m, base=counters[m.counter]) for m, _ in plan.rows)
        standing = {m.counter: m.verdict(counters.get(m.counter)) for m in moves}
        rows = [row for move, row in plan.rows if standing.get(move.counter) is not Verdict.DONE]
        begun = Begun(known_as, self._clock.now(), moves, oracle_mark.stamp(at))
        since = self._clock.monotonic()
        await self._write(marked, replace(marked.mark, begun=begun))
        detail = DETAILS[plan.form]
        body = {"SourceSystemCode": self._config.source_system, "SourceSystemType": "EXTERNAL", detail: rows}
        if self._clock.monotonic() - since > self._config.settle.total_seconds() / 2:
            raise ErpUnavailable(f"too long between marking {known_as} and sending it: begun anew")
        self._ended.pop(known_as, None)
        try:
            answer = await self._records.client.write("POST", plan.form, body, media=PLAIN)
        except TimedOut:
            raise
        except AndonError:
            _remember(self._ended, known_as, order.number)
            raise
        _remember(self._ended, known_as, order.number)
        about = f"{name} {key} of {order.number}"
        if said := failures(answer.body, detail):
            raise self._failed(about, "; ".join(filter(None, said)) or "without a reason")
        _remember(self._booked, known_as, order.number)
        if any(move.base is None for move in moves):
            await self._tell(known_as, order.number)

    async def _tell(self, known_as: str, number: str) -> None:
        """Where no counter would show it later, the order is told at once that it is booked."""
        try:
            order = await self._orders.one(number)
            marked = await self._marked(order) if order else None
            if marked and marked.mark.begun and marked.mark.begun.digest == known_as:
                await self._write(marked, marked.mark.with_done(known_as))
        except AndonError as trouble:
            log.warning("%s is booked on %s, which could not be told so: %s", known_as, number, trouble)

    def _failed(self, about: str, said: str) -> Exception:
        """Rows that stand are seen from their counters when it is sent once more."""
        text = f"Oracle refused {about}: {said}"
        return ErpUnavailable(text) if is_busy(said, self._config.busy_words) else ErpRefused(text)

    # ------------------------------------------------------------------ what was begun before
    async def _settled(self, marked: Marked, known_as: str) -> Marked:
        """The mark without what was begun by somebody else; ours stays when it has to be sent (again)."""
        begun = marked.mark.begun
        if begun is None:
            return marked
        verdict = await self._verdict(marked.order, begun)
        ours = begun.digest == known_as
        if begun.digest in self._booked:
            if verdict is Verdict.UNDONE:
                raise ErpUnavailable(f"Oracle does not show {begun.digest} yet", _LOOK_AGAIN)
            return replace(marked, mark=marked.mark.with_done(begun.digest))
        if verdict is Verdict.DONE:
            return replace(marked, mark=marked.mark.with_done(begun.digest))
        if verdict is not Verdict.UNCLEAR:
            self._must_be_over(begun)
            if ours:
                return marked
        if verdict is Verdict.UNDONE:
            return replace(marked, mark=replace(marked.mark, begun=None))
        mark = marked.mark.with_unclear(begun.digest)
        log.warning("%s on %s cannot be told: a person has to look", begun.digest, marked.order.number)
        if ours:
            await self._write(marked, mark)
            raise self._parked(marked.order, known_as)
        return replace(marked, mark=mark)

    def _must_be_over(self, begun: Begun) -> None:
        """After a crash nobody knows whether the transaction is still on its way."""
        left = begun.at + self._config.settle - self._clock.now()
        if begun.digest not in self._ended and left > timedelta(0):
            raise ErpUnavailable(f"transaction {begun.digest} may still be under way", left)

    def _parked(self, order: Order, known_as: str) -> ErpRefused:
        where = self._config.mark.attribute
        return ErpRefused(
            f"work order {order.number}: whether {known_as} was booked cannot be told, because its counters"
            " do not say: somebody else has booked meanwhile, perhaps. Look at its transactions in Oracle;"
            f" then, in {where}, take the question mark before {known_as} away when it is there, or the whole"
            " word when it is not, and send this once more"
        )

    def _forgotten(self, order: Order, known_as: str) -> ErpRefused:
        return ErpRefused(
            f"work order {order.number}: whether {known_as} was booked cannot be told, because"
            f" {self._where()} has no room for all marks and the older ones are gone. Look at its"
            " transactions in Oracle: when it is not among them, book it there and set this aside. Give the"
            " mark a longer flexfield (mark.child, mark.length), then this does not happen again"
        )

    def _where(self) -> str:
        return ".".join(filter(None, (self._config.mark.child, self._config.mark.attribute)))

    async def _verdict(self, order: Order, begun: Begun) -> Verdict:
        return begun.verdict(await self._plans.counters(order, begun.moves))

    # ------------------------------------------------------------------ is it time?
    def _must_be_ready(self, order: Order, fields: Mapping[str, Any]) -> None:
        if order.state in ("created", "held"):
            raise self._too_early(fields, f"work order {order.number} is {order.state} in Oracle")
        if order.state in ("closed", "cancelled"):
            raise ErpRefused(f"work order {order.number} is {order.state} in Oracle: nothing is booked on it")

    def _must_be_enough(self, order: Order, plan: Plan, fields: Mapping[str, Any]) -> None:
        """Pieces are ready when the operation before has reported them; its report may be on its way."""
        if plan.ready is None or plan.wanted <= plan.ready or not self._is_early(fields):
            return
        raise ErpUnavailable(
            f"operation {plan.operation} of {order.number} has {plan.ready} pieces ready, not {plan.wanted}:"
            " the operation before has not been reported yet"
        )

    def _too_early(self, fields: Mapping[str, Any], text: str) -> Exception:
        """The shop floor is sometimes quicker than the office."""
        return ErpUnavailable(text) if self._is_early(fields) else ErpRefused(text)

    def _is_early(self, fields: Mapping[str, Any]) -> bool:
        at = fields.get("at")
        return isinstance(at, datetime) and self._clock.now() - at < self._config.patience

    # ------------------------------------------------------------------ the mark, in Oracle
    async def _marked(self, order: Order) -> Marked:
        attribute = self._config.mark.attribute
        if not attribute:
            return Marked(order, "", self._unwritten.get(order.number, Mark()))
        text = str((await self._holder(order)).get(attribute) or "")
        plain, mark = oracle_mark.read(text)
        if not mark.knows():  # retyped by somebody: what is booked is booked all the same
            mark = self._kept.get(order.number, mark)
        return Marked(order, plain, mark, text)

    async def _holder(self, order: Order) -> Row:
        """The record with the mark: the order, or its flexfield."""
        child = self._config.mark.child
        if not child:
            return order.record
        rows = await self._records.below(self._orders_form, order.record, order.id, child)
        return rows[0] if rows else {}

    async def _write(self, marked: Marked, mark: Mark) -> None:
        """Raises Stale when the order has changed since it was read."""
        where = self._config.mark
        if not where.attribute:
            self._unwritten[marked.order.number] = mark
            return
        body = {where.attribute: oracle_mark.written(marked.plain, mark, where.length)}
        self._keep(marked.order.number, mark)
        path = f"{self._orders_form}/{marked.order.id}"
        if where.child:
            seen = {where.attribute: marked.text}
            await self._records.put_child(path, where.child, body, where.context, seen)
        else:
            await self._patched(path, body, marked.order.version)

    def _keep(self, number: str, mark: Mark) -> None:
        """What a person may have to take out of it is not brought back."""
        self._kept[number] = replace(mark, unclear=())
        self._kept.move_to_end(number)
        while len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)

    async def _patched(self, path: str, body: Row, version: str) -> None:
        try:
            await self._records.client.write("PATCH", path, body, version=version)
        except OracleRefusal as refusal:
            where = self._config.mark.attribute
            raise ErpRefused(
                f"the order cannot be marked, and unmarked nothing is booked: {refusal}; let {where} be"
                " written, or name another text in mark.attribute"
            ) from None


def _instant(fields: Mapping[str, Any]) -> datetime | None:
    at = fields.get("at")
    return at if isinstance(at, datetime) else None


def _number(order: Order, known_as: str) -> str:
    return f"{order.number}/{known_as}"


def _remember(known: OrderedDict[str, str], known_as: str, number: str) -> None:
    known[known_as] = number
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
