"""Sparkplug B payloads written byte by byte, by another hand than the runtime that the hub reads by."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64 = range(1, 9)
FLOAT, DOUBLE, BOOLEAN, STRING, DATE_TIME, TEXT, UUID, DATASET, BYTES = range(9, 18)
TEMPLATE = 19
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _key(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


def whole(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + varint(value)


def block(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + varint(len(content)) + content


@dataclass(frozen=True)
class Entry:
    """A metric to be sent. `value` None with `null` False sends no value at all."""

    name: str = ""
    alias: int | None = None
    kind: int = DOUBLE
    value: float | str | bytes | None = None
    at: int | None = None  # milliseconds since 1970
    historical: bool = False
    null: bool = False
    quality: int | None = None
    told_kind: bool = True  # data may leave their type out

    def encoded(self) -> bytes:
        out = block(1, self.name.encode()) if self.name else b""
        if self.alias is not None:
            out += whole(2, self.alias)
        if self.at is not None:
            out += whole(3, self.at)
        if self.told_kind:
            out += whole(4, self.kind)
        out += whole(5, 1) if self.historical else b""
        out += whole(7, 1) if self.null else b""
        if self.quality is not None:
            value = whole(1, INT32) + whole(3, self.quality)
            out += block(9, block(1, b"Quality") + block(2, value))
        return out + (b"" if self.null else self._value())

    def _value(self) -> bytes:
        value = self.value
        if value is None:
            return b""
        if isinstance(value, bytes):
            return block({DATASET: 17, TEMPLATE: 18}.get(self.kind, 16), value)
        if isinstance(value, str):
            return block(15, value.encode())
        if self.kind == FLOAT:
            return _key(12, _FIXED32) + struct.pack("<f", value)
        if self.kind == DOUBLE:
            return _key(13, _FIXED64) + struct.pack("<d", value)
        if self.kind == BOOLEAN:
            return whole(14, int(value))
        if self.kind in (INT64, UINT64, DATE_TIME):
            return whole(11, int(value) & 0xFFFF_FFFF_FFFF_FFFF)
        return whole(10, int(value) & 0xFFFF_FFFF)


def payload(at: int, seq: int | None, entries: Sequence[Entry]) -> bytes:
    out = whole(1, at) + b"".join(block(2, e.encoded()) for e in entries)
    return out + (whole(3, seq) if seq is not None else b"")


def compressed(content: bytes, *, gzip: bool = False) -> bytes:
    """As Tahu's clients pack a payload: all of it in the body, the way of packing beside it."""
    packing = zlib.compressobj(wbits=zlib.MAX_WBITS | 16 if gzip else zlib.MAX_WBITS)
    way = Entry("algorithm", kind=STRING, value="GZIP" if gzip else "DEFLATE").encoded()
    body = packing.compress(content) + packing.flush()
    return block(2, way) + block(4, b"SPBV1.0_COMPRESSED") + block(5, body)
