"""Bytes of a stream that should be text: decoded as the configuration says, or kept as they are (pure)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Literal

from collectors.mes_faults import Unreadable
from hub.model.intake import Fault
from hub.model.words import Words

Encoding = Literal["utf-8", "gb18030"]


def as_told(raw: bytes | None, encoding: Encoding) -> dict[str, Any]:
    """{event}, or {bytes} in base64 of what is not written so: letters are not guessed."""
    if raw is None:
        return {"event": None}
    try:
        return {"event": raw.decode(encoding)}
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(raw).decode()}


def text_of(record: Mapping[str, Any], field: str, encoding: Encoding) -> str | None:
    """The event's text, by the configuration as it is now. Raises Unreadable."""
    told = record.get("bytes")
    if not isinstance(told, str):
        text = record.get("event")
        return text if isinstance(text, str) else None
    try:
        raw = base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable(Fault(field, _not_so(raw, encoding))) from None


def _not_so(raw: bytes, encoding: Encoding) -> Words:
    other: Encoding = "gb18030" if encoding == "utf-8" else "utf-8"
    try:
        raw.decode(other)
    except UnicodeDecodeError:
        return Words(
            f"不是 {encoding.upper()} 文本；请让 MES 按 UTF-8 写 JSON 后重新发送",
            f"is no text in {encoding.upper()}; have the MES write JSON in UTF-8 and send it again",
        )
    return Words(
        f"不是 {encoding.upper()}，像是 {other.upper()}；"
        f"请让 MES 改用 UTF-8，或在来源中写 encoding: {other} 后重新接收",
        f"is not {encoding.upper()} but looks like {other.upper()}; have the MES write UTF-8, or set "
        f"encoding: {other} at this source and take it once more",
    )
