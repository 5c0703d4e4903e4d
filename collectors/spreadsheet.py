"""CSV and XLSX files of others as rows of cells. What could do harm is refused, with the place (S18).

Of an XLSX file the values of one sheet are read and nothing else: no formulas, no entities, nothing outside
the file, at most 50 MB unpacked and a million cells.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO, Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from collectors.mes_letters import Unfit, decoded

LARGEST = 50 * 1024 * 1024  # bytes, unpacked too
MOST_CELLS = 1_000_000
WIDEST = 16_384  # columns of a sheet
LONGEST = 32_767  # characters of a cell
LAST_ROW = 1_048_576  # of a sheet
_MOST_UNCLOSED = 100  # lines of a CSV file with quotes that nothing closes
_MOST_TOLD = 20  # cells that are named
_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_DATE_LETTERS = re.compile(r"[ymdhs年月日]", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_ZEROS = re.compile(r"0{2,60}")  # a number format that shows 123 as 0000123
_REFERENCE = re.compile(r"^([A-Z]{1,3})(\d{1,7})$")
_FORMULA = re.compile(r"^(=|@|[+-](?![\d.,]*\d[\d.,]*(e[+-]?\d+)?$).*[(!|])", re.IGNORECASE)
_CONSTANT = re.compile(r'="([^"]*)"')  # a text, so that Excel leaves its zeros alone
_TELLS_DELIMITER = re.compile(r'\s*"?sep=(?P<is>[,;|\t])"?[,;|\t\r ]*', re.IGNORECASE)  # to Excel, in line 1
_FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001 a sheet's days have no zone
_FIRST_DAY_1904 = datetime(1904, 1, 1)  # noqa: DTZ001


Cells = list[Any]  # of one row: text, whole and other numbers, bool, datetime without zone, None


def rows_of(
    name: str,
    content: bytes,
    sheet: str = "",
    encoding: str = "",
    delimiter: str = "",
    unclosed: set[int] | None = None,
) -> list[Cells]:
    """By the name's ending: .xlsx, .csv, .txt, .tsv. The first one is row 1 of the file, empty or not.
    Raises Unfit; but where `unclosed` is given it gets the places of lines with a quote that nothing closes,
    each of which is a single cell then, and the lines behind it are rows as they would be without it."""
    if len(content) > LARGEST:
        most = LARGEST // 2**20
        raise Unfit(f"is larger than {most} MB; split it", f"大于 {most} MB，请拆分")
    ending = name.rpartition(".")[2].lower()
    if ending == "xlsx":
        return _xlsx(content, sheet)
    if ending in ("csv", "txt", "tsv"):
        return _csv(content, encoding, delimiter or ("\t" if ending == "tsv" else ""), unclosed)
    raise Unfit(
        f".{ending} is not read; save it as .csv or .xlsx", f"不能读 .{ending} 文件，请另存为 .csv 或 .xlsx"
    )


def is_formula(text: Any) -> bool:
    """Whether a spreadsheet program would compute this text."""
    return isinstance(text, str) and bool(_FORMULA.match(text.lstrip(" \t\r\n\ufeff")))


# ------------------------------------------------------------------ CSV
def _csv(content: bytes, encoding: str, delimiter: str, unclosed: set[int] | None) -> list[Cells]:
    text = decoded(content, encoding)
    if "\x00" in text:
        raise Unfit("contains NUL characters; it is no CSV file", "含有 NUL 字符，不是 CSV 文件")
    text = text.rstrip("\x1a")  # the end of a file to old programs
    head, _, rest = text.partition("\n")
    if told := _TELLS_DELIMITER.fullmatch(head):
        text, delimiter = rest, delimiter or told["is"]
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = delimiter or max(",;\t|", key=lambda d: (first.count(d), d == ","))
    made: list[Cells] = []
    cells = 0
    for row, why in _lines(list(io.StringIO(text, newline="")), delimiter):
        cells += len(row)
        if cells > MOST_CELLS:
            raise _too_many_cells()
        made.append([_plain(cell) for cell in row])
        if why and unclosed is None:
            raise Unfit(
                f"line {len(made)}: {why}; correct its quotes", f"第 {len(made)} 行的引号未闭合，请改正"
            )
        if why and unclosed is not None:
            unclosed.add(len(made) - 1)
    return made


def _plain(cell: str) -> str:
    found = _CONSTANT.fullmatch(cell) if cell.startswith('="') else None
    return found[1] if found else cell


def _lines(lines: list[str], delimiter: str) -> Iterator[tuple[Cells, str]]:
    """Each row, and what is wrong with its quotes. A quote that is never closed, or only in a later row,
    would make one cell of all that stands between: behind such a line the next one is read by itself."""
    begin = faults = width = 0
    while begin < len(lines):
        used, why = 0, ""
        reader = csv.reader(iter(lines[begin:]), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if reader.line_num > used + 1 and _swallows(row, delimiter, width):
                    why = "a quote is closed in a later row only"
                    break
                used, width = reader.line_num, max(width, len(row))
                yield list(row), ""
        except csv.Error as cause:
            why = str(cause)
        if not why:
            return
        faults += 1
        if faults > _MOST_UNCLOSED:
            raise Unfit(
                f"has quotes that nothing closes in more than {_MOST_UNCLOSED} lines; write it anew",
                f"未闭合的引号超过 {_MOST_UNCLOSED} 行，请重新导出",
            )
        yield [lines[begin + used].rstrip("\r\n")[:LONGEST]], why
        begin += used + 1


def _swallows(row: Cells, delimiter: str, width: int) -> bool:
    """Whether a line within a cell is a row of its own."""
    inner = (line for cell in row for line in cell.splitlines()[1:])
    return width > 2 and any(line.count(delimiter) >= width - 1 for line in inner)


def _too_many_cells() -> Unfit:
    return Unfit(f"has more than {MOST_CELLS} cells; split it", f"超过 {MOST_CELLS} 个单元格，请拆分")


# ------------------------------------------------------------------ XLSX (ECMA-376 part 1, 18.3)
def _xlsx(content: bytes, sheet: str) -> list[Cells]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            _measured(book)
            return list(_Workbook(book).rows(sheet))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, OSError):
        raise Unfit(
            "is no XLSX file, or is protected by a password; save it again",
            "不是 XLSX 文件，或有密码保护；请重新保存",
        ) from None
    except DefusedXmlException:
        raise Unfit(
            "contains entities or references to elsewhere; save it as a plain workbook",
            "含有实体或外部引用，请另存为普通工作簿",
        ) from None
    except (ParseError, LookupError, ValueError, OverflowError, zlib.error) as cause:
        raise Unfit(
            f"is a damaged XLSX file ({type(cause).__name__}); save it again",
            f"XLSX 文件已损坏（{type(cause).__name__}），请重新保存",
        ) from None


def _measured(book: zipfile.ZipFile) -> None:
    """By what the directory says; `_Counted` holds the parts to it."""
    if sum(part.file_size for part in book.infolist()) > LARGEST:
        raise _unpacks_to_more()


def _unpacks_to_more() -> Unfit:
    most = LARGEST // 2**20
    return Unfit(f"unpacks to more than {most} MB; split it", f"解压后超过 {most} MB，请拆分")


class _Counted(io.RawIOBase):
    """A part of the file that ends when more has come out of it than it may hold."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner, self._left = inner, LARGEST

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(min(size, 65536) if size > 0 else 65536)
        self._left -= len(data)
        if self._left < 0:
            raise _unpacks_to_more()
        return data


