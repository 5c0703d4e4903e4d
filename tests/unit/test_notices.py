"""What is no alarm is told as what it is: its own lines, its own people, and never as one alarm more."""

from __future__ import annotations

from datetime import UTC, datetime

from hub.model.alarm import Priority
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.intent import Intent
from hub.model.people import Person, Role
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import Plant
from notifiers.facts import read
from notifiers.wording import digest, message

NOON = datetime(2026, 1, 5, 4, tzinfo=UTC)
ANNA = Person("anna", Words("安娜", "Anna"), frozenset({Role.SALES}), ("p1",), wecom_id="anna.w")
BO = Person("bo", Words("波", "Bo"), frozenset({Role.PLANNER}), ("p1/b",), phone="13800138000")


def notices(*notifiers: str) -> Notices:
    site = Equipment("p1", EquipmentLevel.SITE, Words("一厂", "Plant 1"))
    plant = Plant(site, {}, {}, people={p.id: p for p in (ANNA, BO)})
    return Notices(plant, notifiers or ("group",), "http://hub/phone")


def rush(priority: Priority = Priority.HIGH) -> list[Intent]:
    return notices("group", "team").about(
        "rush:7",
        Words("工单 MO7 已加急", "Order MO7 is rushed"),
        where=Words("1号线", "Line 1"),
        lines=[(Words("推迟", "Delayed"), Words("MO8 +40 分钟", "MO8 +40 min"))],
        people=[ANNA, BO],
        priority=priority,
    )


def test_every_notifier_gets_it_once_under_a_key_that_stays() -> None:
    assert [i.key for i in rush()] == ["notice:rush:7:group", "notice:rush:7:team"]
    assert len({i.lane for i in rush()}) == 2, "a carrier that is slow holds up no other"


def test_it_is_worded_as_a_notice_and_calls_its_people() -> None:
    said = message(read(rush()[0].payload), key="k", now=NOON, person_key="wecom_id")
    assert said.headline == "【通知】1号线 工单 MO7 已加急"
    assert said.lines == (("推迟", "MO8 +40 分钟"),)
    assert (said.mentions, said.mention_phones) == (("anna.w",), ("13800138000",))
    assert said.link == "http://hub/phone"
    assert not said.recovered
    english = message(read(rush()[0].payload), key="k", now=NOON, language="en")
    assert english.headline == "[NOTICE] Line 1 Order MO7 is rushed"


def test_a_low_one_makes_no_phone_ring() -> None:
    said = message(read(rush(Priority.LOW)[0].payload), key="k", now=NOON, person_key="wecom_id")
    assert (said.mentions, said.mention_phones) == ((), ())


def test_a_digest_does_not_count_it_as_an_alarm() -> None:
    facts = read(rush()[0].payload)
    alarm = read({"notifier": "group", "event": "raised", "where": "1号线", "title": "油温", "priority": 3})
    assert digest([facts, facts], keys=["a", "b"], now=NOON).headline.startswith("【汇总】2 条通知")
    assert digest([facts, alarm], keys=["a", "b"], now=NOON).headline.startswith("【汇总】1 条报警、1 条通知")


def test_holders_of_a_role_are_those_of_the_node() -> None:
    asked = notices()
    assert asked.holders({Role.PLANNER, Role.SALES}) == [ANNA, BO]
    assert asked.holders({Role.PLANNER, Role.SALES}, "p1/a") == [ANNA]
