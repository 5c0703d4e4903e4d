"""What an answer of Jiandaoyun means: done, refused, or to be tried again (pure).

A refusal is HTTP 400 with `{"code", "msg"}`; of the workflow API it is HTTP 200 with `status: failure`.
Texts are free, so that only the code is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from erp_bridge.bystanders import AWAY_PAUSE
from erp_bridge.jiandaoyun_config import JiandaoyunConfig
from hub.errors import ErpRefused, ErpUnavailable

NO_APP, NO_FORM = 2004, 3000
NO_RECORD = 4001
SUBMIT_FAILED = 4000
DELETE_FAILED = 4042
BAD_FILTER = 4815
LIMITED = frozenset({8303, 8304})
LOCKED = 9007
KEY = frozenset({8301, 17018})
RIGHTS = frozenset({8302, 17052, 17053, 17054})
QUOTA = frozenset({7103, 7206, 7212, 7216, 7217, 7218, 7219, 7221})
UPLOAD_FAILED = 17027
TRANSACTION_USED = 17026
NO_INSTANCE = 50016
HANDLED = 50051
_OUR_MISTAKE = {  # what in the configuration is wrong
    1010: "a member number is unknown: check creator, employees and ticket.approver",
    NO_APP: "there is no such app: check app_id",
    NO_FORM: "there is no such form: check documents.*.form",
    17032: "a field of this type cannot be written: check documents",
    17034: "a field of this type cannot be written: check documents",
}
_RIGHT = {
    17052: "this address is not on the key's list of IP addresses",
    17053: "the key was not given this app",
    17054: "the key was not given this group of the API",
}
_HEAD = 80  # characters of an answer that we could not read


class Refusal(ErpRefused):
    """Understood, and refused. `code` is theirs."""

    def __init__(self, text: str, code: int) -> None:
        self.code = code
        super().__init__(text)


class Used(ErpUnavailable):
    """The transaction was used before: what it was for may have been done."""


def read(
    config: JiandaoyunConfig,
    what: str,
    status: int,
    text: str,
    retry_after: timedelta | None,
    *,
    write: bool,
    page: bool = False,
) -> dict[str, Any]:
    """The answer's object. `retry_after` as its header asks for; `page`: it was written for people."""
    answer = _object(text)
    if status < 300 and answer is not None:
        if (failed := _failure(answer)) is not None:
            raise judged(config, what, *failed, retry_after, write=write)
        return answer
    if answer is not None and (failed := _failure(answer)) is not None and status < 500:
        raise judged(config, what, *failed, retry_after, write=write)
    if status == 429:
        raise ErpUnavailable(f"{what}: too many calls at once", retry_after or config.limit_pause)
    if status in (401, 403):
        text = f"{what}: HTTP {status}; check api_key and what stands between us and base_url"
        raise ErpUnavailable(text, config.rights_pause, in_doubt=write and page)
    if page or 300 <= status < 400:
        kind = "a page for people" if page else "elsewhere"
        told = f"{what}: HTTP {status}, {kind}; check base_url and what stands before it"
        raise ErpUnavailable(told, retry_after or (None if status < 300 else AWAY_PAUSE), in_doubt=write)
    if status in (404, 405):
        raise ErpRefused(f"{what}: HTTP {status}; check base_url, it ends in /api")
    head = " ".join(text[:_HEAD].split())
    raise ErpUnavailable(f"{what}: HTTP {status} {head!r}", retry_after, in_doubt=write)


def judged(
    config: JiandaoyunConfig,
    what: str,
    code: int,
    said: str,
    retry_after: timedelta | None = None,
    *,
    write: bool,
) -> Exception:
    """The error that this code is, after the contract's table."""
    text = f"Jiandaoyun refused {what} ({code}): {said}"
    if code in LIMITED:
        return ErpUnavailable(text, retry_after or config.limit_pause)
    if code in KEY:
        return ErpUnavailable(f"{text}; check api_key", config.rights_pause)
    if code in RIGHTS:
        return ErpUnavailable(
            f"{text}; {_RIGHT.get(code, 'check the rights of api_key')}", config.rights_pause
        )
    if code in QUOTA:
        return ErpUnavailable(text, config.quota_pause)
    if code == TRANSACTION_USED:
        return Used(text, in_doubt=True)
    if code == SUBMIT_FAILED:
        return ErpUnavailable(text, in_doubt=write)
    if code in (LOCKED, DELETE_FAILED, UPLOAD_FAILED):
        return ErpUnavailable(text)
    mistake = _OUR_MISTAKE.get(code)
    return Refusal(f"{text}; {mistake}" if mistake else text, code)


def rows_of(answer: Mapping[str, Any], name: str, what: str) -> list[Mapping[str, Any]]:
    """The objects that an answer has to list under this name."""
    rows = answer.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ErpUnavailable(f"Jiandaoyun answered {what} in words we do not know: it lists no {name}")
    return rows


def id_of(record: Any) -> str:
    """ "" for what has none."""
    found = record.get("_id") if isinstance(record, Mapping) else None
    return found if isinstance(found, str) else ""


def _object(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return {}  # nothing said is well
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _failure(answer: Mapping[str, Any]) -> tuple[int, str] | None:
    """(code, words) of an answer that says no, whatever its HTTP status was."""
    code, status = answer.get("code"), str(answer.get("status") or "").lower()
    said = str(answer.get("msg") or answer.get("message") or "")
    if status in ("failure", "fail", "error") or (code not in (None, 0, "0", "") and status != "success"):
        return int(code) if isinstance(code, int | str) and str(code).isdecimal() else 0, said
    return None
