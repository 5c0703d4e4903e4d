"""What people see of a discrepancy and may do about it; whom a message calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from erp_bridge.owners import DEFAULT, notice
from hub.api import erp_shapes
from hub.errors import ConfigError
from hub.model.discrepancy import Book, Discrepancy, DiscrepancyKind, OpenDiscrepancy, Repair, RepairState
from hub.model.discrepancy_words import KINDS, REPAIRS, sides, title, why
from hub.model.left_out import Omission
from hub.model.people import Role
from hub.model.words import Words
from hub.notices import Notices
from hub.testing.clock import NOON
from screens import board
from tests.api_house import MemoryReconciliation, house
from tests.unit.test_settings import PLANT, read

pytestmark = pytest.mark.anyio

K = DiscrepancyKind


def test_every_kind_and_repair_has_words_in_both_languages_a_book_and_an_owner() -> None:
    for kind in K:
        assert KINDS[kind].zh and KINDS[kind].en
        assert kind.book in DEFAULT
    assert set(REPAIRS) == set(Repair)
    assert set(DEFAULT) == set(Book)


def test_a_report_that_is_missing_is_told_with_pieces_and_where_it_begins() -> None:
    what = Discrepancy(K.REPORT_NOT_IN_ERP, "MO0001/10", "R-2", "5 + 1")
    assert title(what) == Words("MO0001/10 ERP 缺少一张报工", "MO0001/10: the ERP lacks a report")
    assert sides(what) == Words("安灯 5 合格、1 报废，ERP 无", "hub 5 good, 1 scrap, ERP nothing")
    assert why(what) is None


def test_an_owner_gets_one_message_for_all_that_is_new_and_all_that_grew_old() -> None:
    it = house()
    notices = Notices(it.deps.plant, ("group",), "http://hub/phone")
    what = Discrepancy(K.ORDER_QUANTITY, "MO0001", "", "4", "5")
    fresh = [OpenDiscrepancy(n, what, "planner", NOON, NOON) for n in range(1, 8)]
    old = OpenDiscrepancy(9, what, "planner", NOON - timedelta(hours=30), NOON, told_at=NOON)
    (intent,) = notice(notices, "planner", [*fresh, old], NOON)
    assert intent.payload["title"]["zh"] == "7 项新差异，1 项差异仍未处理"
    assert [person["id"] for person in intent.payload["people"]] == ["planner-1"]
    assert len(intent.payload["lines"]) == 6
    assert intent.payload["lines"][0]["text"]["en"].endswith("for 1 d")
    assert intent.payload["lines"][-1]["text"]["en"] == "3 in the console"
    assert intent.payload["link"] == "http://hub/console#reconcile"


async def test_the_owner_decides_and_the_planner_but_nobody_who_only_reads() -> None:
    it = house()
    told = (await it.as_role(Role.OPERATOR).get("/api/reconciliation")).json()
    assert [(d["id"], d["may"]) for d in told["discrepancies"]] == [(1, False)]
    assert told["counts"] == {"ticket-not-in-erp": 1}
    assert told["run"]["not_compared"] == {"stock": "erp-cannot"}
    assert told["discrepancies"][0]["owner"] == {"role": "technician"}
    kept = it.deps.reconciliation
    assert isinstance(kept, MemoryReconciliation)
    kept.kept[1] = replace(kept.kept[1], owner="planner")
    refused = await it.as_role(Role.TECHNICIAN).post("/api/reconciliation/1/repair")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not-allowed")
    assert (await it.as_role(Role.PLANNER).post("/api/reconciliation/1/repair")).status_code == 200


async def test_tapped_twice_is_one_repair_and_one_line_of_the_audit_trail() -> None:
    it = house()
    for role in (Role.PLANNER, Role.MANAGER):
        answer = (await it.as_role(role).post("/api/reconciliation/1/repair")).json()["discrepancy"]
        assert (answer["repair_state"], answer["repaired_by"]["id"]) == (RepairState.ASKED, "planner-1")
    assert it.audited()["reconcile.repair"] == 1


async def test_what_no_machine_can_mend_is_said_to_need_a_person() -> None:
    it = house()
    kept = it.deps.reconciliation
    assert isinstance(kept, MemoryReconciliation)
    kept.kept[1] = replace(kept.kept[1], what=replace(kept.kept[1].what, repair=Repair.NONE))
    answer = await it.as_role(Role.PLANNER).post("/api/reconciliation/1/repair")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no-repair")


async def test_put_aside_is_not_counted_and_can_be_taken_back() -> None:
    it = house()
    planner = it.as_role(Role.PLANNER)
    assert (await planner.post("/api/reconciliation/1/aside", json={"reason": " "})).status_code == 400
    put = (await planner.post("/api/reconciliation/1/aside", json={"reason": "known"})).json()["discrepancy"]
    assert put["aside"]["reason"] == "known"
    assert (await planner.get("/api/reconciliation")).json()["counts"] == {}
    back = (await planner.post("/api/reconciliation/1/back")).json()["discrepancy"]
    assert "aside" not in back


def test_an_owner_nobody_knows_is_refused_with_a_near_name(tmp_path: Path) -> None:
    erp = "\nerp: {name: erp, kind: kingdee-galaxy, reconcile_every: 5min, reconcile_owners: {stock: %s}}\n"
    assert read(tmp_path, PLANT + erp % "tech-a").file.erp is not None
    with pytest.raises(
        ConfigError, match=r"erp\.reconcile_owners\.stock: no role or person 'planer'; did you mean 'planner'"
    ):
        read(tmp_path, PLANT + erp % "planer")


def test_the_wall_counts_what_differs_and_says_nothing_while_the_books_agree() -> None:
    plant = house().deps.plant
    differing = board.build(plant, board.Facts(health={"discrepancies": 3}), NOON).sections["health"]
    agreeing = board.build(plant, board.Facts(health={"discrepancies": 0}), NOON).sections["health"]
    assert differing["discrepancies"] == 3
    assert "discrepancies" not in agreeing


def test_a_count_that_is_old_says_since_when_also_when_it_is_nought() -> None:
    plant = house().deps.plant
    old = board.build(plant, board.Facts(health={"books_old_since": NOON}), NOON).sections["health"]
    assert old["books_old_since"] == "2026-01-05T12:00:00Z"


def test_a_record_that_cannot_be_read_names_its_map_and_what_to_do() -> None:
    what = Discrepancy(K.RECORD_UNREADABLE, "MO-1", "order", theirs="no date")
    assert sides(what) == Words("no date", "no date")
    explained = why(what)
    assert explained is not None
    assert "documents.order" in explained.zh and "documents.order" in explained.en


def test_the_erp_page_names_what_cannot_be_read_the_newest_first() -> None:
    found = [Omission(n, "order", f"MO-{n}", "no date", NOON - timedelta(hours=n)) for n in range(30)]
    shown = erp_shapes.left_out(found)
    assert (shown["count"], shown["documents"]) == (30, {"order": 30})
    assert shown["since"] == NOON - timedelta(hours=29)
    assert [one["record"] for one in shown["newest"]] == [f"MO-{n}" for n in range(20)]
