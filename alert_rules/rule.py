"""What every rule has, whatever its family, and what it remembers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from alert_rules.suppressed_when import Reasons
from alert_rules.suppression import Suppressor
from hub.config import Block, Duration, Text
from hub.errors import ConfigError
from hub.model.alarm import Priority
from hub.model.sample import Tag
from hub.model.words import Words

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Limits:
    """True above (or below) `limit`; false again at `clear`, on the other side of the deadband."""

    limit: float
    clear: float
    above: bool


@dataclass(frozen=True, slots=True)
class Codes:
    """True while the value is one of `members` (or, inverted, while it is none of them)."""

    members: frozenset[int]
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """True when nothing good was heard of any of these tags for `after`."""

    tags: tuple[int, ...]
    after: timedelta


@dataclass(frozen=True, slots=True)
class Told:
    """True while whoever compares books says so; `kind` is what they call it."""

    kind: str


@dataclass(frozen=True, slots=True)
class Loss:
    """True while a device is not heard: all of these tags say so, or each is silent for `silence` longer than
    it may be (None: its silence tells nothing). `part_of`: the device that it is behind. `told`: when they
    say so it is this device, whatever it is behind."""

    device: str
    tags: tuple[int, ...]
    part_of: str = ""
    silence: timedelta | None = None
    told: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on one subject. `(name, subject)` is the alarm's identity."""

    name: str
    subject: str
    equipment: str
    condition: Limits | Codes | Silence | Told | Loss
    priority: Priority
    title: Words
    tag: Tag | None = None
    on_delay: timedelta = ZERO
    off_delay: timedelta = ZERO
    ticket: bool = False
    tell: tuple[str, ...] = ()
    instruction: Words | None = None
    version: str = ""
    latched: bool = False
    realarm_after: timedelta | None = None  # acknowledged and still holding so long: annunciated again
    suppressors: tuple[Suppressor, ...] = ()

    @property
    def comparison(self) -> str:
        return (">" if self.condition.above else "<") if isinstance(self.condition, Limits) else ""

    @property
    def limit(self) -> float | None:
        return self.condition.limit if isinstance(self.condition, Limits) else None


@dataclass(frozen=True, slots=True)
class Watch:
    """A rule's memory: whether it holds, since when the value leans the other way, whether we are blind."""

    active: bool = False
    leaning_since: datetime | None = None
    blind: bool = False


PriorityWord = Literal["low", "medium", "high", "critical"]


class RuleConfig(Block):
    """Keys that every kind of rule takes."""

    name: str
    kind: str
    priority: PriorityWord = "medium"
    title: Text | None = None
    instruction: Text | None = None
    on_delay: Duration = ZERO
    off_delay: Duration = ZERO
    ticket: bool = Field(False, description="open a maintenance ticket in the ERP")
    tell: tuple[str, ...] = Field((), description="names of notifiers; none: only the screens")
    latched: bool = Field(False, description="stays until somebody resets it, even when the value is fine")
    realarm_after: Duration | None = Field(
        None, gt=ZERO, description="annunciate again what is acknowledged and still holds after so long"
    )
    suppressed_when: Reasons = Field((), description="keep quiet while this holds")
    enabled: bool = True

    @property
    def rank(self) -> Priority:
        return Priority[self.priority.upper()]

    @property
    def advice(self) -> Words | None:
        return self.instruction.words() if self.instruction else None


def matching(pattern: str, paths: Iterable[str], where: str) -> list[str]:
    """Paths that fit `p1/+/l1/+/oil_temp`: `+` stands for one level, a final `#` for all below."""
    parts = ["[^/]+" if p == "+" else re.escape(p) for p in pattern.split("/")]
    if parts and pattern.endswith("/#"):
        parts[-1] = ".+"
    shape = re.compile("/".join(parts))
    known = list(paths)
    found = [p for p in known if shape.fullmatch(p)]
    if not found:
        raise ConfigError(f"{where}: {pattern!r} fits nothing in the plant; paths look like {known[0]!r}"
                          if known else f"{where}: {pattern!r} fits nothing, the plant is empty")  # fmt: skip
    return found
