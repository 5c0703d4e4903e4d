"""What is on the board, and what is cut off it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.kpi.progress import Outlook
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.equipment import Equipment, EquipmentLevel, EquipmentState, StateSpan, within
from hub.model.people import Person, Role, Shift
from hub.model.production import JobOrder, JobProgress, JobState, OrderChange, WorkOrder, WorkOrderState
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.model.words import Words
from hub.ports import Plant
from hub.testing.clock import NOON
from screens.board import Facts, build
from screens.cut import cut, visible_machines
from screens.merge import Json, apply, patch

MINUTE = timedelta(minutes=1)
PRESS, MILL = "p1/a1/l1/m1", "p1/a1/l2/m1"


def plant(areas: int = 2, lines: int = 2, machines: int = 2) -> Plant:
    """Every name holds its node's path, so that a leak can be seen in any text."""
    nodes = {"p1": Equipment("p1", EquipmentLevel.SITE, Words("厂", "plant"))}

    def add(path: str, level: EquipmentLevel) -> None:
        nodes[path] = Equipment(path, level, Words(f"机 {path}", f"node {path}"), kind="press")

    for a in range(1, areas + 1):
        add(f"p1/a{a}", EquipmentLevel.AREA)
        for n in range(1, lines + 1):
            add(f"p1/a{a}/l{n}", EquipmentLevel.WORK_CENTER)
            for m in range(1, machines + 1):
                add(f"p1/a{a}/l{n}/m{m}", EquipmentLevel.WORK_UNIT)
    people = {n: Person(n, Words(f"{n}工", n), frozenset({Role.TECHNICIAN}), ("p1",)) for n in ("li", "wang")}
    shift = Shift(Words("白班", "Day"), time(8), time(20), on_duty={"p1": "li"})
    return Plant(nodes["p1"], nodes, {}, "UTC", (shift,), people, {})


PLANT = plant()


def alarm(
    number: int = 1,
    equipment: str = PRESS,
    priority: Priority = Priority.HIGH,
    state: AlarmState = AlarmState.UNACKED,
) -> Alarm:
    return Alarm(
        "oil-hot",
        f"{equipment}/oil_temp",
        equipment,
        priority,
        Words(f"油温高 {equipment}", f"oil hot {equipment}"),
        state,
        number,
        condition=True,
        value=92.4,
        limit=80.0,
        unit="℃",
        raised_at=NOON,
        opened_at=NOON,
        count=1,
    )


def ticket(number: int = 1, equipment: str = PRESS, technician: str = "") -> MaintenanceTicket:
    return MaintenanceTicket(
        f"AH-20260105-{number:04d}", number, equipment, TicketState.SENT, NOON, NOON, technician=technician
    )


def order(number: str = "MO1", *lines: str) -> WorkOrder:
    jobs = tuple(
        JobOrder(number, str(10 * (i + 1)), Words(f"工序 {line}", f"step at {line}"), line, 100)
        for i, line in enumerate(lines or ("p1/a1/l1",))
    )
    return WorkOrder(number, "A", Words("甲", "A"), 100, NOON + timedelta(hours=2), customer="C", jobs=jobs)


def shown(facts: Facts, *scopes: str, now: datetime = NOON) -> Json:
    return cut(build(PLANT, facts, now), scopes or ("p1",))


# ------------------------------------------------------------------ what is on it
def test_a_plant_nobody_has_heard_of_is_unknown_and_not_calm() -> None:
    board = shown(Facts())
    assert {m["state"] for m in board["machines"].values()} == {"unknown"}
    assert "last_calm_since" not in board
    assert board["machines"][PRESS] == {
        "path": PRESS,
        "name": {"zh": f"机 {PRESS}", "en": f"node {PRESS}"},
        "class": "press",
        "line": "p1/a1/l1",
        "state": "unknown",
        "good": 0,
        "scrap": 0,
    }


def test_lines_and_machines_stand_in_the_order_of_the_file() -> None:
    assert [
        (area["path"], line["path"], line["machines"])
        for area in shown(Facts())["areas"]
        for line in area["lines"]
    ] == [
        ("p1/a1", "p1/a1/l1", ["p1/a1/l1/m1", "p1/a1/l1/m2"]),
        ("p1/a1", "p1/a1/l2", ["p1/a1/l2/m1", "p1/a1/l2/m2"]),
        ("p1/a2", "p1/a2/l1", ["p1/a2/l1/m1", "p1/a2/l1/m2"]),
        ("p1/a2", "p1/a2/l2", ["p1/a2/l2/m1", "p1/a2/l2/m2"]),
    ]


