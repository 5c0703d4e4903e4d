"""MES by a drop folder: CSV and XLSX files, each taken once by its content, moved to done or to failed."""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import logging
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from collectors import mes_tables as tables
from collectors.mes_tables import Row, TableBlock
from collectors.spreadsheet import LARGEST, Unfit, is_formula, rows_of
from hub.config import Block, Duration
from hub.errors import SourceRefused, SourceUnavailable
from hub.failpoint import failpoint
from hub.ports import Clock, MesIntake

_log = logging.getLogger(__name__)
_STEP = 500  # events of one transaction
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp")
_FILE = "file"


class SheetBlock(TableBlock):
    """What a kind of file means."""

    pattern: str = Field(min_length=1, description="names of its files: report-*.csv")
    sheet: str = Field("", description="XLSX: the sheet; the first, when empty")
    header: int = Field(1, ge=1, le=1000, description="row in which the columns are named")
    encoding: Literal["", "utf-8", "gb18030"] = Field("", description="CSV: told from the content when empty")
    delimiter: Literal["", ",", ";", "\t", "|"] = Field(
        "", description="CSV: told from the content when empty"
    )


class MesFilesConfig(Block):
    """The `with:` block of a `kind: mes-files` source."""

    folder: Path
    done: Path | None = Field(None, description="FOLDER/done when left out; on the same disk")
    failed: Path | None = Field(None, description="FOLDER/failed when left out; on the same disk")
    time_zone: str = Field("Asia/Shanghai", description="of times that name none")
    every: Duration = timedelta(seconds=2)
    settle: Duration = Field(timedelta(seconds=2), description="for how long a file has to stay as it is")
    reads: list[SheetBlock] = Field(min_length=1)

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        tables.zone_of(value)
        return value

    @field_validator("reads")
    @classmethod
    def _apart(cls, value: list[SheetBlock]) -> list[SheetBlock]:
        names = [r.name for r in value]
        if len(set(names)) != len(names):
            raise ValueError("two reads have the same name")
        return value


@dataclass(frozen=True, slots=True)
class _Look:
    """A file as it was seen: while this changes somebody is writing."""

    size: int
    changed: int  # nanoseconds
    inode: int


