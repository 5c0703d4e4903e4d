"""MES over HTTP: orders are polled, reports 报工 and postings are long-polled from the last one on record."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from pydantic import Field, SecretStr, ValidationError, field_validator

from collectors.mes_answer import NotThere, Pages, TooLarge, records
from collectors.mes_events import (
    OrderIn,
    PostingIn,
    Record,
    ReportIn,
    StockIn,
    SumIn,
    unknown_fields,
)
from collectors.mes_faults import faults_of
from collectors.mes_fields import as_word
from collectors.mes_teller import Told, post
from collectors.mes_unknown import Unknown
from hub.config import Block, Duration
from hub.errors import SourceUnavailable
from hub.model.discrepancy import MesClaims
from hub.model.intake import Fault
from hub.model.production import JobResponse, Posting, WorkOrder
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)
_MOST_ORDERS = 100_000
_LARGEST_KEPT = 1 << 20  # characters of one record
_MOST_KNOWN = 10_000  # records that are known to be kept
_ASK_AGAIN = timedelta(minutes=10)
_ANSWER_IN = 10.0  # seconds, on top of the time we ask the MES to wait


class MesHttpConfig(Block):
    """The `with:` block of a `kind: mes-http` source."""

    base_url: str
    token: SecretStr | None = None
    every: Duration = timedelta(seconds=2)
    wait: Duration = timedelta(seconds=20)
    max_answer: int = Field(1 << 20, ge=1 << 16, le=64 << 20, description="bytes of one answer at most")

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            url = httpx.URL(value)
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query:
            raise ValueError("is no address; write http://HOST:PORT/PATH and give a secret as token:")
        return value.rstrip("/")


R = TypeVar("R", bound=Record)
Take = Callable[[R], Awaitable[None]]


Keep = Callable[[Any, str, Sequence[Fault]], Awaitable[None]]  # the event it may mean, the record, why not


async def _nowhere(event: Any, record: str, faults: Sequence[Fault]) -> None:
    """Where nobody keeps them: a look from outside."""


class MesHttpSource:
    """Lives for one connection. The supervisor gives it the next one.

    A record that cannot be read is kept for a person to correct (`keep`), once in the life of a connection,
    and counted in `skipped`; those before and behind it go on.
    """

    Config = MesHttpConfig

    def __init__(self, config: MesHttpConfig, clock: Clock, name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._orders: dict[str, WorkOrder] = {}  # as they were put
        self._complained: set[str] = set()
        self._in_pages = False  # the orders, too
        self._pages: dict[str, Pages] = {}
        self.skipped = 0
        self.unknown = Unknown()
        self.keep: Keep = _nowhere  # hub.ports.MesSource
        self._kept: set[str] = set()

    def event_of(self, record: Any) -> Any:
        """{type, record}, as `keep` was given it."""
        match record:
            case {"type": str(kind), "record": {**fields}}:
                return {"type": kind, **fields}
            case {"type": str(), "record": other}:
                return other
            case _:
                return record

    async def run(
        self,
        sink: Sink[JobResponse],
        orders: Sink[WorkOrder],
        postings: Sink[Posting],
        since: str,
        postings_since: str,
    ) -> None:
        """Read until cancelled; raise SourceUnavailable or SourceRefused."""

        async def report(found: ReportIn) -> None:
            await sink.put(found.response())

        async def posting(found: PostingIn) -> None:
            await postings.put(found.posting())

        async with self._http(self._config.wait) as http:
            await self._take_orders(http, orders)  # before the reports that name them
            await _first_to_end(
                self._follow_orders(http, orders),
                self._follow(http, "reports", ReportIn, report, since),
                self._follow_if_there(http, "postings", PostingIn, posting, postings_since),
            )

    async def probe(self) -> Mapping[str, str]:
        """What a look at the MES finds; changes nothing. Raises SourceUnavailable or SourceRefused."""
        async with self._http(timedelta(0)) as http:
            orders = self._read(await self._orders_told(http), "orders", OrderIn)
            query = {"after": "", "limit": 1, "wait": "0"}
            reports = self._read(await self._get(http, "reports", query), "reports", ReportIn)
        found = f"{len(orders)} orders, {'reports' if reports else 'no report yet'}"
        if self.skipped:
            return {self._config.base_url: f"✗ {found}; {self.skipped} records cannot be read; see the log"}
        return {self._config.base_url: found}

    async def tell(self, tickets: Sequence[Told]) -> bool:
        """How repairs stand, to /mes/tickets; False when this MES has no such door. Raises as `run` does."""
        async with self._http(timedelta(0)) as http:
            return await post(http, f"{self._config.base_url}/mes/tickets", self._name, tickets)

    async def claims(self) -> MesClaims:
        """Of /mes/sums and /mes/stock, each None where there is none. Raises as `run` does."""
        async with self._http(timedelta(0)) as http:
            sums = await self._if_there(http, "sums", SumIn)
            stock = await self._if_there(http, "stock", StockIn)
        return MesClaims(
            None if sums is None else tuple(s.claim() for s in sums),
            None if stock is None else tuple(s.claim() for s in stock),
        )

    async def _if_there(self, http: httpx.AsyncClient, what: str, kind: type[R]) -> list[R] | None:
        try:
            return self._read(await self._get(http, what, {}), what, kind)
        except NotThere:
            return None

    def _http(self, wait: timedelta) -> httpx.AsyncClient:
        """A client that lets the MES wait for so long before it answers."""
        token = self._config.token
        headers = {"Accept-Encoding": "identity"}  # a few compressed bytes could become any number
        if token:
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        patience = httpx.Timeout(_ANSWER_IN, read=wait.total_seconds() + _ANSWER_IN)
        protected = self._config.base_url.startswith("https:")  # reading all authorities costs 40 ms and 2 MB
        return httpx.AsyncClient(headers=headers, timeout=patience, verify=protected)

    async def _follow_orders(self, http: httpx.AsyncClient, sink: Sink[WorkOrder]) -> None:
        while True:
            await self._clock.sleep(self._config.every.total_seconds())
            await self._take_orders(http, sink)

    async def _take_orders(self, http: httpx.AsyncClient, sink: Sink[WorkOrder]) -> None:
        for index, record in enumerate(await self._orders_told(http)):
            found = await self._read_or_keep(f"orders[{index}]", "order", OrderIn, record)
            order = found.order() if found else None
            if order and self._orders.get(order.number) != order:
                self._count("order", OrderIn, record)
                await sink.put(order)
                self._orders[order.number] = order

    async def _follow_if_there(
        self, http: httpx.AsyncClient, what: str, kind: type[R], take: Take[R], since: str
    ) -> None:
        """Not every MES tells of them; one that learns to is found without a restart."""
        while True:
            try:
                await self._follow(http, what, kind, take, since)
            except NotThere:
                _log.info("%s: has no /mes/%s; asked again in %s", self._name, what, _ASK_AGAIN)
            await self._clock.sleep(_ASK_AGAIN.total_seconds())

    async def _follow(
        self, http: httpx.AsyncClient, what: str, kind: type[R], take: Take[R], since: str
    ) -> None:
        wait = self._config.wait.total_seconds()
        while True:
            asked_at = self._clock.monotonic()
            answer = await self._page(http, what, {"after": since, "wait": f"{wait:g}"})
            before = since
            one = what.removesuffix("s")
            for index, record in enumerate(answer):
                found = await self._read_or_keep(f"{what}[{index}]", one, kind, record)
                if found is not None:
                    self._count(one, kind, record)
                    await take(found)
            since = _last_id(answer) or since
            idle = self._clock.monotonic() - asked_at < wait / 2
            if since == before and idle:  # it would not wait, or only repeats what we cannot read
                await self._clock.sleep(self._config.every.total_seconds())

    async def _get(self, http: httpx.AsyncClient, what: str, query: Mapping[str, Any]) -> list[Any]:
        url = f"{self._config.base_url}/mes/{what}"
        return await records(http, url, query, self._name, self._config.max_answer)

    async def _orders_told(self, http: httpx.AsyncClient) -> list[Any]:
        """All of them at once, or page by page once they are too many for one answer."""
        if not self._in_pages:
            try:
                return await self._get(http, "orders", {})
            except TooLarge as cause:
                _log.info("%s; asking for pages", cause)
                self._in_pages = True
        found: dict[str | int, Any] = {}
        before, after = -1, ""
        while len(found) > before:  # until nothing new is told
            before = len(found)
            page = await self._page(http, "orders", {"after": after})
            found |= {_number(record) or n: record for n, record in enumerate(page, before)}
            after = next((n for n in map(_number, reversed(page)) if n), after)
            if len(found) > _MOST_ORDERS:
                raise SourceUnavailable(f"{self._name}: /mes/orders: more than {_MOST_ORDERS} orders")
        return list(found.values())

    async def _page(self, http: httpx.AsyncClient, what: str, query: Mapping[str, Any]) -> list[Any]:
        """As many records as make no answer too large."""
        pages = self._pages.setdefault(what, Pages())
        while True:
            try:
                found = await self._get(http, what, {**query, "limit": pages.now})
            except TooLarge:
                if not pages.too_large():
                    raise
            else:
                pages.well()
                return found

    def _read(self, records: list[Any], what: str, kind: type[R]) -> list[R]:
        return [found for _, found in self._pairs(records, what, kind)]

    def _pairs(self, records: list[Any], what: str, kind: type[R]) -> list[tuple[Any, R]]:
        """Those that can be read, as they came and as we read them."""
        good: list[tuple[Any, R]] = []
        for index, record in enumerate(records):
            try:
                good.append((record, kind.model_validate(record)))
            except ValidationError as cause:
                self._skip(f"{what}[{index}] {_named(record)}", cause)
        return good

    async def _read_or_keep(self, where: str, what: str, kind: type[R], record: Any) -> R | None:
        try:
            return kind.model_validate(record, context={"now": self._clock.now()})
        except ValidationError as cause:
            self._skip(f"{where} {_named(record)}", cause)
            faults = faults_of(cause)
        told = {"type": what, "record": record}
        try:
            text = json.dumps(told)
        except RecursionError:
            return None  # nested too deep to be written again: only the log tells of it
        digest = hashlib.sha256(text.encode()).hexdigest()
        if len(text) <= _LARGEST_KEPT and digest not in self._kept:
            await self.keep(self.event_of(told), text, faults)
            if len(self._kept) < _MOST_KNOWN:
                self._kept.add(digest)
        return None

    def _count(self, what: str, kind: type[Record], record: Any) -> None:
        """A field that is none of ours is left out, but not without a word."""
        self.unknown.count(self._name, what, unknown_fields(kind, record))

    def _skip(self, which: str, cause: ValidationError) -> None:
        self.skipped += 1
        found = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']) or 'record'}: {e['msg'].removeprefix('Value error, ')}"
            for e in cause.errors(include_url=False, include_input=False, include_context=False)[:5]
        )
        text = f"{which}: {found}"
        if text not in self._complained and len(self._complained) < 1000:
            self._complained.add(text)
            _log.warning("%s: left out %s", self._name, text)


async def _first_to_end(*jobs: Coroutine[Any, Any, None]) -> None:
    """All of them until one raises: that error, and the others cancelled and waited for."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _last_id(records: list[Any]) -> str:
    """The id of the last record that has one, readable otherwise or not: it must not hold up the rest."""
    for record in reversed(records):
        if isinstance(record, dict):
            number = as_word(record.get("id"))
            if isinstance(number, str) and number:
                return number
    return ""


def _number(record: Any) -> str:
    number = as_word(record.get("number")) if isinstance(record, dict) else ""
    return number if isinstance(number, str) else ""


def _named(record: Any) -> str:
    if not isinstance(record, dict):
        return f"({type(record).__name__})"
    return (
        "("
        + ", ".join(f"{k} {str(record[k])[:40]!r}" for k in ("id", "number", "order") if k in record)
        + ")"
    )
