"""How a part of the process fares."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.model.circuit import Circuit


@dataclass(slots=True)
class PartHealth:
    """One supervised runner as the status page shows it.

    `outside`: it is up while something beyond the hub is (a machine, the MES). Its being down is told to
    people; for probes the hub is well, since starting the hub again would not mend a machine.
    """

    name: str
    up: bool = False
    outside: bool = False
    since: datetime | None = None
    restarts: int = 0
    last_error: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    circuit: Circuit | None = None  # of one that is outside
