"""MQTT: plain topics with numbers, words or JSON in them. Listens only: nothing is ever published."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from pydantic import Field, field_validator, model_validator

from collectors.mqtt_broker import BrokerBlock
from collectors.mqtt_line import Line, Message
from collectors.mqtt_values import Find, Plan, Point, Reading, Unit, path, readings
from collectors.templates import expanded, filled, holes, topic_filter, topic_pattern
from hub.config import Block, Duration
from hub.errors import ConfigError, SourceRefused, SourceUnavailable
from hub.model.batch import SampleBatch, micros
from hub.model.sample import Tag
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)

_PATIENCE = 60.0  # seconds of silence until the line is looked at again; it tells us itself when it breaks
_NOT_OURS = "the broker does not let us have it; allow it there for our user"
_LOOK = 3.0  # seconds a probe listens
_KNOWN_TOPICS = 10_000  # of those that only a wildcard fits: a broker may have any number


class ValueBlock(Block):
    """One value of a message, and the tag it belongs to."""

    tag: str
    value: str = Field("", description="place in the JSON document: data.temp, readings[0].v, or JMESPath")
    scale: float = Field(1.0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)
    codes: dict[str, float] = Field(default_factory=dict)

    @field_validator("value")
    @classmethod
    def _can_be_looked_up(cls, value: str) -> str:
        path(value)
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
        if re.sub(r"\{[A-Za-z_]\w*\}", "", value).count("{"):
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


class MqttConfig(BrokerBlock):
    """The `with:` block of a `kind: mqtt` collector."""

    session: Duration | None = Field(None, description="how long the broker keeps messages while we are away")
    topics: list[TopicBlock] = Field(min_length=1)

    @model_validator(mode="after")
    def _somebody_to_keep_for(self) -> MqttConfig:
        if self.session is not None and not self.client_id:
            raise ValueError("session: needs a client_id: that is the same after every restart; give it one")
        if self.session is not None and self.session < timedelta(seconds=1):
            raise ValueError("session: is too short; write for example 1h, or leave it out")
        return self


class _Routes:
    """Topic -> how its messages are read."""

    def __init__(self, config: MqttConfig, tags: Mapping[str, Tag], where: str) -> None:
        self.numbers: list[int] = []
        self.names: list[str] = []
        self._exact: dict[str, list[Plan]] = {}
        self._wild: list[tuple[re.Pattern[str], Plan]] = []
        self._known: dict[str, list[Plan]] = {}
        complaints: list[str] = []
        for index, block in enumerate(config.topics):
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
            self._route(topic, _plan(block, points))

    def _route(self, topic: str, plan: Plan) -> None:
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
            if len(self._known) < _KNOWN_TOPICS:
                self._known[topic] = known
        return known


def _place(expression: str, where: str) -> Find:
    """Of a template that has been filled: a machine's name may be none that can stand in a path."""
    try:
        return path(expression)
    except ValueError as cause:
        raise ConfigError(f"{where}: {cause}") from None


def _plan(block: TopicBlock, points: Sequence[Point]) -> Plan:
    return Plan(
        points, block.payload == "json", path(block.each) if block.each else None,
        path(block.time) if block.time else None, block.time_unit, ZoneInfo(block.time_zone),
        block.retained == "take",
    )  # fmt: skip


