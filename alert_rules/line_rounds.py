"""What the processes say of the lines to their sources, into alarms on record."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson

from alert_rules.casebook import Casebook
from alert_rules.line_rules import LINE_OPEN, OWN_ENDS, PEER_ENDS, event
from alert_rules.rule import Rule
from hub.model.line import Line

_EVERY = timedelta(minutes=1)  # between two looks at lines that nobody says anything new of


class LineRounds:
    """Remembers what was said last; a source of which nothing was said keeps the alarms it has."""

    def __init__(self, casebook: Casebook) -> None:
        self._book = casebook
        kinds = (LINE_OPEN, OWN_ENDS, PEER_ENDS)
        self._rules = [r for r in casebook.rules.values() if r.name in kinds]
        self._lines: dict[str, Line] = {}
        self._looked: datetime | None = None

    def hear(self, word: bytes) -> bool:
        """One word of the roll-call; whether it is time to `go`."""
        try:
            said = orjson.loads(word)["sources"] if b'"line"' in word else {}  # of most plants none
            told = {n: s["line"] for n, s in said.items() if "line" in s}
            lines = {name: Line.of_json(line) for name, line in told.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return False  # of a process of another release
        new = any(self._lines.get(name) != line for name, line in lines.items())
        self._lines.update(lines)
        return new or self._looked is None or abs(self._book.clock.now() - self._looked) >= _EVERY

    async def go(self) -> None:
        self._looked = None  # until all of it is on record
        known = {(a.rule, a.subject): a for a in await self._book.ledger.open_alarms()}
        now = self._book.clock.now()
        for rule in self._rules:
            line = self._lines.get(rule.subject)
            if line and event(rule, line, known.get((rule.name, rule.subject)), now) is not None:
                await self._settle(rule, line)
        self._looked = now

    async def _settle(self, rule: Rule, line: Line) -> None:
        async with self._book.ledger.begin() as tx:
            locked = await tx.alarm_for(rule.name, rule.subject)
            then = event(rule, line, locked, self._book.clock.now())
            changed = await self._book.condition(tx, rule, then) if then is not None else None
        await self._book.told(changed)
