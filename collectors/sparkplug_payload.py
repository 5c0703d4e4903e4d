"""The payload of Sparkplug B 3.0 (chapter 6.4): protobuf bytes to metrics, metrics to numbers. Pure.

The schema is written down here as field numbers, for protobuf's own runtime to read by.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from hub.model.sample import BAD, BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, GOOD, UNCERTAIN

BAD_NO_DATA = 0x809B0000
BAD_TYPE_MISMATCH = 0x80740000

_F = descriptor_pb2.FieldDescriptorProto
_KINDS: Final = {
    "u32": _F.TYPE_UINT32, "u64": _F.TYPE_UINT64, "f": _F.TYPE_FLOAT, "d": _F.TYPE_DOUBLE,
    "b": _F.TYPE_BOOL, "s": _F.TYPE_STRING, "y": _F.TYPE_BYTES,
}  # fmt: skip
# name: number, type; * is a list, ? one of those of which there is one at most
_SCHEMA: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "Payload": {
        "timestamp": (1, "u64"), "metrics": (2, "*Metric"), "seq": (3, "u64"), "uuid": (4, "s"),
        "body": (5, "y"),
    },
    "Metric": {
        "name": (1, "s"), "alias": (2, "u64"), "timestamp": (3, "u64"), "datatype": (4, "u32"),
        "is_historical": (5, "b"), "is_transient": (6, "b"), "is_null": (7, "b"),
        "properties": (9, "PropertySet"),
        "int_value": (10, "?u32"), "long_value": (11, "?u64"), "float_value": (12, "?f"),
        "double_value": (13, "?d"), "boolean_value": (14, "?b"), "string_value": (15, "?s"),
        "bytes_value": (16, "?y"), "dataset_value": (17, "?y"), "template_value": (18, "?y"),
        "extension_value": (19, "?y"),
    },
    "PropertySet": {"keys": (1, "*s"), "values": (2, "*PropertyValue")},
    "PropertyValue": {
        "type": (1, "u32"), "is_null": (2, "b"),
        "int_value": (3, "?u32"), "long_value": (4, "?u64"), "float_value": (5, "?f"),
        "double_value": (6, "?d"), "boolean_value": (7, "?b"), "string_value": (8, "?s"),
    },
    # of the two that follow a metric holds the bytes; they are looked into where a part of them is wanted
    "DataSet": {
        "num_of_columns": (1, "u64"), "columns": (2, "*s"), "types": (3, "*u32"), "rows": (4, "*Row"),
    },
    "Row": {"elements": (1, "*DataSetValue")},
    "DataSetValue": {
        "int_value": (1, "?u32"), "long_value": (2, "?u64"), "float_value": (3, "?f"),
        "double_value": (4, "?d"), "boolean_value": (5, "?b"), "string_value": (6, "?s"),
    },
    "Template": {"version": (1, "s"), "metrics": (2, "*Metric"), "template_ref": (4, "s")},
}  # fmt: skip


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="andon_sparkplug_b.proto", package="andon.sparkplug")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            one = message.field.add(name=field, number=number, label=_F.LABEL_OPTIONAL)
            if kind[0] == "*":
                one.label = _F.LABEL_REPEATED
            elif kind[0] == "?":
                if not message.oneof_decl:
                    message.oneof_decl.add(name="value")
                one.oneof_index = 0
            of = kind.lstrip("*?")
            if of in _SCHEMA:
                one.type, one.type_name = _F.TYPE_MESSAGE, f".andon.sparkplug.{of}"
            else:
                one.type = _KINDS[of]
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())
PayloadMessage, DataSetMessage, TemplateMessage = (
    cast(Any, message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"andon.sparkplug.{name}")))
    for name in ("Payload", "DataSet", "Template")
)

# Data types (table 6.4.16)
_SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED: Final = {5: 8, 6: 16, 7: 32, 8: 64}
BOOLEAN, DATE_TIME, DATASET = 11, 13, 16
_NO_NUMBER: Final = {
    16: "a dataset", 17: "bytes", 18: "a file", 19: "a template", 20: "a set of properties",
    21: "a list of property sets", **dict.fromkeys(range(22, 35), "an array"),
}  # fmt: skip
_HAS_PARTS: Final = frozenset({"an array", "a dataset", "a template"})
_FIELDS_WITHOUT_NUMBER: Final = {
    "bytes_value": "bytes", "dataset_value": "a dataset", "template_value": "a template",
    "extension_value": "an extension",
}  # fmt: skip
_STALE = 500  # of the property Quality; 0 is bad and 192 good
_COMPRESSED: Final = (
    "SPBV1.0_COMPRESSED"  # the uuid by which Tahu's nodes say that the body holds the payload
)
_EITHER: Final = zlib.MAX_WBITS | 32  # zlib's own head or gzip's
_LARGEST: Final = 1 << 20


class Metric(NamedTuple):
    """One entry of a payload as it came; `field` and `raw` are its value, not yet understood."""

    name: str
    alias: int | None
    at: int  # microseconds since 1970; 0 where it has no time
    kind: int  # data type; 0 where it is not told
    field: str  # "" where there is no value
    raw: Any
    null: bool
    historical: bool
    quality: int | None


class Payload(NamedTuple):
    at: int  # microseconds since 1970; 0 where it has no time
    seq: int | None
    metrics: list[Metric]


def parsed(data: bytes, largest: int = _LARGEST) -> Payload:
    """Raises ValueError for what is no payload, and for one that unpacks to more than `largest` bytes."""
    message = PayloadMessage()
    try:
        message.ParseFromString(data)
        if message.uuid == _COMPRESSED:
            message = _unpacked(message, largest)
        metrics = [metric_of(m) for m in message.metrics]
    except (DecodeError, UnicodeDecodeError, zlib.error) as cause:
        raise ValueError("is no Sparkplug B payload") from cause
    seq = message.seq % 256 if message.HasField("seq") else None  # some nodes never begin again
    return Payload(_micros(message.timestamp), seq, metrics)


def _unpacked(wrapped: Any, largest: int) -> Any:
    """The message within; number and time of the wrapping where it has none."""
    unpacking = zlib.decompressobj(_EITHER)
    data = unpacking.decompress(wrapped.body, largest + 1)
    if len(data) > largest:
        raise ValueError(f"unpacks to more than {largest} bytes; make largest: larger")
    if not unpacking.eof:
        raise zlib.error("cut off")
    message = PayloadMessage()
    message.ParseFromString(data)
    for field in ("seq", "timestamp"):
        if wrapped.HasField(field) and not message.HasField(field):
            setattr(message, field, getattr(wrapped, field))
    return message


def _micros(ms: int) -> int:
    return ms * 1000 if ms < 1 << 53 else 0


def metric_of(m: Any) -> Metric:
    """Of a message; raises UnicodeDecodeError where a text is none."""
    field = m.WhichOneof("value") or ""
    return Metric(
        m.name, m.alias if m.HasField("alias") else None, _micros(m.timestamp), m.datatype, field,
        getattr(m, field) if field else None, m.is_null, m.is_historical,
        _quality(m.properties) if m.HasField("properties") else None,
    )  # fmt: skip


def _quality(properties: Any) -> int | None:
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key == "Quality" and not value.is_null:
            field = value.WhichOneof("value")
            if field in ("int_value", "long_value"):
                return int(getattr(value, field))
    return None


def status_of(quality: int | None) -> int:
    """Sparkplug's 0, 192 and 500; other numbers as the OPC classic codes they were taken from."""
    if quality is None:
        return GOOD
    if quality == _STALE:
        return BAD_NO_COMMUNICATION
    if quality > 0xFF:
        return UNCERTAIN
    return (BAD, UNCERTAIN, UNCERTAIN, GOOD)[quality >> 6]


