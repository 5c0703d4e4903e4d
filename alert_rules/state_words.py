"""Equipment states as rules name them and as people read them. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from hub.model.equipment import EquipmentState
from hub.model.words import Words

STATE_WORDS = {
    EquipmentState.EXECUTING: Words("运行", "running"),
    EquipmentState.SETUP: Words("换型", "in setup"),
    EquipmentState.IDLE: Words("待机", "idle"),
    EquipmentState.STARVED: Words("缺料", "starved"),
    EquipmentState.BLOCKED: Words("堵料", "blocked"),
    EquipmentState.HELD: Words("保持", "held"),
    EquipmentState.FAULT: Words("故障", "faulted"),
    EquipmentState.MAINTENANCE: Words("保养", "in maintenance"),
    EquipmentState.OFF: Words("停机", "off"),
    EquipmentState.UNKNOWN: Words("未知", "unknown"),
}


def _off_is_a_state(value: object) -> object:
    """YAML 1.1 reads an unquoted `off` as false, which we take back."""
    return ["off" if v is False else v for v in value] if isinstance(value, list | tuple) else value


States = Annotated[tuple[EquipmentState, ...], BeforeValidator(_off_is_a_state)]
