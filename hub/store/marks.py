"""Which hours and minutes rows belong to, as the statements that store them want to know it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from hub.model.batch import SampleBatch, from_micros
from hub.store.copying import storable
from hub.store.minutes import MINUTE

_HOUR = 3_600_000_000


def marks(rows: SampleBatch) -> dict[str, list[datetime]]:
    """First and last source time in each hour: what must be rolled again if that was rolled already."""
    if not len(rows):
        return {"first": [], "last": []}
    low, high = int(rows.source_times.min()), int(rows.source_times.max())
    if low // _HOUR == high // _HOUR:  # nearly always
        return {"first": [from_micros(low)], "last": [from_micros(high)]}
    times = np.sort(rows.source_times)
    starts = np.flatnonzero(np.diff(times // _HOUR, prepend=-1))
    ends = np.append(starts[1:], len(times)) - 1
    return {
        "first": [from_micros(us) for us in times[starts]],
        "last": [from_micros(us) for us in times[ends]],
    }


def per_minute(rows: SampleBatch) -> dict[str, Any]:
    """How many rows each minute gets."""
    minutes, counts = np.unique(rows.source_times // MINUTE, return_counts=True)
    return {"minutes": [from_micros(m * MINUTE) for m in minutes.tolist()], "counts": counts.tolist()}


def per_hour(late: SampleBatch) -> dict[str, Any]:
    """What came late, by the hour it is about."""
    hours, counts = np.unique(late.source_times[storable(late)] // _HOUR, return_counts=True)
    return {"hours": [from_micros(h * _HOUR) for h in hours], "rows": counts.tolist()}
