"""Which topics are listened to, and which tags their messages hold values of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from collectors.codes import Codes
from collectors.mqtt_values import Encoding, Find, Plan, Point, Unit, path
from collectors.templates import expanded, filled, holes, topic_filter, topic_pattern
from hub.config import Block
from hub.errors import ConfigError
from hub.model.sample import Tag

_KNOWN_TOPICS = 10_000  # of those that only a wildcard fits: a broker may have any number
_LONG_TOPIC = 200  # characters; MQTT allows 65,535, and so many of those would fill our memory
_HOLE = re.compile(r"\{[A-Za-z_]\w*\}")


class ValueBlock(Block):
    """One value of a message, and the tag it belongs to."""

    tag: str
    value: str = Field(
        "", description='place in the JSON document: data.temp, readings[0].v, "oil temp".v, or JMESPath'
    )
    scale: float = Field(1.0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)
    codes: Codes = Field(default_factory=dict)

    @field_validator("value")
    @classmethod
    def _can_be_looked_up(cls, value: str) -> str:
        path(_HOLE.sub("x", value))
        return value

    @model_validator(mode="after")
    def _sensible(self) -> ValueBlock:
        if self.scale == 0:
            raise ValueError("scale: 0 would make every value the same; leave it out or correct it")
        if self.codes and (self.scale != 1 or self.offset != 0):
            raise ValueError("codes: already name the final numbers; leave out scale and offset")
        return self


class TopicBlock(Block):
    """Messages of one topic, or of many that are built alike."""

    topic: str = Field(description="may hold + and #, or {name}s that its tags hold too")
    payload: Literal["plain", "json"] = "plain"
    encoding: Encoding = Field("utf-8", description="of its texts; gb18030 reads GBK and GB2312, too")
    qos: Literal[0, 1, 2] = 1
    each: str = Field("", description="place of a list: each of its entries is read like a message")
    time: str = Field("", description="place of the time; left out: the moment of arrival")
    time_unit: Unit = "ms"
    time_zone: str = Field("UTC", description="of ISO times that name none")
    retained: Literal["take", "ignore"] = "take"
    values: list[ValueBlock] = Field(min_length=1)

    @field_validator("topic")
    @classmethod
    def _fits_mqtt(cls, value: str) -> str:
        levels = value.split("/")
        wrong = [x for x in levels if ("+" in x and x != "+") or ("#" in x and x != "#")]
        if not value or wrong or "#" in levels[:-1] or len(value.encode()) > 65_535 or "\0" in value:
            raise ValueError(
                f"{value!r} is no topic; + stands for one whole level, # for all after the last /"
            )
        if _HOLE.sub("", value).count("{"):
            raise ValueError(f"{value!r}: braces hold a name: {{line}}")
        return value

    @field_validator("each", "time")
    @classmethod
    def _can_be_looked_up(cls, value: str) -> str:
        path(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; write for example Asia/Shanghai") from None
        return value

    @model_validator(mode="after")
    def _plain_has_no_places(self) -> TopicBlock:
        if self.payload == "plain" and (self.each or self.time or any(v.value for v in self.values)):
            raise ValueError("payload: plain has no places in it; write payload: json")
        return self


class Routes:
    """Topic -> how its messages are read."""

    def __init__(
        self, blocks: Sequence[TopicBlock], ahead: timedelta, tags: Mapping[str, Tag], where: str
    ) -> None:
        self._ahead = ahead
        self.numbers: list[int] = []
        self.names: list[str] = []
        self._exact: dict[str, list[Plan]] = {}
        self._wild: list[tuple[re.Pattern[str], Plan]] = []
        self._known: dict[str, list[Plan]] = {}
        self.untimed: list[str] = []  # filters of the messages whose readings have the time they come at
        complaints: list[str] = []
        for index, block in enumerate(blocks):
            try:
                self._add(block, tags, f"{where}[{index}]")
            except ConfigError as cause:
                complaints += cause.complaints
        if complaints:
            raise ConfigError(*complaints)

    def _add(self, block: TopicBlock, tags: Mapping[str, Tag], where: str) -> None:
        by_topic: dict[str, list[Point]] = {}
        complaints: list[str] = []
        for index, value in enumerate(block.values):
            try:
                found = expanded(value.tag, tags, (block.topic, value.value), f"{where}.values[{index}].tag")
            except ConfigError as cause:
                complaints += [c.replace(".tag[0].tag:", ".tag:") for c in cause.complaints]
                continue
            for tag, bound in found:
                find = _place(filled(value.value, bound), f"{where}.values[{index}].value")
                point = Point(len(self.numbers), find, value.scale, value.offset, value.codes)
                self.numbers.append(tag.number)
                self.names.append(tag.path)
                by_topic.setdefault(filled(block.topic, bound), []).append(point)
        if complaints:
            raise ConfigError(*complaints)
        for topic, points in by_topic.items():
            self._route(topic, _plan(block, points, self._ahead))

    def _route(self, topic: str, plan: Plan) -> None:
        if plan.time is None:
            self.untimed.append(topic_filter(topic))
        if holes(topic) or "+" in topic or "#" in topic:
            self._wild.append((topic_pattern(topic), plan))
        else:
            self._exact.setdefault(topic, []).append(plan)

    def of(self, topic: str) -> list[Plan]:
        known = self._known.get(topic)
        if known is None:
            known = [
                *self._exact.get(topic, ()),
                *(p for pattern, p in self._wild if pattern.fullmatch(topic)),
            ]
            if len(self._known) < _KNOWN_TOPICS and len(topic) <= _LONG_TOPIC:
                self._known[topic] = known
        return known


def _place(expression: str, where: str) -> Find:
    """Of a template that has been filled: a machine's name may be none that can stand in a path."""
    try:
        return path(expression)
    except ValueError as cause:
        raise ConfigError(f"{where}: {cause}") from None


def _plan(block: TopicBlock, points: Sequence[Point], ahead: timedelta) -> Plan:
    return Plan(
        points, block.payload == "json", path(block.each) if block.each else None,
        path(block.time) if block.time else None, block.time_unit, ZoneInfo(block.time_zone),
        block.retained == "take", ahead // timedelta(microseconds=1), block.encoding,
    )  # fmt: skip
