"""Modbus TCP: polls a device's registers on a fixed grid of the clock. Reads only (function codes 1 to 4)."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.blocks import Block, Point, Table, decode, halves, plan, singles
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
    Rest,
    said,
)
from collectors.modbus_habit import Habit
from collectors.modbus_lane import Lane
from collectors.modbus_line import Broken, Denied, ModbusLine, Silent, connected
from collectors.modbus_probe import probed
from collectors.modbus_witness import witnesses
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
_HEARTBEAT = 1.0  # seconds at most until a fast point that stands still is told again
_SHORT_REST = 1.0  # seconds: who is gone shows with the next question
_UNHEARD = 5.0  # seconds at most between two questions, however seldom there is something to tell
_FIRST_REST, _LONGEST_REST = 2.0, 60.0  # seconds until a unit behind a gateway is asked again


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
        self._units = {unit: [p.tag for p in points if p.unit == unit] for unit in {p.unit for p in points}}
        patience = min(tags[p.tag].stale_after for p in config.points).total_seconds()
        self._lanes = _lanes(config, points, patience)
        self._away: dict[int, Rest] = {}
        self._in_question: dict[int, tuple[Lane, Block]] = {}  # kept silent once, others have not been asked
        self._ask_again_at = math.inf
        self._told: set[tuple[int, Table, int]] = set()
        self._habit = Habit()

    @property
    def tag_numbers(self) -> Sequence[int]:
        return self._tag_numbers

    @property
    def parts(self) -> Mapping[str, Sequence[int]]:
        """Tags of each unit behind the gateway."""
        return {f"unit {unit}": tags for unit, tags in sorted(self._units.items())}

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
                await self._ask_the_refused(line, sink)
            if self._away:
                await self._try_the_away(line)
            if self._in_question:
                await self._settle(line, sink)
                continue
            due = min([lane.due for lane in self._lanes] + [rest.until for rest in self._away.values()])
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
        here = ((lane, b) for lane in self._lanes for b in lane.blocks if self._is_here(b.unit))
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
                if self._is_here(block.unit):
                    read += await self._read_or_hunt(line, lane, block, sink)
            batch = self._batch(at, read, lane.refused)
            if len(batch) and len(batch := lane.news(batch, self._clock.monotonic())):
                await sink.put(batch)
            lane.done(self._clock.monotonic(), {u for u in self._units if self._is_here(u)})

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
                    self._in_question[block.unit] = lane, block
                    return []
                return await self._second_try(line, lane, block)
        except Away as cause:
            await self._lose(block.unit, str(cause), sink)
            return []

    def _is_here(self, unit: int) -> bool:
        return unit not in self._away and unit not in self._in_question

    async def _settle(self, line: ModbusLine, sink: Sink[SampleBatch]) -> None:
        """The second question to one unit that kept silent; the next one after the others' next round."""
        nobody = not any(map(self._is_here, self._units))
        unit, (lane, block) = next(iter(self._in_question.items()))
        at = micros(self._clock.now())
        try:
            read = await self._second_try(line, lane, block)
        except Away as cause:
            for one in [*self._in_question] if nobody else [unit]:
                await self._lose(one, str(cause), sink)
            return
        del self._in_question[unit]
        await sink.put(self._batch(at, read, [r for r in lane.refused if r[0].unit == unit]))

    async def _second_try(self, line: ModbusLine, lane: Lane, block: Block) -> list[_Read]:
        """It kept silent once. A unit that answers for another point is there; only some of it is not."""
        others = [b for a in self._lanes for b in a.blocks if b.unit == block.unit and b is not block]
        asked = witnesses(block, others, new=lane.is_new(block.unit))
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
    async def _lose(self, unit: int, why: str, sink: Sink[SampleBatch]) -> None:
        """This unit's tags turn bad, once; the others go on. Raises where none is left."""
        self._away[unit] = Rest(_FIRST_REST, self._clock.monotonic() + _FIRST_REST)
        self._in_question.pop(unit, None)
        for lane in self._lanes:
            lane.known.discard(unit)
        if len(self._away) == len(self._units):
            all_of_it = f"no unit answers, {unit} for one: {why}" if len(self._units) > 1 else why
            raise SourceUnavailable(f"{self._name}: {self._where}: {all_of_it}")
        _log.warning("%s: %s: unit %d is away (%s); the others go on", self._name, self._where, unit, why)
        await sink.put(SampleBatch.lost(self._units[unit], self._clock.now(), self._name))

    async def _try_the_away(self, line: ModbusLine) -> None:
        """One question to one unit at a time: each may cost the others a whole timeout."""
        now = self._clock.monotonic()
        unit = next((u for u, rest in self._away.items() if rest.until <= now), None)
        if unit is None:
            return
        rest = self._away[unit]
        planned = [b for lane in self._lanes for b in lane.planned if b.unit == unit]
        known = [b for lane in self._lanes for b in lane.blocks if b.unit == unit]
        block = random.choice(known or planned)
        if rest.by_one:  # one address that it never answers would keep it away for good
            block = random.choice(singles(block))
        rest.by_one = not rest.by_one
        try:
            await self._read(line, block)
        except (Away, NotHere) as cause:
            if not isinstance(cause, NotHere) or cause.code in NOT_NOW:
                del self._away[unit]
                rest.pause = min(rest.pause * 2, _LONGEST_REST)
                rest.until = self._clock.monotonic() + rest.pause * random.uniform(0.8, 1.2)
                self._away[unit] = rest  # behind the others
                return
        del self._away[unit]
        _log.info("%s: %s: unit %d answers again", self._name, self._where, unit)

    def _batch(
        self,
        at: int,
        read: Sequence[_Read],
        refused: Sequence[tuple[Block, int]],
    ) -> SampleBatch:
        if self._away:  # what was read of a unit before it went is older than the mark that it is lost
            read = [(b, v) for b, v in read if b.unit not in self._away]
            refused = [(b, status) for b, status in refused if b.unit not in self._away]
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
        self._give_up(whole.unit)
        return good

    def _give_up(self, unit: int) -> None:
        """Raises Away where the unit can read nothing of all that is wanted of it."""
        if any(b.unit == unit for lane in self._lanes for b in lane.blocks):
            return
        refused = [status for lane in self._lanes for b, status in lane.refused if b.unit == unit]
        if BAD_DEVICE_FAILURE in refused or BAD_TIMEOUT in refused:
            for lane in self._lanes:
                lane.forget(unit)
            raise Away("it cannot read any of its points")

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

    async def _ask_the_refused(self, line: ModbusLine, sink: Sink[SampleBatch]) -> None:
        """A question each, in turn: where one answers now, its lane is read as configured again."""
        self._ask_again_at = math.inf
        for lane in self._lanes:
            here = [r for r in lane.refused if self._is_here(r[0].unit)]
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
                except Away as cause:
                    await self._lose(block.unit, str(cause), sink)
                    break
                else:
                    if status == BAD_TIMEOUT:  # not everything again: what keeps silent costs too much
                        lane.take_back(refused)
                        continue
                    lane.reset()
                    break
            if lane.refused and self._ask_again_at == math.inf:
                self._ask_again(lane.refused[0][1], len(lane.refused))


def _lanes(config: ModbusConfig, points: Sequence[Point], patience: float) -> list[Lane]:
    """One for each interval that has points, the shortest first. `patience`: seconds until a tag is stale."""
    every = config.every.total_seconds()
    quick = (config.fast or min(config.every, timedelta(milliseconds=100))).total_seconds()
    told = min(_HEARTBEAT, patience / 2)
    intervals = {"fast": (quick, max(quick, min(every, told))), "": (every, every)}
    intervals |= {n: (s, max(s, told)) for n, d in config.groups.items() if (s := d.total_seconds())}
    found = []
    for group, (interval, whole) in sorted(intervals.items(), key=lambda item: item[1][0]):
        some = [p for p, c in zip(points, config.points, strict=True) if c.group == group]
        if some:
            blocks = plan(some, config.hole, config.max_registers, config.max_bits)
            found.append(Lane(interval, whole, blocks))
    return found


def _joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)
