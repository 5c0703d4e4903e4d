"""What a production order remembers of our bookings (pure).

Oracle's transactions carry no key of ours and cannot be read back. So the order itself says, in one of its
texts, which of them it has: `[AH 3F7KQ2MZ5XWA !B2DN7YH4KCTE@1767585600:c20=48+3,s20=2+1]`. A bare word is
the digest of a key that is booked. `!` is the one that was begun last: when, and of each counter what it
stood at and what is added. From the counter one sees later whether it was done. `?` is one of which that
could not be seen, because somebody else has moved the counter too: a person has to look. Small letters
behind a digest are the instant that the booking itself names; without any it is that of the word before.

The text is short: the oldest words make room, and `AHOLD` keeps the newest instant of those. What names a
later one was never among them; of anything else that is not in the mark nobody can say that it is not booked.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum

from hub.errors import ErpRefused

_MARK = re.compile(r"\s*\[AH ([^\]]*)\]")
_WORD = re.compile(r"^([?]?)([A-Z2-7]{12})([a-z2-7]{6})?$")
_BEGUN = re.compile(r"^!([A-Z2-7]{12})([a-z2-7]{6})?@(\d+):(\S*)$")
OLD = "AHOLD"
_OLD = re.compile(rf"^{OLD}([a-z2-7]{{6}})$")
_STEP = re.compile(r"^([a-z][a-z0-9.]*)=(-?[\d.]+|\?)\+([\d.]+)$")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)  # six letters last until 2054
_NEAR = Decimal("0.00001")  # the ERP adds in its own precision


class Verdict(Enum):
    DONE = "done"
    UNDONE = "undone"
    PART = "part"  # some rows are booked, the others are not
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Move:
    """`counter`: c, s of an operation; w of the order; m, r of a material or resource of an operation."""

    counter: str
    base: Decimal | None  # None: it cannot be read
    amount: Decimal

    def verdict(self, now: Decimal | None) -> Verdict:
        if now is None or self.base is None:
            return Verdict.UNCLEAR
        moved = now - self.base
        if abs(moved - self.amount) < _NEAR:
            return Verdict.DONE
        return Verdict.UNDONE if abs(moved) < _NEAR else Verdict.UNCLEAR


@dataclass(frozen=True, slots=True)
class Begun:
    digest: str
    at: datetime
    moves: tuple[Move, ...]
    of: str = ""  # the instant that the booking names, in letters

    def verdict(self, now: Mapping[str, Decimal | None]) -> Verdict:
        """Rows go out together: one whose counter cannot be read has shared the others' fate."""
        told = [m for m in self.moves if m.base is not None and now.get(m.counter) is not None]
        said = {move.verdict(now.get(move.counter)) for move in told or self.moves}
        if len(said) == 1:
            return said.pop()
        return Verdict.UNCLEAR if Verdict.UNCLEAR in said else Verdict.PART


@dataclass(frozen=True, slots=True)
class Mark:
    """`done` and `unclear`: digests, newest last. `times`: the instants that they name. `old`: the newest one
    of those that were dropped."""

    done: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    begun: Begun | None = None
    times: Mapping[str, str] = field(default_factory=dict)
    old: str = ""

    def with_done(self, digest: str) -> Mark:
        done = (*(d for d in self.done if d != digest), digest)
        return replace(self, done=done, begun=None, times=self._timed(digest))

    def with_unclear(self, digest: str) -> Mark:
        unclear = (*(d for d in self.unclear if d != digest), digest)
        return replace(self, unclear=unclear, begun=None, times=self._timed(digest))

    def _timed(self, digest: str) -> Mapping[str, str]:
        ours = self.begun is not None and self.begun.digest == digest and self.begun.of
        return {**self.times, digest: ours} if ours else self.times

    def may_have_dropped(self, at: datetime | None) -> bool:
        """Whether a booking that names this instant, and is not in here, may have been."""
        return bool(self.old) and (at is None or _order(stamp(at)) <= _order(self.old))

    def knows(self) -> bool:
        return bool(self.done or self.unclear or self.begun or self.old)