class MqttCollector:
    """Lives for one connection. The supervisor gives it the next one.

    A message is acknowledged to the broker once the house has its values. One that comes twice with its own
    time is stored once; one that comes late keeps its time and is history.
    """

    Config = MqttConfig
    repeats_what_stands = False  # most devices publish what changes, and nothing else

    def __init__(self, config: MqttConfig, clock: Clock, tags: Mapping[str, Tag], name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._routes = _Routes(config, tags, f"collectors.{name}.with.topics")
        self._numbers = np.array(self._routes.numbers, np.int32)
        self._last: dict[int, tuple[int, float]] = {}  # row -> time and value, where the message had a time
        self._told: set[tuple[int, str]] = set()
        self.doubles = 0  # values that came again

    @property
    def tag_numbers(self) -> Sequence[int]:
        return self._routes.numbers

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Listen until cancelled; raise SourceUnavailable or SourceRefused."""
        config = self._config
        lasting = config.session.total_seconds() if config.session else 0.0
        async with self._line(config.called(), lasting) as line:
            await self._subscribe(line)
            while True:
                messages = await line.next(_PATIENCE)
                batch = self._batch(r for m in messages for r in self._read(m))
                if len(batch):
                    await sink.put(batch)
                line.done(messages)

    async def probe(self) -> Mapping[str, str]:
        """What a look at the broker finds; changes nothing. Raises SourceUnavailable or SourceRefused."""
        aside = self._config.model_copy(update={"client_id": ""})  # not to push out the hub that runs
        async with self._line(aside.called(), 0) as line:
            refused = await line.subscribe(self._filters())
            found = {f"topic {f}": f"✗ {_NOT_OURS}" for f in refused}
            heard, wrong = await self._looked(line)
        quiet = len(self._numbers) - len(heard)
        summary = (
            f"logged in with MQTT {self._config.version}, {len(heard)} of {len(self._numbers)} tags heard"
        )
        if quiet:
            summary += f" within {_LOOK:g} s; the others may be told less often"
        return {str(self._config.place): summary, **found, **wrong}

    async def _looked(self, line: Line) -> tuple[set[int], dict[str, str]]:
        heard: set[int] = set()
        wrong: dict[str, str] = {}
        end = self._clock.monotonic() + _LOOK
        while (left := end - self._clock.monotonic()) > 0 and len(heard) < len(self._numbers):
            for message in await line.next(left):
                for reading in self._read(message):
                    heard.add(reading.row)
                    if reading.why:
                        wrong[f"{message.topic} ({self._routes.names[reading.row]})"] = f"✗ {reading.why}"
        return heard, wrong

    @contextlib.asynccontextmanager
    async def _line(self, client_id: str, lasting: float) -> AsyncIterator[Line]:
        """A session with the broker; what goes wrong in it names it."""
        where = f"{self._name}: {self._config.place}"
        line: Line | None = None
        try:
            line = Line(self._config, client_id, lasting=lasting)
            await line.open()
            yield line
        except SourceUnavailable as cause:
            raise SourceUnavailable(f"{where}: {cause}") from None
        except SourceRefused as cause:
            raise SourceRefused(f"{where}: {cause}") from None
        finally:
            if line is not None:
                await line.close()

    def _filters(self) -> list[tuple[str, int]]:
        wanted: dict[str, int] = {}
        for block in self._config.topics:
            one = topic_filter(block.topic)
            wanted[one] = max(block.qos, wanted.get(one, 0))
        return list(wanted.items())

    async def _subscribe(self, line: Line) -> None:
        filters = self._filters()
        refused = await line.subscribe(filters)
        if len(refused) == len(filters):
            raise SourceRefused(
                f"the broker lets us have none of our topics; allow {refused[0]} for our user"
            )
        for one in refused:
            _log.warning(
                "%s: the broker refuses %s; allow it for our user, the others go on", self._name, one
            )

    def _read(self, message: Message) -> Iterable[Reading]:
        arrived = micros(self._clock.now())
        for plan in self._routes.of(message.topic):
            for reading in readings(plan, message.payload, arrived, retained=message.retained):
                if reading.why:
                    self._say(reading.row, message.topic, reading.why)
                if plan.time is None or not self._double(reading):
                    yield reading

    def _double(self, reading: Reading) -> bool:
        """Whether the very same was told just before: a broker that is not sure sends again."""
        same = self._last.get(reading.row) == (reading.at, reading.value)
        self._last[reading.row] = (reading.at, reading.value)
        self.doubles += same
        return same

    def _batch(self, found: Iterable[Reading]) -> SampleBatch:
        rows = list(found)
        return SampleBatch(
            self._numbers[[r.row for r in rows]] if rows else self._numbers[:0],
            np.array([r.at for r in rows], np.int64),
            np.array([r.value for r in rows], np.float64),
            np.array([r.status for r in rows], np.uint32),
            self._name,
        )

    def _say(self, row: int, topic: str, why: str) -> None:
        """Each complaint once in the life of a connection, and not without end."""
        if (row, why) not in self._told and len(self._told) < 1000:
            self._told.add((row, why))
            _log.warning("%s: %s (%s) %s", self._name, topic, self._routes.names[row], why)
