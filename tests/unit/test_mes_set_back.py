"""How far a database reaches that was set back, without reading all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from collectors.mes_set_back import Mark, reached

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(number: int, times: bool) -> Mark:
    return NOON + timedelta(seconds=number) if times else number


@pytest.mark.anyio
@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 500, 9_999])
async def test_the_last_row_is_found_in_few_questions(rows: int, times: bool) -> None:
    marks = [at(n, times) for n in range(rows)]
    asked = []

    async def ask(since: Mark) -> Sequence[Mark]:
        asked.append(since)
        return [m for m in marks if m >= since][:2]  # type: ignore[operator]

    found = await reached(ask, at(0, times), at(1_000_000, times), 2)
    assert found == (marks[-1] if marks else None)
    assert len(asked) < 45
