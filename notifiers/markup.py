"""Text that people wrote, made harmless for the robots' markdown, and cut to what fits. Pure.

Neither vendor documents an escape character, so what could act as markup is replaced by its full-width twin:
it looks the same to a reader and means nothing to a renderer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote, urlsplit

Pairs = Sequence[tuple[str, str]]
Render = Callable[[str, Pairs], str]

_TWINS = str.maketrans({"<": "＜", "`": "｀", "*": "＊", "~": "～", "@": "＠", "\\": "＼", "|": "｜"})
_SWAPS = (
    (re.compile(r"\](?=[(\[])"), "］"),  # [text](address), [text][name]
    (re.compile(r"&(?=#?\w+;)"), "＆"),  # &lt; and friends
    (re.compile(r"(?<=\w)://"), "：//"),  # addresses that a client would turn into links by itself
    (re.compile(r"(?<!\w)_|_(?!\w)"), "＿"),  # _emphasis_, but not oil_temp
)
_SHORTEST = 24  # bytes; a text cut below this says nothing any more
_ELLIPSIS = "…"


def literal(text: str) -> str:
    """The text as text: no link, no mention, no tag, no emphasis, no heading."""
    text = text.translate(_TWINS)
    for pattern, twin in _SWAPS:
        text = pattern.sub(twin, text)
    return text


def size(text: str) -> int:
    """Bytes of UTF-8: what the vendors count."""
    return len(text.encode())


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes, never half a code point, with an ellipsis where something was left out."""
    if size(text) <= limit:
        return text
    room = limit - size(_ELLIPSIS)
    if room < 0:
        return ""
    return text.encode()[:room].decode(errors="ignore") + _ELLIPSIS


def fitted(
    render: Render, headline: str, lines: Pairs, limit: int, measure: Callable[[str], int] = size
) -> str:
    """`render(headline, lines)` within `limit` bytes as `measure` counts them.

    The longest texts are shortened before they are marked up, then lines are left out from the end: no tag
    is ever cut in two.
    """
    lines = list(lines)
    while measure(text := render(headline, lines)) > limit:
        over = measure(text) - limit
        texts = [headline, *(t for _, t in lines)]
        longest = max(range(len(texts)), key=lambda i: size(texts[i]))
        shorter = cut(texts[longest], max(_SHORTEST, size(texts[longest]) - over))
        if shorter == texts[longest]:
            if not lines:
                return cut(text, limit)
            lines.pop()
        elif longest == 0:
            headline = shorter
        else:
            lines[longest - 1] = (lines[longest - 1][0], shorter)
    return text


def safe_link(link: str) -> str:
    """The address for use inside `[text](address)`, or nothing when it is not one of the web."""
    parts = urlsplit(link)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return quote(link, safe="/:?#[]@!$&'*+,;=%-._~")
