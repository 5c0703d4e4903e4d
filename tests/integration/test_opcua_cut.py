"""A line that is cut while the server lives: what changes meanwhile is had all the same, and had once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.subscription_service import SubscriptionService
from asyncua.server.uaprocessor import UaProcessor

from collectors.opcua import OpcUaCollector
from collectors.runner import CollectorRunner
from hub.clock import SystemClock
from hub.errors import SourceUnavailable
from hub.model.sample import Sample, Tag
from hub.model.words import Words
from tests.simulators.devices import Heard, OpcUaPlant, Proxy

pytestmark = pytest.mark.anyio

T = ua.VariantType
LONG = timedelta(minutes=10)  # until a value would be said again for its age alone
TAGS = {
    f"m/{n}": Tag(i, f"m/{n}", Words("", n), stale_after=LONG) for i, n in enumerate(("count", "steady"), 1)
}
STOOD = "the subscription stood"


@pytest.fixture(scope="module")
async def plant() -> AsyncIterator[OpcUaPlant]:
    variables = {"count": ua.Variant(0, T.Int32), "steady": ua.Variant(7, T.Int32)}
    async with OpcUaPlant(variables) as one:
        yield one


class Cut:
    """A collector whose line is lost once; `again` lets the next one of the same source run."""

    def __init__(self, plant: OpcUaPlant, line: Proxy) -> None:
        self._plant, self._line, self.sink = plant, line, Heard()
        self.settings: dict[str, Any] = {}
        self.runner = CollectorRunner("cnc", self._make, self.sink, SystemClock(), self._nobody)
        self.at = SystemClock().now()

    def _make(self) -> OpcUaCollector:
        given = {
            "endpoint": f"opc.tcp://127.0.0.1:{self._line.port}/plant", "security": "none",
            "interval": "50ms", "keep_alive": "200ms", "timeout": "3s",
            "nodes": [{"tag": f"m/{n}", "node": self._plant.node(n)} for n in ("count", "steady")],
        }  # fmt: skip
        return OpcUaCollector(
            OpcUaCollector.Config.model_validate(given | self.settings), SystemClock(), TAGS, "cnc"
        )

    async def _nobody(self, up: bool, why: str) -> None:
        """Nobody wants to know."""

    async def count(self, *values: int) -> None:
        for value in values:
            self.at += timedelta(milliseconds=1)
            await self._plant.show("count", ua.Variant(value, T.Int32), self.at)

    async def lost(self) -> None:
        """After some values the line is cut, while three more come up."""
        await self.count(0)
        run = asyncio.create_task(self.runner.run())
        await self.sink.until(lambda: bool(self.good(2)))
        await self.count(1, 2)
        await self.sink.said(1, 2)
        self._line.cut()
        with pytest.raises(SourceUnavailable):
            async with asyncio.timeout(10):
                await run
        self.at = max(self.at, SystemClock().now())
        await self.count(3, 4, 5)

    @asynccontextmanager
    async def again(self) -> AsyncIterator[Heard]:
        run = asyncio.create_task(self.runner.run())
        try:
            yield self.sink
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    def good(self, tag: int) -> list[Sample]:
        return [s for s in self.sink.of(tag) if not s.status.is_bad]

    def counted(self) -> list[tuple[datetime, float]]:
        """What the machine counted, each once as it came; what was said again has the hub's time."""
        found: list[tuple[datetime, float]] = []
        for s in self.good(1):
            assert isinstance(s.value, float)
            if not found or s.value != found[-1][1]:
                found.append((s.source_time, s.value))
        return found


class Follows:
    """What asyncua's server forgets: that the publish requests come over the new channel, too."""

    def __get__(self, of: InternalSubscription, kind: Any = None) -> Any:
        return of.__dict__["pub_result_callback"]

    def __set__(self, of: InternalSubscription, tells: Any) -> None:
        of.__dict__["pub_result_callback"] = tells
        if tells is not None and of.__dict__.get("pub_request_callback") is not None:
            of.pub_request_callback = tells.__self__.get_publish_request


