"""Why machines stood: the reasons a plant knows, and what people said of which time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.model.equipment import Equipment, within
from hub.model.words import Words


class StopGroup(StrEnum):
    """What kind of loss a reason is; reports add up by it."""

    BREAKDOWN = "breakdown"  # 设备故障
    CHANGEOVER = "changeover"  # 换型
    MATERIAL = "material"  # 物料
    QUALITY = "quality"  # 质量
    ORGANISATION = "organisation"  # 人员与组织
    PLANNED = "planned"  # 计划内
    UNPLANNED = "unplanned"  # 其他非计划


@dataclass(frozen=True, slots=True)
class StopReason:
    """`classes`, `places`: of which machines it may be said; none named: of all."""

    code: str
    name: Words
    group: StopGroup
    classes: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    def fits(self, machine: Equipment) -> bool:
        return (not self.classes or machine.kind in self.classes) and (
            not self.places or any(within(machine.path, place) for place in self.places)
        )


@dataclass(frozen=True, slots=True)
class ReasonAfter:
    """At this place, of this class of machine ("": any), a stop needs a reason after so long."""

    after: timedelta
    place: str = ""
    kind: str = ""

    def fits(self, machine: Equipment) -> bool:
        return (not self.place or within(machine.path, self.place)) and self.kind in ("", machine.kind)


def _reason(code: str, zh: str, en: str, group: StopGroup) -> StopReason:
    return StopReason(code, Words(zh, en), group)


USUAL = (
    _reason("mechanical", "机械故障", "Mechanical fault", StopGroup.BREAKDOWN),
    _reason("electrical", "电气故障", "Electrical fault", StopGroup.BREAKDOWN),
    _reason("tooling", "模具/刀具", "Tool or die", StopGroup.BREAKDOWN),
    _reason("jam", "卡料", "Jam", StopGroup.BREAKDOWN),
    _reason("changeover", "换型", "Changeover", StopGroup.CHANGEOVER),
    _reason("adjustment", "调试", "Adjustment", StopGroup.CHANGEOVER),
    _reason("no-material", "缺料", "No material", StopGroup.MATERIAL),
    _reason("wrong-material", "来料不良", "Bad material", StopGroup.MATERIAL),
    _reason("downstream-full", "下工序堵料", "Next step is full", StopGroup.MATERIAL),
    _reason("inspection", "等待检验", "Waiting for inspection", StopGroup.QUALITY),
    _reason("defects", "质量异常", "Defects", StopGroup.QUALITY),
    _reason("no-operator", "缺人", "Nobody at the machine", StopGroup.ORGANISATION),
    _reason("no-order", "无工单", "No order", StopGroup.ORGANISATION),
    _reason("cleaning", "清洁/点检", "Cleaning, daily check", StopGroup.PLANNED),
    _reason("maintenance", "计划保养", "Planned maintenance", StopGroup.PLANNED),
    _reason("meeting", "会议/培训", "Meeting, training", StopGroup.PLANNED),
    _reason("other", "其他", "Other", StopGroup.UNPLANNED),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StopRules:
    """The plant's catalogue, and after how long a stop needs one of its reasons."""

    reasons: tuple[StopReason, ...] = USUAL
    reason_after: timedelta = timedelta(minutes=5)
    elsewhere: tuple[ReasonAfter, ...] = ()
    ask: bool = True  # whoever is on duty is told once of a stop that needs a reason

    def reasons_for(self, machine: Equipment) -> list[StopReason]:
        return [r for r in self.reasons if r.fits(machine)]

    def reason(self, code: str) -> StopReason | None:
        return next((r for r in self.reasons if r.code == code), None)

    def after(self, machine: Equipment) -> timedelta:
        """The deepest place that fits counts; of one place, what is said of the machine's class."""
        fitting = [o for o in self.elsewhere if o.fits(machine)]
        best = max(fitting, key=lambda o: (len(o.place), bool(o.kind)), default=None)
        return best.after if best else self.reason_after


@dataclass(frozen=True, slots=True)
class StopPart:
    """What somebody said of [since, until). `reason` "": this part has none (yet).

    `opens`, `closes`: its edge is the stop's own, wherever late data puts that; else somebody has cut there.
    """

    equipment: str
    since: datetime
    until: datetime
    reason: str
    note: str
    by: str
    at: datetime
    opens: bool
    closes: bool
    id: int = 0


@dataclass(frozen=True, slots=True)
class OldPart:
    """One line of the history: a part, and who has replaced it when (None: it holds)."""

    part: StopPart
    replaced_at: datetime | None
    replaced_by: str


def newest(parts: Sequence[StopPart]) -> int:
    """The version of what was said: rises with every change; 0 while nobody has said anything."""
    return max((p.id for p in parts), default=0)
