"""`mapping.yaml`: what a person knows about a recording and the guesses cannot.

zone: UTC                       # of times without a zone; the plant's otherwise
time: ts                        # column of times
every: 10s                      # from row to row, of a table that has no times
asset: machine_no               # column that names the machine
machines: {"0": lathe-1}        # recorded name -> id in the plant
state: {signal: status, map: {0: idle, 1: setup, 2: executing, 3: fault}}
good: {signal: items, adds: true}    # adds: each value is an increment; false: a running total
scrap: {signal: rejects, adds: true}
fault: alarm
ignore: [path_pos]
units: {power_avg: kW}
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import Field, ValidationError, field_validator

from hub.config import Block, Duration, explain
from hub.errors import ConfigError
from hub.model.equipment import EquipmentState


class StateMapping(Block):
    signal: str
    map: dict[str, EquipmentState] = Field(default_factory=dict)

    @field_validator("map", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {str(k): "off" if v is False else v for k, v in value.items()}


class CounterMapping(Block):
    signal: str
    adds: bool | None = None


class Mapping(Block):
    zone: str = "Asia/Shanghai"
    time: str = ""
    every: Duration | None = None
    asset: str = ""
    machines: dict[str, str] = Field(default_factory=dict)
    state: StateMapping | None = None
    good: CounterMapping | None = None
    scrap: CounterMapping | None = None
    fault: str = ""
    ignore: list[str] = Field(default_factory=list)
    units: dict[str, str] = Field(default_factory=dict)


def load_mapping(folder: Path, given: Path | None) -> Mapping:
    """The mapping given, else the folder's `mapping.yaml`, else none. Raises ConfigError."""
    path = given or folder / "mapping.yaml"
    if given is None and not path.exists():
        return Mapping()
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return Mapping.model_validate(raw)
    except OSError as cause:
        raise ConfigError(f"{path}: cannot be read ({cause.strerror}); name the file with --map") from None
    except yaml.YAMLError as cause:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(cause).split())}") from None
    except ValidationError as cause:
        raise ConfigError(*explain(cause, str(path))) from None
