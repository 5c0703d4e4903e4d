"""What only one kind of MES has: files that are half written, rows that come late, consumers that die."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from collectors import mes_sql
from collectors.event_runner import EventRunner
from collectors.mes_files import MesFilesSource
from collectors.mes_redis import MesRedisSource
from collectors.mes_sql import MesSqlSource
from hub.databases import SqlServer
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.intake import Uptake
from tests.contract.mes.worlds import AT, EVENTS, OF, Enough, FilesWorld, Record, RedisWorld, SqlWorld, record

pytestmark = pytest.mark.anyio

REPORT = EVENTS[1]
CSV = f"id,order,operation,at,good\nR-1,MO-1,10,{AT},3\n"


@pytest.fixture
async def house(dsn: str) -> AsyncIterator[Record]:
    async with record(dsn) as made:
        yield made


async def numbers(house: Record) -> list[str]:
    return [row["id"] for row in (await house.everything())["reports"]]


# ------------------------------------------------------------------ files
@pytest.fixture
def files(house: Record, tmp_path: Path) -> FilesWorld:
    return FilesWorld(house, tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_file())


async def test_a_file_that_was_taken_is_moved_and_the_same_content_again_is_not_taken(
    files: FilesWorld,
) -> None:
    (files.folder / "1-report.csv").write_text(CSV)
    await files.read()
    (files.folder / "2-report.csv").write_text(CSV)
    (files.folder / "1-report.csv").write_text(CSV + f"R-2,MO-1,10,{AT},4\n")
    await files.read()
    assert await numbers(files.record) == ["R-1", "R-2"]
    taken = names(files.folder / "done")
    assert taken[0].startswith("1-report.") and taken[1:] == ["1-report.csv", "2-report.csv"]
    assert names(files.folder) == []


async def test_an_old_file_dropped_again_does_not_undo_a_newer_one(files: FilesWorld) -> None:
    config = {
        "folder": str(files.folder),
        "settle": "1s",
        "reads": [{"name": "o", "type": "order", "pattern": "*"}],
    }
    source = MesFilesSource(MesFilesSource.Config.model_validate(config), files.clock, "mes")
    for n, quantity in enumerate((100, 80, 100)):
        text = f"number,product,product_name,quantity,due_at\nMO-1,A,Pump,{quantity},2026-01-06\n"
        (files.folder / f"{n}.csv").write_text(text)
        with pytest.raises(Enough):
            await source.feed(files.intake(source))
    assert [o["quantity"] for o in (await files.record.everything())["orders"]] == [80]
    assert names(files.folder / "done") == ["0.csv", "1.csv", "2.csv"]


async def test_a_half_written_file_is_waited_for_and_those_behind_it_are_not(files: FilesWorld) -> None:
    slow, text = files.folder / "a-report.csv", iter(CSV)
    quick = files.folder / "b-report.csv"
    quick.write_text(CSV.replace("R-1", "R-2"))

    class Writing(MesFilesSource):
        def _look(self) -> Any:  # between two looks somebody has written on
            with slow.open("a") as file:
                file.write(next(text, ""))
            return super()._look()

    source = Writing(files.source()._config, files.clock, "mes")
    intake = files.intake(source)
    intake.rounds = 10
    with pytest.raises(Enough):
        await source.feed(intake)
    assert (await numbers(files.record), names(files.folder)) == (["R-2"], ["a-report.csv"])
    slow.write_text(CSV)
    await files.read()
    assert await numbers(files.record) == ["R-1", "R-2"]


async def test_a_file_that_grows_while_it_is_read_waits_for_the_next_look(files: FilesWorld) -> None:
    path = files.folder / "1-report.csv"
    path.write_text(CSV)

    class Late(MesFilesSource):
        def _content(self, path: Path) -> bytes | None:
            found = super()._content(path)
            with path.open("a") as file:
                file.write(f"R-2,MO-1,10,{AT},4\n")
            return found

    source = Late(files.source()._config, files.clock, "mes")
    with pytest.raises(Enough):
        await source.feed(files.intake(source))
    assert await numbers(files.record) == []


async def test_what_a_writer_adds_to_a_file_that_was_moved_is_taken_after_a_restart_too(
    files: FilesWorld,
) -> None:
    named, text = files.folder / "1-report.csv", CSV + f"R-2,MO-1,10,{AT},4\n"
    with named.open("w") as writer:
        writer.write(text)
        writer.flush()
        await files.read()
        writer.write(f"R-3,MO-1,10,{AT},5\n")
        writer.flush()
        files.clock.turn(3600)  # the hub was away
        await files.read()
        writer.write(f"R-4,MO-1,10,{AT},6")
    await files.read()
    done = files.folder / "done" / "1-report.csv"
    done.write_text(done.read_text() + "0\n")  # the last row had only begun
    await files.read()
    reports = (await files.record.everything())["reports"]
    assert sorted(r["good"] for r in reports) == [3, 4, 5, 60]
    assert await files.record.rejects() == []


async def test_a_file_in_done_that_became_another_is_told(files: FilesWorld) -> None:
    (files.folder / "1-report.csv").write_text(CSV)
    await files.read()
    (files.folder / "done" / "1-report.csv").write_text(CSV.replace("R-1", "R-2") + "\n")
    await files.read()
    await files.read()
    (kept,) = await files.record.rejects()
    assert (kept["times"], "changed after it was taken" in kept["reason_en"]) == (1, True)
    assert await numbers(files.record) == ["R-1"]


@pytest.mark.parametrize("name", [".1-report.csv", "~$1-report.csv", "1-report.csv.part", "1-report.csv.TMP"])
async def test_what_is_marked_as_unfinished_is_left_alone(files: FilesWorld, name: str) -> None:
    (files.folder / name).write_text(CSV)
    await files.read()
    assert names(files.folder) == [name]


async def test_links_and_folders_are_never_followed(files: FilesWorld, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "secret-report.csv"
    other.write_text(CSV)
    os.symlink(other, files.folder / "1-report.csv")
    (files.folder / "2-report.csv").mkdir()
    await files.read()
    assert (await numbers(files.record), other.exists()) == ([], True)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("1-report.csv", b"id,order,operation,at,good\n1,,,,2\n", ""),
        ("1-report.csv", b"id,good\n1,2\n", "has no column order, operation, at"),
        ("1-report.csv", b"id\n\x81\xff\n", "UTF-8 or GB18030"),
        ("1-other.csv", CSV.encode(), "matches no pattern"),
        ("1-order.csv", b"number\n1\n", "has no column id"),
        (
            "1-report.csv",
            b"id,order,operation,at,good,good\n1,2,3,4,5,99\n",
            "the column good more than once (E, F)",
        ),
    ],
)
async def test_a_file_that_cannot_be_read_goes_to_failed_with_the_reason(
    files: FilesWorld, name: str, content: bytes, why: str
) -> None:
    (files.folder / name).write_bytes(content)
    await files.read()
    if not why:  # its rows are told one by one
        assert len(await files.record.rejects()) == 1
        return
    assert names(files.folder / "failed") == [name, f"{name}.reason.txt"]
    assert why in (files.folder / "failed" / f"{name}.reason.txt").read_text()
    (kept,) = await files.record.rejects()
    assert (kept["kind"], kept["event"], why in kept["reason_en"]) == ("file", name, True)
    assert kept["reason_zh"].startswith("整个文件未收下：") and not kept["reason_zh"].isascii()


async def test_without_a_column_of_ids_nothing_of_a_file_is_taken(files: FilesWorld) -> None:
    """Tomorrow's export has today's rows once more, and nothing would tell them from new ones."""
    (files.folder / "1-report.csv").write_text(CSV.replace("id,", "nr,"))
    await files.read()
    assert await numbers(files.record) == []
    assert "has no column id" in (files.folder / "failed" / "1-report.csv.reason.txt").read_text()


async def test_a_formula_in_a_row_rejects_that_row_alone(files: FilesWorld) -> None:
    (files.folder / "1-report.csv").write_text(CSV + f"=1+1,MO-1,10,{AT},4\n")
    await files.read()
    (kept,) = await files.record.rejects()
    assert "holds a formula" in kept["reason_en"]
    assert json.loads(kept["record"])["file"] == "1-report.csv"
    assert await numbers(files.record) == ["R-1"]


async def test_a_folder_that_is_away_is_told_and_one_that_cannot_be_written_too(
    files: FilesWorld, tmp_path: Path
) -> None:
    config = {"folder": str(tmp_path / "gone"), "reads": [{"name": "r", "type": "report", "pattern": "*"}]}
    source = MesFilesSource(MesFilesSource.Config.model_validate(config), files.clock, "mes")
    with pytest.raises(SourceUnavailable, match="is it mounted"):
        await source.feed(files.intake(source))
    config["folder"], config["done"] = str(tmp_path), str(tmp_path / "no" / "such")
    source = MesFilesSource(MesFilesSource.Config.model_validate(config), files.clock, "mes")
    with pytest.raises(SourceRefused, match="writable"):
        await source.feed(files.intake(source))


# ------------------------------------------------------------------ SQL
@pytest.fixture
def database(house: Record, tmp_path: Path, empty_dsn: str) -> SqlWorld:
    return SqlWorld(house, tmp_path, empty_dsn)


def insert(world: SqlWorld, number: str, minutes: float) -> None:
    told = json.dumps({"id": number, **OF, "at": AT, "good": "1"})
    with psycopg.connect(world.dsn, autocommit=True) as line:
        line.execute(
            "insert into ev (changed, kind, body) "
            "values ('2026-01-05T10:00:00Z'::timestamptz + %s, 'report', %s)",
            [timedelta(minutes=minutes), told],
        )


async def test_a_row_that_appears_late_is_taken_and_one_outside_the_window_is_not(database: SqlWorld) -> None:
    insert(database, "R-1", 0)
    await database.read()
    insert(database, "R-2", -9)  # a transaction that was committed after later ones
    insert(database, "R-3", -11)
    await database.read()
    assert await numbers(database.record) == ["R-1", "R-2"]


async def test_a_count_that_is_null_is_no_zero(database: SqlWorld) -> None:
    await database.tell([{**REPORT, "good": None}])
    await database.read()
    (kept,) = await database.record.rejects()
    assert kept["reason_en"].startswith("good is NULL")
    assert await numbers(database.record) == []


async def test_more_rows_than_one_answer_holds_are_all_taken(database: SqlWorld) -> None:
    for n in range(5):
        insert(database, f"R-{n}", n)
    await database.read()
    assert await numbers(database.record) == [f"R-{n}" for n in range(5)]


async def test_too_many_rows_of_one_watermark_are_told_instead_of_passed_over(database: SqlWorld) -> None:
    for n in range(3):
        insert(database, f"R-{n}", 0)
    with pytest.raises(SourceRefused, match="2 rows share the watermark"):
        await database.read()


async def test_one_row_of_a_wrong_clock_hides_none_that_come_after_it(database: SqlWorld) -> None:
    insert(database, "R-1", 60 * 24 * 365 * 50)
    await database.read()
    insert(database, "R-2", 118)  # the hub's noon is two hours on
    await database.read()
    assert await numbers(database.record) == ["R-1", "R-2"]


async def test_a_database_that_was_restored_from_a_backup_hides_no_rows_and_is_told(
    database: SqlWorld,
) -> None:
    for n in range(12):
        insert(database, f"R-{n:02}", n * 5)
    await database.read()
    with psycopg.connect(database.dsn, autocommit=True) as line:
        line.execute("delete from ev where n > 3")
    for n in (3, 4):
        insert(database, f"N-{n}", n * 5)
    source = database.source()
    for _ in range(2):
        with pytest.raises(Enough):
            await source.feed(database.intake(source))
    assert {"N-3", "N-4"} < {*await numbers(database.record)}
    (kept,) = await database.record.rejects()
    assert (kept["event"], kept["times"]) == ("report", 1)
    assert "went back from 2026-01-05 18:55:00 to 2026-01-05 18:20:00" in kept["reason_en"]
    assert source.health() == {"set_back": ["report 2026-01-05 18:55:00 → 2026-01-05 18:20:00"]}


async def test_what_has_not_changed_is_not_taken_again_in_one_life(database: SqlWorld) -> None:
    insert(database, "R-1", 0)
    source = database.source()
    intake = database.intake(source)
    taken: list[int] = []
    take = intake.take

    async def counted(records: Any) -> Any:
        taken.append(len(records))
        return await take(records)

    intake.take = counted  # type: ignore[method-assign]
    with pytest.raises(Enough):
        await source.feed(intake)
    assert taken == [1]


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        ({"database": "nowhere"}, SourceRefused, "does not accept"),
        ({"host": "127.0.0.1", "port": 1}, SourceUnavailable, "connect"),
        ({"statement": "select nothing from nowhere order by 1"}, SourceRefused, "nowhere"),
        (
            {"fields": {"id": "idd", "order": "o", "operation": "p", "at": "a"}},
            SourceRefused,
            "no column idd",
        ),
        ({"order": "desc"}, SourceRefused, "order by changed"),
        (
            {"statement": "select '1' as id, '2' as id from ev", "fields": {}},
            SourceRefused,
            "the column id more than once",
        ),
    ],
)
async def test_a_database_that_cannot_be_worked_with_is_told(
    database: SqlWorld, change: dict[str, Any], error: type[Exception], why: str
) -> None:
    insert(database, "R-1", 0)
    insert(database, "R-2", 1)
    config = database.source()._config.model_dump()
    read = next(r for r in config["reads"] if r["name"] == "report")
    config["schema"] = config.pop("schema_")
    if change.pop("order", ""):
        read["statement"] = read["statement"].replace("changed, n limit", "changed desc limit")
    if "statement" in change:
        read |= {"watermark": "", "start": ""}
    for name, value in change.items():
        (read if name in read else config)[name] = value
    source = MesSqlSource(MesSqlSource.Config.model_validate(config), database.clock, "mes")
    with pytest.raises(error, match=why):
        await source.feed(database.intake(source))


async def test_what_the_statements_find_can_be_tried(database: SqlWorld) -> None:
    insert(database, "R-1", 0)
    found = await database.source().probe()
    assert (found["report"], found["order"]) == ("1 rows", "0 rows")


async def test_what_is_wrong_with_each_statement_is_told_and_where_the_database_is(
    database: SqlWorld,
) -> None:
    config = database.source()._config.model_dump()
    config["schema"] = config.pop("schema_")
    good = next(r for r in config["reads"] if r["name"] == "report")
    whole = {"watermark": "", "start": ""}
    config["reads"] = [
        good | {"name": "lost", "statement": "select nothing from nowhere"} | whole,
        good | {"name": "bare", "statement": "select '1' as id from ev where false"} | whole,
        good,
    ]
    found = await MesSqlSource(MesSqlSource.Config.model_validate(config), database.clock, "mes").probe()
    assert found["report"] == "0 rows"
    assert found["lost"].startswith("✗ ") and "nowhere" in found["lost"]
    assert f"{config['host']}:5432/{config['database']}: lost: " in found["lost"]
    assert found["lost"].endswith("; correct statement:")
    assert "✗ has no column " in found["bare"] and found["bare"].endswith("; correct fields: or statement:")


async def test_the_database_is_only_read(database: SqlWorld) -> None:
    config = database.source()._config.model_dump()
    config["schema"] = config.pop("schema_")
    read = {
        "name": "evil", "type": "report",
        "statement": "with gone as (delete from ev returning n) select n::text as id from gone",
    }  # fmt: skip
    config["reads"] = [read]
    insert(database, "R-1", 0)
    source = MesSqlSource(MesSqlSource.Config.model_validate(config), database.clock, "mes")
    with pytest.raises(SourceRefused, match="read-only"):
        await source.feed(database.intake(source))


# ------------------------------------------------------------------ Redis
@pytest.fixture
async def stream(house: Record, tmp_path: Path, redis_url: str) -> AsyncIterator[RedisWorld]:
    made = RedisWorld(house, tmp_path, "", redis_url)
    yield made
    await made.close()


async def test_an_entry_without_an_event_is_a_reject_and_holds_up_nobody(stream: RedisWorld) -> None:
    await stream.redis.xadd("mes", {"other": "x"})
    await stream.redis.xadd("mes", {"event": "{"})
    await stream.redis.xadd("mes", {"event": b"\xff\x00"})
    await stream.tell([REPORT])
    await stream.read()
    kept = await stream.record.rejects()
    assert len(kept) == 3 and "is no text in UTF-8" in kept[2]["reason_en"]
    assert await numbers(stream.record) == ["R-1"]
    assert (await stream.redis.xpending("mes", "andon-hub"))["pending"] == 0


async def test_letters_of_another_encoding_are_not_guessed(stream: RedisWorld) -> None:
    told = json.dumps({**REPORT, "person": "李"}, ensure_ascii=False).encode("gb18030")
    await stream.redis.xadd("mes", {"event": told})
    await stream.read()
    assert await numbers(stream.record) == []
    (kept,) = await stream.record.rejects()
    assert "looks like GB18030" in kept["reason_en"] and "encoding: gb18030" in kept["reason_zh"]
    config = stream.source()._config.model_copy(update={"encoding": "gb18030"})
    source = MesRedisSource(config, stream.clock, "mes")
    (verdict,) = await stream.intake(source).take([json.loads(kept["record"])])
    assert (verdict.fate, await numbers(stream.record)) == (Uptake.TAKEN, ["R-1"])
    (report,) = (await stream.record.everything())["reports"]
    assert report["person"] == "李"


async def test_what_a_consumer_took_with_it_is_taken_over(stream: RedisWorld) -> None:
    await stream.tell([REPORT])
    await stream.redis.xgroup_create("mes", "andon-hub", id="0")
    await stream.redis.xreadgroup("andon-hub", "dead", {"mes": ">"})
    config = stream.source()._config.model_copy(update={"abandoned": timedelta(0)})
    source = MesRedisSource(config, stream.clock, "mes")
    with pytest.raises(Enough):
        await source.feed(stream.intake(source))
    assert await numbers(stream.record) == ["R-1"]


async def test_what_was_trimmed_before_it_was_taken_over_holds_up_nothing(
    stream: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis 6.2 answers nil for such an entry, and the client makes (None, None) of it."""
    real = Redis.xautoclaim

    async def as_6_2(self: Redis, *told: Any, **more: Any) -> Any:
        after, entries, *rest = await real(self, *told, **more)
        return [after, [(None, None), *entries], *rest]

    monkeypatch.setattr(Redis, "xautoclaim", as_6_2)
    await stream.tell([REPORT])
    await stream.read()
    assert await numbers(stream.record) == ["R-1"]
    assert (await stream.redis.xpending("mes", "andon-hub"))["pending"] == 0


