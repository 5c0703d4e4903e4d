"""Logins, wall screens and the audit trail on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest

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
