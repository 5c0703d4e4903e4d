"""Folders of thousands of nodes, browsed in pages from servers that hold few of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.uaerrors import BadResponseTooLarge

from collectors.opcua_line import Line
from collectors.opcua_references import browsed
from hub.errors import SourceUnavailable

pytestmark = pytest.mark.anyio

NO_ROOM, GONE = ua.StatusCode(ua.UInt32(0x804B0000)), ua.StatusCode(ua.UInt32(0x804A0000))


class Session:
    """Node n has `sizes[n]` references; `room` unfinished pages at once, `most` references in one answer."""

    def __init__(self, sizes: Sequence[int], room: int = 5, most: int = 5_000) -> None:
        self.sizes, self.room, self.most = sizes, room, most
        self.held: dict[bytes, tuple[int, int, int]] = {}  # node, references told, page
        self.calls = self.forgets = 0
        self.endless = False
        self.name = "kid"

    async def browse(self, wish: ua.BrowseParameters) -> list[Any]:
        page = int(wish.RequestedMaxReferencesPerNode)
        return self._answer([self._page(int(w.NodeId.Identifier), 0, page) for w in wish.NodesToBrowse])

    async def browse_next(self, wish: ua.BrowseNextParameters) -> list[Any]:
        found = [self.held.pop(bytes(p), None) for p in wish.ContinuationPoints]
        if wish.ReleaseContinuationPoints:
            return [ua.BrowseResult() for _ in found]
        if self.forgets:
            self.forgets -= 1
            return [ua.BrowseResult(StatusCode=GONE) for _ in found]
        return self._answer([self._page(*f) for f in found if f])

    def _page(self, node: int, told: int, page: int) -> Any:
        count = min(page or 1 << 30, self.sizes[node] - told)
        result = ua.BrowseResult()
        result.References = [self._reference(node, told + n) for n in range(count)]
        if told + count < self.sizes[node] or self.endless:
            if len(self.held) >= self.room:
                return ua.BrowseResult(StatusCode=NO_ROOM)
            result.ContinuationPoint = b"%d/%d" % (node, told + count)
            self.held[result.ContinuationPoint] = (node, told + count, page)
        return result

    def _reference(self, node: int, number: int) -> Any:
        return ua.ReferenceDescription(
            NodeId=ua.ExpandedNodeId(f"{node}/{number}", 2), BrowseName=ua.QualifiedName(self.name, 2)
        )

    def _answer(self, results: list[Any]) -> list[Any]:
        self.calls += 1
        if sum(len(r.References or ()) for r in results) > self.most:
            raise BadResponseTooLarge
        return results


def line_to(session: Session) -> Line:
    line = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1))
    line.client.uaclient.session = session  # type: ignore[assignment]
    return line


async def names(session: Session) -> list[list[str]]:
    wishes = [ua.BrowseDescription(ua.NodeId(n, 2)) for n in range(len(session.sizes))]
    return [[str(r.NodeId.Identifier) for r in refs] for refs in await browsed(line_to(session), wishes)]


def whole(session: Session) -> list[list[str]]:
    return [[f"{node}/{n}" for n in range(size)] for node, size in enumerate(session.sizes)]


@pytest.mark.parametrize("sizes", [[0], [3, 0, 500], [5_000], [501] * 4, [5_000, 1_200, 7]])
async def test_every_reference_of_a_large_folder_is_found(sizes: list[int]) -> None:
    session = Session(sizes)
    assert await names(session) == whole(session)
    assert not session.held, "the server keeps nothing for us"


@pytest.mark.parametrize("room", [1, 2, 5])
async def test_a_server_with_room_for_few_unfinished_folders_is_asked_again_for_the_others(room: int) -> None:
    session = Session([1_100] * 8, room)
    assert await names(session) == whole(session)


async def test_pages_become_smaller_where_one_is_too_large_and_it_is_remembered() -> None:
    session = Session([3_000], most=130)
    assert await names(session) == whole(session)
    line = line_to(session)
    wish = [ua.BrowseDescription(ua.NodeId(0, 2))]
    await browsed(line, wish)
    session.calls = 0
    await browsed(line, wish)
    assert session.calls == 24, "pages of 125, no larger one tried first"


async def test_a_page_that_was_lost_begins_the_folder_again() -> None:
    session = Session([2_000, 3])
    session.forgets = 1
    assert await names(session) == whole(session)


async def test_without_any_room_a_folder_is_asked_for_as_a_whole() -> None:
    session = Session([900], room=0)
    assert await names(session) == whole(session)


async def test_a_folder_without_end_and_names_without_end_are_given_up() -> None:
    endless = Session([10])
    endless.endless = True
    with pytest.raises(SourceUnavailable, match="no end"):
        await names(endless)
    long = Session([10])
    long.name = "x" * 5000
    with pytest.raises(SourceUnavailable, match="a name of more than 4096 characters"):
        await names(long)
