"""Once, whatever happens: killed at every write, answers lost, two at the same time, two left over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from erp_bridge.jiandaoyun import JiandaoyunConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from tests.contract.jiandaoyun.case import KEY, closing, receipt, report, ticket
from tests.contract.jiandaoyun.conftest import Connect
from tests.simulators.jiandaoyun import seed
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

pytestmark = pytest.mark.anyio

LOST = [
    ("drop_after_commit", "batch"),
    ("submit_failed_after_commit", "batch"),
    ("drop_before", "batch"),
    ("error_after_commit", "single"),
]


async def insisted(work: Callable[[], Awaitable[Any]]) -> int:
    """Try again as the bridge would; how many tries it took."""
    for tries in range(1, 9):
        try:
            await work()
        except ErpUnavailable:
            continue
        return tries
    raise AssertionError("eight tries were not enough")


@pytest.mark.parametrize(("fault", "creation"), LOST)
async def test_killed_at_every_write_everything_is_there_once(
    erp: JiandaoyunSimulator, connect: Connect, fault: str, creation: str
) -> None:
    """A new connector for every try: nothing but the ERP remembers."""
    create = dict.fromkeys(["ticket", "report", "receipt", "lot"], creation)
    for at in range(7):
        key = f"{KEY}-{at}"
        erp.faults.add(fault, skip=at)

        async def life(key: str = key, at: int = at) -> None:
            connector = connect(create=create)
            erp_id, _ = await connector.open_ticket(key, ticket())
            await connector.report_operation(f"R-{at}", report())
            await connector.post(PostingKind.RECEIPT, f"P-{at}", receipt(lot=f"L-{at}"))
            await connector.close_ticket(erp_id, closing())

        await insisted(life)
        erp.faults.clear()
    desk = erp.desk
    assert sorted(t["ext_key"] for t in desk.rows("ah_repair")) == [f"{KEY}-{n}" for n in range(7)]
    assert {t["state"] for t in desk.rows("ah_repair")} == {"已完成"}
    assert sorted(r["ext_key"] for r in desk.rows("ah_op_report")) == [f"R-{n}" for n in range(7)]
    assert sorted(r["ext_key"] for r in desk.rows("ah_completion")) == [f"P-{n}" for n in range(7)]
    assert sorted(r["lot_no"] for r in desk.rows("ah_lot")) == [f"L-{n}" for n in range(7)]


async def test_two_bridges_at_the_same_time_make_one(erp: JiandaoyunSimulator, connect: Connect) -> None:
    made = await asyncio.gather(*(connect().open_ticket(KEY, ticket()) for _ in range(4)))
    assert len(set(made)) == 1
    assert len(erp.desk.rows("ah_repair")) == 1


async def test_a_batch_that_readers_do_not_see_yet_is_not_made_again(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp.faults.add("lag", seconds=600)
    erp.faults.add("drop_after_commit")
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", report(at=None))
    await connector.report_operation("R-1", report(at=None))
    assert [r["ext_key"] for r in erp.desk.rows("ah_op_report")] == ["R-1"]


async def test_a_single_create_that_readers_do_not_see_yet_waits_for_them(
    erp: JiandaoyunSimulator, connect: Connect
) -> None:
    connector = connect(create={"ticket": "single"})
    await connector.probe()
    erp.faults.add("lag", seconds=600)
    erp.faults.add("drop_after_commit")
    for _ in range(3):
        with pytest.raises(ErpUnavailable) as trouble:
            await connector.open_ticket(KEY, ticket())
        assert trouble.value.in_doubt
    erp.faults.clear()
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    assert [t["_id"] for t in erp.desk.rows("ah_repair")] == [erp_id]


async def test_an_answer_without_a_word_is_looked_into(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp.faults.add("empty_after_commit")
    erp_id, number = await connector.open_ticket(KEY, ticket())
    assert (erp_id, number) == (erp.desk.rows("ah_repair")[0]["_id"], "BX000001")


async def test_of_two_with_one_number_the_oldest_counts_and_the_other_is_marked(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (seed.add(erp.platform.books, "ah_repair", ext_key=KEY, state="待处理") for _ in range(2))
    found = await connector.find_ticket(KEY)
    assert found is not None
    assert found[0] == first
    assert (await connector.open_ticket(KEY, ticket()))[0] == first
    states = {t["_id"]: t["state"] for t in erp.desk.rows("ah_repair")}
    assert states == {first: "待处理", second: "重复"}
    assert "more than once" in caplog.text


async def test_a_number_is_found_as_it_is_written_however_loosely_they_compare(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.open_ticket(KEY, ticket())
    monkeypatch.setattr("tests.simulators.jiandaoyun.platform.chosen", lambda *_: lambda _: True)
    assert await connector.find_ticket(KEY.lower()) is None
    assert await connector.find_ticket(KEY) is not None


async def test_a_doubled_report_does_not_count_twice(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    for _ in range(2):
        seed.add(
            erp.platform.books,
            "ah_op_report",
            ext_key="R-1",
            wo_no=seed.ORDER,
            op_no="10",
            good_qty=5,
            scrap_qty=0,
        )
    await connector.report_operation("R-1", report(good=5, scrap=0))
    (claim,) = [c for c in await connector.reported([seed.ORDER]) if c.operation == "10"]
    assert claim.good == 5


async def test_what_they_refuse_is_told_in_their_words_and_not_tried_again(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp.faults.add("refused", code=4402, times=0)
    with pytest.raises(ErpRefused, match="4402"):
        await connector.open_ticket(KEY, ticket())
    assert erp.faults.writes == 1


async def test_a_deleted_ticket_is_told_not_made_again(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    erp.desk.delete("ah_repair", erp_id)
    assert await connector.ticket_states([erp_id]) == {}
    with pytest.raises(ErpRefused, match="not in Jiandaoyun any more"):
        await connector.close_ticket(erp_id, closing())
