"""What lies within one metric: arrays, datasets and templates (Sparkplug 3.0, chapter 6.4). Pure."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError

from collectors.sparkplug_payload import BOOLEAN, DataSetMessage, Metric, TemplateMessage, metric_of

_DOUBLE, _STRING = 10, 12
# element of the types 22 to 31 and 34, little-endian
_ARRAYS: Final = {
    22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d", 34: "q",
}  # fmt: skip
_BOOLEANS, _STRINGS = 32, 33
_ITEM = re.compile(r"^(#|(\[\d+\]|[^.\[\]#]+)(\[\d+\]|\.[^.\[\]#]+)*#?)$")
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]#]+)|(#)")


def checked(item: str) -> str:
    """The way to a part as written; raises ValueError with the remedy."""
    if item and not _ITEM.match(item):
        raise ValueError(
            f"{item!r} leads to no part; write [2] (of an array), [0].Column (of a dataset),"
            " Member (of a template) or # (how many)"
        )
    return item


def picked(metric: Metric, kind: int, item: str) -> Metric | None:
    """The part that `item` leads to, as a metric of its own; None where there is none.

    `kind` is the data type told by the birth. Time, quality and history are the whole's.
    """
    here: Any = metric._replace(kind=metric.kind or kind)
    try:
        for index, name, count in _STEP.findall(item):
            here = _counted(here) if count else _part(here, int(index) if index else name)
    except (DecodeError, struct.error, UnicodeDecodeError, LookupError, ValueError):
        return None
    if not isinstance(here, Metric):
        return None
    return metric._replace(kind=here.kind, field=here.field, raw=here.raw, null=metric.null or here.null)


def _part(here: Any, step: int | str) -> Any:
    """Raises LookupError where there is none."""
    if isinstance(here, Mapping):
        return list(here.values())[step] if isinstance(step, int) else here[step]
    if here.field == "template_value" and isinstance(step, str):
        return next(_found(TemplateMessage, here.raw, step))
    if here.field == "dataset_value" and isinstance(step, int):
        return _rows(here.raw)[step]
    if here.field == "bytes_value" and isinstance(step, int):
        return _elements(here)[step]
    raise LookupError(step)


def _found(message: Any, raw: bytes, name: str) -> Iterator[Metric]:
    whole = message()
    whole.ParseFromString(raw)
    for one in whole.metrics:
        if one.name == name:
            yield metric_of(one)
    raise LookupError(name)


def _counted(here: Any) -> Metric:
    if isinstance(here, Metric) and here.field in ("dataset_value", "bytes_value"):
        many = len(_rows(here.raw) if here.field == "dataset_value" else _elements(here))
        return here._replace(kind=_DOUBLE, field="double_value", raw=float(many))
    raise LookupError("#")


def _rows(raw: bytes) -> list[dict[str, Metric]]:
    table = DataSetMessage()
    table.ParseFromString(raw)
    heads = list(zip(table.columns, table.types, strict=True))
    return [
        {
            name: Metric("", None, 0, kind, field := value.WhichOneof("value") or "",
                         getattr(value, field) if field else None, not field, False, None)
            for (name, kind), value in zip(heads, row.elements, strict=True)
        }
        for row in table.rows
    ]  # fmt: skip


def _elements(whole: Metric) -> list[Metric]:
    def each(kind: int, field: str, values: Any) -> list[Metric]:
        return [whole._replace(kind=kind, field=field, raw=v) for v in values]

    raw: bytes = whole.raw
    if whole.kind == _BOOLEANS:  # how many, then bits, the first one highest
        (many,) = struct.unpack_from("<I", raw)
        if many > 8 * (len(raw) - 4):
            raise ValueError("fewer booleans than announced")
        return each(BOOLEAN, "boolean_value", (bool(raw[4 + n // 8] >> (7 - n % 8) & 1) for n in range(many)))
    if whole.kind == _STRINGS:
        return each(_STRING, "string_value", raw.decode().split("\0")[:-1])
    letter = _ARRAYS[whole.kind]
    numbers = struct.unpack(f"<{len(raw) // struct.calcsize('<' + letter)}{letter}", raw)
    return each(_DOUBLE, "double_value", map(float, numbers))
