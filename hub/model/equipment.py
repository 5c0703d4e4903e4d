"""The plant tree (ISA-95 part 1 role hierarchy) and what a machine can be doing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hub.model.words import Words


class EquipmentLevel(StrEnum):
    SITE = "site"
    AREA = "area"
    WORK_CENTER = "work-center"
    WORK_UNIT = "work-unit"


class EquipmentState(StrEnum):
    """What a work unit is doing; mapped from PackML and OPC UA Machinery, bucketed after ISO 22400."""

    EXECUTING = "executing"  # 运行
    SETUP = "setup"  # 换型/调试
    IDLE = "idle"  # 待机
    STARVED = "starved"  # 缺料
    BLOCKED = "blocked"  # 堵料
    HELD = "held"  # 保持
    FAULT = "fault"  # 故障
    MAINTENANCE = "maintenance"  # 保养
    OFF = "off"  # 计划停机
    UNKNOWN = "unknown"  # 未知: no good data within the signal's limit


@dataclass(frozen=True, slots=True)
class Equipment:
    """One node of the tree. `path` is its identity: `p1/stamping/l1/press-01`."""

    path: str
    level: EquipmentLevel
    name: Words
    kind: str = ""  # equipment class: press, cnc, oven ...
    ideal_cycle: timedelta | None = None  # planned run time per item (PRI, ISO 22400-2)
    erp_id: str = ""  # number of this asset in the ERP
    verify_cycles: int = 3  # good cycles that prove a repair
    state_tag: str = ""  # tag whose value is the raw state code
    state_map: dict[int, EquipmentState] = field(default_factory=dict)
    fault_tag: str = ""  # tag whose value is the fault code; 0 is no fault
    fault_texts: dict[int, Words] = field(default_factory=dict)
    good_tag: str = ""  # counter of good pieces
    scrap_tag: str = ""  # counter of scrapped pieces
    state_numbering: str = ""  # which numbering the raw state codes follow

    @property
    def parent(self) -> str:
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class StateSpan:
    """A machine was in one state over [since, until); `until` is None for the present one."""

    equipment: str
    state: EquipmentState
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """A counter of good or scrapped pieces moved: `delta` pieces more, the counter now shows `reading`."""

    equipment: str
    at: datetime
    good: bool
    delta: int
    reading: int


def within(path: str, scope: str) -> bool:
    """True when the node `path` is `scope` or lies below it."""
    return path == scope or path.startswith(scope + "/")