def test_a_machine_shows_its_state_since_when_and_what_it_made() -> None:
    span = StateSpan(PRESS, EquipmentState.FAULT, NOON - MINUTE)
    machine = shown(Facts(states={PRESS: span}, made={PRESS: (40, 2)}))["machines"][PRESS]
    assert (machine["state"], machine["since"]) == ("fault", "2026-01-05T11:59:00Z")
    assert (machine["good"], machine["scrap"]) == (40, 2)


def test_a_machine_whose_source_is_lost_is_unknown_since_then_whatever_the_record_still_says() -> None:
    span = StateSpan(PRESS, EquipmentState.EXECUTING, NOON)
    lost = {"plc": {"up": False, "since": NOON + MINUTE}, "meter": {"up": True}}
    told = Facts(states={PRESS: span}, health={"sources": lost}, tellers={"plc": frozenset({PRESS})})
    machine = shown(told)["machines"][PRESS]
    assert (machine["state"], machine["since"]) == ("unknown", "2026-01-05T12:01:00Z")
    for still in (
        replace(told, tellers={"meter": frozenset({PRESS}), "plc": frozenset({MILL})}),
        replace(told, tellers={"meter": frozenset({PRESS}), "plc": frozenset({PRESS})}),  # told by both
        replace(told, health={"sources": {"plc": {"up": True}}}),
    ):
        assert shown(still)["machines"][PRESS]["state"] == "executing"
    known = replace(told, states={PRESS: replace(span, state=EquipmentState.UNKNOWN)})
    assert shown(known)["machines"][PRESS]["since"] == "2026-01-05T12:00:00Z"


def test_a_machine_carries_its_worst_alarm_that_nobody_put_aside() -> None:
    alarms = [
        alarm(1, priority=Priority.LOW),
        alarm(2, priority=Priority.HIGH, state=AlarmState.ACKED),
        alarm(3, priority=Priority.CRITICAL, state=AlarmState.SHELVED),
    ]
    assert shown(Facts(alarms=alarms))["machines"][PRESS]["alarm"] == "high"
    assert "alarm" not in shown(Facts(alarms=alarms[2:]))["machines"][PRESS]


def test_what_is_wrong_now_stands_before_what_is_over_however_urgent_that_was() -> None:
    over = replace(alarm(1, priority=Priority.CRITICAL, state=AlarmState.RTN_UNACKED), condition=False)
    wrong = alarm(2, priority=Priority.LOW, state=AlarmState.ACKED)
    for alarms in ([over, wrong], [wrong, over]):
        assert shown(Facts(alarms=alarms))["machines"][PRESS]["alarm"] == "low"
    assert shown(Facts(alarms=[over]))["machines"][PRESS]["alarm"] == "critical"


def test_what_is_put_aside_says_who_why_and_until_when() -> None:
    shelved = replace(
        alarm(state=AlarmState.SHELVED), aside_by="li", aside_at=NOON, aside_reason="sensor",
        shelved_until=NOON + MINUTE,
    )  # fmt: skip
    assert shown(Facts(alarms=[shelved]))["alarms"]["1"]["aside"] == {
        "by": {"id": "li", "name": {"zh": "li工", "en": "li"}},
        "at": "2026-01-05T12:00:00Z", "until": "2026-01-05T12:01:00Z",
        "reason": {"zh": "sensor", "en": "sensor"},
    }  # fmt: skip
    off = replace(
        alarm(state=AlarmState.SUPPRESSED), aside_at=NOON, suppressed=Words("停机", "off"), latched=True
    )
    told = shown(Facts(alarms=[off]))["alarms"]["1"]
    assert told["aside"] == {"at": "2026-01-05T12:00:00Z", "reason": {"zh": "停机", "en": "off"}}
    assert told["latched"] is True