@pytest.fixture
async def cut(
    plant: OpcUaPlant, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cut]:
    send = UaProcessor.send_response

    def to_whom_it_reaches(processor: Any, *given: Any) -> None:
        if not processor._transport.is_closing():  # uvloop raises, and ends the subscription with it
            send(processor, *given)

    monkeypatch.setattr(UaProcessor, "send_response", to_whom_it_reaches)
    monkeypatch.setattr(InternalSubscription, "pub_result_callback", Follows(), raising=False)
    caplog.set_level(logging.INFO, "collectors.opcua")
    async with Proxy(plant.port) as line:
        yield Cut(plant, line)


def refuse_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InternalServer, "lookup_external_session", lambda *_: None)


def refuse_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: Any) -> list[ua.TransferResult]:
        return [ua.TransferResult(ua.StatusCode(ua.UInt32(0x801F0000)))]  # BadUserAccessDenied

    monkeypatch.setattr(SubscriptionService, "transfer_subscriptions", none)


@pytest.mark.parametrize("session", ["stands", "is gone"])
async def test_what_changed_in_a_cut_comes_in_order_with_its_time_and_once(
    cut: Cut, session: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await cut.lost()
    if session == "is gone":
        refuse_session(monkeypatch)
    async with cut.again() as sink:
        await cut.count(6)
        await sink.said(1, 6)
        await sink.until(lambda: len(cut.good(2)) >= 2)
    assert [value for _, value in cut.counted()] == [0, 1, 2, 3, 4, 5, 6]
    late = [at for at, value in cut.counted() if value in (3, 4, 5)]
    assert late[-1] - late[0] == timedelta(milliseconds=2), "as the machine has it, not as it came"
    assert STOOD in caplog.text
    assert cut.runner.about()["lost"] == {"overflow": 0, "notification": 0}


async def test_what_stands_still_is_good_again_though_the_server_says_nothing_of_it(cut: Cut) -> None:
    await cut.lost()
    bad = cut.sink.last(2)
    assert bad.status.is_bad
    async with cut.again() as sink:
        await sink.until(lambda: not sink.last(2).status.is_bad)
    assert sink.last(2).value == 7
    assert sink.last(2).source_time > bad.source_time


async def test_a_server_that_kept_neither_begins_anew_in_the_same_breath(
    cut: Cut, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await cut.lost()
    refuse_session(monkeypatch)
    refuse_transfer(monkeypatch)
    async with cut.again() as sink:
        await sink.said(1, 5)
    assert [value for _, value in cut.counted()] == [0, 1, 2, 5]
    assert STOOD not in caplog.text


async def test_a_server_started_anew_is_not_asked_for_what_may_be_somebody_elses(
    cut: Cut, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await cut.lost()
    refuse_session(monkeypatch)

    async def another(_: Any) -> datetime:
        return SystemClock().now()

    monkeypatch.setattr("collectors.opcua_resume.started", another)
    async with cut.again() as sink:
        await sink.said(1, 5)
    assert STOOD not in caplog.text


async def test_a_subscription_for_other_nodes_is_not_taken_up(
    cut: Cut, caplog: pytest.LogCaptureFixture
) -> None:
    await cut.lost()
    cut.settings = {"sampling": "100ms"}
    async with cut.again() as sink:
        await sink.said(1, 5)
    assert STOOD not in caplog.text


async def test_a_server_that_takes_it_up_and_falls_silent_is_not_asked_a_second_time(
    cut: Cut, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await cut.lost()
    asked = UaProcessor.get_publish_request
    monkeypatch.setattr(UaProcessor, "get_publish_request", lambda *_: None)
    with pytest.raises(SourceUnavailable, match="nothing heard"):
        async with asyncio.timeout(10):
            await cut.runner.run()
    assert STOOD in caplog.text
    caplog.clear()
    monkeypatch.setattr(UaProcessor, "get_publish_request", asked)
    async with cut.again() as sink:
        await sink.said(1, 5)
    assert STOOD not in caplog.text
