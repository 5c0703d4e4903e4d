"""What SAP says when it says no, sorted after what can be done about it.

Business errors come as 400 (sometimes 500) with an error object, FunctionMessage type E or A as 200, a lost
token as 403 with plain text, a document that a clerk has open as 400 or 423 with words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from defusedxml.ElementTree import ParseError, fromstring

from erp_bridge.bystanders import AWAY_PAUSE, LONGEST_PAUSE, asked_pause, is_page
from hub.errors import ErpRefused, ErpUnavailable

LIMIT_PAUSE = timedelta(seconds=30)
LOCKED, PRECONDITION_FAILED, PRECONDITION_REQUIRED = 423, 412, 428
_TAGS = re.compile(r"<[^>]*>")
_LONGEST = 400
_MESSAGE_CLASS = re.compile(r"^[A-Z0-9_]+/\d{3}$")  # PM/123; /IWBEP/... is the gateway's own


class SapRefusal(ErpRefused):
    """SAP understood and said no. `code` is its message class and number, `said` its own words."""

    def __init__(self, text: str, status: int, code: str, said: str) -> None:
        self.status = status
        self.code = code
        self.said = said
        super().__init__(text)


class SapTrouble(ErpUnavailable):
    """HTTP 5xx. `code` is a message class and number when SAP gave one: said twice, it is a refusal."""

    def __init__(self, text: str, code: str, retry_after: timedelta | None, *, in_doubt: bool) -> None:
        self.code = code
        super().__init__(text, retry_after, in_doubt=in_doubt)


def complaint(
    reply: httpx.Response, what: str, now: datetime, busy_words: Sequence[str], *, write: bool
) -> Exception:
    """The error that this answer is; `what` names the call without its query."""
    code, said = told(reply)
    text = f"SAP answered {what} with HTTP {reply.status_code}" + (f": {said}" if said else "")
    pause = retry_after(reply, now)
    status = reply.status_code
    if status == 429:
        return ErpUnavailable(text, pause or LIMIT_PAUSE)
    if not code and is_page(reply):  # from whoever stands before SAP
        return ErpUnavailable(
            f"{text}; a page, not an answer: check url", pause or AWAY_PAUSE, in_doubt=write
        )
    if status == LOCKED or (status < 500 and is_busy(said, busy_words)):
        return ErpUnavailable(text, pause)
    if status == 408 or status >= 500:
        return SapTrouble(text, code if _MESSAGE_CLASS.match(code) else "", pause, in_doubt=write)
    if status == 403:
        text += "; check the rights of user (its business role or communication arrangement)"
    if 300 <= status < 400:
        text += "; check url: it leads elsewhere, to a log-on page perhaps"
    if not code and 300 <= status < 400:
        return ErpUnavailable(text, pause or AWAY_PAUSE)
    return SapRefusal(text, status, code, said)


def told(reply: httpx.Response) -> tuple[str, str]:
    """(code, message) of an error answer in any of its forms; bodies that are pages lose their tags."""
    kind = reply.headers.get("Content-Type", "")
    try:
        if "json" in kind or reply.text.lstrip().startswith("{"):
            return _of_object(json.loads(reply.text))
        if "xml" in kind:
            return _of_xml(reply.text)
    except (ValueError, ParseError):
        pass
    return "", _short(_TAGS.sub(" ", reply.text))


def _of_object(body: Any) -> tuple[str, str]:
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return "", ""
    said = [_message(error.get("message"))]
    inner = error.get("innererror")
    details = inner.get("errordetails") if isinstance(inner, Mapping) else error.get("details")
    if isinstance(details, Mapping):
        details = details.get("errordetail")
    for row in details if isinstance(details, list) else []:
        text = _message(row.get("message")) if isinstance(row, Mapping) else ""
        said += [text] if text not in said else []
    return str(error.get("code") or ""), _short("; ".join(filter(None, said)))


def _message(value: Any) -> str:
    """`{"lang", "value"}`, a list of them, or (OData 4) the text itself."""
    if isinstance(value, list):
        return "; ".join(filter(None, map(_message, value)))
    if isinstance(value, Mapping):
        return str(value.get("value") or "")
    return "" if value is None else str(value)


def _of_xml(text: str) -> tuple[str, str]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type has no place in it")
    found = {"code": "", "message": ""}
    for node in fromstring(text).iter():
        name = str(node.tag).rpartition("}")[2]
        if name in found and not found[name]:
            found[name] = (node.text or "").strip()
    return found["code"], _short(found["message"])


def function_failure(result: Mapping[str, Any], what: str, busy_words: Sequence[str]) -> Exception | None:
    """FunctionMessage: type E or A has failed, whatever the HTTP status says."""
    if str(result.get("SystemMessageType") or "").upper() not in ("E", "A"):
        return None
    said = _short(str(result.get("SystemMessageLongText") or ""))
    code = f"{result.get('SystemMessageIdentification') or ''}/{result.get('SystemMessageNumber') or ''}"
    text = f"SAP refused {what} ({code}): {said}"
    return ErpUnavailable(text) if is_busy(said, busy_words) else SapRefusal(text, 200, code, said)


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


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