async def test_a_redis_that_is_too_old_is_told(stream: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def as_6_0(*_: Any, **__: Any) -> Any:
        raise ResponseError("unknown command `XAUTOCLAIM`, with args beginning with: `mes`,")

    monkeypatch.setattr(Redis, "xautoclaim", as_6_0)
    with pytest.raises(SourceRefused, match=r"Redis 6\.2"):
        await stream.read()


async def test_a_report_without_an_id_has_that_of_its_entry(stream: RedisWorld) -> None:
    number = await stream.redis.xadd(
        "mes", {"event": json.dumps({k: v for k, v in REPORT.items() if k != "id"})}
    )
    await stream.read()
    assert isinstance(number, bytes)
    assert await numbers(stream.record) == [number.decode()]


async def test_what_redis_refuses_is_told_without_its_password(house: Record, stream: RedisWorld) -> None:
    await stream.redis.set("mes", "no stream")
    with pytest.raises(SourceRefused, match="is no stream"):
        await stream.read()
    away = {"url": "redis://:very-secret-4711@127.0.0.1:1/0", "stream": "mes"}
    states: list[tuple[bool, str]] = []

    async def on_state(up: bool, error: str) -> None:
        states.append((up, error))

    runner = EventRunner(
        "mes", lambda: MesRedisSource(MesRedisSource.Config.model_validate(away), stream.clock, "mes"),
        house.ledger, stream.clock, house.shout, on_state,
    )  # fmt: skip
    with pytest.raises(SourceUnavailable) as told:
        await runner.run()
    assert "4711" not in str(told.value)
    assert states == [(False, str(told.value))]


async def test_a_source_that_answers_is_up_and_ends_cleanly(stream: RedisWorld) -> None:
    up = asyncio.Event()

    async def on_state(well: bool, error: str) -> None:
        assert (well, error) == (True, "")
        up.set()

    runner = EventRunner(
        "mes", stream.source, stream.record.ledger, stream.clock, stream.record.shout, on_state
    )
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(20):
        await up.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ------------------------------------------------------------------ SQL Server
class Offsets:
    """A table of one datetimeoffset column as SQL Server answers: a parameter without a zone is UTC to it."""

    Error = RuntimeError
    can_explain = False

    def __init__(self, *rows: tuple[str, datetime]) -> None:
        self.table, self.asked = list(rows), list[datetime]()
        self.description = [("id", 231), ("at", 43)]
        self.wants_zone = SqlServer.wants_zone.__get__(self)

    def connect(self, *_: Any) -> Offsets:
        return self

    def begin(self, *_: Any, **__: Any) -> None: ...

    def cursor(self) -> Offsets:
        return self

    def execute(self, _: str, values: dict[str, Any]) -> None:
        since = values["since"]
        self.asked.append(since)
        at = since if since.tzinfo else since.replace(tzinfo=UTC)
        self.found = [row for row in self.table if row[1] >= at]

    def fetchall(self) -> list[tuple[str, datetime]]:
        return self.found

    def close(self) -> None: ...

    rollback = close


async def test_a_watermark_with_its_zone_is_compared_with_it_in_sql_server(
    house: Record, files: FilesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else eight hours of a plant in China would be passed over."""
    zone = timezone(timedelta(hours=8))
    table = Offsets(*((f"R-{n}", datetime(2026, 1, 5, 9, n, tzinfo=zone)) for n in range(3)))
    monkeypatch.setattr(mes_sql, "driver", lambda _: table)
    block = {
        "driver": "mssql", "host": "x", "database": "mes", "user": "u", "reads": [
            {
                "name": "r", "type": "report", "watermark": "at", "start": "2026-01-05T08:59:00",
                "fields": {"id": "id", "at": "at"},
                "constants": {"order": "MO-1", "operation": "10", "good": 1},
                "statement": "select top (:limit) id, at from t where at >= :since order by at",
            }
        ],
    }  # fmt: skip
    source = MesSqlSource(MesSqlSource.Config.model_validate(block), files.clock, "mes")
    with pytest.raises(Enough):
        await source.feed(files.intake(source))
    assert await numbers(house) == ["R-0", "R-1", "R-2"]
    assert [at.tzinfo is not None for at in table.asked][:3] == [False, True, True]
