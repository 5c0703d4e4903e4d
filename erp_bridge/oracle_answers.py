"""What Oracle says when it says no, sorted after what can be done about it.

Framework 1 gives plain text or an object with `title`; later ones `o:errorDetails`; a proxy or a log-on page
in between gives HTML. Transactions answer 201 although rows have failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from erp_bridge.bystanders import AWAY_PAUSE, CREDENTIALS_PAUSE, LONGEST_PAUSE, asked_pause, is_page
from hub.errors import ErpRefused, ErpUnavailable

LIMIT_PAUSE = timedelta(seconds=30)
PRECONDITION_FAILED = 412
_TAGS = re.compile(r"<[^>]*>")
_LONGEST = 400


class OracleRefusal(ErpRefused):
    """Oracle understood and said no."""

    def __init__(self, text: str, status: int, said: str) -> None:
        self.status = status
        self.said = said
        super().__init__(text)


class Stale(ErpUnavailable):
    """HTTP 412: somebody has changed it since we read it. Nothing was done."""


class TimedOut(ErpUnavailable):
    """Sent, and no answer in time: Oracle may still be at it."""


def complaint(
    reply: httpx.Response, what: str, now: datetime, busy_words: Sequence[str], *, write: bool
) -> Exception:
    """The error that this answer is; `what` names the call without its query."""
    said, status = told(reply), reply.status_code
    text = f"Oracle answered {what} with HTTP {status}" + (f": {said}" if said else "")
    pause = retry_after(reply, now)
    if status == PRECONDITION_FAILED:
        return Stale(f"{text}; somebody has changed it meanwhile", pause)
    if status == 429:
        return ErpUnavailable(text, pause or LIMIT_PAUSE)
    if is_page(reply):  # from whoever stands before Oracle: it says nothing of what was sent
        text += "; a page, not an answer: check url"
        return ErpUnavailable(text, pause or AWAY_PAUSE, in_doubt=write)
    if status in (409, 423) or (status < 500 and is_busy(said, busy_words)):
        return ErpUnavailable(text, pause)
    if status == 408 or status >= 500:
        return ErpUnavailable(text, pause, in_doubt=write)
    if 300 <= status < 400:
        text = f"{text}: a log-on page perhaps; check url, user and oauth"
        return ErpUnavailable(text, pause or CREDENTIALS_PAUSE)
    if status == 403:
        text += "; check the roles and the data security of user"
    if status == 404:
        text += "; check resources, and whether user may see it: what one may not see is not there"
    return OracleRefusal(text, status, said)


def told(reply: httpx.Response) -> str:
    """The message of an error answer in any of its forms; pages lose their tags."""
    try:
        body = json.loads(reply.text)
    except ValueError:
        return short(_TAGS.sub(" ", reply.text))
    return short("; ".join(_texts(body)))


def _texts(body: Any) -> list[str]:
    if isinstance(body, str):
        return [body]
    if not isinstance(body, Mapping):
        return []
    details = body.get("o:errorDetails")
    said: list[str] = []
    for row in details if isinstance(details, list) else []:
        if isinstance(row, Mapping):
            said += _with_path(row)
    found = said or [str(body[name]) for name in ("detail", "title", "message") if body.get(name)][:1]
    return list(dict.fromkeys(found))


def _with_path(row: Mapping[str, Any]) -> Iterator[str]:
    text = str(row.get("detail") or row.get("title") or "")
    path = str(row.get("o:errorPath") or "").strip("/")
    if text:
        yield f"{text} ({path})" if path and path not in text else text


def failures(answer: Any, detail: str) -> list[str]:
    """What a transaction says of the rows that failed; "" among it where a row fails without a word."""
    if not isinstance(answer, Mapping):
        return []
    rows = [r for r in items_of(answer.get(detail)) if isinstance(r, Mapping)]
    said = [_row_failure(row) for row in rows]
    found = [text for text in said if text is not None]
    if not found and _true(answer.get("ErrorsExistFlag")):
        found = [str(answer.get("ErrorMessages") or "")]
    return [short(_TAGS.sub(" ", text)) for text in found]


def _row_failure(row: Mapping[str, Any]) -> str | None:
    words = [str(row[name]) for name in ("ErrorMessages", "ErrorMessageNames") if row.get(name)]
    if words:
        return words[0]
    return "" if _true(row.get("ErrorsExistFlag")) else None


def items_of(value: Any) -> list[Any]:
    """A collection inside a record: a list, or from framework 3 on `{"items": [..]}`."""
    if isinstance(value, Mapping):
        value = value.get("items")
    return value if isinstance(value, list) else []


def _true(value: Any) -> bool:
    return str(value).lower() in ("true", "y", "yes")


def is_busy(said: str, busy_words: Sequence[str]) -> bool:
    return any(word.lower() in said.lower() for word in busy_words)


def retry_after(reply: httpx.Response, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date; a day at the most."""
    seconds = asked_pause(reply)
    if seconds is not None:
        return seconds
    try:
        at = parsedate_to_datetime(reply.headers.get("Retry-After", "").strip())
        return min(max(at.replace(tzinfo=at.tzinfo or UTC) - now, timedelta(0)), LONGEST_PAUSE)
    except (ValueError, OverflowError):
        return None


def short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
