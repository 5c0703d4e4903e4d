"""Whatever dies or fails on the way: one ticket in the ERP, one report, the same end as without trouble."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from erp_bridge import errands, runner
from hub import metrics
from hub.claims import LEASE
from hub.model.ticket import TicketState
from hub.testing.clock import HandClock
from tests.integration.bridge_house import BridgeHouse, QuickClock, bridge_house, until
from tests.simulators.kingdee.faults import KINDS, LASTING
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio

POINTS = ("bridge.after_claim", "bridge.after_create", "bridge.before_mark")
ROOT = Path(__file__).parents[2]
REPORTED = (("R-1", 5, 0), ("R-2", 7, 1), ("R-3", 3, 0))


class PowerCut(Exception):
    """The process is gone at this line."""


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def erp(clock: QuickClock) -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator(now=clock.now) as simulator:
        yield simulator


@pytest.fixture
async def house(dsn: str, erp: KingdeeSimulator, clock: QuickClock) -> AsyncIterator[BridgeHouse]:
    async with bridge_house(dsn, erp.url, clock) as made:
        yield made


def cut_at(monkeypatch: pytest.MonkeyPatch, passages: dict[str, set[int]]) -> Counter[str]:
    """Raise PowerCut on these passages of these fail points."""
    seen: Counter[str] = Counter()

    def failpoint(name: str) -> None:
        name = name.replace("after_report", "after_create")  # the same place for another kind of errand
        seen[name] += 1
        if seen[name] in passages.get(name, ()):
            raise PowerCut(name)

    monkeypatch.setattr(errands, "failpoint", failpoint)
    monkeypatch.setattr(runner, "failpoint", failpoint)
    return seen


async def drain_through_power_cuts(house: BridgeHouse) -> int:
    cuts = 0
    while True:
        try:
            await house.drain()
            return cuts
        except PowerCut:
            cuts += 1
            await house.restart()


def reported(erp: KingdeeSimulator, operation: str = "20") -> tuple[float, float]:
    """What the operation plan of MO0001 has been told beyond its opening state."""
    plan = erp.books.numbered("SFC_OperationPlanning", "OPMO0001")
    assert plan is not None
    line = next(r.values for r in plan.rows["fsubentity"] if r.values["fopernumber"] == operation)
    return line["fqualifiedqty"] - 330, line.get("fprocessfailqty") or 0.0


async def test_a_ticket_goes_to_the_erp_and_back_to_the_desk(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    ticket_id = await house.break_down()
    await house.drain()
    (in_erp,) = erp.tickets()
    ours = await house.ledger.ticket_of(ticket_id)
    assert (ours.state, ours.erp_id, ours.erp_number) == (
        TicketState.SENT,
        str(in_erp["id"]),
        in_erp["number"],
    )
    assert (in_erp["key"], in_erp["title"]) == (ticket_id, "油温过高")
    await house.repair(ticket_id)
    await house.drain()
    (in_erp,) = erp.tickets()
    assert (in_erp["state"], in_erp["status"], in_erp["result"]) == ("DONE", "C", "更换密封圈")
    assert in_erp["downtime_minutes"] == 4.0
    assert await house.dead() == 0
    assert await house.told() == []


def calls(call: str, outcome: str) -> float:
    return metrics.value("andon_erp_calls_total", connector="erp", call=call, outcome=outcome) or 0


async def test_what_errands_and_polls_ask_of_the_erp_is_counted(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    watched = [("find_ticket", "ok"), ("open_ticket", "in_doubt"), ("orders", "ok"), ("ticket_states", "ok")]
    before = [calls(*one) for one in watched]
    erp.faults.add("error_500_after_commit", services=["Save"])
    await house.break_down()
    await house.drain()
    await house.bridge.poll_orders()
    await house.bridge.poll_tickets()
    assert all(calls(*one) > was for one, was in zip(watched, before, strict=True))


@pytest.mark.parametrize("point", POINTS)
async def test_a_power_cut_at_a_fail_point_changes_nothing(
    house: BridgeHouse, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    cut_at(monkeypatch, {point: {1, 3, 6}})
    ticket_id = await house.break_down()
    await house.report("R-1", "MO0001", "20", 5, 1)
    assert await drain_through_power_cuts(house) >= 2
    await house.repair(ticket_id)
    await drain_through_power_cuts(house)
    assert [(t["key"], t["state"], t["status"]) for t in erp.tickets()] == [(ticket_id, "DONE", "C")]
    assert (await house.ledger.ticket_of(ticket_id)).erp_id == str(erp.tickets()[0]["id"])
    assert [(r["key"], r["status"]) for r in erp.reports()] == [("R-1", "C")]
    assert reported(erp) == (5, 1)
    assert await house.dead() == 0


@pytest.mark.parametrize("point", POINTS)
async def test_a_process_killed_at_a_fail_point_is_carried_on_by_the_next(
    house: BridgeHouse, erp: KingdeeSimulator, dsn: str, point: str
) -> None:
    ticket_id = await house.break_down()
    command = (sys.executable, "-m", "tests.integration.bridge_house", dsn, erp.url)
    environment = os.environ | {"ANDON_FAILPOINTS": f"{point}:exit", "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    async with asyncio.timeout(60):
        assert await process.wait() == 137
    await house.restart()
    await house.drain()
    assert [t["key"] for t in erp.tickets()] == [ticket_id]
    assert (await house.ledger.ticket_of(ticket_id)).state is TicketState.SENT


@pytest.mark.parametrize("seed", range(20))
async def test_a_bad_day_ends_like_a_good_one(
    dsn: str, clock: QuickClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Every other ERP has no unique index on our keys: there only looking twice protects."""
    with KingdeeSimulator(now=clock.now, unique_keys=seed % 2 == 0) as erp:
        async with bridge_house(dsn, erp.url, clock) as house:
            await bad_day(house, erp, monkeypatch, random.Random(seed))


