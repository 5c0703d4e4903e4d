"""MES over HTTP: orders are polled, reports 报工 and postings are long-polled from the last one on record."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr, ValidationError, field_validator

from collectors.mes_events import OrderIn, PostingIn, Record, ReportIn, StockIn, SumIn, as_word
from collectors.mes_teller import Told, post
from hub.config import Block, Duration
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.discrepancy import MesClaims
from hub.model.production import JobResponse, Posting, WorkOrder
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)
_PAGE = 500
_LARGEST = 16 * 1024 * 1024  # bytes of one answer
_ASK_AGAIN = timedelta(minutes=10)
_ANSWER_IN = 10.0  # seconds, on top of the time we ask the MES to wait


class MesHttpConfig(Block):
    """The `with:` block of a `kind: mes-http` source."""

    base_url: str
    token: SecretStr | None = None
    every: Duration = timedelta(seconds=2)
    wait: Duration = timedelta(seconds=20)

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


class _NotThere(SourceRefused):
    """404"""


class MesHttpSource:
    """Lives for one connection. The supervisor gives it the next one.

    A record that cannot be read is left out with its reason in the log (once) and counted in `skipped`;
    those before and behind it go on.
    """

    Config = MesHttpConfig

    def __init__(self, config: MesHttpConfig, clock: Clock, name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._orders: dict[str, WorkOrder] = {}  # as they were put
        self._complained: set[str] = set()
        self.skipped = 0

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
            orders = self._read(await self._get(http, "orders", {}), "orders", OrderIn)
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
        except _NotThere:
            return None

    def _http(self, wait: timedelta) -> httpx.AsyncClient:
        """A client that lets the MES wait for so long before it answers."""
        token = self._config.token
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        patience = httpx.Timeout(_ANSWER_IN, read=wait.total_seconds() + _ANSWER_IN)
        return httpx.AsyncClient(headers=headers, timeout=patience)

    async def _follow_orders(self, http: httpx.AsyncClient, sink: Sink[WorkOrder]) -> None:
        while True:
            await self._clock.sleep(self._config.every.total_seconds())
            await self._take_orders(http, sink)

    async def _take_orders(self, http: httpx.AsyncClient, sink: Sink[WorkOrder]) -> None:
        for found in self._read(await self._get(http, "orders", {}), "orders", OrderIn):
            order = found.order()
            if self._orders.get(order.number) != order:
                await sink.put(order)
                self._orders[order.number] = order

    async def _follow_if_there(
        self, http: httpx.AsyncClient, what: str, kind: type[R], take: Take[R], since: str
    ) -> None:
        """Not every MES tells of them; one that learns to is found without a restart."""
        while True:
            try:
                await self._follow(http, what, kind, take, since)
            except _NotThere:
                _log.info("%s: has no /mes/%s; asked again in %s", self._name, what, _ASK_AGAIN)
            await self._clock.sleep(_ASK_AGAIN.total_seconds())

    async def _follow(
        self, http: httpx.AsyncClient, what: str, kind: type[R], take: Take[R], since: str
    ) -> None:
        wait = self._config.wait.total_seconds()
        while True:
            asked_at = self._clock.monotonic()
            query = {"after": since, "limit": _PAGE, "wait": f"{wait:g}"}
            answer = await self._get(http, what, query)
            before = since
            for found in self._read(answer, what, kind):
                await take(found)
            since = _last_id(answer) or since
            idle = self._clock.monotonic() - asked_at < wait / 2
            if since == before and idle:  # it would not wait, or only repeats what we cannot read
                await self._clock.sleep(self._config.every.total_seconds())

    async def _get(self, http: httpx.AsyncClient, what: str, query: dict[str, Any]) -> list[Any]:
        url = f"{self._config.base_url}/mes/{what}"
        try:
            async with http.stream("GET", url, params=query) as reply:
                self._check(reply)
                body = b""
                async for part in reply.aiter_bytes():
                    body += part
                    if len(body) > _LARGEST:
                        raise SourceUnavailable(f"{self._name}: {url} sent more than {_LARGEST} bytes")
        except httpx.HTTPError as cause:
            said = type(cause).__name__
            raise SourceUnavailable(f"{self._name}: no answer from {url} ({said})") from None
        return self._records(body, what, url)

    def _records(self, body: bytes, what: str, url: str) -> list[Any]:
        """A bare list, or a list under the name of what was asked for."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise SourceUnavailable(f"{self._name}: {url} answered, but not with JSON") from None
        found = answer.get(what) if isinstance(answer, dict) else answer
        if not isinstance(found, list):
            raise SourceUnavailable(f"{self._name}: {url} answered, but with no list of {what}")
        return found

    def _check(self, reply: httpx.Response) -> None:
        where = f"{self._name}: {reply.url.copy_with(query=None)}"
        match reply.status_code:
            case 200:
                return
            case 401 | 403:
                raise SourceRefused(f"{where} refuses our token ({reply.status_code}); correct token:")
            case 404:
                raise _NotThere(f"{where} does not exist (404); correct base_url:")
            case 429 | 503:
                pause = reply.headers.get("Retry-After", "")
                later = timedelta(seconds=min(int(pause), 3600)) if pause.isdecimal() else None
                raise SourceUnavailable(f"{where} is busy ({reply.status_code})", retry_after=later)
            case status:
                raise SourceUnavailable(f"{where} answered {status}")

    def _read(self, records: list[Any], what: str, kind: type[R]) -> list[R]:
        good: list[R] = []
        for index, record in enumerate(records):
            try:
                good.append(kind.model_validate(record))
            except ValidationError as cause:
                self._skip(f"{what}[{index}] {_named(record)}", cause)
        return good

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


def _named(record: Any) -> str:
    if not isinstance(record, dict):
        return f"({type(record).__name__})"
    return (
        "("
        + ", ".join(f"{k} {str(record[k])[:40]!r}" for k in ("id", "number", "order") if k in record)
        + ")"
    )
