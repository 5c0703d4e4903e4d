"""Points into blocks and bytes into columns."""

from __future__ import annotations

import math
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.blocks import MAX_REGISTERS, Block, Point, block, decode, halves, plan, rejoin

FORMATS = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q", "float32": "f",
    "float64": "d",
}  # fmt: skip
KINDS: list[Any] = ["bool", *FORMATS]


def words_of(point: Point, value: float) -> list[int]:
    """The registers a device would hold for this value: written apart from the decoder, word by word."""
    if point.kind == "bool":
        return [int(bool(value)) << (point.bit or 0)]
    text = struct.pack(">" + FORMATS[point.kind], value)
    words = [text[i : i + 2] for i in range(0, len(text), 2)]
    if point.word_order == "little":
        words.reverse()
    if point.byte_order == "little":
        words = [w[::-1] for w in words]
    return [int.from_bytes(w, "big") for w in words]


def answer(whole: Block, memory: dict[int, int]) -> bytes:
    return b"".join(memory.get(a, 0xDEAD).to_bytes(2, "big") for a in range(whole.start, whole.end))


def values_for(kind: str) -> st.SearchStrategy[Any]:
    if kind == "bool":
        return st.sampled_from([0, 1])
    if kind == "float32":
        return st.floats(width=32, allow_nan=False, allow_infinity=False)
    if kind == "float64":
        return st.floats(allow_nan=False, allow_infinity=False)
    bits = int(kind.lstrip("uint"))
    low, high = (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.integers(low, high)


@st.composite
def a_device(draw: st.DrawFn) -> list[tuple[Point, Any]]:
    """Points that do not overlap, with the value each of them shows."""
    shown, address = [], draw(st.integers(0, 50))
    for tag in range(draw(st.integers(1, 60))):
        kind = draw(st.sampled_from(KINDS))
        bit = draw(st.none() | st.integers(0, 15)) if kind == "bool" else None
        point = Point(
            tag, address, kind, "holding", word_order=draw(st.sampled_from(["big", "little"])),
            byte_order="big" if kind == "bool" else draw(st.sampled_from(["big", "little"])), bit=bit,
        )  # fmt: skip
        shown.append((point, draw(values_for(kind))))
        address = point.end + draw(st.sampled_from([0, 0, 0, 1, 7, 8, 9, 200]))
    return shown


@settings(deadline=None)
@given(a_device(), st.integers(0, 20), st.integers(4, MAX_REGISTERS))
def test_every_point_is_read_exactly_once_and_no_read_is_too_long(
    device: list[tuple[Point, Any]], hole: int, limit: int
) -> None:
    points = [p for p, _ in device]
    blocks = plan(points, hole, limit)
    assert sorted(p.tag for b in blocks for p in b.points) == sorted(p.tag for p in points)
    for b in blocks:
        assert 1 <= b.count <= limit
        assert all(b.start <= p.address and p.end <= b.end for p in b.points)
        inside = sorted(b.points, key=lambda p: p.address)
        assert all(after.address - before.end <= hole for before, after in pairwise(inside))


@settings(deadline=None)
@given(a_device())
def test_what_a_device_holds_is_what_is_read_in_every_type_and_order(device: list[tuple[Point, Any]]) -> None:
    memory = {p.address + i: word for p, value in device for i, word in enumerate(words_of(p, value))}
    shown = {p.tag: value for p, value in device}
    for b in plan([p for p, _ in device]):
        for tag, value in zip(b.tags, decode(b, answer(b, memory)), strict=True):
            assert value == float(shown[int(tag)])


@settings(deadline=None)
@given(st.sampled_from([k for k in FORMATS if "int" in k]), st.data())
def test_registers_all_alike_are_read_as_they_were_sent(kind: Any, data: st.DataObject) -> None:
    """The short way through the decoder, with every scale that a file may name."""
    shown = data.draw(st.lists(values_for(kind), min_size=1, max_size=30))
    scale, offset = (data.draw(st.floats(allow_nan=False, allow_infinity=False)) for _ in range(2))
    width = Point(0, 0, kind).width
    points = [Point(n, 7 + n * width, kind, scale=scale, offset=offset) for n in range(len(shown))]
    one = block(points)
    assert bool(one.as_sent) == (max(abs(scale), abs(offset)) < 1e200)
    memory = {
        p.address + i: w for p, v in zip(points, shown, strict=True) for i, w in enumerate(words_of(p, v))
    }
    expected = [float(v) * scale + offset for v in shown]
    np.testing.assert_array_equal(decode(one, answer(one, memory)), np.array(expected, float))


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=300), st.integers(0, 100))
def test_bits_are_read_lowest_first(bits: list[bool], start: int) -> None:
    points = [Point(i, start + i, "bool", "coil") for i in range(len(bits))]
    (one,) = plan(points)
    packed = np.packbits(np.array(bits), bitorder="little").tobytes()
    assert list(decode(one, packed)) == [float(b) for b in bits]


