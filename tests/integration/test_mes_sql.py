"""Rows of an MES's database that are unlike all others: only they are held back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from collectors.mes_sql import MesSqlSource
from tests.contract.mes.worlds import AT, Enough, FilesWorld, Record, record

pytestmark = pytest.mark.anyio

WORD = {"id": "id", "order": "mo", "operation": "op", "at": "at", "good": "good"}


@pytest.fixture
async def house(dsn: str) -> AsyncIterator[Record]:
    async with record(dsn) as made:
        yield made


class Mes:
    """A database of its own, and a source that reads it."""

    def __init__(self, world: FilesWorld, dsn: str) -> None:
        self.world, self.dsn = world, dsn

    def does(self, *statements: str, values: tuple[Any, ...] = ()) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as line:
            for statement in statements:
                line.execute(statement.encode(), values)

    async def read(self, *reads: dict[str, Any], **more: Any) -> None:
        known = conninfo_to_dict(self.dsn)
        where = {"host": known["host"], "database": known["dbname"], "user": known["user"]}
        config = MesSqlSource.Config.model_validate({**where, "reads": list(reads), **more})
        source = MesSqlSource(config, self.world.clock, "mes")
        with pytest.raises(Enough):
            await source.feed(self.world.intake(source))

    async def known(self) -> dict[str, list[str]]:
        found = await self.world.record.everything()
        return {
            "orders": [o["number"] for o in found["orders"]], "reports": [r["id"] for r in found["reports"]],
        }  # fmt: skip

    async def rejects(self) -> list[dict[str, Any]]:
        return await self.world.record.rejects()


@pytest.fixture
def mes(house: Record, tmp_path: Path, empty_dsn: str) -> Mes:
    return Mes(FilesWorld(house, tmp_path), empty_dsn)


# ------------------------------------------------------------------ times that no calendar has
ORDERS: dict[str, Any] = {
    "name": "o", "type": "order",
    "statement": "select number, 'A' product, 'Pump' product_name, 10 quantity, due_at from wo "
    "order by number",
}  # fmt: skip
REPORTS: dict[str, Any] = {
    "name": "r", "type": "report", "watermark": "changed", "start": "2026-01-01", "fields": WORD,
    "statement": "select id, 'MO-1' mo, '10' op, changed at, 3 good, changed from rep "
    "where changed >= :since order by changed limit :limit",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
@pytest.mark.parametrize("odd", ["infinity", "-infinity", "0044-03-15 BC", "20260-01-05", "9999-12-31"])
async def test_a_time_beyond_the_calendar_is_a_reject_of_its_row_alone(mes: Mes, kind: str, odd: str) -> None:
    mes.does(
        f"create table wo (number text, due_at {kind})", "create table rep (id text, changed timestamptz)",
        "insert into wo values ('MO-1', '2026-01-06'), ('MO-3', '2026-01-07')",
        f"insert into rep values ('R-1', '{AT}')",
    )  # fmt: skip
    mes.does("insert into wo values ('MO-2', %s)", values=(odd,))
    await mes.read(ORDERS, REPORTS, time_zone="America/New_York")
    assert await mes.known() == {"orders": ["MO-1", "MO-3"], "reports": ["R-1"]}
    (kept,) = await mes.rejects()
    assert (kept["kind"], kept["event"]) == ("order", "MO-2")
    assert kept["reason_en"].startswith("due_at must ")


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
@pytest.mark.parametrize("odd", ["infinity", "20260-01-05", "9999-12-31 23:59:59"])
async def test_a_watermark_beyond_the_calendar_hides_no_row_that_comes_after_it(
    mes: Mes, kind: str, odd: str
) -> None:
    mes.does(f"create table rep (id text, changed {kind})", f"insert into rep values ('R-1', '{AT}')")
    mes.does("insert into rep values ('R-2', %s)", values=(odd,))
    await mes.read(REPORTS, time_zone="America/New_York")
    mes.does(f"insert into rep values ('R-3', timestamptz '{AT}' + interval '3 h')")
    await mes.read(REPORTS, time_zone="America/New_York")
    assert (await mes.known())["reports"] == ["R-1", "R-3"]
    (kept,) = await mes.rejects()
    assert kept["event"] == "R-2"


async def test_the_end_of_the_day_as_a_time_of_day_stops_nothing(mes: Mes) -> None:
    """PostgreSQL has 24:00, Python has not."""
    statement = ORDERS["statement"].replace("due_at", "due_at, time '24:00' shift_end", 1)
    mes.does("create table wo (number text, due_at date)", "insert into wo values ('MO-1', '2026-01-06')")
    await mes.read(ORDERS | {"statement": statement})
    assert (await mes.known())["orders"] == ["MO-1"]
