"""What `q` says, in the query language of the framework version (pure).

Version 1 is query by example: `A=x;B>y`, `*` for any text. From 2 on it is an expression: `A='x' and B > 5`.
Neither reads the other. Wildcards make both find too much at times: who asks compares again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

AT_ONCE = 20  # values in one list: URLs have an end
_SIMPLE = re.compile(r"^[\w./-]+$")


@dataclass(frozen=True, slots=True)
class Dialect:
    framework: int

    @property
    def by_example(self) -> bool:
        return self.framework == 1

    def equal(self, attribute: str, value: str | int) -> str:
        return f"{attribute}={self._literal(value)}"

    def after(self, attribute: str, at: datetime) -> str:
        return f'{attribute} > "{at.astimezone(UTC).isoformat(timespec="seconds")}"'

    def holding(self, attribute: str, text: str) -> str:
        """`text` is letters and digits."""
        return f"{attribute}=*{text}*" if self.by_example else f"{attribute} like '%{text}%'"

    def any_of(self, attribute: str, values: Sequence[str | int]) -> list[str]:
        """Conditions that cover all values between them: one question each."""
        if self.by_example:
            return [self.equal(attribute, value) for value in values]
        parts = [values[at : at + AT_ONCE] for at in range(0, len(values), AT_ONCE)]
        return [f"{attribute} in ({','.join(map(self._literal, part))})" for part in parts]

    def both(self, conditions: Iterable[str]) -> str:
        return (";" if self.by_example else " and ").join(filter(None, conditions))

    def enclosed(self, condition: str) -> str:
        """One that a site has written, so that an `or` in it stays among itself."""
        return f"({condition})" if not self.by_example and " or " in condition.lower() else condition

    def _literal(self, value: str | int) -> str:
        if isinstance(value, int):
            return str(value)
        if not self.by_example:
            return "'" + value.replace("'", "''") + "'"
        return value if _SIMPLE.match(value) else '"' + value.replace('"', "") + '"'
