"""Transactions that lie and have no key: booked once, whatever fails on the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from erp_bridge import asked, left_out, oracle_mark
from erp_bridge.asked import Asked
from erp_bridge.oracle import OracleConnector
from erp_bridge.oracle_mark import Begun, Mark, Move, Verdict
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.oracle import OracleBooks, add_inspections
from tests.contract.oracle.deeds import (
    AT,
    KEY,
    Act,
    Clerk,
    Connect,
    by_hand,
    closing,
    opened,
    operation,
    posted,
    reported,
    step,
)
from tests.simulators.oracle import seed
from tests.simulators.oracle.server import OracleSimulator

pytestmark = pytest.mark.anyio


async def test_a_report_that_was_booked_in_part_is_completed(books: OracleBooks, connect: Connect) -> None:
    connector = connect()
    await books.fail("row_failure", "report")
    with pytest.raises(ErpRefused, match="could not be processed"):
        await connector.report_operation("R-1", reported())
    assert (operation(books)["CompletedQuantity"], operation(books)["ScrappedQuantity"]) == (40, 1)
    await connector.report_operation("R-1", reported())
    assert (operation(books)["CompletedQuantity"], operation(books)["ScrappedQuantity"]) == (43, 1)


async def test_what_somebody_else_booked_meanwhile_is_for_a_person(
    books: OracleBooks, connect: Connect, clerk: Clerk
) -> None:
    connector = connect()
    await books.fail("drop_before", "report")
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", reported())
    by_hand(books)
    for one in (connector, connect()):
        with pytest.raises(ErpRefused, match="question mark"):
            await one.report_operation("R-1", reported())
    assert await connector.find_report("R-1") is None
    await connector.report_operation("R-2", reported())  # the others go on
    row = books.work_order(seed.ORDER)
    known_as = oracle_mark.digest("report", "R-1")
    without = row["WorkOrderDescription"].replace(f"?{known_as}", "")
    assert without != row["WorkOrderDescription"]
    path = f"/workOrders/{row['WorkOrderId']}"
    assert clerk.patch(path, {"WorkOrderDescription": without}).status_code == 200
    await connector.report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 40 + 5 + 3 + 3


async def test_of_two_workers_with_one_report_one_books(books: OracleBooks, connect: Connect) -> None:
    ends = await asyncio.gather(
        *(connect().report_operation("R-1", reported()) for _ in range(4)), return_exceptions=True
    )
    assert all(isinstance(end, str | ErpUnavailable) for end in ends)
    assert operation(books)["CompletedQuantity"] == 43


async def test_a_worker_that_slept_between_marking_and_sending_does_not_send(
    books: OracleBooks, connect: Connect, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    write = connector._client.write

    async def slow(method: str, *args: Any, **how: Any) -> Any:
        made = await write(method, *args, **how)
        if method == "PATCH":
            clock.turn(60)
        return made

    monkeypatch.setattr(connector._client, "write", slow)
    with pytest.raises(ErpUnavailable, match="too long"):
        await connector.report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 40
    await connect().report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 43


async def test_after_a_crash_nothing_is_sent_while_it_may_be_under_way(
    books: OracleBooks, connect: Connect, clock: HandClock
) -> None:
    dying = connect()
    kill(dying, at=2, after=False)
    with pytest.raises(Killed):
        await dying.report_operation("R-1", reported())
    with pytest.raises(ErpUnavailable, match="under way") as told:
        await connect().report_operation("R-1", reported())
    assert told.value.retry_after is not None
    clock.turn(told.value.retry_after.total_seconds() + 1)
    await connect().report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 43


async def test_a_transaction_that_takes_too_long_is_not_taken_for_over(
    books: OracleBooks, connect: Connect, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    request = connector._client._http.request

    async def late(method: str, *args: Any, **how: Any) -> Any:
        if method == "POST":
            raise httpx.ReadTimeout("late")
        return await request(method, *args, **how)

    await connector.find_ticket(KEY)  # has its token
    monkeypatch.setattr(connector._client._http, "request", late)
    with pytest.raises(ErpUnavailable) as told:
        await connector.report_operation("R-1", reported())
    assert told.value.in_doubt
    monkeypatch.undo()
    with pytest.raises(ErpUnavailable, match="under way"):
        await connector.report_operation("R-1", reported())
    clock.turn(20)
    await connector.report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 43


async def test_people_s_words_stay_beside_the_mark(books: OracleBooks, connect: Connect) -> None:
    connector = connect()
    before = books.work_order(seed.ORDER)["WorkOrderDescription"]
    for n in range(15):
        await connector.report_operation(f"R-{n}", reported(good=1, scrap=0, at=AT + timedelta(seconds=n)))
    text = books.work_order(seed.ORDER)["WorkOrderDescription"]
    assert text.startswith(before + " [AH ")
    assert len(text) <= 240
    fresh = connect()
    assert await fresh.find_report("R-14") and await fresh.find_report("R-9")
    assert operation(books)["CompletedQuantity"] == 55


async def test_what_had_to_make_room_in_a_full_text_is_never_booked_twice(
    books: OracleBooks, connect: Connect
) -> None:
    """Thirty reports and thirty postings of one order: all are booked, each once, and those that the order
    does not remember are not called absent."""

    def fields(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
        at = AT + timedelta(minutes=n // 2)
        return reported(good=1, scrap=0, at=at), posted(PostingKind.ISSUE, quantity=1.0, at=at)

    async def carried_out(connector: OracleConnector, n: int, *, first: bool) -> int:
        report, issue = fields(n)
        with asked.about(Asked(seed.ORDER, report["at"], first=first)):
            with left_out.gathered() as lost:
                known = [await connector.find_report(f"R-{n}")]
                known.append(await connector.find_posting(PostingKind.ISSUE, f"P-{n}"))
            assert bool(lost) is (None in known and not first)
            with contextlib.suppress(*() if first else (ErpRefused,)):
                await connector.report_operation(f"R-{n}", report)
            with contextlib.suppress(*() if first else (ErpRefused,)):
                await connector.post(PostingKind.ISSUE, f"P-{n}", issue)
        return 2 - known.count(None)

    same, anew = connect(), connect()
    assert [await carried_out(same, n, first=True) for n in range(30)] == [0] * 30
    assert [await carried_out(same, n, first=False) for n in range(30)] == [2] * 30
    assert sum([await carried_out(anew, n, first=False) for n in range(30)]) < 60
    assert operation(books)["CompletedQuantity"] == 40 + 30
    assert len(await books.postings(PostingKind.ISSUE)) == 30


async def test_beside_a_full_text_a_later_booking_is_told_from_an_older_one(
    books: OracleBooks, connect: Connect
) -> None:
    """Where nobody says that it is the first try, the instant that it names does."""
    for n in range(12):
        await connect().report_operation(f"R-{n}", reported(good=1, scrap=0, at=AT + timedelta(seconds=n)))
    with left_out.gathered() as lost:
        assert await connect().find_report("R-0") is None
    assert [one.record for one in lost] == [seed.ORDER]
    with pytest.raises(ErpRefused, match=r"mark\.child"):
        await connect().report_operation("R-0", reported(good=1, scrap=0, at=AT))
    with asked.about(Asked(seed.ORDER, AT + timedelta(minutes=1))), left_out.gathered() as lost:
        assert await connect().find_report("R-12") is None
    assert not lost
    assert operation(books)["CompletedQuantity"] == 52


async def test_a_mark_that_a_clerk_has_typed_over_proves_nothing_absent(
    books: OracleBooks, connect: Connect, clerk: Clerk
) -> None:
    connector = connect()
    await connector.report_operation("R-1", reported())
    path = f"/workOrders/{books.work_order(seed.ORDER)['WorkOrderId']}"
    assert clerk.patch(path, {"WorkOrderDescription": "急"}).status_code == 200
    with asked.about(Asked(seed.ORDER, AT, sent=True)), left_out.gathered() as lost:
        assert await connect().find_report("R-1") is None
    assert lost
    await connector.report_operation("R-1", reported())
    await connector.report_operation("R-2", reported())
    assert await connect().find_report("R-1")  # the order remembers again
    assert operation(books)["CompletedQuantity"] == 46


async def test_the_mark_may_stand_in_a_flexfield(books: OracleBooks, connect: Connect) -> None:
    mark = {"attribute": "andonMark", "child": "WorkOrderDFF", "context": "ANDON", "length": 400}
    before = books.work_order(seed.ORDER)["WorkOrderDescription"]
    for key in ("R-1", "R-2", "R-1"):
        await connect(mark=mark).report_operation(key, reported())
    assert await connect(mark=mark).find_report("R-1")
    assert operation(books)["CompletedQuantity"] == 46
    assert books.work_order(seed.ORDER)["WorkOrderDescription"] == before


@pytest.mark.parametrize("first", [True, False])
async def test_a_mark_in_a_flexfield_that_another_hub_has_written_meanwhile_is_not_written_over(
    books: OracleBooks, connect: Connect, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Of two hubs with one report the one that marked first sends it; the other one looks again."""
    mark = {"attribute": "andonMark", "child": "WorkOrderDFF", "context": "ANDON", "length": 400}
    one, other = connect(mark=mark), connect(mark=mark)
    if not first:
        await one.report_operation("R-0", reported())
    before = operation(books)["CompletedQuantity"]
    put, met = one._records.put_child, list[str]()

    async def interrupted(path: str, *args: Any) -> None:
        if not met:
            met.append(path)
            await other.report_operation("R-1", reported())
        await put(path, *args)

    monkeypatch.setattr(one._records, "put_child", interrupted)
    await one.report_operation("R-1", reported())
    assert met
    assert operation(books)["CompletedQuantity"] == before + 3


