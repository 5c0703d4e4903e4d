"""trytond as a child process on a cached, prepared SQLite database; put back to its beginning in 50 ms.

The database is made once by Tryton's own tools (activating the modules takes half a minute) and kept below
the user's cache, by the versions of Tryton and by what we seed. `ANDON_TRYTON_CACHE` names the folder.
A test gets it by SQLite's own backup into the file that the server works on, so the server stays up.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import httpx

from tests.leash import leashed
from tests.ports import free_port
from tests.simulators.tryton import seed as seeding
from tests.simulators.tryton.rpc import Rpc

DATABASE = "erp"
KEPT_SECONDS = 14 * 24 * 3600
_BIN = Path(sys.executable).parent
_CONFIG = """
[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
"""


class Unavailable(Exception):
    """This machine cannot do it; the text says why."""


def cache_folder() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "andon-hub" / "tryton"
    return Path(os.environ.get("ANDON_TRYTON_CACHE") or default)


class TrytonServer:
    """`reset` gives a test what was prepared. One for a test run: see `server`."""

    def __init__(self, template: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="andon-tryton-"))
        self._template = self._folder / "template"  # our own: the cache may be cleared while we run
        shutil.copyfile(template, self._template)
        self.file = self._folder / f"{DATABASE}.sqlite"
        shutil.copyfile(template, self.file)
        self.url, self._process = _launch(self._folder)

    def reset(self) -> None:
        with contextlib.closing(sqlite3.connect(self._template)) as source, self.opened() as target:
            source.backup(target)

    @contextlib.contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Its books, read beside the server."""
        with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as connection:
            yield connection

    def stop(self) -> None:
        _end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)


_running: list[TrytonServer] = []


def server() -> TrytonServer:
    """The run's one server, brought up at its first use. Raises Unavailable with the reason."""
    if not _running:
        _running.append(TrytonServer(template()))
        atexit.register(_running[0].stop)
    return _running[0]


# ------------------------------------------------------------------ made once
def template(say: Callable[[str], None] = lambda text: None) -> Path:
    """The prepared database; made now, and said, when this machine has none of this kind."""
    versions = sorted(
        f"{d.name} {d.version}" for d in metadata.distributions() if d.name.startswith("trytond")
    )
    if not versions or not (_BIN / "trytond-admin").exists():
        raise Unavailable("trytond is not installed beside this Python (requirements/dev.lock)")
    sources = [Path(str(m.__file__)).read_text("utf-8") for m in (seeding, sys.modules[__name__])]
    base = cache_folder()
    bare = base / f"bare-{_digest(*versions, *seeding.MODULES)}.sqlite"
    ready = base / f"ready-{_digest(bare.name, *sources)}.sqlite"
    try:
        base.mkdir(parents=True, exist_ok=True)
        with (base / "turn").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if not bare.exists():
                say("activating Tryton's modules in a new database, which is kept ...")
                _made(bare, _activate)
            if not ready.exists():
                _made(ready, lambda folder: _seed(folder, bare))
            for used in (bare, ready):
                used.touch()
            for old in base.glob("*.sqlite"):  # of releases and checkouts that nobody tests any more
                if time.time() - old.stat().st_mtime > KEPT_SECONDS:
                    old.unlink()
    except OSError as cause:
        raise Unavailable(f"the prepared database cannot be kept: {cause}") from None
    return ready


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _made(place: Path, fill: Callable[[Path], None]) -> None:
    """A half-made one is never taken for a whole one."""
    with tempfile.TemporaryDirectory(prefix="andon-tryton-new-") as name:
        folder = Path(name)
        fill(folder)
        part = place.with_suffix(".part")
        part.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(folder / f"{DATABASE}.sqlite")) as made:
            made.execute("vacuum into ?", [str(part)])
        part.replace(place)


def _activate(folder: Path) -> None:
    """An empty company's Tryton with our modules: half a minute of work for its own tool."""
    (folder / f"{DATABASE}.sqlite").touch()
    password = folder / "password"
    password.write_text(seeding.CLERK_PASSWORD)
    command = [
        str(_BIN / "trytond-admin"), "-c", str(_config(folder, 0)), "-d", DATABASE, "--email",
        "clerk@example.invalid", "-u", *seeding.MODULES, "--activate-dependencies",
    ]  # fmt: skip
    done = subprocess.run(
        command, env=_environment(TRYTONPASSFILE=str(password)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"trytond-admin failed: {' '.join(done.stderr.split())[-400:]}")


def _seed(folder: Path, bare: Path) -> None:
    shutil.copyfile(bare, folder / f"{DATABASE}.sqlite")
    url, process = _launch(folder)
    try:
        clerk = Rpc(url, DATABASE, seeding.CLERK, seeding.CLERK_PASSWORD)
        seeding.seed(clerk)
        clerk.close()
    finally:
        _end(process)
    with contextlib.closing(sqlite3.connect(folder / f"{DATABASE}.sqlite")) as made:
        _grow_old(made)
        _lighten(made)
        _open_doors(made)


def _grow_old(made: sqlite3.Connection) -> None:
    """Nothing has changed lately, and nobody is logged in."""
    tables = [name for (name,) in made.execute("select name from sqlite_master where type = 'table'")]
    for table in tables:
        columns = {row[1] for row in made.execute(f'pragma table_info("{table}")')}
        for column in columns & {"create_date", "write_date"}:
            made.execute(f'update "{table}" set "{column}" = ?', [seeding.LONG_AGO])
    made.execute("delete from ir_session")
    made.commit()


def _lighten(made: sqlite3.Connection) -> None:
    """Tryton opens the file anew for each transaction and SQLite then reads the whole schema: half of it is
    indexes, which a database of this size has no use for."""
    rows = made.execute("select name, sql from sqlite_master where type = 'index' and sql is not null")
    for name, sql in rows.fetchall():
        if not sql.lower().startswith("create unique"):
            made.execute(f'drop index "{name}"')
    made.commit()


def _open_doors(made: sqlite3.Connection) -> None:
    """Each test logs in, and a hashed password takes an eighth of a second to compare. Tryton keeps temporary
    passwords as they are: those who log in here have one that lasts."""
    for login, password in (
        (seeding.USER, seeding.PASSWORD),
        (seeding.CLERK, seeding.CLERK_PASSWORD),
    ):
        made.execute(
            "update res_user set password_hash = null, password_reset = ?,"
            " password_reset_expire = '2099-01-01 00:00:00' where login = ?",
            [password, login],
        )
    made.commit()


# ------------------------------------------------------------------ the process
def _launch(folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    port = free_port()
    command = [str(_BIN / "trytond"), "-c", str(_config(folder, port)), "-d", DATABASE]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            leashed(command), env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}/"
    for _ in range(1200):
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, timeout=5, trust_env=False, verify=False)  # certificates take a tenth of a second
            return url, process
        time.sleep(0.05)
    _end(process)
    raise Unavailable(f"trytond does not start: {(folder / 'server.log').read_text()[-400:]}")


def _config(folder: Path, port: int) -> Path:
    path = folder / "trytond.conf"
    path.write_text(_CONFIG.format(folder=folder, port=port))
    return path


def _environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONWARNINGS": "ignore", **more}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
