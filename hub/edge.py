"""The disk between the collectors of a process and the rest: opened, and told what is worth keeping on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from alert_rules.rule import Codes, Limits, Rule
from hub.bus.numbers import Numbering, for_now
from hub.bus.spool import Spool
from hub.bus.spooled import SpooledBus
from hub.bus.worth import Worth
from hub.errors import Transient
from hub.house import Record, with_numbers
from hub.model.gap import SampleGap
from hub.ports import Bus, Clock, Plant
from hub.store.gaps import PgGaps
from hub.store.standing import Standing, standing
from hub.store.tag_table import TagTable

NEEDED = {"0001_record", "0008_stream_origins"}  # what an edge asks of the record: numbers, how far it is


async def schema_of(dsn: str) -> str:
    """What is to be said of the hub's schema, which is the hub's to change: an edge of an earlier or a later
    release works with it as it is. Raises Transient where what it needs is not there (yet)."""
    try:
        found = await standing(dsn)
    except psycopg.OperationalError as cause:
        said = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise Transient(
            f"hub.database: {said}; is the server on, and are its address and password right?"
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise Transient("hub.database: the account may not read schema_migrations") from None
    if NEEDED & set(found.lacking):
        raise Transient("hub.database: what an edge needs is not there yet; start the hub on it.")
    return _compared(found)


def _compared(found: Standing) -> str:
    if found.newer:
        return (
            f"of a newer release than this edge ({', '.join(found.newer)}); samples go on record all the "
            "same. Upgrade the edge when it suits"
        )
    if found.lacking:
        return (
            f"of an earlier release than this edge ({', '.join(found.lacking)} is to come); samples go on "
            "record all the same. Upgrade the hub: it brings its database up to date when it starts"
        )
    return "up to date"


def numbered_alone(folder: Path, plant: Plant) -> Plant:
    """While the record cannot be asked: what is new has a number of ours until it is met."""
    return with_numbers(plant, for_now(folder, list(plant.tags)))


def spooled(
    folder: Path, limit: int, plant: Plant, worth: Worth, record: Record, bus: Bus, clock: Clock
) -> SpooledBus:
    """Raises ConfigError."""
    spool = Spool(folder, limit)
    try:
        numbers = {path: tag.number for path, tag in plant.tags.items()}
        numbering = Numbering.begun(folder, spool.first, spool.last, numbers)
    except BaseException:
        spool.close()
        raise
    spool.keep(Worth(worth.events, worth.limits, worth.sources, numbering.names), numbering)
    met = _Met(record, numbering)
    return SpooledBus(
        bus, spool, met.reached, clock, tell=met.tell, numbering=numbering
    )  # fmt: skip


class _Met:
    """The record, asked first of all what it calls the tags that wait; and again when it is another one."""

    def __init__(self, record: Record, numbering: Numbering) -> None:
        self._record, self._numbering = record, numbering
        self._last: dict[str, int] = {}

    async def reached(self, origin: str) -> int:
        with _as_it_is():
            record, number = await self._record.samples.met(origin)
            known = self._numbering.is_known and record == self._numbering.record
            if not known or number < self._last.get(origin, 0):  # it was put back to what it was before
                await self._number(record)
        self._last[origin] = number
        return number

    async def _number(self, record: str) -> None:
        numbers = await TagTable(self._record.pool).number(self._numbering.paths)
        if await self._record.samples.identity() != record:
            raise Transient("hub.database: it has been replaced just now")
        self._last.clear()
        self._numbering.know(numbers, record)

    async def tell(self, gaps: Sequence[SampleGap]) -> None:
        with _as_it_is():
            await PgGaps(self._record.pool).tell(gaps)


@contextlib.contextmanager
def _as_it_is() -> Iterator[None]:
    """A schema without what we ask for, or not ours to read, is the hub's business: it is waited for."""
    try:
        yield
    except psycopg.errors.UndefinedTable:
        raise Transient("hub.database: there are no tables yet; start the hub on it") from None
    except psycopg.ProgrammingError as cause:
        said = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise Transient(f"hub.database: {said}; is the hub of another release?") from None


def worth_of(
    plant: Plant, rules: Iterable[Rule], collectors: Mapping[str, Any], configs: Mapping[str, Any]
) -> Worth:
    """What says that something happened: states, fault codes, conditions that a device tells of itself, codes
    that a rule knows; and of numbers, on which side of a rule's limit they are."""
    paths = {m.state_tag for m in plant.machines()} | {m.fault_tag for m in plant.machines()}
    paths |= {block.tag for config in configs.values() for block in getattr(config, "alarms", ())}
    events = {plant.tags[path].number for path in paths if path in plant.tags}
    limits: dict[int, list[float]] = {}
    for rule in rules:
        if rule.tag is None:
            continue
        if isinstance(rule.condition, Codes):
            events.add(rule.tag.number)
        elif isinstance(rule.condition, Limits):
            limits.setdefault(rule.tag.number, []).extend((rule.condition.limit, rule.condition.clear))
    sources = {int(n): name for name, made in collectors.items() for n in made.tag_numbers}
    return Worth(frozenset(events), {t: at for t, at in limits.items() if t not in events}, sources)
