"""Modbus TCP: polls a device's registers on a fixed grid of the clock. Reads only (function codes 1 to 4)."""

from __future__ import annotations

import difflib
import logging
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from collectors.blocks import MAX_BITS, MAX_REGISTERS, Block, Point, Table, decode, halves, plan
from collectors.modbus_asking import Short, asked
from collectors.modbus_lane import Lane
from collectors.modbus_line import Broken, Denied, ModbusLine, Silent, connected
from collectors.modbus_map import MapBlock, points_of
from collectors.modbus_points import Asked, PointBlock
from collectors.modbus_probe import probed
from collectors.named_tags import named_tags
from hub.config import Block as ConfigBlock
from hub.config import Duration, Kept, explain
from hub.errors import SourceUnavailable
from hub.model.batch import SampleBatch, micros
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)

# Answers that say "not this address here", so that other addresses may still do.
_ILLEGAL_ADDRESS = 2
_NOT_HERE = frozenset({1, _ILLEGAL_ADDRESS, 3})
_NOT_NOW = frozenset({4, 8})
_REASONS = {
    1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure", 5: "acknowledge",
    6: "device busy", 7: "negative acknowledge", 8: "memory parity error", 10: "gateway path unavailable",
    11: "gateway: the device behind it does not respond",
}  # fmt: skip
_ASK_AGAIN = 30.0  # seconds until a refused register is tried again: programs get changed
_ASK_SOON = 5.0  # the same for one that the device could not read just now
_ASK_AT_MOST = 5  # refused registers asked for in one go
_HEARTBEAT = 1.0  # seconds at most until a fast point that stands still is told again
_FIRST_REST, _LONGEST_REST = 2.0, 60.0  # seconds until a unit behind a gateway is asked again
BAD_DEVICE_FAILURE = 0x808B0000


def _from_file(written: object) -> object:
    """`points: {file: map.csv}` as the points in that file."""
    if not isinstance(written, dict):
        return written
    try:
        block = MapBlock.model_validate(written)
    except ValidationError as cause:
        raise ValueError("; ".join(explain(cause, "file"))) from None
    return points_of(block)


class ModbusConfig(ConfigBlock):
    """The `with:` block of a `kind: modbus` collector."""

    host: str
    port: int = Field(502, ge=1, le=65535)
    unit: int = Field(1, ge=0, le=255, description="of the points that name none")
    every: Duration = timedelta(seconds=1)
    fast: Duration | None = Field(None, description="interval of the points marked fast; 100ms if any is")
    groups: dict[str, Duration] = Field({}, description="name: interval, for the points with that group")
    timeout: Duration = timedelta(seconds=1)
    hole: int = Field(8, ge=0, le=123, description="registers read in vain rather than asked for apart")
    max_registers: int = Field(
        MAX_REGISTERS, ge=1, le=MAX_REGISTERS, description="what the device gives at once"
    )
    max_bits: int = Field(MAX_BITS, ge=1, le=MAX_BITS, description="the same of coils and discrete inputs")
    points: Annotated[
        list[Annotated[Asked, Kept(PointBlock)]], Field(min_length=1), BeforeValidator(_from_file)
    ]

    @model_validator(mode="after")
    def _positive(self) -> ModbusConfig:
        spans = {"every": self.every, "fast": self.fast, "timeout": self.timeout}
        spans |= {f"groups.{name}": span for name, span in self.groups.items()}
        for name, span in spans.items():
            if span is not None and span < timedelta(milliseconds=1):
                raise ValueError(f"{name}: is too short; write for example 100ms or 1s")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> ModbusConfig:
        if "fast" in self.groups:
            raise ValueError("groups.fast: is said with fast: beside it; choose another name")
        for tag, group, point in self.points:
            if group not in ("", "fast", *self.groups):
                near = difflib.get_close_matches(group, self.groups, 1)
                hint = f"did you mean {near[0]!r}?" if near else "add it to groups:"
                raise ValueError(f"points: {tag}: no group {group!r}; {hint}")
            if not point.is_bit and point.width > self.max_registers:
                raise ValueError(f"max_registers: {tag} alone has {point.width} registers; raise it")
        return self

    def numbered(self) -> list[Point]:
        """Every point with its unit; its row stands for the tag's number."""
        return [
            p.point.numbered(n, self.unit if p.point.unit < 0 else p.point.unit)
            for n, p in enumerate(self.points)
        ]


