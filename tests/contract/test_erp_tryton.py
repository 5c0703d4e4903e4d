"""What only Tryton has, against the real server: no unique keys, three-step documents, planned moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from erp_bridge.tryton import TrytonConnector
from erp_bridge.tryton_values import plain
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erp.test_erp_connectors import closing, posting, report, step, ticket
from tests.contract.erp.worlds.tryton import WORLD, TrytonBooks
from tests.simulators.tryton import seed

pytestmark = [pytest.mark.anyio, *WORLD.marks]

KEY = "AH-20260105-0007"
ORDER = "MO0001"


@pytest.fixture
async def erp() -> AsyncIterator[TrytonBooks]:
    async with WORLD.books(HandClock()) as books:
        yield books


@pytest.fixture
async def connect(erp: TrytonBooks) -> AsyncIterator[Callable[..., TrytonConnector]]:
    made: list[TrytonConnector] = []

    def one(**changes: Any) -> TrytonConnector:
        made.append(erp.connector(HandClock(), **changes))
        return made[-1]

    yield one
    for connector in made:
        await connector.close()


@pytest.fixture
def connector(connect: Callable[..., TrytonConnector]) -> TrytonConnector:
    return connect()


Connect = Callable[..., TrytonConnector]


# ------------------------------------------------------------------ every write may be the last one
STEPS: dict[str, tuple[str, ...]] = {
    "report": (
        "production.work.cycle.create", "ir.note.create", "production.work.cycle.run",
        "production.work.cycle.do",
    ),
    "receipt": ("stock.lot.create", "production.write", "ir.note.create", "stock.move.do"),
    "issue": (
        "stock.shipment.internal.create", "stock.shipment.internal.wait",
        "stock.shipment.internal.assign_try", "stock.shipment.internal.do",
    ),
    "quality": ("quality.inspection.create", "quality.inspection.process"),
    "hours": ("timesheet.line.create",),
}  # fmt: skip


def booking(
    erp: TrytonBooks, connector: TrytonConnector, kind: str, key: str
) -> Callable[[], Awaitable[str]]:
    if kind == "report":
        return lambda: connector.report_operation(key, report(erp))
    what = PostingKind(kind)
    return lambda: connector.post(what, key, posting(erp, what) | {"lot": _lot(what, key)})


def _lot(kind: PostingKind, key: str) -> str:
    return {PostingKind.RECEIPT: f"FG-{key}", PostingKind.ISSUE: seed.LOT}.get(kind, "")


@pytest.mark.parametrize("kind", STEPS)
async def test_whichever_write_is_cut_off_the_next_try_goes_on_from_there(
    erp: TrytonBooks, connector: TrytonConnector, kind: str
) -> None:
    """Cut off after each write in turn: what is there then is also what is there before the next."""
    keys = []
    for number, at in enumerate(STEPS[kind]):
        keys.append(f"K{number}")
        book = booking(erp, connector, kind, keys[-1])
        erp.proxy.at[at] = "drop_after_commit"
        with pytest.raises(ErpUnavailable) as trouble:
            await book()
        assert trouble.value.in_doubt
        assert not erp.proxy.at, f"{at} was never called"
        await book()
    booked = await (erp.reports() if kind == "report" else erp.postings(PostingKind(kind)))
    assert sorted(b.key for b in booked) == sorted(keys)
    assert erp.rows("select id from production_work_cycle where state = 'draft'") == []
    assert erp.rows("select id from stock_move where state = 'draft' and effective_date is not null") == []


async def test_two_workers_who_make_one_ticket_at_the_same_time_leave_one(
    erp: TrytonBooks, connect: Connect
) -> None:
    one, other = connect(), connect()
    faster: list[tuple[str, str]] = []

    async def overtake() -> None:
        faster.append(await other.open_ticket(KEY, ticket(erp)))

    erp.proxy.before["project.work.create"] = overtake
    slower = await one.open_ticket(KEY, ticket(erp))
    assert [slower] == faster
    assert [t.key for t in await erp.tickets()] == [KEY]


async def test_a_second_ticket_that_somebody_has_worked_on_is_left_for_a_person(
    erp: TrytonBooks, connector: TrytonConnector, caplog: pytest.LogCaptureFixture
) -> None:
    first = await connector.open_ticket(KEY, ticket(erp))
    clerk = erp.clerk()
    clerk.create("project.work", name=f"{KEY} again")
    clerk.close()
    assert await connector.open_ticket(KEY, ticket(erp)) == first
    assert len(await erp.tickets()) == 2
    assert "more than once" in caplog.text


# ------------------------------------------------------------------ somebody else is writing
async def test_what_a_clerk_writes_between_our_look_and_our_write_is_not_lost(
    erp: TrytonBooks, connector: TrytonConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    await connector.open_ticket(KEY, ticket(erp))
    assert erp.proxy.seen == ["project.work.create"]

    async def clerk_writes() -> None:
        clerk = erp.clerk()
        clerk("project.work.write", [int(erp_id)], {"comment": "备件在 3 号柜"})
        clerk.close()

    erp.proxy.before["project.work.write"] = clerk_writes
    with pytest.raises(ErpUnavailable, match="somebody else") as trouble:
        await connector.update_ticket(erp_id, step("accepted"))
    assert not trouble.value.in_doubt
    await connector.update_ticket(erp_id, step("accepted"))
    await connector.update_ticket(erp_id, step("accepted"))
    (found,) = await erp.tickets()
    lines = str(found.fields["comment"]).splitlines()
    assert lines[0] == "备件在 3 号柜"
    assert len(lines) == 2


async def test_many_calls_on_a_dead_session_log_in_once(erp: TrytonBooks, connector: TrytonConnector) -> None:
    import asyncio

    await connector.find_ticket(KEY)
    await erp.fail("session_dead")
    before = erp.proxy.log_ins
    await asyncio.gather(*(connector.find_ticket(f"AH-{n}") for n in range(5)))
    assert erp.proxy.log_ins == before + 1


# ------------------------------------------------------------------ what Tryton refuses
async def test_a_refusal_is_told_in_tryton_s_words_without_its_domains(
    erp: TrytonBooks, connect: Connect
) -> None:
    unfit = {"documents": {"ticket": {"write": {"progress": "`7`"}}}}
    with pytest.raises(ErpRefused, match="Progress") as told:
        await connect(**unfit).open_ticket(KEY, ticket(erp))
    assert len(str(told.value)) < 300


async def test_a_status_that_is_not_there_is_named_with_its_place_in_the_maps(
    erp: TrytonBooks, connect: Connect
) -> None:
    unknown = {"documents": {"ticket": {"tables": {"statuses": {"sent": "待接单"}}}}}
    with pytest.raises(ErpRefused, match=r"待接单.*documents\.ticket\.write\.status"):
        await connect(**unknown).open_ticket(KEY, ticket(erp))
    assert await erp.tickets() == []


async def test_are_you_sure_is_a_refusal_unless_the_site_has_said_yes(
    erp: TrytonBooks, connector: TrytonConnector, connect: Connect
) -> None:
    late = posting(erp, PostingKind.RECEIPT) | {"at": datetime(2099, 1, 1, tzinfo=UTC)}
    with pytest.raises(ErpRefused, match="effective_date_future"):
        await connector.post(PostingKind.RECEIPT, "P-1", late)
    assert await erp.postings(PostingKind.RECEIPT) == []
    sure = connect(accept_warnings=["effective_date_future"])
    await sure.post(PostingKind.RECEIPT, "P-1", late)
    assert len(await erp.postings(PostingKind.RECEIPT)) == 1


async def test_a_database_that_is_not_there_is_named(connect: Connect) -> None:
    with pytest.raises(ErpUnavailable, match=r"no database 'nope'.*database"):
        await connect(database="nope").find_ticket(KEY)


async def test_without_stock_an_issue_waits_and_is_finished_when_there_is_some(
    erp: TrytonBooks, connector: TrytonConnector
) -> None:
    much = posting(erp, PostingKind.ISSUE) | {"quantity": 9000.0}
    with pytest.raises(ErpRefused, match=f"not enough.*{seed.COMPONENT}"):
        await connector.post(PostingKind.ISSUE, "P-1", much)
    clerk = erp.clerk()
    storage = clerk.one("stock.location", ["code", "=", "STO"])
    product = clerk.one("product.product", ["code", "=", seed.COMPONENT])
    lot = clerk.one("stock.lot", ["number", "=", seed.LOT])
    line = {"product": product, "lot": lot, "quantity": 9500.0}
    count = clerk.create("stock.inventory", location=storage, lines=[["create", [line]]])
    clerk("stock.inventory.confirm", [count])
    clerk.close()
    await connector.post(PostingKind.ISSUE, "P-1", much)
    assert sum(p.quantity for p in await erp.postings(PostingKind.ISSUE)) == 9000.0
    assert len(erp.rows("select id from stock_shipment_internal")) == 1


async def test_what_a_site_does_not_have_is_not_looked_for(connect: Connect) -> None:
    lacking = {"documents": {"quality": {"form": "no.such.model"}}}
    assert (await connect(**lacking).probe())["quality"].startswith("✗ no.such.model")
    connector = connect(without=["quality"], **lacking)
    assert "quality" not in connector.capabilities
    assert "quality" not in await connector.probe()


async def test_which_projects_are_machines_is_the_site_s_to_say(connect: Connect) -> None:
    machines = connect(filters={"equipment": [["type", "=", "project"], ["name", "like", "CNC%"]]})
    assert [e.number for e in await machines.equipment()] == ["CNC-03"]
    assert {e.number for e in await connect().equipment()} == {*seed.MACHINES}


# ------------------------------------------------------------------ an order's whole life
async def test_what_was_received_and_scrapped_is_not_booked_again_when_the_order_is_done(
    erp: TrytonBooks, connector: TrytonConnector
) -> None:
    for kind in (PostingKind.RECEIPT, PostingKind.SCRAP):
        await connector.post(kind, "P-1", posting(erp, kind))
    for operation in ("10", "20"):
        await connector.report_operation(f"R-{operation}", report(erp) | {"operation": operation})
    clerk = erp.clerk()
    order = clerk.one("production", ["number", "=", ORDER])
    for button in ("assign_force", "run", "do"):
        clerk(f"production.{button}", [order])
    clerk.close()
    moved = erp.rows("select quantity, state from stock_move where production_output = :order", order=order)
    assert {row["state"] for row in moved} == {"done"}
    assert sum(row["quantity"] for row in moved) == seed.ORDER_QUANTITY
    with pytest.raises(ErpRefused, match="done in Tryton"):
        await connector.post(PostingKind.RECEIPT, "P-2", posting(erp, PostingKind.RECEIPT))


RUSH = {"priority": 1, "rush": True, "due_at": datetime(2026, 1, 7, 4, tzinfo=UTC), "reason": "客户催货"}


async def test_a_rush_order_that_has_begun_keeps_its_date_and_says_why(
    erp: TrytonBooks, connector: TrytonConnector
) -> None:
    await connector.report_operation("R-1", report(erp))
    before = await erp.order(ORDER)
    with pytest.raises(ErpRefused, match=f"{ORDER} has begun"):
        await connector.change_order(ORDER, RUSH)
    assert await erp.order(ORDER) == before


@pytest.mark.parametrize("at", ["production.draft", "production.write", "production.wait", "ir.note.delete"])
async def test_an_order_cut_off_on_its_way_to_a_new_date_gets_there_with_its_operations(
    erp: TrytonBooks, connector: TrytonConnector, at: str
) -> None:
    works = erp.rows("select operation, sequence from production_work where production = 1 order by sequence")
    erp.proxy.at[at] = "drop_after_commit"
    with pytest.raises(ErpUnavailable):
        await connector.change_order(ORDER, RUSH)
    assert not erp.proxy.at, f"{at} was never called"
    await connector.change_order(ORDER, RUSH)
    after = await erp.order(ORDER)
    assert (after["state"], after["due_at"].day) == ("waiting", 7)
    assert works == erp.rows(
        "select operation, sequence from production_work where production = 1 order by sequence"
    )
    notes = [row["message"] for row in erp.rows("select message from ir_note")]
    assert notes == ["[andon] 加急 rush 优先级 priority 1 客户催货"]


async def test_a_photo_is_attached_once(erp: TrytonBooks, connector: TrytonConnector) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    end = closing(photo="ph-1") | {"photo_data": b"\xff\xd8jpeg", "photo_name": "ph-1.jpg"}
    erp.proxy.at["project.work.write"] = "drop_before"
    with pytest.raises(ErpUnavailable):
        await connector.close_ticket(erp_id, end)
    await connector.close_ticket(erp_id, end)
    clerk = erp.clerk()
    (photo,) = clerk.rows("ir.attachment", ["name", "data", "resource"])
    clerk.close()
    assert plain(photo) | {"id": 0} == {
        "id": 0, "name": "ph-1.jpg", "data": b"\xff\xd8jpeg", "resource": f"project.work,{erp_id}",
    }  # fmt: skip
