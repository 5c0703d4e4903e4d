"""A register map in a file of its own: CSV, XLSX or YAML, as the machine's maker or the plant keeps it.

The first row names the columns after the keys of a point (`tag`, `address` or `reference`, `type`, ...). What
is wrong is told with file and line, all of it at once. Formulas, entities and bombs are refused (S18).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from collectors.mes_letters import Unfit
from collectors.modbus_points import PointBlock
from collectors.spreadsheet import LARGEST, is_formula, rows_of
from hub import document
from hub.config import Block, explain
from hub.errors import ConfigError
from hub.places import located

_MOST_TOLD = 20
_LINE = re.compile(r":(\d+): ")
_YAML = (".yaml", ".yml")


class MapBlock(Block):
    """`points: {file: map.csv}`."""

    file: str = Field(min_length=1)
    sheet: str = Field("", description="XLSX: the sheet; the first, when empty")


def points_of(written: MapBlock) -> list[PointBlock]:
    """Every point of the file; raises ValueError with what is wrong, each with its line."""
    path = Path(written.file)
    complaints: list[str] = []
    try:
        in_yaml = path.suffix.lower() in _YAML
        rows = _from_yaml(path) if in_yaml else _from_sheet(path, written.sheet, complaints)
    except (Unfit, ConfigError) as cause:
        raise ValueError(_told([str(cause)])) from None
    found: list[PointBlock] = []
    seen: dict[str, str] = {}
    for place, row in rows:
        try:
            point = PointBlock.model_validate(row)
        except ValidationError as cause:
            complaints += explain(cause, place)
            continue
        if point.tag in seen:
            complaints.append(f"{place}: tag: {point.tag!r} is there already, see {seen[point.tag]}")
        seen.setdefault(point.tag, place)
        found.append(point)
    if complaints:
        raise ValueError(_told(located(complaints, path) if in_yaml else _by_line(complaints)))
    if not found:
        raise ValueError(f"{path}: holds no points; write one a line below the line that names the columns")
    return found


def _told(complaints: list[str]) -> str:
    more = len(complaints) - _MOST_TOLD
    return "\n".join(complaints[:_MOST_TOLD]) + (f"\nand {more} more" if more > 0 else "")


def _from_yaml(path: Path) -> list[tuple[str, Any]]:
    _small(path)
    raw = document.read(path)
    points = raw.get("points")
    if not isinstance(points, list) or len(raw) != 1:
        raise Unfit(f"{path}: expected points: with a list below it, and nothing else")
    return [(f"{path}: points[{n}]", point) for n, point in enumerate(points)]


def _small(path: Path) -> None:
    try:
        if path.stat().st_size > LARGEST:
            raise Unfit(f"{path}: is larger than {LARGEST // 2**20} MB; split it")
    except (OSError, ValueError) as cause:
        why = (cause.strerror if isinstance(cause, OSError) else None) or "not a file name"
        raise Unfit(f"{path}: cannot be read ({why}); correct file:") from None


def _by_line(complaints: list[str]) -> list[str]:
    """`map.csv:3: ...` in the order of the file, those of one line as they were found."""
    return sorted(complaints, key=lambda c: int(found[1]) if (found := _LINE.search(c)) else 0)


def _from_sheet(path: Path, sheet: str, complaints: list[str]) -> list[tuple[str, Any]]:
    """Rows that can be read; of the others all that is wrong goes to `complaints`."""
    _small(path)
    try:
        rows = rows_of(path.name, path.read_bytes(), sheet)
    except OSError as cause:
        raise Unfit(f"{path}: cannot be read ({cause.strerror}); correct file:") from None
    except Unfit as cause:
        raise Unfit(f"{path}: {cause}") from None
    head = next((n for n, cells in enumerate(rows) if any(_filled(cell) for cell in cells)), 0)
    names = [str(cell or "").strip().lower() for cell in rows[head]] if rows else []
    if unknown := _unknown(f"{path}:{head + 1}", names):
        complaints += unknown
        return []
    found: list[tuple[str, Any]] = []
    for number, cells in enumerate(rows[head + 1 :], head + 2):
        if not any(_filled(cell) for cell in cells) or str(cells[0] or "").startswith("#"):
            continue
        row, wrong = _row(f"{path}:{number}", names, cells, head + 1)
        complaints += wrong
        if not wrong:
            found.append((f"{path}:{number}", row))
    return found


def _unknown(place: str, names: list[str]) -> list[str]:
    """What is wrong with the names of the columns; nothing can be said of the rows then."""
    keys = set(PointBlock.model_fields)
    complaints: list[str] = []
    for name in dict.fromkeys(filter(None, names)):
        if name not in keys:
            near = difflib.get_close_matches(name, keys, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(keys))}"
            complaints.append(f"{place}: unknown column {name!r}; {hint}")
        elif names.count(name) > 1:
            complaints.append(f"{place}: the column {name!r} is there twice; remove one")
    if "tag" not in names:
        complaints.append(
            f"{place}: no column 'tag'; the first line names the columns: tag, address, type, ..."
        )
    return complaints


def _filled(cell: Any) -> bool:
    return cell is not None and str(cell).strip() != ""


def _row(place: str, names: list[str], cells: list[Any], head: int) -> tuple[Mapping[str, Any], list[str]]:
    """(what it says, what is wrong with it); the columns are named in line `head`."""
    row: dict[str, Any] = {}
    complaints: list[str] = []
    for number, cell in enumerate(cells):
        if not _filled(cell):
            continue
        if number >= len(names) or not names[number]:
            complaints.append(
                f"{place}: column {number + 1} has no name in line {head}; name it, or empty the cell"
            )
        elif is_formula(cell):
            complaints.append(f"{place}: {names[number]}: holds a formula; write its value instead")
        else:
            row[names[number]] = cell.strip() if isinstance(cell, str) else cell
    if "codes" in row:
        try:
            row["codes"] = _codes(str(row["codes"]))
        except Unfit as cause:
            complaints.append(f"{place}: codes: {cause}")
    return row, complaints


def _codes(text: str) -> dict[str, str]:
    """`0=1; 3=7`."""
    found: dict[str, str] = {}
    for pair in filter(str.strip, text.split(";")):
        raw, equals, meant = (part.strip() for part in pair.partition("="))
        if not equals or not raw or raw in found:
            raise Unfit(f"{pair.strip()!r} is not understood; write 0=1; 3=7, each code once")
        found[raw] = meant
    return found
