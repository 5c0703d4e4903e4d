"""Bulk decoding of publish answers means the same as asyncua's own decoder."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.opcua_decode import BAD_TYPE_MISMATCH, Changes, Published, fast, slow
from hub.model.batch import micros

T = ua.VariantType


def whole(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


NUMBERS: dict[Any, st.SearchStrategy[Any]] = {
    T.SByte: whole(8, signed=True), T.Byte: whole(8, signed=False), T.Int16: whole(16, signed=True),
    T.UInt16: whole(16, signed=False), T.Int32: whole(32, signed=True), T.UInt32: whole(32, signed=False),
    T.Int64: whole(64, signed=True), T.UInt64: whole(64, signed=False), T.Boolean: st.booleans(),
    T.Float: st.floats(width=32, allow_nan=False), T.Double: st.floats(allow_nan=False),
}  # fmt: skip
EARLY = datetime(1990, 1, 1, tzinfo=UTC)
times = st.none() | st.integers(0, 10**15).map(lambda us: EARLY + timedelta(microseconds=us))
statuses = st.sampled_from([0, 0, 0, 0x80310000, 0x40000000, 0x408F0000, 0x00000480])
plain = st.sampled_from(sorted(NUMBERS, key=int)).flatmap(
    lambda k: NUMBERS[k].map(lambda v: ua.Variant(v, k))
)
texts = st.text(max_size=20).map(lambda s: ua.Variant(s, T.String))


SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    **NUMBERS,
    T.String: st.text(max_size=9), T.ByteString: st.binary(max_size=9), T.Guid: st.uuids(),
    T.DateTime: st.integers(0, 10**15).map(lambda us: EARLY + timedelta(microseconds=us)),
    T.XmlElement: st.text(max_size=9).map(ua.XmlElement),
    T.QualifiedName: st.text(max_size=9).map(ua.QualifiedName),
    T.NodeId: st.integers(0, 2**32 - 1).map(ua.NodeId),
    T.StatusCode: statuses.map(lambda c: ua.StatusCode(ua.UInt32(c))),
    T.ExpandedNodeId: st.integers(0, 2**32 - 1).map(ua.ExpandedNodeId),
    T.LocalizedText: st.text(max_size=9).map(ua.LocalizedText),
    T.ExtensionObject: st.floats(0, 9).map(lambda high: ua.Range(0.0, high)),
    T.DataValue: st.floats(0, 9).map(lambda v: ua.DataValue(ua.Variant(v))),
    T.Variant: st.floats(0, 9).map(ua.Variant), T.DiagnosticInfo: st.just(ua.DiagnosticInfo()),
}  # fmt: skip
kinds = sorted(SCALARS, key=int)
any_scalar = st.sampled_from(kinds).flatmap(lambda k: SCALARS[k].map(lambda v: ua.Variant(v, k)))
any_array = st.sampled_from(kinds).flatmap(
    lambda k: st.lists(SCALARS[k], max_size=3).map(lambda v: ua.Variant(v, k, is_array=True))
)


def data(value: ua.Variant, status: int, source: Any, server: Any) -> ua.DataValue:
    return ua.DataValue(value, ua.StatusCode(ua.UInt32(status)), source, server)


def answer(*parts: Any, sequence: int = 7, published: datetime | None = None) -> bytes:
    """The bytes a server sends, written by asyncua's encoder."""
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 81
    response.Parameters.AvailableSequenceNumbers = [5, 6, 7]
    message = response.Parameters.NotificationMessage
    message.SequenceNumber = sequence
    message.PublishTime = published or datetime(2026, 1, 5, 12, tzinfo=UTC)
    message.NotificationData = list(parts)
    body: bytes = struct_to_binary(response)
    return body


def change(items: list[ua.DataValue]) -> ua.DataChangeNotification:
    part = ua.DataChangeNotification()
    part.MonitoredItems = [ua.MonitoredItemNotification(i, value) for i, value in enumerate(items)]
    return part


def by_asyncua(body: bytes) -> Published:
    return slow(struct_from_binary(ua.PublishResponse, Buffer(body)))


def same(one: Changes, other: Changes) -> None:
    for column in ("handles", "values", "statuses", "times"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column), column)
    assert one.texts == other.texts
    assert one.others == other.others


def agree(body: bytes) -> Published:
    """Both decoders, compared; what the fast one made of it."""
    quick, careful = fast(body), by_asyncua(body)
    assert quick is not None
    fields = ("subscription", "sequence", "at", "ended", "acknowledge")
    assert [getattr(quick, f) for f in fields] == [getattr(careful, f) for f in fields]
    assert len(quick.changes) == len(careful.changes)
    for one, other in zip(quick.changes, careful.changes, strict=True):
        same(one, other)
    return quick


@settings(deadline=None)
@given(st.lists(st.builds(data, plain | texts, statuses, times, times), max_size=30))
def test_any_mix_of_scalars_is_read_as_asyncua_reads_it(items: list[ua.DataValue]) -> None:
    agree(answer(change(items)))


@settings(deadline=None)
@given(st.lists(st.builds(data, any_scalar | any_array | plain, statuses, times, times), max_size=8))
def test_every_built_in_type_and_its_arrays_are_read_as_asyncua_reads_them(items: list[ua.DataValue]) -> None:
    agree(answer(change(items)))


