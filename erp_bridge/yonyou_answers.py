"""What U9 cloud answers, told apart: envelope, references, names, row results (pure).

HTTP 200 means little and `ResCode` 0 not much more: each row of a write says for itself whether it was done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.errors import ErpRefused, ErpUnavailable

OK, EXPIRED, REQUEST_EXPIRED, NO_ROUTE, INTERNAL, BAD_PARAMETER, INVALID = 0, 402, 403, 404, 500, 502, 504
TOKEN_GONE = frozenset({EXPIRED, INVALID})
SET_UP_WRONG = {  # what to look at, by the names of our configuration
    401: "this application may not call it: give client_id the right to this interface",
    405: "the authorisation of the application has run out: renew it; check client_id",
    406: "check user_code",
    407: "check client_id: the application is not enabled",
    408: "check org_code",
    501: "the signature check failed: check client_id and client_secret",
    503: "check client_id, client_secret, ent_code, user_code and org_code",
    601: "this computer's address is not allowed for client_id: add it to the application's list",
}
_MS_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")
_SLASHED = re.compile(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?$")
_NO_DATE = "0001-01-01"
_MISSING_TABLE = ("对象名", "invalid object name", "no such table", "unknown entity", "实体不存在")
_MISSING_COLUMN = ("列名", "invalid column", "no such column", "could not be bound", "无法绑定", "字段不存在")


class U9Refusal(ErpRefused):
    """U9 understood and said no. `code` is ResCode (0: of a row), `said` its own words."""

    def __init__(self, text: str, code: int = OK, said: str = "") -> None:
        self.code = code
        self.said = said
        super().__init__(text)


class U9Trouble(ErpUnavailable):
    """ResCode 500 and its like: nobody knows what was done. `said`: its words."""

    def __init__(self, text: str, said: str, *, in_doubt: bool) -> None:
        self.said = said
        super().__init__(text, in_doubt=in_doubt)


class TokenGone(ErpUnavailable):
    """The token went while something was to be made: look before making it again."""


@dataclass(frozen=True, slots=True)
class Envelope:
    code: int
    success: bool
    message: str
    data: Any


def envelope(answer: Any) -> Envelope | None:
    """None for what is no ApiResult."""
    if not isinstance(answer, Mapping):
        return None
    fields = {str(k).lower(): v for k, v in answer.items()}
    try:
        code = int(str(fields["rescode"]))
    except (KeyError, ValueError):
        return None
    said = str(fields.get("resmsg") or fields.get("exception") or "")
    return Envelope(code, str(fields.get("success", code == OK)).lower() == "true", said, fields.get("data"))


def unpacked(data: Any) -> Any:
    """`Data`, which some installations send as JSON text, without the serialiser's decorations."""
    if isinstance(data, str) and data.lstrip()[:1] in ("[", "{"):
        try:
            data = json.loads(data)
        except ValueError:
            return data
    return _resolved(data, _identified(data, {}), ())


def _identified(value: Any, found: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, Mapping):
        if "$id" in value:
            found[str(value["$id"])] = value
        for child in value.values():
            _identified(child, found)
    elif isinstance(value, list):
        for child in value:
            _identified(child, found)
    return found


def _resolved(value: Any, known: Mapping[str, Any], above: tuple[str, ...]) -> Any:
    """A reference to something that contains it is left out."""
    if isinstance(value, list):
        return [_resolved(child, known, above) for child in value]
    if not isinstance(value, Mapping):
        return value
    if "$ref" in value:
        name = str(value["$ref"])
        return None if name in above or name not in known else _resolved(known[name], known, above)
    inner = (*above, str(value["$id"])) if "$id" in value else above
    if "$values" in value:
        return _resolved(value["$values"], known, inner)
    return {k: _resolved(v, known, inner) for k, v in value.items() if k != "$id"}


# ------------------------------------------------------------------ rows
def rows_of(data: Any) -> list[dict[str, Any]]:
    """The rows of an answer, whatever they lie in: a list, one object, an object that holds one list."""
    if isinstance(data, Mapping):
        lists = [v for v in data.values() if isinstance(v, list)]
        data = lists[0] if len(lists) == 1 and len(data) <= 3 else [data]
    return [dict(row) for row in data if isinstance(row, Mapping)] if isinstance(data, Sequence) else []


def rows_in(data: Any, what: str) -> list[dict[str, Any]]:
    """As `rows_of`, of an answer that has to tell rows: nothing at all, and rows that are none, prove
    nothing."""
    rows = rows_of(data)
    given = len(data) if isinstance(data, list) else 1
    empty = isinstance(data, Mapping) and not data
    if not isinstance(data, list | Mapping) or empty or (isinstance(data, list) and len(rows) != given):
        raise ErpUnavailable(f"U9 answered {what} in words we do not know: it says success and gives no rows")
    return rows


def named(value: Any) -> Any:
    """Output names as input names: m_docNo, m_iD and docNo are DocNo and ID. Dates as ISO writes them."""
    if isinstance(value, Mapping):
        return {_name(str(k)): named(v) for k, v in value.items()}
    if isinstance(value, list):
        return [named(v) for v in value]
    return dated(value) if isinstance(value, str) else value


def _name(name: str) -> str:
    bare = name[2:] if name.startswith("m_") else name
    return bare[:1].upper() + bare[1:]


def dated(text: str) -> str | None:
    """`/Date(ms)/` and `2026/1/5 8:00:00` as ISO; .NET's year 1 is no date."""
    if text.startswith(_NO_DATE):
        return None
    if found := _MS_DATE.match(text):
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(found[1]))
        return at.isoformat()
    if found := _SLASHED.match(text):
        year, month, day, hour, minute, second = (int(g or 0) for g in found.groups())
        try:
            return datetime(year, month, day, hour, minute, second).isoformat()  # noqa: DTZ001 local
        except ValueError:
            return text
    return text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row of a write."""

    done: bool
    key: str  # OtherID
    id: str
    code: str  # the document's number
    said: str


def outcome(data: Any, key: str) -> Outcome | None:
    """Of the row with this OtherID; of the only row where it tells none. None: the answer does not say."""
    found = [o for row in rows_of(data) if (o := _outcome(named(row))) is not None]
    mine = [o for o in found if o.key == key]
    if mine:
        return mine[0]
    return found[0] if len(found) == 1 and not found[0].key else None


def _outcome(row: Mapping[str, Any]) -> Outcome | None:
    flag = next((row[n] for n in ("IsSucess", "IsSuccess", "Success") if n in row), None)
    if flag is None:
        return None
    return Outcome(
        str(flag).lower() in ("true", "1"),
        text(row.get("OtherID")),
        text(row.get("ID") or row.get("ItemID")),
        text(row.get("Code") or row.get("DocNo") or row.get("ItemCode")),
        text(row.get("ErrorMsg") or row.get("ErrMsg")),
    )


def text(value: Any) -> str:
    """ "" for what is no text and no number."""
    return str(value).strip() if isinstance(value, str | int | float) else ""


def about_tables(said: str) -> bool:
    return any(mark in said.lower() for mark in _MISSING_TABLE)


def about_columns(said: str) -> bool:
    return any(mark in said.lower() for mark in _MISSING_COLUMN)
