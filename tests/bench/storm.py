"""Faults of everything at once: does the record still say what happened, once, in the end?

Each storm is a plant of its own behind the services of docker-compose.yml on Redis, with a second hub that
stands by. In every round some of these happen at the same time, drawn from the seed: Redis hangs or dies
with all that it had, the database's sessions hang or are ended, a service is killed with -9, asked to stop,
or stands still, a press overheats or is repaired. Then everybody gets well, and the books are read: samples,
pieces and states (tests/e2e/books.py), the MES's reports, the ERP's tickets and bookings, the messages.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.database import server
from tests.bench.figures import machine, say
from tests.e2e.books import books_balance
from tests.e2e.services import Service, Site, opened, values_move
from tests.e2e.world import until
from tests.valkey import Valkey, valkey

PRESSES = ("press-01", "press-02", "press-03")
STANDS_BY = "rules,upkeep,writer"
Act = Callable[[float], Awaitable[None]]


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=storm ARGS=...", description=__doc__)
    parser.add_argument("--storms", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=10, help="of each storm")
    parser.add_argument("--longest", type=float, default=14.0, help="seconds that a fault lasts at most")
    parser.add_argument("--seed", type=int, default=1, help="of the first storm; the next ones count on")
    return parser.parse_args(given)


async def measure(asked: argparse.Namespace) -> dict[str, Any]:
    violations: list[str] = []
    faults: Counter[str] = Counter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="andon-storm-") as name:
        Path(name).chmod(0o711)  # the database's own account passes through
        async with server(Path(name)) as database:
            for seed in range(asked.seed, asked.seed + asked.storms):
                folder = Path(name) / f"world-{seed}"
                try:
                    await _storm(random.Random(seed), asked, folder, database.fresh(), faults)
                except* AssertionError as causes:
                    violations += [f"seed {seed}: {cause}" for cause in causes.exceptions]
                say(f"storm {seed}: {sum(faults.values())} faults so far, {len(violations)} violations")
    return {
        "storms": asked.storms,
        "faults": dict(sorted(faults.items())),
        "violations": violations,
        "seconds": round(time.monotonic() - began, 1),
        "machine": machine(),
    }


async def _storm(
    dice: random.Random, asked: argparse.Namespace, folder: Path, dsn: str, faults: Counter[str]
) -> None:
    async with _site(folder, dsn) as (site, redis, services):
        broken: set[str] = set()
        for _ in range(asked.rounds):
            await _round(dice, asked.longest, _acts(dice, site, redis, services, dsn, broken), faults)
        await _repaired(site, broken)
        await site.here.healthy()
        await values_move(site)
        await _settled(site, dsn)
        for service in services:
            assert await service.stop() == 0, f"{service.log.name} does not end cleanly"
        books_balance(dsn, site.here.plant.config, site.hub.environment)
        await _outside(site, dsn)


@contextlib.asynccontextmanager
async def _site(folder: Path, dsn: str) -> AsyncIterator[tuple[Site, Valkey, list[Service]]]:
    with valkey() as redis:
        redis.start()
        async with opened(folder, dsn, redis.url) as site:
            await values_move(site)
            second = site.hub.with_parts(STANDS_BY)
            site.every.append(second)
            await second.start()
            yield site, redis, list(site.every)


# ------------------------------------------------------------------ what goes wrong
def _acts(
    dice: random.Random, site: Site, redis: Valkey, services: list[Service], dsn: str, broken: set[str]
) -> list[tuple[str, Act]]:
    """One of each kind; whom it concerns is drawn, and nobody is concerned twice in a round."""
    killed, stopped, paused, *_ = dice.sample(services, 3)
    press = dice.choice(PRESSES)

    async def redis_hangs(seconds: float) -> None:
        redis.freeze()
        await asyncio.sleep(seconds)
        redis.thaw()

    async def redis_dies(seconds: float) -> None:
        redis.kill()
        await asyncio.sleep(seconds)
        redis.start()

    async def is_killed(seconds: float) -> None:
        await killed.kill()
        await asyncio.sleep(seconds / 2)
        await killed.start()

    async def is_stopped(seconds: float) -> None:
        assert await stopped.stop() == 0, f"{stopped.log.name} does not end cleanly"
        await asyncio.sleep(seconds / 2)
        await stopped.start()

    async def stands_still(seconds: float) -> None:
        paused.pause()
        await asyncio.sleep(seconds)
        paused.go_on()

    async def overheats(_: float) -> None:
        broken.add(press)
        await site.here.command(press, "fault", {"kind": "overheat"})

    async def is_repaired(_: float) -> None:
        await _repaired(site, broken)

    async def sessions_end(_: float) -> None:
        await asyncio.to_thread(_asked, dsn, ENDED)

    async def sessions_hang(seconds: float) -> None:
        sessions = [pid for (pid,) in await asyncio.to_thread(_asked, dsn, SESSIONS)]
        _signal_all(sessions, signal.SIGSTOP)
        await asyncio.sleep(seconds / 2)
        _signal_all(sessions, signal.SIGCONT)

    bus = dice.choice([("redis hangs", redis_hangs), ("redis dies", redis_dies)])
    record = dice.choice([("sessions end", sessions_end), ("sessions hang", sessions_hang)])
    return [
        bus, record, ("killed", is_killed), ("stopped", is_stopped), ("stands still", stands_still),
        ("overheats", overheats), ("repaired", is_repaired),
    ]  # fmt: skip


async def _round(
    dice: random.Random, longest: float, acts: list[tuple[str, Act]], faults: Counter[str]
) -> None:
    async def later(name: str, act: Act, delay: float, seconds: float) -> None:
        await asyncio.sleep(delay)
        say(f"{name}, {seconds:.1f} s")
        faults[name] += 1
        await act(seconds)

    chosen = dice.sample(acts, dice.randint(1, 3))
    async with asyncio.TaskGroup() as group:
        for name, act in chosen:
            group.create_task(later(name, act, dice.uniform(0, 3), dice.uniform(1, longest)))
    await asyncio.sleep(dice.uniform(0, 8))


async def _repaired(site: Site, broken: set[str]) -> None:
    while broken:
        await site.here.command(broken.pop(), "repair")


def _signal_all(processes: list[int], number: int) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _asked(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


# ------------------------------------------------------------------ what has to be right in the end
async def _settled(site: Site, dsn: str) -> None:
    """What the MES has told by now is on record, and all that was to be done in the world is done."""
    told = {str(report["id"]) for report in await site.here.mes_reports()}

    async def on_record() -> bool:
        there = {name for (name,) in await asyncio.to_thread(_asked, dsn, REPORTS)}
        return told <= there

    assert told, "the MES tells nothing"
    await until(on_record, "the MES's reports are on record")
    [(last,)] = await asyncio.to_thread(_asked, dsn, LAST_ONE)

    async def done() -> bool:
        return await asyncio.to_thread(_asked, dsn, f"{WAITING} and id <= {last}") == []

    await until(done, "all that was to be told and booked is done")


async def _outside(site: Site, dsn: str) -> None:
    tickets = await asyncio.to_thread(_asked, dsn, TICKETS)
    numbers = [number for _, number in tickets]
    in_erp = await site.here.erp_tickets()
    assert "" not in numbers, f"tickets that the ERP does not have: {tickets}"
    assert len(set(numbers)) == len(numbers) == len(in_erp), f"{tickets} here, {in_erp} in the ERP"
    booked = Counter(report["key"] for report in await site.here.erp_reports() if report["key"])
    assert not (twice := [k for k, n in booked.items() if n > 1]), f"booked twice: {twice}"
    said = Counter((m["robot"], m["text"]) for m in await site.here.messages() if "重发" not in m["text"])
    assert not (twice := [k for k, n in said.items() if n > 1]), f"said twice without a mark: {twice}"
    dead = await asyncio.to_thread(_asked, dsn, DEAD)
    assert dead == [], f"dead letters: {dead}"


SESSIONS = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
ENDED = SESSIONS.replace("select pid", "select pg_terminate_backend(pid)")
REPORTS = "select id from job_responses"
LAST_ONE = "select max(id) from outbox"
WAITING = "select id from outbox where state in ('waiting', 'claimed')"
DEAD = "select key, reason from outbox where state = 'dead'"
TICKETS = "select id, erp_number from tickets"
