"""A message in DingTalk's own form, its signature, and what its answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.errors import DeliveryDeferred, DeliveryRefused
from hub.model.alarm import Priority
from hub.model.message import Message
from hub.testing.clock import NOON, HandClock
from notifiers.dingtalk import (
    DingTalkConfig,
    DingTalkNotifier,
    as_markdown,
    as_text,
    message_id,
    signature,
)
from notifiers.exchange import Answer
from notifiers.markup import size

pytestmark = pytest.mark.anyio

VECTORS = Path(__file__).parents[3] / "shared" / "notify" / "vectors.json"
HOT = Message(
    key="tell:7:raised:1:group",
    headline="【紧急】3号线 冲压机07 油温 92.4℃ > 80℃ 已 2 分钟",
    lines=(("处置", "停机，检查冷却水"), ("工单", "AH-20260105-0007")),
    priority=Priority.CRITICAL,
    link="http://hub:8800/phone.html#t=AH-20260105-0007",
    link_text="打开处理",
    mentions=("zhangsan01",),
)


# ------------------------------------------------------------------ signature
@pytest.mark.parametrize(
    ("secret", "milliseconds", "expected"),
    [
        ("SECandon", "1767614400000", "JGL6YeUzk1k6XqYnKxllXdbw23uOw/MkvWtx0O/jbyY="),
        ("SEC0123456789abcdef", "1795305600001", "z8ccKn+qUEy93AUmDGzx+uVqXEKVqO75muO/zhbidPY="),
    ],
)
def test_a_signature_is_what_the_vendor_describes(secret: str, milliseconds: str, expected: str) -> None:
    assert signature(secret, milliseconds) == expected


def test_signatures_agree_with_the_collected_samples() -> None:
    if not VECTORS.exists():
        pytest.skip(f"the collected samples are not beside this checkout ({VECTORS.name})")
    samples = json.loads(VECTORS.read_text(encoding="utf-8"))["dingtalk_robot_sign"]["valid"]
    assert len(samples) >= 4
    for sample in samples:
        sign = signature(sample["secret"], sample["timestamp_ms"])
        assert sign == sample["sign_b64"]
        assert str(httpx.QueryParams({"sign": sign})) == f"sign={sample['sign_query_once']}"


# ------------------------------------------------------------------ the message
def test_an_alarm_as_the_group_sees_it() -> None:
    assert as_markdown(HOT) == {
        "msgtype": "markdown",
        "msgUuid": "tell:7:raised:1:group",
        "markdown": {
            "title": "【紧急】3号线 冲压机07 油温 92.4℃ > 80℃ 已 2 分钟",
            "text": (
                "### 【紧急】3号线 冲压机07 油温 92.4℃ > 80℃ 已 2 分钟\n\n"
                "> **处置** 停机，检查冷却水  \n"
                "> **工单** AH-20260105-0007\n\n"
                "[打开处理](http://hub:8800/phone.html#t=AH-20260105-0007)\n\n"
                "@zhangsan01"
            ),
        },
        "at": {"atUserIds": ["zhangsan01"], "atMobiles": [], "isAtAll": False},
    }


def test_every_mention_stands_in_the_text_as_well_and_there_are_fifty_at_most() -> None:
    users = tuple(f"u{n}" for n in range(40))
    phones = tuple(f"138001380{n:02d}" for n in range(40))
    body = as_markdown(Message("k", "h", (), Priority.HIGH, mentions=users), phones)
    asked = body["at"]["atUserIds"] + body["at"]["atMobiles"]
    assert len(asked) == 50
    assert [a for a in asked if f"@{a}" not in body["markdown"]["text"]] == []


@pytest.mark.parametrize("name", ["all", "@all", "a b", "<x>", ""])
def test_nobody_but_a_person_can_be_mentioned(name: str) -> None:
    body = as_markdown(Message("k", "h", (), Priority.HIGH, mentions=(name,)), (name,))
    assert body["at"] == {"atUserIds": [], "atMobiles": [], "isAtAll": False}


@given(st.text(max_size=9000), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=9000)), max_size=4))
def test_no_body_is_longer_than_the_robot_takes(headline: str, lines: list[tuple[str, str]]) -> None:
    message = Message("k", headline, tuple(lines), Priority.HIGH, link=HOT.link, mentions=("zhangsan01",))
    body = as_markdown(message, limit=2_000, keyword="安灯")
    assert size(json.dumps(body, ensure_ascii=False)) <= 2_000
    assert "@zhangsan01" in body["markdown"]["text"]


def test_the_keyword_is_added_only_where_it_is_missing() -> None:
    assert as_markdown(HOT, keyword="安灯")["markdown"]["text"].endswith("\n\n安灯")
    assert as_markdown(HOT, keyword="紧急")["markdown"]["text"].endswith("@zhangsan01")
    assert as_text(HOT, "安灯")["text"]["content"].endswith(" 安灯")


def test_a_long_or_odd_key_becomes_its_hash() -> None:
    assert message_id("tell:7:raised:1:group") == "tell:7:raised:1:group"
    assert len(message_id("x" * 65)) == 40
    assert message_id("报警") != message_id("恢复")


# ------------------------------------------------------------------ configuration
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"token": " "}, "access_token="),
        ({"token": "https://oapi.dingtalk.com/robot/send?access_token=x"}, "access_token="),
        ({"token": "t", "secret": "abc"}, "begins with SEC"),
        ({"token": "t", "per_minute": 21}, "20"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_remedy(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        DingTalkConfig.model_validate(wrong)


# ------------------------------------------------------------------ answers
class Script:
    """Answers in turn; keeps what was asked."""

    def __init__(self, *answers: dict[str, Any] | None, at: datetime | None = None) -> None:
        self.answers = list(answers)
        self.at = at
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []

    async def post(self, url: str, params: dict[str, str], body: dict[str, Any]) -> Answer:
        self.asked.append((params, body))
        return Answer(200, self.answers.pop(0), self.at)


def robot(script: Script, **settings: Any) -> DingTalkNotifier:
    settings = {"token": "t0ken", "secret": "SECs3cret", **settings}
    notifier = DingTalkNotifier(DingTalkConfig.model_validate(settings), HandClock())
    notifier._exchange = script  # type: ignore[assignment]
    return notifier


def no(code: int | str, text: str = "no") -> dict[str, Any]:
    return {"errcode": code, "errmsg": text}


@pytest.mark.parametrize("zero", [0, "0"])
async def test_nought_is_success_as_a_number_and_as_text(zero: int | str) -> None:
    receipt = await robot(Script(no(zero, "ok"))).send(HOT)
    assert receipt.detail["msgUuid"] == HOT.key


@pytest.mark.parametrize(
    "code", [88, 40035, 43002, 43004, 300001, 300005, 400013, 400101, 400102, 400105, 400106]
)
async def test_what_trying_again_cannot_mend_is_refused(code: int) -> None:
    with pytest.raises(DeliveryRefused, match=str(code)):
        await robot(Script(no(code))).send(HOT)


@pytest.mark.parametrize("code", [130101, 410100, 460101])
async def test_too_often_holds_the_robot_for_ten_minutes(code: int) -> None:
    with pytest.raises(DeliveryDeferred) as caught:
        await robot(Script(no(code))).send(HOT)
    assert (caught.value.limited, caught.value.retry_after) == (True, timedelta(minutes=10))


async def test_the_daily_cap_holds_until_midnight_in_china() -> None:
    with pytest.raises(DeliveryDeferred) as caught:
        await robot(Script(no(90030))).send(HOT)
    assert datetime(2026, 1, 5, 12, tzinfo=UTC) == NOON  # 20:00 there
    assert (caught.value.limited, caught.value.retry_after) == (True, timedelta(hours=4))


@pytest.mark.parametrize("answer", [None, {"status": 1111, "wait": 5, "punish": "deny"}])
async def test_being_shut_out_holds_everything_for_five_minutes(answer: dict[str, Any] | None) -> None:
    with pytest.raises(DeliveryDeferred) as caught:
        await robot(Script(answer)).send(HOT)
    assert (caught.value.limited, caught.value.retry_after) == (True, timedelta(minutes=5))


async def test_busy_is_tried_later_with_the_same_id() -> None:
    script = Script(no(-1, "system busy"), no(0, "ok"))
    notifier = robot(script)
    with pytest.raises(DeliveryDeferred) as caught:
        await notifier.send(HOT)
    assert not caught.value.limited
    await notifier.send(HOT)
    assert script.asked[0][1]["msgUuid"] == script.asked[1][1]["msgUuid"]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("keywords not in content", "keyword:"),
        ("sign not match", "signing secret is wrong"),
        ("ip 203.0.113.9 not in whitelist", r"203\.0\.113\.9"),
        ("invalid timestamp", "clock"),
    ],
)
async def test_each_security_names_its_remedy(text: str, remedy: str) -> None:
    with pytest.raises(DeliveryRefused, match=remedy):
        await robot(Script(no(310000, text))).send(HOT)


async def test_a_wrong_clock_is_mended_once_by_the_vendors_own() -> None:
    there = NOON + timedelta(hours=3)
    script = Script(no(310000, "invalid timestamp"), no(0, "ok"), at=there)
    await robot(script).send(HOT)
    stamps = [int(params["timestamp"]) for params, _ in script.asked]
    assert stamps == [int(NOON.timestamp() * 1000), int(there.timestamp() * 1000)]
    assert script.asked[1][0]["sign"] == signature("SECs3cret", str(stamps[1]))


@pytest.mark.parametrize("code", [430101, 430102, 430103, 430104])
async def test_unsafe_content_is_said_once_more_without_links(code: int) -> None:
    script = Script(no(code), no(0, "ok"))
    await robot(script).send(HOT)
    assert script.asked[1][1]["msgtype"] == "text"
    assert "http" not in script.asked[1][1]["text"]["content"]
    with pytest.raises(DeliveryRefused, match="unsafe"):
        await robot(Script(no(code), no(code))).send(HOT)


async def test_without_a_secret_nothing_is_signed() -> None:
    script = Script(no(0, "ok"))
    await robot(script, secret=None).send(HOT)
    assert script.asked[0][0] == {"access_token": "t0ken"}


async def test_phones_are_mentioned_unless_that_is_switched_off() -> None:
    message = Message("k", "h", (), Priority.HIGH, mention_phones=("13800138000",))
    loud, quiet = Script(no(0)), Script(no(0))
    await robot(loud).send(message)
    await robot(quiet, mention_by_phone=False).send(message)
    assert loud.asked[0][1]["at"]["atMobiles"] == ["13800138000"]
    assert "13800138000" not in json.dumps(quiet.asked[0][1])
