"""Every notifier against its simulator: what it takes, refuses, and where it breaks off."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from hub.errors import DeliveryDeferred, DeliveryRefused
from hub.model.alarm import Priority
from hub.model.message import Message
from hub.ports import Notifier
from hub.testing.clock import HandClock
from notifiers.apprise_url import AppriseConfig, AppriseNotifier
from notifiers.dingtalk import DingTalkConfig, DingTalkNotifier
from notifiers.exchange import AnswerLost, NeverLeft
from notifiers.wecom import WeComConfig, WeComNotifier
from tests.simulators.process import http_server
from tests.simulators.robots.app import Robots
from tests.simulators.robots.inbox import Note

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),  # Apprise's own import
]

KEY = "canary-wecom-key-7f3a"
TOKEN = "canary-dingtalk-token-91cc"
SECRET = "SECcanarydingtalksecret0451"
WEBHOOK = "canary-webhook-key-aa17"
SECRETS = (KEY, TOKEN, SECRET, WEBHOOK)
PATIENCE = timedelta(seconds=0.4)

HOT = Message(
    key="tell:7:raised:1:group",
    headline="【紧急】3号线 冲压机07 油温 92.4℃ > 80℃ 已 2 分钟",
    lines=(("处置", "停机，检查冷却水"), ("工单", "AH-20260105-0007")),
    priority=Priority.CRITICAL,
    link="http://127.0.0.1:8800/phone.html#t=AH-20260105-0007",
    link_text="打开处理",
    mentions=("zhang.san",),
)


class Webhook:
    """A generic receiver for Apprise's json:// with the same faults as the robots."""

    def __init__(self, robots: Robots) -> None:
        from tests.simulators.robots.app import Endpoint

        self.name = "webhook"
        self._robots = robots
        self._endpoint = Endpoint(self, robots)  # type: ignore[arg-type]

    def answer(self, method: str, query: Any, content_type: str, content: bytes) -> dict[str, Any]:
        import json

        body = json.loads(content)
        text = f"{body['title']}\n{body['message']}"
        self._robots.inbox.show(self.name, self._robots.clock.now(), msgtype="json", text=text)
        return {"ok": True}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._endpoint(scope, receive, send)


@dataclass
class Carrier:
    """One notifier and the robot that it talks to."""

    name: str
    robots: Robots
    make: Callable[[timedelta], Notifier]

    def notes(self) -> list[Note]:
        return self.robots.inbox.of(self.name)

    def fault(self, kind: str, times: int | None = 1, **more: Any) -> None:
        self.robots.faults.set({"robot": self.name, "kind": kind, "times": times, **more})

    async def send(self, message: Message = HOT, timeout: timedelta = timedelta(seconds=10)) -> Any:
        notifier = self.make(timeout)
        try:
            return await notifier.send(message)
        finally:
            await notifier.close()


@pytest.fixture(params=["wecom", "dingtalk", "webhook"])
async def carrier(request: pytest.FixtureRequest) -> AsyncIterator[Carrier]:
    clock = HandClock()
    robots = Robots(clock, KEY, TOKEN, SECRET)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(http_server(robots.app, 0))
        hook = await stack.enter_async_context(http_server(Webhook(robots), 0))

        def wecom(timeout: timedelta) -> Notifier:
            config = {"key": KEY, "base_url": f"{url}/wecom", "timeout": timeout}
            return WeComNotifier(WeComConfig.model_validate(config), clock)

        def dingtalk(timeout: timedelta) -> Notifier:
            config = {"token": TOKEN, "secret": SECRET, "base_url": f"{url}/dingtalk", "timeout": timeout}
            return DingTalkNotifier(DingTalkConfig.model_validate(config), clock)

        def webhook(timeout: timedelta) -> Notifier:
            address = hook.replace("http://", "json://") + f"/{WEBHOOK}"
            return AppriseNotifier(AppriseConfig.model_validate({"url": address, "timeout": timeout}), clock)

        makers = {"wecom": wecom, "dingtalk": dingtalk, "webhook": webhook}
        yield Carrier(request.param, robots, makers[request.param])


def robots_only(carrier: Carrier) -> None:
    if carrier.name == "webhook":
        pytest.skip("Apprise looks no further than the HTTP status: best effort by design")


def tells_no_secret(caplog: pytest.LogCaptureFixture, error: BaseException | None = None) -> None:
    """In no line but those of the simulator's own server, and nowhere in the error or what led to it."""
    ours = [r for r in caplog.records if not r.name.startswith("uvicorn")]
    said = "\n".join(f"{r.getMessage()} {r.args} {r.exc_text}" for r in ours)
    while error is not None:
        said += "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)
        error = error.__cause__ or error.__context__
    assert [s for s in SECRETS if s in said] == []


