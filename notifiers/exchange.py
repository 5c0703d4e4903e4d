"""One question to a robot and its answer, with every way it can go wrong given a name.

A robot's URL is its key. So no error here holds the failure it came from: httpx puts the whole URL into both
its texts and its log lines, which are therefore dropped at the source whatever level somebody sets.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from hub.errors import DeliveryDeferred

with suppress(
    ImportError
):  # httpx loads these with its first request: better now than within the first alarm
    for name in ("anyio.lowlevel", "anyio.streams.tls", "anyio._backends._asyncio"):
        importlib.import_module(name)

LONGEST_ANSWER = 64 * 1024  # bytes; a robot answers in a hundred
UNAVAILABLE = 503  # says that nothing was done; any other failure beyond 500 may come after the deed
PAUSE_ON_429 = timedelta(seconds=60)

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


logging.getLogger("httpx").addFilter(_is_warning)


class AnswerLost(DeliveryDeferred):
    """The request left and no answer came back: the message may have been delivered."""

    def __init__(self, text: str) -> None:
        super().__init__(text, in_doubt=True)


class NeverLeft(DeliveryDeferred):
    """No connection: the carrier has not heard of this message, and it costs none of its budget."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any] | None  # None when it was not a JSON object: a proxy, a portal, a block page
    at: datetime | None = None  # the carrier's own clock, from the Date header


class Exchange:
    """Posts JSON to one carrier. Opens no connection before the first `post`; follows no redirect."""

    def __init__(self, carrier: str, timeout: timedelta, proxy: str | None = None) -> None:
        self._carrier = carrier
        self._seconds = timeout.total_seconds()
        self._http = httpx.AsyncClient(timeout=self._seconds, proxy=proxy, trust_env=False)

    async def post(self, url: str, params: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """What the carrier said; raises DeliveryDeferred for everything that is not its own word."""
        trouble: DeliveryDeferred
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._ask(url, params, body)
        except _NEVER_LEFT as cause:
            trouble = NeverLeft(f"{self._carrier} cannot be reached: {type(cause).__name__}")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as cause:
            trouble = AnswerLost(f"{self._carrier} gave no answer: {type(cause).__name__}")
        else:
            return self._heard(answer)
        raise trouble  # outside the handler, so that it carries no context with the URL in it

    async def close(self) -> None:
        await self._http.aclose()

    async def _ask(self, url: str, params: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        content = json.dumps(body, ensure_ascii=False).encode()  # real UTF-8: WeCom dislikes \\u escapes
        headers = {"Content-Type": "application/json; charset=utf-8"}
        heard = bytearray()
        async with self._http.stream("POST", url, params=params, content=content, headers=headers) as reply:
            async for piece in reply.aiter_bytes():
                heard += piece
                if len(heard) > LONGEST_ANSWER:
                    break
            return Answer(reply.status_code, _object(bytes(heard)), _moment(reply.headers.get("Date", "")))

    def _heard(self, answer: Answer) -> Answer:
        if answer.status == 429:
            raise DeliveryDeferred(
                f"{self._carrier}: HTTP 429, too many requests", PAUSE_ON_429, limited=True
            )
        if answer.status != 200:
            done = answer.status >= 500 and answer.status != UNAVAILABLE
            raise DeliveryDeferred(f"{self._carrier}: HTTP {answer.status}", in_doubt=done)
        return answer


def _object(heard: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(heard)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _moment(date: str) -> datetime | None:
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return None


def masked(text: object, *secrets: str) -> str:
    """A vendor's own words for an error text: one line, cut, and without what we sent as a secret."""
    line = " ".join(str(text).split())
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    return line[:300]
