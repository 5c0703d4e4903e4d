"""Payloads that another hand wrote are read as they were meant; anything else is refused or bad."""

from __future__ import annotations

import math
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.sparkplug import rebirth_command
from collectors.sparkplug_payload import (
    BAD_NO_DATA,
    BAD_TYPE_MISMATCH,
    PayloadMessage,
    meant,
    parsed,
    status_of,
)
from hub.model.sample import BAD, BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, GOOD, UNCERTAIN
from tests.simulators.sparkplug import wire
from tests.simulators.sparkplug.wire import Entry, payload

INTEGERS = {
    wire.INT8: (-(2**7), 2**7 - 1), wire.INT16: (-(2**15), 2**15 - 1), wire.INT32: (-(2**31), 2**31 - 1),
    wire.INT64: (-(2**63), 2**63 - 1), wire.UINT8: (0, 2**8 - 1), wire.UINT16: (0, 2**16 - 1),
    wire.UINT32: (0, 2**32 - 1), wire.UINT64: (0, 2**64 - 1),
}  # fmt: skip


def told(*entries: Entry) -> list[tuple[float, str | None, int, str]]:
    return [meant(m, 0) for m in parsed(payload(1_777_000_000_000, 7, entries)).metrics]


@given(st.sampled_from(sorted(INTEGERS)).flatmap(lambda k: st.tuples(st.just(k), st.integers(*INTEGERS[k]))))
def test_integers_of_every_width_come_back(sent: tuple[int, int]) -> None:
    kind, value = sent
    assert told(Entry("x", kind=kind, value=value)) == [(float(value), None, GOOD, "")]


@given(st.integers(-128, 127))
def test_a_small_integer_may_be_sent_in_its_own_width(value: int) -> None:
    message = PayloadMessage()
    message.metrics.add(name="x", datatype=wire.INT8, int_value=value & 0xFF)
    assert meant(parsed(message.SerializeToString()).metrics[0], 0)[0] == value


@given(st.floats(width=32), st.floats())
def test_floats_come_back_or_are_out_of_range(single: float, double: float) -> None:
    for (value, _, status, _), sent in zip(
        told(Entry("f", kind=wire.FLOAT, value=single), Entry("d", kind=wire.DOUBLE, value=double)),
        (struct.unpack("<f", struct.pack("<f", single))[0], double), strict=True,
    ):  # fmt: skip
        assert (value == sent and status == GOOD) or (math.isnan(value) and status == BAD_OUT_OF_RANGE)


def test_everything_else_a_metric_says_is_understood() -> None:
    whole = parsed(
        payload(1_777_000_000_000, 255, [
            Entry("a", 5, wire.BOOLEAN, True, at=1_777_000_000_001, historical=True, quality=500),
            Entry(alias=9, value=2.5, told_kind=False),
        ])
    )  # fmt: skip
    first, second = whole.metrics
    assert (whole.at, whole.seq) == (1_777_000_000_000_000, 255)
    assert (first.name, first.alias, first.at, first.historical) == ("a", 5, 1_777_000_000_001_000, True)
    assert meant(first, 0) == (1, None, BAD_NO_COMMUNICATION, "")
    assert (second.name, second.alias, second.kind, second.historical) == ("", 9, 0, False)
    assert meant(second, wire.DOUBLE)[0] == 2.5


@pytest.mark.parametrize(
    ("entry", "status", "said"),
    [
        (Entry("x", kind=wire.DATASET, value=b"\x08\x02"), BAD_TYPE_MISMATCH, "a dataset"),
        (Entry("x", kind=wire.BYTES, value=b"1"), BAD_TYPE_MISMATCH, "bytes"),
        (Entry("x", null=True), BAD_NO_DATA, ""),
        (Entry("x"), BAD_NO_DATA, "no value"),
        (Entry("x", kind=wire.UINT8, value=256), BAD_OUT_OF_RANGE, "range"),
        (Entry("x", kind=wire.INT8, value=3000), BAD_OUT_OF_RANGE, "range"),
    ],
)
def test_what_is_no_number_is_bad_and_says_why(entry: Entry, status: int, said: str) -> None:
    [(value, text, found, why)] = told(entry)
    assert (math.isnan(value), text, found) == (True, None, status)
    assert said in why


def test_texts_are_for_codes_and_dates_are_milliseconds() -> None:
    assert told(Entry("s", kind=wire.STRING, value="RUN"))[0][1] == "RUN"
    assert told(Entry("d", kind=wire.DATE_TIME, value=1_777_000_000_000))[0][0] == 1_777_000_000_000


@pytest.mark.parametrize(
    ("quality", "status"), [(None, GOOD), (192, GOOD), (0, BAD), (500, BAD_NO_COMMUNICATION), (64, UNCERTAIN)]
)
def test_the_property_quality_is_a_status(quality: int | None, status: int) -> None:
    assert status_of(quality) == status


@pytest.mark.parametrize("gzip", [False, True])
def test_a_compressed_payload_is_the_one_within(gzip: bool) -> None:
    plain = payload(1_777_000_000_000, 7, [Entry("a", 5, wire.INT32, -3), Entry("b", value=2.5)])
    assert parsed(wire.compressed(plain, gzip=gzip)) == parsed(plain)
    number_outside = wire.compressed(payload(1_777_000_000_000, None, []), gzip=gzip) + wire.whole(3, 9)
    assert parsed(number_outside).seq == 9


def test_a_compressed_payload_has_a_largest_size_and_an_end() -> None:
    plain = payload(1_777_000_000_000, 7, [Entry("a" * 5000)])
    packed = wire.compressed(plain)
    assert parsed(packed, len(plain)) == parsed(plain)
    with pytest.raises(ValueError, match=f"more than {len(plain) - 1} bytes; make largest: larger"):
        parsed(packed, len(plain) - 1)
    body = wire.block(4, b"SPBV1.0_COMPRESSED")
    for cut in (b"", zlib.compress(plain)[:-5], plain):
        with pytest.raises(ValueError, match="no Sparkplug B payload"):
            parsed(body + wire.block(5, cut))


@given(st.binary(max_size=80))
def test_bytes_are_a_payload_or_a_value_error(data: bytes) -> None:
    try:
        whole = parsed(data)
    except ValueError:
        return
    for metric in whole.metrics:
        value, text, status, _ = meant(metric, 0)
        assert math.isfinite(value) or text is not None or status >= BAD


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_spoiled_payload_is_read_or_refused(where: int, byte: int) -> None:
    body = bytearray(
        payload(1_777_000_000_000, 3, [Entry("Temperature/Oil", 4, value=61.5, quality=192)] * 3)
    )
    body[where % len(body)] = byte
    try:
        parsed(bytes(body))
    except ValueError as refused:
        assert "no Sparkplug B payload" in str(refused)


def test_the_only_command_there_is_asks_for_births() -> None:
    command = parsed(rebirth_command(1_777_000_000_000))
    [metric] = command.metrics
    assert (metric.name, metric.kind, metric.raw, command.seq) == (
        "Node Control/Rebirth",
        wire.BOOLEAN,
        True,
        None,
    )
