"""A phrase in the two languages of the product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Words:
    """Chinese first, English second; a missing translation falls back to the other one."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        return (self.zh or self.en) if language == "zh" else (self.en or self.zh)

    def as_dict(self) -> dict[str, str]:
        return {"zh": self.zh or self.en, "en": self.en or self.zh}