def test_tables_are_never_mixed() -> None:
    points = [
        Point(0, 0),
        Point(1, 1, table="input"),
        Point(2, 2, "bool", "coil"),
        Point(3, 3, "bool", "discrete"),
    ]
    assert sorted(b.table for b in plan(points)) == ["coil", "discrete", "holding", "input"]


def test_a_hundred_registers_side_by_side_are_one_read() -> None:
    assert [b.count for b in plan([Point(i, i) for i in range(100)])] == [100]


def test_a_float_across_the_limit_goes_whole_into_the_next_read() -> None:
    points = [Point(0, 0), Point(1, 124, "float32")]
    assert [(b.start, b.count) for b in plan(points, hole=123)] == [(0, 1), (124, 2)]


def test_scale_and_offset_make_engineering_values() -> None:
    one = block([Point(1, 0, "int16", scale=0.1, offset=-40.0), Point(2, 1, "uint16")])
    assert dict(zip(one.tags.tolist(), decode(one, b"\x03\xe8\x00\x07").tolist(), strict=True)) == {
        1: pytest.approx(60.0), 2: 7.0,
    }  # fmt: skip


def test_codes_replace_a_number_and_leave_out_what_they_do_not_know() -> None:
    one = block([Point(1, 0, codes={3: 7.0}), Point(2, 1, codes={3: 7.0})])
    known, unknown = decode(one, b"\x00\x03\x00\x04")
    assert known == 7.0
    assert math.isnan(unknown)


def test_the_bits_of_one_register_are_points_of_their_own() -> None:
    one = block([Point(b, 0, "bool", bit=b) for b in range(16)])
    values = dict(zip(one.tags.tolist(), decode(one, b"\x80\x05").tolist(), strict=True))
    assert [b for b, v in values.items() if v] == [0, 2, 15]


@pytest.mark.parametrize("wrong", [b"", b"\x00", b"\x00" * 3, b"\x00" * 5])
def test_an_answer_of_another_length_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="asked for 4 bytes"):
        decode(block([Point(0, 0), Point(1, 1)]), wrong)


@settings(deadline=None)
@given(st.binary(min_size=250, max_size=250))
def test_no_bytes_whatever_upset_the_decoder(noise: bytes) -> None:
    kinds: list[Any] = ["float64", "float32", "int16", "uint64", "bool"]
    points = [Point(i, i * 4, kinds[i % 5], scale=3.0, offset=1.0) for i in range(31)] + [Point(99, 124)]
    assert len(decode(block(points), noise)) == 32


@settings(deadline=None)
@given(a_device())
def test_halves_hold_all_points_and_touching_reads_become_one_again(device: list[tuple[Point, Any]]) -> None:
    whole = block([p for p, _ in device])
    if len(whole.points) < 2:
        return
    one, other = halves(whole)
    assert {p.tag for p in one.points} | {p.tag for p in other.points} == {p.tag for p in whole.points}
    again = rejoin((one, other))
    assert {p.tag for b in again for p in b.points} == {p.tag for p in whole.points}
    covered = {a for b in (one, other) for a in range(b.start, b.end)}
    assert {a for b in again for a in range(b.start, b.end)} == covered  # nothing unread is taken in
    assert all(b.count <= max(MAX_REGISTERS, one.count, other.count) for b in again)


def test_reads_with_a_register_between_them_stay_apart() -> None:
    """That register may be the one the device refuses."""
    apart = rejoin([block([Point(0, 0)]), block([Point(1, 2)])])
    touching = rejoin([block([Point(0, 0)]), block([Point(1, 1)])])
    assert [(b.start, b.count) for b in apart] == [(0, 1), (2, 1)]
    assert [(b.start, b.count) for b in touching] == [(0, 2)]


