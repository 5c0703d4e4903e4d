"""ApiResult, its row results, and the two ways in which .NET spells them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


class U9Error(Exception):
    """The whole call is refused: `code` is ResCode."""

    def __init__(self, code: int, words: str) -> None:
        self.code = code
        self.words = words
        super().__init__(words)


class RowError(Exception):
    """One row is refused; the others go on."""


@dataclass
class Style:
    """How this installation serialises."""

    as_text: bool = False  # Data as JSON text
    with_ids: bool = False  # $id, and $ref for what comes twice
    prefixed: bool = True  # m_docNo instead of DocNo


def envelope(code: int, words: str, data: Any = None) -> str:
    body = {"ResCode": code, "Success": code == 0, "ResMsg": words, "Data": data, "Exception": None}
    return json.dumps(body, ensure_ascii=False)


def success(data: Any, style: Style) -> str:
    if style.with_ids:
        data = Decorated().of(data)
    return envelope(0, "", json.dumps(data, ensure_ascii=False) if style.as_text else data)


def result(style: Style, done: bool, other: Any, ident: Any = None, code: str = "", words: str = "") -> Any:
    """One row of a write's answer."""
    row = {"IsSucess": done, "OtherID": other, "ID": ident or 0, "Code": code, "ErrorMsg": words}
    return prefixed(row) if style.prefixed else row | {"U9CVersion": "V8.0"}


def shown(rows: list[dict[str, Any]], style: Style) -> list[Any]:
    return [prefixed(r | {"SysState": 0}) if style.prefixed else r for r in rows]


def prefixed(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"m_{k[:1].lower()}{k[1:]}": prefixed(v) for k, v in value.items()}
    return [prefixed(v) for v in value] if isinstance(value, list) else value


class Decorated:
    """As Json.NET with PreserveReferencesHandling.Objects: the same object twice is a reference."""

    def __init__(self) -> None:
        self._last = 0
        self._seen: dict[str, str] = {}

    def of(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.of(v) for v in value]
        if not isinstance(value, dict):
            return value
        same = json.dumps(value, sort_keys=True, ensure_ascii=False)
        if same in self._seen:
            return {"$ref": self._seen[same]}
        self._last += 1
        self._seen[same] = str(self._last)
        return {"$id": str(self._last), **{k: self.of(v) for k, v in value.items()}}
