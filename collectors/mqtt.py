"""MQTT: plain topics with numbers, words or JSON in them. Listens only: nothing is ever published."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from pydantic import Field, model_validator

from collectors.mqtt_broker import BrokerBlock
from collectors.mqtt_filters import Copies, level, meet, partly, widest
from collectors.mqtt_line import Line, Message
from collectors.mqtt_protection import Protection
from collectors.mqtt_topics import Routes, TopicBlock
from collectors.mqtt_values import Reading, left_out, readings
from collectors.repeats import Repeats
from collectors.source_times import UNCERTAIN_LAST_USABLE, SetBack
from collectors.templates import topic_filter
from collectors.under_way import UnderWay
from hub.config import Duration
from hub.errors import ConfigError, SourceRefused, SourceUnavailable
from hub.failpoint import failpoint
from hub.model.batch import SampleBatch, micros
from hub.model.line import Line as ProtectedLine
from hub.model.recent import Recent
from hub.model.sample import GOOD, Tag
from hub.ports import Clock, Sink
from hub.together import together

_log = logging.getLogger(__name__)

_PATIENCE = 60.0  # seconds of silence until the line is looked at again; it tells us itself when it breaks
_NOT_OURS = "the broker does not let us have it; allow it there for our user"
_NOTHING_FOR_US = "held none of its values; if that is so of all its messages, correct value:"
_TOO_LARGE = "has a message of more than {} bytes, it is left out; make largest: larger"
_LONG_TOPIC = 200  # characters; MQTT allows 65,535, and so many of those would fill our memory
_NOT_IN_IT = "its messages do not hold it; correct value:"
_OVERLAP = (
    'overlap: a broker may send what fits both once for each, which would be stored twice; write version: "5"'
    " (it tells them apart), or one topic that covers both, or time: for such messages, or sends_once: true"
    " if this broker sends each once"
)
_LOOK = 3.0  # seconds a probe listens


class MqttConfig(BrokerBlock):
    """The `with:` block of a `kind: mqtt` collector."""

    session: Duration | None = Field(None, description="how long the broker keeps messages while we are away")
    topics: list[TopicBlock] = Field(min_length=1)
    sends_once: bool = Field(False, description="the broker sends a message once, whatever topics fit it")

    @model_validator(mode="after")
    def _somebody_to_keep_for(self) -> MqttConfig:
        if self.session is not None and not self.client_id:
            raise ValueError("session: needs a client_id: that is the same after every restart; give it one")
        if self.session is not None and self.session < timedelta(seconds=1):
            raise ValueError("session: is too short; write for example 1h, or leave it out")
        return self


def _still(reading: Reading, at: int) -> Reading:
    """What the broker keeps, and the house has, after the line was lost: it holds again; since when nobody
    knows. Nor when a clock was set back."""
    return reading._replace(at=at, status=UNCERTAIN_LAST_USABLE if reading.status == GOOD else reading.status)


class MqttCollector:
    """Lives for one connection. The supervisor gives it the next one.

    A message is acknowledged to the broker once the house has its values. One that comes twice with its own
    time is stored once, also where a connection ended in between; one that comes late keeps its time and is
    history, unless its device's clock was set back.
    """

    Config = MqttConfig
    may_share_tags = True  # "started" on one topic and "stopped" on another
    repeats_what_stands = False  # most devices publish what changes, and nothing else

    def __init__(self, config: MqttConfig, clock: Clock, tags: Mapping[str, Tag], name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._protection = Protection(config)
        self._routes = Routes(config.topics, config.clock_ahead, tags, f"collectors.{name}.with.topics")
        self._numbers = np.array(self._routes.numbers, np.int32)
        self._repeats = Repeats(self._routes.names)  # of what has a time of its own
        patience = [tags[name].stale_after // timedelta(microseconds=1) for name in self._routes.names]
        self._set_back = SetBack(patience)
        self._last: dict[int, tuple[int, int]] = {}  # row -> (time of its last reading, as it was told)
        self._copies = Copies()
        if config.version != "5" and (doubled := self._doubled()):
            raise ConfigError(*(f"collectors.{name}.with.topics: {one}" for one in doubled))
        self._under_way = UnderWay()  # of what a session that lasts may send again
        self._told: set[tuple[int, str]] = set()
        self._too_large = _TOO_LARGE.format(config.largest)
        self._left_out: set[str] = set()  # topics
        self.doubles = 0  # values that came again

    def _doubled(self) -> list[str]:
        """Topics of which nothing but the broker could tell that a message is a copy."""
        if self._config.sends_once:
            return []
        topics = {topic_filter(block.topic): block.topic for block in reversed(self._config.topics)}
        return [
            f"{topics[one]} and {topics[other]} {_OVERLAP}"
            for one, other, both in partly(f for f, _ in widest(self._filters()))
            if any(meet(both, untimed) is not None for untimed in self._routes.untimed)
        ]

    @property
    def tag_numbers(self) -> Sequence[int]:
        return self._routes.numbers

    @property
    def line(self) -> ProtectedLine:
        return self._protection.line

    def follow(self, before: MqttCollector, lost_at: datetime) -> None:
        """What was seen of the line holds until the next connection stands."""
        self._protection = before._protection
        self._repeats = before._repeats.resumed()
        self._set_back, self._last = before._set_back, before._last
        self._under_way = before._under_way.resumed()

    def recall(self, recent: Recent) -> None:
        """What the process before this one has taken."""
        self._repeats.recall(recent.standing, recent.readings)
        self._under_way.recall(recent.under_way)

    def at_loss(self) -> Recent:
        """What is to be kept with the word that all tags are lost."""
        return Recent(self._repeats.lost(), self._under_way.kept)

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Listen until cancelled; raise SourceUnavailable or SourceRefused."""
        config = self._config
        lasting = config.session.total_seconds() if config.session else 0.0
        async with self._line(config.called(), lasting) as line:
            await together(self._listen(line, sink), self._stay_subscribed(line))

    async def _listen(self, line: Line, sink: Sink[SampleBatch]) -> None:
        """From the first moment on: what waits in a session that lasts comes before the broker's answer to
        our subscribing, and where more waits than it has under way at once, that answer waits for ours."""
        while True:
            messages = await line.next(_PATIENCE)
            confirmed = line.confirmed
            self._protection.look(self._clock.monotonic())
            batch = self._batch(r for m in messages if self._is_new(m) for r in self._read(m))
            if messages:
                await sink.put(batch)
                failpoint("mqtt.before_acknowledging")
            self._repeats.taken()
            acknowledged = line.done(messages)
            self._under_way.taken([m.number for m in messages if m.qos], acknowledged)
            self._under_way.confirmed(confirmed)

    async def probe(self) -> Mapping[str, str]:
        """What a look at the broker finds; changes nothing. Raises SourceUnavailable or SourceRefused."""
        aside = self._config.model_copy(update={"client_id": ""})  # not to push out the hub that runs
        async with self._line(aside.called(), 0) as line:
            refused = await self._subscribed(line)
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
        empty: dict[int, str] = {}
        end = self._clock.monotonic() + _LOOK
        while (left := end - self._clock.monotonic()) > 0 and len(heard) < len(self._numbers):
            for message in await line.next(left):
                found = list(self._read(message))
                empty |= {p.row: message.topic for q in self._routes.of(message.topic) for p in q.points}
                for reading in found:
                    heard.add(reading.row)
                    if reading.why:
                        wrong[f"{message.topic} ({self._routes.names[reading.row]})"] = f"✗ {reading.why}"
        for row in empty.keys() - heard:
            wrong[f"{empty[row]} ({self._routes.names[row]})"] = f"✗ {_NOT_IN_IT}"
        return heard, wrong

    @contextlib.asynccontextmanager
    async def _line(self, client_id: str, lasting: float) -> AsyncIterator[Line]:
        """A session with the broker; what goes wrong in it names it."""
        where = f"{self._name}: {self._config.place}"
        line: Line | None = None
        try:
            line = Line(self._config, client_id, lasting=lasting)
            await line.open()
            self._protection.opened(line.peer_until, self._clock.monotonic())
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

    async def _subscribed(self, line: Line) -> list[str]:
        """Filters that the broker refuses. One within another waits until the wide one is: of both a broker
        may send each message twice (MQTT 5, 3.3.4). Of those that overlap in part it says whose copy it is.
        """
        wanted, refused, asked = self._filters(), list[str](), set[str]()
        self._copies = Copies([f for f, _ in wanted] if line.tells_filters else ())
        numbers = self._copies.numbers
        while True:
            open_to_us = [f for f in wanted if f[0] not in refused]
            todo = [f for f in level(widest(open_to_us)) if f[0] not in asked]
            if not todo:
                return refused
            asked.update(f for f, _ in todo)
            for name, _ in todo:
                self._copies.asked_for(name)
            if alone := [f for f in todo if f[0] not in numbers]:
                refused += await line.subscribe(alone)
            for one in (f for f in todo if f[0] in numbers):
                refused += (no := await line.subscribe([one], numbers[one[0]]))
                for name in no:
                    self._copies.refused(name)

    async def _stay_subscribed(self, line: Line) -> None:
        await self._subscribe(line)
        await asyncio.get_running_loop().create_future()

    async def _subscribe(self, line: Line) -> None:
        if not line.tells_filters and (doubled := self._doubled()):
            raise SourceRefused(f"it has no subscription identifiers, which tell a copy: {doubled[0]}")
        refused = await self._subscribed(line)
        if len(refused) == len(self._filters()):
            raise SourceRefused(
                f"the broker lets us have none of our topics; allow {refused[0]} for our user"
            )
        for one in refused:
            _log.warning(
                "%s: the broker refuses %s; allow it for our user, the others go on", self._name, one
            )

    def _read(self, message: Message) -> Iterable[Reading]:
        arrived = micros(self._clock.now())
        if message.left_out:
            self._say_left_out(message)
        for plan in self._routes.of(message.topic):
            if message.left_out:
                found = left_out(plan, arrived, self._too_large, retained=message.retained)
            else:
                found = readings(plan, message.payload, arrived, retained=message.retained)
            if not found and (plan.keep_retained or not message.retained):
                self._say(plan.points[0].row, message.topic, _NOTHING_FOR_US)
            for reading in found:
                if reading.why and not message.left_out:
                    self._say(reading.row, message.topic, reading.why)
                if plan.time is None:
                    yield reading
                elif not self._repeats.seen(*reading[:4]):
                    yield self._in_time(reading, message, arrived)
                elif message.retained and self._repeats.stands(*reading[:4]):
                    yield _still(reading, arrived)
                else:
                    self.doubles += 1
                self._repeats.heard(reading.row)

    def _say_left_out(self, message: Message) -> None:
        """Once for all its tags; also where it has none, for its bytes come over the line all the same."""
        topic = message.topic[:_LONG_TOPIC]
        if topic not in self._left_out and len(self._left_out) < 1000:
            self._left_out.add(topic)
            _log.warning("%s: %s %s", self._name, topic, self._too_large)

    def _in_time(self, reading: Reading, message: Message, arrived: int) -> Reading:
        """As it is, but by a clock that was set back: then it is so now, and since when nobody knows."""
        if message.retained or not self._set_back.judge(reading.row, reading.at, arrived):
            return self._one_after_the_other(reading)
        self._say(reading.row, message.topic, "is told by a clock that was set back; correct it")
        return _still(reading, arrived)

    def _one_after_the_other(self, reading: Reading) -> Reading:
        """Two changes within one second of a clock that tells seconds: the second one is no older."""
        said, told = self._last.get(reading.row, (0, 0))
        at = told + 1 if reading.at == said else reading.at
        self._last[reading.row] = reading.at, at
        return reading._replace(at=at)

    def _is_new(self, message: Message) -> bool:
        """Neither a copy for another topic that it fits, nor one that the house has and the broker does not
        know it."""
        known = self._config.session is not None and message.qos and self._under_way.has(message)
        if not known and self._copies.counts(message):
            return True
        self.doubles += 1
        return False

    def _batch(self, found: Iterable[Reading]) -> SampleBatch:
        rows = list(found)
        recent = Recent(self._repeats.new, self._under_way.kept, self._repeats.standing)
        return SampleBatch(
            self._numbers[[r.row for r in rows]] if rows else self._numbers[:0],
            np.array([r.at for r in rows], np.int64),
            np.array([r.value for r in rows], np.float64),
            np.array([r.status for r in rows], np.uint32),
            self._name,
            recent=recent if any(recent) or self._config.session is not None else None,
        )

    def _say(self, row: int, topic: str, why: str) -> None:
        """Each complaint once in the life of a connection, and not without end."""
        if (row, why) not in self._told and len(self._told) < 1000:
            self._told.add((row, why))
            _log.warning("%s: %s (%s) %s", self._name, topic, self._routes.names[row], why)
