"""A map of columns, as data: rows of somebody else's table become typed events, or say what is wrong."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from pydantic import ValidationError

from collectors import mes_tables as tables
from collectors.mes_events import read
from collectors.mes_faults import Unreadable
from collectors.mes_files import MesFilesSource
from collectors.mes_letters import Unfit
from collectors.mes_sheets import SheetBlock
from collectors.mes_sheets import records as sheet_records
from collectors.mes_sql import MesSqlConfig
from collectors.mes_tables import TableBlock
from hub.model.production import JobResponse, JobState, WorkOrder
from hub.registry import plugins
from hub.testing.clock import HandClock
from tests.unit.test_spreadsheet import book, sheet

ZONE = ZoneInfo("Asia/Shanghai")
REPORT = TableBlock.model_validate(
    {
        "name": "bg", "type": "report", "constants": {"operation": 10},
        "fields": {"id": "单号", "order": "工单", "at": "时间", "good": "合格", "state": "状态"},
        "words": {"state": {"完工": "done", "1": "running"}},
    }
)  # fmt: skip
ROW = {"单号": "B1", "工单": "MO-1", "时间": "2026/01/05 09:30:00", "合格": "3", "状态": "完工", "备注": "x"}


ORDER = {"number": "mo", "product": "p", "product_name": "pn", "quantity": "q", "due_at": "due"}
JOBS = {"job.operation": "op", "job.name": "on", "job.quantity": "jq"}


def test_columns_words_and_times_become_our_own() -> None:
    thing = read(tables.event(REPORT, ZONE, [ROW])).thing
    assert isinstance(thing, JobResponse)
    assert (thing.id, thing.order, thing.operation, thing.good, thing.state) == (
        "B1", "MO-1", "10", 3, JobState.DONE,
    )  # fmt: skip
    assert thing.at.isoformat() == "2026-01-05T01:30:00+00:00"


def test_an_empty_cell_is_not_told_and_a_strange_word_is_told() -> None:
    assert "good" not in tables.event(REPORT, ZONE, [ROW | {"合格": " "}])
    with pytest.raises(Unreadable, match="state is no word of the map: 完工, 1"):
        tables.event(REPORT, ZONE, [ROW | {"状态": "暂停"}])


def test_a_row_without_an_id_is_rejected_for_nothing_would_keep_it_from_being_counted_twice() -> None:
    record = {"table": "bg", "rows": [ROW | {"单号": " "}], "id": "abc:2"}
    with pytest.raises(Unreadable, match="id is missing"):
        read(tables.event_of({"bg": REPORT}, ZONE, record))


def test_rows_of_an_order_are_its_operations_and_two_languages_its_name() -> None:
    block = TableBlock.model_validate(
        {
            "name": "o", "type": "order",
            "fields": {
                "number": "mo", "product": "p", "product_name.zh": "zh", "product_name.en": "en",
                "quantity": "q", "due_at": "due", "job.operation": "op", "job.name": "opn",
                "job.quantity": "q",
            },
        }
    )  # fmt: skip
    row = {
        "mo": "M1",
        "p": "A",
        "zh": "泵",
        "en": "Pump",
        "q": 5,
        "due": "2026-01-06",
        "op": "10",
        "opn": "冲",
    }
    rows = [row, row | {"op": "20"}, row | {"mo": "M2"}]
    first, second = tables.folded(block, rows)
    thing = read(tables.event(block, ZONE, first)).thing
    assert isinstance(thing, WorkOrder)
    assert (thing.product_name.en, [j.operation for j in thing.jobs], len(second)) == (
        "Pump",
        ["10", "20"],
        1,
    )
    assert thing.due_at.isoformat() == "2026-01-05T16:00:00+00:00"


def operations(block: type[TableBlock], rows: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    made = block.model_validate({"name": "o", "type": "order", "pattern": "*", "fields": ORDER | JOBS})
    found = []
    for group in tables.folded(made, rows):
        try:
            thing: Any = read(tables.event(made, ZONE, group)).thing
            found.append((thing.number, [j.operation for j in thing.jobs]))
        except Unreadable as why:
            found.append((str(why), []))
    return found


FIRST = {"mo": "M1", "p": "P", "pn": "N", "q": 5, "due": "2026-01-06", "op": 10, "on": "cut", "jq": 5}
BELOW = {"mo": None, "p": "", "pn": None, "q": None, "due": " ", "op": 20, "on": "bend", "jq": 5}


class PlainTable(TableBlock):
    pattern: str


def test_rows_of_an_order_belong_together_wherever_they_stand() -> None:
    rows = [FIRST, FIRST | {"mo": "M2"}, FIRST | {"mo": "M1 ", "op": 20}]
    assert operations(PlainTable, rows) == [("M1", ["10", "20"]), ("M2", ["10"])]


def test_in_a_sheet_an_empty_number_is_the_one_above() -> None:
    rows = [FIRST, BELOW, BELOW | {"op": 30, "p": "P"}, FIRST | {"mo": "M2"}, BELOW]
    assert operations(SheetBlock, rows) == [("M1", ["10", "20", "30"]), ("M2", ["10", "20"])]


@pytest.mark.parametrize("row", [BELOW | {"p": "Q"}, {**BELOW, "op": None, "on": None, "jq": None}])
def test_a_row_that_may_be_another_orders_is_rejected_and_those_behind_it_too(row: dict[str, Any]) -> None:
    found = operations(SheetBlock, [FIRST, row, BELOW])
    assert found[0] == ("M1", ["10"]) and len(found) == 3
    assert all("number is missing" in why for why, _ in found[1:])


def test_a_database_merges_no_cells() -> None:
    told = operations(PlainTable, [FIRST, BELOW])
    assert told[0] == ("M1", ["10"]) and "number is missing" in told[1][0]


def test_without_a_map_columns_that_cannot_be_missing_are_asked_for() -> None:
    block = TableBlock(name="r", type="report", constants={"operation": 10})
    assert tables.missing_columns(block, ["order", "at", "good"]) == ["id"]
    assert tables.missing_columns(block, ["order", "at", "id"]) == []


def test_without_a_map_columns_with_our_names_are_taken() -> None:
    block = TableBlock(name="r", type="report")
    row: dict[str, Any] = {
        "id": 7,
        "order": "M",
        "operation": 10,
        "at": "2026-01-05T09:00:00Z",
        "secret": "x",
    }
    made = tables.event(block, ZONE, [row])
    assert (made["id"], made["type"], "secret" in made) == (7, "report", False)


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "report", "fields": {"goood": "x"}}, "did you mean 'good'"),
        ({"type": "order", "constants": {"job.op": "x"}}, "did you mean 'job"),
        ({"type": "quality", "words": {"state": {}}}, "no such field; known are"),
        ({"type": "gossip"}, "type"),
        (
            {"type": "report", "fields": {"order": "a", "operation": "b", "at": "c"}},
            "needs id; name the columns",
        ),
        ({"type": "report", "fields": {"id": "a"}}, "needs order, operation, at; name the columns"),
        ({"type": "order", "fields": ORDER | {"job.operation": "o"}}, "needs job.name, job.quantity"),
        ({"type": "report", "constants": {"id": 1}}, "constants.id: would be the same of every row"),
    ],
)
def test_a_map_that_names_what_is_not_there_stops_the_start(block: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as found:
        TableBlock.model_validate({"name": "x", **block})
    assert told in str(found.value)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (Decimal("3.0"), 3),
        (Decimal("2.5"), 2.5),
        (Decimal("12345678901234567890"), 12345678901234567890),
        (Decimal("12345678901234567891.000"), 12345678901234567891),
        (Decimal("1E+30"), 10**30),
        (Decimal("1E+100000"), math.inf),
        (Decimal("-Infinity"), -math.inf),
        (10.0, 10),
        (1e300, 1e300),
        (True, True),
        (None, None),
        ("a", "a"),
    ],
)
def test_numbers_of_databases_and_sheets_are_json(value: Any, made: Any) -> None:
    assert tables.plain(value) == made and type(tables.plain(value)) is type(made)


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("kind", [Decimal, float])
def test_what_is_no_number_is_a_fault_of_its_field(odd: str, kind: Any) -> None:
    if (odd, kind) == ("sNaN", float):
        return
    for name, column in (("id", "单号"), ("order", "工单"), ("good", "合格"), ("at", "时间")):
        row = {n: tables.plain(v) for n, v in (ROW | {column: kind(odd)}).items()}
        with pytest.raises(Unreadable, match=f"^{name} must not be NaN or infinite; leave it out"):
            tables.event(REPORT, ZONE, [row])


FIELDS = {n: n for n in ("id", "order", "operation", "at", "good", "person")}
FILES = MesFilesSource(
    MesFilesSource.Config.model_validate(
        {
            "folder": "/tmp",
            "reads": [{"name": "r", "type": "report", "pattern": "*.csv", "fields": FIELDS}],
        }
    ),
    HandClock(), "mes",
)  # fmt: skip


def told_of(csv: str, *more: str) -> list[str]:
    files = FILES
    if more:
        block = {"name": "r", "type": "report", "pattern": "*", "fields": FIELDS | {n: n for n in more}}
        config = MesFilesSource.Config.model_validate({"folder": "/tmp", "reads": [block]})
        files = MesFilesSource(config, HandClock(), "mes")
    found = []
    for record in files._records("a.csv", csv.encode()):
        try:
            thing: Any = read(files.event_of(record)).thing
            found.append(f"{thing.good} {thing.person}")
        except Unreadable as why:
            found.append(str(why))
    return found


HEAD = "id,order,operation,at,good,person"
TIME = "2026-01-05 08:30"


def test_a_row_with_a_cell_too_many_is_rejected_and_no_other() -> None:
    rows = f"{HEAD},\n1,M,10,{TIME},1,200,李\n2,M,10,{TIME},3,王,,\n"
    first, second = told_of(rows)
    assert first.startswith("row has more cells than there are named columns") and second == "3 王"


def test_a_line_that_tells_the_delimiter_is_no_row() -> None:
    rows = f"{HEAD}\n1,M,10,{TIME},3,王\n".replace(",", ";")
    assert told_of("sep=;\r\n" + rows) == told_of('"sep=;"\n' + rows) == told_of(rows) == ["3 王"]
    assert told_of("sep=|\n" + rows.replace(";", "|").replace("王", "a;b;c;d;e;f;g")) == ["3 a;b;c;d;e;f;g"]


def test_an_id_that_a_spreadsheet_program_has_shortened_is_refused_for_two_may_have_become_one() -> None:
    assert told_of(f"{HEAD}\n1.23457E+15,M,10,{TIME},3,王\n1E+15x,1E5,10,{TIME},4,王\n") == [
        "id was shortened by a spreadsheet program, which keeps 15 digits; "
        "make its column text and export again",
        "4 王",
    ]


def test_a_count_that_is_empty_is_no_zero_unless_something_else_is_told() -> None:
    told = told_of(f"{HEAD},scrap\n1,M,10,{TIME},,王\n2,M,10,{TIME},0,王\n3,M,10,{TIME}, ,王,2\n", "scrap")
    assert told == ["good is empty; where that means 0 write 0", "0 王", "0 王"]


def test_a_row_that_ends_before_the_count_has_none() -> None:
    """As spreadsheet programs write it: what is empty at the end of a row is left out."""
    told = told_of(f"id,order,operation,at,good,person\n1,M,10,{TIME}\n2,M,10,{TIME},4\n")
    assert told == ["good is empty; where that means 0 write 0", "4 "]


def test_what_nobody_can_see_is_no_part_of_a_name_and_no_row() -> None:
    head = "\ufeffid,order,operation,at,good\u200b,person"
    told = told_of(f"{head}\n,, ,,,\n1,M,10,{TIME},3,\u200b王\ufeff\n")
    assert told == ["3 王"]


def test_a_column_twice_is_refused_where_it_is_read_and_passed_over_where_it_is_not() -> None:
    assert told_of(f"{HEAD},note,note\n1,M,10,{TIME},3,王,a,b\n") == ["3 王"]
    with pytest.raises(Unfit) as found:
        told_of(f"{HEAD},good\n1,M,10,{TIME},3,王,99\n")
    assert "good more than once (E, G)" in found.value.words.en and "E、G" in found.value.words.zh


def test_rows_have_the_numbers_that_the_spreadsheet_program_shows() -> None:
    cells = [
        (2, ["report", "", "", "", ""]), (4, ["id", "order", "operation", "at", "good", "person"]),
        (7, ["1", "M", "10", TIME, "x", "王"]),
    ]  # fmt: skip
    read_block = SheetBlock.model_validate({"name": "r", "type": "report", "pattern": "*", "header": 4})
    (found,) = sheet_records(read_block, "a.xlsx", workbook(cells))
    assert found["line"] == 7
    with pytest.raises(Unfit, match="nothing in row 1; its first row that is not empty is 2"):
        sheet_records(read_block.model_copy(update={"header": 1}), "a.xlsx", workbook(cells))


@pytest.mark.parametrize(
    "below",
    [
        "合计,,,,15,",
        ",,,合计：,15,",
        "小计：,,,,15,\n总计,,,,15,",
        "共 3 条记录",
        "制表人：张三,,,,审核：李四,",
        "Grand total,,,,15,",
    ],
)
def test_totals_and_signatures_below_the_rows_are_none(below: str) -> None:
    assert told_of(f"{HEAD}\n1,M,10,{TIME},3,王\n\n{below}\n") == ["3 王"]


def test_totals_of_orders_are_none_either_nor_is_what_stands_in_no_column() -> None:
    block = {"name": "o", "type": "order", "pattern": "*"}
    order = "number,product,product_name,quantity,due_at,\nM,A,B,5,2026-01-06,\n"
    found = sheet_records(SheetBlock.model_validate(block), "a.csv", f"{order}合计,,,5,,\n,,,,,x\n".encode())
    assert [r["rows"][0]["number"] for r in found] == ["M", ""]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (f"合计,M,10,{TIME},15,王", "15 王"),
        ("合计,M,,,15,王", "operation is missing; add it; at is missing; add it"),
        ("7,,,,15,合计", "order is missing; add it; operation is missing; add it; at is missing; add it"),
        ("合计机,,,,15,", "order is missing; add it; operation is missing; add it; at is missing; add it"),
    ],
)
def test_a_row_that_may_be_a_report_is_no_total(row: str, why: str) -> None:
    assert told_of(f"{HEAD}\n{row}\n") == [why]


def test_every_cell_of_a_row_that_holds_a_formula_is_named() -> None:
    assert told_of(f"{HEAD}\n1,M,10,{TIME},=1+2,=A1\n") == ["good, person holds a formula; write its value"]


def test_the_row_that_names_the_columns_is_told_where_another_was_meant() -> None:
    with pytest.raises(Unfit) as found:
        told_of(f"日报表\n\n{HEAD}\n1,M,10,{TIME},3,王\n")
    assert "row 3 and not in row 1; write header: 3" in found.value.words.en
    assert found.value.words.zh == "列名在第 3 行，不在第 1 行；请写 header: 3"


def test_a_row_that_ends_in_half_a_letter_is_told_and_no_other() -> None:
    content = f"{HEAD}\n1,M,10,{TIME},3,王\n2,M,10,{TIME},4,李".encode()[:-1]
    assert [r["line"] for r in FILES._records("a.csv", content, whole=False)] == [2]
    _, cut = FILES._records("a.csv", content)
    with pytest.raises(Unreadable, match="person is cut off in the middle of a letter"):
        FILES.event_of(cut)


def workbook(rows: list[tuple[int, list[str]]]) -> bytes:
    """With these rows under their numbers; those between are not written, as sheets do it."""
    body = "".join(
        f'<row r="{n}">' + "".join(f'<c t="inlineStr"><is><t>{c}</t></is></c>' for c in cells) + "</row>"
        for n, cells in rows
    )
    return book("", {"xl/worksheets/sheet1.xml": sheet("").replace('<row r="1"></row>', body)})


READ = {"name": "r", "type": "report", "watermark": "t", "start": "2026-01-01"}
GOOD = "select id, t from v where t >= :since order by t limit :limit"


@pytest.mark.parametrize(
    ("read_block", "told"),
    [
        ({"statement": "delete from v where t >= :since and :limit = 1"}, "may begin with select"),
        ({"statement": GOOD + "; drop table v"}, "several statements"),
        ({"statement": GOOD.replace(":since", "'{since}'")}, "what stands in quotes is not filled in"),
        ({"statement": GOOD.replace(":since", "%s")}, "parameters have names"),
        ({"statement": GOOD.replace(":since", ":from")}, ":from is unknown"),
        ({"statement": "select id, t from v where t >= :since"}, "needs :limit"),
        ({"statement": GOOD, "watermark": ""}, "watermark and :since go together"),
        ({"statement": GOOD, "start": ""}, "say where to begin"),
        ({"statement": GOOD, "type": "order", "fields": ORDER | JOBS}, "read whole"),
    ],
)
def test_a_statement_that_is_not_bound_reading_stops_the_start(read_block: dict[str, Any], told: str) -> None:
    good = {"host": "h", "database": "d", "user": "u"}
    assert MesSqlConfig.model_validate({**good, "reads": [{**READ, "statement": GOOD}]})
    with pytest.raises(ValidationError) as found:
        MesSqlConfig.model_validate({**good, "reads": [READ | read_block]})
    assert told in str(found.value)


def test_the_blocks_of_the_manual_can_be_copied_whole() -> None:
    text = (Path(__file__).parents[2] / "docs" / "mes.md").read_text(encoding="utf-8")
    sources = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])["mes"]
    kinds = plugins("mes")
    assert {s["kind"] for s in sources} == set(kinds) - {"mes-http"}
    for source in sources:
        block = {k: _filled(k, v) for k, v in source["with"].items()}
        assert kinds[source["kind"]].Config.model_validate(block)


def _filled(name: str, value: Any) -> Any:
    """A secret as the environment would give it."""
    if isinstance(value, list) and name == "secrets":
        return [_filled("", v) for v in value]
    secret = isinstance(value, dict) and "env" in value
    return ("redis://h:6379/0" if name == "url" else "correct-horse-battery") if secret else value


@pytest.mark.parametrize(
    ("decimal", "text", "told"),
    [
        (",", "12,0", "12"), (",", "1.200", "1200"), (",", "1.200,00", "1200"), (",", "１.２００", "1200"),
        (",", "1 200", "1200"), (",", "-3", "-3"), (",", "1.5", None), (",", "1,200,000", None),
        (".", "1,200", "1200"), (".", "1,200.0", "1200"), (".", "1'200", "1200"), (".", "1,5", None),
        (".", "1.200,0", None), (".", "12.0", "12"),
    ],
)  # fmt: skip
def test_a_table_may_say_which_sign_stands_before_decimals(decimal: str, text: str, told: str | None) -> None:
    block = {"name": "r", "type": "report", "pattern": "*", "decimal": decimal}
    files = MesFilesSource(
        MesFilesSource.Config.model_validate({"folder": "/tmp", "reads": [block]}), HandClock(), "mes"
    )
    csv = f"id;order;operation;at;good;corrects\n1;M;10;{TIME};{text};0\n"
    (record,) = files._records("a.csv", csv.encode())
    if told is None:
        with pytest.raises(Unreadable, match="good is not written as decimal: says"):
            files.event_of(record)
        return
    thing: Any = read(files.event_of(record)).thing
    assert str(thing.good) == told
