"""Samples as the bytes of PostgreSQL's binary COPY, and back: no Python object per sample.

The format is in PostgreSQL's manual under COPY, "Binary Format": a header, then for each row its number of
fields and for each field its length and its bytes, all big-endian. Our four columns are never null, so all
rows have one width and are a structured array.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # signature, no flags, no header extension
TRAILER = b"\xff\xff"
EPOCH_SHIFT = 946_684_800_000_000  # PostgreSQL counts microseconds from 2000
LATEST = 4_102_444_800_000_000  # 2100: a source time beyond it, or before 1970, is a broken clock


def blank_row(**kinds: str) -> NDArray[np.void]:
    """One row of a table with these columns, never null: its constant parts are there, the rest is zero."""
    fields = [("fields", ">i2")]
    for name, kind in kinds.items():
        fields += [(f"{name}_length", ">i4"), (name, kind)]
    row: NDArray[np.void] = np.zeros(1, np.dtype(fields))
    row["fields"] = len(kinds)
    for name, kind in kinds.items():
        row[f"{name}_length"] = np.dtype(kind).itemsize
    return row


_BLANK = blank_row(ts=">i8", tag=">i4", value=">f8", status=">i8")
ROW = _BLANK.dtype


def storable(batch: SampleBatch) -> NDArray[np.bool_]:
    """Rows whose source time can be meant."""
    return (batch.source_times >= 0) & (batch.source_times < LATEST)


def to_copy(batch: SampleBatch) -> bytes:
    """The whole payload of `copy samples (ts, tag, value, status) from stdin (format binary)`."""
    rows = np.repeat(_BLANK, len(batch))
    rows["ts"] = batch.source_times - EPOCH_SHIFT
    rows["tag"] = batch.tags
    rows["value"] = batch.values
    rows["status"] = batch.statuses
    return b"".join((HEADER, rows.tobytes(), TRAILER))


def from_copy(payload: bytes) -> SampleBatch:
    """The inverse. Raises ValueError on anything else."""
    body = len(payload) - len(HEADER) - len(TRAILER)
    if body < 0 or body % ROW.itemsize or not payload.startswith(HEADER) or not payload.endswith(TRAILER):
        raise ValueError("not the samples of a binary COPY")
    rows = np.frombuffer(payload, ROW, body // ROW.itemsize, len(HEADER))
    return SampleBatch(
        rows["tag"].astype(np.int32),
        rows["ts"].astype(np.int64) + EPOCH_SHIFT,
        rows["value"].astype(np.float64),
        rows["status"].astype(np.uint32),
    )
