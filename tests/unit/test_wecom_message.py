"""A message in WeCom's own form, and what its answers mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.errors import DeliveryDeferred, DeliveryRefused
from hub.model.alarm import Priority
from hub.model.message import Message
from hub.testing.clock import HandClock
from notifiers.exchange import Answer
from notifiers.markup import cut, literal, safe_link, size
from notifiers.wecom import WeComConfig, WeComNotifier, as_markdown, as_text

pytestmark = pytest.mark.anyio

HOT = Message(
    key="k",
    headline="【紧急】3号线 冲压机07 油温 92.4℃ > 80℃ 已 2 分钟",
    lines=(("处置", "停机，检查冷却水"), ("工单", "AH-20260105-0007")),
    priority=Priority.CRITICAL,
    link="http://hub:8800/phone.html#t=AH-20260105-0007",
    link_text="打开处理",
    mentions=("zhang.san",),
    mention_phones=("13800138000",),
)


def content(message: Message, limit: int = 4096) -> str:
    return str(as_markdown(message, limit)["markdown"]["content"])


def test_an_alarm_as_the_group_sees_it() -> None:
    assert content(HOT) == (
        '### <font color="warning">【紧急】</font>3号线 冲压机07 油温 92.4℃ > 80℃ 已 2 分钟\n'
        '> <font color="comment">处置</font> 停机，检查冷却水\n'
        '> <font color="comment">工单</font> AH-20260105-0007\n'
        "[打开处理](http://hub:8800/phone.html#t=AH-20260105-0007)\n"
        "<@zhang.san>"
    )


def test_a_recovery_is_green_and_a_low_alarm_grey() -> None:
    recovered = Message("k", "【重发】【恢复】3号线", (), Priority.CRITICAL, recovered=True)
    assert content(recovered) == '### <font color="info">【重发】【恢复】</font>3号线'
    assert content(Message("k", "[LOW] Line 3", (), Priority.LOW)).startswith(
        '### <font color="comment">[LOW]</font> Line 3'
    )


@pytest.mark.parametrize("name", ["all", "@all", "<@all>", "", "a b", "x" * 65])
def test_nobody_but_a_person_can_be_mentioned(name: str) -> None:
    message = Message("k", "h", (), Priority.HIGH, mentions=(name,))
    assert "<@" not in content(message)
    assert "mentioned_list" not in as_text(message)["text"]


def test_a_phone_is_rung_only_by_the_text_message() -> None:
    assert "13800138000" not in content(HOT)
    assert as_text(HOT)["text"]["mentioned_mobile_list"] == ["13800138000"]


@given(
    st.text(max_size=3000),
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=3000)), max_size=6),
    st.integers(600, 4096),
)
def test_no_message_is_longer_than_the_robot_takes(
    headline: str, lines: list[tuple[str, str]], limit: int
) -> None:
    message = Message(
        "k", headline, tuple(lines), Priority.HIGH, link=HOT.link, link_text="打开", mentions=("zhang.san",)
    )
    text = content(message, limit)
    assert size(text) <= limit
    assert text.count("<font") == text.count("</font>")
    assert text.endswith(f"[打开]({HOT.link})\n<@zhang.san>")


@pytest.mark.parametrize(
    ("text", "limit"), [("警" * 683, 2048), ("a" * 2049, 2048), ("a警" * 600, 2048), ("😀" * 9, 11)]
)
def test_text_is_cut_in_bytes_and_never_within_a_character(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert limit - 6 < size(short) <= limit
    assert text.startswith(short.removesuffix("…"))
    assert short.endswith("…")


def test_text_that_fits_exactly_is_left_alone() -> None:
    assert cut("警" * 682 + "ab", 2048) == "警" * 682 + "ab"


@pytest.mark.parametrize(
    "hostile",
    ["[x](http://e)", "<@all>", "@all", "**b**", "`c`", "<font color=\"info\">", "&lt;@all&gt;", "http://e.example",
     "~~s~~", "_i_", "[a][b]", "\\[x](y)"],
)  # fmt: skip
def test_markup_in_a_name_is_only_text(hostile: str) -> None:
    shown = literal(hostile)
    for mark in ("](", "][", "<", "@", "*", "`", "&lt;", "://", "~", " _", "\\"):
        assert mark not in " " + shown
    assert len(shown) == len(hostile)


def test_ordinary_names_are_left_as_they_are() -> None:
    for name in ("冲压机07", "oil_temp", "A-3 (spare)", "油温 92.4℃ > 80℃", "[HIGH] Press", "R&D", "50 %"):
        assert literal(name) == name


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("http://hub:8800/p.html#t=AH-1", "http://hub:8800/p.html#t=AH-1"),
        ("https://hub/a b)c<d>", "https://hub/a%20b%29c%3Cd%3E"),
        ("javascript:alert(1)", ""), ("file:///etc/passwd", ""), ("//e", ""), ("", ""),
    ],
)  # fmt: skip
def test_only_addresses_of_the_web_become_links(link: str, shown: str) -> None:
    assert safe_link(link) == shown


# ------------------------------------------------------------------ configuration
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"key": ""}, "key="),
        ({"key": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x"}, "key="),
        ({"key": "k", "per_minute": 19, "critical_extra": 2}, "20 a minute"),
        ({"key": "k", "per_minute": 21}, "20"),
        ({"key": "k", "markdown": 1}, "Extra inputs"),
        ({"key": "k", "timeout": "soon"}, "10s"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_remedy(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word) as caught:
        WeComConfig.model_validate(wrong)
    assert "qyapi" not in str(caught.value.errors(include_input=False))


def test_the_key_is_not_shown_by_the_configuration() -> None:
    assert "s3cret" not in repr(WeComConfig.model_validate({"key": "s3cret"}))


# ------------------------------------------------------------------ answers
class Script:
    """Answers in turn; keeps what was asked."""

    def __init__(self, *answers: dict[str, Any] | DeliveryDeferred) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    async def post(self, url: str, params: Any, body: dict[str, Any]) -> Answer:
        self.asked.append(body)
        answer = self.answers.pop(0)
        if isinstance(answer, DeliveryDeferred):
            raise answer
        return Answer(200, answer)


def robot(script: Script, **settings: Any) -> WeComNotifier:
    notifier = WeComNotifier(WeComConfig.model_validate({"key": "s3cret", **settings}), HandClock())
    notifier._exchange = script  # type: ignore[assignment]
    return notifier


def no(code: int, text: str = "no") -> dict[str, Any]:
    return {"errcode": code, "errmsg": text}


OK = {"errcode": 0, "errmsg": "ok"}


@pytest.mark.parametrize(
    "code",
    [40001, 40008, 40013, 40033, 40035, 40056, 40058, 40063, 44004, 45001, 48002, 50003, 60020, 81013, 82001,
     93000, 93004, 93008],
)  # fmt: skip
async def test_what_trying_again_cannot_mend_is_refused(code: int) -> None:
    with pytest.raises(DeliveryRefused, match=str(code)):
        await robot(Script(no(code))).send(HOT)


@pytest.mark.parametrize("code", [-1, 45033, 99_999])
async def test_a_busy_or_unknown_answer_is_tried_later(code: int) -> None:
    with pytest.raises(DeliveryDeferred) as caught:
        await robot(Script(no(code))).send(HOT)
    assert not caught.value.limited


async def test_too_often_is_a_limit_and_not_an_attempt() -> None:
    with pytest.raises(DeliveryDeferred) as caught:
        await robot(Script(no(45009)), hold="90s").send(HOT)
    assert caught.value.limited
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 90


@pytest.mark.parametrize(
    ("code", "text", "limit"),
    [
        (40058, "markdown.content exceed max length 300. invalid Request Parameter", 300),
        (45002, "too long", 2048),
    ],
)
async def test_too_long_for_the_robot_is_cut_and_said_once_more(code: int, text: str, limit: int) -> None:
    script = Script(no(code, text), OK)
    long = Message("k", "h", (("处置", "停" * 1200),), Priority.HIGH)
    await robot(script).send(long)
    assert size(script.asked[0]["markdown"]["content"]) > limit
    assert size(script.asked[1]["markdown"]["content"]) <= limit


async def test_content_that_crashes_clients_is_said_once_more_as_plain_text() -> None:
    script = Script(no(82004), OK)
    await robot(script).send(HOT)
    assert script.asked[1]["msgtype"] == "text"


async def test_phones_are_rung_by_a_second_message_only_when_asked() -> None:
    quiet, loud = Script(OK), Script(OK, OK)
    await robot(quiet).send(HOT)
    receipt = await robot(loud, mention_by_phone=True).send(HOT)
    assert (len(quiet.asked), len(loud.asked)) == (1, 2)
    assert loud.asked[1]["text"]["mentioned_mobile_list"] == ["13800138000"]
    assert receipt.detail == {"errcode": "0", "mention": "ok", "messages": "2"}


async def test_a_second_message_that_fails_does_not_repeat_the_first() -> None:
    script = Script(OK, DeliveryDeferred("gone"))
    receipt = await robot(script, mention_by_phone=True).send(HOT)
    assert receipt.detail["mention"] == "gone"


@pytest.mark.parametrize("answer", [{}, {"errcode": "zero"}, {"code": 0}])
async def test_an_answer_without_errcode_is_no_success(answer: dict[str, Any]) -> None:
    with pytest.raises(DeliveryDeferred):
        await robot(Script(answer)).send(HOT)