async def bad_day(
    house: BridgeHouse, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch, dice: random.Random
) -> None:
    kinds = [k for k in KINDS if k not in ("hold", "delay", *LASTING)]
    services = ["Save", "Push", "Submit", "Audit", "ExecuteBillQuery"]
    for _ in range(dice.randint(3, 8)):
        erp.faults.add(
            dice.choice(kinds),
            services=[dice.choice(services)],
            skip=dice.randint(0, 6),
            times=dice.randint(1, 2),
        )
    if dice.random() < 0.5:
        erp.faults.add("lag", seconds=4)
    cut_at(monkeypatch, {point: {dice.randint(1, 12) for _ in range(2)} for point in POINTS})
    tickets = [await house.break_down(machine) for machine in range(3)]
    for key, good, scrap in REPORTED:
        await house.report(key, "MO0001", "20", good, scrap)
    await drain_through_power_cuts(house)
    for ticket_id in tickets:
        await house.repair(ticket_id)
    await drain_through_power_cuts(house)
    assert await house.dead() == 0
    in_erp = {t["key"]: t for t in erp.tickets()}
    assert sorted(in_erp) == sorted(tickets)
    assert len(erp.tickets()) == 3
    assert {(t["state"], t["status"]) for t in in_erp.values()} == {("DONE", "C")}
    for ticket_id in tickets:
        assert (await house.ledger.ticket_of(ticket_id)).erp_id == str(in_erp[ticket_id]["id"])
    keyed = [r for r in erp.reports() if r["key"]]
    assert sorted((r["key"], r["status"]) for r in keyed) == [(key, "C") for key, _, _ in REPORTED]
    assert reported(erp) == (15, 1)


