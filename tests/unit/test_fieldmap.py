"""Maps between our fields and an ERP's: expressions, tables, variants; what a slip of the hand is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from hub.errors import ConfigError, ErpRefused

SHANGHAI = ZoneInfo("Asia/Shanghai")
TICKET: dict[str, Any] = {
    "title": "油温过高 82 ℃",
    "priority": 4,
    "order": "",
    "opened_at": datetime(2026, 1, 5, 0, 30, tzinfo=UTC),
    "downtime": timedelta(minutes=95),
    "equipment_path": "p1/stamping/l1/press-01",
    "photo_data": b"\xff\xd8",
}


def made(**block: Any) -> FieldMap:
    return compiled(MapBlock.model_validate(block), SHANGHAI, "ticket")


def test_a_table_may_be_written_with_numbers() -> None:
    map_ = made(write={"F": "table('levels', priority)"}, tables={"levels": {4: "P1"}})
    assert map_.written(TICKET) == {"F": "P1"}


def test_the_columns_that_a_map_reads_are_known() -> None:
    read = {
        "a": "FMaterialId.FNumber",
        "b": "if(FCancelStatus == 'B', 'cancelled', table('s', FStatus) || FStatus)",
        "c": "",
    }
    variants = [{"when": "a == 'x'", "read": {"d": "contains(['1', 'FText'], text(F_AH_Rush))"}}]
    block = MapBlock.model_validate({"read": read, "variants": variants})
    assert asked(block) == ["FMaterialId.FNumber", "FCancelStatus", "FStatus", "F_AH_Rush"]


def test_of_a_list_the_list_itself_is_asked_for() -> None:
    block = MapBlock(read={"lot": "moves[?state == 'done'].lot | [0]", "place": "warehouse.places[0]"})
    assert asked(block) == ["moves", "warehouse.places"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("title", "油温过高 82 ℃"),
        ("cut(title, `4`)", "油温过高"),
        ("table('levels', priority)", "P1"),
        ("local(opened_at, '%Y-%m-%d %H:%M:%S')", "2026-01-05 08:30:00"),
        ("utc(opened_at, '%H:%M')", "00:30"),
        ("rounded(over(downtime, `60`), `1`)", 95.0),
        ("rounded(over(downtime, `60`), `0`)", 95),
        ("text(priority)", "4"),
        ("if(priority == `4`, 'X', '')", "X"),
        ("join(' / ', [equipment_path, title])", "p1/stamping/l1/press-01 / 油温过高 82 ℃"),
        ("plus(times(priority, `2`), '1.5')", 9.5),
        ("opened_at", "2026-01-05T00:30:00Z"),
        ("starts_with(equipment_path, 'p1/stamping')", True),
    ],
)
def test_an_expression_over_our_fields(expression: str, value: Any) -> None:
    assert made(write={"F": expression}, tables={"levels": {"4": "P1"}}).written(TICKET) == {"F": value}


@pytest.mark.parametrize(
    "expression",
    [
        "missing",
        "filled(order)",
        "table('levels', priority)",
        "local(missing, '%H')",
        "photo_data",
        "over(missing, `60`)",
    ],
)
def test_what_we_know_nothing_about_is_left_out(expression: str) -> None:
    assert made(write={"F": expression}, tables={"levels": {}}).written(TICKET) == {}


def test_dots_and_brackets_make_nested_documents() -> None:
    fields = {"FEquip.FNumber": "'E1'", "FEntry[].FQty": "priority", "FEntry[].FLot.FNumber": "'L1'"}
    assert made(write=fields).written(TICKET) == {
        "FEquip": {"FNumber": "E1"},
        "FEntry": [{"FQty": 4, "FLot": {"FNumber": "L1"}}],
    }


def test_their_record_comes_back_in_our_words() -> None:
    table = {"state": {"open": "0", "closed": "3"}}
    read = {
        "state": "back('state', DocState)",
        "due_at": "instant(Due)",
        "quantity": "number(Qty)",
        "lot": "Lot.Code",
    }
    record = {"DocState": 3, "Due": "2026-01-09T08:00:00", "Qty": "100.50", "Lot": None}
    assert made(read=read, tables=table).read(record) == {
        "state": "closed",
        "due_at": "2026-01-09T00:00:00Z",
        "quantity": 100.5,
    }


def test_a_variant_changes_adds_and_takes_out_fields_for_some_records() -> None:
    mapped = made(
        write={"A": "'all'", "B": "title", "C": "priority"},
        variants=[
            {
                "when": "starts_with(equipment_path, 'p1/stamping')",
                "write": {"A": "'press'", "D": "'new'", "B": ""},
            }
        ],
    )
    assert mapped.written(TICKET) == {"A": "press", "C": 4, "D": "new"}
    assert mapped.written(TICKET | {"equipment_path": "p1/paint"}) == {
        "A": "all",
        "B": TICKET["title"],
        "C": 4,
    }


def test_a_site_lays_its_own_fields_over_the_connectors() -> None:
    base = MapBlock(form="Repair", write={"A": "title", "B": "priority"}, tables={"t": {"1": "x", "2": "y"}})
    site = MapBlock(write={"B": "", "Z": "table('t', '2')"}, tables={"t": {"2": "z"}})
    whole = compiled(site.over(base), SHANGHAI, "ticket")
    assert whole.form == "Repair"
    assert whole.written(TICKET) == {"A": TICKET["title"], "Z": "z"}


def test_every_unreadable_expression_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError) as told:
        made(write={"A": "title[", "B": "title"}, read={"c": "|"}, variants=[{"when": "(", "write": {}}])
    complaints = told.value.complaints
    assert [c.split(":")[0] for c in complaints] == [
        "ticket.write.A",
        "ticket.read.c",
        "ticket.variants[0].when",
    ]


@pytest.mark.parametrize(
    ("expression", "near"),
    [
        ("table('levle', priority)", "did you mean 'level'?"),
        ("if(rush, back('nope', priority), '')", "there are: level"),
    ],
)
def test_a_table_that_is_not_there_is_complained_of_with_its_field(expression: str, near: str) -> None:
    with pytest.raises(ConfigError) as told:
        made(write={"F": expression}, tables={"level": {"1": "A"}})
    (complaint,) = told.value.complaints
    assert complaint.startswith("ticket.write.F: ") and complaint.endswith(near)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("table(title, priority)", "no table "),
        ("number(title)", "is not a number"),
        ("over(priority, `0`)", "division by zero"),
        ("join(title)", "Expected 2 arguments"),
    ],
)
def test_an_expression_that_fails_is_refused_by_its_field(expression: str, said: str) -> None:
    with pytest.raises(ErpRefused, match=f"^field F: .*{said}"):
        made(write={"F": expression}).written(TICKET)


def test_a_written_document_is_json() -> None:
    assert made(write={"all": "@"}).written(TICKET)["all"]["downtime"] == 5700.0


def test_a_function_that_there_is_not_is_told_before_any_record_meets_it() -> None:
    block = MapBlock(write={"F_Level": "if(rush, tabel('levels', priority), '1')"})
    with pytest.raises(ConfigError, match=r"erp\.ticket\.write\.F_Level.*no function tabel\(\).*'table'"):
        compiled(block, ZoneInfo("Asia/Shanghai"), "erp.ticket")


@pytest.mark.parametrize("below", ["F_Machine.FNumber", "F_Machine[].FNumber"])
def test_a_field_that_is_a_value_cannot_hold_fields(below: str) -> None:
    with pytest.raises(ErpRefused, match=r"F_Machine.* is written as a value already"):
        made(write={"F_Machine": "title", below: "title"}).written(TICKET)


# ------------------------------------------------------------------ no more work than a map needs
@pytest.mark.parametrize(
    "text",
    [
        "|".join(["@"] * 660),
        "'aaaaaaaa'" + "|join('',[@,@])" * 26,
        "[@,@,@,@]" + ".[@,@,@,@]" * 20,
        "[" + ",".join(["@"] * 1200) + "]",
    ],
)
def test_an_expression_that_asks_for_endless_work_is_refused_before_it_is_used(text: str) -> None:
    with pytest.raises(ConfigError, match="more work than any map needs"):
        compiled(MapBlock(write={"F_X": text}), ZoneInfo("UTC"), "documents.ticket")


@pytest.mark.parametrize(
    "text",
    ["rounded(`5`, `-1000000000`)", "rounded(`5`, `1000000`)", "number('1e300')", "times(`1e20`, `1e20`)"],
)
def test_a_number_that_nothing_here_has_is_refused_and_not_reckoned(text: str) -> None:
    made = compiled(MapBlock(write={"F_X": text}), ZoneInfo("UTC"), "documents.ticket")
    with pytest.raises((ErpRefused, ValueError)):
        made.written({})
