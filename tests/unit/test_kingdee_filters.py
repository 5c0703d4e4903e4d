"""The simulator's query language: filters, order, pages, rows per entry, dotted references."""

from __future__ import annotations

from typing import Any

import pytest

from hub.testing.clock import NOON, HandClock
from tests.simulators.kingdee.answers import Refusal
from tests.simulators.kingdee.books import Books
from tests.simulators.kingdee.queries import run_query
from tests.simulators.kingdee.seed import seed


@pytest.fixture(scope="module")
def books() -> Books:
    filled = Books(HandClock().now)
    seed(filled, NOON, "demo")
    return filled


def ask(books: Books, keys: str, where: Any = "", order: str = "FID ASC", **more: Any) -> list[list[Any]]:
    data = {"FormId": "PRD_MO", "FieldKeys": keys, "FilterString": where, "OrderString": order} | more
    return run_query(books, data, lambda _record: True)[1]


def numbers(books: Books, where: Any, **more: Any) -> list[str]:
    return [row[0] for row in ask(books, "FBillNo", where, **more)]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("FBillNo='MO0001'", ["MO0001"]),
        ("fbillno = 'mo0001'", ["MO0001"]),
        ("FBillNo in ('MO0001', 'MO0003')", ["MO0001", "MO0003"]),
        ("FBillNo not in ('MO0001') and FQty <= 300", ["MO0005"]),
        ("FQty > 800 and (FBillNo like '%7' or FBillNo='MO0010')", ["MO0007", "MO0010"]),
        ("FMaterialId.FNumber='D100' and FQty<>480", ["MO0010"]),
        ("FPlanFinishDate < '2026-01-05 20:30:00'", ["MO0005"]),
        ("FWorkShopID is null and FBillNo='MO0002'", ["MO0002"]),
        ("FBillNo is not null and FTreeEntity_FSeq=1 and FBillNo='MO0002'", ["MO0002"]),
        ("1=0", []),
        ("1=1 and FBillNo='MO0001'", ["MO0001"]),
        ("FBillNo='it''s not'", []),
        ("not FBillNo like 'MO000_'", ["MO0010"]),
        ([{"Left": "(", "FieldName": "FBillNo", "Compare": "67", "Value": "MO0001",
           "Right": ")", "Logic": "1"},
          {"Left": "", "FieldName": "FBillNo", "Compare": "67", "Value": "MO0002",
           "Right": "", "Logic": "0"}],
         ["MO0001", "MO0002"]),
    ],
)  # fmt: skip
def test_a_filter_finds_what_it_says(books: Books, where: Any, found: list[str]) -> None:
    assert numbers(books, where) == found


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("FNoSuch='1'", 9), ("FMaterialId.FNoSuch='1'", 9), ("FBillNo.FNumber='1'", 9), ("FBillNo=", 8),
        ("FBillNo='open", 8), ("FBillNo='1' or", 8), ("(FBillNo='1'", 8), ("FBillNo not '1'", 8),
        ("FBillNo='1'; drop table", 8), ("FQty > 'many'", 8), ([{"FieldName": "FBillNo", "Compare": "1"}], 8),
    ],
)  # fmt: skip
def test_what_is_not_a_filter_is_refused(books: Books, where: Any, code: int) -> None:
    with pytest.raises(Refusal) as refusal:
        ask(books, "FID", where)
    assert refusal.value.code == code


def test_pages_follow_each_other_and_the_top_row_count_is_absolute(books: Books) -> None:
    every = numbers(books, "")
    assert len(every) == 10
    assert numbers(books, "", StartRow=0, Limit=4) + numbers(books, "", StartRow=4, Limit="6") == every
    assert numbers(books, "", StartRow=4, Limit=4, TopRowCount=6) == every[4:6]
    with pytest.raises(Refusal):
        ask(books, "FID", Limit=10_001)


def test_the_order_may_go_down_and_by_several_keys(books: Books) -> None:
    rows = ask(books, "FMaterialId.FNumber,FQty", order="FMaterialId.FNumber ASC, FQty DESC")
    assert [tuple(r) for r in rows[:4]] == [
        ("A100", 900.0),
        ("A100", 400.0),
        ("A200", 800.0),
        ("A200", 500.0),
    ]
    with pytest.raises(Refusal):
        ask(books, "FID", order="FID SIDEWAYS")


def test_asking_for_an_entry_field_gives_a_row_per_entry(books: Books) -> None:
    data = {"FormId": "SAL_SaleOrder", "FieldKeys": "FBillNo", "FilterString": "FBillNo='SO2001'"}
    assert run_query(books, data, lambda _r: True)[1] == [["SO2001"]]
    data["FieldKeys"] = "FBillNo,FSaleOrderEntry_FSeq,FMaterialId.FNumber,F_AH_Rush"
    assert run_query(books, data, lambda _r: True)[1] == [
        ["SO2001", 1, "A200", "0"],
        ["SO2001", 2, "B100", "0"],
    ]


def test_cells_look_as_on_the_real_server(books: Books) -> None:
    keys = "FID,FDate,FQty,FScrapQty,FDescription,FWorkShopID.FName,FCreatorId"
    row = ask(books, keys, "FBillNo='MO0001'")[0]
    assert isinstance(row[0], int)
    assert row[1:] == ["2026-01-05T20:00:00", 400.0, 0.0, " ", None, None]
