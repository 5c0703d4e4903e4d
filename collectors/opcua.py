"""OPC UA: subscribes to a server's variables and keeps their source times and status codes. Reads only."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import ua
from numpy.typing import NDArray
from pydantic import Field, model_validator

from collectors.named_tags import named_tags
from collectors.opcua_audit import Audit
from collectors.opcua_book import Book
from collectors.opcua_browse import Wanted, document
from collectors.opcua_conditions import AlarmBlock, Conditions, Watched, wish
from collectors.opcua_deadband import REFUSED_FILTER, Deadbands
from collectors.opcua_decode import BAD_TYPE_MISMATCH, OVERFLOW, Changes, Published
from collectors.opcua_line import Line
from collectors.opcua_nodes import NodeBlock, picked, resolve
from collectors.opcua_polled import Polled
from collectors.opcua_probe import probed
from collectors.opcua_security import (
    SecurityBlock,
    expiry,
    make_certificate,
    read_certificate,
    warn_before_expiry,
)
from collectors.opcua_session import ServerBlock, session
from collectors.opcua_structures import Structures
from collectors.opcua_tree import Walker
from hub import metrics
from hub.config import Duration
from hub.errors import SourceUnavailable
from hub.model.batch import SampleBatch, micros
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)

BAD_NODE_UNKNOWN = 0x80340000
_BAD = 0x80000000
_SERVER = ua.NodeId.from_string("i=2253")
_DAY = 86_400.0  # seconds
_ASK_AGAIN = 30.0  # seconds until nodes the server did not know are asked for again, and quiet ones looked at


class OpcUaConfig(ServerBlock):
    """The `with:` block of a `kind: opcua` collector."""

    interval: Duration = timedelta(milliseconds=200)
    queue: int = Field(10, ge=1, le=10_000)
    keep_alive: Duration = timedelta(seconds=1)
    nodes: list[NodeBlock] = Field([])
    alarms: list[AlarmBlock] = Field([], description="Alarms & Conditions of the server, as tags")

    @model_validator(mode="after")
    def _something(self) -> OpcUaConfig:
        if not (self.nodes or self.alarms):
            raise ValueError("nodes: or alarms: must name at least 1")
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
        found += named_tags((a.tag for a in config.alarms), tags, f"collectors.{name}.with.alarms")
        self._numbers = np.array([t.number for t in found], np.int32)
        self._items = {i: n.item for i, n in enumerate(config.nodes) if n.item}
        self._structures = Structures()
        self._conditions: Conditions | None = None
        self._polled = Polled(name, max(config.interval, config.keep_alive).total_seconds())
        self._codes = {i: n.codes for i, n in enumerate(config.nodes) if n.codes}
        self._book = Book(np.array([t.stale_after.total_seconds() * 500_000 for t in found], np.int64))
        self._told: set[tuple[int, str]] = set()
        self._deadbands = Deadbands(config.nodes, {n: t.range for n, t in enumerate(found) if t.range})
        self.overflows = 0  # values the server lost because its queue was full
        self.gaps = 0  # notifications that could not be had again

    @property
    def tag_numbers(self) -> Sequence[int]:
        return [int(n) for n in self._numbers]

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Listen until cancelled; raise SourceUnavailable or SourceRefused."""
        async with session(self._config, self._clock, self._name) as line:
            await self._listen(line, sink)

    async def probe(self) -> Mapping[str, str]:
        """What a look at the server finds; changes nothing. Raises SourceUnavailable or SourceRefused."""
        async with session(self._config, self._clock, self._name) as line:
            found = await probed(line, self._config.nodes, self._clock.now)
        security = self._config.security
        if isinstance(security, SecurityBlock):
            complaint = expiry(read_certificate(security.certificate), self._clock.now())
            found["certificate"] = f"✗ {complaint}" if complaint else "ours is good for more than 30 days"
        return found

    @staticmethod
    async def browse(
        given: Mapping[str, Any], clock: Clock, only: Sequence[str], leave_out: Sequence[str], line: str,
        limits: bool,
    ) -> dict[str, Any]:  # fmt: skip
        """What the server of a `with:` block without nodes offers, as a whole configuration file.

        Patterns after the shell's on `Object/Variable`; `line` is where the machines go; `limits`: rules on
        the ranges, too. Raises SourceUnavailable, SourceRefused and pydantic's ValidationError.
        """
        server = ServerBlock.model_validate(given)
        async with session(server, clock, "browse") as open_line:
            walker = Walker(open_line, await open_line.namespaces())
            top = await walker.tree()
        if not walker.is_whole:
            _log.warning("browse: the server shows more than can be taken; the rest is left out")
        return document(top, Wanted(tuple(only), tuple(leave_out), line, limits), given)

    @staticmethod
    def make_certificate(folder: Path, name: str, clock: Clock) -> tuple[Path, Path, str]:
        """(certificate, key, thumbprint) made in `folder`; raises ConfigError rather than replace one."""
        return make_certificate(folder, name, clock.now())

    async def _listen(self, line: Line, sink: Sink[SampleBatch]) -> None:
        await line.subscribe(self._config.interval, self._config.keep_alive)
        audit = Audit([n.node for n in self._config.nodes], await line.namespaces())
        missing = await self._watch(line, sink, range(len(self._config.nodes)))
        await self._watch_conditions(line, audit.uris)
        ask_again_at = self._clock.monotonic() + _ASK_AGAIN
        warn_at = self._clock.monotonic() + _DAY
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
            await self._hear(line, sink, heard, at)
            if looked := await self._polled.look(line, self._clock.monotonic()):
                await self._put(sink, looked, at)
            if self._clock.monotonic() >= warn_at:  # a connection may live for months
                self._warn()
                warn_at = self._clock.monotonic() + _DAY
            if self._clock.monotonic() >= ask_again_at:
                missing = await self._watch(line, sink, missing) if missing else []
                await self._audit(line, sink, audit, missing, at)
                if self._conditions and not self._conditions.is_whole:
                    await self._refresh(line, self._conditions)
                ask_again_at = self._clock.monotonic() + _ASK_AGAIN

    def _warn(self) -> None:
        if isinstance(security := self._config.security, SecurityBlock):
            warn_before_expiry(read_certificate(security.certificate), self._clock.now(), self._name)

    # -------------------------------------------------------------- alarms and conditions
    async def _watch_conditions(self, line: Line, uris: Sequence[str]) -> None:
        if not self._config.alarms:
            return
        watched = [
            Watched(
                resolve(a.condition, uris) or ua.NodeId() if a.condition else None,
                resolve(a.source, uris) or ua.NodeId() if a.source else None,
                a.name,
                a.codes,
            )
            for a in self._config.alarms
        ]
        refusal = await line.watch_events(len(self._numbers), _SERVER, wish())
        if refusal:
            why = ua.StatusCode(ua.UInt32(refusal)).name
            _log.warning("%s: the server tells no events (%s); alarms: stay without a value", self._name, why)
            return
        self._conditions = Conditions(watched)
        await self._refresh(line, self._conditions)

    async def _refresh(self, line: Line, conditions: Conditions) -> None:
        refusal = await line.refresh_conditions()
        if refusal:
            self._say(-1, refusal, f"ConditionRefresh: {refusal}; only what changes from now on is heard")
            conditions.without_refresh()

    async def _hear(self, line: Line, sink: Sink[SampleBatch], heard: Published, at: int) -> None:
        """Events into what stands; what is other than before becomes samples."""
        conditions = self._conditions
        if conditions is None:
            return
        again = [conditions.hear(fields) for fields in heard.events]
        if any(again):
            await self._refresh(line, conditions)
        news = list(conditions.news())
        if news:
            rows = np.array([len(self._config.nodes) + row for row, _ in news], np.uint32)
            values = np.array([value for _, value in news], np.float64)
            await sink.put(
                self._batch(rows, values, np.zeros(len(rows), np.uint32), np.full(len(rows), at, np.int64))
            )

    # -------------------------------------------------------------- values
    async def _audit(
        self, line: Line, sink: Sink[SampleBatch], audit: Audit, missing: Sequence[int], at: int
    ) -> None:
        """Nodes that were not heard of for a while, a few in turn; those that are gone turn bad."""
        quiet = self._book.quiet(at - int(_ASK_AGAIN * 1_000_000), len(self._config.nodes))
        rows = audit.turn(np.setdiff1d(quiet, np.array(missing, np.intp)))
        gone = [
            row
            for row in await audit.look(line, rows.tolist(), self._book.values, self._book.statuses)
            if self._book.statuses[row] != BAD_NODE_UNKNOWN
        ]
        if gone:
            handles, none = np.array(gone, np.uint32), np.full(len(gone), np.nan)
            statuses = np.full(len(gone), BAD_NODE_UNKNOWN, np.uint32)
            await sink.put(self._batch(handles, none, statuses, np.full(len(gone), at, np.int64)))

    async def _watch(self, line: Line, sink: Sink[SampleBatch], rows: Iterable[int]) -> list[int]:
        """Monitor these nodes; those the server refuses turn bad with its reason, and are returned."""
        uris = await line.namespaces()
        items, refused = [], []
        for row in rows:
            node = resolve(self._config.nodes[row].node, uris)
            if node is None:
                refused.append((row, BAD_NODE_UNKNOWN))
            else:
                items.append((row, node))
        if parts := [node for row, node in items if row in self._items]:
            await self._structures.learn(line, parts)
        refused += self._polled.take(items, await self._monitor(line, items))
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

    async def _monitor(self, line: Line, items: Sequence[tuple[int, ua.NodeId]]) -> list[tuple[int, int]]:
        """With their deadbands where the server can; (row, status code) of those it does not monitor."""
        interval, queue, bands = self._config.interval, self._config.queue, self._deadbands
        for row in await bands.learn(line, items):
            tag = self._config.nodes[row].tag
            self._say(row, "EURange", f"{tag}: deadband_percent: nobody knows its range; give the tag range:")
        refused = await line.watch(items, interval, queue, bands.filters([row for row, _ in items]))
        without = {row for row, status in refused if row in bands.rows and status in REFUSED_FILTER}
        if not without:
            return refused
        _log.info("%s: %d deadbands are kept here: the server has no such filter", self._name, len(without))
        again = await line.watch([i for i in items if i[0] in without], interval, queue)
        return [r for r in refused if r[0] not in without] + again

    async def _fill(self, line: Line, sink: Sink[SampleBatch], at: int, missed: Iterable[int]) -> None:
        """Numbers between two answers that never came: ask for them again, count what is gone."""
        for number in missed:
            once_more = await line.again(number)
            if once_more is None:
                self.gaps += 1
                metrics.source_gaps(self._name, "notification", 1)
                if self._conditions:  # it may have been an alarm
                    await self._refresh(line, self._conditions)
                _log.warning("%s: notification %d is lost for good", self._name, number)
            else:
                await self._put(sink, once_more, at)
                await self._hear(line, sink, once_more, at)

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
        known = changes.handles < len(self._config.nodes)
        if not known.all():  # not ours: a server that mixes up its clients must not mix up our tags
            return self._understood(_only(changes, known), at)
        values, statuses = changes.values.copy(), changes.statuses.copy()
        self._book.heard(changes.handles, at)
        texts = dict(changes.texts)
        for row, value, status in changes.others:
            self._pick(int(changes.handles[row]), row, value, status, (values, statuses, texts))
        for row in self._coded_rows(changes, texts):
            values[row], statuses[row] = self._code(
                int(changes.handles[row]), texts.get(row), values[row], int(statuses[row])
            )
        statuses[~np.isfinite(values) & (statuses < _BAD)] = BAD_OUT_OF_RANGE
        values[statuses >= _BAD] = np.nan
        lost = int(((changes.statuses & OVERFLOW) == OVERFLOW).sum())
        if lost:
            self.overflows += lost
            metrics.source_gaps(self._name, "overflow", lost)
            _log.warning("%s: the server's queue ran over for %d values; make queue larger", self._name, lost)
        times = np.where(changes.times > 0, changes.times, at)
        if not self._deadbands.rows:
            return self._batch(changes.handles, values, statuses, times)
        told = self._deadbands.news(changes.handles, values, statuses)
        return self._batch(changes.handles[told], values[told], statuses[told], times[told])

    def _pick(
        self, handle: int, row: int, value: Any, status: int,
        columns: tuple[NDArray[np.float64], NDArray[np.uint32], dict[int, str]],
    ) -> None:  # fmt: skip
        """The wanted part of an array or a structure; where there is none it stays a mismatch."""
        values, statuses, texts = columns
        item = self._items.get(handle)
        part = picked(self._structures.decoded(value), item) if item else None
        part = getattr(part, "Text", part)
        if isinstance(part, bool | int | float):
            values[row], statuses[row] = float(part), status
        elif isinstance(part, str):
            texts[row], statuses[row] = part, status
        elif not status & _BAD:
            what = type(value).__name__
            self._say(handle, what, f"{self._config.nodes[handle].tag} is a {what}; item: names a part of it")

    def _coded_rows(self, changes: Changes, texts: Mapping[int, str]) -> list[int]:
        rows = list(texts)
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


def _only(changes: Changes, wanted: NDArray[np.bool_]) -> Changes:
    place = np.cumsum(wanted) - 1
    return Changes(
        changes.handles[wanted],
        changes.values[wanted],
        changes.statuses[wanted],
        changes.times[wanted],
        tuple((int(place[row]), text) for row, text in changes.texts if wanted[row]),
        tuple((int(place[row]), value, status) for row, value, status in changes.others if wanted[row]),
    )
