"""A database that was set back, as a restored backup is: how far its watermark reaches now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.model.words import Words

Mark = datetime | int
_FINEST = timedelta(milliseconds=1)


async def reached(
    ask: Callable[[Mark], Awaitable[Sequence[Mark]]], first: Mark, empty: Mark, limit: int
) -> Mark | None:
    """The last mark there is, None when there is none. `ask` tells those from a mark on, `limit` at most,
    in their order; from `empty` on there are none. Asks some forty times, not once for every page."""
    marks = await ask(first)
    if not marks:
        return None
    last = marks[-1]
    while len(marks) >= limit and (middle := _between(last, empty)) is not None:
        found = await ask(middle)
        if found:
            marks, last = found, found[-1]
        else:
            empty = middle
    return last


def went_back(told: Mapping[str, Any]) -> Words:
    """`from` and `to`, as people read them."""
    before, now = told["from"], told["to"]
    return Words(
        f"由 {before} 退回到 {now}，MES 的数据库可能恢复过备份；已从 {now} 起继续读取。"
        "请核对此后收下而 MES 中已没有的记录，然后搁置此条",
        f"went back from {before} to {now}: was the MES's database restored from a backup? It is read on "
        f"from {now}; look for what was taken after that and is no longer in the MES, then put this aside",
    )


def _between(low: Mark, high: Mark) -> Mark | None:
    """None when nothing lies between the two."""
    if isinstance(low, datetime) and isinstance(high, datetime):
        half = (high - low) / 2
        return low + half if half >= _FINEST else None
    if isinstance(low, int) and isinstance(high, int):
        middle = low + (high - low) // 2
        return middle if middle > low else None
    return None
