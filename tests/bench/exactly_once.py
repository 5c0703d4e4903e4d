"""Is every incident one ticket and every report one report, whatever fails or dies on the way to the ERP?

Each run is a bad day drawn from its seed (tests/contract/erp/campaign.py): incidents with their repair,
reports and postings through the real outbox and bridge; the ERP loses replies, answers errors after a
commit, forgets sessions, hides what was written; workers die at any step and others wake up after their
lease. `n` runs without a violation bound its rate at 3/n (95 %).
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from hub.store.migrate import migrate
from tests.bench.database import Server, server
from tests.bench.figures import machine, say
from tests.contract.erp.campaign import Outcome, run, stage
from tests.contract.erp.world import World, known_worlds

ON_ONE_STAGE = 25  # runs; then a fresh ERP: an order is not made for ever


def arguments(given: list[str]) -> argparse.Namespace:
    worlds = [world.name for world in known_worlds()]
    parser = argparse.ArgumentParser(prog="make bench BENCH=exactly_once ARGS=...", description=__doc__)
    parser.add_argument("--runs", type=int, default=500, help="for each connector")
    parser.add_argument("--first", type=int, default=0, help="seed of the first run")
    parser.add_argument("--connectors", nargs="*", choices=worlds, default=worlds, metavar="KIND")
    return parser.parse_args(given)


async def measure(asked: argparse.Namespace) -> dict[str, Any]:
    logging.getLogger().setLevel(logging.CRITICAL)  # what fails here is meant to
    began, figures = time.monotonic(), {}
    with tempfile.TemporaryDirectory(prefix="andon-once-") as name:
        Path(name).chmod(0o711)  # the database's own account passes through
        async with server(Path(name) / "database") as database:
            for world in known_worlds():
                if world.name in asked.connectors:
                    figures[world.name] = await _campaign(world, database, asked)
                    say(f"{world.name}: {figures[world.name]}")
    return {
        "connectors": len(figures),
        "runs": sum(f["runs"] for f in figures.values()),
        "lost": sum(len(f["lost"]) for f in figures.values()),
        "doubled": sum(len(f["doubled"]) for f in figures.values()),
        "unfinished": sum(len(f["unfinished"]) for f in figures.values()),
        "by_connector": figures,
        "seconds": round(time.monotonic() - began, 1),
        "machine": machine(),
    }


async def _campaign(world: World, database: Server, asked: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    outcomes: dict[int, Outcome] = {}
    letters: list[str] = []
    for start in range(0, asked.runs, ON_ONE_STAGE):
        dsn = database.fresh()
        await migrate(dsn)
        seeds = range(asked.first + start, asked.first + min(start + ON_ONE_STAGE, asked.runs))
        async with stage(world, dsn, len(seeds)) as (books, house):
            for at, seed in enumerate(seeds):
                outcomes[seed] = await run(world, books, house, seed, at)
            letters += [f"{letter.key}: {letter.reason}" for letter in await house.book.letters()]
    return {
        "runs": len(outcomes),
        "lost": [f"seed {seed}: {what}" for seed, o in outcomes.items() for what in o.lost],
        "doubled": [f"seed {seed}: {what}" for seed, o in outcomes.items() for what in o.doubled],
        "unfinished": [f"seed {seed}: {what}" for seed, o in outcomes.items() for what in o.open_tickets],
        "dead_letters": letters,
        "seconds": round(time.monotonic() - began, 1),
    }
