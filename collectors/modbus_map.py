"""A register map in a file of its own: CSV, XLSX or YAML, as the machine's maker or the plant keeps it.

The first row names the columns after the keys of a point (`tag`, `address` or `reference`, `type`, ...). What
is wrong is told with file and line, all of it at once. Formulas, entities and bombs are refused (S18).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from collectors.modbus_points import PointBlock
from collectors.spreadsheet import LARGEST, Unfit, is_formula, rows_of
from hub import document
from hub.config import Block, explain
from hub.errors import ConfigError
from hub.places import located

_MOST_TOLD = 20
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
        rows = _from_yaml(path) if path.suffix.lower() in _YAML else _from_sheet(path, written.sheet)
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
        raise ValueError(_told(located(complaints, path) if path.suffix.lower() in _YAML else complaints))
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


def _from_sheet(path: Path, sheet: str) -> list[tuple[str, Any]]:
    _small(path)
    try:
        rows = rows_of(path.name, path.read_bytes(), sheet)
    except OSError as cause:
        raise Unfit(f"{path}: cannot be read ({cause.strerror}); correct file:") from None
    except Unfit as cause:
        raise Unfit(f"{path}: {cause}") from None
    head = next((n for n, cells in enumerate(rows) if any(_filled(cell) for cell in cells)), 0)
    names = [str(cell or "").strip().lower() for cell in rows[head]] if rows else []
    _known(path, names)
    found: list[tuple[str, Any]] = []
    for number, cells in enumerate(rows[head + 1 :], head + 2):
        if not any(_filled(cell) for cell in cells) or str(cells[0] or "").startswith("#"):
            continue
        found.append((f"{path}:{number}", _row(f"{path}:{number}", names, cells)))
    return found


def _known(path: Path, names: list[str]) -> None:
    keys = set(PointBlock.model_fields)
    for name in names:
        if name and name not in keys:
            near = difflib.get_close_matches(name, keys, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(keys))}"
            raise Unfit(f"{path}:1: unknown column {name!r}; {hint}")
        if name and names.count(name) > 1:
            raise Unfit(f"{path}:1: the column {name!r} is there twice; remove one")
    if "tag" not in names:
        raise Unfit(f"{path}:1: no column 'tag'; the first line names the columns: tag, address, type, ...")


def _filled(cell: Any) -> bool:
    return cell is not None and str(cell).strip() != ""


def _row(place: str, names: list[str], cells: list[Any]) -> Mapping[str, Any]:
    row: dict[str, Any] = {}
    for number, cell in enumerate(cells):
        if not _filled(cell):
            continue
        if number >= len(names) or not names[number]:
            raise Unfit(f"{place}: column {number + 1} has no name in line 1; name it, or empty the cell")
        if is_formula(cell):
            raise Unfit(f"{place}: {names[number]}: holds a formula; write its value instead")
        row[names[number]] = cell.strip() if isinstance(cell, str) else cell
    if "codes" in row:
        row["codes"] = _codes(place, str(row["codes"]))
    return row


def _codes(place: str, text: str) -> dict[str, str]:
    """`0=1; 3=7`."""
    found: dict[str, str] = {}
    for pair in filter(str.strip, text.split(";")):
        raw, equals, meant = (part.strip() for part in pair.partition("="))
        if not equals or not raw or raw in found:
            raise Unfit(f"{place}: codes: {pair.strip()!r} is not understood; write 0=1; 3=7, each code once")
        found[raw] = meant
    return found
