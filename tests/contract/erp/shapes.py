"""Answers of an ERP in wrong shapes: each place of a real answer emptied or put into another form."""

from __future__ import annotations

import copy
import json
import random
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import ErpConnector

Path = tuple[str | int, ...]
WHOLE: tuple[Any, ...] = (None, [], {}, "?", [None], {"x": None})
WRONG: tuple[Any, ...] = (*WHOLE, 7, True, [[]], -1.5, [1, 2])
DEAF = (None, "?", [None])  # say nothing at all: nothing can be made of them
JSON = {"Content-Type": "application/json"}
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading those of the machine takes long
CUT = object()  # the place is not there at all
Call = Callable[[Any], Awaitable[Any]]
OFFICE: dict[str, Call] = {  # looks that need no number
    "orders": lambda c: c.orders(None),
    "sales_orders": lambda c: c.sales_orders(None),
    "items": lambda c: c.items(None),
    "equipment": lambda c: c.equipment(),
}


class Recorder(httpx.AsyncBaseTransport):
    """Passes on, and keeps what came back."""

    def __init__(self) -> None:
        self._wire = httpx.AsyncHTTPTransport(verify=False)  # a simulator has no certificates to load
        self.heard: list[tuple[str, httpx.Response]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reply = await self._wire.handle_async_request(request)
        body = await reply.aread()
        await reply.aclose()
        kind = {"Content-Type": reply.headers.get("Content-Type", "")}  # the body is unpacked by now
        kept = httpx.Response(reply.status_code, headers=kind, content=body)
        self.heard.append((_question(request), kept))
        return kept

    async def aclose(self) -> None:
        await self._wire.aclose()


class Player(httpx.AsyncBaseTransport):
    """Says again what was heard, but for one answer. What was not asked before is not there."""

    def __init__(self, heard: list[tuple[str, httpx.Response]]) -> None:
        self._heard = heard
        self.at, self.answer = -1, None
        self._next: dict[str, int] = {}

    def bend(self, at: int, answer: Any) -> None:
        """From the beginning again, with this answer in place of number `at`."""
        self.at, self.answer = at, answer
        self._next.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = _question(request)
        same = [n for n, (q, _) in enumerate(self._heard) if q == asked]
        at = next((n for n in same if n >= self._next.get(asked, 0)), same[-1] if same else -1)
        self._next[asked] = at + 1
        if at < 0:
            return httpx.Response(503)
        kept = self._heard[at][1]
        if at != self.at:
            return httpx.Response(kept.status_code, headers=kept.headers, content=kept.content)
        return httpx.Response(200, content=json.dumps(self.answer), headers=JSON)


def _question(request: httpx.Request) -> str:
    return f"{request.url.path} {request.content.decode()}"


def bent(answer: Any, dice: random.Random, most: int) -> Iterator[Any]:
    """The answer in other shapes as a whole, then `most` answers with one place that is wrong."""
    yield None
    yield from dice.sample([w for w in WHOLE[1:] if w != answer], 2)
    places = [*_places(answer)]
    chances = [(p, w) for p in places for w in (*WRONG, CUT)]
    for place, wrong in dice.sample(chances, min(most, len(chances))):
        yield _with(answer, place, wrong)


def _places(value: Any, above: Path = ()) -> Iterator[Path]:
    inner: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in [*inner][:12]:
        yield (*above, key)
        yield from _places(child, (*above, key))


def _with(answer: Any, place: Path, wrong: Any) -> Any:
    made = copy.deepcopy(answer)
    here = made
    for step in place[:-1]:
        here = here[step]
    if wrong is CUT:
        del here[place[-1]]
    else:
        here[place[-1]] = copy.deepcopy(wrong)
    return made


async def endure(
    connect: Callable[[httpx.AsyncBaseTransport], ErpConnector],
    call: Call,
    *,
    seed: int,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
    by_the_way: bool = False,
) -> int:
    """Ask with every answer bent in turn; how many were tried. Whatever is raised but ErpUnavailable and
    ErpRefused comes out. `by_the_way`: the call also does what may fail without it."""
    monkeypatch.setattr("httpx._transports.default.create_ssl_context", lambda *_, **__: NO_AUTHORITIES)
    recorder = Recorder()
    connector = connect(recorder)
    await call(connector)
    dice, tried = random.Random(seed), 0
    player = Player(recorder.heard)
    for at, (asked, reply) in enumerate(recorder.heard):
        await connector.close()
        connector = connect(player)  # a new one: what it has learnt of odd answers is forgotten
        for wrong in bent(json.loads(reply.content), dice, most):
            player.bend(at, wrong)
            try:
                told = await call(connector)
                assert by_the_way or wrong not in DEAF, f"{told} was made of {wrong}"
            except (ErpUnavailable, ErpRefused):
                pass
            except Exception as cause:
                cause.add_note(f"answer {at} to {asked[:200]}: {json.dumps(wrong)[:600]}")
                raise
            tried += 1
    await connector.close()
    return tried
