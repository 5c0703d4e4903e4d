"""Which of a server's conditions stand, from the events that it tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from asyncua import ua

from collectors.opcua_conditions import (
    OVERFLOW,
    REFRESH_END,
    REFRESH_REQUIRED,
    REFRESH_START,
    Conditions,
    Watched,
)

PRESS, OVEN = ua.NodeId.from_string("ns=2;s=press"), ua.NodeId.from_string("ns=2;s=oven")
HOT, LOW = ua.NodeId.from_string("ns=2;s=press.hot"), ua.NodeId.from_string("ns=2;s=press.low")
LIMIT = ua.NodeId.from_string("i=2955")


def event(condition: ua.NodeId = HOT, active: bool | None = True, **more: Any) -> list[Any]:
    fields = {
        "kind": LIMIT, "source": PRESS, "time": datetime(2026, 1, 5, tzinfo=UTC), "severity": 500,
        "condition": condition, "name": "hot", "branch": ua.NodeId(), "retain": True, "enabled": True,
        "active": active, **more,
    }  # fmt: skip
    return list(fields.values())


def mark(kind: ua.NodeId) -> list[Any]:
    return event(kind=kind, condition=None, active=None)  # type: ignore[arg-type]


def everything(**codes: float) -> Watched:
    return Watched(None, None, "*", codes)


def refreshed(conditions: Conditions, *events: list[Any]) -> list[tuple[int, float | None]]:
    for fields in (mark(REFRESH_START), *events, mark(REFRESH_END)):
        assert not conditions.hear(fields)
    return list(conditions.news())


def test_nothing_is_said_before_the_first_refresh_has_ended() -> None:
    conditions = Conditions([everything()])
    conditions.hear(mark(REFRESH_START))
    conditions.hear(event())
    assert list(conditions.news()) == []
    conditions.hear(mark(REFRESH_END))
    assert list(conditions.news()) == [(0, 500.0)]


def test_a_server_where_nothing_stands_says_zero_so_that_old_alarms_clear() -> None:
    assert refreshed(Conditions([everything(), everything()])) == [(0, 0.0), (1, 0.0)]


def test_what_a_refresh_does_not_mention_stands_no_longer() -> None:
    conditions = Conditions([everything()])
    assert refreshed(conditions, event(HOT)) == [(0, 500.0)]
    assert refreshed(conditions, event(LOW, severity=200)) == [(0, 200.0)]
    assert refreshed(conditions) == [(0, 0.0)]


def test_the_worst_of_what_stands_counts_and_news_are_told_once() -> None:
    conditions = Conditions([everything()])
    refreshed(conditions)
    conditions.hear(event(LOW, severity=200))
    conditions.hear(event(HOT, severity=900))
    assert list(conditions.news()) == [(0, 900.0)]
    assert list(conditions.news()) == []
    conditions.hear(event(HOT, active=False))
    assert list(conditions.news()) == [(0, 200.0)]


def test_each_tag_hears_of_its_own_conditions_only() -> None:
    conditions = Conditions(
        [Watched(HOT, None, "*", {}), Watched(None, OVEN, "*", {}), Watched(None, None, "l?w", {})]
    )
    assert refreshed(
        conditions, event(HOT), event(LOW, name="low", severity=300, source=OVEN)
    ) == [(0, 500.0), (1, 300.0), (2, 300.0)]  # fmt: skip


def test_a_code_takes_the_place_of_the_severity() -> None:
    assert refreshed(Conditions([everything(hot=301)]), event(HOT)) == [(0, 301.0)]


def test_disabled_not_retained_and_past_conditions_do_not_stand() -> None:
    for more in ({"enabled": False}, {"retain": False}, {"branch": ua.NodeId.from_string("ns=2;s=branch")}):
        assert refreshed(Conditions([everything()]), event(HOT, **more)) == [(0, 0.0)], more


def test_a_condition_without_an_active_state_stands_while_it_is_retained() -> None:
    assert refreshed(Conditions([everything()]), event(HOT, active=None)) == [(0, 500.0)]


def test_lost_events_and_a_server_that_wants_it_ask_for_a_refresh() -> None:
    conditions = Conditions([everything()])
    assert conditions.hear(mark(OVERFLOW))
    assert conditions.hear(mark(REFRESH_REQUIRED))
    assert not conditions.hear([1, 2, 3])


def test_of_what_the_server_shows_nothing_of_nobody_says_that_it_does_not_stand() -> None:
    conditions = Conditions([Watched(HOT, None, "*", {}), Watched(LOW, None, "*", {})], unknown=[0])
    assert refreshed(conditions) == [(0, None), (1, 0.0)]
    assert list(conditions.news()) == [], "told once"
    conditions.hear(event(HOT, active=False))
    assert list(conditions.news()) == [(0, 0.0)], "it was heard of"
    conditions.watch([Watched(HOT, None, "*", {}), Watched(LOW, None, "*", {})], unknown=[0])
    assert not conditions.unknown, "and is not forgotten"


def test_what_the_server_shows_later_is_known_from_then_on() -> None:
    conditions = Conditions([Watched(ua.NodeId(), None, "*", {})], unknown=[0])
    assert refreshed(conditions, event(HOT)) == [(0, None)]
    conditions.watch([Watched(HOT, None, "*", {})], unknown=[])
    assert list(conditions.news()) == [(0, 500.0)]