class _Workbook:
    def __init__(self, book: zipfile.ZipFile) -> None:
        self._book = book
        self._names = set(book.namelist())
        self._first_day = _FIRST_DAY
        self._cells = 0
        self._wrong: list[str] = []  # cells that hold no value

    def rows(self, wanted: str) -> Iterator[Cells]:
        path = self._sheet(wanted)
        texts, (dates, zeros) = list(self._texts()), self._formats()
        told = 0
        for row in self._parts(path, f"{_NS}row"):
            number = int(row.get("r") or told + 1)
            if not told < number <= LAST_ROW:
                raise ValueError("rows out of turn")
            yield from ([] for _ in range(told + 1, number))  # an empty row is not written, but it is there
            told = number
            cells: Cells = []
            for cell in row.iterfind(f"{_NS}c"):
                at = _column(cell.get("r", ""), len(cells))
                if at < len(cells):
                    raise ValueError("cells out of turn")
                self._cells += 1
                if self._cells > MOST_CELLS or at >= WIDEST:
                    raise _too_many_cells()
                cells.extend([None] * (at - len(cells)))
                if cell.find(f"{_NS}f") is not None or cell.get("t") == "e":
                    self._wrong.append(cell.get("r", ""))
                    cells.append(None)
                else:
                    cells.append(self._value(cell, texts, dates, zeros))
            row.clear()
            yield cells
        if self._wrong:
            raise self._no_values()

    def _no_values(self) -> Unfit:
        """Every one of them, for they are mended in one go."""
        some, more = self._wrong[:_MOST_TOLD], len(self._wrong) - _MOST_TOLD
        en, zh = ", ".join(some), "、".join(some)
        if more > 0:
            en, zh = f"{en} and {more} more", f"{zh} 等 {len(self._wrong)} 个"
        return Unfit(
            f"holds formulas or errors such as #N/A in {en}; paste their values instead",
            f"单元格 {zh} 是公式或错误值（如 #N/A），请粘贴为数值",
        )

    def _sheet(self, wanted: str) -> str:
        named = self._parts("xl/_rels/workbook.xml.rels", f"{_PACKAGE}Relationship")
        links = {e.get("Id"): e.get("Target", "") for e in named}
        found: dict[str, str] = {}
        for part in self._parts("xl/workbook.xml", f"{_NS}sheet", f"{_NS}workbookPr"):
            if part.tag == f"{_NS}workbookPr":
                self._first_day = _FIRST_DAY_1904 if part.get("date1904") in ("1", "true") else _FIRST_DAY
            else:
                found[part.get("name", "")] = links.get(part.get(_RELATION), "")
        name = wanted or next(iter(found), "")
        if name not in found:
            raise Unfit(
                f"has no sheet {name!r}; it has {', '.join(found) or 'none'}",
                f"没有工作表 {name}，现有 {'、'.join(found) or '无'}",
            )
        target = found[name]
        return target.lstrip("/") if target.startswith("/") else f"xl/{target}"

    def _texts(self) -> Iterator[str]:
        if "xl/sharedStrings.xml" in self._names:
            for item in self._parts("xl/sharedStrings.xml", f"{_NS}si"):
                yield _text(item)
                item.clear()

    def _formats(self) -> tuple[set[int], dict[int, int]]:
        """Numbers of the cell formats that show a time, and of those that show zeros before a number, with
        how many digits they show."""
        if "xl/styles.xml" not in self._names:
            return set(), {}
        own: set[int] = set()
        zeros: dict[int, int] = {}
        formats: list[int] = []
        for part in self._parts("xl/styles.xml", f"{_NS}numFmt", f"{_NS}cellXfs"):
            if part.tag == f"{_NS}numFmt":
                number, code = int(part.get("numFmtId", "-1")), part.get("formatCode", "")
                if _DATE_LETTERS.search(_QUOTED.sub("", code)):
                    own.add(number)
                if _ZEROS.fullmatch(code):
                    zeros[number] = len(code)
            else:
                formats = [int(xf.get("numFmtId", "0")) for xf in part.iterfind(f"{_NS}xf")]
        return (
            {n for n, number in enumerate(formats) if number in _DATE_FORMATS or number in own},
            {n: zeros[number] for n, number in enumerate(formats) if number in zeros},
        )

    def _value(self, cell: Any, texts: list[str], dates: set[int], zeros: dict[int, int]) -> Any:
        kind, held = cell.get("t", "n"), cell.find(f"{_NS}v")
        if kind == "inlineStr":
            inline = cell.find(f"{_NS}is")
            return _text(inline) if inline is not None else None
        if held is None or held.text is None:
            return None
        text = held.text[:LONGEST]
        match kind:
            case "s":
                return texts[int(text)]
            case "str" | "d":
                return text
            case "b":
                return text == "1"
        number, style = float(text), int(cell.get("s", "0"))
        if style in dates:
            micros = round(number * 86_400_000) * 1000  # sheets count days; below a millisecond is noise
            return self._first_day + timedelta(microseconds=micros)
        if not number.is_integer() or abs(number) >= 1e15:
            return number
        return f"{int(number):0{zeros[style]}d}" if style in zeros else int(number)  # 0000123 is no 123

    def _parts(self, path: str, *tags: str) -> Iterator[Any]:
        if path not in self._names:
            raise Unfit(
                f"has no part {path}; save it again as a plain workbook",
                f"缺少部件 {path}，请另存为普通工作簿",
            )
        with self._book.open(path) as part:
            for _, element in iterparse(
                _Counted(part), forbid_dtd=True, forbid_entities=True, forbid_external=True
            ):
                if element.tag in tags:
                    yield element


def _text(item: Any) -> str:
    """Its runs together, without the reading aids that Chinese and Japanese sheets carry (rPh)."""
    runs = [item.find(f"{_NS}t"), *(run.find(f"{_NS}t") for run in item.iterfind(f"{_NS}r"))]
    return "".join(run.text or "" for run in runs if run is not None)[:LONGEST]


def _column(reference: str, following: int) -> int:
    found = _REFERENCE.match(reference)
    if found is None:
        return following
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - 64
    return number - 1
