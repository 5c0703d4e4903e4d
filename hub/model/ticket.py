"""The maintenance ticket that follows an alarm into the ERP and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TicketState(StrEnum):
    NEW = "new"  # 待发送
    SENT = "sent"  # 已派单: the ERP's id is known
    ACCEPTED = "accepted"  # 已接单
    ON_SITE = "on-site"  # 已到场
    REPAIRING = "repairing"  # 维修中
    VERIFYING = "verifying"  # 验证中: reset seen, good cycles counting
    CLOSED = "closed"  # 已关闭
    WAIT_PARTS = "wait-parts"  # 待备件
    FALSE_ALARM = "false-alarm"  # 误报
    REOPENED = "reopened"  # 重新打开


@dataclass(frozen=True, slots=True)
class MaintenanceTicket:
    """`id` (AH-20260105-0007) is our number, known before the first call to the ERP and never changed."""

    id: str
    alarm_id: int
    equipment: str
    state: TicketState
    opened_at: datetime
    stopped_at: datetime  # when the condition began (source time): downtime counts from here
    erp_id: str = ""
    erp_number: str = ""
    technician: str = ""  # person id
    accepted_at: datetime | None = None
    arrived_at: datetime | None = None
    repaired_at: datetime | None = None
    reset_at: datetime | None = None  # the machine said that it runs again
    good_cycles: int = 0  # seen since the reset
    cycles_needed: int = 3
    closed_at: datetime | None = None
    cause_class: str = ""  # mechanical, electrical, tooling, material, operation, other
    cause: str = ""
    photo: str = ""  # id of the stored photo
    downtime_seconds: float | None = None  # as OEE counts it (hub.kpi.downtime); once closed

    @property
    def is_open(self) -> bool:
        return self.state not in (TicketState.CLOSED, TicketState.FALSE_ALARM)


@dataclass(frozen=True, slots=True)
class TicketLine:
    """One transition: who, when (device and server time), from which channel."""

    ticket_id: str
    at: datetime  # server time
    before: TicketState
    after: TicketState
    by: str
    channel: str  # phone, telemetry, erp, hub
    device_time: datetime | None = None
    note: str = ""
