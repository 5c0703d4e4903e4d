"""What could go wrong on this machine with this configuration, before it does.

Everything is tried as the hub would use it and nothing is changed: no row is written, no message is sent, no
register and no node is written to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from hub.clock import SystemClock
from hub.doctor.finding import Finding
from hub.doctor.machine import examine_machine, ours_runs_here
from hub.doctor.outside import examine_outside
from hub.doctor.record import examine_bus, examine_database
from hub.settings import Settings

__all__ = ["Finding", "examine"]


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """One finding after the other."""
    clock = SystemClock()
    running = await ours_runs_here(settings)
    for finding in examine_machine(settings, running):
        yield finding
    async for finding in examine_database(settings, clock, running):
        yield finding
    async for finding in examine_bus(settings, clock):
        yield finding
    async for finding in examine_outside(settings, clock):
        yield finding
