"""What Kingdee Galaxy's WebAPI answers, told apart (pure).

HTTP 200 means little: refusals come as 200 with `IsSuccess: false`, broken servers as 200 with plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hub.errors import ErpRefused, ErpUnavailable

CONTEXT_LOST, EXCEPTION, BUSY, QUOTA = 1, 4, 13, 14
UNKNOWN_KEY, NOT_FOUND = 9, 10
FORBIDDEN = frozenset({11, 12})  # validation failed; not possible in this state
UNSURE = frozenset({EXCEPTION, 6})  # server exception, database failure: nobody knows what was done
STALE = "已被其他用户修改"
NO_SUCH_SERVICE = ("未将对象引用", "Object reference", "找不到方法")
_NO_CONTEXT = -10001
_LOST_WORDS = re.compile(r"ctx == null|^(response_error:)?\s*((用户|您)?(尚|还)?未登录|会话|-10001(?!\d))")
TRIES = 5
_STUMBLES = 1000
_TAKEN = "已存在"


class KingdeeRefusal(ErpRefused):
    """The server understood and said no. `code` is its MsgCode, `said` its own words."""

    def __init__(self, text: str, code: int, said: str) -> None:
        self.code = code
        self.said = said
        super().__init__(text)

    @property
    def is_duplicate(self) -> bool:
        return _TAKEN in self.said


class NoSuchForm(KingdeeRefusal):
    """This tenant has no such form, or it is called otherwise."""


class KingdeeTrouble(ErpUnavailable):
    """An exception on their side. `said`: its words, which may name a form or column that is missing."""

    def __init__(self, text: str, said: str, *, in_doubt: bool, code: int | None = None) -> None:
        self.said = said
        self.code = code  # None: it was no answer of Kingdee's own
        super().__init__(text, in_doubt=in_doubt)


class Stumbles:
    """An exception may be about one document: the same write that meets one again and again, although the
    look before it is answered every time, is refused."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def judged(self, mark: str, trouble: KingdeeTrouble) -> Exception:
        if trouble.code is None:
            return trouble
        times = self._times.pop(mark, 0) + 1
        if times >= TRIES:
            return KingdeeRefusal(str(trouble), trouble.code, trouble.said)
        while len(self._times) >= _STUMBLES:
            self._times.pop(next(iter(self._times)))
        self._times[mark] = times
        return trouble

    def forget(self, mark: str) -> None:
        self._times.pop(mark, None)


LOST = {"Result": {"ResponseStatus": {"IsSuccess": False, "MsgCode": CONTEXT_LOST, "Errors": []}}}


def failure(answer: Any) -> Mapping[str, Any] | None:
    """The failed ResponseStatus of an answer: queries wrap it in two lists, Push has a second one."""
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    result = answer.get("Result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        return None
    for name in ("ResponseStatus", "ConvertResponseStatus"):
        status = result.get(name)
        if isinstance(status, dict) and str(status.get("IsSuccess")).lower() != "true":
            return status
    return None


def context_lost(answer: Any) -> bool:
    """Only a failed answer can say so, by its code: the words may stand in anybody's data, and equipment
    may be called EQ-10001. Words count where there is no code to go by."""
    if isinstance(answer, str):
        return lost_in_words(answer)
    status = failure(answer)
    if status is None:
        return False
    codes = code_of(status), _whole(status.get("ErrorCode"))
    if codes[0] == CONTEXT_LOST or _NO_CONTEXT in codes:
        return True
    errors = objects(status.get("Errors"))
    return not codes[0] and any(lost_in_words(str(e.get("Message") or "")) for e in errors)


def lost_in_words(text: str) -> bool:
    return _LOST_WORDS.search(text.strip()) is not None


def about_columns(refusal: KingdeeRefusal | KingdeeTrouble) -> bool:
    """An unknown field is refused, or an exception says that a table has no such column."""
    if isinstance(refusal, KingdeeRefusal):
        return refusal.code == UNKNOWN_KEY
    return "列名" in refusal.said or "不存在" in refusal.said


def succeeded(result: Mapping[str, Any]) -> list[str]:
    """Ids of what a write was done to, without those that are none."""
    status = result.get("ResponseStatus")
    told = status.get("SuccessEntitys") if isinstance(status, Mapping) else None
    return [found for e in objects(told) if (found := identity(e.get("Id")))]


def identity(value: Any) -> str:
    """Ids and operation numbers come as 10, 10.0 or "10"; "" for none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, str | int | float) else ""


def is_id(key: str) -> bool:
    """Whether this column tells one row from every other."""
    return key.lower() in ("fid", "fmaterialid") or key.lower().endswith("_fentryid")


def code_of(status: Mapping[str, Any]) -> int:
    return _whole(status.get("MsgCode"))


def _whole(value: Any) -> int:
    text = identity(value)
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() else 0


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else iter(())


def is_row(row: Any, columns: int) -> bool:
    return (
        isinstance(row, list)
        and len(row) == columns
        and all(cell is None or isinstance(cell, str | int | float) for cell in row)
    )


def clean(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def quoted(text: str) -> str:
    """A literal of the filter language."""
    return "'" + text.replace("'", "''") + "'"
