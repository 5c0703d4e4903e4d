"""MES by a drop folder: CSV and XLSX files, each taken once by its content, moved to done or to failed."""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import json
import logging
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from collectors import mes_tables as tables
from collectors.mes_faults import Unreadable
from collectors.mes_tables import Row, TableBlock
from collectors.spreadsheet import LARGEST, Unfit, is_formula, rows_of
from hub.config import Block, Duration
from hub.errors import SourceRefused, SourceUnavailable
from hub.failpoint import failpoint
from hub.model.intake import Fault
from hub.model.words import Words
from hub.ports import Clock, MesIntake

_log = logging.getLogger(__name__)
_STEP = 500  # events of one transaction
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp")
_FILE = "file"
_PUT_AWAY = "done"
_LOOKED_AFTER = timedelta(minutes=15)  # for how long after its last change a file in done/ is looked at
_MOST = 500  # files that are looked after


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


@dataclass(frozen=True, slots=True)
class _Put:
    """A file in done/ as it was taken. Its writer may only have paused, and goes on in the moved file."""

    name: str
    size: int
    changed: int
    digest: str  # of these bytes
    first: str  # digest that the ids of its rows are made of
    until: float  # seconds since 1970


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
        self._put: dict[str, _Put] = {}
        self._grown: dict[str, tuple[_Look, float]] = {}  # the same of what has changed in done/

    def event_of(self, record: Any) -> Any:
        if isinstance(record, Mapping) and (why := record.get("changed")):
            text = f"移入 done 后又被更改：{why}", f"was changed after it was taken and moved to done: {why}"
            raise Unreadable(Fault("file", Words(*text)))
        return tables.event_of(self._reads, self._zone, record)

    async def feed(self, intake: MesIntake) -> None:
        """Raises SourceUnavailable when the folder is away, SourceRefused when it cannot be worked with."""
        await asyncio.to_thread(self._prepare)
        self._put = _read_put(await intake.mark(_PUT_AWAY))
        while True:
            for name in self._settled(await asyncio.to_thread(self._look)):
                await self._take(name, intake)
            await self._look_after(intake)
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
            await self._put_away(path, digest, intake)
            return
        try:
            records = await asyncio.to_thread(self._records, name, content, digest)
        except Unfit as why:
            _log.warning("%s: %s %s", self._name, name, why)
            await asyncio.to_thread(self._refuse, path, digest, str(why))
            return
        rejected = await self._tell(records, intake)
        await intake.remember(_FILE, digest)
        failpoint("mes.file_before_move")
        await self._put_away(path, digest, intake)
        _log.info("%s: %s: %d records, %d rejected", self._name, name, len(records), rejected)

    async def _tell(self, records: Sequence[Mapping[str, Any]], intake: MesIntake) -> int:
        """How many were rejected."""
        rejected = 0
        for start in range(0, len(records), _STEP):
            verdicts = await intake.take(records[start : start + _STEP])
            rejected += sum(bool(v.faults) for v in verdicts)
        return rejected

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

    async def _put_away(self, path: Path, digest: str, intake: MesIntake) -> None:
        """On record before it is moved: a restart looks after it too."""
        look = self._seen[path.name][0]
        target = await asyncio.to_thread(_target, path, self._done, digest)
        until = self._clock.now() + _LOOKED_AFTER
        put = _Put(target.name, look.size, look.changed, digest, digest, until.timestamp())
        await self._keep(put, intake)
        await asyncio.to_thread(self._move, path, self._done, digest)

    def _move(self, path: Path, where: Path, digest: str) -> Path | None:
        target = _target(path, where, digest)
        try:
            path.replace(target)
        except FileNotFoundError:
            return None  # somebody else has put it away
        except OSError as cause:
            raise SourceRefused(
                f"{self._name}: {path.name} cannot be moved to {where}: {cause.strerror}"
            ) from None
        return target

    # ------------------------------------------------------------------ what was put away and goes on
    async def _look_after(self, intake: MesIntake) -> None:
        if not self._put:
            return
        now = self._clock.monotonic()
        looks = await asyncio.to_thread(self._looks, list(self._put))
        for name, look in looks.items():
            put = self._put[name]
            if look is None or (look.size, look.changed) == (put.size, put.changed):
                self._grown.pop(name, None)
                if look is None or self._clock.now().timestamp() > put.until:
                    del self._put[name]  # from the record with the next file
            elif self._grown.get(name, (None, 0.0))[0] != look:
                self._grown[name] = look, now
            elif now - self._grown[name][1] >= self._config.settle.total_seconds():
                await self._take_added(put, look, intake)

    def _looks(self, names: Sequence[str]) -> dict[str, _Look | None]:
        return {name: _look_at(self._done / name) for name in names}

    async def _take_added(self, put: _Put, look: _Look, intake: MesIntake) -> None:
        path = self._done / put.name
        content = await asyncio.to_thread(self._content, path)
        if content is None or await asyncio.to_thread(_look_at, path) != look:
            return  # somebody goes on writing
        digest = hashlib.sha256(content).hexdigest()
        if digest != put.digest:
            records = await asyncio.to_thread(self._added, put, content, digest)
            rejected = await self._tell(records, intake)
            await intake.remember(_FILE, digest)
            _log.warning(
                "%s: %s was changed after it was moved to done: %d records more, %d rejected; "
                "raise settle: above the pauses of its writer", self._name, put.name, len(records), rejected,
            )  # fmt: skip
        until = (self._clock.now() + _LOOKED_AFTER).timestamp()
        now = replace(put, size=look.size, changed=look.changed, digest=digest, until=until)
        await self._keep(now, intake)

    def _added(self, put: _Put, content: bytes, digest: str) -> list[dict[str, Any]]:
        """Records that were not taken, or not so: of a row that was cut off in the middle the whole one too.
        One that says so where the change is none that can be taken."""
        try:
            before = content[: put.size]
            if hashlib.sha256(before).hexdigest() != put.digest:
                raise Unfit(
                    "is not what was taken with more behind it; put what is new into a file of its own"
                )
            taken = {r["line"]: r for r in self._records(put.name, before, put.first)}
            found = self._records(put.name, content, put.first)
        except Unfit as why:
            return [{"changed": str(why), "file": put.name, "digest": digest}]
        return [r for r in found if taken.get(r["line"]) != r]

    async def _keep(self, put: _Put, intake: MesIntake) -> None:
        self._grown.pop(put.name, None)
        self._put.pop(put.name, None)
        self._put[put.name] = put
        for name in list(self._put)[:-_MOST]:
            del self._put[name]
        await intake.set_mark(_PUT_AWAY, json.dumps([asdict(p) for p in self._put.values()]))


def _read_put(mark: str) -> dict[str, _Put]:
    return {p["name"]: _Put(**p) for p in json.loads(mark or "[]")}


def _target(path: Path, where: Path, digest: str) -> Path:
    target = where / path.name
    return where / f"{path.stem}.{digest[:12]}{path.suffix}" if target.exists() else target


def _look_at(path: Path) -> _Look | None:
    try:
        now = path.lstat()
    except OSError:
        return None
    return _Look(now.st_size, now.st_mtime_ns, now.st_ino) if stat.S_ISREG(now.st_mode) else None


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
