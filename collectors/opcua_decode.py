"""OPC UA publish answers into columns (OPC 10000-6, clause 5.2; OPC 10000-4, clauses 5.14.5 and 7.25).

`fast` reads the bytes itself: items that all carry the same fields are one numpy view, others are walked with
prepared structs, and what is not plain (an array, a structure) is left to asyncua's decoder, value by value.
Answers of another kind (events, diagnostics, faults) `fast` leaves alone by answering None, and `slow` takes
what asyncua made of them. Both mean the same, which a test holds them to for every built-in type.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaError
from numpy.typing import NDArray

from hub.model.batch import micros

# what asyncua's decoder raises on bytes that make no sense
UNREADABLE = (
    struct.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError,
    NotImplementedError, UaError,
)  # fmt: skip
EPOCH_1601 = 11_644_473_600_000_000  # microseconds from 1601, where OPC UA begins to count, to 1970
UNSAID = -EPOCH_1601  # a time of 1601 is none (part 6, clause 5.2.2.5); 1969 is one, of a clock that is wrong
BAD_TYPE_MISMATCH = 0x80740000
OVERFLOW = 0x0480  # InfoType DataValue with the overflow bit: the server's queue lost values before this one

_NUMBERS = {
    1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f4",
    11: "<f8",
}  # fmt: skip
_NO_VALUE, _BOOLEAN, _STRING = 0, 1, 12
_TEXT = struct.Struct("<I2xi")  # handle, mask and type (known by now), length
_NAN = float("nan")
_CODES = {
    "u1": "B", "i1": "b", "<i2": "h", "<u2": "H", "<i4": "i", "<u4": "I", "<i8": "q", "<u8": "Q", "<f4": "f",
    "<f8": "d",
}  # fmt: skip
_TAIL = (  # of a data value, in the order of the wire, which is not that of the bits
    (2, "status", "<u4"), (4, "source", "<i8"), (16, "source_ps", "<u2"), (8, "server", "<i8"),
    (32, "server_ps", "<u2"),
)  # fmt: skip
_PUBLISH_RESPONSE, _DATA_CHANGE = 829, 811


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Data changes; row `i` is one. `texts` are the rows whose value is a text (NaN in `values`)."""

    handles: NDArray[np.uint32]
    values: NDArray[np.float64]
    statuses: NDArray[np.uint32]
    times: NDArray[np.int64]  # microseconds since 1970; the source's, else the server's, else UNSAID
    texts: tuple[tuple[int, str], ...] = ()
    # rows whose value is neither number nor text, as (row, value as asyncua has it, the server's status); the
    # columns have NaN and BAD_TYPE_MISMATCH there
    others: tuple[tuple[int, Any, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """One publish answer. `ended`: the server's reason for dropping the subscription."""

    subscription: int
    sequence: int
    at: int  # microseconds since 1970 by the server's clock, UNSAID when it did not say
    changes: tuple[Changes, ...] = ()
    ended: int | None = None
    events: tuple[Sequence[Any], ...] = ()  # the fields of each, in the order they were wished for
    acknowledge: bool = field(default=True)  # False for a keep-alive, which has nothing to acknowledge
    more: bool = False  # the server has more to tell at once


def fast(body: bytes) -> Published | None:
    """The answer when it is of the plain form, else None. Never raises on bytes that make no sense."""
    try:
        return _fast(body)
    except UNREADABLE:
        return None


def _fast(body: bytes) -> Published | None:
    kind, namespace, number = struct.unpack_from("<BBH", body, 0)
    if (kind, namespace, number) != (1, 0, _PUBLISH_RESPONSE):
        return None
    result, inner = struct.unpack_from("<IB", body, 16)  # after timestamp (8) and request handle (4)
    names, *rest = struct.unpack_from("<iBBB", body, 21)
    if result or inner or names > 0 or any(rest):  # faulty, diagnostics, texts or an additional header
        return None
    at = 28
    subscription, available = struct.unpack_from("<Ii", body, at)
    at += 8 + 4 * max(available, 0) + 1
    more = bool(body[at - 1])
    sequence, published, parts = struct.unpack_from("<Iqi", body, at)
    at += 16
    changes: list[Changes] = []
    for _ in range(max(parts, 0)):
        form, namespace, number, has_body = struct.unpack_from("<BBHB", body, at)
        if (form, namespace, number, has_body) != (1, 0, _DATA_CHANGE, 1):
            return None
        (size,) = struct.unpack_from("<i", body, at + 5)
        end = at + 9 + size
        if size < 8 or end > len(body):
            return None
        change = _data_change(body, at + 9, end)
        if change is None:
            return None
        changes.append(change)
        at = end
    return Published(
        subscription,
        sequence,
        _from_ticks(published),
        tuple(changes),
        None,
        acknowledge=bool(changes),
        more=more,
    )


def _data_change(body: bytes, at: int, end: int) -> Changes | None:
    (count,) = struct.unpack_from("<i", body, at)
    at += 4
    if count <= 0:
        return _Rows().columns()
    if count * 5 > end - at:
        return None
    return _at_once(body, at, end, count) or _one_by_one(body, at, end, count)


def _at_once(body: bytes, at: int, end: int, count: int) -> Changes | None:
    """All items of one form, one after the other: the rule for a machine's analogue values."""
    mask, kind = body[at + 4], body[at + 5]
    if not mask & 1 or kind not in _NUMBERS or mask & 0xC0:
        return None
    form = _dtype(mask, kind)
    if at + count * form.itemsize > end:
        return None
    items = np.frombuffer(body, form, count, at)
    if not ((items["mask"] == mask).all() and (items["kind"] == kind).all()):
        return None
    if at + count * form.itemsize + 4 > end:  # the empty list of diagnostics must follow
        return None
    if struct.unpack_from("<i", body, at + count * form.itemsize)[0] > 0:
        return None
    zero = np.zeros(count, np.int64)
    ticks = items["source"] if mask & 4 else zero
    if mask & 8:
        ticks = np.where(ticks > 0, ticks, items["server"])
    statuses = items["status"].astype(np.uint32) if mask & 2 else np.zeros(count, np.uint32)
    with np.errstate(all="ignore"):
        values = items["value"].astype(np.float64)
    if kind == _BOOLEAN:
        values = (values != 0).astype(np.float64)
    return Changes(items["handle"].astype(np.uint32), values, statuses, _micros_of(ticks))


def _one_by_one(body: bytes, at: int, end: int, count: int) -> Changes | None:
    """Items of several forms: a prepared struct for each form, looked up by its two bytes."""
    rows = _Rows()
    for _ in range(count):
        mask = body[at + 4]
        form = _form(mask, body[at + 5] if mask & 1 else _NO_VALUE)
        if form is None:
            at = _left_to_asyncua(rows, body, at, end)
            continue
        text = None
        if form.is_text:
            handle, length = _TEXT.unpack_from(body, at)
            at += _TEXT.size + max(length, 0)
            if at > end:
                return None
            text = body[at - length : at].decode("utf-8") if length >= 0 else None
            found = (handle, _NAN, *form.layout.unpack_from(body, at))
        else:
            found = form.layout.unpack_from(body, at)
        at += form.layout.size
        source = found[form.source] if form.source else 0
        rows.add(
            found[0],
            found[1] if form.has_value else _NAN,
            found[form.status] if form.status else 0,
            _from_ticks(found[form.server] if source <= 0 and form.server else source),
            text,
        )
    if at + 4 > end or struct.unpack_from("<i", body, at)[0] > 0:
        return None
    return rows.columns()


def _left_to_asyncua(rows: _Rows, body: bytes, at: int, end: int) -> int:
    """One item of a form of its own; where the next one begins."""
    (handle,) = struct.unpack_from("<I", body, at)
    rest = Buffer(body, at + 4, end - at - 4)
    rows.take(handle, struct_from_binary(ua.DataValue, rest))
    if not 0 <= len(rest) < end - at - 4:  # lengths below zero make asyncua's buffer grow
        raise ValueError("a value that reaches outside its message")
    return end - len(rest)


class _Rows:
    """Items that are read one after the other, on their way to columns."""

    def __init__(self) -> None:
        self.handles: list[int] = []
        self.values: list[float] = []
        self.statuses: list[int] = []
        self.times: list[int] = []
        self.texts: list[tuple[int, str]] = []
        self.others: list[tuple[int, Any, int]] = []

    def add(self, handle: int, value: float, status: int, time: int, text: str | None = None) -> None:
        if text is not None:
            self.texts.append((len(self.handles), text))
        self.handles.append(handle)
        self.values.append(value)
        self.statuses.append(status)
        self.times.append(time)

    def take(self, handle: int, data: Any) -> None:
        """A `ua.DataValue`."""
        status = int(data.StatusCode.value) if data.StatusCode is not None else 0
        time = _us(data.SourceTimestamp)
        time = _us(data.ServerTimestamp) if time == UNSAID else time
        content = data.Value.Value if data.Value is not None else None
        content = [] if content is None and data.Value is not None and data.Value.is_array else content
        content = getattr(content, "Text", content)  # of a localized text the text
        if isinstance(content, bool | int | float):
            self.add(handle, float(content), status, time)
        elif content is None or isinstance(content, str):
            self.add(handle, _NAN, status, time, content)
        else:
            self.others.append((len(self.handles), content, status))
            self.add(handle, _NAN, status if status & 0x80000000 else BAD_TYPE_MISMATCH, time)

    def columns(self) -> Changes:
        return Changes(
            np.array(self.handles, np.uint32),
            np.array(self.values, np.float64),
            np.array(self.statuses, np.uint32),
            np.array(self.times, np.int64),
            tuple(self.texts),
            tuple(self.others),
        )


_dtypes: dict[tuple[int, int], np.dtype[Any]] = {}
_forms: dict[tuple[int, int], _Form | None] = {}


def _dtype(mask: int, kind: int) -> np.dtype[Any]:
    """One record with a value: handle, which fields follow, type of the value, value, the fields."""
    if (mask, kind) not in _dtypes:
        fields = [("handle", "<u4"), ("mask", "u1"), ("kind", "u1"), ("value", _NUMBERS[kind])]
        _dtypes[mask, kind] = np.dtype(fields + [(name, form) for bit, name, form in _TAIL if mask & bit])
    return _dtypes[mask, kind]


@dataclass(frozen=True, slots=True)
class _Form:
    """How records of one mask and one type lie; where their fields are when unpacked (0: absent)."""

    layout: struct.Struct  # of a text only what follows it
    is_text: bool
    has_value: bool
    status: int
    source: int
    server: int


def _form(mask: int, kind: int) -> _Form | None:
    """None for what is not plain."""
    if (mask, kind) not in _forms:
        _forms[mask, kind] = _made(mask, kind)
    return _forms[mask, kind]


def _made(mask: int, kind: int) -> _Form | None:
    is_text, has_value = kind == _STRING, kind in _NUMBERS
    if mask & 0xC0 or not (is_text or has_value or not mask & 1):
        return None
    code = "?" if kind == _BOOLEAN else _CODES[_NUMBERS[kind]] if has_value else ""
    head = "" if is_text else "I2x" + code if has_value else "Ix"
    first = 1 if not mask & 1 else 2  # of the fields, behind the handle and the value
    places, tail = {}, ""
    for bit, _, form in _TAIL:
        if mask & bit:
            places[bit] = first + len(tail)
            tail += _CODES[form]
    return _Form(
        struct.Struct("<" + head + tail),
        is_text,
        has_value,
        places.get(2, 0),
        places.get(4, 0),
        places.get(8, 0),
    )


def _micros_of(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """From 100 ns since 1601."""
    us: NDArray[np.int64] = ticks // 10 - EPOCH_1601
    return np.maximum(us, UNSAID)


def _from_ticks(ticks: int) -> int:
    return max(ticks // 10 - EPOCH_1601, UNSAID)


# ------------------------------------------------------------------ what asyncua has decoded
def slow(answer: Any) -> Published:
    """The same of an `asyncua.ua.PublishResponse`."""
    result = answer.Parameters
    message = result.NotificationMessage
    return slow_message(int(result.SubscriptionId), message, bool(result.MoreNotifications))


def slow_message(subscription: int, message: Any, more: bool = False) -> Published:
    """Of a `ua.NotificationMessage`, as Republish gives it too."""
    changes: list[Changes] = []
    events: list[Sequence[Any]] = []
    ended: int | None = None
    for part in message.NotificationData or ():
        if hasattr(part, "MonitoredItems"):
            changes.append(_slow_changes(part.MonitoredItems or ()))
        elif hasattr(part, "Events"):
            events += [[v.Value for v in e.EventFields or ()] for e in part.Events or ()]
        elif hasattr(part, "Status"):
            ended = int(part.Status.value)
    return Published(
        subscription, int(message.SequenceNumber), _us(message.PublishTime), tuple(changes), ended,
        tuple(events),
        acknowledge=bool(message.NotificationData), more=more,
    )  # fmt: skip


def _slow_changes(items: Sequence[Any]) -> Changes:
    return of_values((int(item.ClientHandle), item.Value) for item in items)


def of_values(values: Iterable[tuple[int, ua.DataValue]]) -> Changes:
    """Values as asyncua has them, each with its handle."""
    rows = _Rows()
    for handle, value in values:
        rows.take(handle, value)
    return rows.columns()


def _us(at: datetime | None) -> int:
    if at is None:
        return UNSAID
    return max(micros(at if at.tzinfo else at.replace(tzinfo=UTC)), UNSAID)


def only(changes: Changes, wanted: NDArray[np.bool_]) -> Changes:
    """These rows of them."""
    place = np.cumsum(wanted) - 1
    return Changes(
        changes.handles[wanted],
        changes.values[wanted],
        changes.statuses[wanted],
        changes.times[wanted],
        tuple((int(place[row]), text) for row, text in changes.texts if wanted[row]),
        tuple((int(place[row]), value, status) for row, value, status in changes.others if wanted[row]),
    )
