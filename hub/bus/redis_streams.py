"""The bus of many processes: Redis (7 and later) or Valkey streams for what must arrive, pub/sub for hints.

The stream is a conveyor, not the record: the database is. A server that comes back empty loses what was on
the belt, never what was committed; groups are made again, and who takes sees by the
stamps what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from hub.bus.standing import Standing
from hub.errors import Transient
from hub.model.stamp import Stamp
from hub.ports import Delivery

LIMIT = 50_000  # entries on the belt before publishers wait
LOOK_EVERY = 64  # publishes between looks at the belt's length
# The mark is gone with a server's memory, and after a month in which its sender said nothing.
ADD_IN_TURN = """
if ARGV[2] ~= '0' and redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
redis.call('SET', KEYS[2], ARGV[1], 'EX', 2592000)
return 1
"""
BLOCK_MS = 2_000
SHORT_MS = 50
ANSWER = 5.0  # seconds for an answer; more than a blocked read takes. A server that hangs is a server away
READ = 100
LOOK_AGAIN = 5.0  # seconds until the server's clock is asked again
PREFIX = "andon:"


class BusUnavailable(Transient):
    """Redis cannot be reached or refuses to work."""


def _away(cause: RedisError) -> BusUnavailable:
    return BusUnavailable(f"bus: {type(cause).__name__}")


class RedisBus:
    """`groups` as for the memory bus; one consumer for each group in the whole plant.

    `prefix` stands before every key. The client itself tries nothing twice: what a lost answer to a reading
    held would stay handed out and be passed over. Who fails here begins again, with what is not acknowledged.
    """

    def __init__(
        self,
        url: str,
        groups: Mapping[str, Sequence[str]],
        limit: int = LIMIT,
        prefix: str = PREFIX,
        answer: float = ANSWER,
    ) -> None:
        self._redis: Redis = Redis.from_url(
            url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=3, socket_timeout=answer
        )
        self._block_ms = min(BLOCK_MS, int(answer * 400))
        self._answer = answer
        self._prefix = prefix
        self._groups = groups
        self._limit = limit
        self._standing = Standing()
        self._published = 0
        self._made: set[str] = set()

    async def publish(self, topic: str, body: bytes, stamp: Stamp | None = None) -> None:
        """Waits while the belt is full: a consumer that is away must not make others forget. What is on
        record is not kept for one that stands still, though (see hub.bus.standing)."""
        entry: dict[str, bytes | str | int] = {"b": body}
        if stamp is not None:
            entry |= {"o": stamp.origin, "n": stamp.number}
            if stamp.age >= 1:
                entry["a"] = round(stamp.age)
            if stamp.record:
                entry["r"] = stamp.record
        try:
            if topic not in self._made:
                await self._make_groups(topic)
            self._published += 1
            if self._published % LOOK_EVERY == 0:
                while await _told(self._redis.xlen(self._prefix + topic)) >= self._limit:
                    await self._trim(topic)
                    await self._leave_behind(topic)
                    await asyncio.sleep(0.2)
            if stamp is not None and stamp.follows is not None:
                await self._add_in_turn(self._prefix + topic, entry, stamp)
            else:
                await _told(self._redis.xadd(self._prefix + topic, entry))  # type: ignore[arg-type]
        except RedisError as cause:
            raise _away(cause) from None

    async def _add_in_turn(self, stream: str, entry: Mapping[str, bytes | str | int], stamp: Stamp) -> None:
        """A server that came back without its last second lost the mark with the entries it stands for."""
        fields = [part for pair in entry.items() for part in pair]
        mark = f"{stream}:given:{stamp.origin}"
        given = (stamp.number, stamp.follows or 0, *fields)
        if not await _told(self._redis.eval(ADD_IN_TURN, 2, stream, mark, *given)):
            raise BusUnavailable(f"bus: it has lost what batch {stamp.number} follows")

    async def consume(self, topic: str, group: str) -> AsyncIterator[Delivery]:
        """A reader that died may have left a blocked read behind, and the server may hand that an entry. So
        at first new reads only take entries into our hands, and what is in them is given out, in order.
        """
        await self._make_groups(topic)
        loop = asyncio.get_running_loop()
        ghosts_gone = loop.time() + 2 * self._block_ms / 1000
        after, given, alone = "0", 0, False
        watch = _ServerWatch()
        while True:
            now = loop.time()
            entries = await self._read(topic, group, ">" if alone else after, self._block_ms)
            if entries is None:
                after = "0"
                continue
            if not entries and now >= ghosts_gone:
                alone = True
            elif not entries:
                await self._read(topic, group, ">", SHORT_MS)
            gone = 0
            if entries:
                await self._look_at(watch, loop.time())
                gone = await self._gone(topic, group)
            for number, fields in entries:
                after = number
                if b"b" in fields:
                    yield self._delivery(topic, group, number, fields, watch.at(loop.time()), gone)
                    gone = 0
                else:  # deleted while it was pending, or not ours: nobody can do anything with it
                    await self._ack(topic, group, number)
                given += 1
            if given >= READ:
                given = 0
                await self._trim(topic)

    async def _read(
        self, topic: str, group: str, after: str, block_ms: int
    ) -> list[tuple[str, dict[bytes, bytes]]] | None:
        """One page; None when the groups had to be made again."""
        try:
            return _entries(
                await _told(
                    self._redis.xreadgroup(
                        group, group, {self._prefix + topic: after}, count=READ, block=block_ms
                    )
                )
            )
        except ResponseError as cause:
            if not _groups_gone(cause):
                raise _away(cause) from None
            await self._make_groups(topic)
            return None
        except RedisError as cause:
            raise _away(cause) from None

    async def _look_at(self, watch: _ServerWatch, elapsed: float) -> None:
        if watch.is_old(elapsed):
            try:
                seconds, micro = await _told(self._redis.time())
            except RedisError as cause:
                raise _away(cause) from None
            watch.set(seconds + micro / 1e6, elapsed)

    def _delivery(
        self, topic: str, group: str, number: str, fields: Mapping[bytes, bytes], server: float, gone: int
    ) -> Delivery:
        stamp = None
        if b"o" in fields:
            record = fields.get(b"r", b"").decode()
            stamp = Stamp(fields[b"o"].decode(), int(fields[b"n"]), record=record)
        given = _order(number)[0] / 1000
        at = datetime.fromtimestamp(given, UTC)
        age = max(server - given, 0.0) + float(fields.get(b"a", 0))
        ack = partial(self._ack, topic, group, number, gone)
        return Delivery(fields[b"b"], number, ack, stamp, at, age, gone > 0)

    async def _ack(self, topic: str, group: str, number: str, told: int = 0) -> None:
        try:
            await _told(self._redis.xack(self._prefix + topic, group, number))
            if told:
                await _told(self._redis.decrby(self._passed(topic, group), told))
        except RedisError as cause:
            raise _away(cause) from None

    async def _make_groups(self, topic: str) -> None:
        for name in self._groups.get(topic, ()):
            try:
                await _told(self._redis.xgroup_create(self._prefix + topic, name, id="0", mkstream=True))
            except ResponseError as cause:
                if "BUSYGROUP" not in str(cause):
                    raise _away(cause) from None
            except RedisError as cause:
                raise _away(cause) from None
        self._made.add(topic)

    async def _trim(self, topic: str) -> None:
        """Drop what every group has acknowledged."""
        await self._drop(topic, self._groups.get(topic, ()))

    async def _leave_behind(self, topic: str) -> None:
        """After a trim: the belt is still full, and it is not the first group that keeps it so."""
        stream, names = self._prefix + topic, self._groups.get(topic, ())
        if (await self.behind(topic)).get(next(iter(names), ""), self._limit) > self._limit // 2:
            return
        now, still = asyncio.get_running_loop().time(), []
        try:
            for name in names[1:]:
                if self._standing.still(topic, name, await self._reached(stream, name), now):
                    still.append(name)
                    await _told(self._redis.incr(self._passed(topic, name)))  # first: it may end just here
        except RedisError as cause:
            raise _away(cause) from None
        gone = await self._drop(topic, [name for name in names if name not in still]) if still else 0
        for name in still:
            self._standing.tell(topic, name, gone)

    def _passed(self, topic: str, group: str) -> str:
        """How often entries went on without the group, and it does not know yet."""
        return f"{self._prefix}{topic}:passed:{group}"

    async def _gone(self, topic: str, group: str) -> int:
        try:
            return max(int(await _told(self._redis.get(self._passed(topic, group))) or 0), 0)
        except RedisError as cause:
            raise _away(cause) from None

    async def _drop(self, topic: str, groups: Sequence[str]) -> int:
        """What all of these have acknowledged; how many entries."""
        stream = self._prefix + topic
        try:
            reached = [await self._reached(stream, name) for name in groups]
            oldest = [pending or delivered for pending, delivered in reached]
            if oldest:
                least = min(oldest, key=_order)
                return int(await _told(self._redis.xtrim(stream, minid=least, approximate=False)))
        except ResponseError as cause:
            if not _groups_gone(cause):
                raise _away(cause) from None
            await self._make_groups(topic)
        except RedisError as cause:
            raise _away(cause) from None
        return 0

    async def _reached(self, stream: str, group: str) -> tuple[str, str]:
        """(oldest that is handed out and not acknowledged or "", newest that was handed out) of a group."""
        delivered = await self._delivered(stream, group)  # first: what is handed out in between stays
        pending = await _told(self._redis.xpending(stream, group))
        first = pending.get("min") if isinstance(pending, dict) else None
        return _text(first) if first else "", delivered

    async def _delivered(self, stream: str, group: str) -> str:
        for info in await _told(self._redis.xinfo_groups(stream)):
            named = {_text(k): v for k, v in info.items()}
            if _text(named["name"]) == group:
                return _text(named["last-delivered-id"])
        return "0-0"

    async def ahead(self, topic: str, group: str, of: str) -> list[bytes]:
        stream = self._prefix + topic
        out: list[bytes] = []
        if not {group, of} <= set(self._groups.get(topic, ())):
            return out
        await self._make_groups(topic)
        try:
            theirs, handed = await self._reached(stream, of)
            ours, reached = await self._reached(stream, group)
            start, end = theirs or f"({handed}", f"({ours}" if ours else reached
            while page := _listed(await _told(self._redis.xrange(stream, start, end, count=READ))):
                out += [fields[b"b"] for _, fields in page if b"b" in fields]
                start = f"({page[-1][0]}"
        except RedisError as cause:
            raise _away(cause) from None
        return out

    async def behind(self, topic: str) -> dict[str, int]:
        out, stream = {}, self._prefix + topic
        try:
            for info in await _told(self._redis.xinfo_groups(stream)):
                named = {_text(k): v for k, v in info.items()}
                lag = named.get("lag")
                if lag is None:  # entries were taken out of the middle: nobody counts them any more
                    lag = await self._count_after(stream, _text(named["last-delivered-id"]))
                elif lag and _text(named["last-delivered-id"]) == await self._last(stream):
                    lag = 0  # a server of before counts what went without the group for ever
                out[_text(named["name"])] = int(lag) + int(named["pending"])
        except RedisError:
            return {}
        return out

    async def _last(self, stream: str) -> str:
        return _text((await _told(self._redis.xinfo_stream(stream)))["last-generated-id"])

    async def _count_after(self, stream: str, number: str) -> int:
        return len(_listed(await _told(self._redis.xrange(stream, f"({number}", "+"))))

    # ---------------------------------------------------------------- hints
    async def shout(self, topic: str, body: bytes) -> None:
        """Best effort: nobody waits for a hint, and a lost one is healed by reading the record again."""
        try:
            await _told(self._redis.publish(self._prefix + topic, body))
        except RedisError:
            return

    async def listen(self, topic: str) -> AsyncIterator[bytes]:
        """A server that says nothing for a while is asked whether it is still there."""
        pubsub = self._redis.pubsub()
        asked = False
        try:
            await _told(pubsub.subscribe(self._prefix + topic))
            while True:
                message = await _told(pubsub.get_message(timeout=self._answer))
                if message is not None:
                    asked = False
                    if message["type"] == "message":
                        yield message["data"]
                elif asked:
                    raise BusUnavailable("bus: no answer")
                else:
                    await _told(pubsub.ping())
                    asked = True
        except RedisError as cause:
            raise _away(cause) from None
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def healthy(self) -> bool:
        try:
            return bool(await _told(self._redis.ping()))
        except RedisError:
            return False

    async def close(self) -> None:
        await self._redis.aclose()


class _ServerWatch:
    """The server's clock, which also numbers the entries: how long one has waited is told by that alone."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._asked = 0.0

    def is_old(self, elapsed: float) -> bool:
        return self._ahead is None or elapsed - self._asked > LOOK_AGAIN

    def set(self, server: float, elapsed: float) -> None:
        self._ahead, self._asked = server - elapsed, elapsed

    def at(self, elapsed: float) -> float:
        assert self._ahead is not None
        return elapsed + self._ahead


async def _told(call: Awaitable[Any]) -> Any:
    """The client's answer. It may swallow a cancellation that comes while it waits (seen with redis-py 8.1 on
    Python 3.11): whoever was to end would then go on for ever."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        return await call
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


def _groups_gone(cause: ResponseError) -> bool:
    """The server was emptied, or the stream deleted under a blocked reader."""
    return any(word in str(cause) for word in ("NOGROUP", "UNBLOCKED", "no such key"))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _order(number: str) -> tuple[int, int]:
    ms, _, seq = number.partition("-")
    return int(ms), int(seq or 0)


def _listed(page: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    """XRANGE's entries."""
    return [(_text(number), fields or {}) for number, fields in page or ()]


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