# ------------------------------------------------------------------ against brute force
@st.composite
def a_few_points(draw: st.DrawFn) -> list[Point]:
    """They may overlap, as a word and its bits do."""
    kinds: st.SearchStrategy[Any] = st.sampled_from(["bool", "uint16", "int32", "float64", "bcd32"])
    return [
        Point(tag, draw(st.integers(0, 24)), draw(kinds), unit=draw(st.integers(1, 2)))
        for tag in range(draw(st.integers(1, 7)))
    ]


def fewest(points: list[Point], hole: int, limit: int) -> int:
    """Every way to put them into reads is tried."""

    def allowed(some: list[Point]) -> bool:
        inside = {a for p in some for a in range(p.address, p.end)}
        gaps = (b - a - 1 for a, b in pairwise(sorted(inside)))
        one_device = len({p.unit for p in some}) == 1
        return one_device and max(inside) - min(inside) < limit and all(gap <= hole for gap in gaps)

    def ways(left: list[Point], reads: list[list[Point]]) -> int:
        if not left:
            return len(reads) if all(map(allowed, reads)) else 99
        first, *rest = left
        joined = [ways(rest, [*reads[:i], [*r, first], *reads[i + 1 :]]) for i, r in enumerate(reads)]
        return min(*joined, ways(rest, [*reads, [first]])) if joined else ways(rest, [[first]])

    return ways(points, [])


@settings(deadline=None, max_examples=60)
@given(a_few_points(), st.integers(0, 6), st.integers(4, 16))
def test_no_other_way_to_read_them_needs_fewer_questions(points: list[Point], hole: int, limit: int) -> None:
    assert len(plan(points, hole, limit)) == fewest(points, hole, limit)


@settings(deadline=None)
@given(
    st.sampled_from(["bcd16", "bcd32", "bcd64"]), st.data(), st.sampled_from(["big", "little"]),
    st.sampled_from(["big", "little"]),
)  # fmt: skip
def test_coded_decimals_are_read_in_all_four_orders(kind: Any, data: Any, words: Any, letters: Any) -> None:
    point = Point(1, 5, kind, word_order=words, byte_order=letters)
    number = data.draw(st.integers(0, 10 ** (4 * point.width) - 1))
    held = bytes.fromhex(f"{number:0{4 * point.width}d}")
    registers = [held[i : i + 2] for i in range(0, len(held), 2)]
    registers = registers[::-1] if words == "little" else registers
    sent = b"".join(r[::-1] if letters == "little" else r for r in registers)
    beside = block([point, Point(2, 5 + point.width, "uint16", scale=0.5)])
    values = dict(zip(beside.tags.tolist(), decode(beside, sent + b"\x00\x07"), strict=True))
    assert values == {1: float(number), 2: 3.5}


def test_four_bits_above_nine_are_no_decimal() -> None:
    one = block([Point(1, 0, "bcd16"), Point(2, 1, "bcd16")])
    wrong, right = decode(one, b"\x12\x3a\x12\x34")
    assert math.isnan(wrong)
    assert right == 1234


@pytest.mark.parametrize(
    ("sent", "order", "codes", "means"),
    [
        (b"RUN\x00\xff\xff", "big", {"RUN": 1.0}, 1.0),
        (b"UR\x00N\x00\x00", "little", {"RUN": 1.0}, 1.0),
        (b"\xe8\xbf\x90\xe8\xa1\x8c", "big", {"运行": 2.0}, 2.0),
        ("运行".encode("gb18030") + b"  ", "big", {"运行": 2.0}, 2.0),
        (b"STOP  ", "big", {"RUN": 1.0}, None),
        (b" 12.5 ", "big", {}, 12.5),
        (b"1e9999", "big", {}, None),
        (b"inf\x00\x00\x00", "big", {}, None),
        (b"\xff" * 6, "big", {"": 1.0}, 1.0),
    ],
)
def test_a_text_stands_for_a_number(sent: bytes, order: Any, codes: Any, means: float | None) -> None:
    text = Point(1, 1, "string", length=3, byte_order=order, codes=codes)
    one = block([text, Point(2, 0, "int16"), Point(3, 4, "float32", scale=2.0)])
    values = dict(zip(one.tags.tolist(), decode(one, b"\xff\xfe" + sent + b"\x3f\x80\x00\x00"), strict=True))
    assert (values[2], values[3]) == (-2, 2)
    assert math.isnan(values[1]) if means is None else values[1] == means
