"""SQL with named parameters: found, checked, brought into the drivers' form; values never join it (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_TOKEN = re.compile(
    r"""
      (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]\[:]*\]|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<cast>::)
    | :(?P<name>[A-Za-z_]\w*)
    | %\((?P<pyname>[A-Za-z_]\w*)\)s
    | (?P<positional>%[sdb]|\$\d+|\?)
    | (?P<brace>\{[^{}]*\})
    | (?P<end>;)
    | (?P<percent>%)
    """,
    re.VERBOSE | re.DOTALL,
)
_IDENTIFIER = re.compile(r"^[^\W\d]\w*(\.[^\W\d]\w*){0,2}$")
_HIDDEN = re.compile(r":([A-Za-z_]\w*)|%\((\w+)\)s|\{(\w+)\}")
_SINCE = r"(?:cast\s*\(\s*)?(?::since\b|%\(since\)s)"
READING = ("select", "with")
WRITING = ("insert", "update", "merge", "delete", "call", "exec", "with", "replace", "select")


def names(statement: str) -> list[str]:
    """Its parameters, each once."""
    return list(dict.fromkeys(n for m in _TOKEN.finditer(statement) if (n := m["name"] or m["pyname"])))


def faults(statement: str, known: frozenset[str], *, write: bool) -> list[str]:
    """What is wrong with it, apart from what it names. `known`: fields that could be meant."""
    first = statement.split(None, 1)[0].lower() if statement.split() else ""
    allowed = WRITING if write else READING
    found = []
    if first not in allowed:
        found.append(f"begins with {first!r}; it may begin with {', '.join(allowed)}")
    for match in _TOKEN.finditer(statement):
        found += _fault(match, statement, known)
    return list(dict.fromkeys(found))


def passes_over(statement: str, watermark: str) -> str:
    """How a statement that is read from `:since` on would miss rows; "" when it does not."""
    bare = _TOKEN.sub(lambda m: " " if m["comment"] or (m["text"] or "")[:1] == "'" else m[0], statement)
    if not re.search(r"\border\s+by\b", bare, re.IGNORECASE):
        return f"has no order by; write order by {watermark}"
    if re.search(rf">\s*{_SINCE}|{_SINCE}\s*<(?!=)", bare, re.IGNORECASE):
        return f"> :since passes over rows of the same {watermark}; write >= :since"
    return ""


def _fault(match: re.Match[str], statement: str, known: frozenset[str]) -> Iterator[str]:
    if match["text"]:
        hidden = [n for groups in _HIDDEN.findall(match["text"]) for n in groups if n in known]
        if hidden:
            yield (
                f"{match['text']}: what stands in quotes is not filled in; write :{hidden[0]} without quotes"
                " (join texts by ||)"
            )
    elif match["brace"]:
        inner = match["brace"].strip("{}").partition(":")[0].strip() or "name"
        yield f"{match['brace']}: values are never formatted into a statement; write :{inner}"
    elif match["positional"]:
        yield f"{match['positional']}: parameters have names here; write :key, :equipment ..."
    elif match["end"] and statement[match.end() :].strip():
        yield "holds several statements; write them as a list, they are one transaction all the same"


def bound(statement: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """(statement with `%(name)s`, its parameters, or None where it has none: then a % is a %).

    A list becomes as many parameters as it has values, for `in (:numbers)`; an empty one is a null, which
    nothing is in.
    """
    used: dict[str, Any] = {}

    def one(match: re.Match[str]) -> str:
        name = match["name"] or match["pyname"]
        if name is None:
            return "" if match["end"] else match[0].replace("%", "%%")
        value = values.get(name)
        if not isinstance(value, list | tuple):
            used[name] = value
            return f"%({name})s"
        parts = {f"{name}_{n}": v for n, v in enumerate(value or [None])}
        used.update(parts)
        return ", ".join(f"%({part})s" for part in parts)

    made = _TOKEN.sub(one, statement)
    return (made, used) if used else (made.replace("%%", "%"), None)


def is_identifier(name: str) -> bool:
    """A table or column, `schema.table` too: letters, digits and _, nothing that would need thinking."""
    return bool(_IDENTIFIER.match(name))


def insertion(table: str, columns: Sequence[str], quoted: Callable[[str], str]) -> str:
    """Columns and table are names from the configuration, checked by `is_identifier`."""
    places = ", ".join(f":{_parameter(c)}" for c in columns)
    named = ", ".join(quoted(c) for c in columns)
    return f"insert into {quoted(table)} ({named}) values ({places})"  # noqa: S608 checked identifiers


def updating(table: str, columns: Sequence[str], where: str, quoted: Callable[[str], str]) -> str:
    places = ", ".join(f"{quoted(c)} = :{_parameter(c)}" for c in columns)
    return f"update {quoted(table)} set {places} where {where}"  # noqa: S608 checked identifiers


def selection(table: str, columns: Sequence[str], quoted: Callable[[str], str]) -> str:
    """Nothing of it, only whether it is there."""
    named = ", ".join(quoted(c) for c in columns)
    return f"select {named} from {quoted(table)} where 1 = 0"  # noqa: S608 checked identifiers


def parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns' values under the names that `insertion` and `updating` give them."""
    return {_parameter(name): value for name, value in values.items()}


def _parameter(column: str) -> str:
    return f"c_{column}"
