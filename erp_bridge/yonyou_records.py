"""Rows of lists as the expressions name them: by alias or path, whatever a server makes of names (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.yonyou_answers import dated
from hub.errors import ConfigError

_TABLE = re.compile(r"^(?:LEFT\s+JOIN\s+)?\w+(?:\s+AS)?\s+(\w+)", re.IGNORECASE)

Row = dict[str, Any]


def alias_of(piece: str) -> str:
    found = _TABLE.match(piece)
    if found is None:
        raise ConfigError(f"{piece!r} is not a table with an alias; write for example MO_MO m")
    return found[1]


def alias(column: str) -> str:
    return column.replace(".", "__")


def nested(row: Mapping[str, Any], columns: Sequence[str]) -> Row:
    """`m__DocNo` (or SO.DocNo, or SO_DocNo) as the expressions name it: {"m": {"DocNo": ..}}."""
    by_name = {str(k).lower(): v for k, v in row.items()}
    lasts = [c.rpartition(".")[2] for c in columns]
    out: Row = {}
    for column in columns:
        forms = [alias(column), column, column.replace(".", "_"), f"m_{column}"]
        forms += [last] if lasts.count(last := column.rpartition(".")[2]) == 1 else []
        value: Any = next((by_name[f.lower()] for f in forms if f.lower() in by_name), None)
        if value is None:
            value = _inside(row, column)
        *above, name = column.split(".")
        here = out
        for step in above:
            here = here.setdefault(step, {})
        here[name] = dated(value) if isinstance(value, str) else value
    return out


def _inside(row: Mapping[str, Any], column: str) -> Any:
    here: Any = row
    for step in column.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(step, here.get("m_" + step[:1].lower() + step[1:]))
    return here


def at(record: Mapping[str, Any], column: str) -> Any:
    here: Any = record
    for step in column.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    return here
