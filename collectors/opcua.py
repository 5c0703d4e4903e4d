"""OPC UA: subscribes to a server's variables and keeps their source times and status codes. Reads only."""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from asyncua import ua
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509
from numpy.typing import NDArray
from pydantic import Field, SecretStr, field_validator, model_validator

from collectors.named_tags import named_tags
from collectors.opcua_decode import BAD_TYPE_MISMATCH, OVERFLOW, Changes, Published
from collectors.opcua_line import POLICIES, Line
from collectors.opcua_probe import probed
from collectors.opcua_security import (
    SecurityBlock,
    TrustFolder,
    application_uri,
    read_certificate,
    warn_before_expiry,
)
from hub.config import Block, Duration
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.batch import SampleBatch, micros
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)

BAD_NODE_UNKNOWN = 0x80340000
_BAD = 0x80000000
_NODE = re.compile(r"^(?:nsu=(?P<uri>[^;]+);|ns=(?P<index>\d+);)?(?P<rest>[isgb]=.+)$")
_ASK_AGAIN = 30.0  # seconds until a node the server did not know is asked for again
# The server says no to us, not to this attempt: a person has to change something.
_REFUSALS = re.compile(
    r"^Bad(Certificate|Security|Identity|User|ApplicationSignature|UriInvalid|NonceInvalid)"
)


class NodeBlock(Block):
    """One variable. `nsu=` is the namespace's URI, whose number the server may change at every start."""

    tag: str
    node: str
    codes: dict[str, float] = Field(default_factory=dict)

    @field_validator("node")
    @classmethod
    def _written_right(cls, value: str) -> str:
        found = _NODE.match(value)
        try:
            if found is None:
                raise ValueError
            ua.NodeId.from_string(found["rest"])
        except (UaError, ValueError):
            raise ValueError(
                f"{value!r} is no node id; write nsu=URI;s=Name, nsu=URI;i=85 or ns=2;s=Name"
            ) from None
        return value