@settings(deadline=None)
@given(st.sampled_from(sorted(NUMBERS, key=int)), st.data(), st.integers(1, 40), statuses, times, times)
def test_items_of_one_form_are_read_in_one_go(
    kind: Any, draw: Any, n: int, status: int, source: Any, server: Any
) -> None:
    values = draw.draw(st.lists(NUMBERS[kind], min_size=n, max_size=n))
    items = [data(ua.Variant(v, kind), status, source, server) for v in values]
    assert len(agree(answer(change(items))).changes[0].values) == n


@settings(deadline=None)
@given(st.lists(st.lists(st.builds(data, plain, statuses, times, times), max_size=5), max_size=4))
def test_several_parts_keep_their_order(parts: list[list[ua.DataValue]]) -> None:
    agree(answer(*(change(items) for items in parts)))


def test_a_keep_alive_has_nothing_to_acknowledge_and_tells_the_time() -> None:
    at = datetime(2026, 3, 1, 8, 30, 0, 250_000, tzinfo=UTC)
    heard = agree(answer(sequence=12, published=at))
    assert (heard.acknowledge, heard.at, heard.sequence) == (False, micros(at), 12)


def test_the_source_time_comes_before_the_servers() -> None:
    source = datetime(2026, 1, 5, 11, tzinfo=UTC)
    server = source + timedelta(minutes=5)
    items = [data(ua.Variant(1.0), 0, source, server), data(ua.Variant(1.0), 0, None, server)]
    assert agree(answer(change(items))).changes[0].times.tolist() == [micros(source), micros(server)]


def raw(*items: bytes) -> bytes:
    """A publish answer with these records, laid out by hand."""
    empty, start = answer(change([])), b"\x01\x00\x2b\x03\x01"
    content = struct.pack("<i", len(items)) + b"".join(items) + struct.pack("<i", -1)
    return empty[: empty.rindex(start)] + start + struct.pack("<i", len(content)) + content + b"\xff" * 4


@pytest.mark.parametrize("count", [1, 3], ids=["one", "three"])
@pytest.mark.parametrize(
    "first", [b"", struct.pack("<IBBB", 8, 1, 1, 1)], ids=["alike", "after another form"]
)
def test_picoseconds_lie_where_the_standard_puts_them(count: int, first: bytes) -> None:
    """Part 6, 5.2.2.17: value, status, source time and its picoseconds, server time and its picoseconds."""
    ticks = (micros(datetime(2026, 1, 5, tzinfo=UTC)) + 11_644_473_600_000_000) * 10
    item = struct.pack("<IBBdIqHqH", 3, 0x3F, 11, 80.5, 0x40000000, 0, 99, ticks, 77)
    heard = fast(raw(*([first] if first else []), *[item] * count))
    assert heard is not None
    rows = slice(len(heard.changes[0].values) - count, None)
    assert heard.changes[0].values[rows].tolist() == [80.5] * count
    assert heard.changes[0].statuses[rows].tolist() == [0x40000000] * count
    assert heard.changes[0].times[rows].tolist() == [micros(datetime(2026, 1, 5, tzinfo=UTC))] * count


@pytest.mark.parametrize("others", [[], [struct.pack("<IBBd", 2, 1, 11, 1.0)]], ids=["alike", "mixed"])
def test_any_byte_but_zero_is_true(others: list[bytes]) -> None:
    heard = fast(raw(struct.pack("<IBBB", 1, 1, 1, 0xFF), struct.pack("<IBBB", 1, 1, 1, 0), *others))
    assert heard is not None
    assert heard.changes[0].values.tolist()[:2] == [1.0, 0.0]


@pytest.mark.parametrize(
    "value",
    [
        ua.Variant([1.0, 2.0], T.Double), ua.Variant(ua.LocalizedText("运行", "zh"), T.LocalizedText),
        ua.Variant(EARLY, T.DateTime), ua.Variant(b"x", T.ByteString),
    ],
    ids=["array", "localized text", "time", "bytes"],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_asyncua_and_its_neighbours_are_not(value: ua.Variant) -> None:
    items = [data(ua.Variant(v), 0, None, None) for v in (1.0, 3.0)]
    items.insert(1, data(value, 0, None, None))
    heard = agree(answer(change(items))).changes[0]
    assert heard.values[[0, 2]].tolist() == [1.0, 3.0]
    assert np.isnan(heard.values[1])
    assert [(row, status) for row, _, status in heard.others] == ([] if heard.texts else [(1, 0)])
    assert heard.texts == (((1, "运行"),) if value.VariantType is T.LocalizedText else ())
    assert heard.statuses[1] == (0 if heard.texts else BAD_TYPE_MISMATCH)


def test_the_end_of_a_subscription_is_understood() -> None:
    part = ua.StatusChangeNotification(ua.StatusCode(ua.UInt32(0x800A0000)))
    body = answer(part)
    assert fast(body) is None
    assert by_asyncua(body).ended == 0x800A0000


def test_a_fault_is_left_to_asyncua() -> None:
    response = ua.PublishResponse()
    response.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(0x80790000))
    assert fast(struct_to_binary(response)) is None


@settings(deadline=None)
@given(st.lists(st.builds(data, plain | texts, statuses, times, times), min_size=1, max_size=10), st.data())
def test_a_broken_answer_never_raises(items: list[ua.DataValue], draw: Any) -> None:
    body = bytearray(answer(change(items)))
    for _ in range(draw.draw(st.integers(1, 4))):
        body[draw.draw(st.integers(0, len(body) - 1))] = draw.draw(st.integers(0, 255))
    cut = bytes(body[: draw.draw(st.integers(0, len(body)))])
    for broken in (bytes(body), cut):
        heard = fast(broken)
        assert heard is None or all(len(c.values) <= len(broken) for c in heard.changes)
