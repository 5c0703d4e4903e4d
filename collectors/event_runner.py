"""Where a source of typed events lives: its records through the intake, its state told to everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collectors.intake import Intake
from collectors.mes_house import House
from collectors.mes_unknown import Unknown
from collectors.runner import OnState, Shout, source_state
from hub.errors import Permanent, Transient
from hub.ports import Clock, EventSource, Ledger


class EventRunner:
    """One connection's life; the supervisor calls `run` again with growing pauses."""

    def __init__(
        self,
        name: str,
        make: Callable[[], EventSource],
        ledger: Ledger,
        clock: Clock,
        shout: Shout,
        on_state: OnState | None = None,
        unknown: Unknown | None = None,
        house: House | None = None,
    ) -> None:
        self.name = name
        self._make, self._ledger, self._clock, self._shout = make, ledger, clock, shout
        self._on_state = on_state or source_state(shout, clock, name)
        self._unknown, self._house = unknown or Unknown(), house
        self._told: tuple[bool, str] | None = None
        self._source: Any = None

    async def run(self) -> None:
        """Raises what the source raises."""
        self._source = source = self._make()
        intake = Intake(
            self.name, source, self._ledger, self._clock, self._shout, self._tell, self._unknown, self._house
        )
        try:
            await source.feed(intake)
        except (Transient, Permanent) as cause:
            await self._tell(False, str(cause))
            raise

    def health(self) -> dict[str, Any]:
        own = self._source.health() if hasattr(self._source, "health") else {}
        return {**self._unknown.health(), **own}

    async def _tell(self, up: bool, error: str) -> None:
        if (up, error) != self._told:
            self._told = (up, error)
            await self._on_state(up, error)