class MesFilesSource:
    """Reads plain files of the folder itself; links, folders and unfinished files are passed over."""

    Config = MesFilesConfig

    def __init__(self, config: MesFilesConfig, clock: Clock, name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._zone = ZoneInfo(config.time_zone)
        self._reads = {r.name: r for r in config.reads}
        self._done = config.done or config.folder / "done"
        self._failed = config.failed or config.folder / "failed"
        self._seen: dict[str, tuple[_Look, float]] = {}  # since when it looks so

    def event_of(self, record: Any) -> Any:
        return tables.event_of(self._reads, self._zone, record)

    async def feed(self, intake: MesIntake) -> None:
        """Raises SourceUnavailable when the folder is away, SourceRefused when it cannot be worked with."""
        await asyncio.to_thread(self._prepare)
        while True:
            for name in self._settled(await asyncio.to_thread(self._look)):
                await self._take(name, intake)
            await intake.alive()
            await self._clock.sleep(self._config.every.total_seconds())

    async def probe(self) -> Mapping[str, str]:
        """How many files wait; changes nothing."""
        found = await asyncio.to_thread(self._look)
        return {str(self._config.folder): f"{len(found)} files"}

    # ------------------------------------------------------------------ looking
    def _prepare(self) -> None:
        if not self._config.folder.is_dir():
            raise SourceUnavailable(f"{self._name}: {self._config.folder} is not there; is it mounted?")
        try:
            self._done.mkdir(exist_ok=True)
            self._failed.mkdir(exist_ok=True)
        except OSError as cause:
            raise SourceRefused(f"{self._name}: {cause}; make done: and failed: writable") from None

    def _look(self) -> dict[str, _Look]:
        """The oldest first."""
        try:
            found = {e.name: e.stat(follow_symlinks=False) for e in os.scandir(self._config.folder)}
        except FileNotFoundError:
            raise SourceUnavailable(
                f"{self._name}: {self._config.folder} is not there; is it mounted?"
            ) from None
        except OSError as cause:
            raise SourceUnavailable(f"{self._name}: {cause.strerror}: {self._config.folder}") from None
        plain = {n: s for n, s in found.items() if stat.S_ISREG(s.st_mode) and _finished(n)}
        ordered = sorted(plain, key=lambda n: (plain[n].st_mtime_ns, n))
        return {n: _Look(plain[n].st_size, plain[n].st_mtime_ns, plain[n].st_ino) for n in ordered}

    def _settled(self, found: Mapping[str, _Look]) -> list[str]:
        """Those that have stayed as they are; a file that is being written is waited for, and those behind it
        are not."""
        now = self._clock.monotonic()
        for name, look in found.items():
            if self._seen.get(name, (None, 0.0))[0] != look:
                self._seen[name] = (look, now)
        self._seen = {name: self._seen[name] for name in found}
        long = self._config.settle.total_seconds()
        return [name for name, (_, since) in self._seen.items() if now - since >= long]

    # ------------------------------------------------------------------ taking
    async def _take(self, name: str, intake: MesIntake) -> None:
        path = self._config.folder / name
        content = await asyncio.to_thread(self._content, path)
        if content is None or not self._same(path):
            return  # gone, or somebody goes on writing: the next look tells
        digest = hashlib.sha256(content).hexdigest()
        if await intake.remembers(_FILE, digest):
            _log.info("%s: %s was taken before; nothing is taken twice", self._name, name)
            await asyncio.to_thread(self._move, path, self._done, digest)
            return
        try:
            records = await asyncio.to_thread(self._records, name, content, digest)
        except Unfit as why:
            _log.warning("%s: %s %s", self._name, name, why)
            await asyncio.to_thread(self._refuse, path, digest, str(why))
            return
        rejected = 0
        for start in range(0, len(records), _STEP):
            verdicts = await intake.take(records[start : start + _STEP])
            rejected += sum(bool(v.faults) for v in verdicts)
        await intake.remember(_FILE, digest)
        failpoint("mes.file_before_move")
        await asyncio.to_thread(self._move, path, self._done, digest)
        _log.info("%s: %s: %d records, %d rejected", self._name, name, len(records), rejected)

    def _content(self, path: Path) -> bytes | None:
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
            with os.fdopen(handle, "rb") as file:
                return file.read(LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise SourceUnavailable(f"{self._name}: {cause.strerror}: {path.name}") from None

    def _same(self, path: Path) -> bool:
        try:
            now = path.lstat()
        except OSError:
            return False
        return self._seen[path.name][0] == _Look(now.st_size, now.st_mtime_ns, now.st_ino)

    def _records(self, name: str, content: bytes, digest: str) -> list[dict[str, Any]]:
        """Raises Unfit when the file as a whole cannot be read."""
        read = next((r for r in self._config.reads if fnmatch.fnmatch(name, r.pattern)), None)
        if read is None:
            raise Unfit("matches no pattern: under reads:; name it there, or put it elsewhere")
        lines = rows_of(name, content, read.sheet, read.encoding, read.delimiter)
        if len(lines) < read.header:
            raise Unfit(f"has no row {read.header} with the names of its columns")
        columns = [str(c).strip() if c is not None else "" for c in lines[read.header - 1]]
        if lost := tables.missing_columns(read, columns):
            raise Unfit(f"has no column {', '.join(lost)}; it has {', '.join(filter(None, columns))[:300]}")
        rows = [(n, _row(columns, cells)) for n, cells in enumerate(lines[read.header :], read.header + 1)]
        return list(_folded(read, [(n, row) for n, row in rows if row], name, digest))

    # ------------------------------------------------------------------ putting away
    def _refuse(self, path: Path, digest: str, why: str) -> None:
        moved = self._move(path, self._failed, digest)
        if moved is not None:
            with moved.with_name(moved.name + ".reason.txt").open("w", encoding="utf-8") as reason:
                reason.write(f"{path.name} {why}\n")

    def _move(self, path: Path, where: Path, digest: str) -> Path | None:
        target = where / path.name
        if target.exists():
            target = where / f"{path.stem}.{digest[:12]}{path.suffix}"
        try:
            path.replace(target)
        except FileNotFoundError:
            return None  # somebody else has put it away
        except OSError as cause:
            raise SourceRefused(
                f"{self._name}: {path.name} cannot be moved to {where}: {cause.strerror}"
            ) from None
        return target


def _finished(name: str) -> bool:
    """Copying programs mark what they have not written to its end; office programs what they hold open."""
    return not name.startswith((".", "~")) and not name.lower().endswith(_UNFINISHED)


def _row(columns: Sequence[str], cells: Sequence[Any]) -> Row:
    """{} of an empty one."""
    filled = any(c not in (None, "") for c in cells)
    return {n: tables.plain(c) for n, c in zip(columns, cells, strict=False) if n} if filled else {}


def _folded(read: SheetBlock, rows: Sequence[tuple[int, Row]], name: str, digest: str) -> Any:
    line = {id(row): n for n, row in rows}
    for group in tables.folded(read, [row for _, row in rows]):
        at = line[id(group[0])]
        made = {"table": read.name, "rows": group, "id": f"{digest[:24]}:{at}", "file": name, "line": at}
        broken = next((n for row in group for n, value in row.items() if is_formula(value)), "")
        yield made | ({"broken": broken} if broken else {})
