"""The references of nodes in pages, so that a folder of thousands of nodes is no message of megabytes.

A server holds a few unfinished pages at most (open62541 five, node-opcua twenty): what it has no room for is
asked for again when it holds none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError

from collectors.opcua_line import TOO_LARGE, Line
from hub.errors import SourceUnavailable

_PAGE = 500  # references of one node in one answer; 100 to 300 bytes each
_MOST_PAGES, _MOST = 2_000, 100_000  # pages, references of one node
_LONGEST = 4096  # characters of a name or a node id (part 3, clause 8.2)
_NO_LIMIT = 0
_PAGES = "references"


async def browsed(line: Line, wishes: Sequence[ua.BrowseDescription]) -> list[list[Any]]:
    """Of each wish all its references; none where the server refuses.

    Raises TOO_LARGE where fewer wishes, or larger messages, would help.
    """
    found = await _first_pages(line, wishes, line.portions.of(_PAGES, _PAGE))
    for at, (wish, refs) in enumerate(zip(wishes, found, strict=True)):
        if refs is None:
            found[at] = await _alone(line, wish)
    return [refs or [] for refs in found]


async def _alone(line: Line, wish: ua.BrowseDescription) -> list[Any]:
    """With pages as the server has room for, else without."""
    [refs] = await _first_pages(line, [wish], line.portions.of(_PAGES, _PAGE))
    if refs is None:
        [refs] = await _first_pages(line, [wish], _NO_LIMIT)
    if refs is None:
        raise SourceUnavailable(f"the server breaks off what is below {wish.NodeId.to_string()}")
    return refs


async def _first_pages(
    line: Line, wishes: Sequence[ua.BrowseDescription], page: int
) -> list[list[Any] | None]:
    """None for those that the server has no room for now, or breaks off."""
    while True:
        try:
            return await _pages(line, wishes, page)
        except TOO_LARGE as cause:
            if len(wishes) > 1 or not page or not line.less(_PAGES, page, cause):
                raise
            page = line.portions.of(_PAGES, _PAGE)


async def _pages(line: Line, wishes: Sequence[ua.BrowseDescription], page: int) -> list[list[Any] | None]:
    session = line.client.uaclient.session
    results = await session.browse(ua.BrowseParameters(ua.ViewDescription(), page, list(wishes)))
    if len(results) != len(wishes):
        raise SourceUnavailable(f"{len(wishes)} nodes were browsed and {len(results)} answered")
    open_ = {at: r.ContinuationPoint for at, r in enumerate(results) if r.ContinuationPoint}
    found: list[list[Any] | None] = [_refs(r) for r in results]
    try:
        for at in list(open_):
            found[at] = await _rest(line, open_, at, found[at] or [])
    finally:
        if open_:
            with contextlib.suppress(UaError, OSError, TimeoutError):
                await session.browse_next(ua.BrowseNextParameters(True, list(open_.values())))
    return found


async def _rest(line: Line, open_: dict[int, bytes], at: int, refs: list[Any]) -> list[Any] | None:
    """`refs` and what comes behind them; `open_` holds what the server still keeps for us."""
    for _ in range(_MOST_PAGES):
        wish = ua.BrowseNextParameters(False, [open_[at]])
        [result] = await line.client.uaclient.session.browse_next(wish)
        more = _refs(result)
        if more is None or not result.StatusCode.is_good():
            del open_[at]
            return None
        refs += more
        if len(refs) > _MOST:
            break
        if not result.ContinuationPoint:
            del open_[at]
            return refs
        open_[at] = result.ContinuationPoint
    raise SourceUnavailable("the references of one node have no end")


def _refs(result: Any) -> list[Any] | None:
    if result.StatusCode.value == StatusCodes.BadNoContinuationPoints:
        return None
    refs = list(result.References or ())
    for ref in refs:
        said = (ref.BrowseName.Name, ref.DisplayName.Text, ref.NodeId.Identifier)
        if any(len(part) > _LONGEST for part in said if isinstance(part, str | bytes)):
            raise SourceUnavailable(f"the server has a name of more than {_LONGEST} characters")
    return refs
