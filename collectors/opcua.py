"""OPC UA: subscribes to a server's variables and keeps their source times and status codes. Reads only."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from collectors.named_tags import named_tags
from collectors.opcua_audit import SETTLED, Audit
from collectors.opcua_book import Book
from collectors.opcua_config import OpcUaConfig
from collectors.opcua_deadband import Deadbands, monitored
from collectors.opcua_decode import OVERFLOW, Changes, Published, only
from collectors.opcua_events import Events
from collectors.opcua_line import Line
from collectors.opcua_looks import Looks
from collectors.opcua_missed import Missed
from collectors.opcua_nodes import picked
from collectors.opcua_places import Places
from collectors.opcua_polled import Polled
from collectors.opcua_portions import Portions
from collectors.opcua_record import Record
from collectors.opcua_resume import Held, held, started, taken_up
from collectors.opcua_session import opened, ours, session, warn
from collectors.opcua_structures import Structures
from collectors.opcua_times import Times
from collectors.opcua_words import Words, no_part
from collectors.source_times import BEHIND, DISORDER, believed
from hub import metrics
from hub.errors import SourceUnavailable
from hub.model.batch import SampleBatch, micros
from hub.model.line import Line as ProtectedLine
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)

BAD_NODE_UNKNOWN = 0x80340000
_BAD = 0x80000000
_DAY = 86_400.0  # seconds
_ASK_AGAIN = 30.0  # seconds until nodes the server did not know are asked for again, and quiet ones looked at
_MOST_MISSED = 1000  # notifications in a row that are asked for again


class OpcUaCollector(Looks):
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
        self._polled = Polled(name, max(config.interval, config.keep_alive).total_seconds())
        self._words = Words(config.nodes, name)
        self._events = Events(config.alarms, len(config.nodes), self._words, name)
        patience = np.array([t.stale_after.total_seconds() * 1e6 for t in found], np.int64)
        self._book = Book(patience, config.keep_alive.total_seconds())
        self._times = Times(config.nodes, patience, config.clock_ahead)
        self._record = Record(len(config.nodes))
        self._tried: dict[int, tuple[Any, float]] = {}
        self._places = Places([n.node for n in config.nodes])
        self._portions = Portions(config.max_message)
        self._missed = Missed(name, {})
        self._deadbands = Deadbands(config.nodes, {n: t.range for n, t in enumerate(found) if t.range})
        self._audit: Audit | None = None
        self._missing: list[int] = []  # nodes that the server does not have
        self._sequence = 0  # of the newest notification that the house has
        self._is_ahead = False  # the server's last word, of what we have not got
        self._server_said = 0  # by its clock, at most
        self._lost_at, self._is_behind = 0, False  # the server has more to tell of the time before
        self._held: Held | None = None  # where the line was lost, and the server may keep telling
        self._left: OpcUaCollector | None = None  # whose line was lost so
        self.overflows = 0  # values the server lost because its queue was full
        self.gaps = 0  # notifications that could not be had again
        self.line = ProtectedLine(opened(config))

    @property
    def tag_numbers(self) -> Sequence[int]:
        return [int(n) for n in self._numbers]

    @property
    def lost(self) -> Mapping[str, int]:
        return {"overflow": self.overflows, "notification": self.gaps}

    def follow(self, before: OpcUaCollector, lost_at: datetime) -> None:
        """Go on where that one's connection ended: what the server tells again is not stored again."""
        self.line, self._tried, self._places = before.line, before._tried, before._places
        self._events.follow(before._events)
        if before._portions.message == self._portions.message:
            self._portions = before._portions
        self._lost_at = micros(lost_at)
        self._record = before._record.resumed(self._lost_at)
        if (before._config, before.tag_numbers) == (self._config, self.tag_numbers):
            self._left = before if before._held else before._left
            self._book.as_before(before._book)
            self._times.as_before(before._times)

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Listen until cancelled; raise SourceUnavailable or SourceRefused."""
        left = self._left
        before = left._held if left else None
        known = before.known if before else None
        async with session(self._config, self._clock, self._name, self._saw, self._portions, known) as line:
            if left and before and await taken_up(line, before, left._sequence):
                self._stand_on(left)
            self._left = None
            try:
                await self._listen(line, sink)
            except Exception as cause:
                self._held = held(line, cause) if self._sequence else None
                raise

    def _stand_on(self, left: OpcUaCollector) -> None:
        """All that goes with its subscription, which is ours now."""
        self._structures, self._events, self._polled = left._structures, left._events, left._polled
        self._words, self._book, self._missed = left._words, left._book, left._missed
        self._deadbands, self._audit, self._missing = left._deadbands, left._audit, left._missing
        self._sequence, self._is_behind = left._sequence, True
        self._record.goes_on()

    async def _listen(self, line: Line, sink: Sink[SampleBatch]) -> None:
        audit = await (self._begin if self._audit is None else self._go_on)(line, sink)
        ask_again_at = self._clock.monotonic() + _ASK_AGAIN
        warn_at = self._clock.monotonic() + _DAY
        while True:
            heard = await line.next()
            if heard is None:
                self._missed.note()
            if caught := await self._missed.look(line, self._clock.monotonic()):
                await self._put(sink, caught, micros(self._clock.now()))
                await self._events.refresh(line)  # it may have been an alarm
            if heard is None:
                continue
            if heard.ended is not None:
                why = ua.StatusCode(ua.UInt32(heard.ended)).name
                raise SourceUnavailable(f"the server ended the subscription ({why})")
            at = self._present(heard.at)
            if self._sequence and (heard.acknowledge or self._is_ahead):
                await self._fill(line, sink, at, range(self._sequence + 1, heard.sequence))
            # a keep-alive has the number that comes next; a second one, if what is before it is on its way
            self._is_ahead = not heard.acknowledge and 0 < self._sequence < heard.sequence - 1
            await self._put(sink, heard, at)
            self._sequence = heard.sequence if heard.acknowledge else self._sequence
            if self._is_behind and not heard.more:
                self._is_behind = False
                self._book.say_since(self._lost_at)
                await self._say_again(sink, at)
            await self._hear(line, sink, heard, at)
            if looked := await self._polled.look(line, self._clock.monotonic()):
                await self._put(sink, looked, at)
            if self._clock.monotonic() >= warn_at:  # a connection may live for months
                warn(self._config, self._clock.now(), self._name)
                warn_at = self._clock.monotonic() + _DAY
            if self._clock.monotonic() >= ask_again_at:
                self._look_at_ours()
                self._say_who_is_behind()
                self._missing = await self._watch(line, sink, self._missing) if self._missing else []
                await self._look(line, sink, audit, at)
                await self._events.look(line)
                ask_again_at = self._clock.monotonic() + _ASK_AGAIN

    async def _begin(self, line: Line, sink: Sink[SampleBatch]) -> Audit:
        """A subscription of our own."""
        await line.subscribe(self._config.interval, self._config.keep_alive)
        self._book.pace(line.keep_alive)
        nodes = [n.node for n in self._config.nodes]
        self._audit = Audit(nodes, await line.namespaces(), self._differs, SETTLED, self._tried)
        self._missing = await self._watch(line, sink, range(len(self._config.nodes)))
        await self._events.watch(line)
        line.started = await started(line)
        return self._audit

    async def _go_on(self, line: Line, sink: Sink[SampleBatch]) -> Audit:
        """With the one that the server kept: first what it sent and nobody heard."""
        heard = 0
        while heard < _MOST_MISSED and (told := await line.again(self._sequence + 1)) is not None:
            at, heard = micros(self._clock.now()), heard + 1
            await self._put(sink, told, at)
            self._sequence += 1
            await self._hear(line, sink, told, at)
        _log.info("%s: the subscription stood; %d notifications were asked for again", self._name, heard)
        await self._events.refresh(line)
        assert self._audit is not None
        self._audit.differs = self._differs
        return self._audit

    def _present(self, told: int) -> int:
        """The server's time; ours where it has none or one that cannot be meant, or was set back."""
        now, ahead = micros(self._clock.now()), self._config.clock_ahead // timedelta(microseconds=1)
        if not believed(told, now, ahead) or told < max(now - BEHIND, self._server_said - DISORDER):
            self._book.not_after(now)
            return now
        self._server_said = max(told, self._server_said)
        return told

    def _look_at_ours(self) -> None:
        """They may have been renewed while the line stood."""
        if until := ours(self._config, self._clock.now())[0]:
            self._saw("own", until)

    def _say_who_is_behind(self) -> None:
        """Their source times are kept, so that they look stale however well the line is."""
        nodes, most, seconds = self._book.behind()
        if nodes:
            which = f"{nodes} nodes ({self._config.nodes[most].tag}: {seconds:.3g} s)"
            what = (
                f"the source times of {which} are so far behind the server's clock that their tags look stale"
            )
            about = f"{what}; make stale_after: longer"
            self._words.say(-1, "behind", about)

    def _saw(self, whose: str, until: datetime) -> None:
        own = whose == "own"
        self.line = replace(self.line, own_until=until) if own else replace(self.line, peer_until=until)

    async def _hear(self, line: Line, sink: Sink[SampleBatch], heard: Published, at: int) -> None:
        """Events into what stands; what is other than before becomes samples."""
        if news := await self._events.hear(line, heard):
            await sink.put(self._since_now(news, at))

    # -------------------------------------------------------------- values
    async def _look(self, line: Line, sink: Sink[SampleBatch], audit: Audit, at: int) -> None:
        """Nodes that were not heard of for a while, a few in turn; those that are gone turn bad."""
        quiet = self._book.quiet(at - int(_ASK_AGAIN * 1_000_000), len(self._config.nodes))
        audit.settled = line.revised.settled(SETTLED)
        rows = audit.turn(np.setdiff1d(quiet, np.array(self._missing, np.intp)))
        gone = [
            row
            for row in await audit.look(line, rows.tolist(), self._book.values, self._book.statuses)
            if self._book.statuses[row] != BAD_NODE_UNKNOWN
        ]
        if gone:
            await sink.put(self._since_now([(row, math.nan, BAD_NODE_UNKNOWN) for row in gone], at))

    def _differs(self, row: int, value: bool | int | float | str, told: float) -> bool:
        """Whether what was told last is not what we make of this value, nor within its deadband."""
        number = math.nan if isinstance(value, str) else float(value)
        if row in self._words.codes:
            number, _ = self._words.value(row, value if isinstance(value, str) else None, number, 0)
        return not math.isnan(number) and not self._deadbands.covers(row, number, told)

    async def _watch(self, line: Line, sink: Sink[SampleBatch], rows: Iterable[int]) -> list[int]:
        """Monitor these nodes; those the server refuses turn bad with its reason, and are returned."""
        items, gone = await self._places.find(line, rows)
        refused = [(row, BAD_NODE_UNKNOWN) for row in gone]
        if parts := [node for row, node in items if row in self._items]:
            await self._structures.learn(line, parts)
        without = await monitored(line, items, self._config, self._deadbands, self._words, self._name)
        refused += self._polled.take(items, without)
        self._missed.nodes |= dict(items)
        for row, _ in without:
            del self._missed.nodes[row]
        for row, status in refused:
            block = self._config.nodes[row]
            why = ua.StatusCode(ua.UInt32(status)).name
            remedy = gone.get(row) or f"{why}; correct node:"
            about = f"{block.node} ({block.tag}): {remedy}, the other nodes go on"
            self._words.say(row, why, about)
        if refused:
            at = micros(self._clock.now())
            await sink.put(self._since_now([(row, math.nan, status) for row, status in refused], at))
        return [row for row, _ in refused]

    async def _fill(self, line: Line, sink: Sink[SampleBatch], at: int, missed: range) -> None:
        """Numbers between two answers that never came: ask for them again, count what is gone."""
        if len(missed) > _MOST_MISSED:
            raise SourceUnavailable(f"the server jumped from number {missed.start} to {missed.stop}")
        for number in missed:
            once_more = await line.again(number)
            if once_more is None:
                self.gaps += 1
                metrics.source_gaps(self._name, "notification", 1)
                await self._events.refresh(line)  # it may have been an alarm
                self._missed.note("notifications are lost for good")
                _log.warning("%s: notification %d is lost for good", self._name, number)
            else:
                await self._put(sink, once_more, at)
                await self._hear(line, sink, once_more, at)
            self._sequence = number

    async def _put(self, sink: Sink[SampleBatch], heard: Published, at: int) -> None:
        for changes in heard.changes:
            batch = self._understood(changes, at)
            if len(batch):
                await sink.put(batch)
            self._record.taken()
        if not self._is_behind:  # else what it says now is not what holds now
            await self._say_again(sink, at)

    async def _say_again(self, sink: Sink[SampleBatch], at: int) -> None:
        still, times = self._book.due(at)
        if len(still):
            values, statuses = self._book.values[still], self._book.statuses[still]
            await sink.put(self._batch(still, values, statuses, times, at))

    def _understood(self, changes: Changes, at: int) -> SampleBatch:
        """Server's words to samples: codes for texts, no value where there is none to be trusted."""
        known = changes.handles < len(self._config.nodes)
        if not known.all():  # not ours: a server that mixes up its clients must not mix up our tags
            return self._understood(only(changes, known), at)
        values, statuses = changes.values.copy(), changes.statuses.copy()
        self._book.heard(changes.handles, at)
        texts = dict(changes.texts)
        for row, value, status in changes.others:
            self._pick(int(changes.handles[row]), row, value, status, (values, statuses, texts))
        for row in self._words.rows(changes.handles, texts):
            values[row], statuses[row] = self._words.value(
                int(changes.handles[row]), texts.get(row), values[row], int(statuses[row])
            )
        statuses[~np.isfinite(values) & (statuses < _BAD)] = BAD_OUT_OF_RANGE
        values[statuses >= _BAD] = np.nan
        lost = int(((changes.statuses & OVERFLOW) == OVERFLOW).sum())
        if lost:
            self.overflows += lost
            metrics.source_gaps(self._name, "overflow", lost)
            _log.warning("%s: the server's queue ran over for %d values; make queue larger", self._name, lost)
        times, statuses = self._times.told(changes, statuses, at, micros(self._clock.now()), self._words)
        if not self._is_behind:  # else it was on its way for as long as the line was cut
            self._book.learn(changes.handles, times, at)
        new = self._record.told_once(changes.handles, values, statuses, times)
        handles, values, statuses, times = changes.handles[new], values[new], statuses[new], times[new]
        known, old = self._record.look(handles, values, statuses, times)
        told = ~known
        if self._deadbands.rows:
            told &= self._deadbands.news(handles, values, statuses)
        self._book.note(handles[known], values[known], statuses[known], times[known], at)
        handles, values, statuses, times = handles[told], values[told], statuses[told], times[told]
        late, of_now = self._book.overtaken(handles, values, statuses, times, at)
        if len(late) and not self._is_behind:  # else it is said of now when what happened meanwhile is told
            rows = np.concatenate([np.arange(len(handles)), late])
            order = np.argsort(rows, kind="stable")  # what it said last is what is noted last
            times, rows = np.concatenate([times, of_now])[order], rows[order]
            handles, values, statuses = handles[rows], values[rows], statuses[rows]
        batch = self._batch(handles, values, statuses, times, at)
        self._book.say_soon(old, self._lost_at)
        return batch

    def _pick(
        self, handle: int, row: int, value: Any, status: int,
        columns: tuple[NDArray[np.float64], NDArray[np.uint32], dict[int, str]],
    ) -> None:  # fmt: skip
        """The wanted part of an array or a structure; where there is none it stays a mismatch."""
        values, statuses, texts = columns
        item = self._items.get(handle, "")
        whole = self._structures.decoded(value) if item else value
        part = picked(whole, item) if item else None
        part = getattr(part, "Text", part)
        if isinstance(part, bool | int | float):
            values[row], statuses[row] = float(part), status
        elif isinstance(part, str):
            texts[row], statuses[row] = part, status
        elif not status & _BAD:
            about = no_part(self._config.nodes[handle].tag, whole, item)
            self._words.say(handle, type(value).__name__, about)

    def _since_now(self, said: Sequence[tuple[int, float, int]], at: int) -> SampleBatch:
        """Handle, value and status of what no server's time is known of."""
        handles, values, statuses = zip(*said, strict=True)
        return self._batch(
            np.array(handles, np.uint32), np.array(values, np.float64), np.array(statuses, np.uint32),
            np.full(len(said), at, np.int64), at,
        )  # fmt: skip

    def _batch(
        self, handles: NDArray[Any], values: NDArray[np.float64], statuses: NDArray[np.uint32],
        times: NDArray[np.int64], at: int,
    ) -> SampleBatch:  # fmt: skip
        self._book.note(handles, values, statuses, times, at)
        return SampleBatch(self._numbers[handles], times, values, statuses, self._name)