def test_an_alarm_is_told_with_everything_the_wall_says() -> None:
    told = shown(Facts(alarms=[alarm()]))["alarms"]["1"]
    assert told == {
        "id": 1,
        "rule": "oil-hot",
        "subject": f"{PRESS}/oil_temp",
        "equipment": PRESS,
        "where": {"zh": f"机 p1/a1/l1 机 {PRESS}", "en": f"node p1/a1/l1 node {PRESS}"},
        "title": {"zh": f"油温高 {PRESS}", "en": f"oil hot {PRESS}"},
        "priority": "high",
        "state": "unacked",
        "condition": True,
        "blind": False,
        "value": 92.4,
        "limit": 80.0,
        "unit": "℃",
        "raised_at": "2026-01-05T12:00:00Z",
        "opened_at": "2026-01-05T12:00:00Z",
        "owner": {"id": "li", "name": {"zh": "li工", "en": "li"}},
        "count": 1,
    }


@pytest.mark.parametrize(
    ("found", "owner"),
    [
        (Facts(alarms=[alarm()]), "li"),  # on duty
        (Facts(alarms=[replace(alarm(), acked_by="wang")]), "wang"),
        (Facts(alarms=[replace(alarm(), acked_by="wang")], tickets=[ticket(technician="zhao")]), "zhao"),
    ],
)
def test_who_accepted_owns_it_else_who_acknowledged_else_who_is_on_duty(found: Facts, owner: str) -> None:
    assert shown(found)["alarms"]["1"]["owner"]["id"] == owner


def test_nobody_owns_an_alarm_between_shifts() -> None:
    board = shown(Facts(alarms=[alarm()]), now=NOON + timedelta(hours=9))
    assert "owner" not in board["alarms"]["1"]
    assert "shift" not in board


def test_an_alarm_and_its_ticket_name_one_another() -> None:
    board = shown(Facts(alarms=[alarm()], tickets=[ticket()]))
    assert board["alarms"]["1"]["ticket"] == "AH-20260105-0001"
    told = board["tickets"]["AH-20260105-0001"]
    assert (told["alarm_id"], told["title"]["en"]) == (1, f"oil hot {PRESS}")


def test_a_ticket_keeps_its_title_after_the_alarm_has_ended() -> None:
    ended = replace(alarm(), state=AlarmState.NORMAL)
    board = shown(Facts(ended=[ended], tickets=[ticket()]))
    assert board["tickets"]["AH-20260105-0001"]["title"]["en"] == f"oil hot {PRESS}"


def test_calm_since_is_the_end_of_the_last_alarm_and_absent_while_one_is_open() -> None:
    ended = [
        replace(alarm(n), state=AlarmState.NORMAL, cleared_at=NOON + c * MINUTE, acked_at=NOON + a * MINUTE)
        for n, c, a in ((1, 3, 1), (2, 2, 4))
    ]
    assert shown(Facts(ended=ended))["last_calm_since"] == "2026-01-05T12:04:00Z"
    assert "last_calm_since" not in shown(Facts(ended=ended, alarms=[alarm(3)]))
    aside = alarm(3, state=AlarmState.SHELVED)
    assert "last_calm_since" in shown(Facts(ended=ended, alarms=[aside]))


def test_an_order_shows_each_operation_and_how_late_it_will_be_in_whole_minutes() -> None:
    one = order("MO1", "p1/a1/l1", "p1/a2/l1")
    done = JobProgress(one.jobs[0], 60, 3, JobState.RUNNING, NOON, NOON)
    outlook = Outlook(NOON, timedelta(minutes=7, seconds=31))
    told = shown(Facts(orders=[one], progress=[done], outlooks={"MO1": outlook}))["orders"]["MO1"]
    assert told["late_by"] == 420
    assert [(o["operation"], o["good"], o["scrap"], o["state"]) for o in told["operations"]] == [
        ("10", 60, 3, "running"),
        ("20", 0, 0, "waiting"),
    ]
    assert "late_by" not in shown(Facts(orders=[one], outlooks={"MO1": Outlook(NOON, None)}))["orders"]["MO1"]


def test_the_shift_that_runs_is_named() -> None:
    assert shown(Facts())["shift"] == {
        "name": {"zh": "白班", "en": "Day"},
        "start": "2026-01-05T08:00:00Z",
        "end": "2026-01-05T20:00:00Z",
    }


