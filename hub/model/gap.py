"""What a collector had to forget: from when to when, of whom, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SampleGap:
    """Between `first` and `last` (source times) up to `samples` samples of these tags are not on record.

    A gap that grows keeps its `id`, and its figures are always those of the whole.
    """

    id: str  # a UUID: whoever is told twice knows it again
    source: str  # the collector; "" where several or none can be named
    first: datetime
    last: datetime
    samples: int
    tags: frozenset[str]  # paths
