"""A record of the ERP that cannot be read, as it stands on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Omission:
    """`document`: the map's name as documents.<name> has it; `record`: as a clerk finds it in the ERP."""

    id: int
    document: str
    record: str
    reason: str
    since: datetime
    told_at: datetime | None = None
