"""The embedded PostgreSQL survives what happens to processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

import hub.postgres_account
from hub.errors import ConfigError
from hub.people import record_of
from hub.postgres import EmbeddedPostgres
from hub.postgres_account import server_account

pytestmark = pytest.mark.anyio

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


def reachable_folder() -> Path:
    """For the server's account, unlike pytest's own temporary folders."""
    made = Path(tempfile.mkdtemp(prefix="andon-pg-"))
    made.chmod(0o711)
    return made


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A cluster as its first start and a clean stop leave it."""
    made = reachable_folder()

    async def once() -> None:
        async with EmbeddedPostgres(made / "pg"):
            pass

    asyncio.run(once())
    yield made / "pg"
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    made = reachable_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def folder(empty_folder: Path, cluster: Path) -> Path:
    """Its `pg` is a copy of the cluster, owners and all, which is quicker than making one."""
    subprocess.run(["cp", "-a", cluster, empty_folder / "pg"], check=True)
    return empty_folder


def fill(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("create table if not exists kept (n integer)")
        connection.execute("insert into kept select generate_series(1, %s)", [rows])


def count(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from kept").fetchone()
    return row[0] if row else -1


async def test_what_was_written_is_there_after_a_stop_and_a_start(folder: Path) -> None:
    async with EmbeddedPostgres(folder / "pg") as server:
        fill(server.dsn, 10)
    async with EmbeddedPostgres(folder / "pg") as server:
        assert count(server.dsn) == 10


async def test_a_password_is_set_while_a_hub_has_the_database_open(folder: Path) -> None:
    (folder / "pg").rename(folder / "postgres")
    told = SimpleNamespace(hub=SimpleNamespace(database=None, data=str(folder)))
    settings: Any = SimpleNamespace(file=told, plant=SimpleNamespace(time_zone="UTC"))
    async with EmbeddedPostgres(folder / "postgres") as server:
        async with record_of(settings) as record:
            await record.people.set_password("li", "hashed")
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("select person_id from passwords").fetchall() == [("li",)]


async def test_a_killed_postmaster_is_noticed_and_the_next_one_has_every_row(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg")
    fill(await server.start(), 20_000)
    waiting = asyncio.create_task(server.wait())
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        assert await waiting == -signal.SIGKILL
    assert count(await server.start()) == 20_000
    await server.stop()


async def test_it_listens_nowhere_but_on_a_socket_in_a_closed_folder(folder: Path) -> None:
    async with EmbeddedPostgres(folder / "pg") as server:
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("show listen_addresses").fetchone() == ("",)
            row = connection.execute("show unix_socket_directories").fetchone()
        assert row is not None
        sockets = Path(row[0].strip('"'))
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "pg").stat().st_mode) == 0o700


async def test_a_path_too_long_for_a_socket_gets_a_short_folder(folder: Path) -> None:
    deep = folder / ("x" * 90)
    (folder / "pg").rename(deep)
    async with EmbeddedPostgres(deep) as server:
        with psycopg.connect(server.dsn) as connection:
            row = connection.execute("show unix_socket_directories").fetchone()
    assert row is not None
    sockets = Path(row[0].strip('"'))
    assert sockets.parent == Path("/tmp")
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    shutil.rmtree(sockets)


async def test_a_second_hub_on_the_same_folder_is_told_who_is_there(folder: Path) -> None:
    async with EmbeddedPostgres(folder / "pg") as server:
        with pytest.raises(ConfigError, match=f"process {os.getpid()}"):
            await EmbeddedPostgres(folder / "pg").start()
        fill(server.dsn, 1)


HUB = """
import asyncio, pathlib, sys
from hub.postgres import EmbeddedPostgres
async def main():
    server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))
    print(await server.start(), server.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def hub_process(folder: Path) -> tuple[subprocess.Popen[str], str, int]:
    process = subprocess.Popen(
        [sys.executable, "-c", HUB, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    dsn, pid = process.stdout.readline().split()
    return process, dsn, int(pid)


async def test_the_server_of_a_killed_hub_gives_way_to_the_next_hub(folder: Path) -> None:
    process, dsn, _ = hub_process(folder / "pg")
    with process:
        fill(dsn, 1000)
        process.kill()
    async with EmbeddedPostgres(folder / "pg") as server:
        assert count(server.dsn) == 1000


async def test_hub_and_postmaster_killed_together_leave_a_pid_file_that_blocks_nobody(folder: Path) -> None:
    process, dsn, postmaster = hub_process(folder / "pg")
    with process:
        fill(dsn, 1000)
        os.kill(postmaster, signal.SIGKILL)
        process.kill()
    assert (folder / "pg/data/postmaster.pid").exists()
    async with EmbeddedPostgres(folder / "pg") as server:
        assert count(server.dsn) == 1000


async def test_data_of_another_version_is_refused_with_the_remedy(folder: Path) -> None:
    (folder / "pg/data/PG_VERSION").write_text("13\n")
    with pytest.raises(ConfigError, match=r"made by PostgreSQL 13.*ANDON_PG_BIN"):
        await EmbeddedPostgres(folder / "pg").start()


async def test_a_cluster_half_made_is_made_again(empty_folder: Path) -> None:
    (empty_folder / "pg/data.new").mkdir(parents=True)
    (empty_folder / "pg/data.new/PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(empty_folder / "pg") as server:
        fill(server.dsn, 1)


async def test_a_bin_folder_without_a_server_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDON_PG_BIN", str(folder))
    with pytest.raises(ConfigError, match="ANDON_PG_BIN"):
        await EmbeddedPostgres(folder / "pg").start()


async def test_before_it_runs_there_is_no_address(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg")
    with pytest.raises(RuntimeError):
        _ = server.dsn
    assert await server.wait() == 0
    await server.stop()


@as_root
async def test_as_root_the_server_runs_as_somebody_else(folder: Path) -> None:
    async with EmbeddedPostgres(folder / "pg") as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == server_account().uid != 0


@as_root
async def test_binaries_in_a_closed_folder_are_copied_and_the_folder_stays_closed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "venv"
    package = hub.postgres_account._binaries().parent.parent
    closed.mkdir(mode=0o700)
    (closed / package.name).symlink_to(package)
    libraries = f"{package.name}.libs"
    (closed / libraries).symlink_to(package.with_name(libraries))
    monkeypatch.setattr(
        hub.postgres_account, "_binaries", lambda: closed / package.name / "pginstall" / "bin"
    )
    async with EmbeddedPostgres(folder / "pg") as server:
        fill(server.dsn, 1)
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(folder / "pg")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
async def test_a_data_folder_in_a_closed_place_is_kept_elsewhere_and_found_again(folder: Path) -> None:
    (folder / "root").mkdir(mode=0o700)
    asked = folder / "root" / "pg"
    async with EmbeddedPostgres(asked) as server:
        fill(server.dsn, 5)
    async with EmbeddedPostgres(asked) as server:
        assert count(server.dsn) == 5
    elsewhere = Path((asked / "WHERE.txt").read_text().split()[-1])
    assert elsewhere.is_relative_to("/var/lib/andon-hub")
    assert stat.S_IMODE((folder / "root").stat().st_mode) == 0o700
    shutil.rmtree(elsewhere)
