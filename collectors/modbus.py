"""Modbus TCP: polls a device's registers on a fixed grid of the clock. Reads only (function codes 1 to 4)."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from collectors.blocks import (
    BIT_TABLES,
    WIDTHS,
    Block,
    Kind,
    Order,
    Point,
    Table,
    decode,
    halves,
    plan,
    rejoin,
)
from collectors.deadband import news
from collectors.modbus_line import Broken, Denied, ModbusLine, connected
from collectors.modbus_probe import FUNCTION, probed
from collectors.named_tags import named_tags
from hub.config import Block as ConfigBlock
from hub.config import Duration, Kept
from hub.errors import SourceUnavailable
from hub.model.batch import SampleBatch, micros
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.ports import Clock, Sink

_log = logging.getLogger(__name__)

# Answers that say "not this address here", so that other addresses may still do.
_NOT_HERE = frozenset({1, 2, 3})
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
BAD_DEVICE_FAILURE = 0x808B0000


class Asked(NamedTuple):
    """What stays of a point's block."""

    tag: str
    fast: bool
    point: Point  # its tag's number still 0


class PointBlock(ConfigBlock):
    """One register or bit. `address` counts from 0, as on the wire."""

    tag: str
    address: int = Field(ge=0, le=65535)
    type: Kind = "uint16"
    table: Table = "holding"
    scale: float = Field(1.0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)
    word_order: Order = "big"
    byte_order: Order = "big"
    bit: int | None = Field(None, ge=0, le=15)
    fast: bool = False
    codes: dict[float, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sensible(self) -> PointBlock:
        if self.bit is not None and (self.type != "bool" or self.table in BIT_TABLES):
            raise ValueError("bit: picks one bit of a register; write type: bool and a table of registers")
        if self.scale == 0:
            raise ValueError("scale: 0 would make every value the same; leave it out or correct it")
        if self.codes and (self.scale != 1 or self.offset != 0):
            raise ValueError("codes: already name the final numbers; leave out scale and offset")
        if self.address + self._width > 65536:
            raise ValueError(f"address: a {self.type} at {self.address} reaches past 65535")
        return self

    @property
    def _width(self) -> int:
        return 1 if self.table in BIT_TABLES else WIDTHS[self.type]

    def kept(self) -> Asked:
        kind: Kind = "bool" if self.table in BIT_TABLES else self.type
        point = Point(
            0, self.address, kind, self.table, self.scale, self.offset,
            self.word_order, self.byte_order, self.bit, self.codes,
        )  # fmt: skip
        return Asked(self.tag, self.fast, point)


class ModbusConfig(ConfigBlock):
    """The `with:` block of a `kind: modbus` collector."""

    host: str
    port: int = Field(502, ge=1, le=65535)
    unit: int = Field(1, ge=0, le=255)
    every: Duration = timedelta(seconds=1)
    fast: Duration | None = Field(None, description="interval of the points marked fast; 100ms if any is")
    timeout: Duration = timedelta(seconds=1)
    hole: int = Field(8, ge=0, le=123, description="registers read in vain rather than asked for apart")
    points: list[Annotated[Asked, Kept(PointBlock)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _positive(self) -> ModbusConfig:
        for name, span in (("every", self.every), ("fast", self.fast), ("timeout", self.timeout)):
            if span is not None and span < timedelta(milliseconds=1):
                raise ValueError(f"{name}: is too short; write for example 100ms or 1s")
        return self


class _NotHere(Exception):
    """The device gives no answer for this address; `code` is its reason. Others may still do."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)

    @property
    def status(self) -> int:
        return BAD_DEVICE_FAILURE if self.code in _NOT_NOW else BAD_OUT_OF_RANGE


class _Lane:
    """Blocks read at one interval, always at whole multiples of it; told whole every `whole` seconds."""

    def __init__(self, interval: float, whole: float, points: Sequence[Point], hole: int) -> None:
        self.interval, self._whole = interval, whole
        self.due = self._whole_due = -math.inf
        self._said: SampleBatch | None = None
        self.planned = plan(points, hole)
        self.reset()

    def reset(self) -> None:
        """As configured again: whatever was refused is asked for anew."""
        self.blocks: tuple[Block, ...] = self.planned
        self.refused: tuple[tuple[Block, int], ...] = ()  # one point each, and its status

    def news(self, batch: SampleBatch, now: float) -> SampleBatch:
        """What of this round is worth telling."""
        said, self._said = self._said, batch
        if said is not None and now < self._whole_due - 1e-6:
            return news(said, batch)
        self._whole_due = (math.floor(now / self._whole + 1e-6) + 1) * self._whole
        return batch

    def done(self, now: float) -> None:
        """Next at the grid point after `now`; rounds that were missed meanwhile stay missed."""
        self.due = (math.floor(now / self.interval + 1e-6) + 1) * self.interval


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
        self._where = f"{config.host}:{config.port}"
        found = named_tags((p.tag for p in config.points), tags, f"collectors.{name}.with.points")
        points = [p.point.numbered(t.number) for p, t in zip(config.points, found, strict=True)]
        self._tag_numbers = [p.tag for p in points]
        fast = [p for p, c in zip(points, config.points, strict=True) if c.fast]
        slow = [p for p, c in zip(points, config.points, strict=True) if not c.fast]
        quick = (config.fast or min(config.every, timedelta(milliseconds=100))).total_seconds()
        every = config.every.total_seconds()
        patience = min(tags[p.tag].stale_after for p in config.points).total_seconds()
        heartbeat = max(quick, min(every, _HEARTBEAT, patience / 2))
        self._lanes = [
            _Lane(interval, whole, some, config.hole)
            for interval, whole, some in ((quick, heartbeat, fast), (every, every, slow))
            if some
        ]
        self._ask_again_at = math.inf
        self._told: set[tuple[Table, int]] = set()

    @property
    def tag_numbers(self) -> Sequence[int]:
        return self._tag_numbers

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Poll until cancelled; raise SourceUnavailable when the device goes silent or talks nonsense."""
        config = self._config
        try:
            line = await connected(config.host, config.port, config.unit, config.timeout.total_seconds())
            try:
                await self._poll(line, sink)
            finally:
                line.close()
        except Broken as cause:
            raise SourceUnavailable(f"{self._name}: {self._where}: {cause}") from cause

    async def probe(self) -> Mapping[str, str]:
        """What a look at the device finds; changes nothing."""
        config = self._config
        points = [(p.tag, p.point) for p in config.points]
        seconds = config.timeout.total_seconds()
        return await probed(config.host, config.port, config.unit, seconds, config.hole, points)

    async def _poll(self, line: ModbusLine, sink: Sink[SampleBatch]) -> None:
        while True:
            await self._serve(line, sink, self._lanes)
            if self._clock.monotonic() >= self._ask_again_at:
                await self._ask_the_refused(line)
            due = min(lane.due for lane in self._lanes)
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))

    async def _serve(self, line: ModbusLine, sink: Sink[SampleBatch], lanes: Sequence[_Lane]) -> None:
        """Read those of the lanes that are due, fast ones first and again between a slow one's blocks."""
        for i, lane in enumerate(lanes):
            if lane.due > self._clock.monotonic():
                continue
            at = micros(self._clock.now())  # of a whole round: the moment before its first question
            tags: list[NDArray[np.int32]] = []
            values: list[NDArray[np.float64]] = []
            for n, block in enumerate(lane.blocks):
                if n and i:
                    await self._serve(line, sink, lanes[:i])
                for good, column in await self._read_or_hunt(line, lane, block):
                    tags.append(good.tags)
                    values.append(column)
            batch = self._batch(at, tags, values, lane.refused)
            if len(batch := lane.news(batch, self._clock.monotonic())):
                await sink.put(batch)
            lane.done(self._clock.monotonic())

    async def _read_or_hunt(
        self, line: ModbusLine, lane: _Lane, block: Block
    ) -> list[tuple[Block, NDArray[np.float64]]]:
        try:
            return [(block, await self._read(line, block))]
        except _NotHere:
            return await self._hunt(line, lane, block)

    def _batch(
        self,
        at: int,
        tags: list[NDArray[np.int32]],
        values: list[NDArray[np.float64]],
        refused: Sequence[tuple[Block, int]],
    ) -> SampleBatch:
        if not values and any(status == BAD_DEVICE_FAILURE for _, status in refused):
            raise SourceUnavailable(f"{self._name}: {self._where} cannot read any of its points")
        good = sum(len(v) for v in values)
        if refused:
            tags += [block.tags for block, _ in refused]
            values.append(np.full(len(refused), np.nan))
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
            return decode(block, await line.ask(FUNCTION[block.table], block.start, block.count))
        except Denied as cause:
            if cause.code in _NOT_HERE | _NOT_NOW:
                raise _NotHere(cause.code) from None
            said = _said(cause.code)
            raise SourceUnavailable(f"{self._name}: {self._where} answered with exception {said}") from None
        except ValueError as cause:
            raise SourceUnavailable(f"{self._name}: {self._where}: {cause}") from None

    async def _hunt(
        self, line: ModbusLine, lane: _Lane, whole: Block
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
        self._remember(lane, whole, [b for b, _ in good], bad)
        return good

    def _remember(
        self, lane: _Lane, whole: Block, good: Sequence[Block], bad: Sequence[tuple[Block, int]]
    ) -> None:
        rest = (b for b in lane.blocks if b is not whole)
        lane.blocks = tuple(chain(rest, rejoin(good)))
        lane.refused += tuple(bad)
        for block, status in bad:
            self._ask_again(status)
            point = block.points[0]
            if (point.table, point.address) not in self._told:
                self._told.add((point.table, point.address))
                _log.warning(
                    "%s: %s gives nothing for %s %d (0x%08X); check points: the others go on",
                    self._name, self._where, point.table, point.address, status,
                )  # fmt: skip

    def _ask_again(self, status: int) -> None:
        pause = _ASK_SOON if status == BAD_DEVICE_FAILURE else _ASK_AGAIN
        self._ask_again_at = min(self._ask_again_at, self._clock.monotonic() + pause)

    async def _ask_the_refused(self, line: ModbusLine) -> None:
        """A question each: where a refused point answers now, its lane is read as configured again."""
        self._ask_again_at = math.inf
        for lane in self._lanes:
            for block, status in lane.refused[:_ASK_AT_MOST]:
                try:
                    await self._read(line, block)
                except _NotHere:
                    self._ask_again(status)
                else:
                    lane.reset()
                    break


def _joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _said(code: int) -> str:
    return f"{code} ({_REASONS.get(code, 'unknown')})"