# ------------------------------------------------------------------ what is cut off
HEALTH = {
    "sources": {f"plc-{n}": {"up": True, "since": NOON} for n in (1, 2, 3)},
    "outbox_oldest": 3.7,
    "parts_down": ["collector plc-1", "collector plc-2", "bridge"],
}


def crowded() -> Facts:
    machines = [m.path for m in PLANT.machines()]
    return Facts(
        alarms=[alarm(i, m) for i, m in enumerate(machines[::2], 1)],
        ended=[
            replace(alarm(i, m), state=AlarmState.NORMAL, cleared_at=NOON + i * MINUTE)
            for i, m in enumerate(machines, 100)
        ],
        tickets=[ticket(i, m) for i, m in enumerate(machines, 1)],
        states={m: StateSpan(m, EquipmentState.EXECUTING, NOON) for m in machines},
        orders=[order("MO1", "p1/a1/l1", "p1/a2/l2"), order("MO2", "p1/a1/l2"), order("MO3", "p1/a2/l1")],
        lines={f"p1/a{a}/l{n}": {"good": 10 * a + n} for a in (1, 2) for n in (1, 2)},
        health=HEALTH,
        feeds={f"plc-{i}": frozenset({m}) for i, m in enumerate(machines, 1)},
    )


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def nodes_named(board: Json) -> set[str]:
    return {path for text in texts(board) for path in re.findall(r"p1(?:/[a-z]\d+)*", text)}


scope_sets = st.lists(st.sampled_from([*PLANT.equipment, "p2", ""]), max_size=3)


@settings(deadline=None)
@given(scope_sets)
def test_a_cut_names_no_node_outside_the_scopes_but_those_above_them(scopes: list[str]) -> None:
    board = cut(build(PLANT, crowded(), NOON), scopes)
    for path in nodes_named(board):
        assert path == "p1" or any(within(path, s) or within(s, path) for s in scopes), path
    for section in ("machines", "lines"):
        assert all(any(within(p, s) for s in scopes) for p in board[section])
    assert all(any(within(a["equipment"], s) for s in scopes) for a in board["alarms"].values())


@settings(deadline=None)
@given(scope_sets, scope_sets)
def test_a_patch_between_two_cuts_tells_no_more_than_the_cuts(before: list[str], scopes: list[str]) -> None:
    old, new = cut(build(PLANT, Facts(), NOON), scopes), cut(build(PLANT, crowded(), NOON), scopes)
    change = patch(old, new)
    assert apply(change, old) == new
    assert nodes_named(change) <= nodes_named(new) | nodes_named(old)


def test_the_whole_plant_is_not_cut() -> None:
    board = build(PLANT, crowded(), NOON)
    assert {k: v for k, v in cut(board, ("p1",)).items() if k != "last_calm_since"} == board.sections


def test_a_line_leader_sees_their_line_and_calm_when_only_others_are_in_trouble() -> None:
    facts = Facts(
        alarms=[alarm(1, MILL)],
        ended=[replace(alarm(2, PRESS), state=AlarmState.NORMAL, cleared_at=NOON)],
        tickets=[ticket(1, MILL)],
    )
    board = shown(facts, "p1/a1/l1")
    assert list(board["machines"]) == ["p1/a1/l1/m1", "p1/a1/l1/m2"]
    assert (board["alarms"], board["tickets"]) == ({}, {})
    assert board["last_calm_since"] == "2026-01-05T12:00:00Z"
    assert "last_calm_since" not in shown(facts, MILL)


def test_the_end_of_somebody_elses_alarm_is_not_told() -> None:
    ended = [replace(alarm(1, MILL), state=AlarmState.NORMAL, cleared_at=NOON)]
    assert "last_calm_since" not in shown(Facts(ended=ended), "p1/a1/l1")
    assert "last_calm_since" in shown(Facts(ended=ended), "p1/a1")


def test_orders_are_those_that_touch_the_scope_with_the_operations_that_do() -> None:
    board = shown(crowded(), "p1/a1/l1/m2")
    assert list(board["orders"]) == ["MO1"]
    assert [o["work_center"] for o in board["orders"]["MO1"]["operations"]] == ["p1/a1/l1"]


