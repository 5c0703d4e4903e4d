"""A batch's bytes made smaller for the disk, cheaply: what is the same in row after row is written once.

Tags that count up, times that stand still and statuses without a change take no room to speak of; times of
one hour take half. Values are left as they are: to squeeze them (zlib, level 1) takes ten times as long as
all of this and saves some third.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch

_WHOLE, _BY_COLUMN = b"W", b"C"
_HEADER = struct.Struct("<?II")  # told late?, rows, bytes of the source's name
_RUN = np.dtype([("value", "<i8"), ("rows", "<u4")])
_PLAIN, _RUNS, _COUNTING, _NEAR = range(4)  # how a column is written

Column = NDArray[Any]


def packed(body: bytes) -> bytes:
    """Of any bytes; those of a batch come out smaller. `unpacked` gives back exactly what went in."""
    try:
        batch = SampleBatch.from_bytes(body)
    except ValueError:
        return _WHOLE + body
    name = batch.source.encode()
    return b"".join(
        (
            _BY_COLUMN,
            _HEADER.pack(batch.historical, len(batch), len(name)),
            name,
            _column(batch.tags, _counting),
            _column(batch.source_times, _near),
            _column(batch.statuses),
            batch.values.tobytes(),
        )
    )


def unpacked(kept: bytes) -> bytes:
    """The inverse; raises ValueError on what `packed` has not made."""
    if kept[:1] == _WHOLE:
        return kept[1:]
    if kept[:1] != _BY_COLUMN:
        raise ValueError("packed batch: neither whole nor by column")
    try:
        return _from_columns(kept)
    except (struct.error, IndexError, OverflowError, ValueError) as cause:
        raise ValueError(f"packed batch: {cause}") from None


def _from_columns(kept: bytes) -> bytes:
    late, rows, size = _HEADER.unpack_from(kept, 1)
    at = 1 + _HEADER.size + size
    source = kept[at - size : at].decode()
    tags, at = _read(kept, at, rows, "<i4")
    times, at = _read(kept, at, rows, "<i8")
    statuses, at = _read(kept, at, rows, "<u4")
    if len(kept) != at + 8 * rows:
        raise ValueError("packed batch: wrong length")
    values = np.frombuffer(kept, "<f8", rows, at)
    return SampleBatch(tags, times, values, statuses, source, late).to_bytes()


# ------------------------------------------------------------------ columns
def _column(column: Column, otherwise: Callable[[Column], bytes | None] | None = None) -> bytes:
    """One letter that says how, then as much as that needs; whichever is smaller."""
    wide = column.astype(np.int64, copy=False)
    ends = np.append(np.flatnonzero(wide[1:] != wide[:-1]) + 1, len(wide)) if len(wide) else np.zeros(0, int)
    if len(ends) * _RUN.itemsize * 4 <= column.nbytes or not len(wide):
        return bytes((_RUNS,)) + _runs(wide[ends - 1] if len(ends) else wide, np.diff(ends, prepend=0))
    tried = otherwise(wide) if otherwise else None
    return tried if tried is not None else bytes((_PLAIN,)) + column.tobytes()


def _runs(values: Column, lengths: Column) -> bytes:
    table = np.empty(len(values), _RUN)
    table["value"], table["rows"] = values, lengths
    return struct.pack("<I", len(table)) + table.tobytes()


def _counting(column: Column) -> bytes | None:
    """As each run's first number: 7, 8, 9, 40, 41 are three from 7 and two from 40."""
    starts = np.flatnonzero(np.diff(column, prepend=column[0] - 2) != 1)
    if len(starts) * _RUN.itemsize * 2 > column.nbytes // 2:
        return None
    return bytes((_COUNTING,)) + _runs(column[starts], np.diff(starts, append=len(column)))


def _near(column: Column) -> bytes | None:
    """As distances from the least, where they fit into four bytes (an hour of microseconds)."""
    least = int(column.min())
    if int(column.max()) - least >= 1 << 32:
        return None
    return bytes((_NEAR,)) + struct.pack("<q", least) + (column - least).astype("<u4").tobytes()


def _read(kept: bytes, at: int, rows: int, kind: str) -> tuple[Column, int]:
    """(the column, where what follows it begins)."""
    how, at = kept[at], at + 1
    dtype = np.dtype(kind)
    if how == _PLAIN:
        return np.frombuffer(kept, dtype, rows, at), at + rows * dtype.itemsize
    if how == _NEAR:
        (least,) = struct.unpack_from("<q", kept, at)
        near = np.frombuffer(kept, "<u4", rows, at + 8)
        return (near.astype(np.int64) + least).astype(dtype), at + 8 + 4 * rows
    if how not in (_RUNS, _COUNTING):
        raise ValueError("packed batch: a column in no way known")
    (n,) = struct.unpack_from("<I", kept, at)
    table = np.frombuffer(kept, _RUN, n, at + 4)
    if int(table["rows"].sum()) != rows:
        raise ValueError("packed batch: runs that do not make up the rows")
    column = np.repeat(table["value"], table["rows"])
    if how == _COUNTING:
        first = np.cumsum(table["rows"]) - table["rows"]
        column = column + np.arange(rows) - np.repeat(first, table["rows"]).astype(np.int64)
    return column.astype(dtype), at + 4 + n * _RUN.itemsize
