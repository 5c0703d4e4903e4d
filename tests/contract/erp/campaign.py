"""A bad day at the bridge, drawn from a seed: whatever fails or dies on the way, the ERP's books say it once.

Incidents, reports and postings go out through the real outbox, while the ERP misbehaves, workers die at a
random step of their work and others are paused for longer than their lease and wake up again. Then all is
mended, the outbox is emptied, and the clerk's books are counted.
"""

from __future__ import annotations

import asyncio
import random
import types
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from collectors.runner import book
from erp_bridge.mapping import POSTINGS, Capability
from hub.claims import LEASE
from hub.errors import Transient
from hub.model.erp import PostingKind
from hub.model.production import Posting
from hub.ports import ErpConnector
from tests.contract.erp.world import AFTER_COMMIT, LAG_SECONDS, NOT_DONE, UNNOTICED, Books, World
from tests.integration.bridge_house import BridgeHouse, QuickClock, bridge_house, plant

MACHINES = 3  # that break down in one run
STEPS = 60  # a worker dies after so many resumptions at the latest
KILLS = 6
LOOKS = ("find_ticket", "find_report", "find_posting")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ought to be in the books and is not, and what is there more than once: tickets by their key, the
    rest by its name."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    open_tickets: tuple[str, ...] = ()  # whose closing did not arrive


@asynccontextmanager
async def stage(world: World, dsn: str, runs: int) -> AsyncIterator[tuple[Books, BridgeHouse]]:
    """One ERP and one hub for `runs` runs."""
    clock = QuickClock()
    async with world.books(clock) as books:
        where = plant(MACHINES * runs, books.facts.equipment)

        def connect() -> ErpConnector:
            return books.connector(clock)

        async with bridge_house(dsn, "", clock, connect, where) as house:
            yield books, house


async def run(world: World, books: Books, house: BridgeHouse, seed: int, at: int) -> Outcome:
    """`at`: the how-manieth run on this stage; a machine breaks down only once."""
    dice = random.Random(f"{world.name}:{seed}")
    beside = getattr(world, "beside_reports", (PostingKind.RECEIPT, PostingKind.HOURS))
    kinds = [kind for kind in beside if POSTINGS[kind] in house.connector.capabilities]
    before = await _totals(books, kinds)
    tickets = [await house.break_down(MACHINES * at + n) for n in range(dice.randint(1, MACHINES))]
    for ticket_id in tickets:
        await house.repair(ticket_id)
    expected = await _work(dice, books, house, seed, kinds)
    possible = sorted(world.faults & {*AFTER_COMMIT, *NOT_DONE, *UNNOTICED, "lag"})
    for _ in range(KILLS):
        for _ in range(dice.randrange(3)):
            await books.fail(dice.choice(possible), times=dice.randint(1, 2))
        await _a_life(dice, house)
        house.clock.turn(dice.choice((1.0, LAG_SECONDS + 1, 2 * LEASE.total_seconds())))
    await books.clear()
    await house.restart()
    await house.drain()
    return await _counted(books, tickets, expected, before, await _totals(books, kinds))


async def _work(
    dice: random.Random, books: Books, house: BridgeHouse, seed: int, kinds: Sequence[PostingKind]
) -> Totals:
    """What the shop floor has done, decided and not yet told to the ERP; what the books must grow by."""
    expected: Totals = {kind.value: 1.0 for kind in kinds}
    if Capability.REPORT_OPERATIONS in house.connector.capabilities:
        expected["reports"] = float(dice.randint(1, 3))
        for n in range(int(expected["reports"])):
            await house.report(f"R{seed}-{n}", books.facts.order, books.facts.operation, 1)
    for kind in kinds:
        posting = _posting(books, house, kind, f"P{seed}-{kind.value}")
        async with house.ledger.begin() as tx:
            await tx.intend(book(posting))
    return expected


def _posting(books: Books, house: BridgeHouse, kind: PostingKind, key: str) -> Posting:
    facts, hours = books.facts, kind is PostingKind.HOURS
    return Posting(
        key, kind, facts.order, facts.operation, house.clock.now(),
        item=facts.item, quantity=0.0 if hours else 1.0, lot="" if hours else "FG-LOT-01",
        warehouse=facts.warehouse, labour_seconds=3600.0 if hours else 0.0,
        machine_seconds=3600.0 if hours else 0.0, equipment=facts.equipment, person="op-a",
    )  # fmt: skip


# ------------------------------------------------------------------ lives and deaths
async def _a_life(dice: random.Random, house: BridgeHouse) -> None:
    """A worker begins some errands and dies on the way, or is paused while another works; then restarts."""
    paused = dice.random() < 0.3
    if paused:
        _pause_at_a_look(dice, house)
    with suppress(Transient):  # the record itself is well; an errand's trouble is the runner's
        await mortal(house.bridge.deliver_one(), dice.randrange(STEPS))
    await house.restart()


def _pause_at_a_look(dice: random.Random, house: BridgeHouse) -> None:
    """Between looking and writing this worker stands still for longer than its lease; another takes over."""
    name = dice.choice(LOOKS)
    look = getattr(house.connector, name)
    other = house.runner("other/bridge")

    async def look_and_stand_still(*args: Any) -> Any:
        found = await look(*args)
        setattr(house.connector, name, look)
        house.clock.turn(LEASE.total_seconds() + 1)
        await other.deliver_one()
        return found

    setattr(house.connector, name, look_and_stand_still)


async def mortal(life: Coroutine[Any, Any, Any], steps: int) -> None:
    """Runs until it is done or has been resumed so often; then it is cut off at its next step.

    Its sockets are closed behind it; whatever else it would still do comes from a dead worker.
    """
    task = asyncio.ensure_future(_counted_out(life, steps))
    await asyncio.wait([task])
    if not task.cancelled() and (trouble := task.exception()) is not None:
        raise trouble


@types.coroutine
def _counted_out(life: Coroutine[Any, Any, Any], steps: int) -> Generator[Any, Any, Any]:
    resumed, value, thrown = 0, None, None
    while True:
        try:
            waited_for = life.send(value) if thrown is None else life.throw(thrown)
        except StopIteration as end:
            return end.value
        value = thrown = None
        try:
            value = yield waited_for
        except BaseException as trouble:
            thrown = trouble
        resumed += 1
        task = asyncio.current_task()
        if resumed == steps + 1 and task is not None:
            task.cancel()


# ------------------------------------------------------------------ the books
Totals = dict[str, float]  # pieces reported, received; hours


async def _totals(books: Books, kinds: Iterable[PostingKind]) -> Totals:
    """Not every ERP shows our key on every document, but all of them add up."""
    found = {"reports": sum(r.quantity for r in await books.reports())}
    return found | {kind.value: sum(p.quantity for p in await books.postings(kind)) for kind in kinds}


async def _counted(
    books: Books, tickets: list[str], expected: Totals, before: Totals, after: Totals
) -> Outcome:
    there = await books.tickets()
    found = Counter(t.key for t in there)
    closed = {t.key for t in there if t.closed}
    moved = {name: round(after[name] - before[name], 6) for name in expected}
    return Outcome(
        lost=(*(k for k in tickets if not found[k]), *(n for n in expected if moved[n] < expected[n])),
        doubled=(*(k for k in tickets if found[k] > 1), *(n for n in expected if moved[n] > expected[n])),
        open_tickets=tuple(k for k in tickets if k not in closed),
    )
