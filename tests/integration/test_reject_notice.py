"""Records that an MES could not hand over: people hear of it once, and again only when there is news."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from hub.model.intake import RejectState
from hub.notices import Notices
from hub.reject_notice import AGAIN, GATHER, RejectNotice
from hub.store.rejects import PgRejects
from hub.testing.clock import HandClock
from tests.api_house import house
from tests.contract.mes.worlds import EVENTS, Record, record
from tests.integration.test_mes_two_sources import intake

pytestmark = pytest.mark.anyio


class Watched:
    def __init__(self, on: Record) -> None:
        self.on, self.clock, self.rejects = on, HandClock(), PgRejects(on.pool)
        self.notices = Notices(house().deps.plant, ("group",), "http://hub.example/phone")
        self.notice = self.started()
        self._n = 0

    def started(self) -> RejectNotice:
        return RejectNotice(self.rejects, self.on.ledger, self.notices, self.clock)

    async def spoil(self, count: int = 1, source: str = "a") -> None:
        self._n += count
        bad = [{**EVENTS[1], "id": f"R-{self._n - n}", "good": "x"} for n in range(count)]
        await intake(self.on, source).take(bad)

    async def after(self, span: timedelta) -> list[Any]:
        """What has been told by then."""
        await self.notice.look()
        self.clock.turn(span.total_seconds())
        await self.notice.look()
        rows = await self.on.rows("select payload from outbox where kind = 'tell' order by id")
        return [row["payload"] for row in rows]

    async def settle(self) -> None:
        for one in await self.rejects.those(limit=1000):
            await self.rejects.decide(one.id, RejectState.ASIDE, "li", self.clock.now())
        await self.notice.look()


@pytest.fixture
async def it(dsn: str) -> AsyncIterator[Watched]:
    async with record(dsn) as on:
        yield Watched(on)


async def test_a_spoilt_file_is_one_message_to_people_who_may_decide(it: Watched) -> None:
    await it.spoil(40)
    assert await it.after(GATHER / 2) == []
    await it.spoil(2, "b")
    (told,) = await it.after(GATHER)
    assert told["title"]["zh"] == "MES 有 42 条记录未被收下，等待处理"
    assert [line["text"]["en"] for line in told["lines"]] == ["40", "2"]
    assert told["link"] == "http://hub.example/console#rejects" and told["people"]
    it.notice = it.started()  # another process goes on
    assert len(await it.after(AGAIN * 3)) == 1  # nothing new


async def test_news_while_some_wait_are_told_after_hours_and_at_once_when_none_did(it: Watched) -> None:
    await it.spoil()
    assert len(await it.after(GATHER)) == 1
    await it.spoil()
    assert len(await it.after(AGAIN / 2)) == 1
    assert len(await it.after(AGAIN)) == 2
    await it.settle()
    await it.spoil()
    assert len(await it.after(GATHER)) == 3