class _Away(Exception):
    """The unit gives no answer at all; others behind the same gateway may."""


@dataclass(slots=True)
class _Rest:
    """How long a unit that is away is left in peace."""

    pause: float
    until: float


class _NotHere(Exception):
    """The device gives no answer for this address; `code` is its reason. Others may still do."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)

    @property
    def status(self) -> int:
        return BAD_DEVICE_FAILURE if self.code in _NOT_NOW else BAD_OUT_OF_RANGE


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
        self._away: dict[int, _Rest] = {}
        self._ask_again_at = math.inf
        self._told: set[tuple[int, Table, int]] = set()

    @property
    def tag_numbers(self) -> Sequence[int]:
        return self._tag_numbers

    @property
    def parts(self) -> Mapping[str, Sequence[int]]:
        """Tags of each unit behind the gateway."""
        return {f"unit {unit}": tags for unit, tags in sorted(self._units.items())}

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Poll until cancelled; raise SourceUnavailable when the device goes silent or talks nonsense."""
        config = self._config
        try:
            several = len(self._units) > 1
            line = await connected(config.host, config.port, config.unit, self._timeout, patient=several)
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
        return await probed(config.host, config.port, self._timeout, blocks, points)

    async def _poll(self, line: ModbusLine, sink: Sink[SampleBatch]) -> None:
        while True:
            await self._serve(line, sink, self._lanes)
            if self._clock.monotonic() >= self._ask_again_at:
                await self._ask_the_refused(line, sink)
            await self._try_the_away(line)
            due = min(chain((lane.due for lane in self._lanes), (r.until for r in self._away.values())))
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))

    async def _serve(self, line: ModbusLine, sink: Sink[SampleBatch], lanes: Sequence[Lane]) -> None:
        """Read those of the lanes that are due, fast ones first and again between a slow one's blocks."""
        for i, lane in enumerate(lanes):
            if lane.due > self._clock.monotonic():
                continue
            at = micros(self._clock.now())  # of a whole round: the moment before its first question
            read: list[tuple[Block, NDArray[np.float64]]] = []
            for n, block in enumerate(lane.blocks):
                if n and i:
                    await self._serve(line, sink, lanes[:i])
                if block.unit not in self._away:
                    read += await self._read_or_hunt(line, lane, block, sink)
            batch = self._batch(at, read, lane.refused)
            if len(batch) and len(batch := lane.news(batch, self._clock.monotonic())):
                await sink.put(batch)
            lane.done(self._clock.monotonic())

    async def _read_or_hunt(
        self, line: ModbusLine, lane: Lane, block: Block, sink: Sink[SampleBatch]
    ) -> list[tuple[Block, NDArray[np.float64]]]:
        try:
            return [(block, await self._read(line, block))]
        except _NotHere:
            pass
        except _Away as cause:
            await self._lose(block.unit, str(cause), sink)
            return []
        try:
            return await self._hunt(line, lane, block)
        except _Away as cause:
            await self._lose(block.unit, str(cause), sink)
            return []

    # ---------------------------------------------------------------- several units behind one gateway
    async def _lose(self, unit: int, why: str, sink: Sink[SampleBatch]) -> None:
        """This unit's tags turn bad, once; the others go on. Raises where none is left."""
        self._away[unit] = _Rest(_FIRST_REST, self._clock.monotonic() + _FIRST_REST)
        if len(self._away) == len(self._units):
            raise SourceUnavailable(f"{self._name}: {self._where}: no unit answers, {unit} for one: {why}")
        _log.warning("%s: %s: unit %d is away (%s); the others go on", self._name, self._where, unit, why)
        await sink.put(SampleBatch.lost(self._units[unit], self._clock.now(), self._name))

    async def _try_the_away(self, line: ModbusLine) -> None:
        """One question to one unit at a time: each may cost the others a whole timeout."""
        now = self._clock.monotonic()
        unit = next((u for u, rest in self._away.items() if rest.until <= now), None)
        if unit is None:
            return
        block = next(b for lane in self._lanes for b in lane.planned if b.unit == unit)
        try:
            await self._read(line, block)
        except _Away:
            rest = self._away.pop(unit)
            rest.pause = min(rest.pause * 2, _LONGEST_REST)
            rest.until = self._clock.monotonic() + rest.pause * random.uniform(0.8, 1.2)
            self._away[unit] = rest  # behind the others
            return
        except _NotHere:
            pass
        del self._away[unit]
        _log.info("%s: %s: unit %d answers again", self._name, self._where, unit)

    def _batch(
        self,
        at: int,
        read: Sequence[tuple[Block, NDArray[np.float64]]],
        refused: Sequence[tuple[Block, int]],
    ) -> SampleBatch:
        if self._away:  # what was read of a unit before it went is older than the mark that it is lost
            read = [(b, v) for b, v in read if b.unit not in self._away]
            refused = [(b, status) for b, status in refused if b.unit not in self._away]
        if not read and any(status == BAD_DEVICE_FAILURE for _, status in refused):
            raise SourceUnavailable(f"{self._name}: {self._where} cannot read any of its points")
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
            raise _Away(str(cause)) from None
        except Short:
            raise _NotHere(_ILLEGAL_ADDRESS) from None
        except Denied as cause:
            if cause.code in _NOT_HERE | _NOT_NOW:
                raise _NotHere(cause.code) from None
            said = f"exception {_said(cause.code)}"
            if len(self._units) > 1:
                raise _Away(said) from None
            raise SourceUnavailable(f"{self._name}: {self._where} answered with {said}") from None
        except ValueError as cause:
            raise SourceUnavailable(f"{self._name}: {self._where}: {cause}") from None

    async def _hunt(
        self, line: ModbusLine, lane: Lane, whole: Block
    ) -> list[tuple[Block, NDArray[np.float64]]]:
        """The block was refused: halve it until only points the device does not know are left out."""
        good: list[tuple[Block, NDArray[np.float64]]] = []
        bad: list[tuple[Block, int]] = []
        todo = list(halves(whole)) if len(whole.points) > 1 else [whole]
        while todo:
            block = todo.pop()
            try:
                good.append((block, await self._read(line, block)))
            except _NotHere as cause:
                if len(block.points) > 1:
                    todo.extend(halves(block))
                else:
                    bad.append((block, cause.status))
        lane.remember(whole, [b for b, _ in good], bad)
        self._tell(bad)
        return good

    def _tell(self, bad: Sequence[tuple[Block, int]]) -> None:
        for block, status in bad:
            self._ask_again(status)
            point = block.points[0]
            if (place := (point.unit, point.table, point.address)) not in self._told:
                self._told.add(place)
                _log.warning(
                    "%s: %s unit %d gives nothing for %s %d (0x%08X); check points: the others go on",
                    self._name, self._where, *place, status,
                )  # fmt: skip

    def _ask_again(self, status: int) -> None:
        pause = _ASK_SOON if status == BAD_DEVICE_FAILURE else _ASK_AGAIN
        self._ask_again_at = min(self._ask_again_at, self._clock.monotonic() + pause)

    async def _ask_the_refused(self, line: ModbusLine, sink: Sink[SampleBatch]) -> None:
        """A question each: where a refused point answers now, its lane is read as configured again."""
        self._ask_again_at = math.inf
        for lane in self._lanes:
            here = [r for r in lane.refused if r[0].unit not in self._away]
            for block, status in here[:_ASK_AT_MOST]:
                try:
                    await self._read(line, block)
                except _NotHere:
                    self._ask_again(status)
                except _Away as cause:
                    await self._lose(block.unit, str(cause), sink)
                    break
                else:
                    lane.reset()
                    break
            if lane.refused and self._ask_again_at == math.inf:
                self._ask_again(lane.refused[0][1])


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


def _said(code: int) -> str:
    return f"{code} ({_REASONS.get(code, 'unknown')})"
