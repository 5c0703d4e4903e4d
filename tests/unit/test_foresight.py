"""Whether what somebody saw of a rush is still so, who has to hear of it, and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from erp_bridge.foresight import foresight, minutes, still_so
from erp_bridge.rush import preview
from erp_bridge.rush_notices import Crowd, as_foreseen
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.people import Person, Role, Shift
from hub.model.production import JobOrder, JobProgress, JobState, WorkOrder
from hub.model.rush import Foresight, Rush, Terms
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import Plant

NOON = datetime(2026, 1, 5, 4, tzinfo=UTC)  # in Shanghai
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
L1, L2, L3 = (f"p1/a/l{n}" for n in (1, 2, 3))


def person(name: str, role: Role, scope: str = "p1") -> Person:
    return Person(name, Words(f"{name}先生", name.title()), frozenset({role}), (scope,))


PEOPLE = (
    person("tech", Role.TECHNICIAN), person("op1", Role.OPERATOR, L1), person("op2", Role.OPERATOR, L2),
    person("op3", Role.OPERATOR, L3), person("anna", Role.SALES), person("bert", Role.SALES, L2),
)  # fmt: skip
PLANT = Plant(
    Equipment("p1", EquipmentLevel.SITE, Words("厂", "Plant")), {}, {}, "Asia/Shanghai",
    (Shift(Words("白班", "Day"), time(0), time(0), on_duty={L1: "tech"}),),
    {p.id: p for p in PEOPLE}, dict.fromkeys((L1, L2, L3), 60),
)  # fmt: skip
CROWD = Crowd(Notices(PLANT, ("group",), "http://hub/phone"), {"Nova": "bert"})


def order(number: str, *work: tuple[str, int], due: float = 30, **more: Any) -> WorkOrder:
    jobs = tuple(
        JobOrder(number, str(10 * (i + 1)), Words("工序", "step"), line, n)
        for i, (line, n) in enumerate(work)
    )
    made = WorkOrder(number, "A", Words("甲", "A"), work[0][1], NOON + due * HOUR, customer="Acme", jobs=jobs)
    return replace(made, **more)


ORDERS = (
    order("A", (L1, 60), due=1.25), order("B", (L1, 60), (L2, 10), due=9, customer="Nova"),
    order("C", (L1, 90), due=10), order("F", (L3, 30), due=5),
)  # fmt: skip


def seen(
    orders: tuple[WorkOrder, ...] = ORDERS, number: str = "C", progress: tuple[JobProgress, ...] = (),
    now: datetime = NOON,
) -> Foresight:  # fmt: skip
    found = preview(number, orders, progress, PLANT, PLANT.targets, now)
    return foresight(found, orders, progress, CROWD.sellers_of, now)


def but(number: str, **changes: Any) -> tuple[WorkOrder, ...]:
    return tuple(replace(o, **changes) if o.number == number else o for o in ORDERS)


# ------------------------------------------------------------------ is it still so?
def test_nothing_that_matters_has_changed() -> None:
    before = seen().digest
    assert still_so(before, seen(now=NOON + 3 * MINUTE).digest)
    assert still_so(before, seen((*ORDERS, order("G", (L3, 9), due=40))).digest), "on another line"
    done = JobProgress(ORDERS[3].jobs[0], 30, 0, JobState.DONE, NOON, NOON)
    assert still_so(before, seen(progress=(done,)).digest), "another line's order ended"
    assert still_so(before, seen(but("C", jobs=order("C", (L1, 93)).jobs)).digest), "a few pieces"


def test_an_order_that_is_late_anyhow_by_now_is_no_longer_the_same_choice() -> None:
    assert not still_so(seen().digest, seen(now=NOON + 20 * MINUTE).digest)


@pytest.mark.parametrize(
    "now",
    [
        but("A", due_at=NOON + 5 * HOUR),  # it would not become late any more
        but("B", priority=2),
        but("F", rush=True),  # another rush order is in the house
        (*ORDERS, order("D", (L1, 30), due=8)),  # one more loses
        but("C", jobs=order("C", (L1, 200)).jobs),  # the same lose, but far more
        but("C", due_at=NOON + 11 * HOUR),
    ],
    ids=["late", "turn", "rush", "loser", "more", "date"],
)  # fmt: skip
def test_what_people_decide_on_has_changed(now: tuple[WorkOrder, ...]) -> None:
    assert not still_so(seen().digest, seen(now).digest)


@pytest.mark.parametrize("digest", ["", "seen", "a.b.c", "x.1.2.3", "..", "x." * 40])
def test_what_is_no_digest_is_never_still_so(digest: str) -> None:
    fresh = seen().digest
    assert not still_so(digest, fresh)
    assert not still_so(f"{fresh.partition('.')[0]}.a.b", fresh)


def test_minutes_are_whole_and_a_little_late_is_late() -> None:
    assert minutes(timedelta(seconds=20)) == 1
    assert minutes(timedelta(seconds=100)) == 2
    assert minutes(-timedelta(seconds=100)) == -2
    assert minutes(None) is None


# ------------------------------------------------------------------ who hears of it
def test_the_floor_is_who_works_on_the_lines_concerned_and_sales_who_knows_the_customers() -> None:
    assert CROWD.audience(seen()) == {"floor": ["tech", "op1", "op2"], "sales": ["anna", "bert"]}
    alone = CROWD.audience(seen(ORDERS[3:], "F"))
    assert alone == {"floor": ["op3"], "sales": ["anna"]}, "nobody of other lines is bothered"


def test_a_step_that_is_done_concerns_its_line_no_more() -> None:
    b = ORDERS[1]
    done = JobProgress(b.jobs[0], 60, 0, JobState.DONE, NOON, NOON)
    found = seen((b,), "B", (done,))
    assert found.winner.lines == (L2,)
    assert CROWD.audience(found)["floor"] == ["op2"]


# ------------------------------------------------------------------ in which words
def made(sight: Foresight, **more: Any) -> Rush:
    before = Terms(5, False, NOON + 10 * HOUR)
    return Rush(
        sight.winner.order, "op1", NOON, NOON + 10 * MINUTE, before, sight.terms, "催货", "",
        as_foreseen(sight),
        CROWD.audience(sight), id=7, **more,
    )  # fmt: skip


def test_the_message_names_each_loser_by_how_much_whose_it_is_and_until_when_it_can_be_undone() -> None:
    floor, sales = CROWD.made(made(seen()))
    assert (floor.key, sales.key) == ("notice:rush:7:made:floor:group", "notice:rush:7:made:sales:group")
    assert floor.payload["title"]["zh"] == "工单 C 插单，提前 2 小时；2 张工单推迟，1 张将误期"
    assert floor.payload["link"] == "http://hub/phone#o=C"
    told = {line["label"]["en"]: line["text"] for line in sales.payload["lines"]}
    assert told["A"]["zh"] == "Acme · 晚 1 小时 30 分钟 · 预计 01-05 14:30 · 超交期 1 小时 15 分钟 · anna先生"
    assert told["B"]["en"] == "Nova · 1 h 30 min later · expected 01-05 15:40 · Bert"
    assert told["By"]["en"] == "Op1"
    assert told["Reason"]["zh"] == "催货"
    assert told["Can be undone until"]["zh"] == "01-05 12:10"
    assert [p["id"] for p in sales.payload["people"]] == ["anna", "bert"]


def test_many_losers_are_summed_up() -> None:
    crowd = (*ORDERS, *(order(f"X{n}", (L1, 30), due=20 + n) for n in range(9)))
    [floor, _] = CROWD.made(made(seen(crowd, "X8")))
    rows = [line["label"]["en"] for line in floor.payload["lines"]]
    assert rows[8:] == ["And", "Reason", "By", "Can be undone until"]
    assert floor.payload["lines"][8]["text"]["en"] == "3 more orders later"


def test_who_gains_nothing_and_harms_nobody_is_told_so() -> None:
    [floor, _] = CROWD.made(made(seen(ORDERS[3:], "F")))
    assert floor.payload["title"]["en"] == "Order F is a rush order; no other order is later"


def test_an_undoing_that_the_erp_refuses_is_told_as_such() -> None:
    gone = made(seen(), undone_at=NOON, undone_by="op2")
    [undone, _] = CROWD.undone(gone)
    assert undone.payload["lines"][0]["text"]["en"] == "Op2"
    [refused, _] = CROWD.refused(gone, "locked")
    assert refused.key == "notice:rush:7:undo-refused:floor:group"
    assert refused.payload["title"]["en"] == "The ERP refused to undo the rush of C"
    assert {key for *_, key in CROWD.keys(gone)} >= {undone.key, refused.key}
