"""A real TimescaleDB (Apache edition) for the tests, without Docker and without installing anything.

Debian's own packages of a newer suite are fetched with apt into a private state, unpacked into a folder and
run in a chroot: as a uid of its own when we are root, else inside a user namespace. The archive's address is
read from this machine's apt when it is needed. The unpacked tree and the cluster are kept and used again.

`ANDON_TIMESCALE_CACHE` names the folder (default ~/.cache/andon-hub/timescale), `ANDON_TIMESCALE_DSN` a
server to be used instead (its user may create databases).
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

SUITE, MAJOR = "trixie", 17
SERVER_UID = 64532
BIN = f"/usr/lib/postgresql/{MAJOR}/bin"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The server never loads these: the JIT's compiler, perl, locales, what only installers call.
LEFT_OUT = re.compile(
    r"^(libllvm|libz3|perl|libperl|locales|libc-l10n|libc-bin|debconf|libdebconf|adduser|passwd|procps|libproc2|"
    r"ssl-cert|openssl|ucf|sensible-utils|postgresql-common|postgresql-client-common|netbase|init-system|sysvinit|"
    r"login|base-passwd|readline-common|lib(text|ipc|io|json)-|libgdbm|libdb5|libsemanage|libsepol|"
    r"libaudit-common|libpam-modules|libpam-runtime)"
)
NOT_UNPACKED = (
    "./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/lib/*/bitcode",
    "./usr/lib/postgresql/*/lib/bitcode", "./usr/lib/postgresql/*/lib/llvmjit*",
)  # fmt: skip
SETTINGS = f"""
listen_addresses = ''
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
dynamic_shared_memory_type = sysv
jit = off
timezone = 'UTC'
max_connections = 200
shared_buffers = 128MB
unix_socket_directories = '/run'
unix_socket_permissions = 0777
fsync = off
synchronous_commit = off
full_page_writes = off
# {MAJOR}
"""
APART_PORT = 5433  # names its socket; nothing listens on the network
DURABLE = f"""
port = {APART_PORT}
fsync = on
synchronous_commit = on
full_page_writes = on
max_wal_size = 1GB
"""


class Unavailable(Exception):
    """This machine cannot do it; the text says why."""


def cache_folder() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "andon-hub" / "timescale"
    return Path(os.environ.get("ANDON_TIMESCALE_CACHE") or default)


@contextmanager
def server() -> Iterator[str]:
    """DSN of a server whose user may create databases. Ours is stopped with its last user."""
    given = os.environ.get("ANDON_TIMESCALE_DSN")
    if given:
        yield given
        return
    base = cache_folder() / f"{SUITE}-pg{MAJOR}"
    if len(os.fsencode(base)) > 80:
        raise Unavailable(f"{base} is too long for a socket's path; name a shorter ANDON_TIMESCALE_CACHE")
    base.mkdir(parents=True, exist_ok=True)
    with _shared(base):
        yield _dsn(base)


@contextmanager
def apart() -> Iterator[str]:
    """DSN of a new, durable server of its own from the same tree, gone with the block: for benches, which
    must neither disturb nor be disturbed. One at a time. With `ANDON_TIMESCALE_DSN`, that server."""
    given = os.environ.get("ANDON_TIMESCALE_DSN")
    if given:
        yield given
        return
    with server() as shared:  # unpacked, and kept while we use it
        base = cache_folder() / f"{SUITE}-pg{MAJOR}"
        with (base / "apart").open("w") as turn:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RuntimeError("another bench is running on this machine; wait for its end") from None
            _stop(base, "apart")  # of a bench that was killed
            _make_cluster(base, "apart", SETTINGS + DURABLE)
            try:
                _launch(base, "apart", f"{shared}&port={APART_PORT}")
                yield f"{shared}&port={APART_PORT}"
            finally:
                _stop(base, "apart")
                shutil.rmtree(base / "root/data/apart", ignore_errors=True)


@contextmanager
def _shared(base: Path) -> Iterator[None]:
    """Several test runs use one server: each holds a shared lock, the last one out stops it."""
    turn, users = (base / "turn").open("w"), (base / "users").open("w")
    with turn, users:
        fcntl.flock(turn, fcntl.LOCK_EX)
        try:
            _bring_up(base)
            fcntl.flock(users, fcntl.LOCK_SH)
        finally:
            fcntl.flock(turn, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(turn, fcntl.LOCK_EX)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop(base)
            except BlockingIOError:
                pass


def _bring_up(base: Path) -> None:
    if not (base / "unpacked").exists():
        _unpack(base, _fetch(base))
    if _postmaster(base):
        return
    if not (base / "root/data/pg/PG_VERSION").exists():
        _make_cluster(base)
    _launch(base, "pg", _dsn(base))
    _drop_leftovers(_dsn(base))


def _launch(base: Path, cluster: str, dsn: str) -> None:
    (base / f"root/data/{cluster}/postmaster.pid").unlink(missing_ok=True)
    with (base / "server.log").open("ab") as log:
        child = subprocess.Popen(
            _inside(base, f"{BIN}/postgres", "-D", f"/data/{cluster}"),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    child_ended = child.poll
    for _ in range(600):
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.OperationalError:
            if child_ended() is not None:
                break
            time.sleep(0.1)
        else:
            child.returncode = 0  # it may outlive us: whoever uses it last stops it
            return
    raise Unavailable(f"the server does not start: {(base / 'server.log').read_text()[-600:]}")


def _drop_leftovers(dsn: str) -> None:
    """Databases of test runs that were killed: the server has just started, so nobody uses them."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute("select datname from pg_database where datname like 'andon!_%' escape '!'")
        for (name,) in rows.fetchall():
            connection.execute(f"drop database {name} with (force)".encode())


