"""What Frappe says when it says no, sorted after what can be done about it (pure).

The HTTP status comes from the class of the exception. Its body names the class and carries the words for
people in `_server_messages`: a JSON text of a list of JSON texts. The second API has `errors` instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from erp_bridge.bystanders import AWAY_PAUSE, CREDENTIALS_PAUSE
from hub.errors import ErpRefused, ErpUnavailable

LIMIT_PAUSE = timedelta(seconds=60)
_TAGS = re.compile(r"<[^>]*>")
_CLASS = re.compile(r"\b(?:\w+\.)*([A-Z]\w*(?:Error|Exception|Stopped|Limited))\b")
_LONGEST = 400
# Their transaction was rolled back: nothing was done, and somebody else's business is over soon.
_BUSY = frozenset(
    {"TimestampMismatchError", "DocumentLockedError", "QueryTimeoutError", "QueryDeadlockError"}
)
_TAKEN = frozenset({"UniqueValidationError", "DuplicateEntryError"})
_LIMITED = frozenset({"RateLimitExceededError", "TooManyRequestsError"})
_PAGE = "; a page, not an answer: something stands before ERPNext"
_WHO = "ERPNext does not accept who we say we are; check api_key and api_secret"


class ErpNextRefusal(ErpRefused):
    """Frappe understood and said no. `kind` is the class of its exception, `said` its own words."""

    def __init__(self, text: str, status: int, kind: str, said: str) -> None:
        self.status = status
        self.kind = kind
        self.said = said
        super().__init__(text)


class ErpNextTaken(ErpNextRefusal):
    """A field that has to be unique has this value already in another document."""


class ErpNextTrouble(ErpUnavailable):
    """HTTP 5xx, or a page where an answer belongs: of one call, or of everything."""

    def __init__(
        self, text: str, status: int, retry_after: timedelta | None, *, in_doubt: bool = False
    ) -> None:
        self.status = status
        super().__init__(text, retry_after, in_doubt=in_doubt)

    @property
    def of_this_call(self) -> bool:
        """A method that this release does not have, or that breaks there."""
        return self.status in (404, 500, 501)


def complaint(
    reply: httpx.Response, what: str, now: datetime, busy_words: Sequence[str], *, write: bool
) -> Exception:
    """The error that this answer is; `what` names the call without its query."""
    status, (kind, said) = reply.status_code, told(reply)
    text = f"ERPNext answered {what} with HTTP {status}" + (f" {kind}" if kind else "")
    text += f": {said}" if said else ""
    pause = retry_after(reply, now)
    if status == 429 or kind in _LIMITED:
        return ErpUnavailable(text, pause or LIMIT_PAUSE)
    if status == 401 or kind == "AuthenticationError":
        return ErpUnavailable(_WHO, CREDENTIALS_PAUSE)
    if kind in _BUSY or (status < 500 and any(w.lower() in said.lower() for w in busy_words)):
        return ErpUnavailable(text, pause)
    if status == 408 or status >= 500:
        return ErpNextTrouble(text, status, pause, in_doubt=write)
    if 300 <= status < 400:
        text += "; check url: it leads elsewhere, to a log-in page perhaps"
        return ErpNextTrouble(text, status, pause or AWAY_PAUSE, in_doubt=write)
    if page(reply):  # Frappe says no in JSON
        text += "; there is no ERPNext site: check url and site" if status == 404 else _PAGE
        away = CREDENTIALS_PAUSE if status == 404 else pause or AWAY_PAUSE
        return ErpNextTrouble(text, status, away, in_doubt=write)
    if kind in _TAKEN or status == 409:
        return ErpNextTaken(text, status, kind, said)
    if status == 403:
        text += "; check the roles of the user of api_key"
    return ErpNextRefusal(text, status, kind, said)


def page(reply: httpx.Response) -> bool:
    """A page for people, not an answer: a proxy's, or Frappe's for a site that there is not."""
    return "json" not in reply.headers.get("Content-Type", "") and reply.text.lstrip()[:1] not in ("{", "[")


def told(reply: httpx.Response) -> tuple[str, str]:
    """(class of the exception, words); both empty where there are none. Pages lose their tags."""
    try:
        body = reply.json()
    except ValueError:
        return "", _plainly(reply.text) if reply.text.lstrip()[:1] != "<" else _title(reply.text)
    if not isinstance(body, Mapping):
        return "", ""
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        words = [str(e.get("message") or e.get("title") or "") for e in errors if isinstance(e, Mapping)]
        return _last_class(str(errors[0].get("type") or "")), _plainly("; ".join(filter(None, words)))
    said = _messages(body.get("_server_messages"))
    exception = str(body.get("exception") or "")
    kind = str(body.get("exc_type") or "") or _last_class(exception) or _last_class(_traceback(body))
    spoken = said or [str(body.get("_error_message") or "") or exception.partition(": ")[2] or exception]
    if not any(spoken):
        spoken = [str(body.get("message") or "") or _traceback(body)]
    return _last_class(kind) or kind, _plainly("; ".join(filter(None, spoken)))


def _messages(value: Any) -> list[str]:
    """Two levels of JSON, of which either may be missing."""
    out = []
    for row in _unfolded(value) if isinstance(_unfolded(value), list) else []:
        told_of = _unfolded(row)
        text = told_of.get("message") if isinstance(told_of, Mapping) else told_of
        if text and str(text) not in out:
            out.append(str(text))
    return out


def _unfolded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _traceback(body: Mapping[str, Any]) -> str:
    """Its last line: the lines before it are of no use to anybody here."""
    rows = _unfolded(body.get("exc"))
    text = str(rows[-1] if isinstance(rows, list) and rows else rows or "")
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def _last_class(text: str) -> str:
    found = _CLASS.match(text.strip())
    return found[1] if found else ""


def _title(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.S | re.I)
    return _plainly(found[1]) if found else ""


def retry_after(reply: httpx.Response, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date."""
    value = reply.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return timedelta(seconds=int(value))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(at.replace(tzinfo=at.tzinfo or UTC) - now, timedelta(0))


def _plainly(text: str) -> str:
    return " ".join(_TAGS.sub(" ", text).split())[:_LONGEST]
