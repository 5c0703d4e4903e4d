"""Modbus TCP: polls a device's registers on a fixed grid of the clock. Reads only (function codes 1 to 4)."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.blocks import Block, Table, decode, halves, plan, singles
from collectors.modbus_asking import Short, asked
from collectors.modbus_config import ModbusConfig
from collectors.modbus_faults import (
    BAD_DEVICE_FAILURE,
    BAD_TIMEOUT,
    ILLEGAL_ADDRESS,
    NOT_HERE,
    NOT_NOW,
    Away,
    Mute,
    NotHere,
    said,
)
from collectors.modbus_habit import Habit
from collectors.modbus_lane import Lane, lanes_of
from collectors.modbus_line import Broken, Denied, ModbusLine, Silent, connected
from collectors.modbus_probe import probed
from collectors.modbus_unit import Unit
from collectors.named_tags import named_tags
from hub.errors import SourceUnavailable
from hub.model.batch import SampleBatch, micros
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)
_Read = tuple[Block, NDArray[np.float64]]  # a row for each of its points

_ASK_AGAIN = 30.0  # seconds until a refused register is tried again: programs get changed
_ASK_SOON = 5.0  # the same for one that the device could not read just now
_ASK_AT_MOST = 5  # refused registers asked for in one go
_ASK_PAUSE = 1.0  # seconds between two goes where there are many
_SILENCES = 12  # questions without an answer until a hunt through a block is left
_SHORT_REST = 1.0  # seconds: who is gone shows with the next question
_UNHEARD = 5.0  # seconds at most between two questions, however seldom there is something to tell


class ModbusCollector:
    """Lives for one connection. The supervisor gives it the next one.

    Points marked fast are read at `fast`, the others at `every`. Both intervals are counted from the same
    zero for all devices of a process, so that one wake-up serves many answers. A fast point is told when it
    has changed, and once a second, before anybody could take it for stale: looking fifty times a second is
    not storing fifty times a second.
    """

    Config = ModbusConfig

    def __init__(self, config: ModbusConfig, clock: Clock, tags: Mapping[str, Tag], name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._where, self._timeout = f"{config.host}:{config.port}", config.timeout.total_seconds()
        found = named_tags((p.tag for p in config.points), tags, f"collectors.{name}.with.points")
        points = [p.numbered(t.number) for p, t in zip(config.numbered(), found, strict=True)]
        self._tag_numbers = [p.tag for p in points]
        patience = min(tags[p.tag].stale_after for p in config.points).total_seconds()
        self._lanes = lanes_of(config, points, patience)
        tags_of = {unit: [p.tag for p in points if p.unit == unit] for unit in {p.unit for p in points}}
        self._units = {unit: Unit(unit, some, self._lanes) for unit, some in tags_of.items()}
        self._absent: list[Unit] = []  # in question or away, in the order in which they are asked
        self._ask_again_at = math.inf
        self._told: set[tuple[int, Table, int]] = set()
        self._habit = Habit()

    @property
    def tag_numbers(self) -> Sequence[int]:
        return self._tag_numbers

    @property
    def parts(self) -> Mapping[str, Sequence[int]]:
        """Tags of each unit behind the gateway."""
        return {f"unit {number}": unit.tags for number, unit in sorted(self._units.items())}

    def follow(self, before: ModbusCollector, lost_at: datetime) -> None:
        """The device is the same: how it ends its connections is known."""
        self._habit = before._habit

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Poll until cancelled; raise SourceUnavailable when the device goes silent or talks nonsense."""
        config = self._config
        try:
            now = self._clock.monotonic
            line = await connected(config.host, config.port, config.unit, self._timeout, self._habit, now)
            try:
                await self._poll(line, sink)
            finally:
                line.close()
        except Broken as cause:
            raise SourceUnavailable(f"{self._name}: {self._where}: {cause}") from cause

    async def probe(self) -> Mapping[str, str]:
        """What a look at the device finds; changes nothing."""
        config = self._config
        points = list(zip((p.tag for p in config.points), config.numbered(), strict=True))
        blocks = plan([p for _, p in points], config.hole, config.max_registers, config.max_bits)
        return await probed(config.host, config.port, self._timeout, blocks, points, self._clock.monotonic)

    async def _poll(self, line: ModbusLine, sink: Sink[SampleBatch]) -> None:
        while True:
            await self._serve(line, sink, self._lanes)
            if self._clock.monotonic() >= self._ask_again_at:
                await self._ask_the_refused(line)
            if self._absent:
                await self._try_the_away(line)
                if doubts := [(unit, *unit.doubt) for unit in self._absent if unit.doubt]:
                    await self._settle(line, doubts, sink)
                    continue
            due = min([lane.due for lane in self._lanes] + [unit.next_try for unit in self._absent])
            seconds = max(0.0, due - self._clock.monotonic())
            if seconds <= _SHORT_REST:
                await self._clock.sleep(seconds)
            else:
                await self._rest(line, sink, seconds)

    async def _rest(self, line: ModbusLine, sink: Sink[SampleBatch], seconds: float) -> None:
        """A long one is no reason to notice late that the device is gone: it is told by the end of the line,
        or by a question without an answer."""
        sleep = asyncio.ensure_future(self._clock.sleep(min(seconds, _UNHEARD)))
        try:
            await asyncio.wait({sleep, line.gone}, return_when=asyncio.FIRST_COMPLETED)
            if not line.hung_up:
                if line.gone.done():
                    raise Broken("the device closed the connection")
            else:
                await sleep
        finally:
            sleep.cancel()
        if seconds > _UNHEARD:
            await self._still_there(line, sink)

    async def _still_there(self, line: ModbusLine, sink: Sink[SampleBatch]) -> None:
        here = ((lane, b) for lane in self._lanes for b in lane.blocks if self._units[b.unit].here)
        if found := next(here, None):
            await self._read_or_hunt(line, *found, sink)

    async def _serve(self, line: ModbusLine, sink: Sink[SampleBatch], lanes: Sequence[Lane]) -> None:
        """Read those of the lanes that are due, fast ones first and again between a slow one's blocks."""
        for i, lane in enumerate(lanes):
            if lane.due > self._clock.monotonic():
                continue
            at = micros(self._clock.now())  # of a whole round: the moment before its first question
            read: list[_Read] = []
            for n, block in enumerate(lane.blocks):
                if n and i:
                    await self._serve(line, sink, lanes[:i])
                if self._units[block.unit].here:
                    read += await self._read_or_hunt(line, lane, block, sink)
            batch = self._batch(at, read, lane.refused)
            if len(batch) and len(batch := lane.news(batch, self._clock.monotonic())):
                await sink.put(batch)
            lane.done(self._clock.monotonic())
            for unit in self._units.values():
                if unit.here:
                    unit.read_through.add(lane)

    async def _read_or_hunt(
        self, line: ModbusLine, lane: Lane, block: Block, sink: Sink[SampleBatch]
    ) -> list[_Read]:
        try:
            try:
                return [(block, await self._read(line, block))]
            except NotHere:
                return await self._hunt(line, lane, block)
            except Mute:
                if len(self._units) > 1:  # the others first: each silence costs them a whole timeout
                    unit = self._units[block.unit]
                    unit.kept_silent(lane, block)
                    self._absent.append(unit)
                    return []
                return await self._second_try(line, lane, block)
        except Away as cause:
            await self._lose(self._units[block.unit], str(cause), sink)
            return []

    async def _second_try(self, line: ModbusLine, lane: Lane, block: Block) -> list[_Read]:
        """It kept silent once. A unit that answers for another point is there; only some of it is not."""
        asked = self._units[block.unit].witnesses(lane, block)
        answered = await self._first_answer(line, asked)
        try:
            return [(block, await self._read(line, block))]
        except NotHere:
            pass
        except Mute:
            if not asked:
                raise
        return await self._hunt(line, lane, block, answered)

    async def _first_answer(self, line: ModbusLine, asked: Sequence[Block]) -> list[_Read]:
        """Nothing where the answer says only that this point is not there. Raises Away where none comes."""
        silence: Mute | None = None
        for one in asked:
            try:
                return [(one, await self._read(line, one))]
            except NotHere:
                return []
            except Mute as cause:
                silence = cause
        if silence is not None:
            raise silence
        return []

    # ---------------------------------------------------------------- several units behind one gateway
    async def _settle(
        self, line: ModbusLine, doubts: Sequence[tuple[Unit, Lane, Block]], sink: Sink[SampleBatch]
    ) -> None:
        """The second question to one unit that kept silent; the next one after the others' next round."""
        nobody = len(self._absent) == len(self._units)
        unit, lane, block = doubts[0]
        at = micros(self._clock.now())
        try:
            read = await self._second_try(line, lane, block)
        except Away as cause:
            for one, *_ in doubts if nobody else doubts[:1]:
                await self._lose(one, str(cause), sink)
            return
        unit.answered()
        self._absent.remove(unit)
        await sink.put(self._batch(at, read, [r for r in lane.refused if r[0].unit == unit.number]))

    async def _lose(self, unit: Unit, why: str, sink: Sink[SampleBatch]) -> None:
        """This unit's tags turn bad, once; the others go on. Raises where none is left."""
        unit.lost(self._clock.monotonic())
        self._put_last(unit)
        if all(one.away for one in self._units.values()):
            all_of_it = f"no unit answers, {unit.number} for one: {why}" if len(self._units) > 1 else why
            raise SourceUnavailable(f"{self._name}: {self._where}: {all_of_it}")
        _log.warning(
            "%s: %s: unit %d is away (%s); the others go on", self._name, self._where, unit.number, why
        )
        await sink.put(SampleBatch.lost(unit.tags, self._clock.now(), self._name))

    async def _try_the_away(self, line: ModbusLine) -> None:
        """One question to one unit at a time: each may cost the others a whole timeout."""
        now = self._clock.monotonic()
        unit = next((u for u in self._absent if u.away and u.next_try <= now), None)
        if unit is None:
            return
        try:
            await self._read(line, unit.next_question())
        except (Away, NotHere) as cause:
            if not isinstance(cause, NotHere) or cause.code in NOT_NOW:
                unit.still_away(self._clock.monotonic())
                self._put_last(unit)
                return
        unit.answered()
        self._absent.remove(unit)
        _log.info("%s: %s: unit %d answers again", self._name, self._where, unit.number)

    def _put_last(self, unit: Unit) -> None:
        self._absent = [*(one for one in self._absent if one is not unit), unit]

    def _batch(
        self,
        at: int,
        read: Sequence[_Read],
        refused: Sequence[tuple[Block, int]],
    ) -> SampleBatch:
        if self._absent:  # what was read of a unit before it went is older than the mark that it is lost
            read = [(b, v) for b, v in read if not self._units[b.unit].away]
            refused = [(b, status) for b, status in refused if not self._units[b.unit].away]
        tags, values = [b.tags for b, _ in read], [v for _, v in read]
        good = sum(len(v) for v in values)
        if refused:
            tags += [block.tags for block, _ in refused]
            values.append(np.full(len(refused), np.nan))
        if not values:
            return SampleBatch.lost([], self._clock.now(), self._name)
        column = _joined(values)
        times, statuses = np.empty(len(column), np.int64), np.zeros(len(column), np.uint32)
        times.fill(at)
        wrong = ~np.isfinite(column)
        if wrong.any():  # refused, an unknown code, or a float that is no number
            column[wrong] = np.nan
            statuses[wrong] = BAD_OUT_OF_RANGE
            statuses[good:] = [status for _, status in refused]
        return SampleBatch(_joined(tags), times, column, statuses, self._name)

    async def _read(self, line: ModbusLine, block: Block) -> NDArray[np.float64]:
        try:
            return decode(block, await asked(line, block, self._timeout))
        except Silent as cause:
            raise Mute(f"{cause} for {block.table} {block.start}") from None
        except Short:
            raise NotHere(ILLEGAL_ADDRESS) from None
        except Denied as cause:
            if cause.code in NOT_HERE:
                raise NotHere(cause.code) from None
            raise Mute(f"answered with exception {said(cause.code)}") from None
        except ValueError as cause:
            raise SourceUnavailable(f"{self._name}: {self._where}: {cause}") from None

    async def _hunt(
        self, line: ModbusLine, lane: Lane, whole: Block, answered: Sequence[_Read] = ()
    ) -> list[_Read]:
        """The block got no answer: halve it until only points the device does not give are left out.

        `answered`: what is known of the unit already; it stays where the hunt does not come to it.
        """
        good: list[_Read] = []
        bad: list[tuple[Block, int]] = []
        todo = list(halves(whole)) if len(whole.points) > 1 else [whole]
        silences = 0
        while todo:
            block = todo.pop(0)  # wide before deep: large parts that answer are soon found
            try:
                good.append((block, await self._read(line, block)))
            except (NotHere, Mute) as cause:
                silences += isinstance(cause, Mute)
                if silences >= _SILENCES:  # each costs a timeout: the rest is asked for one by one, later
                    left = {one.points[0].tag: one for b in (block, *todo) for one in singles(b)}
                    good += [read for read in answered if left.pop(read[0].points[0].tag, None)]
                    bad += [(one, BAD_TIMEOUT) for one in left.values()]
                    break
                if len(block.points) > 1:
                    todo.extend(halves(block))
                else:
                    bad.append((block, cause.status))
        lane.remember(whole, [b for b, _ in good], bad)
        self._tell(bad, len(lane.refused))
        unit = self._units[whole.unit]
        if unit.is_unreadable:
            unit.forget()
            raise Away("it cannot read any of its points")
        return good

    def _tell(self, bad: Sequence[tuple[Block, int]], many: int) -> None:
        for block, status in bad:
            self._ask_again(status, many)
            point = block.points[0]
            if (place := (point.unit, point.table, point.address)) not in self._told:
                self._told.add(place)
                _log.warning(
                    "%s: %s unit %d gives nothing for %s %d (0x%08X); check points: the others go on",
                    self._name, self._where, *place, status,
                )  # fmt: skip

    def _ask_again(self, status: int, many: int = 1) -> None:
        """All of `many` within half a minute, a few at a time."""
        pause = _ASK_SOON if status == BAD_DEVICE_FAILURE else _ASK_AGAIN
        pause = max(_ASK_PAUSE, pause / math.ceil(many / _ASK_AT_MOST))
        self._ask_again_at = min(self._ask_again_at, self._clock.monotonic() + pause)

    async def _ask_the_refused(self, line: ModbusLine) -> None:
        """A question each, in turn: where one answers now, its lane is read as configured again."""
        self._ask_again_at = math.inf
        for lane in self._lanes:
            here = [r for r in lane.refused if self._units[r[0].unit].here]
            for refused in here[:_ASK_AT_MOST]:
                lane.put_last(refused)
                block, status = refused
                try:
                    await self._read(line, block)
                except NotHere:
                    self._ask_again(status, len(here))
                except Mute:  # it has cost a timeout; a unit that is dead shows with the next round
                    self._ask_again_at = self._clock.monotonic() + _ASK_AGAIN
                    return
                else:
                    if status == BAD_TIMEOUT:  # not everything again: what keeps silent costs too much
                        lane.take_back(refused)
                        continue
                    lane.reset()
                    for unit in self._units.values():
                        unit.read_through.discard(lane)
                    break
            if lane.refused and self._ask_again_at == math.inf:
                self._ask_again(lane.refused[0][1], len(lane.refused))


def _joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)