def _dsn(base: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(base / 'root/run'), safe='')}"


def _postmaster(base: Path, cluster: str = "pg") -> int:
    """Process id of the live server of this folder, else 0."""
    try:
        pid = int((base / f"root/data/{cluster}/postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return 0
    return pid if b"postgres" in command else 0


def _stop(base: Path, cluster: str = "pg") -> None:
    pid = _postmaster(base, cluster)
    if not pid:
        return
    os.kill(pid, signal.SIGINT)
    for _ in range(300):
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            if not _postmaster(base, cluster):
                return
        time.sleep(0.1)


# ------------------------------------------------------------------ inside the tree
def _inside(base: Path, *command: str) -> list[str]:
    root = str(base / "root")
    clean = ["/usr/bin/env", "-i", f"PATH={BIN}:/usr/bin", "LC_ALL=C", "PGTZ=UTC", "HOME=/data", *command]
    if os.geteuid() == 0:
        return ["chroot", f"--userspec={SERVER_UID}:{SERVER_UID}", root, *clean]
    enter = 'mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
    return ["unshare", "--user", "--map-current-user", "--mount", "--keep-caps", "--",
            "/bin/sh", "-c", enter, root, *clean]  # fmt: skip


def _make_cluster(base: Path, cluster: str = "pg", settings: str = SETTINGS) -> None:
    if subprocess.run(_inside(base, "/usr/bin/true"), check=False, capture_output=True).returncode:
        raise Unavailable("this machine allows neither chroot nor a user namespace")
    shutil.rmtree(base / f"root/data/{cluster}", ignore_errors=True)
    _run(_inside(base, f"{BIN}/initdb", "-D", f"/data/{cluster}", "-U", "postgres", "--auth=trust",
                 "--encoding=UTF8", "--locale=C", "--no-sync"), "initdb")  # fmt: skip
    with (base / f"root/data/{cluster}/postgresql.conf").open("a") as conf:
        conf.write(settings)


def _run(command: Sequence[str], what: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        raise Unavailable(f"{what} failed: {' '.join((done.stderr or done.stdout).split())[-400:]}")
    return done.stdout


# ------------------------------------------------------------------ packages
def _fetch(base: Path) -> list[Path]:
    for tool in ("apt-get", "dpkg-deb", "dpkg", "tar"):
        if shutil.which(tool) is None:
            raise Unavailable(f"there is no {tool} on this machine")
    if not KEYRING.exists():
        raise Unavailable("there is no Debian archive keyring on this machine")
    apt = base / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    for folder in ("lists/partial", "archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    architecture = _run(["dpkg", "--print-architecture"], "dpkg").strip()
    (apt / "sources.list").write_text(
        "".join(
            f"deb [arch={architecture} signed-by={KEYRING}] {address} {suite} main\n"
            for address, suite in _archives()
        )
    )
    options = _apt_options(apt, architecture)
    _run(["apt-get", *options, "update"], f"reading the package list of {SUITE}")
    wanted = [f"postgresql-{MAJOR}-timescaledb", "dash", "coreutils"]
    plan = _run(["apt-get", *options, "-y", "--print-uris", "install", *wanted], f"{SUITE}: {wanted[0]}")
    names = sorted({m[1] for m in re.finditer(r"^'[^']*' ([^_]+)_", plan, re.M) if not LEFT_OUT.match(m[1])})
    _run(["apt-get", *options, "download", *names], "fetching packages", cwd=apt / "archives")
    return sorted((apt / "archives").glob("*.deb"))


def _apt_options(apt: Path, architecture: str) -> list[str]:
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": 0,
        "Acquire::Languages": "none",
        "Acquire::Retries": 3,
        "Debug::NoLocking": 1,
    }
    return ["-qq", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]


def _archives() -> list[tuple[str, str]]:
    """(address, suite) of the machine's own Debian archive and of its security archive where it has one."""
    listed = _run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"],
        "reading apt's sources",
    )
    known = {tuple(line.split("|")[:2]): line.split("|")[2] for line in reversed(listed.splitlines())}
    main = known.get(("Debian", "Debian")) or _written_in_sources(r"/debian/?$")
    security = known.get(("Debian", "Debian-Security")) or _written_in_sources(r"/debian-security/?$")
    if not main:
        raise Unavailable("there is no Debian archive in this machine's apt sources")
    return [(main, SUITE), *([(security, f"{SUITE}-security")] if security else [])]


def _written_in_sources(ending: str) -> str:
    """From the source lists themselves: apt knows no origin before its first update."""
    folder = Path("/etc/apt")
    for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        if not path.is_file():
            continue
        for address in re.findall(r"(?:URIs:|^deb(?: \[[^]]*\])?)\s+(\S+)", path.read_text(), re.M):
            if re.search(ending, address):
                return str(address)
    return ""


def _unpack(base: Path, packages: Sequence[Path]) -> None:
    fresh = base / "root.new"
    shutil.rmtree(fresh, ignore_errors=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (fresh / "usr" / name).mkdir(parents=True)
        (fresh / name).symlink_to(f"usr/{name}")
    excluded = [f"--exclude={pattern}" for pattern in NOT_UNPACKED]
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as files:
            subprocess.run(
                ["tar", "-x", "-C", fresh, "--no-same-owner", "--keep-directory-symlink", *excluded],
                stdin=files.stdout, check=True,
            )  # fmt: skip
    _furnish(fresh)
    shutil.rmtree(base / "root", ignore_errors=True)
    fresh.rename(base / "root")
    (base / "unpacked").write_text("".join(f"{p.name}\n" for p in packages))
    shutil.rmtree(base / "apt")


def _furnish(root: Path) -> None:
    for name in ("dev/shm", "tmp", "run", "proc", "etc", "data"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "dev/shm"):
        (root / name).chmod(0o1777)
    uid = SERVER_UID if os.geteuid() == 0 else os.geteuid()
    gid = SERVER_UID if os.geteuid() == 0 else os.getegid()
    (root / "etc/passwd").write_text(f"root:x:0:0::/:/bin/sh\npostgres:x:{uid}:{gid}::/data:/bin/sh\n")
    (root / "etc/group").write_text(f"root:x:0:\npostgres:x:{gid}:\n")
    if os.geteuid() != 0:
        return
    for name in ("data", "run"):
        os.chown(root / name, uid, gid)
    try:
        os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
        os.mknod(root / "dev/urandom", 0o20666, os.makedev(1, 9))
    except OSError as cause:
        raise Unavailable(f"root may not make device nodes here ({cause.strerror})") from None
    for name in ("null", "urandom"):
        (root / "dev" / name).chmod(0o666)
