"""What a source of an MES has to know of the house that it tells."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from hub.model.intake import Fault
from hub.model.production import JobResponse, Posting, WorkOrder
from hub.model.words import Words
from hub.ports import Tx


@dataclass(frozen=True, slots=True)
class House:
    """`erp`: whether there is one to be told. `peers`: the MES of the house, `places`: the paths of its
    equipment; None when they are not known."""

    erp: bool = True
    peers: Sequence[str] | None = None
    places: Container[str] | None = None

    def strange(self, thing: WorkOrder | JobResponse | Posting) -> list[tuple[str, str]]:
        """Fields of it and their values that name no equipment of the house."""
        match thing:
            case WorkOrder():
                named = [("jobs.work_center", job.work_center) for job in thing.jobs]
            case _:
                named = [("equipment", thing.equipment)]
        places = self.places
        return [] if places is None else [(f, place) for f, place in named if place and place not in places]


LACKING = {
    "order": Fault(
        "order",
        Words(
            "尚无此工单：已保留，工单到达后计入",
            "is not on record: kept, and counted once the order has come",
        ),
    ),
    "operation": Fault(
        "operation",
        Words(
            "该工单没有此工序：已保留，工单含此工序后计入",
            "is none of its order's: kept, and counted once the order has it",
        ),
    ),
}
NO_PLACE = Words("不是工厂中的设备或产线：请核对代码", "is no equipment of the plant: check the code")


async def noted(tx: Tx, thing: WorkOrder | JobResponse | Posting) -> tuple[Fault, ...]:
    """What is to be said of one that was taken."""
    if isinstance(thing, WorkOrder):
        return ()
    lacking = await tx.note_unbound(thing.order, thing.operation)
    return (LACKING[lacking],) if lacking else ()