async def test_without_a_mark_a_process_still_books_once(books: OracleBooks, connect: Connect) -> None:
    connector = connect(mark={"attribute": ""})
    await books.fail("drop_after_commit", "report")
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", reported())
    for key in ("R-1", "R-2"):
        await connector.report_operation(key, reported())
    assert await connector.find_report("R-2")
    assert operation(books)["CompletedQuantity"] == 46


async def test_an_order_that_may_not_be_marked_names_what_to_mend(connect: Connect) -> None:
    with pytest.raises(ErpRefused, match=r"mark\.attribute"):
        await connect(mark={"attribute": "Colour"}).report_operation("R-1", reported())


async def test_the_floor_may_be_quicker_than_the_office(
    books: OracleBooks, connect: Connect, clock: HandClock
) -> None:
    connector, now = connect(), clock.now()
    early = [reported(order="M1-1300"), reported(order="NOT-YET"), reported(operation="30")]
    for fields in early:
        with pytest.raises(ErpUnavailable):
            await connector.report_operation("R-1", fields | {"at": now})
        with pytest.raises(ErpRefused):
            await connector.report_operation("R-1", fields)
    assert await books.reports() == []


async def test_hours_need_a_resource_of_the_operation(books: OracleBooks, connect: Connect) -> None:
    fields = posted(PostingKind.HOURS)
    with pytest.raises(ErpRefused, match=r"resource_codes\.labour"):
        await connect(resource_codes={"labour": "WELDER"}).post(PostingKind.HOURS, "H-1", fields)
    await connect().post(PostingKind.HOURS, "H-1", fields)
    used = [r["ActualResourceUsage"] for r in operation(books)["WorkOrderOperationResource"]]
    assert used == [pytest.approx(3601 / 3600, abs=1e-4), 1.5]


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before"])
async def test_scrap_is_seen_on_the_order_where_no_operation_tells_it(
    books: OracleBooks, connect: Connect, fault: str
) -> None:
    step_of = books.erp.system.resources["workOrders"].children["WorkOrderOperation"]
    del step_of.attributes["ScrappedQuantity"]
    await books.fail(fault, "report")
    connector = connect()
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", reported(good=0, scrap=2))
    await connector.report_operation("R-1", reported(good=0, scrap=2))
    assert operation(books)["ScrappedQuantity"] == 2


