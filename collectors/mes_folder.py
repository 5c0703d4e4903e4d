"""The folder into which an MES drops files: what lies there, and putting it away."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from collectors.spreadsheet import LARGEST
from hub.errors import SourceRefused, SourceUnavailable

_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp")
DONE, FAILED = "done", "failed"


class FileUnavailable(SourceUnavailable):
    """One file cannot be read: another user's, locked, on a bad sector. The others can."""


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it was seen: while this changes somebody is writing."""

    size: int
    changed: int  # nanoseconds
    inode: int


class Folder:
    """Plain files of the folder itself; links, folders and unfinished files are passed over."""

    def __init__(self, name: str, folder: Path, done: Path | None, failed: Path | None) -> None:
        self._name, self.path = name, folder
        self.places = {DONE: done or folder / DONE, FAILED: failed or folder / FAILED}

    def prepare(self) -> None:
        """Raises SourceUnavailable when it is away, SourceRefused when it cannot be worked with."""
        if not self.path.is_dir():
            raise self._away()
        try:
            for place in self.places.values():
                place.mkdir(exist_ok=True)
        except OSError as cause:
            raise SourceRefused(f"{self._name}: {cause}; make done: and failed: writable") from None

    def look(self) -> dict[str, Look]:
        """The oldest first. Without a file that is renamed or taken away meanwhile; only the listing tells
        whether the folder is there."""
        found: dict[str, os.stat_result] = {}
        try:
            with os.scandir(self.path) as listed:
                for entry in listed:
                    with suppress(FileNotFoundError):
                        found[entry.name] = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            raise self._away() from None
        except OSError as cause:
            raise SourceUnavailable(f"{self._name}: {cause.strerror}: {self.path}") from None
        plain = {n: s for n, s in found.items() if stat.S_ISREG(s.st_mode) and _finished(n)}
        ordered = sorted(plain, key=lambda n: (plain[n].st_mtime_ns, n))
        return {n: Look(plain[n].st_size, plain[n].st_mtime_ns, plain[n].st_ino) for n in ordered}

    def look_at(self, where: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Look | None]:
        """Of files that were put away: (place, name)."""
        return {(place, name): look_at(self.places[place] / name) for place, name in where}

    def content(self, path: Path) -> bytes | None:
        """None when it is gone. Raises FileUnavailable."""
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
            with os.fdopen(handle, "rb") as file:
                return file.read(LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise FileUnavailable(
                f"{self._name}: {readable(path.name)} cannot be read ({cause.strerror}); the others are taken"
            ) from None

    def target(self, name: str, place: str, digest: str) -> str:
        """Its name there."""
        path = self.places[place] / name
        return f"{path.stem}.{digest[:12]}{path.suffix}" if path.exists() else name

    def put(self, path: Path, place: str, name: str, seen: Look | None = None) -> bool:
        """False when it does not look as it was `seen`, or somebody else has put it away."""
        if seen is not None and look_at(path) != seen:
            return False
        try:
            path.replace(self.places[place] / name)
        except OSError as cause:
            if isinstance(cause, FileNotFoundError) and look_at(path) is None:
                return False
            where = f"{readable(path.name)} cannot be moved to {self.places[place]}"
            raise SourceRefused(f"{self._name}: {where}: {cause.strerror}") from None
        return True

    def explain(self, name: str, why: str) -> None:
        """Beside a file in failed, for whoever looks there; "" takes it away."""
        reason = self.places[FAILED] / f"{name}.reason.txt"
        if why:
            with reason.open("w", encoding="utf-8") as file:
                file.write(why)
        else:
            reason.unlink(missing_ok=True)

    def _away(self) -> SourceUnavailable:
        return SourceUnavailable(f"{self._name}: {self.path} is not there; is it mounted?")


def readable(name: str) -> str:
    """What people and the record are told of a file, and what it is called where it is put away: a name that
    is no UTF-8 is GBK as a rule, of a transfer or a share that does not say so."""
    raw = os.fsencode(name)
    for code in ("utf-8", "gb18030"):
        with suppress(UnicodeDecodeError):
            return raw.decode(code)
    return raw.decode("utf-8", "backslashreplace").replace("\\", "_")


def look_at(path: Path) -> Look | None:
    try:
        now = path.lstat()
    except OSError:
        return None
    return Look(now.st_size, now.st_mtime_ns, now.st_ino) if stat.S_ISREG(now.st_mode) else None


def _finished(name: str) -> bool:
    """Copying programs mark what they have not written to its end; office programs what they hold open."""
    return not name.startswith((".", "~")) and not name.lower().endswith(_UNFINISHED)
