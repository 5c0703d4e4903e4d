"""CSV and XLSX files of others as rows of cells. What could do harm is refused, with the place (S18).

Of an XLSX file the values of one sheet are read and nothing else: no formulas, no entities, nothing outside
the file, at most 50 MB unpacked and a million cells.
"""

from __future__ import annotations

import codecs
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

LARGEST = 50 * 1024 * 1024  # bytes, unpacked too
MOST_CELLS = 1_000_000
WIDEST = 16_384  # columns of a sheet
LONGEST = 32_767  # characters of a cell
_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_DATE_LETTERS = re.compile(r"[ymdhs年月日]", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_REFERENCE = re.compile(r"^([A-Z]{1,3})(\d{1,7})$")
_FORMULA = re.compile(r"^(=|@|[+-](?![\d.,]*\d[\d.,]*(e[+-]?\d+)?$).*[(!|])", re.IGNORECASE)
_FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001 a sheet's days have no zone
_FIRST_DAY_1904 = datetime(1904, 1, 1)  # noqa: DTZ001


class Unfit(Exception):
    """A file that is not read; its text says where and what to do."""


Cells = list[Any]  # of one row: text, whole and other numbers, bool, datetime without zone, None


def rows_of(
    name: str, content: bytes, sheet: str = "", encoding: str = "", delimiter: str = ""
) -> list[Cells]:
    """By the name's ending: .xlsx, .csv, .txt, .tsv. Raises Unfit."""
    if len(content) > LARGEST:
        raise Unfit(f"is larger than {LARGEST // 2**20} MB; split it")
    ending = name.rpartition(".")[2].lower()
    if ending == "xlsx":
        return _xlsx(content, sheet)
    if ending in ("csv", "txt", "tsv"):
        return _csv(content, encoding, delimiter or ("\t" if ending == "tsv" else ""))
    raise Unfit(f".{ending} is not read; save it as .csv or .xlsx")


def is_formula(text: Any) -> bool:
    """Whether a spreadsheet program would compute this text."""
    return isinstance(text, str) and bool(_FORMULA.match(text.lstrip(" \t\r\n\ufeff")))


# ------------------------------------------------------------------ CSV
def _csv(content: bytes, encoding: str, delimiter: str) -> list[Cells]:
    text = decoded(content, encoding)
    if "\x00" in text:
        raise Unfit("contains NUL characters; it is no CSV file")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = delimiter or max(",;\t|", key=lambda d: (first.count(d), d == ","))
    made: list[Cells] = []
    cells = 0
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            cells += len(row)
            if cells > MOST_CELLS:
                raise Unfit(f"has more than {MOST_CELLS} cells; split it")
            made.append(list(row))
    except csv.Error as cause:
        raise Unfit(f"line {len(made) + 1}: {cause}; correct its quotes") from None
    return made


def decoded(content: bytes, encoding: str = "") -> str:
    """As the mark at its beginning says, else UTF-8, else GB18030 as spreadsheets in China write. Raises
    Unfit rather than guess letters."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
    ):  # fmt: skip
        if content.startswith(mark):
            encoding = name
            break
    for name in [encoding] if encoding else ["utf-8", "gb18030"]:
        try:
            return content.decode(name)
        except UnicodeDecodeError:
            continue
    raise Unfit(f"is not written in {encoding or 'UTF-8 or GB18030'}; save it as CSV UTF-8")


# ------------------------------------------------------------------ XLSX (ECMA-376 part 1, 18.3)
def _xlsx(content: bytes, sheet: str) -> list[Cells]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            _measured(book)
            return list(_Workbook(book).rows(sheet))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, OSError):
        raise Unfit("is no XLSX file, or is protected by a password; save it again") from None
    except DefusedXmlException:
        raise Unfit("contains entities or references to elsewhere; save it as a plain workbook") from None
    except (ParseError, LookupError, ValueError, OverflowError, zlib.error) as cause:
        raise Unfit(f"is a damaged XLSX file ({type(cause).__name__}); save it again") from None


def _measured(book: zipfile.ZipFile) -> None:
    """By what the directory says; `_Counted` holds the parts to it."""
    if sum(part.file_size for part in book.infolist()) > LARGEST:
        raise Unfit(f"unpacks to more than {LARGEST // 2**20} MB")


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
            raise Unfit(f"unpacks to more than {LARGEST // 2**20} MB")
        return data


class _Workbook:
    def __init__(self, book: zipfile.ZipFile) -> None:
        self._book = book
        self._names = set(book.namelist())
        self._first_day = _FIRST_DAY
        self._cells = 0

    def rows(self, wanted: str) -> Iterator[Cells]:
        path = self._sheet(wanted)
        texts, dates = list(self._texts()), self._dates()
        for row in self._parts(path, f"{_NS}row"):
            cells: Cells = []
            for cell in row.iterfind(f"{_NS}c"):
                at = _column(cell.get("r", ""), len(cells))
                self._cells += 1
                if self._cells > MOST_CELLS or at >= WIDEST:
                    raise Unfit(f"has more than {MOST_CELLS} cells; split it")
                if cell.find(f"{_NS}f") is not None:
                    raise Unfit(f"cell {cell.get('r', '')} holds a formula; paste its value instead")
                cells.extend([None] * (at - len(cells)))
                cells.append(self._value(cell, texts, dates))
            row.clear()
            yield cells

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
            raise Unfit(f"has no sheet {name!r}; it has {', '.join(found) or 'none'}")
        target = found[name]
        return target.lstrip("/") if target.startswith("/") else f"xl/{target}"

    def _texts(self) -> Iterator[str]:
        if "xl/sharedStrings.xml" in self._names:
            for item in self._parts("xl/sharedStrings.xml", f"{_NS}si"):
                yield _text(item)
                item.clear()

    def _dates(self) -> set[int]:
        """Numbers of the cell formats that show a time."""
        if "xl/styles.xml" not in self._names:
            return set()
        own: set[int] = set()
        formats: list[int] = []
        for part in self._parts("xl/styles.xml", f"{_NS}numFmt", f"{_NS}cellXfs"):
            if part.tag == f"{_NS}numFmt":
                if _DATE_LETTERS.search(_QUOTED.sub("", part.get("formatCode", ""))):
                    own.add(int(part.get("numFmtId", "-1")))
            else:
                formats = [int(xf.get("numFmtId", "0")) for xf in part.iterfind(f"{_NS}xf")]
        return {n for n, number in enumerate(formats) if number in _DATE_FORMATS or number in own}

    def _value(self, cell: Any, texts: list[str], dates: set[int]) -> Any:
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
            case "e":
                raise Unfit(f"cell {cell.get('r', '')} holds the error {text[:20]}; correct it")
        number = float(text)
        if int(cell.get("s", "0")) in dates:
            micros = round(number * 86_400_000) * 1000  # sheets count days; below a millisecond is noise
            return self._first_day + timedelta(microseconds=micros)
        return int(number) if number.is_integer() and abs(number) < 1e15 else number

    def _parts(self, path: str, *tags: str) -> Iterator[Any]:
        if path not in self._names:
            raise Unfit(f"has no part {path}; save it again as a plain workbook")
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
