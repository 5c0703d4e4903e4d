"""What a person is told, before any carrier has put it into its own form."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.model.alarm import Priority
from hub.model.words import Language


@dataclass(frozen=True, slots=True)
class Message:
    """`headline` stands alone in a lock-screen preview; `lines` are (label, text) pairs below it."""

    key: str  # idempotency key; carriers that know one derive theirs from it
    headline: str
    lines: tuple[tuple[str, str], ...]
    priority: Priority
    recovered: bool = False
    repeat: bool = False  # may have been delivered before: say so
    link: str = ""
    link_text: str = ""
    mentions: tuple[str, ...] = ()  # carrier-neutral: person ids
    mention_phones: tuple[str, ...] = ()
    language: Language = "zh"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The carrier took it. `carrier_id` is its own number where it gives one."""

    carrier_id: str = ""
    detail: dict[str, str] = field(default_factory=dict)
