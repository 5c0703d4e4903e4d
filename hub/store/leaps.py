"""A clock that is ahead would let go of everything that is kept. So after a leap of it nothing is let go for
a day of running: a wrong clock is set right by then, and after a long absence a day more does no harm.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from hub.store.pool import Connection

LEAP = timedelta(hours=6)  # between two rounds of the upkeep lies a minute
WAIT = timedelta(days=1)  # of running


class Leaps:
    """`since`: when the clock was last believed, and nothing is let go since; None as long as all is well."""

    def __init__(self) -> None:
        self.since: datetime | None = None
        self._looked = 0.0  # by a clock that nobody sets

    async def look(self, connection: Connection, now: datetime, elapsed: float) -> bool:
        """Whether this clock is believed. What it was before a leap is on record, through restarts, too, and
        for how long it has run since: a house that is switched off every night lets go in the end."""
        marks = {row["name"]: row["value"] async for row in await connection.execute(SEEN)}
        seen = datetime.fromisoformat(marks["upkeep:clock"]) if "upkeep:clock" in marks else now
        ran = 0.0
        if now - seen <= LEAP:  # as ever, or it has come back
            self.since = None
        else:
            if self.since is None:
                self.since, self._looked = seen.astimezone(UTC), elapsed
                told = {"from": self.since.isoformat(), "to": now.isoformat()}
                await connection.execute(TELL, [Jsonb(told)])
            ran = float(marks.get("upkeep:doubted", 0)) + elapsed - self._looked
            self._looked = elapsed
            if ran >= WAIT.total_seconds():
                self.since, ran = None, 0.0
        if self.since is None:
            await connection.execute(SAW, ["upkeep:clock", now.isoformat()])
        if ran or float(marks.get("upkeep:doubted", 0)):
            await connection.execute(SAW, ["upkeep:doubted", str(ran)])
        return self.since is None


SEEN = "select name, value from marks where name in ('upkeep:clock', 'upkeep:doubted')"
TELL = """
insert into audit (at, who, what, about, detail) values (now(), 'upkeep', 'clock-doubted', '', %s)
"""
SAW = """
insert into marks (name, value) values (%s, %s)
on conflict (name) do update set value = excluded.value
"""
