"""Modbus points into few block reads, and the answers into columns. Pure: no socket, no clock.

A block is decoded by one gather of bytes and one cast per type, so a poll of a hundred registers costs a
handful of numpy calls and no Python object per point.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Table = Literal["holding", "input", "coil", "discrete"]
Kind = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64",
    "bcd16", "bcd32", "bcd64", "string",
]  # fmt: skip
Order = Literal["big", "little"]

MAX_REGISTERS = 125  # Modbus Application Protocol 1.1b3, 6.3 and 6.4
MAX_BITS = 2000  # 6.1 and 6.2
DTYPES: dict[str, str] = {
    "bool": "<u2", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4",
    "int64": "<i8", "uint64": "<u8", "float32": "<f4", "float64": "<f8",
    "bcd16": "<u2", "bcd32": "<u4", "bcd64": "<u8",
}  # fmt: skip
WIDTHS = {kind: np.dtype(dtype).itemsize // 2 for kind, dtype in DTYPES.items()}  # in registers
BIT_TABLES = frozenset({"coil", "discrete"})
STRING = "string"  # last in a block, cast by nothing
_TENS = 10.0 ** np.arange(16)
_NIBBLES = np.arange(0, 64, 4, dtype=np.uint64)
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{0,18})?", re.ASCII)
_HARMLESS = 1e200  # no whole number times this, and plus this, is more than a float64 holds


@dataclass(frozen=True, slots=True)
class Point:
    """One value in a device. `address` counts from 0 as on the wire (40001 in a manual is holding 0).

    `word_order`: which register of a value comes first; `byte_order`: which byte within a register
    (big is what the standard says). `codes` turn a raw number (of a string: its text) into another one and
    leave out all others. `length` is that of a string, in registers; `unit` the device behind a gateway.
    """

    tag: int
    address: int
    kind: Kind = "uint16"
    table: Table = "holding"
    scale: float = 1.0
    offset: float = 0.0
    word_order: Order = "big"
    byte_order: Order = "big"
    bit: int | None = None
    codes: Mapping[Any, float] = field(default_factory=dict)
    length: int = 0
    unit: int = 0

    @property
    def is_bit(self) -> bool:
        return self.table in BIT_TABLES

    @property
    def width(self) -> int:
        """In registers, or in bits on the tables of bits."""
        if self.table in BIT_TABLES:
            return 1
        return self.length if self.kind == STRING else WIDTHS[self.kind]

    @property
    def end(self) -> int:
        return self.address + self.width

    def numbered(self, tag: int, unit: int | None = None) -> Point:
        """The same with its tag's number; what `dataclasses.replace` does, ten thousand times at a start."""
        return Point(
            tag, self.address, self.kind, self.table, self.scale, self.offset, self.word_order,
            self.byte_order, self.bit, self.codes, self.length, self.unit if unit is None else unit,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One read. Row `i` of the decoded column belongs to `points[i]` and `tags[i]`."""

    table: Table
    start: int
    count: int
    points: tuple[Point, ...]
    tags: NDArray[np.int32]
    gather: NDArray[np.intp]  # bytes of the answer in the order in which they are cast (bits: bit numbers)
    runs: tuple[tuple[str, int, int, int, int], ...]  # dtype, first and last byte, first and last row
    scale: NDArray[np.float64] | None
    offset: NDArray[np.float64] | None
    as_sent: str  # dtype of answers that are nothing but whole numbers of one kind, in order; else ""
    masked: tuple[tuple[int, int | None], ...]  # row, bit of its register (None: any bit)
    coded: tuple[tuple[int, Mapping[Any, float]], ...]
    unit: int
    in_digits: NDArray[np.intp]  # rows of BCD
    texts: tuple[tuple[int, NDArray[np.intp], Mapping[Any, float]], ...]  # row, its bytes, its codes

    @property
    def bytes_expected(self) -> int:
        return (self.count + 7) // 8 if self.table in BIT_TABLES else 2 * self.count

    @property
    def end(self) -> int:
        return self.start + self.count


def plan(
    points: Iterable[Point], hole: int = 8, limit: int = MAX_REGISTERS, bit_limit: int = MAX_BITS
) -> tuple[Block, ...]:
    """As few reads as `limit` and `hole` (registers read in vain between two points) allow."""
    blocks: list[Block] = []
    ordered = sorted(points, key=lambda p: (p.unit, p.table, p.address, p.end))
    run: list[Point] = []
    end = 0
    for point in ordered:
        most = bit_limit if point.is_bit else limit
        gap = hole * 16 if point.is_bit else hole
        fits = run and (run[0].unit, run[0].table) == (point.unit, point.table)
        if fits and point.address <= end + gap and point.end - run[0].address <= most:
            run.append(point)
            end = max(end, point.end)
            continue
        if run:
            blocks.append(block(run))
        run, end = [point], point.end
    if run:
        blocks.append(block(run))
    return tuple(blocks)


def block(points: Sequence[Point]) -> Block:
    """The read that covers these points of one table, with its decoder worked out."""
    table, start = points[0].table, min(p.address for p in points)
    count = max(p.end for p in points) - start
    ordered = tuple(sorted(points, key=lambda p: (p.kind == STRING, DTYPES.get(p.kind, ""), p.address)))
    numbers = [p for p in ordered if p.kind != STRING]
    plain = all(p.scale == 1.0 for p in ordered)
    level = all(p.offset == 0.0 for p in ordered)
    in_bits = table in BIT_TABLES
    return Block(
        table, start, count, ordered,
        np.array([p.tag for p in ordered], np.int32),
        np.array([p.address - start for p in ordered] if in_bits else _bytes(numbers, start), np.intp),
        () if in_bits else _runs(numbers),
        None if plain else np.array([p.scale for p in ordered]),
        None if level else np.array([p.offset for p in ordered]),
        _as_sent(ordered),
        () if in_bits else tuple((i, p.bit) for i, p in enumerate(ordered) if p.kind == "bool"),
        tuple((i, dict(p.codes)) for i, p in enumerate(numbers) if p.codes),
        points[0].unit,
        np.array([i for i, p in enumerate(numbers) if p.kind.startswith("bcd")], np.intp),
        tuple((i, _letters(p, start), dict(p.codes)) for i, p in enumerate(ordered) if p.kind == STRING),
    )  # fmt: skip


def _as_sent(points: Sequence[Point]) -> str:
    first = points[0]
    alike = all(
        (p.kind, p.word_order, p.byte_order, p.is_bit) == (first.kind, "big", "big", False)
        and max(abs(p.scale), abs(p.offset)) < _HARMLESS
        for p in points
    )
    if not alike or "int" not in first.kind or any(a.end != b.address for a, b in pairwise(points)):
        return ""
    return DTYPES[first.kind].replace("<", ">")


def _bytes(points: Sequence[Point], start: int) -> list[int]:
    """Where in the answer each value's bytes lie, least significant first."""
    places: list[int] = []
    for point in points:
        registers = range(point.address - start, point.end - start)
        low_first = (1, 0) if point.byte_order == "big" else (0, 1)
        for register in reversed(registers) if point.word_order == "big" else registers:
            places += [2 * register + low_first[0], 2 * register + low_first[1]]
    return places


def _letters(point: Point, start: int) -> NDArray[np.intp]:
    first = (0, 1) if point.byte_order == "big" else (1, 0)
    registers = range(point.address - start, point.end - start)
    return np.array([2 * r + half for r in registers for half in first], np.intp)


def _runs(points: Sequence[Point]) -> tuple[tuple[str, int, int, int, int], ...]:
    runs: list[tuple[str, int, int, int, int]] = []
    at = 0
    for row, point in enumerate(points):
        dtype, size = DTYPES[point.kind], 2 * point.width
        if runs and runs[-1][0] == dtype:
            _, first, _, first_row, _ = runs.pop()
            runs.append((dtype, first, at + size, first_row, row + 1))
        else:
            runs.append((dtype, at, at + size, row, row + 1))
        at += size
    return tuple(runs)


def decode(plan_of: Block, answer: bytes) -> NDArray[np.float64]:
    """The answer's data bytes as engineering values, one row per point; NaN where there is none.

    64-bit integers beyond 2**53 lose their last digits: a column is float64. Raises ValueError when the
    answer is not as long as the question.
    """
    if len(answer) != plan_of.bytes_expected:
        raise ValueError(f"asked for {plan_of.bytes_expected} bytes, got {len(answer)}")
    if plan_of.as_sent:
        return _engineering(plan_of, np.frombuffer(answer, plan_of.as_sent).astype(np.float64))
    with np.errstate(all="ignore"):  # noise in a float register is data, not a fault of ours
        return _engineering(plan_of, _unpacked(plan_of, answer))


def _unpacked(plan_of: Block, answer: bytes) -> NDArray[np.float64]:
    raw = np.frombuffer(answer, np.uint8)
    if plan_of.table in BIT_TABLES:
        values = np.unpackbits(raw, bitorder="little")[plan_of.gather].astype(np.float64)
    else:
        picked = raw[plan_of.gather]
        values = np.empty(len(plan_of.points), np.float64)
        for dtype, first, last, top, bottom in plan_of.runs:
            values[top:bottom] = picked[first:last].view(dtype)
            if len(plan_of.in_digits) and dtype.startswith("<u"):
                rows = plan_of.in_digits[(plan_of.in_digits >= top) & (plan_of.in_digits < bottom)]
                values[rows] = _digits(picked[first:last].view(dtype)[rows - top])
        for row, places, codes in plan_of.texts:
            values[row] = _spelled(raw[places].tobytes(), codes)
    for row, bit in plan_of.masked:
        word = int(values[row])
        values[row] = bool(word) if bit is None else word >> bit & 1
    return values


def _digits(words: NDArray[Any]) -> NDArray[np.float64]:
    """Binary-coded decimals, four bits a digit; NaN where a digit is above nine."""
    nibbles = words.astype(np.uint64)[:, None] >> _NIBBLES & np.uint64(15)
    return np.where((nibbles > 9).any(axis=1), np.nan, nibbles.astype(np.float64) @ _TENS)


def _spelled(letters: bytes, codes: Mapping[Any, float]) -> float:
    """The number that a text stands for by its codes; without codes, the one that it spells."""
    text = text_of(letters)
    if codes:
        return codes.get(text, math.nan)
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def text_of(letters: bytes) -> str:
    """Up to the first NUL, without the blanks around it; UTF-8, else GB18030 as in China."""
    held = letters.partition(b"\0")[0]
    for encoding in ("utf-8", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return held.decode(encoding).strip()
    return ""


def _engineering(plan_of: Block, values: NDArray[np.float64]) -> NDArray[np.float64]:
    for row, codes in plan_of.coded:
        values[row] = codes.get(float(values[row]), np.nan)
    if plan_of.scale is not None:
        values *= plan_of.scale
    if plan_of.offset is not None:
        values += plan_of.offset
    return values


def halves(whole: Block) -> tuple[Block, Block]:
    """The same points in two reads, by address: how a forbidden register is hunted down."""
    ordered = sorted(whole.points, key=lambda p: (p.address, p.end))
    middle = len(ordered) // 2
    return block(ordered[:middle]), block(ordered[middle:])


def singles(whole: Block) -> tuple[Block, ...]:
    """The same points in a read each."""
    return tuple(block([point]) for point in whole.points)


def rejoin(
    blocks: Sequence[Block], limit: int = MAX_REGISTERS, bit_limit: int = MAX_BITS
) -> tuple[Block, ...]:
    """Blocks that touch become one again: every register of the result was in a read that worked."""
    out: list[Block] = []
    for one in sorted(blocks, key=lambda b: (b.unit, b.table, b.start, b.end)):
        most = bit_limit if one.table in BIT_TABLES else limit
        last = out[-1] if out else None
        alike = last and (last.unit, last.table) == (one.unit, one.table)
        if last and alike and one.start <= last.end and one.end - last.start <= most:
            out[-1] = block(last.points + one.points)
        else:
            out.append(one)
    return tuple(out)