def meant(metric: Metric, kind: int) -> tuple[float, str | None, int, str]:
    """(value, text, status, complaint); `kind` is the data type told by the birth, 0 for none.

    NaN where there is no number; `text` is for the caller's codes. A date is in milliseconds since 1970.
    """
    status = status_of(metric.quality)
    kind = metric.kind or kind
    if metric.null:
        return math.nan, None, max(status, BAD_NO_DATA), ""
    if kind in _NO_NUMBER or metric.field in _FIELDS_WITHOUT_NUMBER:
        what = _NO_NUMBER.get(kind) or _FIELDS_WITHOUT_NUMBER.get(metric.field, "no number")
        remedy = "name a number in it by item:" if what in _HAS_PARTS else "name a metric that is a number"
        return math.nan, None, BAD_TYPE_MISMATCH, f"is {what}; {remedy}"
    if not metric.field:
        return math.nan, None, BAD_NO_DATA, "has no value"
    if metric.field == "string_value":
        return math.nan, metric.raw, status, ""
    value = _number(metric.field, metric.raw, kind)
    if not math.isfinite(value):
        return math.nan, None, BAD_OUT_OF_RANGE, "is out of its type's range"
    return value, None, status, ""


def _number(field: str, raw: Any, kind: int) -> float:
    if field in ("int_value", "long_value"):
        if bits := _SIGNED.get(kind):
            return _signed(raw, bits)
        if (bits := _UNSIGNED.get(kind)) and raw >> bits:
            return math.nan
        return float(bool(raw) if kind == BOOLEAN else raw)
    return float(raw)


def _signed(raw: int, bits: int) -> float:
    """Two's complement in its own width, or widened to that of the field: senders do either."""
    limit = 1 << bits
    if raw < limit:
        return float(raw - limit if raw >> (bits - 1) else raw)
    for width in (32, 64):
        if (1 << width) - limit // 2 <= raw < 1 << width:
            return float(raw - (1 << width))
    return math.nan