class OpcUaConfig(Block):
    """The `with:` block of a `kind: opcua` collector."""

    endpoint: str
    security: SecurityBlock | Literal["none"] | None = Field(None, validate_default=True)
    user: str = ""
    password: SecretStr | None = None
    interval: Duration = timedelta(milliseconds=200)
    queue: int = Field(10, ge=1, le=10_000)
    timeout: Duration = timedelta(seconds=4)
    keep_alive: Duration = timedelta(seconds=1)
    nodes: list[NodeBlock] = Field(min_length=1)

    @field_validator("endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        if not re.match(r"^opc\.tcp://[^/@]+$|^opc\.tcp://[^/@]+/[^@]*$", value):
            raise ValueError(
                "is no endpoint; write opc.tcp://HOST:PORT/PATH, user and password apart from it"
            )
        return value

    @field_validator("security")
    @classmethod
    def _decided(cls, value: SecurityBlock | str | None) -> SecurityBlock | str:
        if value is None:
            raise ValueError(
                "is missing; give policy, certificate, key and trust_folder,"
                " or write `security: none` if anybody in that network may listen and speak"
            )
        return value

    @model_validator(mode="after")
    def _no_open_password(self) -> OpcUaConfig:
        if self.password and not (
            isinstance(self.security, SecurityBlock) and self.security.mode == "SignAndEncrypt"
        ):
            raise ValueError("password: would be sent in the clear; use security with mode SignAndEncrypt")
        if bool(self.password) != bool(self.user):
            raise ValueError("user: and password: go together; give both or neither")
        return self


class OpcUaCollector:
    """Lives for one connection. The supervisor gives it the next one.

    A server speaks only of what changes. So that a steady value can be told from a dead line, the value that
    still holds is put again with the server's present time before its tag's `stale_after` is half over, as
    long as the server's keep-alives come.
    """

    Config = OpcUaConfig

    def __init__(self, config: OpcUaConfig, clock: Clock, tags: Mapping[str, Tag], name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        found = named_tags((n.tag for n in config.nodes), tags, f"collectors.{name}.with.nodes")
        self._numbers = np.array([t.number for t in found], np.int32)
        self._codes = {i: n.codes for i, n in enumerate(config.nodes) if n.codes}
        self._book = _Book(np.array([t.stale_after.total_seconds() * 500_000 for t in found], np.int64))
        self._told: set[tuple[int, str]] = set()
        self.overflows = 0  # values the server lost because its queue was full
        self.gaps = 0  # notifications that could not be had again

    @property
    def tag_numbers(self) -> Sequence[int]:
        return [int(n) for n in self._numbers]

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Listen until cancelled; raise SourceUnavailable or SourceRefused."""
        async with self._line() as line:
            await self._listen(line, sink)

    async def probe(self) -> Mapping[str, str]:
        """What a look at the server finds; changes nothing. Raises SourceUnavailable or SourceRefused."""
        nodes = [(n.tag, n.node, n.codes) for n in self._config.nodes]
        async with self._line() as line:
            return await probed(line, nodes, _resolve, self._clock.now)

    @contextlib.asynccontextmanager
    async def _line(self) -> AsyncIterator[Line]:
        """A session with the server; what goes wrong in it becomes an error of ours."""
        line = Line(self._config.endpoint, self._config.timeout)
        try:
            await self._protect(line)
            await line.open()
            yield line
        except SourceUnavailable as cause:
            raise SourceUnavailable(f"{self._name}: {self._config.endpoint}: {cause}") from cause
        except SourceRefused as cause:
            raise SourceRefused(f"{self._name}: {self._config.endpoint}: {cause}") from cause
        except UaStatusCodeError as cause:
            name = type(cause).__name__
            kind = SourceRefused if _REFUSALS.match(name) else SourceUnavailable
            raise kind(f"{self._name}: {self._config.endpoint}: the server says {name}") from None
        except (OSError, TimeoutError, UaError) as cause:
            said = type(cause).__name__
            raise SourceUnavailable(
                f"{self._name}: no answer from {self._config.endpoint} ({said})"
            ) from None
        finally:
            await line.close()

    async def _protect(self, line: Line) -> None:
        security = self._config.security
        if not isinstance(security, SecurityBlock):
            _log.warning("%s: security: none; the line to %s is open", self._name, self._config.endpoint)
            return
        own = read_certificate(security.certificate)
        warn_before_expiry(own, self._clock.now(), self._name)
        trust = TrustFolder.read(security.trust_folder)

        async def check(certificate: x509.Certificate, server: Any) -> None:
            trust.check(certificate, server.ApplicationUri or "", self._clock.now())

        client = line.client
        client.application_uri = application_uri(own) or client.application_uri
        client.certificate_validator = check
        secret = security.key_password.get_secret_value() if security.key_password else None
        mode = ua.MessageSecurityMode[security.mode]
        try:
            await client.set_security(
                POLICIES[security.policy], CertProperties(security.certificate),
                CertProperties(security.key, password=secret), mode=mode,
            )  # fmt: skip
        except UaStatusCodeError:
            raise
        except UaError:
            raise SourceRefused(
                f"the server offers no {security.policy} with {security.mode}; switch it on there"
            ) from None
        if self._config.password:
            client.set_user(self._config.user)
            client.set_password(self._config.password.get_secret_value())

    async def _listen(self, line: Line, sink: Sink[SampleBatch]) -> None:
        await line.subscribe(self._config.interval, self._config.keep_alive)
        missing = await self._watch(line, sink, range(len(self._numbers)))
        ask_again_at = self._clock.monotonic() + _ASK_AGAIN
        sequence = 0
        while True:
            heard = await line.next()
            if heard.ended is not None:
                raise SourceUnavailable(f"the server ended the subscription (0x{heard.ended:08X})")
            at = heard.at or micros(self._clock.now())
            if sequence and heard.acknowledge:
                await self._fill(line, sink, at, range(sequence + 1, heard.sequence))
            sequence = heard.sequence if heard.acknowledge else sequence
            await self._put(sink, heard, at)
            if missing and self._clock.monotonic() >= ask_again_at:
                missing = await self._watch(line, sink, missing)
                ask_again_at = self._clock.monotonic() + _ASK_AGAIN

    async def _watch(self, line: Line, sink: Sink[SampleBatch], rows: Iterable[int]) -> list[int]:
        """Monitor these nodes; those the server refuses turn bad with its reason, and are returned."""
        uris = await line.namespaces()
        items, refused = [], []
        for row in rows:
            node = _resolve(self._config.nodes[row].node, uris)
            if node is None:
                refused.append((row, BAD_NODE_UNKNOWN))
            else:
                items.append((row, node))
        refused += await line.watch(items, self._config.interval, self._config.queue)
        for row, status in refused:
            block = self._config.nodes[row]
            why = ua.StatusCode(ua.UInt32(status)).name
            self._say(row, why, f"{block.node} ({block.tag}): {why}; correct node:, the other nodes go on")
        if refused:
            at = micros(self._clock.now())
            handles = np.array([row for row, _ in refused], np.uint32)
            await sink.put(
                self._batch(
                    handles,
                    np.full(len(refused), np.nan),
                    np.array([status for _, status in refused], np.uint32),
                    np.full(len(refused), at, np.int64),
                )
            )
        return [row for row, _ in refused]

    async def _fill(self, line: Line, sink: Sink[SampleBatch], at: int, missed: Iterable[int]) -> None:
        """Numbers between two answers that never came: ask for them again, count what is gone."""
        for number in missed:
            once_more = await line.again(number)
            if once_more is None:
                self.gaps += 1
                _log.warning("%s: notification %d is lost for good", self._name, number)
            else:
                await self._put(sink, once_more, at)

    async def _put(self, sink: Sink[SampleBatch], heard: Published, at: int) -> None:
        for changes in heard.changes:
            batch = self._understood(changes, at)
            if len(batch):
                await sink.put(batch)
        still = self._book.due(at)
        if len(still):
            values, statuses = self._book.values[still], self._book.statuses[still]
            await sink.put(self._batch(still, values, statuses, np.full(len(still), at, np.int64)))

    def _understood(self, changes: Changes, at: int) -> SampleBatch:
        """Server's words to samples: codes for texts, no value where there is none to be trusted."""
        known = changes.handles < len(self._numbers)
        if not known.all():  # not ours: a server that mixes up its clients must not mix up our tags
            return self._understood(_only(changes, known), at)
        values, statuses = changes.values.copy(), changes.statuses.copy()
        texts = dict(changes.texts)
        for row in self._coded_rows(changes):
            values[row], statuses[row] = self._code(
                int(changes.handles[row]), texts.get(row), values[row], int(statuses[row])
            )
        statuses[~np.isfinite(values) & (statuses < _BAD)] = BAD_OUT_OF_RANGE
        values[statuses >= _BAD] = np.nan
        lost = int(((changes.statuses & OVERFLOW) == OVERFLOW).sum())
        if lost:
            self.overflows += lost
            _log.warning("%s: the server's queue ran over for %d values; make queue larger", self._name, lost)
        return self._batch(changes.handles, values, statuses, np.where(changes.times > 0, changes.times, at))

    def _coded_rows(self, changes: Changes) -> list[int]:
        rows = [row for row, _ in changes.texts]
        if self._codes:
            rows += np.flatnonzero(np.isin(changes.handles, list(self._codes))).tolist()
        return sorted(set(rows))

    def _code(self, handle: int, text: str | None, value: float, status: int) -> tuple[float, int]:
        codes = self._codes.get(handle)
        if status >= _BAD or (text is None and math.isnan(value)):
            return math.nan, status
        word = text if text is not None else f"{value:g}"
        if codes and word in codes:
            return codes[word], status
        tag = self._config.nodes[handle].tag
        if codes is None:
            self._say(handle, word, f"{tag} is a text ({word[:40]!r}); give it codes: {{TEXT: number}}")
            return math.nan, BAD_TYPE_MISMATCH
        self._say(handle, word, f"{tag}: {word[:40]!r} is not among its codes:; add it")
        return math.nan, BAD_OUT_OF_RANGE

    def _say(self, handle: int, what: str, text: str) -> None:
        """Each complaint once in the life of a connection, and not without end."""
        if (handle, what) not in self._told and len(self._told) < 1000:
            self._told.add((handle, what))
            _log.warning("%s: %s", self._name, text)

    def _batch(
        self,
        handles: NDArray[Any],
        values: NDArray[np.float64],
        statuses: NDArray[np.uint32],
        times: NDArray[np.int64],
    ) -> SampleBatch:
        self._book.note(handles, values, statuses, times)
        return SampleBatch(self._numbers[handles], times, values, statuses, self._name)


class _Book:
    """The last that was said of each node, and when it has to be said again."""

    def __init__(self, patience: NDArray[np.int64]) -> None:
        self._patience = patience
        self._at = np.full(len(patience), np.iinfo(np.int64).max)  # never heard: nothing to repeat
        self.values = np.full(len(patience), np.nan)
        self.statuses = np.zeros(len(patience), np.uint32)

    def note(
        self,
        handles: NDArray[Any],
        values: NDArray[np.float64],
        statuses: NDArray[np.uint32],
        times: NDArray[np.int64],
    ) -> None:
        self.values[handles], self.statuses[handles], self._at[handles] = values, statuses, times

    def due(self, at: int) -> NDArray[np.intp]:
        return np.flatnonzero(at - self._patience >= self._at)


def _only(changes: Changes, wanted: NDArray[np.bool_]) -> Changes:
    place = np.cumsum(wanted) - 1
    return Changes(
        changes.handles[wanted],
        changes.values[wanted],
        changes.statuses[wanted],
        changes.times[wanted],
        tuple((int(place[row]), text) for row, text in changes.texts if wanted[row]),
    )


def _resolve(node: str, uris: Sequence[str]) -> ua.NodeId | None:
    """The node id as this server numbers its namespaces now; None when it has no such namespace."""
    found = _NODE.match(node)
    if found is None or (found["uri"] and found["uri"] not in uris):
        return None
    index = uris.index(found["uri"]) if found["uri"] else int(found["index"] or 0)
    return ua.NodeId.from_string(f"ns={index};{found['rest']}")
