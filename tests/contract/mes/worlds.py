"""One MES of each kind, telling the same events in its own way."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from redis.asyncio import Redis

from collectors.intake import Intake
from collectors.mes_files import MesFilesSource
from collectors.mes_kafka import MesKafkaSource
from collectors.mes_push import MesDesk, MesPushSource
from collectors.mes_redis import MesRedisSource
from collectors.mes_sql import MesSqlSource
from hub import webhooks
from hub.model.erp import ErpPush
from hub.store.ledger import PgLedger
from hub.store.pool import Pool, open_pool
from hub.testing.clock import HandClock
from tests.kafka import Kafka

Event = Mapping[str, Any]
SECRET = "correct-horse-battery-staple"
AT = "2026-01-05T09:00:00+00:00"
ORDER: Event = {
    "type": "order", "id": "O-1", "number": "MO-1", "product": "A100", "product_name": "油泵",
    "quantity": 100, "due_at": "2026-01-06T08:00:00+00:00", "priority": 1, "customer": "ACME",
}  # fmt: skip
JOBS: list[Event] = [
    {"operation": "10", "name": "冲压", "work_center": "p1/a/l1", "quantity": 100},
    {"operation": "20", "name": "装配", "work_center": "p1/a/l2", "quantity": 100},
]
OF = {"order": "MO-1", "operation": "10"}
EVENTS: list[Event] = [
    {**ORDER, "jobs": JOBS},
    {"type": "report", "id": "R-1", **OF, "at": AT, "good": 3, "scrap": 1, "person": "李"},
    {"type": "report", "id": "R-2", **OF, "at": AT, "good": 4, "state": "done", "labour_seconds": 30.5},
    {"type": "labour", "id": "H-1", **OF, "at": AT, "labour_seconds": 60.0, "person": "李"},
    {
        "type": "quality", "id": "Q-1", **OF, "at": AT, "check": "外径", "passed": False, "value": "9.8",
        "unit": "mm",
    },
    {
        "type": "material", "id": "M-1", **OF, "at": AT, "item": "S1", "quantity": 2.5, "unit": "kg",
        "lot": "L-7",
    },
    {
        "type": "stock", "id": "S-1", **OF, "at": AT, "item": "A100", "quantity": 7.0, "lot": "B-1",
        "direction": "in",
    },
    {"type": "posting", "id": "P-1", **OF, "at": AT, "kind": "scrap", "quantity": 1.0, "reason": "划伤"},
]  # fmt: skip
BROKEN: Event = {"type": "report", "id": "R-9", **OF, "at": AT, "good": "many"}


class Enough(Exception):
    """The source has gone round as often as the test wants."""


class StridingClock(HandClock):
    """Nobody waits: a sleep is a step of time."""

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds)
        await asyncio.sleep(0)


class CountedIntake(Intake):
    rounds = 3
    enough: Callable[[], Awaitable[bool]] | None = None

    async def alive(self) -> None:
        self.rounds -= 1
        if self.rounds == 0 or (self.enough is not None and await self.enough()):
            raise Enough


class Record:
    """The hub's record, and what stands in it."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.ledger, self.shouted = pool, PgLedger(pool), list[Mapping[str, object]]()

    async def shout(self, event: Mapping[str, object]) -> None:
        self.shouted.append(event)

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.pool.connection() as connection:
            return list(await (await connection.execute(query.encode())).fetchall())

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Of orders, operations, reports, postings, and of what the ERP will be told."""
        return {
            "orders": await self.rows("select * from work_orders order by number"),
            "jobs": await self.rows("select * from job_orders order by work_order, operation"),
            "reports": await self.rows("select * from job_responses order by id"),
            "postings": await self.rows("select * from postings order by kind, id"),
            "intents": await self.rows("select key, kind, lane, payload from outbox order by key"),
        }

    async def rejects(self) -> list[dict[str, Any]]:
        return await self.rows("select * from mes_rejects order by id")


@asynccontextmanager
async def record(dsn: str) -> AsyncIterator[Record]:
    pool = await open_pool(dsn)
    try:
        yield Record(pool)
    finally:
        await pool.close()


class World:
    """`tell` is the MES's side; `read` is a life of the source, which ends by itself."""

    kills: Sequence[str] = ("mes.event_before_commit", "mes.event_after_commit", "mes.before_mark")

    def __init__(self, on: Record) -> None:
        self.record, self.clock = on, StridingClock()

    def source(self) -> Any:
        raise NotImplementedError

    async def tell(self, events: Sequence[Event]) -> None:
        raise NotImplementedError

    async def close(self) -> None: ...

    def intake(self, source: Any) -> CountedIntake:
        return CountedIntake("mes", source, self.record.ledger, self.clock, self.record.shout)

    async def read(self) -> None:
        source = self.source()
        try:
            async with asyncio.timeout(30):
                await source.feed(self.intake(source))
        except Enough:
            return