async def test_a_counter_that_cannot_be_read_is_for_a_person_not_for_a_guess(
    books: OracleBooks, connect: Connect
) -> None:
    step_of = books.erp.system.resources["workOrders"].children["WorkOrderOperation"]
    del step_of.children["WorkOrderOperationMaterial"].attributes["IssuedQuantity"]
    connector, fields = connect(), posted(PostingKind.ISSUE)
    booked = await connector.post(PostingKind.ISSUE, "P-0", fields)
    assert await connect().find_posting(PostingKind.ISSUE, "P-0") == booked
    await books.fail("drop_after_commit", "posting")
    with pytest.raises(ErpUnavailable):
        await connector.post(PostingKind.ISSUE, "P-1", fields)
    with pytest.raises(ErpRefused, match="cannot be told"):
        await connector.post(PostingKind.ISSUE, "P-1", fields)
    await connector.post(PostingKind.ISSUE, "P-2", fields)
    assert len(await books.postings(PostingKind.ISSUE)) == 3


async def test_a_material_on_no_list_is_for_oracle_to_judge(books: OracleBooks, connect: Connect) -> None:
    with pytest.raises(ErpRefused, match="RM-9 is not a material"):
        await connect().post(PostingKind.ISSUE, "P-1", posted(PostingKind.ISSUE, item="RM-9"))


async def test_inspections_need_a_resource_that_can_be_asked(books: OracleBooks, connect: Connect) -> None:
    without = connect(quality=None)
    with pytest.raises(ErpRefused, match="quality"):
        await without.post(PostingKind.QUALITY, "Q-1", posted(PostingKind.QUALITY))
    assert "quality" not in without.capabilities
    connector = connect()
    assert "quality" in connector.capabilities
    assert (await connector.probe())["quality"].startswith("✗")
    add_inspections(books.erp)
    assert not (await connector.probe())["quality"].startswith("✗")
    await books.fail("drop_after_commit", "posting")
    with pytest.raises(ErpUnavailable):
        await connector.post(PostingKind.QUALITY, "Q-1", posted(PostingKind.QUALITY))
    await connector.post(PostingKind.QUALITY, "Q-1", posted(PostingKind.QUALITY))
    assert await connector.find_posting(PostingKind.QUALITY, "Q-2") is None
    (found,) = await books.postings(PostingKind.QUALITY)
    assert (found.fields["ResultValue"], found.fields["DispositionStatus"]) == ("20.013", "REJECT")