def test_a_change_of_an_order_that_names_no_operation_concerns_everybody() -> None:
    bare = replace(order("MO9"), jobs=())
    change = OrderChange("MO9", {"quantity": (100, 80)}, NOON, id=3)
    assert "MO9" in shown(Facts(orders=[bare], changes=[change]), "p1/a2/l1")["orders"]
    assert "MO9" not in shown(Facts(orders=[bare]), "p1/a2/l1")["orders"]


def test_sources_and_parts_of_others_are_left_out() -> None:
    health = shown(crowded(), "p1/a1/l1/m1")["health"]
    assert list(health["sources"]) == ["plc-1"]
    assert health["parts_down"] == ["bridge", "collector plc-1"]
    assert shown(crowded())["health"]["parts_down"] == ["bridge", "collector plc-1", "collector plc-2"]


def test_a_lost_source_is_listed_where_its_machines_are_and_names_no_other() -> None:
    everywhere = {m.path for m in PLANT.machines()}
    lost = {"up": False, "since": NOON}
    facts = Facts(
        health={"sources": {"gate": lost, "gate-2": lost}, "parts_down": ["collector gate-2"]},
        feeds={"gate": frozenset({"p1/a2/l1/m1"}), "gate-2": frozenset(everywhere)},
    )
    health = shown(facts, "p1/a1/l1")["health"]
    [(name, source)] = health["sources"].items()
    assert name == "gate-2" and not source["up"]
    assert source["machines"] == sorted(m for m in everywhere if m.startswith("p1/a1/l1/"))
    assert health["parts_down"] == ["collector gate-2"], "it is no part of the other one's"
    assert set(shown(facts, "p1/a2/l1")["health"]["sources"]) == {"gate", "gate-2"}


def test_an_alarm_that_belongs_to_no_machine_is_for_those_who_see_the_whole_plant() -> None:
    facts = Facts(alarms=[alarm(1, "")])
    assert list(shown(facts)["alarms"]) == ["1"]
    assert shown(facts, "p1/a1", "p1/a2")["alarms"] == {}


def test_visible_machines_are_all_for_the_whole_plant_and_none_without_a_scope() -> None:
    assert visible_machines(PLANT, ("p1/a1", "p1")) is None
    assert visible_machines(PLANT, ("p1/a1/l2",)) == frozenset({"p1/a1/l2/m1", "p1/a1/l2/m2"})
    assert visible_machines(PLANT, ()) == frozenset()


def test_the_board_is_json_without_nulls() -> None:
    def nulls(node: Any) -> bool:
        if isinstance(node, dict):
            return any(v is None or nulls(v) for v in node.values())
        return isinstance(node, list) and any(v is None or nulls(v) for v in node)

    board = shown(crowded())
    assert not nulls(board)
    assert orjson.loads(orjson.dumps(board)) == board


# ------------------------------------------------------------------ what the office has decided
def order_in(state: WorkOrderState, good: int = 0, change: OrderChange | None = None) -> Any:
    """The order as the board shows it, None when it does not."""
    job = JobOrder("MO1", "10", Words("冲压", "Stamp"), "p1/a/l1", 100)
    order = WorkOrder("MO1", "A100", Words("油泵", "Pump"), 100, NOON, jobs=(job,), state=state)
    progress = [JobProgress(job, good, 0, JobState.RUNNING if good else JobState.WAITING, None, None)]
    facts = Facts(orders=[order], progress=progress, changes=[change] if change else [])
    return build(PLANT, facts, NOON).sections["orders"].get("MO1")


def test_a_cancelled_order_leaves_the_board_once_the_floor_has_confirmed() -> None:
    assert order_in(WorkOrderState.CANCELLED) is None
    change = OrderChange("MO1", {"state": ("released", "cancelled")}, NOON, id=7)
    shown = order_in(WorkOrderState.CANCELLED, change=change)
    assert shown["state"] == "cancelled"
    assert shown["change"] == {
        "id": 7, "at": NOON.isoformat(), "escalated": False,
        "changed": {"state": {"before": "released", "after": "cancelled"}},
    }  # fmt: skip


def test_an_order_that_is_only_planned_is_not_shown_one_that_was_begun_and_is_held_is() -> None:
    assert order_in(WorkOrderState.HELD) is None
    assert order_in(WorkOrderState.HELD, good=3)["state"] == "held"
    assert "state" not in order_in(WorkOrderState.RELEASED)