async def test_a_message_that_was_taken_is_in_the_group_with_its_ticket(carrier: Carrier) -> None:
    receipt = await carrier.send()
    assert receipt.detail["messages"] == "1"
    (note,) = carrier.notes()
    assert "冲压机07 油温 92.4℃ > 80℃" in note.text
    assert "AH-20260105-0007" in note.text


async def test_nothing_secret_is_said_whatever_happens(
    carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "httpx", "httpcore", "apprise", "urllib3", "requests", "asyncio", "notifiers"):
        caplog.set_level(logging.DEBUG, logger=name)
    await carrier.send()
    tells_no_secret(caplog)
    for kind in ("http", "cut", "cut-after", "cut-mid", "hang"):
        carrier.fault(kind)
        with pytest.raises(DeliveryDeferred) as caught:
            await carrier.send(timeout=PATIENCE)
        tells_no_secret(caplog, caught.value)
    assert len(carrier.notes()) >= 1


@pytest.mark.parametrize("kind", ["http", "cut"])
async def test_a_robot_that_is_down_is_tried_later(carrier: Carrier, kind: str) -> None:
    carrier.fault(kind)
    with pytest.raises(DeliveryDeferred) as caught:
        await carrier.send()
    assert not caught.value.limited
    assert carrier.notes() == []


@pytest.mark.parametrize("kind", ["cut-after", "cut-mid", "hang-after"])
async def test_an_answer_that_was_lost_is_not_taken_for_a_refusal(carrier: Carrier, kind: str) -> None:
    carrier.fault(kind)
    with pytest.raises(DeliveryDeferred) as caught:
        await carrier.send(timeout=PATIENCE)
    assert len(carrier.notes()) == 1
    if carrier.name != "webhook" or kind == "hang-after":
        assert isinstance(caught.value, AnswerLost)


async def test_a_page_of_html_is_not_a_yes(carrier: Carrier) -> None:
    robots_only(carrier)
    carrier.fault("html")
    with pytest.raises(DeliveryDeferred, match=r"not JSON|shut this address out"):
        await carrier.send()


async def test_too_many_requests_holds_the_carrier(carrier: Carrier) -> None:
    robots_only(carrier)
    carrier.fault("http", status=429)
    with pytest.raises(DeliveryDeferred) as caught:
        await carrier.send()
    assert caught.value.limited


async def test_an_answer_in_unknown_words_is_tried_later(carrier: Carrier) -> None:
    robots_only(carrier)
    carrier.fault("errcode", errcode=-99_999, errmsg="what?")
    with pytest.raises(DeliveryDeferred, match="unknown answer") as caught:
        await carrier.send()
    assert not caught.value.limited


async def test_the_twenty_first_message_of_a_minute_is_limited(carrier: Carrier) -> None:
    robots_only(carrier)
    notifier = carrier.make(timedelta(seconds=10))
    for n in range(20):
        await notifier.send(Message(f"k{n}", f"报警 {n}", (), Priority.LOW))
    with pytest.raises(DeliveryDeferred) as caught:
        await notifier.send(Message("k20", "报警 20", (), Priority.LOW))
    await notifier.close()
    assert caught.value.limited
    pause = {"wecom": 60, "dingtalk": 600}[carrier.name]
    assert caught.value.retry_after == timedelta(seconds=pause)
    assert len(carrier.notes()) == 20


async def test_a_robot_nobody_listens_at_never_got_the_message(carrier: Carrier) -> None:
    robots_only(carrier)
    notifier = carrier.make(PATIENCE)
    notifier._config = notifier._config.model_copy(  # type: ignore[attr-defined]
        update={"base_url": "http://127.0.0.1:9"}
    )
    with pytest.raises(NeverLeft):
        await notifier.send(HOT)
    await notifier.close()


async def test_being_cancelled_ends_the_sending_at_once(carrier: Carrier) -> None:
    carrier.fault("hang")
    notifier = carrier.make(timedelta(seconds=2))
    sending = asyncio.create_task(notifier.send(HOT))
    while carrier.robots.faults.as_dict():
        await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await notifier.close()
    assert carrier.notes() == []


async def test_a_wrong_secret_is_refused_with_the_remedy(carrier: Carrier) -> None:
    robots_only(carrier)
    carrier.robots.wecom._key = "another"
    carrier.robots.dingtalk._secret = "SECanother"
    with pytest.raises(DeliveryRefused, match=r"key is wrong|secret is wrong"):
        await carrier.send()