# ------------------------------------------------------------------ killed at every write
class Killed(BaseException):
    """The process is gone."""


def kill(connector: OracleConnector, at: int, *, after: bool) -> None:
    """It dies at its write number `at`, before it is sent or when it has been done."""
    write, made = connector._client.write, 0

    async def dying(*args: Any, **how: Any) -> Any:
        nonlocal made
        made += 1
        if made == at and not after:
            raise Killed
        answer = await write(*args, **how)
        if made == at:
            raise Killed
        return answer

    connector._client.write = dying  # type: ignore[method-assign]


async def _ticket(connector: OracleConnector) -> Any:
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.update_ticket(erp_id, step("accepted"))
    await connector.close_ticket(erp_id, closing())


def _posting(kind: PostingKind) -> Act:
    return lambda connector: connector.post(kind, "P-1", posted(kind))


WRITES: dict[str, Act] = {
    "ticket": _ticket,
    "report": lambda connector: connector.report_operation("R-1", reported()),
} | {k.value: _posting(k) for k in PostingKind if k is not PostingKind.QUALITY}


@pytest.mark.parametrize("what", WRITES)
async def test_killed_at_any_write_it_is_done_once(
    books: OracleBooks, connect: Connect, clock: HandClock, what: str
) -> None:
    for at in (1, 2, 3, 4) if what == "ticket" else (1, 2):
        for after in (False, True):
            with OracleSimulator(now=clock.now) as simulator:
                mine = OracleBooks(simulator)
                await _die_and_go_on(mine, clock, WRITES[what], at, after=after)
                assert await _done(mine, what) == 1, (at, after)


async def _die_and_go_on(
    books: OracleBooks,
    clock: HandClock,
    act: Callable[[OracleConnector], Awaitable[Any]],
    at: int,
    *,
    after: bool,
) -> None:
    dying, next_one = books.connector(clock), books.connector(clock)
    kill(dying, at, after=after)
    with contextlib.suppress(Killed):
        await act(dying)
    for _ in range(4):
        try:
            await act(next_one)
            break
        except ErpUnavailable as trouble:
            clock.turn((trouble.retry_after or timedelta(seconds=6)).total_seconds())
    await dying.close()
    await next_one.close()


async def _done(books: OracleBooks, what: str) -> int:
    if what == "ticket":
        (found,) = await books.tickets()
        return found.title.count("已修复")
    return len(await books.reports() if what == "report" else await books.postings(PostingKind(what)))


# ------------------------------------------------------------------ the mark itself
BEGUN = Begun(
    oracle_mark.digest("report", "R-9"), AT,
    (Move("c20", Decimal(40), Decimal("3")), Move("s20", None, Decimal("0.5"))),
)  # fmt: skip


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = Mark((oracle_mark.digest("report", "R-1"),), (oracle_mark.digest("report", "R-2"),), BEGUN)
    text = oracle_mark.written("轴承座 [急]", mark, 240)
    assert oracle_mark.read(text) == ("轴承座 [急]", mark)
    assert oracle_mark.read("轴承座 [AH nonsense !x]") == ("轴承座", Mark())


def test_a_text_that_is_too_long_is_not_cut_for_the_mark() -> None:
    with pytest.raises(ErpRefused, match=r"mark\.child"):
        oracle_mark.written("x" * 200, Mark(begun=BEGUN), 240)


def test_counters_tell_what_became_of_it() -> None:
    moves = (Move("c20", Decimal(40), Decimal(3)), Move("s20", Decimal(0), Decimal(1)))
    begun = Begun("X", AT, moves)
    assert begun.verdict({"c20": Decimal(43), "s20": Decimal(1)}) is Verdict.DONE
    assert begun.verdict({"c20": Decimal(40), "s20": Decimal(0)}) is Verdict.UNDONE
    assert begun.verdict({"c20": Decimal(43), "s20": Decimal(0)}) is Verdict.PART
    assert begun.verdict({"c20": Decimal(45), "s20": Decimal(0)}) is Verdict.UNCLEAR
    assert begun.verdict({"c20": Decimal(43)}) is Verdict.DONE
    assert begun.verdict({"c20": Decimal(40), "s20": None}) is Verdict.UNDONE
    assert begun.verdict({}) is Verdict.UNCLEAR
