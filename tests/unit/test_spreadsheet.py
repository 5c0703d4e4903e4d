# ruff: noqa: E501  parts of a workbook read better as they are
"""Other people's CSV and XLSX files: read as they mean it, and refused where they could do harm (S18)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime

import pytest

from collectors import spreadsheet
from collectors.mes_letters import Unfit
from collectors.spreadsheet import is_formula, rows_of

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def book(cells: str, parts: Mapping[str, str] = {}, sheets: str = "", pr: str = "") -> bytes:
    """A workbook as spreadsheet programs write it, with these cells in its only row."""
    own = {
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{pr}<sheets>'
        f'<sheet name="报工" sheetId="1" r:id="rId1"/>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELATIONS}">'
        '<Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
        '<Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet(cells),
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>工单</t></si>'
        "<si><r><t>外</t></r><r><t>径</t></r><rPh><t>wai</t></rPh></si></sst>",
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" '
        'formatCode="yyyy&quot;年&quot;m"/><numFmt numFmtId="165" formatCode="0.0&quot;days&quot;"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="22"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs>'
        "</styleSheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in (own | dict(parts)).items():
            made.writestr(name, text)
    return out.getvalue()


def sheet(cells: str) -> str:
    return f'<worksheet xmlns="{MAIN}"><sheetData><row r="1">{cells}</row></sheetData></worksheet>'


def test_cells_of_every_kind_are_what_they_show() -> None:
    cells = (
        '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1"><v>10</v></c><c r="E1"><v>2.5</v></c>'
        '<c r="F1" s="1"><v>46027.375</v></c><c r="G1" s="2"><v>46027</v></c><c r="H1" s="3"><v>3</v></c>'
        '<c r="I1" t="b"><v>1</v></c><c r="J1" t="inlineStr"><is><t>x</t></is></c><c r="K1" t="str"><v>y</v></c>'
        '<c r="L1"/>'
    )
    assert rows_of("a.xlsx", book(cells)) == [
        [
            "工单",
            "外径",
            None,
            10,
            2.5,
            datetime.fromisoformat("2026-01-05T09:00"),
            datetime.fromisoformat("2026-01-05"),
            3,
            True,
            "x",
            "y",
            None,
        ]
    ]


def test_days_of_a_1904_workbook_are_its_own() -> None:
    made = book('<c r="A1" s="1"><v>44565</v></c>', pr='<workbookPr date1904="1"/>')
    assert rows_of("a.xlsx", made) == [[datetime.fromisoformat("2026-01-05")]]


def test_a_sheet_is_chosen_by_its_name() -> None:
    second = {"xl/worksheets/sheet2.xml": sheet('<c r="A1"><v>2</v></c>')}
    made = book('<c r="A1"><v>1</v></c>', second, '<sheet name="two" sheetId="2" r:id="rId2"/>')
    assert (rows_of("a.xlsx", made), rows_of("a.xlsx", made, "two")) == ([[1]], [[2]])
    with pytest.raises(Unfit, match="no sheet 'three'; it has 报工, two"):
        rows_of("a.xlsx", made, "three")


BOMB = '<!DOCTYPE l [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE l SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (book('<c r="B7"><f>1+1</f><v>2</v></c>'), "formulas or errors such as #N/A in B7;"),
        (book('<c r="A1" t="e"><v>#REF!</v></c>'), "errors such as #N/A in A1;"),
        (book("", {"xl/worksheets/sheet1.xml": BOMB + sheet("")}), "entities"),
        (book("", {"xl/sharedStrings.xml": OUTSIDE + "<sst/>"}), "entities"),
        (book("", {"xl/worksheets/sheet1.xml": "<worksheet><row>"}), "damaged"),
        (book('<c r="A1" t="s"><v>99</v></c>'), "damaged"),
        (book('<c r="A1"><v>x</v></c>'), "damaged"),
        (book('<c r="A1" s="1"><v>1e300</v></c>'), "damaged"),
        (book('<c r="ZZZ1"><v>1</v></c>'), "cells"),
        (book('<c r="B1"><v>1</v></c><c r="A1"><v>2</v></c>'), "damaged"),
        (b"PK\x03\x04 no zip", "no XLSX"),
        (b"", "no XLSX"),
        (book("x")[:200], "no XLSX"),
    ],
)
def test_a_workbook_that_could_do_harm_or_is_damaged_is_refused(made: bytes, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        rows_of("a.xlsx", made)


def test_a_zip_bomb_is_refused_by_its_directory_and_by_what_comes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = book(f'<c r="A1" t="str"><v>{"a" * 200_000}</v></c>')
    assert len(made) < 5_000
    monkeypatch.setattr(spreadsheet, "LARGEST", 100_000)
    with pytest.raises(Unfit, match="unpacks to more"):
        rows_of("a.xlsx", made)
    monkeypatch.setattr(spreadsheet, "_measured", lambda book: None)  # a directory that lies
    with pytest.raises(Unfit, match="unpacks to more"):
        rows_of("a.xlsx", made)


def test_more_cells_than_anybody_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MOST_CELLS", 3)
    with pytest.raises(Unfit, match="more than 3 cells"):
        rows_of("a.csv", b"1,2\n3,4\n")
    with pytest.raises(Unfit, match="more than 3 cells"):
        rows_of("a.xlsx", book('<c r="A1"/><c r="B1"/><c r="C1"/><c r="D1"/>'))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_csv_is_read_in_the_encodings_that_plants_write(encoding: str) -> None:
    assert rows_of("a.csv", "工单,产品\nMO-1,油泵𠮷\n".encode(encoding)) == [
        ["工单", "产品"],
        ["MO-1", "油泵𠮷"],
    ]


@pytest.mark.parametrize("odd", ["李明华强".encode()[:-2], "李明".encode("gb18030")])
def test_letters_of_a_file_in_two_encodings_are_not_guessed(odd: bytes) -> None:
    """As a program writes it that cuts texts by bytes. In GB18030 each line would be some text or other."""
    made = b"id,person\n1," + "李明".encode() + b"\n2," + odd + b"\n3," + "王强".encode() + b"\n"
    assert made.decode("gb18030")
    with pytest.raises(Unfit, match="is UTF-8, but for line 3; correct that line") as found:
        rows_of("a.csv", made)
    assert "第 3 行" in found.value.words.zh
    one_line = "id,person\n1,模\n2,李明\n".encode("gb18030")
    assert rows_of("a.csv", one_line)[1:] == [["1", "模"], ["2", "李明"]]


def test_the_mark_at_the_beginning_is_no_letter_in_gb18030_either() -> None:
    assert rows_of("a.csv", "\ufeff工单\nMO-1\n".encode("gb18030")) == [["工单"], ["MO-1"]]


@pytest.mark.parametrize("text", ["a;b\n1;2,5\n", "a\tb\n1\t2,5\n", "a|b\n1|2,5\n"])
def test_the_delimiter_is_told_from_the_first_line(text: str) -> None:
    assert rows_of("a.txt", text.encode()) == [["a", "b"], ["1", "2,5"]]


@pytest.mark.parametrize("told", ["sep=;\r\n", '"sep=;"\n', "\ufeffSEP=;\n", "sep=;;;\n"])
def test_a_line_that_tells_excel_the_delimiter_is_obeyed_and_is_no_row(told: str) -> None:
    assert rows_of("a.csv", (told + "a,b;c\r\n1;2\r\n").encode()) == [["a,b", "c"], ["1", "2"]]
    assert rows_of("a.csv", (told + "a|b\n").encode(), delimiter="|") == [["a", "b"]]
    assert rows_of("a.csv", b"sep;a\n") == [["sep", "a"]]


@pytest.mark.parametrize(
    ("content", "name", "encoding", "why"),
    [
        (b"a,b\n\x81\xff,2\n", "a.csv", "", "UTF-8 or GB18030"),
        ("外".encode("gb18030"), "a.csv", "utf-8", "not written in utf-8"),
        (b"a\n\x00\n", "a.csv", "", "NUL"),
        (b'a\n"b\n', "a.csv", "", "line 2"),
        (b"x", "a.exe", "", "is not read"),
    ],
)
def test_what_is_no_table_is_told_with_a_remedy(content: bytes, name: str, encoding: str, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        rows_of(name, content, encoding=encoding)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("http://x")',
        "@SUM(A1)",
        "+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C'!A0",
        "\t=1",
        " =1",
        "\r=1",
    ],
)
def test_what_a_spreadsheet_would_compute_is_a_formula(text: str) -> None:
    assert is_formula(text)


@pytest.mark.parametrize(
    "text", ["-5", "+3.5", "-1e-3", "-A1", "+86 10 1234", "a=b", "a@b.cn", "", None, 5, "-"]
)
def test_what_is_written_every_day_is_none(text: object) -> None:
    assert not is_formula(text)


def test_all_cells_without_a_value_are_told_at_once() -> None:
    cells = '<c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><v>3</v></c><c r="C1" t="e"><v>#N/A</v></c>'
    with pytest.raises(Unfit, match="in A1, C1; paste their values") as told:
        rows_of("a.xlsx", book(cells))
    assert told.value.words.zh == "单元格 A1、C1 是公式或错误值（如 #N/A），请粘贴为数值"
    many = "".join(f'<c r="{chr(65 + n)}1"><f>1</f></c>' for n in range(23))
    with pytest.raises(Unfit, match="S1, T1 and 3 more;") as told:
        rows_of("a.xlsx", book(many))
    assert "T1 等 23 个" in told.value.words.zh


def test_zeros_that_a_cell_shows_before_a_number_are_part_of_it() -> None:
    styles = (
        f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="0000000"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="1"/></cellXfs></styleSheet>'
    )
    cells = '<c r="A1" s="1"><v>123</v></c><c r="B1" s="2"><v>5</v></c><c r="C1" s="1"><v>2.5</v></c>'
    assert rows_of("a.xlsx", book(cells, {"xl/styles.xml": styles})) == [["0000123", 5, 2.5]]


def test_a_text_that_is_written_as_a_formula_for_excel_is_that_text() -> None:
    assert rows_of("a.csv", b'="0012","=""007""",="=1+1",=A1\n') == [["0012", "007", "=1+1", "=A1"]]


def test_the_end_that_old_programs_write_is_no_row() -> None:
    assert rows_of("a.csv", b"a,b\n1,2\n\x1a") == [["a", "b"], ["1", "2"]]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_read(encoding: str) -> None:
    text = "工单,工序\r\n一,丁\r\n"
    assert rows_of("a.csv", text.encode(encoding)) == [["工单", "工序"], ["一", "丁"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_half_a_letter_at_the_end_costs_no_other(encoding: str) -> None:
    content = "工单,操作工\nMO-1,张\nMO-2,李".encode(encoding)
    assert rows_of("a.csv", content[:-1]) == [["工单", "操作工"], ["MO-1", "张"], ["MO-2", "\ufffd"]]


def test_a_letter_that_might_be_half_of_another_is_the_one_that_it_is() -> None:
    assert rows_of("a.csv", "a,b\n1,寮".encode("gb18030")) == [["a", "b"], ["1", "寮"]]
