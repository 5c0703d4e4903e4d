"""Places for our fields in addresses, headers and query values: `{key}`, `{changed_since:%Y-%m-%d}` (pure).

What follows the colon: a strftime form (in the ERP's time zone), `unix` or `unix_ms`, `json` (a JSON string
with its quotes) or `quoted` (single quotes, doubled inside). `{{` and `}}` are braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from erp_bridge.fieldmap import plain
from hub.errors import ErpRefused

_PIECE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)(?::([^{}]*))?\}|[{}]")
_IN_QUOTES = re.compile(r"""(?P<q>["'])\{[A-Za-z_]\w*\}(?P=q)""")
FORMS = ("unix", "unix_ms", "json", "quoted")


def names(template: str) -> list[str]:
    """The fields it names, each once."""
    return list(dict.fromkeys(m[1] for m in _PIECE.finditer(template) if m[1]))


def faults(template: str) -> list[str]:
    """What is wrong with it, apart from what it names."""
    found = [
        f"{template!r} has a brace that belongs to no {{field}}; write {{{{ for a brace"
        for m in _PIECE.finditer(template)
        if m[0] in ("{", "}")
    ]
    found += [
        f"{template!r}: {m[2]!r} is no form; write a form as %Y-%m-%d, or one of {', '.join(FORMS)}"
        for m in _PIECE.finditer(template)
        if m[2] is not None and m[2] not in FORMS and "%" not in m[2]
    ]
    quoted = _IN_QUOTES.search(template)
    if quoted:
        mark = "json" if quoted["q"] == '"' else "quoted"
        inner = quoted[0].strip("\"'{}")
        found.append(
            f"{template!r}: a value with a quote in it would break out of {quoted[0]}; "
            f"write {{{inner}:{mark}}} without the quotes"
        )
    return found[:3]


def filled(template: str, fields: Mapping[str, Any], zone: ZoneInfo, escape: Callable[[str], str]) -> str:
    """With every value through `escape`; an empty one is empty."""

    def one(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0][0]
        text = as_text(fields.get(match[1]), match[2] or "", zone)
        return escape(text) if text else text

    return _PIECE.sub(one, template)


def empty_ones(template: str, fields: Mapping[str, Any]) -> list[str]:
    """Names in it that have no value now."""
    return [name for name in names(template) if fields.get(name) in (None, "", [])]


def as_text(value: Any, form: str, zone: ZoneInfo) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, datetime):
        return _of_instant(value, form, zone)
    text = ",".join(as_text(v, "", zone) for v in value) if isinstance(value, list | tuple) else _word(value)
    if form == "json":
        return json.dumps(text, ensure_ascii=False)
    if form == "quoted":
        return "'" + text.replace("'", "''") + "'"
    return text


def _of_instant(at: datetime, form: str, zone: ZoneInfo) -> str:
    if form == "unix":
        return str(int(at.timestamp()))
    if form == "unix_ms":
        return str(int(at.timestamp() * 1000))
    if "%" in form:
        return at.astimezone(zone).strftime(form)
    text = str(plain(at))
    return as_text(text, form, zone) if form else text


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(plain(value))


# ------------------------------------------------------------------ bodies
def texts_of(body: Any) -> Iterator[str]:
    """Every template in a nested body."""
    if isinstance(body, str):
        yield body
    for inner in body.values() if isinstance(body, Mapping) else body if isinstance(body, list) else ():
        yield from texts_of(inner)


def nested(body: Any, fields: Mapping[str, Any], zone: ZoneInfo) -> Any:
    """A body with its places filled: a place alone keeps its type, and what is empty is left out."""
    if isinstance(body, Mapping):
        made = {name: nested(inner, fields, zone) for name, inner in body.items()}
        return {name: inner for name, inner in made.items() if inner is not None}
    if isinstance(body, list):
        return [n for inner in body if (n := nested(inner, fields, zone)) is not None]
    if not isinstance(body, str) or not names(body):
        return body.replace("{{", "{").replace("}}", "}") if isinstance(body, str) else body
    if empty_ones(body, fields):
        return None
    whole = _PIECE.fullmatch(body)
    if whole and whole[1] and not whole[2]:
        return plain(fields[whole[1]])
    return filled(body, fields, zone, str)


# ------------------------------------------------------------------ escapes
def path_part(text: str) -> str:
    """One step of a path whatever it holds. Raises ErpRefused for `.` and `..`, which lead elsewhere."""
    if text in (".", ".."):
        raise ErpRefused(f"{text!r} cannot stand in an address")
    return quote(text, safe="")


def query_value(text: str) -> str:
    return quote(text, safe="")


def header_value(text: str) -> str:
    """As it is where it is printable ASCII; otherwise percent-encoded: a header holds nothing else."""
    return text if text.isascii() and text.isprintable() else quote(text, safe=" ")
