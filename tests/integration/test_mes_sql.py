"""Rows of an MES's database that are unlike all others: only they are held back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

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
        with psycopg.connect(self.dsn, autocommit=True, client_encoding="UTF8") as line:
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


# ------------------------------------------------------------------ bytes
@pytest.fixture
def ascii_mes(mes: Mes) -> Iterator[Mes]:
    """A database that says nothing of its letters, as old ones do: every text comes as bytes."""
    name = conninfo_to_dict(mes.dsn)["dbname"]
    mes.does(f"create database {name}_a encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0")
    yield Mes(mes.world, make_conninfo(mes.dsn, dbname=f"{name}_a"))
    mes.does(f"drop database {name}_a with (force)")


@pytest.mark.parametrize("client", ["SQL_ASCII", "UTF8"])
async def test_text_of_a_database_without_an_encoding_is_read_row_by_row(ascii_mes: Mes, client: str) -> None:
    role = conninfo_to_dict(ascii_mes.dsn)["user"]
    ascii_mes.does(
        "create table rep (id text, changed timestamptz, person text)",
        f"alter role {role} in database {conninfo_to_dict(ascii_mes.dsn)['dbname']} "
        f"set client_encoding = '{client}'",
    )
    for n, raw in enumerate(("李".encode(), "李".encode("gb18030"), b"\xff\xfe\x81")):
        text = f"convert_from('\\x{raw.hex()}', 'SQL_ASCII')"
        ascii_mes.does(f"insert into rep values ('R-{n}', timestamptz '{AT}', {text})")
    read = REPORTS | {"fields": WORD | {"person": "person"}}
    read["statement"] = read["statement"].replace("changed at", "changed at, person")
    await ascii_mes.read(read)
    found = await ascii_mes.world.record.everything()
    assert [(r["id"], r["work_order"], r["person"]) for r in found["reports"]] == [
        ("R-0", "MO-1", "李"),
        ("R-1", "MO-1", "李"),
    ]
    (kept,) = await ascii_mes.rejects()
    assert kept["event"] == "R-2"
    assert kept["reason_en"] == "person is no text; write a cast to text in the statement"
    assert "转换" in kept["reason_zh"]


async def test_bytes_that_are_no_text_are_a_reject_where_they_are_read_and_nothing_elsewhere(
    mes: Mes,
) -> None:
    mes.does(
        "create table rep (id bytea, changed timestamptz, version bytea)",
        f"insert into rep values ('R-1', '{AT}', '\\x00000000000007d1'), ('\\x0102ff', '{AT}', '\\x00')",
    )
    read = REPORTS | {"statement": REPORTS["statement"].replace("changed at", "changed at, version")}
    await mes.read(read)
    assert (await mes.known())["reports"] == ["R-1"]
    (kept,) = await mes.rejects()
    assert kept["reason_en"].startswith("id is no text; write a cast")


async def test_a_letter_that_the_database_has_in_another_encoding_is_that_letter(mes: Mes) -> None:
    name = conninfo_to_dict(mes.dsn)["dbname"]
    mes.does(f"create database {name}_c encoding 'EUC_CN' lc_collate 'C' lc_ctype 'C' template template0")
    other = Mes(mes.world, make_conninfo(mes.dsn, dbname=f"{name}_c"))
    try:
        other.does(
            "create table rep (id text, changed timestamptz, person text)",
            f"insert into rep values ('R-1', '{AT}', '李')",
        )
        read = REPORTS | {"fields": WORD | {"person": "person"}}
        read["statement"] = read["statement"].replace("changed at", "changed at, person")
        await other.read(read)
        (found,) = (await other.world.record.everything())["reports"]
        assert found["person"] == "李"
    finally:
        mes.does(f"drop database {name}_c with (force)")


# ------------------------------------------------------------------ numbers
@pytest.mark.parametrize("kind", ["numeric(20)", "numeric(24, 3)", "numeric"])
async def test_a_long_number_is_an_id_with_every_digit(mes: Mes, kind: str) -> None:
    mes.does(
        f"create table rep (id {kind}, changed {kind})",
        "insert into rep values (10000000000000000001, 90000000000000000001), (20000000000000000000, "
        "90000000000000000002), (30, 90000000000000000003)",
    )
    read = REPORTS | {"start": "90000000000000000000"}
    read["statement"] = read["statement"].replace("changed at", f"timestamptz '{AT}' at")
    await mes.read(read)
    found = (await mes.known())["reports"]
    assert sorted(found) == ["10000000000000000001", "20000000000000000000", "30"]
    mes.does("insert into rep values (10000000000000000002, 90000000000000000004)")
    await mes.read(read)
    assert "10000000000000000002" in (await mes.known())["reports"] and await mes.rejects() == []


async def test_what_is_no_number_is_a_reject_of_its_row_alone(mes: Mes) -> None:
    mes.does(
        "create table rep (id numeric, changed timestamptz, good float8)",
        f"insert into rep values (1, '{AT}', 3), (2, '{AT}', 'NaN'), ('NaN', '{AT}', 3), (4, '{AT}', 3)",
    )
    await mes.read(REPORTS | {"statement": REPORTS["statement"].replace("3 good", "good")})
    assert (await mes.known())["reports"] == ["1", "4"]
    told = "must not be NaN or infinite; leave it out where there is no number"
    assert [r["reason_en"] for r in await mes.rejects()] == [f"good {told}", f"id {told}"]


# ------------------------------------------------------------------ what the database is set to
async def test_times_are_read_however_the_database_is_set_to_write_them(mes: Mes) -> None:
    name = conninfo_to_dict(mes.dsn)["dbname"]
    mes.does(
        "create table wo (number text, due_at date, cycle interval)",
        "create table rep (id text, changed timestamptz)",
        "insert into wo values ('MO-1', '2026-02-01', '90 s')", f"insert into rep values ('R-1', '{AT}')",
        f"alter database {name} set datestyle = 'SQL, DMY'",
        f"alter database {name} set intervalstyle = 'iso_8601'",
    )  # fmt: skip
    with_interval = {"statement": ORDERS["statement"].replace("due_at", "due_at, cycle", 1)}
    await mes.read(ORDERS | with_interval, REPORTS)
    found = await mes.world.record.everything()
    assert [o["due_at"].isoformat() for o in found["orders"]] == ["2026-01-31T16:00:00+00:00"]
    assert [r["at"].isoformat() for r in found["reports"]] == [AT] and await mes.rejects() == []
