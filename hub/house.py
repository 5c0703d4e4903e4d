"""What every process of the hub shares: the settings made concrete, the record opened, the bus built."""

from __future__ import annotations

import contextlib
import functools
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import structlog
from pydantic import SecretStr

from hub.bus.memory import MemoryBus
from hub.errors import ConfigError, Transient
from hub.outline import PluginBlock
from hub.ports import EVENTS, SAMPLES, Bus, Clock, Plant
from hub.postgres import EmbeddedPostgres
from hub.registry import Kinds, configured
from hub.settings import Settings
from hub.store import units
from hub.store.erp_book import PgErpBook
from hub.store.ledger import PgLedger
from hub.store.migrate import migrate
from hub.store.outbox import PgOutbox
from hub.store.people import PgPeopleStore
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_table import TagTable

log = structlog.get_logger(__name__)

GROUPS = {SAMPLES: ("store", "rules")}


@dataclass(frozen=True, slots=True)
class Use:
    """One configured use of a plugin."""

    name: str
    cls: Any
    config: Any


@dataclass(frozen=True, slots=True)
class Plugins:
    """Every `with:` block, read by its plugin."""

    collectors: Sequence[Use]
    mes: Sequence[Use]
    notifiers: Sequence[Use]
    erp: Use | None

    def every(self) -> list[Use]:
        return [*self.collectors, *self.mes, *self.notifiers, *([self.erp] if self.erp else [])]


def read_plugins(settings: Settings) -> Plugins:
    """Raises ConfigError with every complaint at once."""
    complaints: list[str] = []
    found = readable_plugins(settings, complaints)
    if complaints:
        raise ConfigError(*complaints)
    return found


def readable_plugins(settings: Settings, complaints: list[str]) -> Plugins:
    """Those that can be read; what is wrong with the others goes to `complaints`."""
    kinds = functools.cache(Kinds)

    def use(family: str, block: PluginBlock, where: str) -> Use | None:
        try:
            cls, config = configured(family, block, kinds(family), where)
        except ConfigError as cause:
            complaints.extend(f"{settings.source}: {c}" for c in cause.complaints)
            return None
        return Use(block.name, cls, config)

    def uses(family: str, blocks: Sequence[PluginBlock]) -> list[Use]:
        made = (use(family, b, f"{family}[{i}] {b.name}") for i, b in enumerate(blocks))
        return [u for u in made if u is not None]

    file = settings.file
    known = [n.name for n in file.notifiers]
    complaints.extend(
        f"{settings.source}: hub.notices: {name!r} is no notifier; known are {', '.join(known) or 'none'}"
        for name in settings.notified()
        if name not in known
    )
    return Plugins(
        uses("collectors", file.collectors),
        uses("mes", file.mes),
        uses("notifiers", file.notifiers),
        use("erp", file.erp, "erp") if file.erp else None,
    )


def with_numbers(plant: Plant, numbers: Mapping[str, int]) -> Plant:
    """The plant with the tag numbers that the record has given out."""
    numbered = {path: replace(tag, number=numbers[path]) for path, tag in plant.tags.items()}
    return replace(plant, tags=numbered)


@dataclass(slots=True)
class Record:
    """The database and the stores on it."""

    dsn: str
    pool: Pool
    writing: Pool  # of the samples' one writer; no connection where nothing is written
    ledger: PgLedger
    samples: PgSampleStore
    outbox: PgOutbox
    people: PgPeopleStore
    erp_book: PgErpBook

    async def close(self) -> None:
        await self.outbox.close()
        await self.writing.close()
        await self.pool.close()


async def bring_up(dsn: str) -> list[str]:
    """The schema up to date; the names of what was applied. A server that is away is not a trace."""
    try:
        return await migrate(dsn)
    except psycopg.OperationalError as cause:
        raise Transient(
            f"hub.database: {_first_line(cause)}; is the server on, and are its address and password right?"
        ) from None
    except psycopg.errors.InsufficientPrivilege as cause:
        raise ConfigError(
            f"hub.database: {_first_line(cause)}; the account must own the database's schema"
        ) from None


def _first_line(cause: psycopg.Error) -> str:
    return next(iter(str(cause).splitlines()), type(cause).__name__)


async def open_record(
    dsn: str, time_zone: str, clock: Clock, *, wait: bool = True, erp: bool = True
) -> Record:
    pool = await open_pool(dsn, max_size=10, wait=wait)
    writing = await open_pool(dsn, min_size=0, max_size=1, wait=False)
    return Record(
        dsn, pool, writing, PgLedger(pool, time_zone), PgSampleStore(pool, writing=writing),
        PgOutbox(pool, dsn, erp=erp), PgPeopleStore(pool), PgErpBook(pool),
    )  # fmt: skip


async def number_tags(record: Record, plant: Plant) -> Plant:
    """With the numbers of the record, and since when it has samples in the unit that a tag has now."""
    plant = with_numbers(plant, await TagTable(record.pool).number(sorted(plant.tags)))
    since = {path: at for path, at in (await units.since(record.pool)).items() if path in plant.tags}
    return replace(
        plant, tags={**plant.tags, **{p: replace(plant.tags[p], unit_since=since[p]) for p in since}}
    )


async def tell_units(record: Record, plant: Plant) -> None:
    changed = await units.tell(record.pool, {path: tag.unit for path, tag in plant.tags.items()})
    if changed:
        log.warning("units.changed", tags=changed[:20], count=len(changed))


def make_bus(redis: SecretStr | None) -> Bus:
    if redis is None:
        return MemoryBus(GROUPS)
    from hub.bus.redis_streams import RedisBus  # many plants have no Redis

    return RedisBus(redis.get_secret_value(), GROUPS)


def embedded(settings: Settings) -> EmbeddedPostgres | None:
    """None when the settings name a server."""
    if settings.file.hub.database is not None:
        return None
    return EmbeddedPostgres(Path(settings.file.hub.data) / "postgres")


@contextlib.asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[str]:
    """The DSN of the configuration's server. An embedded one that no hub has running is started meanwhile."""
    if settings.file.hub.database is not None:
        yield settings.file.hub.database.get_secret_value()
        return
    server = EmbeddedPostgres(Path(settings.file.hub.data) / "postgres")
    if (dsn := server.running_dsn()) is not None:
        yield dsn
        return
    async with server:
        yield server.dsn


def shouter(bus: Bus) -> Any:
    """Events as JSON to whoever listens now."""

    async def shout(event: Mapping[str, Any]) -> None:
        await bus.shout(EVENTS, json.dumps(event, ensure_ascii=False).encode())

    return shout


def refuse_taken_port(host: str, port: int) -> None:
    """A clear word instead of a trace when another program has our address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise ConfigError(
                f"hub.port: {host}:{port} is in use by another program; end it, or choose another port "
                "with hub.port, --port or ANDON_PORT"
            ) from None


__all__ = ["Plugins", "Record", "Transient", "Use", "embedded", "make_bus", "open_record", "read_plugins"]
