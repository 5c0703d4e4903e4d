"""What kinds of files an MES drops, and the records that stand in one (pure)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from collectors import mes_tables as tables
from collectors.mes_faults import Unreadable
from collectors.mes_letters import CUT, Unfit
from collectors.mes_tables import Row, TableBlock
from collectors.spreadsheet import Cells, is_formula, rows_of
from hub.model.intake import Fault
from hub.model.words import Words

_END_OF_XLSX = b"PK\x05\x06"  # stands in the last 64 KB
_UNCLOSED = Words(
    "的引号未闭合；请改正引号，或把引号成对书写",
    "has a quote that nothing closes; close it, or write a quote within a value twice",
)
_NAMES = frozenset({
    "id", "number", "order", "operation", "product", "item", "lot", "sales_order", "erp_id", "erp_entry_id",
    "customer", "person", "equipment", "work_center", "warehouse",
})  # fmt: skip
_SHORTENED = re.compile(r"[+-]?\d(\.\d+)?[eE]\+\d{2,3}")  # as sheets show long numbers: 1.23E+15
_DIGITS_LOST = Words(
    "被表格软件改成了科学计数或丢了位数（只保留 15 位）；请把该列设为文本后重新导出",
    "was shortened by a spreadsheet program, which keeps 15 digits; make its column text and export again",
)
_UNSEEN = "\ufeff\u200b"  # around a name they are no part of it, and nobody can see them
_HALF = Words("在一个字的中间被截断；请重新导出", "is cut off in the middle of a letter; export it again")
_TOTALS = re.compile(  # what stands at the head of a row that sums up those above, or says who wrote them
    r"(本页|本日|当日|本班|本月)?(合计|小计|总计|累计|汇总)数?\s*[:：]?|共\s*\d+\s*[条行笔项]\S*|"
    r"(制表|审核|复核|打印|导出)(人|员|时间|日期)?\s*[:：].*|((grand|sub)[\s-]*)?totals?\s*:?|sum\s*:?",
    re.IGNORECASE,
)
_NEAR = 30  # rows among which the names of the columns are looked for
_NO_COUNT = Words("为空；若表示 0，请写 0", "is empty; where that means 0 write 0")


class SheetBlock(TableBlock):
    """What a kind of file means."""

    by_hand = True

    pattern: str = Field(min_length=1, description="names of its files: report-*.csv")
    sheet: str = Field("", description="XLSX: the sheet; the first, when empty")
    header: int = Field(1, ge=1, le=1000, description="row in which the columns are named")
    encoding: Literal["", "utf-8", "gb18030"] = Field("", description="CSV: told from the content when empty")
    delimiter: Literal["", ",", ";", "\t", "|"] = Field(
        "", description="CSV: told from the content when empty"
    )


def block_of(reads: Iterable[SheetBlock], name: str) -> SheetBlock:
    """Raises Unfit."""
    found = next((r for r in reads if fnmatch.fnmatch(name, r.pattern)), None)
    if found is None:
        raise Unfit(
            "matches no pattern: under reads:; name it there, or put it elsewhere",
            "文件名不符合 reads: 中的任何 pattern:，请写在那里，或放到别处",
        )
    return found


def hidden(reads: Sequence[SheetBlock]) -> str:
    """Which read gets no file, for one before it takes them all; "" when none is."""
    for n, later in enumerate(reads):
        if first := next((r for r in reads[:n] if fnmatch.fnmatch(later.pattern, r.pattern)), None):
            return (
                f"every file of {later.name} goes to {first.name}, whose pattern fits it too; put "
                f"{later.name} before {first.name}, or write patterns of which a file fits one only"
            )
    return ""


def records(read: SheetBlock, name: str, content: bytes, *, whole: bool = True) -> list[dict[str, Any]]:
    """Raises Unfit when the file cannot be read as a whole. Unless it is `whole`, its last row may go on."""
    unclosed: set[int] | None = None if read.type == "order" else set()  # an order may have several rows
    lines = rows_of(name, content, read.sheet, read.encoding, read.delimiter, unclosed)
    columns = _columns(read, lines)
    broken = {n + 1 for n in unclosed or ()}
    if read.header in broken:
        raise Unfit(f"line {read.header}: a quote is not closed", f"第 {read.header} 行的引号未闭合")
    used = sorted(tables.columns_of(read, columns))
    numbered = list(enumerate(lines[read.header :], read.header + 1))
    rows = [(n, row) for n, cells in numbered if n not in broken and (row := _row(columns, used, cells))]
    rows = [(n, row) for n, row in rows if not _sums_up(read, row)]
    beside = {} if name.lower().endswith(".xlsx") else dict(_beside(columns, numbered))
    last = 0 if whole else max((n for n, cells in numbered if _filled(cells)), default=0)
    found = [
        *(_unclosed(read, name, n, cells) for n, cells in numbered if n in broken and n != last),
        *_folded(read, rows, name, beside, last),
    ]
    return sorted(found, key=lambda r: r["line"])


def goes_on(name: str, content: bytes) -> bool:
    """Whether its last row has no end: it may be cut off in the middle of a number."""
    if name.lower().endswith(".xlsx"):
        return False
    return not content.rstrip(b"\x1a").endswith((b"\n", b"\r", b"\n\x00", b"\r\x00"))


def only_begun(reads: Iterable[SheetBlock], name: str, content: bytes) -> bool:
    """Whether not even its head has been written to its end."""
    if name.lower().endswith(".xlsx"):
        return _END_OF_XLSX not in content[-66_000:]
    header = next((r.header for r in reads if fnmatch.fnmatch(name, r.pattern)), 1)
    return max(content.count(b"\n"), content.count(b"\r")) < header


def event_of(reads: Mapping[str, SheetBlock], zone: Any, record: Any) -> dict[str, Any]:
    """Raises Unreadable."""
    if record.get("unclosed"):
        raise Unreadable(Fault("row", _UNCLOSED))
    if record.get("half"):
        raise Unreadable(Fault(str(record["half"]), _HALF))
    made = tables.event_of(reads, zone, record)
    read = reads[record["table"]]
    for within in (made, *made.get("jobs", ())):
        if lost := [n for n, value in within.items() if n in _NAMES and _shortened(value)]:
            raise Unreadable(*(Fault(n, _DIGITS_LOST) for n in lost))
    if made["type"] == "report" and "good" not in made and _tells_nothing(made):
        column = read.fields.get("good", "good")
        if column in record["rows"][0]:
            raise Unreadable(Fault("good", _NO_COUNT))
    return made


def _shortened(value: Any) -> bool:
    """Whether several names may have become this one."""
    if isinstance(value, float):
        return abs(value) >= 1e15
    return isinstance(value, str) and bool(_SHORTENED.fullmatch(value.strip()))


def _tells_nothing(report: Mapping[str, Any]) -> bool:
    """An empty count beside a state or another count is none; by itself it is a figure that is missing."""
    return not any(n in report for n in ("state", "scrap", "rework", "labour_seconds"))


def _columns(read: SheetBlock, lines: Sequence[Cells]) -> list[str]:
    """Raises Unfit."""
    if len(lines) < read.header:
        raise Unfit(
            f"has no row {read.header} with the names of its columns",
            f"没有第 {read.header} 行的列名",
        )
    columns = [str(c).strip(_UNSEEN).strip() if c is not None else "" for c in lines[read.header - 1]]
    has = ", ".join(filter(None, columns))[:300]
    if not has:
        first = next((n for n, cells in enumerate(lines, 1) if _filled(cells)), 0)
        raise Unfit(
            f"has nothing in row {read.header}; its first row that is not empty is {first}: correct header:",
            f"第 {read.header} 行为空，第一个非空行是第 {first} 行，请改正 header:",
        )
    if lost := tables.missing_columns(read, columns):
        names, there = ", ".join(lost), _named_in(read, lines)
        if there:
            raise Unfit(
                f"has its columns named in row {there} and not in row {read.header}; write header: {there}",
                f"列名在第 {there} 行，不在第 {read.header} 行；请写 header: {there}",
            )
        raise Unfit(f"has no column {names}; it has {has}", f"缺少列 {names}；现有 {has}")
    used = tables.columns_of(read, columns)
    if twice := [c for c in dict.fromkeys(columns) if c in used and columns.count(c) > 1]:
        places = "、".join(_letters(n) for n, c in enumerate(columns) if c == twice[0])
        raise Unfit(
            f"has the column {twice[0]} more than once ({places.replace('、', ', ')}); "
            "rename or remove what is not meant",
            f"有多个名为 {twice[0]} 的列（{places}），请改名或删去不用的",
        )
    return columns


def _named_in(read: SheetBlock, lines: Sequence[Cells]) -> int:
    """The row that has all the columns; 0 when none has."""
    for n, cells in enumerate(lines[:_NEAR], 1):
        if not tables.missing_columns(read, [str(c).strip(_UNSEEN).strip() for c in cells if c is not None]):
            return n
    return 0


def _sums_up(read: SheetBlock, row: Row) -> bool:
    """A total or a signature below the rows: it has nothing of what every row has but a word that says so."""
    words = [v for v in row.values() if v is not None and str(v).strip()]
    if not words or not isinstance(words[0], str) or not _TOTALS.fullmatch(words[0].strip()):
        return False
    return sum(bool(str(row.get(c) or "").strip()) for c in tables.needed_columns(read)) <= 1


def _letters(number: int) -> str:
    """A column as spreadsheet programs name it."""
    told = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        told = chr(65 + letter) + told
    return told


def _filled(cells: Sequence[Any]) -> bool:
    return any(c is not None and str(c).strip() for c in cells)


def _row(columns: Sequence[str], used: Sequence[str], cells: Sequence[Any]) -> Row:
    """{} of an empty one. A row may end before the last columns that are used, which are empty then."""
    if not _filled(cells):
        return {}
    told = {n: tables.plain(c) for n, c in zip(columns, cells, strict=False) if n}
    return told | {n: None for n in used if n not in told}


def _beside(columns: Sequence[str], rows: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[tuple[int, Any]]:
    """What stands in a row of a CSV file behind its last column: after a delimiter too many, values are in
    wrong columns. A sheet's cells have a place of their own."""
    named = max((n for n, column in enumerate(columns, 1) if column), default=0)
    for n, cells in rows:
        if extra := [c for c in cells[named:] if str(c).strip()]:
            yield n, extra


def _unclosed(read: SheetBlock, name: str, line: int, cells: Cells) -> dict[str, Any]:
    return {"table": read.name, "rows": [{"": cells[0]}], "file": name, "line": line, "unclosed": True}


def _folded(
    read: SheetBlock, rows: Sequence[tuple[int, Row]], name: str, beside: Mapping[int, Any], last: int
) -> Iterator[dict[str, Any]]:
    """Without what the row `last` belongs to."""
    line = {id(row): n for n, row in rows}
    end = max(line.values(), default=0)
    for group in tables.folded(read, [row for _, row in rows]):
        at = [line[id(row)] for row in group]
        if last in at:
            continue
        made = {"table": read.name, "rows": group, "file": name, "line": at[0]}
        half = next(
            (n for n, value in group[-1].items() if isinstance(value, str) and value.endswith(CUT)), ""
        )
        broken = ", ".join(dict.fromkeys(n for row in group for n, value in row.items() if is_formula(value)))
        extra = next((beside[n] for n in at if n in beside), None)
        wrong = {"broken": broken, "extra": extra, "half": half if at[-1] == end else ""}
        yield made | {what: where for what, where in wrong.items() if where}