class PushWorld(World):
    """The MES sends again what it has no answer for."""

    kills = World.kills[:2]

    def __init__(self, on: Record, *_: Any) -> None:
        super().__init__(on)
        self.unanswered: list[Sequence[Event]] = []
        self.answers: list[Any] = []

    def source(self) -> MesPushSource:
        config = MesPushSource.Config.model_validate({"secrets": [SECRET]})
        return MesPushSource(config, self.clock, "mes")

    async def tell(self, events: Sequence[Event]) -> None:
        self.unanswered.append(events)

    async def read(self) -> None:
        source = self.source()
        desk = MesDesk(source, self.intake(source), self.clock)
        while self.unanswered:
            self.answers += await desk.push(signed(self.clock, self.unanswered[0]))
            self.unanswered.pop(0)


def signed(clock: HandClock, events: Any, about: str = "b-1", secret: str = SECRET) -> ErpPush:
    body, at = json.dumps({"events": events}).encode(), clock.now()
    return ErpPush(
        {
            "webhook-id": about, "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": webhooks.signature(about, at, body, SecretStr(secret)),
        },
        {}, body,
    )  # fmt: skip


ORDER_FIELDS = {n: n for n in ORDER if n != "type"} | {f"job.{n}": f"job_{n}" for n in JOBS[0]}


def order_rows(event: Event) -> list[dict[str, Any]]:
    """A table has a row for each operation."""
    own = {n: v for n, v in event.items() if n not in ("type", "jobs")}
    return [own | {f"job_{n}": v for n, v in job.items()} for job in event["jobs"]]


