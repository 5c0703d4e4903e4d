"""A link by which one customer's order is looked at without a login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OrderLink:
    """`sales_order` is "" for a production order that has none: then the link shows `work_order` alone."""

    sales_order: str
    work_order: str  # the one it was made from
    made_by: str  # person id: the link shows what they may see, and no longer than they may
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str = ""
    seen_at: datetime | None = None
    id: int = 0

    def live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at