async def test_a_vendor_that_repeats_our_secret_is_not_quoted_with_it(
    carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    robots_only(carrier)
    caplog.set_level(logging.DEBUG)
    code = {"wecom": 93000, "dingtalk": 300005}[carrier.name]
    carrier.fault("errcode", errcode=code, errmsg=f"key {KEY} token {TOKEN} secret {SECRET} is unknown")
    with pytest.raises(DeliveryRefused) as caught:
        await carrier.send()
    assert {KEY, TOKEN} - set(str(caught.value).split()) != set()
    own = KEY if carrier.name == "wecom" else TOKEN
    assert own not in str(caught.value)


async def test_hostile_names_are_text_and_mention_nobody(carrier: Carrier) -> None:
    robots_only(carrier)
    name = '[x](http://e) <@all> @all **b** `c` <font color="info">ok</font> {{7*7}} <img onerror=1>'
    await carrier.send(Message("k", f"【高】{name} 温度", (("处置", name),), Priority.HIGH))
    (note,) = carrier.notes()
    assert note.mentions == []
    for markup in ("](http", "<@", "@all", "**b**", "`c`", '<font color="info">ok', "<img", "://e"):
        assert markup not in note.text
    assert "{{7＊7}}" in note.text


async def test_ten_thousand_characters_are_cut_and_still_arrive(carrier: Carrier) -> None:
    robots_only(carrier)
    lines = (("处置", "停" * 10_000), ("工单", "AH-20260105-0007"), ("值班", "张" * 10_000))
    link, who = HOT.link, ("zhang.san",)
    await carrier.send(Message("k", "【高】" + "机" * 10_000, lines, Priority.HIGH, link=link, mentions=who))
    (note,) = carrier.notes()
    assert note.mentions == ["zhang.san"]
    assert link in note.text
    assert "…" in note.text
    assert "AH-20260105-0007" in note.text


async def test_the_simulator_itself_takes_only_what_the_vendor_takes() -> None:
    clock = HandClock()
    robots = Robots(clock, KEY, TOKEN, "")
    async with http_server(robots.app, 0) as url, httpx.AsyncClient(base_url=url) as http:

        async def wecom(body: Any, key: str = KEY) -> int:
            reply = await http.post(f"/wecom/cgi-bin/webhook/send?key={key}", json=body)
            assert reply.status_code == 200
            return int(reply.json()["errcode"])

        async def dingtalk(body: Any, token: str = TOKEN) -> int:
            reply = await http.post(f"/dingtalk/robot/send?access_token={token}", json=body)
            assert reply.status_code == 200
            return int(reply.json()["errcode"])

        text = {"msgtype": "text", "text": {"content": "hello"}}
        assert await wecom(text, "nobody") == 93000
        assert await wecom({"msgtype": "ark", "ark": {}}) == 40008
        assert await wecom({"msgtype": "text", "text": {}}) == 44004
        assert await wecom({"msgtype": "text", "text": {"content": "警" * 683}}) == 40058  # 2049 bytes
        assert await wecom({"msgtype": "text", "text": {"content": "警" * 682}}) == 0
        assert await wecom({"msgtype": "markdown", "markdown": {"content": "a" * 4097}}) == 40058
        card = {"card_type": "button_interaction", "main_title": {"title": "x"}}
        assert await wecom({"msgtype": "template_card", "template_card": card}) == 42031
        articles = [{"title": "t", "url": "http://e"}] * 9
        assert await wecom({"msgtype": "news", "news": {"articles": articles}}) == 45008
        reply = await http.get(f"/wecom/cgi-bin/webhook/send?key={KEY}")
        assert reply.json()["errcode"] == 43002

        assert await dingtalk(text, "nobody") == 300005
        assert await dingtalk({"msgtype": "ark"}) == 400105
        assert await dingtalk({"msgtype": "text", "text": {}}) == 40035
        assert await dingtalk({"msgtype": "text", "text": {"content": "a" * 20_000}}) == 460101
        assert await dingtalk(text | {"msgUuid": "once"}) == 0
        assert await dingtalk(text | {"msgUuid": "once"}) == 0
        assert len(robots.inbox.of("dingtalk")) == 1
        at = {"atUserIds": ["wang.wu", "zhao.liu"]}
        assert (
            await dingtalk({"msgtype": "markdown", "markdown": {"title": "t", "text": "@wang.wu"}, "at": at})
            == 0
        )
        assert robots.inbox.of("dingtalk")[-1].mentions == ["wang.wu"]
        assert robots.inbox.of("dingtalk")[-1].ignored == ["zhao.liu"]
        for _ in range(18):
            assert await dingtalk(text) == 0
        assert await dingtalk(text) == 130101
        clock.turn(599)
        assert await dingtalk(text) == 130101
        clock.turn(2)
        assert await dingtalk(text) == 0
