"""How much is asked of a server at once, so that its answers stay below what we take of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from collectors.opcua_channel import MESSAGE

_AGAIN_AFTER = 8  # answers in a row that were small enough, until twice as much is asked for


@dataclass(slots=True)
class Portions:
    """Of one source, over all its connections. `message`: bytes of one answer at most.

    One answer too large halves what is asked for by one request of its kind. It grows again while answers are
    small enough, but never to what the server refused for good, or what cost the line.
    """

    message: int = MESSAGE
    _now: dict[str, int] = field(default_factory=dict)
    _ceiling: dict[str, int] = field(default_factory=dict)
    _well: dict[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> dict[str, int]:
        """What more of is never asked for again."""
        return dict(self._ceiling)

    def of(self, what: str, most: int) -> int:
        """How many to ask for; `most` as long as nothing was too large."""
        return min(self._now.get(what, most), most)

    def too_large(self, what: str, asked: int, *, for_good: bool = False) -> bool:
        """So many were too many; False when there are no fewer."""
        self._now[what], self._well[what] = max(asked // 2, 1), 0
        if for_good:
            self._ceiling[what] = self._now[what]
        return asked > 1

    def well(self, what: str, asked: int, most: int) -> None:
        """So many were answered."""
        now = self.of(what, most)
        if now >= most or asked < now:
            return
        self._well[what] = self._well.get(what, 0) + 1
        if self._well[what] >= _AGAIN_AFTER:
            self._now[what], self._well[what] = min(2 * now, most, self._ceiling.get(what, most)), 0
