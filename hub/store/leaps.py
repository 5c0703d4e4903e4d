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
        self._noticed = 0.0  # by a clock that nobody sets

    async def look(self, connection: Connection, now: datetime, elapsed: float) -> bool:
        """Whether this clock is believed. What it was before a leap is on record, through a restart, too."""
        row = await (await connection.execute(SEEN)).fetchone()
        seen = datetime.fromisoformat(row["value"]) if row else now
        if now - seen <= LEAP:  # as ever, or it has come back
            self.since = None
        elif self.since is None:
            self.since, self._noticed = seen.astimezone(UTC), elapsed
            await connection.execute(TELL, [Jsonb({"from": self.since.isoformat(), "to": now.isoformat()})])
        elif elapsed - self._noticed >= WAIT.total_seconds():
            self.since = None
        if self.since is None:
            await connection.execute(SAW, [now.isoformat()])
        return self.since is None


SEEN = "select value from marks where name = 'upkeep:clock'"
TELL = """
insert into audit (at, who, what, about, detail) values (now(), 'upkeep', 'clock-doubted', '', %s)
"""
SAW = """
insert into marks (name, value) values ('upkeep:clock', %s)
on conflict (name) do update set value = excluded.value
"""
