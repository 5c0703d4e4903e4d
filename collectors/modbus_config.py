"""What is configured of a Modbus device, and what of it does not fit together."""

from __future__ import annotations

import difflib
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from collectors.blocks import MAX_BITS, MAX_REGISTERS, Point
from collectors.modbus_map import MapBlock, points_of
from collectors.modbus_points import Asked, PointBlock
from hub.config import Block as ConfigBlock
from hub.config import Duration, Kept, explain

_SHORTEST = timedelta(milliseconds=10)  # below it a poll would hold the loop up for everybody


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
            if span is not None and span < _SHORTEST:
                raise ValueError(f"{name}: is too short; 10ms is the least, 100ms or 1s are usual")
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
