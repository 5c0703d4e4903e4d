"""What a production order remembers of our bookings (pure).

Oracle's transactions carry no key of ours and cannot be read back. So the order itself says, in one of its
texts, which of them it has: `[AH 3F7KQ2MZ5XWA !B2DN7YH4KCTE@1767585600:c20=48+3,s20=2+1]`. A bare word is
the digest of a key that is booked. `!` is the one that was begun last: when, and of each counter what it
stood at and what is added. From the counter one sees later whether it was done. `?` is one of which that
could not be seen, because somebody else has moved the counter too: a person has to look.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum

from hub.errors import ErpRefused

_MARK = re.compile(r"\s*\[AH ([^\]]*)\]")
_WORD = re.compile(r"^([?]?)([A-Z2-7]{12})$")
_BEGUN = re.compile(r"^!([A-Z2-7]{12})@(\d+):(\S*)$")
_STEP = re.compile(r"^([a-z][a-z0-9.]*)=(-?[\d.]+|\?)\+([\d.]+)$")
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

    def verdict(self, now: Mapping[str, Decimal | None]) -> Verdict:
        """Rows go out together: one whose counter cannot be read has shared the others' fate."""
        told = [m for m in self.moves if m.base is not None and now.get(m.counter) is not None]
        said = {move.verdict(now.get(move.counter)) for move in told or self.moves}
        if len(said) == 1:
            return said.pop()
        return Verdict.UNCLEAR if Verdict.UNCLEAR in said else Verdict.PART


@dataclass(frozen=True, slots=True)
class Mark:
    """`done` and `unclear`: digests, newest last."""

    done: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    begun: Begun | None = None

    def with_done(self, digest: str) -> Mark:
        return replace(self, done=(*(d for d in self.done if d != digest), digest), begun=None)

    def with_unclear(self, digest: str) -> Mark:
        return replace(self, unclear=(*(d for d in self.unclear if d != digest), digest), begun=None)


def digest(name: str, key: str) -> str:
    """Twelve letters that follow from the key: 60 bits."""
    return base64.b32encode(hashlib.sha256(f"{name}:{key}".encode()).digest())[:12].decode()


def read(text: str) -> tuple[str, Mark]:
    """(the text that people wrote, the mark); what cannot be read of it is as if it were not there."""
    found = _MARK.search(text)
    if found is None:
        return text, Mark()
    done: list[str] = []
    unclear: list[str] = []
    begun: Begun | None = None
    for word in found[1].split():
        if known := _WORD.match(word):
            (unclear if known[1] else done).append(known[2])
        elif known := _BEGUN.match(word):
            begun = Begun(known[1], datetime.fromtimestamp(int(known[2]), UTC), _moves(known[3]))
    plain = text[: found.start()] + text[found.end() :]
    return plain, Mark(tuple(done), tuple(unclear), begun)


def written(plain: str, mark: Mark, most: int) -> str:
    """As many as fit, the newest; what people wrote is not touched. Raises ErpRefused when nothing fits."""
    begun = f"!{_begun(mark.begun)}" if mark.begun else ""
    words = [*(f"?{d}" for d in mark.unclear), *mark.done]
    head = f"{plain} " if plain else ""
    while True:
        text = f"{head}[AH {' '.join(filter(None, [*words, begun]))}]"
        if len(text) <= most:
            return text
        if not words:
            raise ErpRefused(
                f"the order's text leaves no room for our mark ({len(text)} of {most} characters):"
                " shorten it in Oracle, or give the mark a flexfield (mark.child)"
            )
        del words[len(mark.unclear) if len(words) > len(mark.unclear) else 0]


def _begun(begun: Begun) -> str:
    moves = ",".join(f"{m.counter}={_number(m.base)}+{_number(m.amount)}" for m in begun.moves)
    return f"{begun.digest}@{int(begun.at.timestamp())}:{moves}"


def _moves(text: str) -> tuple[Move, ...]:
    found = [_STEP.match(part) for part in text.split(",")]
    return tuple(
        Move(f[1], None if f[2] == "?" else Decimal(f[2]), Decimal(f[3])) for f in found if f is not None
    )


def _number(value: Decimal | None) -> str:
    if value is None:
        return "?"
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