def digest(name: str, key: str) -> str:
    """Twelve letters that follow from the key: 60 bits."""
    return base64.b32encode(hashlib.sha256(f"{name}:{key}".encode()).digest())[:12].decode()


def stamp(at: datetime | None) -> str:
    """Six letters for its second, the next one when it is not a whole one."""
    if at is None:
        return ""
    left, letters = max(0, -((_EPOCH - at) // timedelta(seconds=1))), ""
    for _ in range(6):
        left, digit = divmod(left, 32)
        letters = _LETTERS[digit] + letters
    return letters


def _order(letters: str) -> tuple[int, ...]:
    return tuple(_LETTERS.index(letter) for letter in letters)


def read(text: str) -> tuple[str, Mark]:
    """(the text that people wrote, the mark); what cannot be read of it is as if it were not there."""
    found = _MARK.search(text)
    if found is None:
        return text, Mark()
    done: list[str] = []
    unclear: list[str] = []
    begun: Begun | None = None
    times: dict[str, str] = {}
    old = last = ""
    for word in found[1].split():
        if known := _WORD.match(word):
            (unclear if known[1] else done).append(known[2])
            last = known[3] or last
            if last:
                times[known[2]] = last
        elif known := _BEGUN.match(word):
            at = datetime.fromtimestamp(int(known[3]), UTC)
            begun = Begun(known[1], at, _moves(known[4]), known[2] or "")
        elif known := _OLD.match(word):
            old = known[1]
    plain = text[: found.start()] + text[found.end() :]
    return plain, Mark(tuple(done), tuple(unclear), begun, times, old)


def written(plain: str, mark: Mark, most: int) -> str:
    """As many as fit, the newest, and of when the others are; what people wrote is not touched. Raises
    ErpRefused when nothing fits."""
    begun = f"!{_begun(mark.begun)}" if mark.begun else ""
    head = f"{plain} " if plain else ""
    while True:
        old = f"{OLD}{mark.old}" if mark.old else ""
        text = f"{head}[AH {' '.join(filter(None, [old, *_words(mark), begun]))}]"
        if len(text) <= most:
            return text
        if not mark.done and not mark.unclear:
            raise ErpRefused(
                f"the order's text leaves no room for our mark ({len(text)} of {most} characters):"
                " shorten it in Oracle, or give the mark a flexfield (mark.child)"
            )
        mark = _without_oldest(mark)


def _words(mark: Mark) -> list[str]:
    words, last = [], ""
    for sign, known_as in [*(("?", d) for d in mark.unclear), *(("", d) for d in mark.done)]:
        at = mark.times.get(known_as, "")
        words.append(f"{sign}{known_as}{at if at != last else ''}")
        last = at or last
    return words


def _without_oldest(mark: Mark) -> Mark:
    """One that names no instant is as old as what is booked now at most."""
    gone, *done = mark.done or mark.unclear
    at = mark.times.get(gone) or (stamp(mark.begun.at) if mark.begun else _LETTERS[-1] * 6)
    old = max(mark.old, at, key=_order)
    return (
        replace(mark, done=tuple(done), old=old) if mark.done else replace(mark, unclear=tuple(done), old=old)
    )


def _begun(begun: Begun) -> str:
    moves = ",".join(f"{m.counter}={_number(m.base)}+{_number(m.amount)}" for m in begun.moves)
    return f"{begun.digest}{begun.of}@{int(begun.at.timestamp())}:{moves}"


def _moves(text: str) -> tuple[Move, ...]:
    found = [_STEP.match(part) for part in text.split(",")]
    return tuple(
        Move(f[1], None if f[2] == "?" else Decimal(f[2]), Decimal(f[3])) for f in found if f is not None
    )


def _number(value: Decimal | None) -> str:
    if value is None:
        return "?"
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
