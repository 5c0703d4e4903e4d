"""What is read: in every spelling of .NET, by SQL or by entity, from sites that lack columns and tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from erp_bridge.mapping import Capability
from erp_bridge.yonyou_answers import dated, named, outcome, rows_of, unpacked
from erp_bridge.yonyou_u9 import YonyouU9Connector
from hub.errors import ConfigError, ErpRefused, NotAllowed
from hub.model.erp import ErpPush, PostingKind
from hub.model.production import WorkOrderState
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.yonyou import YonyouBooks
from tests.simulators.yonyou import seed
from tests.simulators.yonyou.server import YonyouSimulator

pytestmark = pytest.mark.anyio

Connect = Callable[..., YonyouU9Connector]
Fields = Callable[..., dict[str, Any]]
KEY = "AH-20260105-0007"
STYLES = {
    "as text": {"as_text": True},
    "with ids": {"with_ids": True},
    "plain names": {"prefixed": False},
    "all of it": {"as_text": True, "with_ids": True, "prefixed": False},
}


# ------------------------------------------------------------------ spellings
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
async def test_every_spelling_means_the_same(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, fields: Fields,
    repair: dict[str, Any],
    style: dict[str, bool],
) -> None:  # fmt: skip
    for name, value in style.items():
        setattr(erp.system.style, name, value)
    erp_id, number = await connector.open_ticket(KEY, repair)
    assert await connector.find_ticket(KEY) == (erp_id, number)
    assert await connector.find_report("R-1") is None
    await connector.report_operation("R-1", fields())
    await connector.post(PostingKind.RECEIPT, "P-1", fields(lot="FG-LOT-1"))
    assert len(await books.reports()) == 1
    orders = {o.number: o for o in await connector.orders(None)}
    assert len(orders) == seed.RELEASED
    assert [j.operation for j in orders[seed.ORDER].jobs] == ["10", "20", "30"]
    assert orders[seed.ORDER].customer == "华东机床"


def test_a_reference_to_what_contains_it_is_no_endless_story() -> None:
    data = {"$id": "1", "Code": "A", "Inner": {"$id": "2", "Up": {"$ref": "1"}, "Me": {"$ref": "9"}}}
    assert unpacked([data]) == [{"Code": "A", "Inner": {"Up": None, "Me": None}}]
    assert unpacked({"$id": "1", "$values": [{"$id": "2", "x": 1}, {"$ref": "2"}]}) == [{"x": 1}, {"x": 1}]
    assert unpacked("[broken") == "[broken"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("/Date(1767600000000)/", "2026-01-05T08:00:00+00:00"), ("2026/1/5 8:00:00", "2026-01-05T08:00:00"),
        ("2026.1.5", "2026-01-05T00:00:00"), ("0001-01-01T00:00:00", None), ("MO/2026/1", "MO/2026/1"),
        ("2026/13/45", "2026/13/45"),
    ],
)  # fmt: skip
def test_dates_come_in_many_forms(theirs: str, ours: str | None) -> None:
    assert dated(theirs) == ours


def test_names_of_answers_are_read_as_names_of_questions() -> None:
    said = {"m_iD": 1, "m_sPECS": "x", "m_mOOperationDTOs": [{"m_operationNum": "10"}], "isSucess": True}
    assert named(said) == {
        "ID": 1,
        "SPECS": "x",
        "MOOperationDTOs": [{"OperationNum": "10"}],
        "IsSucess": True,
    }
    assert rows_of({"Rows": [{"a": 1}], "Count": 1}) == [{"a": 1}]


def test_a_result_is_matched_by_our_key_not_by_its_place() -> None:
    rows = [
        {"m_isSucess": True, "m_otherID": "B"},
        {"m_isSucess": False, "m_otherID": "A", "m_errorMsg": "no"},
    ]
    assert outcome(rows, "A") == outcome(rows[1:], "A")
    assert outcome(rows, "C") is None
    alone = outcome([{"IsSucess": "true", "Code": "X"}], "A")
    assert alone is not None
    assert (alone.done, alone.code) == (True, "X")
    assert outcome([{"Code": "X"}], "A") is None


# ------------------------------------------------------------------ lists
async def test_an_order_that_the_office_takes_back_is_held(
    erp: YonyouSimulator, connector: YonyouU9Connector, clock: HandClock
) -> None:
    clock.turn(3600)
    order = erp.system.books.one("order", DocNo="MO0002") or {}
    erp.system.books.put("order", order | {"DocState": 0})
    changed = {o.number: o.state for o in await connector.orders(clock.now())}
    assert changed == {"MO0002": WorkOrderState.HELD}


async def test_a_date_without_a_time_is_over_when_its_day_is(connector: YonyouU9Connector) -> None:
    (order,) = [o for o in await connector.orders(None) if o.number == seed.ORDER]
    assert order.due_at == datetime(2026, 1, 9, 15, 59, 59, tzinfo=UTC)


async def test_nothing_but_plain_words_goes_into_a_statement(
    erp: YonyouSimulator, connector: YonyouU9Connector
) -> None:
    for strange in ("x' OR '1'='1", "MO0001;DROP TABLE MO_MO", "MO0001' --", "工单"):
        assert await connector.reported([strange]) == []
        assert await connector.stock([strange]) == []
    assert erp.system.tables.statements == []


async def test_a_site_without_what_is_not_needed_is_read_without_it(
    erp: YonyouSimulator, connector: YonyouU9Connector, clock: HandClock
) -> None:
    erp.system.tables.dropped |= {
        "MO_MO.Cancel_Canceled", "MO_MO.ModifiedOn", "SM_SOShipline", "SM_SO.OrderBy_ShortName",
        "SM_SO.OrderBy_Code", "SM_SO.ModifiedOn", "CBO_Resource_Trl", "CBO_WorkCenter",
        "Lot_LotMaster.LotCode",
        "InvTrans_WhQoh.ID", "CBO_ItemMaster.ModifiedOn",
    }  # fmt: skip
    assert len(await connector.orders(None)) == seed.RELEASED
    assert len(await connector.orders(clock.now())) == seed.RELEASED + 3  # no date of change: all of it
    (sale,) = [s for s in await connector.sales_orders(None) if s.number == seed.SALES_ORDER]
    assert (sale.customer, sale.due_at.date()) == ("华东机床", datetime(2026, 1, 12, tzinfo=UTC).date())
    assert {e.number for e in await connector.equipment()} == {seed.EQUIPMENT, "SB-PRESS-01"}
    assert [(s.lot, s.quantity) for s in await connector.stock([seed.COMPONENT])] == [(seed.LOT, 500)]
    assert len(await connector.items(None)) == len(seed.ITEMS)
    found = await connector.probe()
    assert [said for said in found.values() if said.startswith("✗")] == []
    assert "without" in found["order_list"]


async def test_a_column_that_the_site_has_asked_for_is_missed_loudly(connect: Connect) -> None:
    wrong = {"documents": {"sales_order": {"read": {"rush": "o.DescFlexField_PrivateDescSeg29"}}}}
    connector = connect(**wrong)
    with pytest.raises(Exception, match="PrivateDescSeg29"):
        await connector.sales_orders(None)
    said = (await connector.probe())["sales_order"]
    assert said.startswith("✗")
    assert "PrivateDescSeg29" in said


async def test_a_custom_column_of_the_sales_order_is_its_priority(
    erp: YonyouSimulator, connect: Connect
) -> None:
    order = erp.system.books.one("sales_order", DocNo=seed.SALES_ORDER) or {}
    erp.system.books.put("sales_order", order | {"DescFlexField": {"PrivateDescSeg2": "1"}})
    read = {"priority": "number(o.DescFlexField_PrivateDescSeg2)"}
    found = await connect(documents={"sales_order": {"read": read}}).sales_orders(None)
    assert {s.number: s.priority for s in found}[seed.SALES_ORDER] == 1


async def test_a_site_that_forbids_sql_is_told_by_the_probe_and_reports_go_on(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, fields: Fields
) -> None:
    erp.system.missing.add("QueryCommon/QueryInfoBySql")
    await connector.report_operation("R-1", fields())
    assert len(await books.reports()) == 1
    with pytest.raises(ErpRefused, match="QueryInfoBySql"):
        await connector.orders(None)
    assert "reads: sql or entity" in (await connector.probe())["order_list"]


async def test_lists_are_read_by_entity_where_the_site_wants_it(
    erp: YonyouSimulator, books: YonyouBooks, connect: Connect, fields: Fields, clock: HandClock
) -> None:
    erp.system.tables.sql_allowed = False
    connector = connect(reads="entity", page_rows=4)
    assert len(await connector.orders(None)) == seed.RELEASED
    clock.turn(3600)
    await books.change_order("MO0003", 410, clock.now() + timedelta(days=2))
    assert [(o.number, o.quantity) for o in await connector.orders(clock.now())] == [("MO0003", 410)]
    assert {s.number for s in await connector.sales_orders(None)} == {"SO0001", "SO0002"}
    assert {i.number for i in await connector.items(None)} == set(seed.ITEMS)
    assert seed.EQUIPMENT in {e.number for e in await connector.equipment()}
    await connector.report_operation("R-1", fields())
    assert [c.good for c in await connector.reported([seed.ORDER])][-1] == 3
    assert [(s.lot, s.warehouse) for s in await connector.stock([seed.COMPONENT])] == [
        (seed.LOT, seed.WAREHOUSE)
    ]
    assert [said for said in (await connector.probe()).values() if said.startswith("✗")] == []
    assert erp.system.tables.statements == []


async def test_only_what_the_site_calls_ours_is_listed(erp: YonyouSimulator, connect: Connect) -> None:
    row = erp.system.books.one("order", DocNo="MO0005") or {}
    connector = connect(filters={"order_list": f"m.ID <> {row['ID']}", "sales_order": "o.Status <> 1"})
    assert "MO0005" not in {o.number for o in await connector.orders(None)}
    assert {s.number for s in await connector.sales_orders(None)} == {"SO0001", "SO0002"}


def test_a_list_field_that_is_no_column_is_refused_at_the_start(books: YonyouBooks, clock: HandClock) -> None:
    with pytest.raises(ConfigError, match=r"documents\.order_list\.read\.plant"):
        books.connector(clock, documents={"order_list": {"read": {"plant": "Plant"}}})


# ------------------------------------------------------------------ rush orders
async def test_without_an_interface_of_the_site_orders_are_not_changed(connect: Connect) -> None:
    connector = connect(services={})
    assert Capability.CHANGE_ORDERS not in connector.capabilities
    with pytest.raises(ErpRefused, match=r"services\.order_change\.modify"):
        await connector.change_order(seed.ORDER, {"priority": 1, "rush": True, "due_at": None, "reason": ""})


async def test_a_rush_order_marks_its_sales_order_in_segments(erp: YonyouSimulator, connect: Connect) -> None:
    write = {
        "DescFlexField.PrivateDescSeg2": "text(priority)",
        "DescFlexField.PrivateDescSeg3": "local(due_at, '%Y-%m-%d')",
    }
    connector = connect(services={}, documents={"sales_change": {"write": write}})
    assert Capability.CHANGE_ORDERS in connector.capabilities
    due = datetime(2026, 1, 7, 4, tzinfo=UTC)
    change = {"priority": 1, "rush": True, "due_at": due, "reason": "客户催货"}
    for _ in range(2):
        await connector.change_order(seed.ORDER, change)
    marked = (erp.system.books.one("sales_order", DocNo=seed.SALES_ORDER) or {})["DescFlexField"]
    assert marked == {"PrivateDescSeg2": "1", "PrivateDescSeg3": "2026-01-07"}


async def test_what_stands_in_the_order_already_is_not_written_again(
    erp: YonyouSimulator, connector: YonyouU9Connector
) -> None:
    change = {"priority": 1, "rush": True, "due_at": datetime(2026, 1, 7, 4, tzinfo=UTC), "reason": ""}
    for _ in range(3):
        await connector.change_order(seed.ORDER, change)
    assert erp.seen == ["AHMOChange/Modify"]


# ------------------------------------------------------------------ the stand-in for repairs
async def test_a_site_without_repairs_says_so(connect: Connect, repair: dict[str, Any]) -> None:
    connector = connect(tickets="none")
    assert not {c for c in connector.capabilities if "tickets" in c or c == Capability.TICKET_STATES}
    with pytest.raises(ErpRefused, match=r"services\.ticket"):
        await connector.open_ticket(KEY, repair)
    assert "hub" in (await connector.probe())["ticket"]


async def test_a_missing_repair_service_is_told_with_what_is_published(
    erp: YonyouSimulator, connector: YonyouU9Connector
) -> None:
    erp.system.missing.add("AHEquipRepair/Query")
    said = (await connector.probe())["ticket"]
    assert said.startswith("✗")
    assert "设备报修" in said


async def test_a_late_step_does_not_turn_the_repair_back(
    books: YonyouBooks, connector: YonyouU9Connector, repair: dict[str, Any]
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, repair)
    for state in ("repairing", "accepted"):
        await connector.update_ticket(
            erp_id, {"state": state, "at": repair["opened_at"], "person_name": "甲"}
        )
    assert [t.fields["DocState"] for t in await books.tickets()] == [2]


async def test_a_repair_that_is_not_shown_yet_is_no_lost_one(
    erp: YonyouSimulator, connector: YonyouU9Connector, repair: dict[str, Any]
) -> None:
    erp.faults.add("lag", seconds=5)
    erp_id, _ = await connector.open_ticket(KEY, repair)
    with pytest.raises(Exception, match="does not show") as told:
        await connector.update_ticket(erp_id, {"state": "accepted", "at": repair["opened_at"]})
    assert not isinstance(told.value, ErpRefused)


async def test_a_field_of_the_sites_own_service_is_let_through_once_it_is_named(connect: Connect) -> None:
    documents = {"ticket": {"write": {"Workshop": "'冲压'"}}}
    said = (await connect(documents=documents).probe())["ticket"]
    assert "Workshop" in said
    assert "services.ticket.fields" in said
    services = {"ticket": {"fields": ["Workshop"]}}
    assert not (await connect(documents=documents, services=services).probe())["ticket"].startswith("✗")


async def test_a_server_that_tells_nothing_of_its_sql_errors_is_read_all_the_same(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, fields: Fields
) -> None:
    erp.system.tables.silent = True
    erp.system.tables.dropped |= {"MO_MO.Cancel_Canceled", "MO_CompleteRpt", "MO_OpTransferDoc"}
    assert len(await connector.orders(None)) == seed.RELEASED
    await connector.report_operation("R-1", fields())
    assert len(await books.reports()) == 1


async def test_an_approval_in_the_shape_of_other_operations_is_found(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, fields: Fields
) -> None:
    erp.system.approves_rows = True
    await connector.report_operation("R-1", fields())
    assert len(await books.reports()) == 1
    assert erp.seen.count("CompleteDoc/Approve") == 2


async def test_repairs_behind_the_service_hub_are_described_not_programmed(
    erp: YonyouSimulator, books: YonyouBooks, connect: Connect, repair: dict[str, Any]
) -> None:
    erp.system.missing |= {f"AHEquipRepair/{action}" for action in ("Create", "Query", "Modify", "Close")}
    hub = dict.fromkeys(("create", "query", "modify", "close"), "OpenAPIServiceHub/Execute")
    shape = {"body": "{service: 'Repair', method: action, data: rows}", "answer": "rows"}
    connector = connect(services={"ticket": hub | shape})
    for _ in range(2):
        erp_id, _ = await connector.open_ticket(KEY, repair)
    await connector.close_ticket(erp_id, {"at": repair["opened_at"], "cause": "更换轴承"})
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    assert len(await books.tickets()) == 1


async def test_the_block_of_the_guide_can_be_used_as_it_is(clock: HandClock) -> None:
    page = (Path(__file__).parents[3] / "docs" / "erp" / "yonyou.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    block = yaml.safe_load(written)["erp"]["with"] | {"client_secret": "x"}
    connector = YonyouU9Connector(YonyouU9Connector.Config.model_validate(block), clock)
    assert Capability.CHANGE_ORDERS in connector.capabilities
    await connector.close()


async def test_a_repair_that_is_there_twice_is_told_with_both_its_numbers(
    erp: YonyouSimulator, connector: YonyouU9Connector, repair: dict[str, Any]
) -> None:
    await connector.open_ticket(KEY, repair)
    await connector.open_ticket(KEY + "8", repair)
    row = erp.system.books.one("repair", OtherID=KEY) or {}
    erp.system.books.add("repair", {n: v for n, v in row.items() if n != "ID"} | {"DocNo": "BX-9"})
    found = await connector.ticket_copies([KEY, KEY + "8", "AH-NONE"])
    assert found == {KEY: [KEY, "BX-9"], KEY + "8": [KEY + "8"]}


async def test_a_plug_in_that_signs_may_push(connect: Connect, connector: YonyouU9Connector) -> None:
    assert Capability.WEBHOOKS not in connector.capabilities
    pushing = connect(push_secrets=["whsec_" + "QUJD" * 8])
    assert Capability.WEBHOOKS in pushing.capabilities
    with pytest.raises(NotAllowed):
        pushing.pushed(ErpPush({}, {}, b'{"subject": "orders"}'))
