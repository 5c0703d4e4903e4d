"""One answer of an MES over HTTP: at most so many bytes of it, as a list of records or as an error of ours.

The answer is read as it comes, never unpacked: a few compressed bytes could become any number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from hub.errors import SourceRefused, SourceUnavailable

PAGE = 500  # records that are asked for at once
_SHORTEST = 32  # bytes; no record of any kind is shorter
_AGAIN_AFTER = 8  # pages in a row that were small enough, until twice as much is asked for


class NotThere(SourceRefused):
    """404"""


class TooLarge(SourceUnavailable):
    """More bytes than we take."""


@dataclass(slots=True)
class Pages:
    """How many records are asked for: half as many after each answer too large, and slowly more again."""

    now: int = PAGE
    _well: int = 0

    def too_large(self) -> bool:
        """False when it was one record."""
        fewer, self._well = self.now > 1, 0
        self.now = max(self.now // 2, 1)
        return fewer

    def well(self) -> None:
        self._well += 1
        if self._well >= _AGAIN_AFTER:
            self.now, self._well = min(2 * self.now, PAGE), 0


async def records(
    http: httpx.AsyncClient, url: str, query: Mapping[str, Any], name: str, most: int
) -> list[Any]:
    """A bare list, or a list under the name of what was asked for: the last part of `url`."""
    try:
        async with http.stream("GET", url, params=dict(query)) as reply:
            _check(reply, name)
            body = bytearray()
            async for part in reply.aiter_raw():
                body += part
                if len(body) > most:
                    raise TooLarge(f"{name}: {url} sent more than {most} bytes; {_remedy(url)}")
    except httpx.HTTPError as cause:
        said = type(cause).__name__
        raise SourceUnavailable(f"{name}: no answer from {url} ({said})") from None
    found = _listed(body, url, name)
    if len(found) > most // _SHORTEST:
        raise TooLarge(f"{name}: {url} sent {len(found)} records; {most // _SHORTEST} can be read")
    return found


def _remedy(url: str) -> str:
    what = url.rpartition("/")[2]
    if what in ("sums", "stock"):
        return "tell less there, or make max_answer: larger"
    return f"obey limit= and after= in /mes/{what}, or make max_answer: larger"


def _listed(body: bytes | bytearray, url: str, name: str) -> list[Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise SourceUnavailable(f"{name}: {url} answered, but not with JSON") from None
    what = url.rpartition("/")[2]
    found = answer.get(what) if isinstance(answer, dict) else answer
    if not isinstance(found, list):
        raise SourceUnavailable(f"{name}: {url} answered, but with no list of {what}")
    return found


def _check(reply: httpx.Response, name: str) -> None:
    where = f"{name}: {reply.url.copy_with(query=None)}"
    match reply.status_code:
        case 200:
            return
        case 401 | 403:
            raise SourceRefused(f"{where} refuses our token ({reply.status_code}); correct token:")
        case 404:
            raise NotThere(f"{where} does not exist (404); correct base_url:")
        case 429 | 503:
            pause = reply.headers.get("Retry-After", "")
            later = timedelta(seconds=min(int(pause), 3600)) if pause.isdecimal() else None
            raise SourceUnavailable(f"{where} is busy ({reply.status_code})", retry_after=later)
        case status:
            raise SourceUnavailable(f"{where} answered {status}")
