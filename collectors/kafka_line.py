"""One consumer of a Kafka group, in a thread of its own: nothing is asked of one that is being closed."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, field_validator, model_validator

from hub.config import Block, Duration
from hub.errors import ConfigError, SourceRefused, SourceUnavailable

_log = logging.getLogger(__name__)
_PAGE = 200  # events of one transaction
_ANSWER = 10.0  # seconds for an answer of a broker
_LONGEST_POLL = timedelta(seconds=1)  # nothing can be cancelled for so long
# Names of error codes: librdkafka's rdkafka.h, those without _ in front are the protocol's own.
_REFUSALS = {
    "_AUTHENTICATION": "user, password and mechanism",
    "SASL_AUTHENTICATION_FAILED": "user, password and mechanism",
    "UNSUPPORTED_SASL_MECHANISM": "mechanism",
    "_SSL": "tls, ca and certificate",
    "TOPIC_AUTHORIZATION_FAILED": "the user's right to read the topics",
    "GROUP_AUTHORIZATION_FAILED": "the user's right to the group",
    "CLUSTER_AUTHORIZATION_FAILED": "the user's rights",
}
_DAMAGED = frozenset({"_BAD_MSG", "_BAD_COMPRESSION", "_NOT_IMPLEMENTED", "CORRUPT_MESSAGE"})
_MOVED = frozenset(  # the group is rebalanced: who has the partition then reads again, or we commit again
    {"ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID", "_ASSIGNMENT_LOST", "_STATE"}
)
_PASSING = frozenset({"_MAX_POLL_EXCEEDED", "_PARTITION_EOF"})  # the client joins again by itself
T = TypeVar("T")
Place = tuple[str, int]  # topic, partition


class KafkaBlock(Block):
    """Where the brokers are, what is read there, and as whom."""

    servers: list[str] = Field(min_length=1, description="HOST:PORT of some brokers; they tell of the others")
    topics: list[str] = Field(min_length=1, max_length=50)
    group: str = Field("andon-hub", min_length=1, max_length=200)
    tls: Literal["off", "on", "verified"] = Field(
        "off", description="verified: with the brokers' certificates"
    )
    ca: str = Field("", description="a file: who signed them; the system's own list by default")
    certificate: str = Field("", description="a file: ours, where the brokers ask for one")
    key: str = Field("", description="a file: its key")
    key_password: SecretStr | None = None
    mechanism: Literal["plain", "scram-sha-256", "scram-sha-512"] = "scram-sha-512"
    user: str = ""
    password: SecretStr = SecretStr("")
    wait: Duration = Field(timedelta(milliseconds=500), description="how long a broker may wait for news")
    session: Duration = Field(
        timedelta(seconds=45), description="of a consumer that fell silent: others take over after that"
    )

    @field_validator("servers")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for server in value:
            host, _, port = server.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536 or {*"@/, "} & {*server}:
                raise ValueError(
                    "write HOST:PORT, for each broker an entry; user and password are keys of their own"
                )
        return value

    @field_validator("topics")
    @classmethod
    def _topics(cls, value: list[str]) -> list[str]:
        if any(not name.replace(".", "").replace("_", "").replace("-", "").isalnum() for name in value):
            raise ValueError(
                "a topic's name has letters, digits, '.', '_' and '-'; patterns are not understood"
            )
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise ValueError("user and password go together: write both, or neither")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together: write both, or neither")
        if self.tls == "off" and (self.ca or self.certificate):
            raise ValueError("tls is off; write tls: verified")
        return self


def settings_of(config: KafkaBlock) -> dict[str, Any]:
    """librdkafka's own names (CONFIGURATION.md)."""
    secure, known = config.tls != "off", bool(config.user)
    session = int(config.session.total_seconds() * 1000)
    made: dict[str, Any] = {
        "bootstrap.servers": ",".join(config.servers), "group.id": config.group, "client.id": "andon-hub",
        "security.protocol": ("SASL_" if known else "") + ("SSL" if secure else "PLAINTEXT"),
        "enable.auto.commit": False, "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # what retention took away is ours to tell
        "partition.assignment.strategy": "cooperative-sticky", "allow.auto.create.topics": False,
        "session.timeout.ms": session, "heartbeat.interval.ms": max(session // 3, 1),
        "max.poll.interval.ms": max(session, 300_000),
        "fetch.wait.max.ms": max(int(config.wait.total_seconds() * 1000), 1),
        "queued.max.messages.kbytes": 8192, "check.crcs": True,
        "socket.timeout.ms": int(_ANSWER * 1000), "socket.connection.setup.timeout.ms": int(_ANSWER * 1000),
        "socket.keepalive.enable": True, "log_level": 2, "log.connection.close": False,
    }  # fmt: skip
    if secure:
        made |= {"enable.ssl.certificate.verification": config.tls == "verified"}
        made |= {"ssl.endpoint.identification.algorithm": "https" if config.tls == "verified" else "none"}
        made |= {"ssl.ca.location": config.ca} if config.ca else {}
    if config.certificate:
        made |= {"ssl.certificate.location": config.certificate, "ssl.key.location": config.key}
        made |= {"ssl.key.password": config.key_password.get_secret_value()} if config.key_password else {}
    if known:
        made |= {
            "sasl.mechanism": config.mechanism.upper(), "sasl.username": config.user,
            "sasl.password": config.password.get_secret_value(),
        }  # fmt: skip
    return made


@dataclass(slots=True)
class Found:
    messages: list[Any]
    reset: Place | None = None  # (topic, partition) that has no place to go on from


class Line:
    """One consumer and its thread."""

    def __init__(self, config: KafkaBlock, name: str) -> None:
        self._kafka, self._config, self._name = _driver(), config, name
        self._thread = ThreadPoolExecutor(1, f"mes-kafka-{name}")
        self._trouble: Any = None  # what the driver told beside the events
        self._poll = min(_LONGEST_POLL, max(config.wait, timedelta(milliseconds=1))).total_seconds()
        self.joined = False
        self.owed: dict[Place, int] = {}  # taken, but not committed while the group was rebalanced
        self._paying = False

    async def __aenter__(self) -> Self:
        try:
            self._consumer = await self.ask(self._open)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._run(self._consumer.close)
        finally:
            self._thread.shutdown(wait=False)

    async def ask(self, what: Callable[[], T]) -> T:
        try:
            return await self._run(what)
        except self._kafka.KafkaException as cause:
            raise self._complaint(cause.args[0]) from None

    async def _run(self, what: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)

    def sound(self) -> None:
        """Raises what the driver told of its connections meanwhile."""
        if self._trouble is not None:
            raise self._complaint(self._trouble)

    # -------------------------------------------------------------- in the thread
    def _open(self) -> Any:
        try:
            ears = {"error_cb": self._told, "on_commit": self._committed, "logger": _log}
            return self._kafka.Consumer(settings_of(self._config) | ears)
        except self._kafka.KafkaException as cause:  # its text may hold a file's name, never a secret
            said = " ".join(cause.args[0].str().split())
            raise SourceRefused(f"{self._name}: {said}; correct the block with:") from None

    def _told(self, error: Any) -> None:
        """Of single brokers the driver takes care by itself."""
        refused = error.name() in _REFUSALS
        if refused or (self._trouble is None and (error.name() == "_ALL_BROKERS_DOWN" or error.fatal())):
            self._trouble = error

    def join(self) -> None:
        def assigned(_consumer: Any, _partitions: Any) -> None:
            self.joined = True

        self._consumer.subscribe(list(self._config.topics), on_assign=assigned)

    def next(self) -> Found:
        """What is there, at once when something is; up to the first partition that has no place."""
        found, message = Found([]), self._consumer.poll(self._poll)
        while message is not None:
            error = message.error()
            if error is None or error.name() in _DAMAGED:
                found.messages.append(message)
            elif error.name() == "_AUTO_OFFSET_RESET":
                found.reset = (message.topic(), message.partition())
                return found
            elif error.name() not in _PASSING:
                self._trouble = self._trouble or error
                return found
            if len(found.messages) >= _PAGE:
                return found
            message = self._consumer.poll(0)
        return found

    def commit(self, places: Mapping[Place, int]) -> None:
        self.owed |= places
        try:
            done = self._consumer.commit(offsets=self._spots(places), asynchronous=False)
            failed = [spot.error for spot in done or () if spot.error]
        except self._kafka.KafkaException as cause:
            failed = [cause.args[0]]
        if grave := [error for error in failed if error.name() not in _MOVED]:
            raise self._kafka.KafkaException(grave[0])
        if not failed:
            self._paid(places)

    def commit_again(self) -> None:
        """What a rebalance would not let us commit, as long as it is ours; nobody waits for the answer, which
        the rebalance itself might wait for."""
        ours = {(spot.topic, spot.partition) for spot in self._consumer.assignment()}
        self.owed = {place: offset for place, offset in self.owed.items() if place in ours}
        if self.owed and not self._paying:
            self._paying = True
            self._consumer.commit(offsets=self._spots(self.owed), asynchronous=True)

    def _committed(self, error: Any, spots: Any) -> None:
        """Of any commit; the driver tells it while it is polled."""
        self._paying = False
        if error is None:
            self._paid({(s.topic, s.partition): s.offset for s in spots if s.error is None})

    def _paid(self, places: Mapping[Place, int]) -> None:
        self.owed = {p: offset for p, offset in self.owed.items() if offset > places.get(p, -1)}

    def _spots(self, places: Mapping[Place, int]) -> list[Any]:
        return [self._kafka.TopicPartition(*place, offset) for place, offset in places.items()]

    def standing(self, place: Place) -> tuple[int | None, int, int]:
        """(committed, the first that is left, behind the last)."""
        spot = self._kafka.TopicPartition(*place)
        known = self._consumer.committed([spot], timeout=_ANSWER)[0].offset
        first, end = self._consumer.get_watermark_offsets(spot, timeout=_ANSWER)
        return (known if known >= 0 else None), first, end

    def go_on(self, place: Place, offset: int) -> None:
        try:
            self._consumer.incremental_unassign([self._kafka.TopicPartition(*place)])
        except self._kafka.KafkaException:
            _log.info("%s: %s/%s has moved to another consumer", self._name, *place)
            return
        self._consumer.incremental_assign([self._kafka.TopicPartition(*place, offset)])

    def sizes(self) -> dict[str, str]:
        found = {}
        for topic in self._config.topics:
            told = self._consumer.list_topics(topic, timeout=_ANSWER).topics[topic]
            if told.error is not None:
                raise self._complaint(told.error)
            ends = [self.standing_of(topic, number) for number in told.partitions]
            found[topic] = f"{sum(end - first for first, end in ends)} entries, {len(ends)} partitions"
        return found

    def standing_of(self, topic: str, partition: int) -> tuple[int, int]:
        spot = self._kafka.TopicPartition(topic, partition)
        first, end = self._consumer.get_watermark_offsets(spot, timeout=_ANSWER)
        return first, end

    def _complaint(self, error: Any) -> SourceUnavailable | SourceRefused:
        """Never with the driver's own words: they may quote what was sent."""
        name, where = error.name(), f"{self._name}: {', '.join(self._config.servers)}"
        if name in _REFUSALS:
            return SourceRefused(f"{where}: Kafka refuses us ({name}); correct {_REFUSALS[name]}")
        if name in ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"):
            named = ", ".join(self._config.topics)
            return SourceRefused(f"{where}: there is no such topic ({named}); make it, or correct topics:")
        return SourceUnavailable(f"{where}: Kafka is away ({name})")


def _driver() -> Any:
    try:
        return importlib.import_module("confluent_kafka")
    except ImportError:
        raise ConfigError("mes-kafka needs confluent-kafka; pip install 'andon-hub[kafka]'") from None
