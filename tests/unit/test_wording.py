"""What people read, word for word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.alarm import Priority
from hub.model.message import Message
from hub.model.words import Language
from notifiers.facts import Facts, Unreadable, read
from notifiers.phrases import local, plain, spoken
from notifiers.wording import PersonKey, digest, message

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)  # 20:00 in the plant
TWO_MINUTES = timedelta(minutes=2)

HOT: dict[str, Any] = {
    "notifier": "group",
    "event": "raised",
    "alarm_id": 7,
    "where": {"zh": "3号线 冲压机07", "en": "Line 3 Press 07"},
    "title": {"zh": "油温", "en": "oil temperature"},
    "line": {"zh": "3号线", "en": "Line 3"},
    "priority": 4,
    "value": 92.4,
    "limit": 80.0,
    "unit": "℃",
    "decimals": 1,
    "comparison": ">",
    "raised_at": "2026-01-05T12:00:00Z",
    "cleared_at": None,
    "opened_at": "2026-01-05T12:00:00.400Z",
    "owner": {
        "id": "zhangsan", "name": {"zh": "张三", "en": "Zhang San"}, "phone": "13800138000",
        "wecom_id": "zhang.san", "dingtalk_id": "",
    },
    "ticket": "AH-20260105-0007",
    "link": "http://hub.example:8800/phone.html#t=AH-20260105-0007",
    "instruction": {"zh": "停机，检查冷却水", "en": "Stop it and check the cooling water"},
    "time_zone": "Asia/Shanghai",
}  # fmt: skip


def facts(**changes: Any) -> Facts:
    return read(HOT | changes)


def said(
    after: timedelta = TWO_MINUTES, language: Language = "zh", key: PersonKey = "wecom_id", **changes: Any
) -> Message:
    told = {k: changes.pop(k) for k in ("repeat", "blind") if k in changes}
    return message(facts(**changes), key="k", now=NOON + after, language=language, person_key=key, **told)


def as_text(m: Message) -> str:
    return "\n".join([m.headline, *(f"{label}|{text}" for label, text in m.lines), f"{m.link_text}|{m.link}"])


# ------------------------------------------------------------------ whole messages
def test_an_alarm_in_chinese() -> None:
    assert as_text(said()) == (
        "【紧急】3号线 冲压机07 油温 92.4℃ > 80℃ 已 2 分钟\n"
        "处置|停机，检查冷却水\n"
        "开始|20:00:00 (UTC+8)\n"
        "值班|张三\n"
        "工单|AH-20260105-0007\n"
        "打开处理|http://hub.example:8800/phone.html#t=AH-20260105-0007"
    )


def test_an_alarm_in_english() -> None:
    assert as_text(said(language="en")) == (
        "[CRITICAL] Line 3 Press 07 oil temperature 92.4℃ > 80℃ for 2 min\n"
        "Do|Stop it and check the cooling water\n"
        "Since|20:00:00 (UTC+8)\n"
        "On duty|Zhang San\n"
        "Ticket|AH-20260105-0007\n"
        "Open|http://hub.example:8800/phone.html#t=AH-20260105-0007"
    )


def test_a_recovery_says_how_long_it_lasted() -> None:
    ended: dict[str, Any] = {"event": "cleared", "cleared_at": "2026-01-05T12:12:30Z"}
    m = said(timedelta(minutes=13), **ended)
    assert m.recovered
    assert as_text(m) == (
        "【恢复】3号线 冲压机07 油温 已恢复，持续 12 分钟\n"
        "开始|20:00:00 (UTC+8)\n"
        "恢复|20:12:30 (UTC+8)\n"
        "值班|张三\n"
        "工单|AH-20260105-0007\n"
        "打开处理|http://hub.example:8800/phone.html#t=AH-20260105-0007"
    )
    english = said(timedelta(minutes=13), "en", **ended).headline
    assert english == "[RECOVERED] Line 3 Press 07 oil temperature back to normal after 12 min"


@pytest.mark.parametrize(
    ("priority", "zh", "en"),
    [(4, "紧急", "CRITICAL"), (3, "高", "HIGH"), (2, "中", "MEDIUM"), (1, "低", "LOW")],
)
def test_every_priority_has_its_word(priority: int, zh: str, en: str) -> None:
    assert said(priority=priority).headline.startswith(f"【{zh}】3号线")
    assert said(priority=priority, language="en").headline.startswith(f"[{en}] Line 3")


@pytest.mark.parametrize(
    ("after", "zh", "en"),
    [
        (timedelta(seconds=-30), "刚刚", "just now"),
        (timedelta(seconds=4), "刚刚", "just now"),
        (timedelta(seconds=12), "已 12 秒", "for 12 s"),
        (timedelta(minutes=59, seconds=59), "已 59 分钟", "for 59 min"),
        (timedelta(hours=1), "自 20:00 起", "since 20:00"),
        (timedelta(hours=5), "自 01-05 20:00 起", "since 01-05 20:00"),  # past the plant's midnight
    ],
)
def test_age_is_a_span_while_fresh_and_a_time_of_day_later(after: timedelta, zh: str, en: str) -> None:
    assert said(after).headline.endswith(zh)
    assert said(after, "en").headline.endswith(en)


def test_a_message_that_may_be_known_already_says_so_first() -> None:
    assert said(repeat=True).headline.startswith("【重发】【紧急】3号线")
    assert said(repeat=True, language="en").headline.startswith("[REPEAT][CRITICAL] Line 3")


def test_an_alarm_that_is_only_remembered_says_that_the_data_is_lost() -> None:
    m = said(blind=True)
    assert m.headline.startswith("【紧急】【数据中断】")
    assert ("数据", "信号已中断，以上为最后所知") in m.lines


def test_an_alarm_that_was_acknowledged_and_still_holds_says_so() -> None:
    assert said(again=True).headline.startswith("【紧急】【仍未解除】")
    assert "仍未解除" not in said(again=True, event="cleared").headline


def test_an_alarm_that_comes_and_goes_says_that_silence_follows() -> None:
    assert ("说明", "反复报警，恢复正常前不再通知") in said(flapping=True).lines


def test_a_test_says_that_nothing_has_to_be_done() -> None:
    m = said(event="test", priority=1)
    assert m.headline == "【测试】3号线 冲压机07 油温"
    assert ("说明", "这是一条测试消息，无需处理") in m.lines
    assert m.mentions == ()


def test_nobody_on_duty_is_said() -> None:
    assert ("值班", "无人值班") in said(owner=None).lines


def test_a_state_alarm_shows_no_number() -> None:
    m = said(value=None, limit=None, comparison="", title={"zh": "故障 E17", "en": "fault E17"})
    assert m.headline == "【紧急】3号线 冲压机07 故障 E17 已 2 分钟"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"value": 9.84, "limit": 7.1, "unit": "mm/s", "decimals": 2}, "9.84 mm/s > 7.1 mm/s"),
        ({"value": 5.0, "limit": 10.0, "unit": "%", "decimals": 0, "comparison": "<"}, "5% < 10%"),
        ({"value": -3.25, "limit": 100.0, "unit": "", "decimals": 1}, "-3.2 > 100"),
        ({"limit": None}, "油温 92.4℃ 已"),
        ({"value": float("nan")}, "油温 已"),
    ],
)
def test_numbers_have_the_digits_of_their_tag(changes: dict[str, Any], expected: str) -> None:
    assert expected in said(**changes).headline


# ------------------------------------------------------------------ who is mentioned
def test_who_is_responsible_is_mentioned_by_the_carriers_own_id() -> None:
    assert said().mentions == ("zhang.san",)
    assert said().mention_phones == ()


def test_who_has_no_id_there_is_mentioned_by_phone() -> None:
    m = said(key="dingtalk_id")
    assert (m.mentions, m.mention_phones) == ((), ("13800138000",))


@pytest.mark.parametrize("changes", [{"event": "cleared"}, {"priority": 1}, {"owner": None}])
def test_a_recovery_or_a_low_alarm_rings_nobody(changes: dict[str, Any]) -> None:
    m = said(**changes)
    assert (m.mentions, m.mention_phones) == ((), ())


# ------------------------------------------------------------------ digests
def many(n: int) -> list[Facts]:
    """`n` alarms on three lines, one of them critical, the oldest first."""
    return [
        facts(
            alarm_id=i, priority=4 if i == 4 else 1 + i % 3, raised_at=f"2026-01-05T12:00:{i:02d}Z",
            line={"zh": f"{1 + i % 3}号线", "en": f"Line {1 + i % 3}"},
            where={"zh": f"{1 + i % 3}号线 机{i}", "en": f"Line {1 + i % 3} Machine {i}"},
        )
        for i in range(n)
    ]  # fmt: skip


def test_a_digest_counts_by_line_and_names_the_worst_three() -> None:
    m = digest(many(7), keys=list("abcdefg"), now=NOON + TWO_MINUTES, link="http://hub/wall")
    assert as_text(m) == (
        "【汇总】7 条报警：1号线 3、2号线 2、3号线 2\n"
        "最急 1|【紧急】2号线 机4 油温 92.4℃ > 80℃ 已 1 分钟\n"
        "最急 2|【高】3号线 机2 油温 92.4℃ > 80℃ 已 1 分钟\n"
        "最急 3|【高】3号线 机5 油温 92.4℃ > 80℃ 已 1 分钟\n"
        "说明|其余 4 条见看板\n"
        "查看全部|http://hub/wall"
    )
    assert m.priority is Priority.CRITICAL


def test_a_digest_in_english() -> None:
    m = digest(many(4), keys=list("abcd"), now=NOON + TWO_MINUTES, language="en")
    assert m.headline == "[DIGEST] 4 alarms: Line 1 (2), Line 2 (1), Line 3 (1)"
    assert m.lines[-1] == ("Note", "1 more on the board")


def test_a_digest_tells_recoveries_apart() -> None:
    ended = facts(alarm_id=9, event="cleared", cleared_at="2026-01-05T12:01:00Z")
    m = digest([*many(2), ended], keys=list("abc"), now=NOON + TWO_MINUTES)
    assert m.headline == "【汇总】2 条报警、1 条恢复：1号线 1、2号线 1、3号线 1"
    assert not m.recovered
    assert digest([ended, ended], keys=list("ab"), now=NOON + TWO_MINUTES).recovered


def test_a_digest_has_the_same_key_whatever_the_order() -> None:
    first, second = (digest(many(2), keys=k, now=NOON).key for k in ("ab", "ba"))
    assert first == second
    assert first != digest(many(2), keys="ac", now=NOON).key


def test_lines_beyond_the_sixth_are_counted_together() -> None:
    lines = [facts(line={"zh": f"{i}号线", "en": ""}) for i in range(8)]
    m = digest(lines, keys=list("abcdefgh"), now=NOON)
    assert m.headline.endswith("5号线 1、其他 2")


# ------------------------------------------------------------------ hostile or missing input
def test_a_name_with_line_breaks_and_direction_marks_is_one_line_of_text() -> None:
    name = "压机\n【紧急】假的一行\u202egnp.exe\u200b\u0007 x\ud800"
    m = said(where={"zh": name, "en": ""})
    assert "\n" not in m.headline
    assert m.headline == "【紧急】压机 【紧急】假的一行gnp.exe x? 油温 92.4℃ > 80℃ 已 2 分钟"


@given(st.text(max_size=400))
def test_plain_text_is_one_short_visible_line(text: str) -> None:
    shown = plain(text, 50)
    assert len(shown) <= 50
    assert len(shown.splitlines()) <= 1
    assert not set(shown) & set("\u202e\u2066\u200b\u200f\ufeff\x00\x1b")
    shown.encode()


def test_a_time_of_another_day_has_its_date() -> None:
    assert ("开始", "2026-01-05 20:00:00 (UTC+8)") in said(timedelta(hours=5)).lines


def test_a_zone_nobody_knows_is_told_in_utc() -> None:
    assert ("开始", "12:00:00 (UTC+0)") in said(time_zone="Mars/Olympus").lines


def test_times_carry_the_offset_of_their_own_day() -> None:
    assert local(datetime(2026, 7, 1, tzinfo=UTC), "Europe/Berlin") == "2026-07-01 02:00:00 (UTC+2)"
    assert local(datetime(2026, 1, 1, tzinfo=UTC), "Asia/Kolkata") == "2026-01-01 05:30:00 (UTC+5:30)"
    assert local(datetime(2026, 1, 1, tzinfo=UTC), "America/St_Johns") == "2025-12-31 20:30:00 (UTC-3:30)"


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "0 秒", "0 s"), (59, "59 秒", "59 s"), (60, "1 分钟", "1 min"), (3600, "1 小时", "1 h"),
        (3 * 3600 + 300, "3 小时 5 分钟", "3 h 5 min"), (2 * 86400 + 3 * 3600 + 60, "2 天 3 小时", "2 d 3 h"),
        (-5, "0 秒", "0 s"),
    ],
)  # fmt: skip
def test_spans_are_spoken_in_two_parts_at_most(seconds: int, zh: str, en: str) -> None:
    assert (spoken(timedelta(seconds=seconds), "zh"), spoken(timedelta(seconds=seconds), "en")) == (zh, en)


def test_a_payload_that_cannot_be_read_names_its_fields_and_shows_no_value() -> None:
    with pytest.raises(Unreadable) as caught:
        read({"notifier": "group", "event": "exploded", "priority": "secret-value", "title": {"zh": "a"}})
    assert {"event", "priority", "title.en", "where"} <= {
        part.strip().split(":")[0]
        for part in str(caught.value).removeprefix("payload cannot be read: ").split(";")
    }
    assert "secret-value" not in str(caught.value)
