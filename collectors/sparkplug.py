"""Sparkplug B: a host application that listens to edge nodes. Of commands it knows one: asking for births."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, cast

from pydantic import Field, field_validator, model_validator

from collectors.codes import Codes
from collectors.mqtt_broker import BrokerBlock
from collectors.mqtt_line import Line, Message, Will
from collectors.mqtt_protection import Protection
from collectors.sparkplug_edge import NODE, Edge, Patience, Verb
from collectors.sparkplug_parts import checked
from collectors.sparkplug_payload import BOOLEAN, PayloadMessage, parsed
from collectors.sparkplug_rows import Row, Rows
from collectors.sparkplug_state import Said, Version, heard, payload, topic
from collectors.templates import expanded, filled, holes
from hub.config import Block, Duration
from hub.errors import ConfigError, SourceRefused, SourceUnavailable
from hub.model.batch import SampleBatch, micros
from hub.model.line import Line as ProtectedLine
from hub.model.sample import Tag
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)

ROOT = "spBv1.0"
_LOOK_EVERY = 0.25  # seconds between two looks at what time brings
_LOOK = 3.0  # seconds a probe listens
_VERBS = frozenset({"NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"})
_BIRTHS = frozenset({"NBIRTH", "DBIRTH"})
_ID = re.compile(r"^[^/+#]+$")
_AT_ONCE = 100  # filters in one request
_KEPT = (
    "its messages lie at the broker (retained): nobody knows whether they still hold, and they are left out;"
    " publish them without retain, as Sparkplug wants, and delete what lies there"
)


class MetricBlock(Block):
    """One metric of an edge node or of a device behind it, and its tag. Braces make it one of many."""

    tag: str
    node: str = Field(description="GROUP/EDGE")
    device: str = ""
    metric: str = Field(min_length=1)
    item: str = Field(
        "", description="of an array, dataset or template: [2], [0].Column, Member, Member.Member; # how many"
    )
    scale: float = Field(1.0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)
    codes: Codes = Field(default_factory=dict)

    @field_validator("node")
    @classmethod
    def _two_names(cls, value: str) -> str:
        if value.count("/") != 1 or not all(_ID.match(part) for part in value.split("/")):
            raise ValueError(f"{value!r} is no edge node; write GROUP/EDGE, each without / + #")
        return value

    @field_validator("device")
    @classmethod
    def _one_name(cls, value: str) -> str:
        if value and not _ID.match(value):
            raise ValueError(f"{value!r} is no device; its name has no / + #")
        return value

    @field_validator("item")
    @classmethod
    def _a_way(cls, value: str) -> str:
        return checked(value)

    @model_validator(mode="after")
    def _sensible(self) -> MetricBlock:
        if self.scale == 0:
            raise ValueError("scale: 0 would make every value the same; leave it out or correct it")
        if self.codes and (self.scale != 1 or self.offset != 0):
            raise ValueError("codes: already name the final numbers; leave out scale and offset")
        return self


class SparkplugConfig(BrokerBlock):
    """The `with:` block of a `kind: sparkplug-b` collector."""

    host_id: str = Field(
        "andon-hub", description='our name as a host application; "": edge nodes do not see us'
    )
    state: Version = Field("3.0", description='how we tell nodes that we live; "2.2": STATE/HOST with a word')
    reorder: Duration = timedelta(seconds=2)
    ask_every: Duration = Field(timedelta(seconds=10), description="between two askings for births of a node")
    silence: Duration = Field(timedelta(minutes=10), description="until a silent node is asked; 0s: never")
    sequence: Literal["check", "ignore"] = "check"
    rebirth: bool = Field(
        True, description="may births be asked for; it is the one thing we ever send a node"
    )
    metrics: list[MetricBlock] = Field(min_length=1)

    @field_validator("host_id")
    @classmethod
    def _one_name(cls, value: str) -> str:
        if value and not _ID.match(value):
            raise ValueError(f"{value!r} is no host id; it has no / + #")
        return value

    @field_validator("ask_every")
    @classmethod
    def _not_a_storm(cls, value: timedelta) -> timedelta:
        if value < timedelta(seconds=1):
            raise ValueError("would be a storm of births; write 1s or more, for example 10s")
        return value


class _Wanted:
    """The configured metrics, by edge node."""

    def __init__(self, config: SparkplugConfig, tags: Mapping[str, Tag], where: str) -> None:
        self.rows: list[Row] = []
        self.names: list[str] = []
        self.places: list[tuple[str, str]] = []  # node and device of each row
        self.nodes: dict[str, int] = {}  # GROUP/EDGE -> number
        self.by_node: list[dict[str, dict[str, int]]] = []
        self._taken: dict[tuple[int, str, str, str], int] = {}
        complaints: list[str] = []
        for index, block in enumerate(config.metrics):
            try:
                self._add(block, tags, f"{where}[{index}]")
            except ConfigError as cause:
                complaints += [c.replace(".tag[0].tag:", ".tag:") for c in cause.complaints]
        if complaints:
            raise ConfigError(*complaints)

    def _add(self, block: MetricBlock, tags: Mapping[str, Tag], where: str) -> None:
        other = (block.node, block.device, block.metric)
        for tag, bound in expanded(block.tag, tags, other, f"{where}.tag"):
            node, device, metric = (filled(text, bound) for text in other)
            if left := sorted(holes(node) | holes(device)):
                raise ConfigError(f"{where}: {{{left[0]}}} stands not in its tag; use it there too")
            number = self.nodes.setdefault(node, len(self.nodes))
            if number == len(self.by_node):
                self.by_node.append({NODE: {}})
            row = len(self.rows)
            first = self._taken.setdefault((number, device, metric, block.item), row)
            if first != row:
                known = self.names[first]
                raise ConfigError(f"{where}: {node} {metric} already has the tag {known}; remove one")
            lead = self.by_node[number].setdefault(device, {}).setdefault(metric, row)
            patience = tag.stale_after // timedelta(microseconds=1)
            self.rows.append(
                Row(
                    tag.number, block.scale, block.offset, block.codes, patience, number, block.item,
                    lead,
                )
            )  # fmt: skip
            self.names.append(tag.path)
            self.places.append((node, device))


class SparkplugCollector:
    """Lives for one connection. The supervisor gives it the next one.

    The death of a node or device turns all its values bad at once, a birth brings them back. Nodes speak only
    of what changes, so a value that still holds is put again with the node's present time before its tag's
    `stale_after` is half over. What is historical is stored with its own time and raises nothing.
    """

    Config = SparkplugConfig
    tells_who_is_gone = True  # by their deaths

    def __init__(self, config: SparkplugConfig, clock: Clock, tags: Mapping[str, Tag], name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._protection = Protection(config)
        self._wanted = _Wanted(config, tags, f"collectors.{name}.with.metrics")
        self._rows = Rows(self._wanted.rows, len(self._wanted.nodes), name, config.clock_ahead)
        patience = Patience(
            config.reorder.total_seconds(), config.ask_every.total_seconds(), config.silence.total_seconds(),
            config.sequence == "check",
        )  # fmt: skip
        began = clock.monotonic()
        self.edges = {
            node: Edge(self._wanted.by_node[number], patience, began)
            for node, number in self._wanted.nodes.items()
        }
        self._told: set[tuple[str, str]] = set()

    @property
    def tag_numbers(self) -> Sequence[int]:
        return [row.tag for row in self._wanted.rows]

    @property
    def parts(self) -> Mapping[str, Sequence[int]]:
        """Each edge node, with all that is behind it, and each device as `GROUP/EDGE/DEVICE`."""
        found: dict[str, list[int]] = {}
        for row, (node, device) in zip(self._wanted.rows, self._wanted.places, strict=True):
            for part in (node, f"{node}/{device}") if device else (node,):
                found.setdefault(part, []).append(row.tag)
        return found

    @property
    def line(self) -> ProtectedLine:
        return self._protection.line

    def follow(self, before: SparkplugCollector, lost_at: datetime) -> None:
        """What was seen of the line holds until the next connection stands."""
        self._protection = before._protection

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Listen until cancelled; raise SourceUnavailable or SourceRefused."""
        at = _milliseconds(self._clock)
        will = Will(self._state, self._said(online=False, at=at), retained=True) if self._state else None
        async with self._line(self._config.called(), will) as line:
            if not await self._subscribe(line):
                raise SourceRefused("the broker lets us have none of our edge nodes; allow spBv1.0/# there")
            try:
                await self._announce(line, at)
                await self._listen(line, sink, at)
            finally:
                self._take_leave(line)

    async def probe(self) -> Mapping[str, str]:
        """What a look at the broker finds; publishes nothing. Raises SourceUnavailable or SourceRefused."""
        aside = self._config.model_copy(update={"client_id": ""})  # not to push out the hub that runs
        async with self._line(aside.called(), None) as line:
            if not await self._subscribe(line):
                where = str(self._config.place)
                return {where: "✗ it lets us have none of our edge nodes; allow spBv1.0/# for our user"}
            heard: set[str] = set()
            end = self._clock.monotonic() + _LOOK
            while (left := end - self._clock.monotonic()) > 0 and len(heard) < len(self.edges):
                for message in await line.next(left):
                    if (found := _address(message.topic)) and not message.retained:
                        heard.add(found[0])
        known = len(heard & set(self.edges))
        said = f"logged in with MQTT {self._config.version}, {known} of {len(self.edges)} edge nodes heard"
        if known < len(self.edges):
            said += f" within {_LOOK:g} s; a node whose values stand still says nothing"
        return {str(self._config.place): said}

    @contextlib.asynccontextmanager
    async def _line(self, client_id: str, will: Will | None) -> AsyncIterator[Line]:
        """A session with the broker, always a clean one (3.0, 5.3.1); what goes wrong in it names it."""
        where = f"{self._name}: {self._config.place}"
        line: Line | None = None
        try:
            line = Line(self._config, client_id, will=will)
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

    async def _subscribe(self, line: Line) -> bool:
        """Whether there is anything we may have."""
        filters = []
        for node in self._wanted.nodes:
            group, edge = node.split("/")
            filters += [(f"{ROOT}/{group}/+/{edge}", 1), (f"{ROOT}/{group}/+/{edge}/+", 1)]
        if self._state:
            filters.append((self._state, 1))
        refused: list[str] = []
        for start in range(0, len(filters), _AT_ONCE):
            refused += await line.subscribe(filters[start : start + _AT_ONCE])
        for one in refused:
            self._say(one, "the broker does not let us have it; allow it there for our user")
        return len(refused) < len(filters) - bool(self._state)

    # ------------------------------------------------------------------ being a host application
    @property
    def _state(self) -> str:
        """The topic on which nodes hear that we live; "" where they are not to."""
        return topic(self._config.state, self._config.host_id) if self._config.host_id else ""

    def _said(self, *, online: bool, at: int) -> bytes:
        return payload(self._config.state, Said(online, at))

    async def _announce(self, line: Line, at: int) -> None:
        if self._state:
            await line.publish(self._state, self._said(online=True, at=at), qos=1, retained=True)

    def _take_leave(self, line: Line) -> None:
        """A goodbye tells no will: what it would have said is said before it."""
        if self._state:
            gone = self._said(online=False, at=_milliseconds(self._clock))
            line.tell(self._state, gone, retained=True)

    async def _listen(self, line: Line, sink: Sink[SampleBatch], state_at: int) -> None:
        while True:
            messages = await line.next(_LOOK_EVERY)
            now = self._clock.monotonic()
            self._protection.look(now)
            for message in messages:
                if message.topic == self._state:
                    said = heard(self._config.state, message.payload)
                    if not said.online:  # an older will of ours, or another hub of our name
                        state_at = max(state_at, said.at)  # nodes take no older word than they have
                        await self._announce(line, state_at)
                else:
                    self._take(message, now)
            for node, number in self._wanted.nodes.items():
                edge = self.edges[node]
                self._rows.put(edge.tick(now), number, micros(self._clock.now()), now)
                self._repeat(node, edge)
                if self._config.rebirth and edge.ask(now):
                    await self._ask(line, node)
            await self._put(sink, now)
            line.done(messages)

    def _take(self, message: Message, now: float) -> None:
        found = _address(message.topic)
        if found is None or found[0] not in self.edges:
            return
        node, verb, device = found
        if message.retained and (self._config.rebirth or verb not in _BIRTHS):
            self._say(node, _KEPT)
            return
        if message.left_out:  # its number is missing then, as that of one that was lost
            self._say(
                message.topic,
                f"a message of more than {self._config.largest} bytes is left out; make largest: larger",
            )
            return
        if not message.payload and verb in _BIRTHS:  # so a broker is told to keep one no longer
            return
        number, arrived = self._wanted.nodes[node], micros(self._clock.now())
        try:
            payload = parsed(message.payload, self._config.largest)
        except ValueError as cause:
            self._say(message.topic, f"{cause}; it is left out")
            return
        if verb != "NDEATH":  # the time of a will is that of its log-in
            self._rows.heard(number, payload.at or arrived, arrived, now)
        edge = self.edges[node]
        self._rows.put(edge.take(verb, device, payload, now), number, arrived, now)
        self._repeat(node, edge)

    def _repeat(self, node: str, edge: Edge) -> None:
        for said in edge.complaints:
            self._say(node, said)
        edge.complaints.clear()

    async def _put(self, sink: Sink[SampleBatch], now: float) -> None:
        in_doubt = [number for node, number in self._wanted.nodes.items() if self.edges[node].doubt]
        for batch in self._rows.take(now, in_doubt):
            await sink.put(batch)
        for row, why in self._rows.complaints:
            self._say(self._wanted.names[row], why)
        self._rows.complaints.clear()

    async def _ask(self, line: Line, node: str) -> None:
        """For its births: the one command of ours (3.0, 6.4.20)."""
        group, edge = node.split("/")
        await line.publish(f"{ROOT}/{group}/NCMD/{edge}", rebirth_command(_milliseconds(self._clock)))

    def _say(self, of: str, what: str) -> None:
        """Each complaint once in the life of a connection, and not without end."""
        if (of, what) not in self._told and len(self._told) < 1000:
            self._told.add((of, what))
            _log.warning("%s: %s: %s", self._name, of, what)


def rebirth_command(at: int) -> bytes:
    """`at` in milliseconds since 1970."""
    command = PayloadMessage(timestamp=at)
    command.metrics.add(name="Node Control/Rebirth", timestamp=at, datatype=BOOLEAN, boolean_value=True)
    return cast(bytes, command.SerializeToString())


def _milliseconds(clock: Clock) -> int:
    return micros(clock.now()) // 1000


def _address(topic: str) -> tuple[str, Verb, str] | None:
    """(GROUP/EDGE, verb, device) of a message from an edge node."""
    parts = topic.split("/")
    if len(parts) not in (4, 5) or parts[0] != ROOT or parts[2] not in _VERBS:
        return None
    verb = cast(Verb, parts[2])
    if (verb[0] == "D") != (len(parts) == 5):
        return None
    return f"{parts[1]}/{parts[3]}", verb, parts[4] if len(parts) == 5 else NODE
