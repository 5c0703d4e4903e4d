"""Logins, wall screens and the audit trail on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest

from hub.model.people import Account
from hub.store.people import PgPeopleStore
from hub.store.pool import open_pool
from hub.testing.clock import NOON

pytestmark = pytest.mark.anyio

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def people(any_dsn: str) -> AsyncIterator[PgPeopleStore]:
    pool = await open_pool(any_dsn)
    yield PgPeopleStore(pool)
    await pool.close()


async def test_the_newest_password_counts(people: PgPeopleStore) -> None:
    assert await people.password("li") is None
    await people.set_password("li", "first")
    await people.set_password("li", "second")
    await people.set_password("wang", "other")
    assert await people.password("li") == "second"
    assert await people.people_with_password() == {"li", "wang"}


async def test_a_session_in_use_lasts_twelve_hours_and_no_longer(people: PgPeopleStore) -> None:
    await people.add_session("s", "li", NOON)
    for quarter in range(1, 48):
        assert await people.session("s", NOON + quarter * 15 * MINUTE) == "li"
    assert await people.session("s", NOON + 12 * HOUR) is None


async def test_a_session_nobody_uses_ends_after_half_an_hour(people: PgPeopleStore) -> None:
    await people.add_session("s", "li", NOON)
    assert await people.session("s", NOON + 29 * MINUTE) == "li"
    assert await people.session("s", NOON + 58 * MINUTE) == "li"
    assert await people.session("s", NOON + 88 * MINUTE) is None


async def test_a_session_that_was_ended_is_over_and_others_go_on(people: PgPeopleStore) -> None:
    await people.add_session("s1", "li", NOON)
    await people.add_session("s2", "li", NOON)
    await people.end_session("s1")
    assert await people.session("s1", NOON) is None
    assert await people.session("s2", NOON) == "li"
    assert await people.session("unknown", NOON) is None


async def test_a_wall_screen_has_a_name_and_a_scope(people: PgPeopleStore) -> None:
    await people.add_device("d", "冲压车间大屏", "p1/stamping", NOON)
    assert await people.device("d") == ("冲压车间大屏", "p1/stamping")
    assert await people.device("unknown") is None


async def test_a_one_time_password_has_an_end_and_ones_own_has_none(people: PgPeopleStore) -> None:
    await people.set_password("li", "given", NOON + 24 * HOUR)
    assert await people.once_until("li") == NOON + 24 * HOUR
    await people.set_password("li", "own")
    assert await people.once_until("li") is None
    assert await people.once_until("wang") is None


async def test_all_sessions_of_a_person_end_together(people: PgPeopleStore) -> None:
    for token, person in (("s1", "li"), ("s2", "li"), ("s3", "wang")):
        await people.add_session(token, person, NOON)
    assert await people.end_sessions("li") == 2
    assert await people.session("s1", NOON) is None
    assert await people.session("s3", NOON) == "wang"


async def test_accounts_count_what_is_live(people: PgPeopleStore) -> None:
    await people.set_password("li", "own")
    await people.set_password("wang", "given", NOON + HOUR)
    await people.add_session("s1", "li", NOON)
    await people.add_session("s2", "li", NOON - HOUR)
    await people.add_session("s3", "zhao", NOON - MINUTE)
    assert await people.accounts(NOON) == {
        "li": Account(True, None, 1, NOON),
        "wang": Account(True, NOON + HOUR),
        "zhao": Account(False, None, 1, NOON - MINUTE),
    }


async def test_wall_screens_are_listed_with_when_they_were_seen_and_can_be_sent_away(
    people: PgPeopleStore,
) -> None:
    await people.add_device("d1", "东门", "p1", NOON)
    await people.add_device("d2", "大厅", "p1", NOON)
    await people.device("d1", NOON + HOUR)
    await people.device("d1", NOON + HOUR + MINUTE / 2)  # once a minute is often enough
    await people.device("d2")
    seen = {screen.name: screen for screen in await people.devices()}
    assert [seen["东门"].seen_at, seen["大厅"].seen_at] == [NOON + HOUR, None]
    assert await people.remove_device(seen["东门"].id) == "d1"
    assert await people.remove_device(seen["东门"].id) is None
    assert await people.device("d1") is None
    assert [screen.name for screen in await people.devices()] == ["大厅"]


async def test_failures_count_for_a_quarter_of_an_hour(people: PgPeopleStore) -> None:
    assert [await people.note_failure("li", NOON + n * MINUTE) for n in range(3)] == [1, 2, 3]
    assert await people.note_failure("wang", NOON) == 1
    assert await people.failures("li", NOON + 15 * MINUTE) == 2
    assert await people.note_failure("li", NOON + 30 * MINUTE) == 1
    await people.clear_failures("li")
    assert await people.failures("li", NOON + 30 * MINUTE) == 0
    assert await people.failures("wang", NOON) == 1


async def test_the_audit_trail_keeps_what_was_done(people: PgPeopleStore, any_dsn: str) -> None:
    await people.audit(NOON, "li", "shelve", "alarm:7", {"reason": "换模具", "minutes": 30})
    with psycopg.connect(any_dsn) as connection:
        row = connection.execute("select at, who, what, about, detail from audit").fetchone()
    assert row == (NOON, "li", "shelve", "alarm:7", {"reason": "换模具", "minutes": 30})