class FilesWorld(World):
    kills = (*World.kills, "mes.file_before_move")

    def __init__(self, on: Record, folder: Path, *_: Any) -> None:
        super().__init__(on)
        self.folder = folder
        self.told = 0

    def source(self) -> MesFilesSource:
        kinds = ["report", "labour", "quality", "material", "stock", "posting"]
        reads = [{"name": k, "type": k, "pattern": f"*-{k}.csv"} for k in kinds]
        order = {"name": "order", "type": "order", "pattern": "*-order.csv", "fields": ORDER_FIELDS}
        config = {"folder": str(self.folder), "settle": "1s", "reads": [*reads, order]}
        return MesFilesSource(MesFilesSource.Config.model_validate(config), self.clock, "mes")

    async def tell(self, events: Sequence[Event]) -> None:
        for event in events:
            self.told += 1
            rows = order_rows(event) if event["type"] == "order" else [dict(event)]
            out = io.StringIO()
            writer = csv.DictWriter(out, [n for n in rows[0] if n != "type"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
            path = self.folder / f"{self.told:03}-{event['type']}.csv"
            path.write_text(out.getvalue(), encoding="gb18030")


class RedisWorld(World):
    def __init__(self, on: Record, folder: Path, mes_dsn: str, url: str) -> None:
        super().__init__(on)
        self.url, self.redis = url, Redis.from_url(url)
        self.kills = World.kills

    def source(self) -> MesRedisSource:
        config = {"url": self.url, "stream": "mes", "wait": "5ms", "abandoned": "1h"}
        return MesRedisSource(MesRedisSource.Config.model_validate(config), self.clock, "mes")

    async def tell(self, events: Sequence[Event]) -> None:
        for event in events:
            await self.redis.xadd("mes", {"event": json.dumps(event)})

    async def close(self) -> None:
        await self.redis.aclose()


class KafkaWorld(World):
    """Two partitions; a life ends once it has read what there was when it began."""

    def __init__(self, on: Record, *_: Any) -> None:
        super().__init__(on)
        self.kafka = Kafka()
        self.kafka.topic("mes", 2)
        self.told = [0, 0]
        self.more: Mapping[str, Any] = {}

    def source(self) -> MesKafkaSource:
        return MesKafkaSource(MesKafkaSource.Config.model_validate(self.block()), self.clock, "mes")

    def block(self) -> dict[str, Any]:
        few = {"wait": "10ms", "session": "1001ms"}  # the brokers of tests give a group anew that much faster
        return {"servers": [self.kafka.address], "topics": ["mes"], **few, **self.more}

    async def tell(self, events: Sequence[Event]) -> None:
        for event in events:
            number = 0 if event["type"] == "order" else 1
            self.kafka.tell("mes", [event], number)
            self.told[number] += 1

    def intake(self, source: Any) -> CountedIntake:
        made = super().intake(source)
        made.rounds = 10**6
        made.enough = self.done
        return made

    async def done(self) -> bool:
        return [self.kafka.committed("andon-hub", "mes", n) for n in (0, 1)] == [
            n or -1001 for n in self.told
        ]

    async def close(self) -> None:
        self.kafka.close()


class SqlWorld(World):
    """Tables as a MES's vendor makes them: everything text but times and quantities."""

    def __init__(self, on: Record, folder: Path, mes_dsn: str, *_: Any) -> None:
        super().__init__(on)
        self.dsn = mes_dsn
        with psycopg.connect(mes_dsn, autocommit=True) as line:
            line.execute("create table ord (n serial, body jsonb)")
            line.execute("create table ev (n serial primary key, changed timestamptz, kind text, body jsonb)")

    def source(self) -> MesSqlSource:
        known = conninfo_to_dict(self.dsn)
        reads = [self._events(k) for k in ("report", "labour", "quality", "material", "stock", "posting")]
        names = sorted({*ORDER_FIELDS.values()})
        columns = ", ".join(f"body->>'{n}' as {n}" for n in names)
        order = {
            "name": "order", "type": "order", "fields": ORDER_FIELDS,
            "statement": f"select {columns} from ord order by n",
        }  # fmt: skip
        config = {
            "host": known["host"], "database": known["dbname"], "user": known["user"],
            "reads": [order, *reads],
        }  # fmt: skip
        return MesSqlSource(MesSqlSource.Config.model_validate(config), self.clock, "mes")

    def _events(self, kind: str) -> dict[str, Any]:
        names = {n for e in EVENTS if e["type"] == kind for n in e} - {"type"}
        columns = ", ".join(f"body->>'{n}' as {n}" if n != "order" else "body->>'order' as mo" for n in names)
        return {
            "name": kind, "type": kind, "watermark": "changed", "start": "2026-01-01", "limit": 2,
            "fields": {n: "mo" if n == "order" else n for n in names},
            "statement": f"select {columns}, changed from ev where kind = '{kind}' and changed >= :since "
            "order by changed, n limit :limit",
        }  # fmt: skip

    async def tell(self, events: Sequence[Event]) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as line:
            for event in events:
                if event["type"] == "order":
                    line.execute("delete from ord where body->>'number' = %s", [event["number"]])
                    for row in order_rows(event):
                        line.execute("insert into ord (body) values (%s)", [json.dumps(row)])
                else:
                    line.execute(
                        "insert into ev (changed, kind, body) select '2026-01-05T10:00:00Z'::timestamptz"
                        " + count(*) * interval '1 s', %s, %s from ev",
                        [event["type"], json.dumps(event)],
                    )


WORLDS: Mapping[str, Any] = {
    "mes-push": PushWorld, "mes-sql": SqlWorld, "mes-files": FilesWorld, "mes-redis": RedisWorld,
    "mes-kafka": KafkaWorld,
}  # fmt: skip
