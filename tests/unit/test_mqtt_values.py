"""Messages to readings: what is understood, what is bad and why, and that nothing at all is an exception."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from collectors.mqtt import MqttCollector
from collectors.mqtt_filters import widest
from collectors.mqtt_topics import Routes, TopicBlock, ValueBlock
from collectors.mqtt_values import (
    BAD_DECODING,
    BAD_NO_DATA,
    BAD_TYPE_MISMATCH,
    NOTHING,
    UNCERTAIN_LAST_USABLE,
    Plan,
    Point,
    instant,
    path,
    readings,
)
from collectors.sparkplug import SparkplugCollector
from collectors.templates import covers, expanded, topic_filter, topic_pattern
from hub.errors import ConfigError
from hub.model.batch import micros
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.model.words import Words
from hub.testing.clock import HandClock

NOW = micros(datetime(2026, 5, 1, tzinfo=UTC))
PLAIN = Plan([Point(0, path(""))])
STAMPED = Plan([Point(0, path("a")), Point(1, path("b.c[1]"), scale=10, offset=1)], json=True, time=path("t"))
TAGS = {
    p: Tag(n, p, Words("", "")) for n, p in enumerate(("p/l1/a/x", "p/l1/b/x", "p/l2/a/x", "p/l2/a/y"), 1)
}


def one(plan: Plan, body: str | bytes, **more: bool) -> tuple[float, int]:
    [reading] = readings(plan, body.encode() if isinstance(body, str) else body, NOW, **more)
    return reading.value, reading.status


@pytest.mark.parametrize(
    ("said", "value"),
    [("5", 5), (" -7.5e2 ", -750), ("\ufeff.5", 0.5), ("true", 1), ("False", 0), ("5\0\0", 5)],
)
def test_plain_numbers_are_read_as_people_write_them(said: str, value: float) -> None:
    assert one(PLAIN, said) == (value, 0)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("", BAD_TYPE_MISMATCH), ("nan", BAD_TYPE_MISMATCH), ("1,5", BAD_TYPE_MISMATCH),
        ("1e999", BAD_OUT_OF_RANGE), ("0x10", BAD_TYPE_MISMATCH), ("1_000", BAD_TYPE_MISMATCH),
        (b"\xff", BAD_DECODING),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_number_is_bad(said: str | bytes, status: int) -> None:
    value, found = one(PLAIN, said)
    assert math.isnan(value)
    assert found == status


def test_a_part_that_is_not_told_is_no_news_and_null_is_no_value() -> None:
    [only] = readings(STAMPED, b'{"a": 4, "t": 1777000000000}', NOW)
    assert (only.row, only.value, only.at) == (0, 4, 1777000000000000)
    empty = readings(STAMPED, b'{"a": null, "b": {"c": [0, 2]}, "t": 1777000000000}', NOW)
    assert [(r.row, r.status) for r in empty] == [(0, BAD_NO_DATA), (1, 0)]
    assert empty[1].value == 21
    for nothing in (b"{}", b'{"alive": true, "t": 1777000000000}', b"[]"):
        assert readings(STAMPED, nothing, NOW) == []  # a heartbeat on the same topic


@pytest.mark.parametrize("told", ['"yesterday"', "0", "99999999999999", "null", "true", "[]"])
def test_a_time_that_cannot_be_meant_leaves_the_value_uncertain_at_its_arrival(told: str) -> None:
    [reading] = readings(STAMPED, f'{{"a": 4, "t": {told}}}'.encode(), NOW)
    assert (reading.value, reading.at, reading.status) == (4, NOW, UNCERTAIN_LAST_USABLE)
    assert "no time" in reading.why


def test_a_kept_message_is_the_last_usable_value_or_nothing() -> None:
    assert one(PLAIN, "5", retained=True) == (5, UNCERTAIN_LAST_USABLE)
    assert readings(PLAIN._replace(keep_retained=False), b"5", NOW, retained=True) == []


def test_a_list_is_read_entry_by_entry() -> None:
    plan = Plan([Point(0, path("v"))], json=True, each=path("readings"), time=path("ts"), unit="s")
    body = json.dumps({"readings": [{"v": n, "ts": 1777000000 + n} for n in range(3)]}).encode()
    assert [(r.value, r.at) for r in readings(plan, body, NOW)] == [
        (n, (1777000000 + n) * 1_000_000) for n in range(3)
    ]
    assert readings(plan, b'{"readings": []}', NOW) == []
    assert readings(plan, b"{}", NOW)[0].status == BAD_DECODING


def test_codes_turn_words_and_numbers_into_numbers() -> None:
    plan = Plan([Point(0, path(""), codes={"RUN": 1, "3": 7, "true": 9})], json=True)
    assert [one(plan, said)[0] for said in ('"RUN"', "3", "3.0", "true")] == [1, 7, 7, 9]
    assert one(plan, '"WALK"')[1] == BAD_OUT_OF_RANGE


@pytest.mark.parametrize(("unit", "raw"), [("s", 1777000000), ("ms", 1777000000000), ("us", 1777 * 10**12)])
def test_times_come_in_every_unit_and_lose_nothing(unit: str, raw: int) -> None:
    assert instant(raw, unit, UTC) == 1777 * 10**12  # type: ignore[arg-type]
    assert instant(str(raw), unit, UTC) == 1777 * 10**12  # type: ignore[arg-type]


def test_a_time_without_a_zone_is_in_the_zone_that_is_named() -> None:
    east = timezone(timedelta(hours=8))
    assert instant("2026-05-01T08:00:00", "iso", east) == NOW
    assert instant("2026-05-01T00:00:00Z", "iso", east) == NOW


def test_paths_reach_into_documents_and_never_fail() -> None:
    document = {"a": [{"b-c": 1}], "n": None}
    assert path("a[0].b-c")(document) == 1
    assert path("n")(document) is None
    assert all(path(p)(document) is NOTHING for p in ("a[1]", "a[-2]", "a.b", "n.x", "x", "a[?x=='y'] | [0]"))
    with pytest.raises(ValueError, match="is no path"):
        path("a..b")


@pytest.mark.parametrize(
    "place",
    [
        "机床1.油温",
        '"机床1"."oil temp"',
        "机床1.40001",
        '"机床1".list[1]',
        "[0].油温",
        "[-1].list[-1]",
        '"[0]"."a.b"',
    ],
)
def test_names_of_any_kind_are_places_and_null_there_is_no_value(place: str) -> None:
    machine = {"油温": None, "oil temp": None, "40001": None, "list": [1, None]}
    assert path(place)({"机床1": machine, "[0]": {"a.b": None}} if place[0] != "[" else [machine]) is None


def test_a_place_may_hold_braces_for_what_its_tag_names() -> None:
    block = ValueBlock(tag="p/{line}/{m}/x", value="{m}.x")
    topic = TopicBlock(topic="t/{line}", payload="json", values=[block])
    [plan] = Routes([topic], timedelta(minutes=5), TAGS, "w").of("t/l1")
    assert [(r.row, r.value) for r in readings(plan, b'{"b": {"x": 2}, "a": {"x": 1}}', NOW)] == [
        (0, 1),
        (1, 2),
    ]
    with pytest.raises(ValueError, match="is no path"):
        ValueBlock(tag="p/x", value="{m}..x")


def test_texts_of_a_plc_may_be_padded() -> None:
    plan = Plan([Point(0, path("s"))], json=True)
    assert one(plan, '{"s": " 3.5 "}') == one(plan, '{"s": "3.5\\u0000\\u0000"}') == (3.5, 0)
    coded = Plan([Point(0, path("s"), codes={"RUN": 1, " ": 2})], json=True)
    assert [one(coded, f'{{"s": "{said}"}}')[0] for said in ("RUN  ", " ")] == [1, 2]


def test_what_is_written_in_gb18030_can_be_read_so() -> None:
    body = '{"状态": "运行", "t": 1777000000000}'.encode("gb18030")
    plan = Plan([Point(0, path("状态"), codes={"运行": 1})], json=True, encoding="gb18030")
    assert one(plan, body) == (1, 0)
    [wrong] = readings(plan._replace(encoding="utf-8"), body, NOW)
    assert (wrong.status, wrong.why) == (BAD_DECODING, "is no text (utf-8); correct encoding:")


@pytest.mark.parametrize(
    "said",
    [
        "2026/5/1 8:05:03",
        "2026-05-01T8:05:03.0",
        "20260501080503",
        "2026/05/01 08:05:03+8:00",
        "2026-5-01T00:05:03Z",
    ],
)
def test_a_time_is_read_as_it_is_usually_written(said: str) -> None:
    assert instant(said, "iso", timezone(timedelta(hours=8))) == NOW + 303 * 1_000_000


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abct"), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=60) | documents.map(lambda d: json.dumps(d).encode()))
def test_whatever_comes_is_readings_with_a_number_or_a_bad_status(body: bytes) -> None:
    for plan in (PLAIN, STAMPED, STAMPED._replace(each=path("a"), unit="iso"), STAMPED._replace(unit="ns")):
        for reading in readings(plan, body, NOW):
            assert math.isfinite(reading.value) != (reading.status >= 0x80000000)
            assert reading.at == NOW or 946684800_000_000 <= reading.at <= NOW + 86_400_000_000


def test_braces_are_filled_from_the_tags_of_the_plant() -> None:
    found = expanded("p/{line}/{m}/x", TAGS, ("t/{line}/{m}",), "w")
    assert [(t.number, b["line"], b["m"]) for t, b in found] == [
        (1, "l1", "a"),
        (2, "l1", "b"),
        (3, "l2", "a"),
    ]
    with pytest.raises(ConfigError, match="stands nowhere else"):
        expanded("p/{line}/{m}/x", TAGS, ("t/{line}",), "w")
    with pytest.raises(ConfigError, match="no tag of the plant fits"):
        expanded("q/{line}", TAGS, ("t/{line}",), "w")


@pytest.mark.parametrize(
    ("topic", "fits", "not_these"),
    [
        ("a/+/c", ["a/b/c", "a//c"], ["a/b", "a/b/c/d"]),
        ("a/#", ["a", "a/b", "a/b/c"], ["b", "ab"]),
        ("#", ["a", "a/b"], ["$SYS/x"]),
        ("+/x", ["a/x"], ["$SYS/x"]),
        ("a/{m}-{m}/c", ["a/b-b/c"], ["a/b-d/c"]),
    ],
)
def test_topics_fit_as_the_standard_says(topic: str, fits: list[str], not_these: list[str]) -> None:
    pattern = topic_pattern(topic)
    assert all(pattern.fullmatch(t) for t in fits)
    assert not any(pattern.fullmatch(t) for t in not_these)
    assert topic_filter("a/press-{n}/+") == "a/+/+"


def test_the_blocks_of_the_page_can_be_used_as_they_stand() -> None:
    page = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")
    names = ("oil_temp", "state", "pressure", "good")
    tags = {
        path: Tag(n, path, Words("", ""))
        for n, path in enumerate((f"p1/stamping/l1/press-01/{name}" for name in names), 1)
    }
    seen = []
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        [collector] = yaml.safe_load(block)["collectors"]
        settings = {k: "secret" if k == "password" else v for k, v in collector["with"].items()}
        cls: Any = {"mqtt": MqttCollector, "sparkplug-b": SparkplugCollector}[collector["kind"]]
        made = cls(cls.Config.model_validate(settings), HandClock(), tags, collector["name"])
        seen.append(sorted(made.tag_numbers))
    assert seen == [[1, 2, 3, 4], [1, 2]]


@pytest.mark.parametrize(
    ("wide", "narrow", "so"),
    [
        ("#", "a/b", True), ("a/#", "a", True), ("a/#", "a/+/c", True), ("a/#", "b/a", False),
        ("+", "a", True),
        ("a/+", "a/#", False), ("a/+/c", "a/b/c", True), ("a/+/c", "a/b/+", False), ("a/b", "a/b", True),
        ("a/b", "a/b/c", False), ("a/b/c", "a/b", False), ("#", "$SYS/x", False), ("a/#", "a/#", True),
        ("+/#", "#", False), ("#", "+/#", True), ("a/+", "a/+", True), ("a/b/#", "a/#", False),
    ],
)  # fmt: skip
def test_a_filter_within_another_is_known_as_such(wide: str, narrow: str, so: bool) -> None:
    assert covers(wide, narrow) is so


def test_of_filters_within_each_other_the_widest_is_asked_for_at_the_best_quality_of_service() -> None:
    filters = [("plant/#", 0), ("plant/+/m/temp", 2), ("gw", 1), ("gw/+", 0)]
    assert widest(filters) == [("plant/#", 2), ("gw", 1), ("gw/+", 0)]
