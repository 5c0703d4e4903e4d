"""Bytes of other people's text files as letters, which are not guessed (pure)."""

from __future__ import annotations

import codecs
import re

from hub.model.words import Words

CUT = "\ufffd"  # at the end of a text that ends in the middle of a letter
_HEAD = re.compile(r"[,;\t|].*[\r\n]")  # names of columns


class Unfit(Exception):
    """A file that is not read; its text says where and what to do."""

    def __init__(self, en: str, zh: str = "") -> None:
        super().__init__(en)
        self.words = Words(zh or en, en)


def decoded(content: bytes, encoding: str = "") -> str:
    """As the mark at its beginning says, else UTF-8, else GB18030 as spreadsheets in China write. Raises
    Unfit rather than guess letters. Half a letter at the end is CUT: somebody may be writing on."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
    ):  # fmt: skip
        if content.startswith(mark):
            encoding = name
            break
    else:
        encoding = _unmarked(content) or encoding
    for name in [encoding] if encoding else ["utf-8", "gb18030"]:
        if name == "gb18030" and not encoding and (line := _spoilt(content)):
            raise Unfit(
                f"is UTF-8, but for line {line}; correct that line, or save it as CSV UTF-8",
                f"是 UTF-8 编码，但第 {line} 行不是；请改正该行，或另存为 CSV UTF-8",
            )
        text = _spelt(content, name)
        if text is None or (not encoding and name == "utf-8" and text.endswith(CUT) and text[:-1].isascii()):
            continue  # of nothing but half a letter nobody can say whose it is
        return text.removeprefix("\ufeff")  # that of GB18030
    raise Unfit(
        f"is not written in {encoding or 'UTF-8 or GB18030'}; save it as CSV UTF-8",
        f"不是 {encoding or 'UTF-8 或 GB18030'} 编码，请另存为 CSV UTF-8",
    )


def _spelt(content: bytes, encoding: str) -> str | None:
    """None when it is not written so."""
    reader = codecs.getincrementaldecoder(encoding)()
    try:
        text = reader.decode(content)
    except UnicodeDecodeError:
        return None
    return text + CUT if reader.getstate()[0] else text


def _unmarked(content: bytes) -> str:
    """UTF-16 without the mark that should stand before it: nothing else has every other byte of its commas
    and line ends NUL."""
    if b"\x00" not in content:
        return ""
    little = content[1::2].count(0) > content[::2].count(0)
    name = "utf-16-le" if little else "utf-16-be"
    text = _spelt(content, name)
    return name if text and "\x00" not in text and _HEAD.search(text) else ""


def _spoilt(content: bytes) -> int:
    """The first line that is no UTF-8 of a file that is so elsewhere, as where a text was cut off in a letter
    or programs wrote one behind the other; 0 of another. In GB18030 all its letters would be others."""
    spoilt: list[int] = []
    sound = 0
    for n, line in enumerate(content.splitlines(), 1):
        try:
            sound += max(line.decode(), default="") >= "\u0800"  # three bytes, as hardly any line of GB18030
        except UnicodeDecodeError:
            spoilt.append(n)
    return spoilt[0] if spoilt and sound >= len(spoilt) else 0
