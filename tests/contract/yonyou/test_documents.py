"""Documents made once whatever happens between their writes; transfers, starts, renamed and numbered ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from erp_bridge.yonyou_u9 import YonyouU9Connector
from hub.errors import ConfigError, ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from tests.contract.erp.worlds.yonyou import YonyouBooks
from tests.simulators.yonyou import seed
from tests.simulators.yonyou.server import YonyouSimulator

pytestmark = pytest.mark.anyio

Connect = Callable[..., YonyouU9Connector]
Fields = Callable[..., dict[str, Any]]
KEY = "AH-20260105-0007"
BREAKS = (
    "drop_before",
    "drop_after_commit",
    "error_after_commit",
    "silent_after_commit",
    "http_500_after_commit",
)
WRITES = {  # what is posted -> how many writes it takes
    "report": 2, "started": 3, "transfer": 2, "receipt": 3, "issue": 2, "quality": 2, "hours": 2, "scrap": 2,
}  # fmt: skip


async def posted(connector: YonyouU9Connector, what: str, fields: Fields) -> str:
    match what:
        case "report":
            return await connector.report_operation("R-1", fields())
        case "started":
            return await connector.report_operation("R-1", fields(order="MO0002"))
        case "transfer":
            return await connector.report_operation("R-1", fields(operation="10"))
    more = {
        "receipt": {"lot": "FG-LOT-1"}, "issue": {"item": seed.COMPONENT, "lot": seed.LOT},
        "quality": {"check": "外径", "passed": True, "value": "20.01"}, "hours": {"labour_seconds": 3600.0},
        "scrap": {"reason": "毛刺"},
    }[what]  # fmt: skip
    return await connector.post(PostingKind(what), "P-1", fields(**more))


async def counted(books: YonyouBooks, what: str) -> int:
    if what in ("report", "started", "transfer"):
        return len(await books.reports())
    return len(await books.postings(PostingKind(what)))


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize(("what", "at"), [(w, n) for w, most in WRITES.items() for n in range(most)])
async def test_broken_at_any_write_it_is_posted_once(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, fields: Fields,
    what: str, at: int,
    broken: str,
) -> None:  # fmt: skip
    erp.faults.add(broken, skip=at)
    if what == "hours" and at == 0 and broken == "silent_after_commit":
        await posted(connector, what, fields)  # a deletion of nothing may be silent
    else:
        with pytest.raises(ErpUnavailable) as trouble:
            await posted(connector, what, fields)
        assert trouble.value.in_doubt
    number = await posted(connector, what, fields)
    assert await posted(connector, what, fields) == number
    assert await counted(books, what) == 1


@pytest.mark.parametrize("what", WRITES)
async def test_undisturbed_it_takes_so_many_writes(
    erp: YonyouSimulator, connector: YonyouU9Connector, fields: Fields, what: str
) -> None:
    await posted(connector, what, fields)
    assert len(erp.seen) == WRITES[what]


@pytest.mark.parametrize("broken", BREAKS)
async def test_a_repair_broken_at_any_write_is_one_and_ends(
    erp: YonyouSimulator,
    books: YonyouBooks,
    connector: YonyouU9Connector,
    repair: dict[str, Any],
    broken: str,
) -> None:
    async def insist(write: Callable[[], Any]) -> Any:
        erp.faults.add(broken)
        with pytest.raises(ErpUnavailable):
            await write()
        return await write()

    erp_id, _ = await insist(lambda: connector.open_ticket(KEY, repair))
    step = {
        "state": "accepted",
        "person": "tech-a",
        "person_name": "甲",
        "at": repair["opened_at"],
        "note": "",
    }
    await insist(lambda: connector.update_ticket(erp_id, step))
    closing = step | {"state": "closed", "cause": "更换轴承", "cause_class": "mechanical", "downtime": None}
    erp.faults.add(broken)
    with pytest.raises(ErpUnavailable):
        await connector.close_ticket(erp_id, closing)
    await connector.close_ticket(erp_id, closing)
    (found,) = await books.tickets()
    assert found.closed
    assert found.fields["Result"] == "机械 更换轴承 甲"


# ------------------------------------------------------------------ rows that fail in an answer that succeeds
async def test_more_pieces_than_the_order_has_are_refused_in_their_words(
    books: YonyouBooks, connector: YonyouU9Connector, fields: Fields
) -> None:
    with pytest.raises(ErpRefused, match="完工数量超过可完工数量"):
        await connector.report_operation("R-1", fields(good=401))
    assert await books.reports() == []


async def test_a_row_that_somebody_has_open_is_tried_again(
    erp: YonyouSimulator, connector: YonyouU9Connector, fields: Fields
) -> None:
    erp.faults.add("locked")
    with pytest.raises(ErpUnavailable, match="正在被其他用户") as trouble:
        await connector.report_operation("R-1", fields())
    assert not trouble.value.in_doubt


# ------------------------------------------------------------------ operations
async def test_an_operation_before_the_last_is_a_transfer_to_the_next(
    erp: YonyouSimulator, connector: YonyouU9Connector, fields: Fields
) -> None:
    before = {c.operation: c for c in await connector.reported([seed.ORDER])}
    await connector.report_operation("R-1", fields(operation="010"))
    await connector.report_operation("R-2", fields(operation="30", good=2, scrap=0))
    (document,) = erp.system.books.rows("transfer")
    assert (document["SrcOpNum"], document["TargetOpNum"], document["TransferQty"]) == ("10", "20", 4)
    after = {c.operation: c for c in await connector.reported([seed.ORDER])}
    assert [after[o].good - before[o].good for o in ("10", "20", "30")] == [3, 0, 2]
    assert [after[o].scrap - before[o].scrap for o in ("10", "20", "30")] == [1, 0, 0]


async def test_a_site_without_transfers_reports_completions(
    erp: YonyouSimulator, connector: YonyouU9Connector, fields: Fields
) -> None:
    erp.system.missing |= {"OpTransferDoc/Query", "OpTransferDoc/Create", "OpTransferDoc/Approve"}
    await connector.report_operation("R-1", fields(operation="10"))
    (document,) = erp.system.books.rows("completion")
    assert document["CompleteOp"] == "10"
    assert [said for said in (await connector.probe()).values() if said.startswith("✗")] == []


async def test_an_operation_that_the_order_does_not_have_is_refused_with_those_it_has(
    connector: YonyouU9Connector, fields: Fields
) -> None:
    with pytest.raises(ErpRefused, match="10, 20, 30"):
        await connector.report_operation("R-1", fields(operation="99"))


# ------------------------------------------------------------------ states of the order
async def test_the_first_report_starts_an_approved_order_with_all_its_pieces(
    erp: YonyouSimulator, connector: YonyouU9Connector, fields: Fields
) -> None:
    for key in ("R-1", "R-2"):
        await connector.report_operation(key, fields(order="MO0002"))
    assert erp.seen.count("MODoc/StartMo") == 1
    assert (erp.system.books.one("order", DocNo="MO0002") or {})["StartedQty"] == seed.ORDERED


async def test_a_site_may_keep_the_start_to_itself(
    connect: Connect, fields: Fields, erp: YonyouSimulator
) -> None:
    with pytest.raises(ErpRefused, match="MO0002 is not started"):
        await connect(start_orders=False, patience="1min").report_operation("R-1", fields(order="MO0002"))
    assert erp.seen == []


@pytest.mark.parametrize(
    ("number", "said"), [("MO0008", "not approved"), ("MO0009", "closed"), ("MO0001", "cancelled")]
)
async def test_an_order_that_takes_no_pieces_is_told(
    books: YonyouBooks, connect: Connect, fields: Fields, number: str, said: str
) -> None:
    if said == "cancelled":
        await books.cancel_order(number)
    with pytest.raises(ErpRefused, match=said):
        await connect(patience="1min").report_operation("R-1", fields(order=number))


# ------------------------------------------------------------------ numbers
async def test_a_repair_that_a_clerk_has_renamed_is_still_ours(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, repair: dict[str, Any]
) -> None:
    erp.faults.add("rename", paths=["AHEquipRepair/Create"])
    erp.faults.add("drop_after_commit", paths=["AHEquipRepair/Create"])
    with pytest.raises(ErpUnavailable):
        await connector.open_ticket(KEY, repair)
    erp_id, number = await connector.open_ticket(KEY, repair)
    assert number.startswith("BX-")
    await connector.update_ticket(
        erp_id, {"state": "repairing", "person_name": "甲", "at": repair["opened_at"]}
    )
    assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
    assert [t.fields["Worker"] for t in await books.tickets()] == ["甲"]


async def test_a_report_that_a_clerk_has_renamed_is_found_by_its_segment(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, fields: Fields
) -> None:
    erp.faults.add("rename", paths=["CompleteDoc/Create"])
    erp.faults.add("drop_after_commit", paths=["CompleteDoc/Create"])
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", fields())
    assert (await connector.report_operation("R-1", fields())).startswith("BX-")
    assert len(await books.reports()) == 1


NUMBERED = {"documents": {name: {"write": {"DocNo": ""}} for name in ("report", "transfer")}}


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("broken", [*BREAKS, "expired_after_commit"])
async def test_where_u9_gives_the_numbers_ours_is_in_a_segment(
    erp: YonyouSimulator, books: YonyouBooks, connect: Connect, fields: Fields, broken: str, at: int
) -> None:
    erp.system.documents.own_numbers = True
    connector = connect(**NUMBERED)
    erp.faults.add(broken, skip=at)
    if broken != "expired_after_commit":
        with pytest.raises(ErpUnavailable):
            await connector.report_operation("R-1", fields())
    number = await connector.report_operation("R-1", fields())
    assert number.startswith("CO2601")
    assert await connector.find_report("R-1") == number
    assert len(await books.reports()) == 1


async def test_where_nothing_can_find_a_report_none_is_made(
    erp: YonyouSimulator, connect: Connect, fields: Fields
) -> None:
    erp.system.tables.dropped.add("MO_CompleteRpt")
    with pytest.raises(ErpRefused, match="MO_CompleteRpt"):
        await connect(**NUMBERED).report_operation("R-1", fields())
    assert erp.seen == []


async def test_a_number_that_u9_did_not_take_is_shouted_about(
    erp: YonyouSimulator, connector: YonyouU9Connector, fields: Fields, caplog: pytest.LogCaptureFixture
) -> None:
    erp.system.documents.own_numbers = True
    await connector.report_operation("R-1", fields())
    assert "let the document type take numbers of ours" in caplog.text


async def test_a_document_that_carries_no_number_of_ours_is_refused_at_the_start(connect: Connect) -> None:
    write = {"DocNo": "", "DescFlexField.PrivateDescSeg1": ""}
    with pytest.raises(ConfigError, match=r"documents\.report\.write"):
        connect(documents={"report": {"write": write}})


@pytest.mark.parametrize("keys", [("it's nothing", "it s nothing"), ("aB-1", "AB-1"), ("工单-1", "工单-2")])
async def test_keys_that_u9_would_mix_up_are_told_apart(
    books: YonyouBooks,
    connector: YonyouU9Connector,
    fields: Fields,
    keys: tuple[str, str],
    erp: YonyouSimulator,
) -> None:
    numbers = [await connector.report_operation(key, fields()) for key in keys]
    assert len({n.casefold() for n in numbers}) == 2
    assert len(await books.reports()) == 2
    assert not any("'s" in s or "工" in s for s in erp.system.tables.statements)


# ------------------------------------------------------------------ hours
async def test_hours_that_cannot_be_searched_are_replaced(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, fields: Fields
) -> None:
    erp.system.tables.dropped.add("MO_MOWorkHour")
    erp.faults.add("drop_after_commit", paths=["MESAPIMOWorkHour/Create"])
    with pytest.raises(ErpUnavailable):
        await posted(connector, "hours", fields)
    for _ in range(2):
        await posted(connector, "hours", fields)
    assert await connector.find_posting(PostingKind.HOURS, "P-1") is None
    assert await counted(books, "hours") == 1


async def test_two_hubs_at_once_make_one_of_each(
    erp: YonyouSimulator, books: YonyouBooks, connect: Connect, fields: Fields, repair: dict[str, Any]
) -> None:
    """A worker that was paused between its look and its write: U9 keeps the number, which is ours."""
    hubs = [connect(client_id=erp.account.client_id) for _ in range(2)]
    erp.system.sessions.shared = True
    opened = await asyncio.gather(*(hub.open_ticket(KEY, repair) for hub in hubs))
    reported = await asyncio.gather(*(_insist(hub, fields) for hub in hubs))
    assert (len(set(opened)), len(set(reported))) == (1, 1)
    assert (len(await books.tickets()), len(await books.reports())) == (1, 1)


async def _insist(hub: YonyouU9Connector, fields: Fields) -> str:
    try:
        return await hub.report_operation("R-1", fields())
    except ErpUnavailable:
        return await hub.report_operation("R-1", fields())
