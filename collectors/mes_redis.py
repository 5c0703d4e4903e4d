"""MES by a Redis (or Valkey) stream: a consumer group, each entry acknowledged once it is on record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import Field, SecretStr, field_validator
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from collectors.mes_faults import Unreadable
from collectors.mes_text import Encoding, as_told, text_of
from hub.config import Block, Duration
from hub.errors import SourceRefused, SourceUnavailable
from hub.failpoint import failpoint
from hub.model.intake import Fault
from hub.model.words import Words
from hub.ports import Clock, MesIntake

_PAGE = 200
_ANSWER = 5.0  # seconds for an answer, on top of what a read may block
_REFUSALS = (AuthenticationError, NoPermissionError)
Entry = tuple[bytes, Mapping[bytes, bytes]]


class MesRedisConfig(Block):
    """The `with:` block of a `kind: mes-redis` source."""

    url: SecretStr = Field(description="redis://[:PASSWORD@]HOST:PORT/DB, rediss:// with TLS")
    stream: str = Field(min_length=1, max_length=500)
    group: str = Field("andon-hub", min_length=1, max_length=200)
    consumer: str = Field("", description="the name of this source when left out")
    field: str = Field("event", description="of an entry: the event as JSON")
    encoding: Encoding = Field("utf-8", description="of that JSON")
    wait: Duration = timedelta(seconds=2)
    abandoned: Duration = Field(
        timedelta(minutes=1), description="of another consumer: taken over after that"
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("is no address; write redis://HOST:PORT/0")
        return value


class MesRedisSource:
    """Lives for one connection. The supervisor gives it the next one."""

    Config = MesRedisConfig

    def __init__(self, config: MesRedisConfig, clock: Clock, name: str) -> None:
        self._config, self._clock, self._name = config, clock, name

    def event_of(self, record: Any) -> Any:
        """{entry, event}: an event without an id has that of its entry."""
        text = (
            text_of(record, self._config.field, self._config.encoding) if isinstance(record, dict) else None
        )
        if text is None:
            said = f"the entry has no field {self._config.field!r}; write the event there as JSON"
            raise Unreadable(Fault(self._config.field, Words(f"条目缺少字段 {self._config.field}", said)))
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise Unreadable(Fault(self._config.field, Words("不是 JSON", "is not JSON"))) from None
        return {"id": record.get("entry"), **found} if isinstance(found, dict) else found

    async def feed(self, intake: MesIntake) -> None:
        """Raises SourceUnavailable when the server is away, SourceRefused when it refuses us."""
        async with self._redis() as redis:
            try:
                await self._group(redis)
                await self._mine(redis, intake)
                while not _cancelled():
                    await self._abandoned(redis, intake)
                    found = await redis.xreadgroup(
                        self._config.group, self._consumer, {self._config.stream: ">"}, _PAGE, self._block()
                    )
                    await intake.alive()
                    await self._take(redis, _entries(found), intake)
                raise asyncio.CancelledError
            except _REFUSALS as cause:
                raise SourceRefused(f"{self._name}: Redis refuses us ({type(cause).__name__})") from None
            except ResponseError as cause:
                raise self._complaint(cause) from None
            except RedisError as cause:
                raise SourceUnavailable(f"{self._name}: Redis is away ({type(cause).__name__})") from None

    async def probe(self) -> Mapping[str, str]:
        """How long the stream is; changes nothing."""
        async with self._redis() as redis:
            try:
                length = await redis.xlen(self._config.stream)
            except ResponseError as cause:
                raise self._complaint(cause) from None
            except RedisError as cause:
                raise SourceUnavailable(f"{self._name}: Redis is away ({type(cause).__name__})") from None
        return {self._config.stream: f"{length} entries"}

    @property
    def _consumer(self) -> str:
        return self._config.consumer or self._name

    def _redis(self) -> Redis:
        """It tries nothing twice by itself: entries of a lost answer are pending, and found by `_mine`."""
        patience = self._config.wait.total_seconds() + _ANSWER
        return Redis.from_url(
            self._config.url.get_secret_value(), retry=Retry(NoBackoff(), 0), socket_connect_timeout=_ANSWER,
            socket_timeout=patience,
        )  # fmt: skip

    def _block(self) -> int:
        return max(int(self._config.wait.total_seconds() * 1000), 1)

    async def _group(self, redis: Redis) -> None:
        """From the beginning of the stream, for what was told before we came counts too."""
        try:
            await redis.xgroup_create(self._config.stream, self._config.group, id="0", mkstream=True)
        except ResponseError as cause:
            if not str(cause).startswith("BUSYGROUP"):
                raise

    async def _mine(self, redis: Redis, intake: MesIntake) -> None:
        """What we were given and have not acknowledged: a life before this one ended in between."""
        after: bytes | str = "0"
        while True:
            found = await redis.xreadgroup(
                self._config.group, self._consumer, {self._config.stream: after}, _PAGE
            )
            entries = _entries(found)
            if not entries:
                return
            await self._take(redis, entries, intake)
            after = entries[-1][0]

    async def _abandoned(self, redis: Redis, intake: MesIntake) -> None:
        idle = int(self._config.abandoned.total_seconds() * 1000)
        _, entries, *_ = await redis.xautoclaim(
            self._config.stream, self._config.group, self._consumer, idle, "0-0", _PAGE
        )
        # Redis 6.2 gives what was trimmed meanwhile without its number: `_mine` of the next life has that
        await self._take(redis, [e for e in entries if e[0] is not None], intake)

    async def _take(self, redis: Redis, entries: Sequence[Entry], intake: MesIntake) -> None:
        if not entries:
            return
        await intake.take([self._record(entry) for entry in entries if entry[1]])  # else it was deleted
        failpoint("mes.before_mark")
        await redis.xack(self._config.stream, self._config.group, *(number for number, _ in entries))

    def _record(self, entry: Entry) -> dict[str, Any]:
        number, fields = entry
        told = fields.get(self._config.field.encode())
        return {"entry": number.decode(), **as_told(told, self._config.encoding)}

    def _complaint(self, cause: ResponseError) -> SourceUnavailable | SourceRefused:
        said = str(cause)
        if said.startswith("NOGROUP"):  # the server came back empty: the group is made again
            return SourceUnavailable(f"{self._name}: the stream's group is gone; making it again")
        if said.startswith("WRONGTYPE"):
            return SourceRefused(f"{self._name}: {self._config.stream} is no stream; correct stream:")
        if said.startswith("unknown command"):
            return SourceRefused(f"{self._name}: this Redis is too old; needs Redis 6.2 or later, or Valkey")
        return SourceUnavailable(f"{self._name}: Redis answered {said.split(' ', 1)[0]}")


def _cancelled() -> bool:
    """The client swallows a cancellation that meets an answer which is just there: then it is our turn."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _entries(found: Any) -> list[Entry]:
    """Of one stream; the client answers with a list, or with a mapping under RESP3."""
    pairs = list(found.items()) if isinstance(found, dict) else found or []
    if not pairs:
        return []
    entries = pairs[0][1]
    return entries[0] if entries and isinstance(entries[0], list) else list(entries)
