"""The bus of many processes: Redis (7 and later) or Valkey streams for what must arrive, pub/sub for hints.

The stream is a conveyor, not the record: the database is. A server that comes back empty loses what was on
the belt, never what was committed; groups are made again on NOGROUP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from hub.errors import Transient
from hub.ports import Delivery

LIMIT = 50_000  # entries on the belt before publishers wait
LOOK_EVERY = 64  # publishes between looks at the belt's length
BLOCK_MS = 2_000
READ = 100
PREFIX = "andon:"


class BusUnavailable(Transient):
    """Redis cannot be reached or refuses to work."""


class RedisBus:
    """`groups` as for the memory bus; one consumer for each group in the whole plant."""

    def __init__(self, url: str, groups: Mapping[str, Sequence[str]], limit: int = LIMIT) -> None:
        self._redis: Redis = Redis.from_url(url, health_check_interval=5, socket_connect_timeout=3)
        self._groups = groups
        self._limit = limit
        self._published = 0
        self._made: set[str] = set()

    async def publish(self, topic: str, body: bytes) -> None:
        """Waits while the belt is full: a consumer that is away must not make others forget."""
        try:
            if topic not in self._made:
                await self._make_groups(topic)
            self._published += 1
            if self._published % LOOK_EVERY == 0:
                while await self._redis.xlen(PREFIX + topic) >= self._limit:
                    await self._trim(topic)
                    await asyncio.sleep(0.2)
            await self._redis.xadd(PREFIX + topic, {"b": body})
        except RedisError as cause:
            raise BusUnavailable(f"bus: {type(cause).__name__}") from None

    async def consume(self, topic: str, group: str) -> AsyncIterator[Delivery]:
        stream, after = PREFIX + topic, "0"  # first what was handed to us and never acknowledged
        await self._make_groups(topic)
        acked = 0
        while True:
            try:
                entries = _entries(
                    await self._redis.xreadgroup(group, group, {stream: after}, count=READ, block=BLOCK_MS)
                )
            except ResponseError as cause:
                if "NOGROUP" not in str(cause):
                    raise BusUnavailable(f"bus: {type(cause).__name__}") from None
                await self._make_groups(topic)
                continue
            except RedisError as cause:
                raise BusUnavailable(f"bus: {type(cause).__name__}") from None
            if after != ">" and not entries:
                after = ">"
                continue
            for number, fields in entries:
                if after != ">":
                    after = number
                if b"b" in fields:
                    yield Delivery(fields[b"b"], number, lambda n=number: self._ack(topic, group, n))  # type: ignore[misc]
                else:  # deleted while it was pending, or not ours: nobody can do anything with it
                    await self._ack(topic, group, number)
                acked += 1
            if acked >= READ:
                acked = 0
                await self._trim(topic)

    async def _ack(self, topic: str, group: str, number: str) -> None:
        try:
            await self._redis.xack(PREFIX + topic, group, number)
        except RedisError as cause:
            raise BusUnavailable(f"bus: {type(cause).__name__}") from None

    async def _make_groups(self, topic: str) -> None:
        for name in self._groups.get(topic, ()):
            try:
                await self._redis.xgroup_create(PREFIX + topic, name, id="0", mkstream=True)
            except ResponseError as cause:
                if "BUSYGROUP" not in str(cause):
                    raise BusUnavailable(f"bus: {type(cause).__name__}") from None
            except RedisError as cause:
                raise BusUnavailable(f"bus: {type(cause).__name__}") from None
        self._made.add(topic)

    async def _trim(self, topic: str) -> None:
        """Drop what every group has acknowledged."""
        stream = PREFIX + topic
        oldest = []
        for name in self._groups.get(topic, ()):
            delivered = await self._delivered(
                stream, name
            )  # before pending: what is handed out in between stays
            pending = await self._redis.xpending(stream, name)
            first = pending.get("min") if isinstance(pending, dict) else None
            oldest.append(_text(first) if first else delivered)
        if oldest:
            await self._redis.xtrim(stream, minid=min(oldest, key=_order), approximate=False)

    async def _delivered(self, stream: str, group: str) -> str:
        for info in await self._redis.xinfo_groups(stream):
            named = {_text(k): v for k, v in info.items()}
            if _text(named["name"]) == group:
                return _text(named["last-delivered-id"])
        return "0-0"

    async def behind(self, topic: str) -> dict[str, int]:
        out = {}
        try:
            for info in await self._redis.xinfo_groups(PREFIX + topic):
                named = {_text(k): v for k, v in info.items()}
                out[_text(named["name"])] = int(named.get("lag") or 0) + int(named["pending"])
        except RedisError:
            return {}
        return out

    # ---------------------------------------------------------------- hints
    async def shout(self, topic: str, body: bytes) -> None:
        """Best effort: nobody waits for a hint, and a lost one is healed by reading the record again."""
        try:
            await self._redis.publish(PREFIX + topic, body)
        except RedisError:
            return

    async def listen(self, topic: str) -> AsyncIterator[bytes]:
        pubsub = self._redis.pubsub()
        try:
            await pubsub.subscribe(PREFIX + topic)
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
                if message is not None:
                    yield message["data"]
        except RedisError as cause:
            raise BusUnavailable(f"bus: {type(cause).__name__}") from None
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def healthy(self) -> bool:
        try:
            return bool(await self._redis.ping())
        except RedisError:
            return False

    async def close(self) -> None:
        await self._redis.aclose()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _order(number: str) -> tuple[int, int]:
    ms, _, seq = number.partition("-")
    return int(ms), int(seq or 0)


def _entries(answer: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    """XREADGROUP's entries, whether it came as lists (RESP2) or as a map of lists (RESP3)."""
    out: list[tuple[str, dict[bytes, bytes]]] = []
    todo = list(answer.values()) if isinstance(answer, dict) else [s[1] for s in answer or ()]
    while todo:
        node = todo.pop(0)
        if len(node) == 2 and isinstance(node[0], bytes | str):
            out.append((_text(node[0]), node[1] or {}))
        else:
            todo[:0] = list(node)
    return out
