"""Many samples as four columns: what the hot path moves."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from hub.model.recent import Recent
from hub.model.sample import BAD, BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, Sample, StatusCode

_HEADER = struct.Struct("<4sII")  # magic, rows, bytes of the source name
_MAGIC = b"AHB1"
_LATE_MAGIC = b"AHBH"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROW_BYTES = 4 + 8 + 8 + 4
# No machine's number is beyond this one; some devices say the greatest double when they know none. One of
# those would take the mean of its whole day, and PostgreSQL refuses to add up two.
LARGEST = 1e140


def micros(at: datetime) -> int:
    """Microseconds since 1970, UTC, exactly (no float on the way)."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(us))


@dataclass(frozen=True, slots=True, eq=False)
class SampleBatch:
    """Row `i` of every column is one sample; a batch of ten thousand costs four arrays."""

    tags: NDArray[np.int32]  # numbers given out by the tag table
    source_times: NDArray[np.int64]  # microseconds since 1970, UTC
    values: NDArray[np.float64]  # engineering units; NaN where there is none
    statuses: NDArray[np.uint32]  # OPC UA status codes
    source: str = ""  # name of the collector
    historical: bool = False  # told long after it was so: facts of the past, not of now
    recent: Recent | None = None  # by which its source will know a repeat; not among its bytes

    def __len__(self) -> int:
        return len(self.tags)

    @classmethod
    def at(
        cls,
        tags: NDArray[np.int32] | Sequence[int],
        source_time: datetime,
        values: NDArray[np.float64] | Sequence[float],
        source: str = "",
        status: int = 0,
    ) -> SampleBatch:
        """All rows share one source time and one status: what a poll of a device gives."""
        n = len(tags)
        return cls(
            np.asarray(tags, np.int32),
            np.full(n, micros(source_time), np.int64),
            np.asarray(values, np.float64),
            np.full(n, status, np.uint32),
            source,
        )

    @classmethod
    def lost(cls, tags: Sequence[int], source_time: datetime, source: str = "") -> SampleBatch:
        """The source cannot be heard any more: no value, BadNoCommunication."""
        return cls.at(tags, source_time, np.full(len(tags), np.nan), source, BAD_NO_COMMUNICATION)

    def sample(self, row: int) -> Sample:
        value = float(self.values[row])
        return Sample(
            from_micros(int(self.source_times[row])),
            None if math.isnan(value) else value,
            StatusCode(int(self.statuses[row])),
        )

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> SampleBatch:
        return SampleBatch(
            self.tags[rows], self.source_times[rows], self.values[rows], self.statuses[rows],
            self.source, self.historical, self.recent,
        )  # fmt: skip

    def to_bytes(self) -> bytes:
        """Header, source name, then the four columns, little-endian."""
        name = self.source.encode()
        return b"".join(
            (
                _HEADER.pack(_LATE_MAGIC if self.historical else _MAGIC, len(self), len(name)),
                name,
                self.tags.astype("<i4", copy=False).tobytes(),
                self.source_times.astype("<i8", copy=False).tobytes(),
                self.values.astype("<f8", copy=False).tobytes(),
                self.statuses.astype("<u4", copy=False).tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> SampleBatch:
        """The inverse; raises ValueError on anything that is not exactly one batch."""
        if len(data) < _HEADER.size:
            raise ValueError("sample batch: too short for a header")
        magic, n, name_bytes = _HEADER.unpack_from(data)
        at = _HEADER.size + name_bytes
        if magic not in (_MAGIC, _LATE_MAGIC) or len(data) != at + n * ROW_BYTES:
            raise ValueError("sample batch: wrong magic or length")
        try:
            source = data[_HEADER.size : at].decode()
        except UnicodeDecodeError:
            raise ValueError("sample batch: a source's name that is no text") from None
        return cls(
            np.frombuffer(data, "<i4", n, at),
            np.frombuffer(data, "<i8", n, at + 4 * n),
            np.frombuffer(data, "<f8", n, at + 12 * n),
            np.frombuffer(data, "<u4", n, at + 20 * n),
            source,
            magic == _LATE_MAGIC,
        )


def as_historical(body: bytes) -> bytes:
    """The same batch's bytes, marked as told late."""
    return _LATE_MAGIC + body[4:] if body.startswith(_MAGIC) else body


def join(batches: Sequence[SampleBatch]) -> SampleBatch:
    """One batch of several, rows in the order given."""
    if len(batches) == 1:
        return batches[0]
    return SampleBatch(
        np.concatenate([b.tags for b in batches]),
        np.concatenate([b.source_times for b in batches]),
        np.concatenate([b.values for b in batches]),
        np.concatenate([b.statuses for b in batches]),
    )


def summable(batch: SampleBatch) -> SampleBatch:
    """With numbers beyond LARGEST, and infinite ones, as what they are: out of range, and none."""
    beyond = np.abs(batch.values) > LARGEST
    if not beyond.any():
        return batch
    statuses = np.where(beyond & (batch.statuses < BAD), np.uint32(BAD_OUT_OF_RANGE), batch.statuses)
    return replace(batch, values=np.where(beyond, np.nan, batch.values), statuses=statuses)
