"""`codes:` as people write them, and other words of maps that mean something known. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator

from collectors.blocks import Kind

_KINDS: tuple[str, ...] = get_args(Kind)
_ELSEWHERE = {  # what makers and IEC 61131-3 call them
    "real": "float32", "float": "float32", "lreal": "float64", "double": "float64", "int": "int16",
    "short": "int16", "uint": "uint16", "word": "uint16", "dint": "int32", "long": "int32", "udint": "uint32",
    "dword": "uint32", "lint": "int64", "ulint": "uint64", "lword": "uint64", "boolean": "bool",
    "bcd": "bcd16", "str": "string",
}  # fmt: skip
_ORDERS = {
    "abcd": "word_order: big and byte_order: big", "cdab": "word_order: little and byte_order: big",
    "badc": "word_order: big and byte_order: little", "dcba": "word_order: little and byte_order: little",
}  # fmt: skip
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_HEX = re.compile(r"0[xX][0-9A-Fa-f]{1,4}", re.ASCII)


def _texts(written: Any) -> Any:
    """YAML reads an unquoted 1 as a number and true as a truth; a code is its text."""
    if not isinstance(written, dict):
        return written
    return {_text(key): value for key, value in written.items()}


def _text(key: Any) -> Any:
    if isinstance(key, bool):
        return str(key).lower()
    return f"{key:.15g}" if isinstance(key, float) else str(key) if isinstance(key, int) else key


Codes = Annotated[dict[str, float], BeforeValidator(_texts)]


def kind_of(written: Any) -> Any:
    """INT16 as int16; another word for it is told."""
    if not isinstance(written, str) or written in _KINDS:
        return written
    small = written.strip().lower()
    if small in _KINDS:
        return small
    remedy = _ELSEWHERE.get(small, f"one of {', '.join(_KINDS)}")
    raise ValueError(f"{written[:20]!r} is not known here; write {remedy}")


def order_of(written: Any) -> Any:
    if not isinstance(written, str) or written in ("big", "little"):
        return written
    small = written.strip().lower()
    if small in ("big", "little"):
        return small
    raise ValueError(f"{written[:20]!r} is not known here; write {_ORDERS.get(small, 'big or little')}")


def number_of(written: Any) -> Any:
    if isinstance(written, str) and _COMMA.fullmatch(written.strip()):
        right = written.strip().replace(",", ".")
        raise ValueError(f"{written.strip()[:20]!r} has a decimal comma; write {right[:20]}")
    return written


def address_of(written: Any) -> Any:
    """0x10 in a table as in YAML."""
    if isinstance(written, str) and _HEX.fullmatch(written.strip()):
        return int(written.strip(), 16)
    return written
