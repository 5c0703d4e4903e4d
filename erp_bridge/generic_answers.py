"""What an answer over HTTP means, after the mapping's own words for it (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError

from erp_bridge.fieldmap import Functions
from erp_bridge.generic_config import AnswersBlock
from hub.errors import ErpRefused

_LONGEST = 400
_USUAL = (
    "message",
    "msg",
    "error.message",
    "error_description",
    "error",
    "errmsg",
    "errors[0].message",
    "errors[0]",
    "detail",
    "title",
    "reason",
)  # where most systems put their words


class NotThere(ErpRefused):
    """Nothing is there under this address or key."""


class Duplicate(ErpRefused):
    """A unique key stands against it: somebody, perhaps we, has made it already."""


class Outcome(Enum):
    DONE = "done"
    EXPIRED = "expired"  # the session or token; nothing was done
    LIMITED = "limited"  # nothing was done
    BUSY = "busy"  # nothing was done
    MISSING = "missing"
    DUPLICATE = "duplicate"
    AWAY = "away"  # may have been done
    PAGE = "page"  # for people: a portal's, a firewall's, one that says "maintenance"; may have been done
    GARBLED = "garbled"  # may have been done
    ELSEWHERE = "elsewhere"  # a redirect, which we never follow
    FORBIDDEN = "forbidden"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer as it came in; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    body: Any = None
    said: str = ""
    pause: timedelta | None = None


class Judge:
    """One mapping's words, compiled once. Raises nothing: what cannot be judged is garbled."""

    def __init__(self, block: AnswersBlock, zone: ZoneInfo) -> None:
        self._block = block
        self._options = jmespath.Options(custom_functions=Functions({}, zone))

    def verdict(self, answer: Answer, now: datetime, *, body_matters: bool = True) -> Verdict:
        read, body = _read(answer.content)
        said = self._words(body) if read else _first_words(answer.content)
        outcome = self._by_status(answer.status, said)
        if not read and outcome not in (Outcome.EXPIRED, Outcome.LIMITED) and self._is_page(answer):
            return Verdict(Outcome.PAGE, None, said, _pause(answer, now))
        if outcome in (Outcome.DONE, Outcome.REFUSED, Outcome.BUSY, Outcome.FORBIDDEN) and read:
            outcome = self._by_body(body, answer.status, outcome, said)
        if outcome is Outcome.DONE and body_matters and not read:
            outcome = Outcome.GARBLED
        return Verdict(outcome, body, said, _pause(answer, now))

    def _is_page(self, answer: Answer) -> bool:
        """Not what this ERP says, whatever its status is; but where the site has said which statuses mean
        that a record is not there, a page may say so too."""
        said = self._block.missing_statuses if "missing_statuses" in self._block.model_fields_set else []
        if answer.status in said:
            return False
        if answer.content.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
            return True
        return answer.status >= 300 and "html" in answer.headers.get("content-type", "").lower()

    def _by_status(self, status: int, said: str) -> Outcome:
        block = self._block
        if 200 <= status < 300:
            return Outcome.DONE
        if status == 401:
            return Outcome.EXPIRED
        if status == 429:
            return Outcome.LIMITED
        if status in block.missing_statuses:
            return Outcome.MISSING
        if status in block.duplicate_statuses:
            return Outcome.DUPLICATE
        if status in block.busy_statuses:
            return Outcome.BUSY
        if status == 408 or status >= 500:
            return Outcome.AWAY
        if 300 <= status < 400:
            return Outcome.ELSEWHERE
        if self._is_busy(said):
            return Outcome.BUSY
        return Outcome.FORBIDDEN if status == 403 else Outcome.REFUSED

    def _by_body(self, body: Any, status: int, outcome: Outcome, said: str) -> Outcome:
        block = self._block
        for text, meant in (
            (block.expired, Outcome.EXPIRED), (block.limited, Outcome.LIMITED), (block.busy, Outcome.BUSY),
            (block.missing, Outcome.MISSING),
            (block.duplicate, Outcome.DUPLICATE),
        ):  # fmt: skip
            if text and self._holds(text, body):
                return meant
        if outcome is not Outcome.DONE or not block.success:
            return outcome
        if body is None:
            return outcome if status == 204 else Outcome.GARBLED  # it always says how it went, and did not
        held = self._value(block.success, body)
        if held is _FAILED:
            return Outcome.GARBLED
        if held:
            return Outcome.DONE
        if not said and not (isinstance(body, Mapping) and body):
            return Outcome.GARBLED  # it says nothing at all, not even no
        return Outcome.BUSY if self._is_busy(said) else Outcome.REFUSED

    def _is_busy(self, said: str) -> bool:
        return any(word.lower() in said.lower() for word in self._block.busy_words)

    def _words(self, body: Any) -> str:
        for text in [self._block.said] if self._block.said else _USUAL:
            value = self._value(text, body)
            if isinstance(value, str) and value:
                return _short(value)
            if value is not _FAILED and value not in (None, "", [], {}, True, False) and self._block.said:
                return _short(json.dumps(value, ensure_ascii=False))
        return ""

    def _holds(self, text: str, body: Any) -> bool:
        value = self._value(text, body)
        return value is not _FAILED and bool(value)

    def _value(self, text: str, body: Any) -> Any:
        try:
            return jmespath.compile(text).search(body, options=self._options)
        except (JMESPathError, ValueError, ArithmeticError, TypeError):
            return _FAILED


_FAILED: Any = object()


def _read(content: bytes) -> tuple[bool, Any]:
    if not content.strip():
        return True, None  # 201 and 204 need not say anything
    try:
        return True, json.loads(content)
    except (ValueError, RecursionError):
        return False, None


def _first_words(content: bytes) -> str:
    return _short(content[:200].decode(errors="replace"))


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


def _pause(answer: Answer, now: datetime) -> timedelta | None:
    """Retry-After: seconds or an HTTP date."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdigit():
        return timedelta(seconds=min(int(value), 86400))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(at.replace(tzinfo=at.tzinfo or UTC) - now, timedelta(0))
