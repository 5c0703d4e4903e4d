"""Who has to hear of a rush order, and what they are told: floor and sales, of winner and losers (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.kpi.calendar import on_duty
from hub.kpi.sellers import seller_of
from hub.model.alarm import Priority
from hub.model.intent import Intent
from hub.model.people import Person, Role
from hub.model.production import WorkOrder
from hub.model.rush import Foresight, Rush, Slip
from hub.model.words import Words
from hub.notices import Notices

MOST = 8  # losers that one message names; the phone shows the others
AUDIENCES = {"floor": Words("车间", "Floor"), "sales": Words("销售", "Sales")}


@dataclass(frozen=True, slots=True)
class Crowd:
    """The seller of an order is whom the ERP's sales order names; else whom `sellers` (customer -> person id)
    does; else everybody of sales who sees the order."""

    notices: Notices
    sellers: Mapping[str, str] = field(default_factory=dict)

    def sellers_of(self, order: WorkOrder) -> tuple[str, ...]:
        people = self.notices.plant.people
        if named := seller_of(order.seller, order.customer, people, self.sellers):
            return (named,)
        lines = {job.work_center for job in order.jobs}
        sales = self.notices.holders([Role.SALES])
        return tuple(p.id for p in sales if any(p.may_see(line) for line in lines))

    def audience(self, sight: Foresight) -> dict[str, list[str]]:
        """The floor: who is on duty on the lines concerned, and their operators."""
        slips = (sight.winner, *sight.losers)
        lines = dict.fromkeys(line for slip in slips for line in slip.lines)
        floor = [p.id for line in lines for p in self._of(line, sight.at)]
        sales = [seller for slip in slips for seller in slip.sellers]
        return {"floor": list(dict.fromkeys(floor)), "sales": list(dict.fromkeys(sales))}

    def _of(self, line: str, at: datetime) -> list[Person]:
        duty = on_duty(self.notices.plant, line, at)
        return [*([duty] if duty else []), *self.notices.holders([Role.OPERATOR], line)]

    # -------------------------------------------------------------- what is said
    def made(self, rush: Rush) -> list[Intent]:
        slips = _slips(rush)
        gain, n = rush.foreseen.get("gain"), len(slips)
        late = sum(bool(s.get("becomes_late")) for s in slips)
        title = Words(
            f"工单 {rush.order} 插单" + (f"，提前 {_zh(gain)}" if gain else "")
            + (f"；{n} 张工单推迟" if n else "；不影响其他工单") + (f"，{late} 张将误期" if late else ""),
            f"Order {rush.order} is a rush order" + (f", {_en(gain)} earlier" if gain else "")
            + (f"; {n} {_orders(n)} later" if n else "; no other order is later")
            + (f", {late} of them late" if late else ""),
        )  # fmt: skip
        until = self._clock(rush.until)
        return self._tell(rush, "made", title, (
            *(self._line(s) for s in slips[:MOST]),
            *_more(len(slips) - MOST),
            *_reason(rush.reason),
            (Words("插单人", "By"), self._name(rush.by)),
            (Words("可撤销至", "Can be undone until"), Words(until, until)),
        ))  # fmt: skip

    def undone(self, rush: Rush) -> list[Intent]:
        title = Words(
            f"工单 {rush.order} 插单已撤销，恢复原顺序", f"The rush of order {rush.order} is undone"
        )
        return self._tell(rush, "undone", title, [(Words("撤销人", "By"), self._name(rush.undone_by))])

    def refused(self, rush: Rush, reason: str) -> list[Intent]:
        """The ERP has not taken it: the order is again what the ERP says."""
        if rush.undone_at:
            title = Words(
                f"ERP 拒绝撤销工单 {rush.order} 的插单", f"The ERP refused to undo the rush of {rush.order}"
            )
            return self._tell(rush, "undo-refused", title, [(Words("原因", "Reason"), Words(reason, reason))])
        title = Words(f"ERP 拒绝工单 {rush.order} 插单，未生效", f"The ERP refused the rush of {rush.order}")
        return self._tell(rush, "refused", title, [(Words("原因", "Reason"), Words(reason, reason))])

    def keys(self, rush: Rush) -> list[tuple[str, str, str]]:
        """(event, audience, key) of every message there may be about this rush."""
        return [
            (event, audience, f"notice:{_key(rush, event, audience)}:{name}")
            for event in ("made", "undone", "refused", "undo-refused")
            for audience in AUDIENCES
            for name in self.notices.notifiers
        ]

    def _tell(
        self, rush: Rush, event: str, title: Words, lines: Sequence[tuple[Words, Words]]
    ) -> list[Intent]:
        """The same people each time: those who heard of it have to hear that it is over."""
        return [
            intent
            for audience, label in AUDIENCES.items()
            for intent in self.notices.about(
                _key(rush, event, audience), title, where=label, lines=lines,
                people=self._people(rush, audience), priority=Priority.HIGH,
                link=f"{self.notices.link}#o={rush.order}",
            )
        ]  # fmt: skip

    def _people(self, rush: Rush, audience: str) -> Iterable[Person]:
        known = self.notices.plant.people
        return [known[person] for person in rush.audience.get(audience, ()) if person in known]

    def _line(self, slip: Mapping[str, Any]) -> tuple[Words, Words]:
        late, end = slip.get("late_after"), slip.get("after")
        sellers = [self._name(person) for person in slip.get("sellers", ())]
        at = self._clock(datetime.fromisoformat(end)) if end else ""
        span = slip.get("minutes")
        zh = [slip["customer"], f"晚 {_zh(span)}" if span else "无法预计"] + ([f"预计 {at}"] if at else [])
        en = [slip["customer"], f"{_en(span)} later" if span else "nobody can say when"]
        en += [f"expected {at}"] if at else []
        if late:
            zh.append(f"超交期 {_zh(late)}")
            en.append(f"{_en(late)} late")
        if sellers:
            zh.append("、".join(s.zh for s in sellers))
            en.append(", ".join(s.en for s in sellers))
        order = str(slip["order"])
        return Words(order, order), Words(" · ".join(filter(None, zh)), " · ".join(filter(None, en)))

    def _name(self, person: str) -> Words:
        known = self.notices.plant.people.get(person)
        return known.name if known else Words(person, person)

    def _clock(self, at: datetime) -> str:
        return f"{at.astimezone(ZoneInfo(self.notices.plant.time_zone)):%m-%d %H:%M}"


def as_foreseen(sight: Foresight) -> dict[str, Any]:
    """As the record keeps it: what was known when the decision was taken."""
    gained = sight.winner.minutes
    return {
        "gain": -gained if gained and gained < 0 else 0,
        "losers": [_kept(slip) for slip in sight.losers],
    }


def _kept(slip: Slip) -> dict[str, Any]:
    return {
        "order": slip.order,
        "customer": slip.customer,
        "sellers": list(slip.sellers),
        "minutes": slip.minutes,
        "after": slip.after.isoformat() if slip.after else None,
        "late_after": slip.late_after,
        "becomes_late": slip.becomes_late,
        "lines": list(slip.lines),
    }


def _slips(rush: Rush) -> list[dict[str, Any]]:
    return list(rush.foreseen.get("losers", ()))


def _key(rush: Rush, event: str, audience: str) -> str:
    return f"rush:{rush.id}:{event}:{audience}"


def _more(n: int) -> list[tuple[Words, Words]]:
    return [(Words("其余", "And"), Words(f"{n} 张工单推迟", f"{n} more {_orders(n)} later"))] if n > 0 else []


def _reason(reason: str) -> list[tuple[Words, Words]]:
    return [(Words("原因", "Reason"), Words(reason, reason))] if reason else []


def _orders(n: int) -> str:
    return "order" if n == 1 else "orders"


def _zh(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    days, left = divmod(hours, 24)
    if days:
        return f"{days} 天" + (f" {left} 小时" if left else "")
    return " ".join(filter(None, [f"{hours} 小时" if hours else "", f"{rest} 分钟" if rest else ""]))


def _en(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    days, left = divmod(hours, 24)
    if days:
        return f"{days} d" + (f" {left} h" if left else "")
    return " ".join(filter(None, [f"{hours} h" if hours else "", f"{rest} min" if rest else ""]))