async def test_a_bridge_that_starts_again_takes_up_what_it_held(
    dsn: str, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_at(monkeypatch, {"bridge.after_claim": {1}})
    async with bridge_house(dsn, erp.url, HandClock()) as house:
        await house.break_down()
        with pytest.raises(PowerCut):
            await house.drain()
        bridge = asyncio.create_task(house.bridge.run())
        await until(lambda: ("ExecuteBillQuery", "AH_EquipRepair") in erp.calls)
        released_at = house.clock.now()
        await until(lambda: len(erp.tickets()) == 1, turning=house.clock)
        assert house.clock.now() - released_at < LEASE
        await until(lambda: house.bridge.health()["done"] == 1)
        bridge.cancel()
        with suppress(asyncio.CancelledError):
            await bridge


@pytest.mark.parametrize("unique_keys", [True, False])
async def test_an_erp_that_hides_its_newest_writes_is_asked_twice(
    dsn: str, clock: QuickClock, monkeypatch: pytest.MonkeyPatch, unique_keys: bool
) -> None:
    """Killed right after the ERP had made ticket and report, which it does not show for five seconds."""
    with KingdeeSimulator(now=clock.now, unique_keys=unique_keys) as erp:
        async with bridge_house(dsn, erp.url, clock) as house:
            cut_at(monkeypatch, {"bridge.after_create": {1, 3}})
            await house.break_down()
            with suppress(PowerCut):
                await house.drain()
            erp.faults.add("lag", seconds=5)
            await house.restart()
            await house.drain()
            erp.faults.clear()
            await house.report("R-1", "MO0001", "20", 5)
            with suppress(PowerCut):
                await house.drain()
            erp.faults.add("lag", seconds=5)
            await house.restart()
            await house.drain()
            assert (len(erp.tickets()), len(erp.reports())) == (1, 1)
            assert reported(erp) == (5, 0)
            assert await house.dead() == 0


async def test_an_erp_that_is_away_for_three_days_loses_nothing(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    ticket_id = await house.break_down()
    erp.faults.add("down")
    start, looks = house.clock.now(), 0
    while (house.clock.now() - start).days < 3:
        looks += 1 if await house.bridge.deliver_one() else 0
        house.clock.turn(1800)
    assert looks == 3 * 48  # it is tried whenever somebody looks
    assert not await house.dead()
    assert house.bridge.health()["up"] is False
    erp.faults.clear()
    await house.drain()
    assert [t["key"] for t in erp.tickets()] == [ticket_id]
    assert house.bridge.health()["up"] is True


async def test_a_refusal_is_a_dead_letter_with_the_erps_words_and_the_lane_goes_on(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.report("R-1", "MO0001", "99", 5)
    await house.report("R-2", "MO0001", "20", 5)
    await house.drain()
    assert await house.dead() == 1
    (told,) = await house.told()
    assert "no operation plan for MO0001 operation 99" in told["title"]["en"]
    assert "ERP 拒绝" in told["title"]["zh"]
    assert [r["key"] for r in erp.reports()] == ["R-2"]


async def test_a_report_without_pieces_does_not_trouble_the_erp(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.report("R-1", "MO0001", "20", 0)
    await house.drain()
    assert not erp.calls
    assert await house.dead() == 0


async def test_lanes_run_side_by_side_and_each_in_order(dsn: str, erp: KingdeeSimulator) -> None:
    """One lane hangs in the ERP; the other goes on, and nothing overtakes within its lane."""
    async with bridge_house(dsn, erp.url, HandClock()) as house:
        await lanes(house, erp)


async def lanes(house: BridgeHouse, erp: KingdeeSimulator) -> None:
    erp.faults.add("hold", services=["Push"])
    for n in range(3):
        await house.report(f"one-{n}", "MO0001", "10", n + 1)
        await house.report(f"two-{n}", "MO0002", "10", n + 1)
    bridge = asyncio.create_task(house.bridge.run())
    await until(lambda: len(finished(erp)) == 3)
    free = finished(erp)[0].partition("-")[0]
    held = {"one": "two", "two": "one"}[free]
    assert finished(erp) == [f"{free}-{n}" for n in range(3)]
    await until(lambda: house.bridge.health()["in_hand"] == 1)
    erp.faults.clear()
    await until(lambda: len(finished(erp)) == 6)
    assert [key for key in finished(erp) if key.startswith(held)] == [f"{held}-{n}" for n in range(3)]
    bridge.cancel()
    with suppress(asyncio.CancelledError):
        await bridge


def finished(erp: KingdeeSimulator) -> list[str]:
    """Keys of approved reports, in the order in which they were made."""
    return [r["key"] for r in reversed(erp.reports()) if r["status"] == "C"]


async def test_a_bridge_paused_between_looking_and_opening_opens_nothing_twice(
    house: BridgeHouse, erp: KingdeeSimulator, clock: QuickClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the attempt: not every ERP's connector looks once more by itself."""
    await house.break_down()
    other = house.runner("other/bridge")
    look, write = house.connector.find_ticket, house.connector.open_ticket
    looked: list[str] = []
    opened: list[str] = []

    async def look_and_pause(key: str) -> tuple[str, str] | None:
        found = await look(key)
        looked.append(key)
        if len(looked) == 1:
            clock.turn(LEASE.total_seconds())
            assert await other.deliver_one()
        return found

    async def open_ticket(key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        opened.append(key)
        return await write(key, fields)

    monkeypatch.setattr(house.connector, "find_ticket", look_and_pause)
    monkeypatch.setattr(house.connector, "open_ticket", open_ticket)
    assert await house.bridge.deliver_one()
    assert len(opened) == len(erp.tickets()) == 1
    assert (await house.outbox.stats())["waiting"] == {}


async def test_a_ticket_goes_before_the_reports_that_have_piled_up(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.report("R-1", "MO0001", "20", 5)
    ticket = await house.break_down()
    assert await house.bridge.deliver_one()
    assert [str(t["key"]) for t in erp.tickets()] == [ticket]
