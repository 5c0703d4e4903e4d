"""Equipment states as people read them."""

from __future__ import annotations

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
