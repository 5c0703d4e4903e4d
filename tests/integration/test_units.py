"""The unit of a tag is on record with it; one that changes relabels nothing."""

from __future__ import annotations

import pytest

from hub.store import units
from hub.store.pool import open_pool

pytestmark = pytest.mark.anyio


async def test_a_unit_that_changes_is_told_once_and_since_when_it_holds(dsn: str) -> None:
    pool = await open_pool(dsn)
    try:
        assert await units.tell(pool, {"p1/oil": "℃", "p1/volts": "V"}) == []
        assert (
            await units.tell(pool, {"p1/oil": "℃", "p1/new": "bar"}) == [] and await units.since(pool) == {}
        )
        assert await units.tell(pool, {"p1/oil": "℉", "p1/new": "bar"}) == ["p1/oil"]
        first = await units.since(pool)
        assert list(first) == ["p1/oil"]
        assert await units.tell(pool, {"p1/oil": "℉"}) == [] and await units.since(pool) == first
        assert await units.tell(pool, {"p1/oil": "℃"}) == ["p1/oil"], "and back"
        assert (await units.since(pool))["p1/oil"] > first["p1/oil"]
        async with pool.connection() as connection:
            rows = await (
                await connection.execute("select what, about, detail from audit order by id")
            ).fetchall()
        assert [(r["what"], r["about"], r["detail"]["before"], r["detail"]["after"]) for r in rows] == [
            ("unit-changed", "p1/oil", "℃", "℉"), ("unit-changed", "p1/oil", "℉", "℃"),
        ]  # fmt: skip
    finally:
        await pool.close()
