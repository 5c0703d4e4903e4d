"""How the line to a source is protected, as far as its collector knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """`opened`: what makes it an open one ("none", "Basic256"), "" for a protected one. Ends of certificates
    are None while nobody has seen them."""

    opened: str = ""
    own_until: datetime | None = None
    peer_until: datetime | None = None

    def as_json(self) -> dict[str, str]:
        """Without what is not known."""
        ends = {"own_until": self.own_until, "peer_until": self.peer_until}
        told = {name: at.isoformat().replace("+00:00", "Z") for name, at in ends.items() if at is not None}
        return {"opened": self.opened, **told}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Line:
        """Raises ValueError, TypeError or KeyError for what no process of ours has said."""
        ends = (told.get("own_until"), told.get("peer_until"))
        own, peer = (datetime.fromisoformat(at) if at else None for at in ends)
        return cls(str(told["opened"]), own, peer)
