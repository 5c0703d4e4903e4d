"""When a connection is asked whether it still lives, before it is lent."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from hub.store.pool import borrowed, open_pool

pytestmark = pytest.mark.anyio


async def test_one_that_answered_a_moment_ago_is_believed_and_asked_again_later(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    ask = AsyncConnectionPool.check_connection

    async def counting(connection: Any) -> None:
        nonlocal asked
        asked += 1
        await ask(connection)

    monkeypatch.setattr(AsyncConnectionPool, "check_connection", staticmethod(counting))
    monkeypatch.setattr("hub.store.pool.FRESH", 3600.0)
    pool = await open_pool(dsn, max_size=1)
    try:
        for _ in range(5):
            async with borrowed(pool) as connection:
                await connection.execute("select 1")
        assert asked == 1
        monkeypatch.setattr("hub.store.pool.FRESH", 0.0)  # as if a second had gone by
        async with borrowed(pool):
            assert asked == 2
    finally:
        await pool.close()
