"""Orders that only one of two books knows: one alarm for those that the ERP lacks, one for ours. Pure.

Nobody reads them off a tag: the comparison of the books tells of them, after it has looked twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from alert_rules.lifecycle import Cleared, Event, Raised, Reannunciated
from alert_rules.rule import Rule, RuleConfig, Told
from hub.model.alarm import Alarm, AlarmState
from hub.model.words import Words
from hub.ports import Plant

KIND = "order-orphans"
DEFAULT = {"name": "erp-order-orphans", "kind": KIND}  # where an ERP is joined and no rule says otherwise


@dataclass(frozen=True, slots=True)
class _Sort:
    """As hub.model.discrepancy names it; with what it costs, and what to do first."""

    kind: str
    title: Words
    advice: Words


_SORTS = (
    _Sort(
        "order-not-in-erp",
        Words("现场在做的订单，ERP 没有", "Orders on the floor that the ERP does not have"),
        Words(
            "其报工进不了 ERP：在控制台“ERP 对账”中查看是哪些订单，由计划员在 ERP 补单或在现场停做",
            "What is reported on them never reaches the ERP: see which in the console under ERP"
            " reconciliation; the planner enters them in the ERP or has them stopped",
        ),
    ),
    _Sort(
        "order-not-here",
        Words("ERP 已下达的订单，现场没有", "Orders released in the ERP that the floor does not have"),
        Words(
            "它们不会被生产：在控制台“ERP 对账”中查看是哪些订单，采用 ERP 的订单或在 ERP 撤回",
            "Nobody makes them: see which in the console under ERP reconciliation; take them as the ERP has"
            " them, or withdraw them there",
        ),
    ),
)


class OrderOrphans(RuleConfig):
    """Alarm while there are orders that only one of the two books knows. `equipment` of it is the site."""

    def expand(self, plant: Plant, where: str) -> list[Rule]:
        site = plant.site.path
        return [
            Rule(
                self.name, f"{site}#{sort.kind}", site, Told(sort.kind), self.rank,
                self.title.words() if self.title else sort.title,
                ticket=False, tell=self.tell, instruction=self.advice or sort.advice,
            )
            for sort in _SORTS
        ]  # fmt: skip


def event(known: Alarm | None, orders: Mapping[str, datetime], now: datetime) -> Event:
    """`orders`: number -> first seen. One that came after the others were acknowledged sounds again."""
    if not orders:
        return Cleared(now, 0.0)
    acked_at = known.acked_at if known is not None and known.state is AlarmState.ACKED else None
    if known is not None and known.condition and acked_at and max(orders.values()) > acked_at:
        return Reannunciated(now)
    return Raised(now, float(len(orders)))
