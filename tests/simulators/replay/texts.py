"""Text files of recordings: packed or not, in the encodings that plants' computers write."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TextIO

from hub.errors import ConfigError

PACKED: dict[str, Callable[..., IO[Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_LOOKED_AT = 65_536  # bytes from which the encoding is told
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, csv.Error)
_REMEDY = "take it out of the folder, or fetch it again"


def _open(path: Path, mode: str, **more: str) -> Any:
    return PACKED.get(path.suffix.lower(), open)(path, mode, **more)


def open_text(path: Path) -> TextIO:
    """Text of a file, unpacked when it is packed; bytes that are no text in its encoding become marks."""
    opened: TextIO = _open(path, "rt", encoding=_encoding(path), errors="replace", newline="")
    return opened


def _encoding(path: Path) -> str:
    """UTF-8 or UTF-16 where the file says so or is so; else what Chinese Windows writes."""
    with _open(path, "rb") as file:
        head: bytes = file.read(_LOOKED_AT)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a character cut in two at the end is none
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


def lines(path: Path) -> Iterator[str]:
    """Every line; raises ConfigError that names the file when it is damaged."""
    with whole(path), open_text(path) as file:
        yield from file


class whole:
    """What a damaged file raises in this block becomes a complaint that names it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, _DAMAGED):
            raise ConfigError(f"{self._path.name}: is damaged ({error}); {_REMEDY}") from None


def stem(path: Path) -> str:
    """File name without its packing and without its type."""
    name = path.name[: -len(path.suffix)] if path.suffix.lower() in PACKED else path.name
    return name.rpartition(".")[0] or name
