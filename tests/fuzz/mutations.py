"""Bytes made wrong: flipped, cut, doubled, moved, with numbers in them that nobody expects. Pure."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

_INTEGERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WIDE = (0, 1, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)
_FLOATS = (float("nan"), float("inf"), float("-inf"), 5e-324, 1.7e308, -0.0)
_WORDS = (
    b"0", b"-1", b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1" * 400, b"1" * 5000, b"9" * 20,
    b"null", b"true", b"[]", b"{}", b'""', b'"\\ud800"', b'"\xff\xfe"', b"[" * 3000, b'{"a":' * 3000, b"\x00",
    b"2026-13-45T99:99:99Z", b"0x10", b"1.5.5", "\u202e\u0661".encode(),
)  # fmt: skip
_TOKEN = re.compile(rb'-?\d+(?:\.\d+)?|"[^"]*"|true|false|null|[\[\]{},:]')

Mutation = Callable[[random.Random, bytearray], None]


def mutated(rng: random.Random, message: bytes, *, text: bool = False) -> bytes:
    """One to three things wrong with it; `text`: tokens as well as bytes."""
    changed = bytearray(message)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_TEXT if text and rng.random() < 0.7 else _BYTES)(rng, changed)
    return bytes(changed)


def other_than(rng: random.Random, was: int, size: int) -> int:
    """A number of so many bytes that is not this one."""
    most = 256**size
    near = [was + 1, was - 1, was ^ 1, was ^ (most >> 1), 0, 1, most - 1, rng.randrange(most)]
    return rng.choice([n % most for n in near if n % most != was])


def _flip(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _drop(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice((1, 2, 4, 8, 64))]


def _twice(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    part = data[start : start + rng.randrange(1, 65)]
    data[start:start] = part * rng.choice((1, 1, 2, 50))


def _noise(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.choice((1, 2, 4, 16, 500)))


def _run(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    end = min(start + rng.choice((1, 2, 4, 8, 32)), len(data))
    data[start:end] = rng.choice((b"\x00", b"\xff", b"\x7f", b"\x80")) * (end - start)


def _number(rng: random.Random, data: bytearray) -> None:
    kind = rng.choice(("B", "<H", ">H", "<I", ">I", "<I", ">I", "<Q", ">Q"))
    worth = rng.choice(_WIDE if "Q" in kind else _INTEGERS)
    _put(rng, data, struct.pack(kind, worth & (256 ** struct.calcsize(kind) - 1)))


def _float(rng: random.Random, data: bytearray) -> None:
    kind = rng.choice(("<d", ">d", "<f", ">f"))
    worth = rng.choice(_FLOATS)
    _put(rng, data, struct.pack(kind, 3.4e38 if kind[1] == "f" and abs(worth) == 1.7e308 else worth))


def _swap(rng: random.Random, data: bytearray) -> None:
    size = rng.choice((1, 2, 4, 8))
    if len(data) >= 2 * size:
        a, b = sorted(rng.randrange(len(data) - size + 1) for _ in range(2))
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def _put(rng: random.Random, data: bytearray, worth: bytes) -> None:
    if len(data) >= len(worth):
        at = rng.randrange(len(data) - len(worth) + 1)
        data[at : at + len(worth)] = worth


def _word(rng: random.Random, data: bytearray) -> None:
    """A number, text or bracket becomes something of another kind."""
    if found := list(_TOKEN.finditer(data)):
        token = rng.choice(found)
        data[token.start() : token.end()] = rng.choice(_WORDS)


def _line(rng: random.Random, data: bytearray) -> None:
    """A line of a head twice, gone, longer than anybody's, or ended in another way."""
    lines = bytes(data).split(b"\r\n")
    at = rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            lines.insert(at, lines[at])
        case 1:
            del lines[at]
        case 2:
            lines[at] += b"x" * 40_000
        case 3:
            lines[at] = lines[at].replace(b":", b" :", 1)
        case _:
            lines.insert(at, rng.choice((b"Transfer-Encoding: chunked", b"Content-Length: -1", b"X", b" y")))
    data[:] = rng.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r")).join(lines)


_BYTES: tuple[Mutation, ...] = (_flip, _flip, _cut, _drop, _twice, _noise, _run, _number, _float, _swap)
_TEXT: tuple[Mutation, ...] = (_word, _word, _word, _line)
