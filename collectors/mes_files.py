"""MES by a drop folder: CSV and XLSX files, each taken once by its content, moved to done or to failed."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from collectors import mes_put as put_away
from collectors import mes_sheets as sheets
from collectors import mes_tables as tables
from collectors.mes_faults import Unreadable
from collectors.mes_folder import DONE, FAILED, FileUnavailable, Folder, Look, look_at, readable
from collectors.mes_letters import Unfit
from collectors.mes_map_checks import of_reads
from collectors.mes_put import GONE, Put, refusal, refused
from collectors.mes_sheets import SheetBlock
from hub.config import Block, Duration, TimeZoneName
from hub.errors import SourceRefused, SourceUnavailable
from hub.failpoint import failpoint
from hub.model.intake import Fault, Uptake, Verdict
from hub.model.words import Words
from hub.ports import Clock, MesIntake

_log = logging.getLogger(__name__)
_STEP = 500  # events of one transaction
_FILE = "file"  # taken, by the digest of its content
_END = "file-end"  # the same with a last row that no line end closes
_MENDED = "file-mended"  # was refused, and is taken now
_PUT_AWAY = "done"
_LOOKED_AFTER = timedelta(minutes=15)  # for how long after its last change a file put away is looked at
_HELD = timedelta(minutes=1)  # for how long after it a row may be the beginning of one
_MOST = 500  # files that are looked after
_NOTHING = b"\xef\xbb\xbf\xff\xfe \t\r\n\x00"


class MesFilesConfig(Block):
    """The `with:` block of a `kind: mes-files` source."""

    folder: Path
    done: Path | None = Field(None, description="FOLDER/done when left out; on the same disk")
    failed: Path | None = Field(None, description="FOLDER/failed when left out; on the same disk")
    time_zone: TimeZoneName = Field("Asia/Shanghai", description="of times that name none")
    every: Duration = timedelta(seconds=2)
    settle: Duration = Field(timedelta(seconds=2), description="for how long a file has to stay as it is")
    reads: list[SheetBlock] = Field(min_length=1)

    def notes(self) -> list[str]:
        return of_reads(self)

    @field_validator("reads")
    @classmethod
    def _apart(cls, value: list[SheetBlock]) -> list[SheetBlock]:
        names = [r.name for r in value]
        if len(set(names)) != len(names):
            raise ValueError("two reads have the same name")
        if hidden := sheets.hidden(value):
            raise ValueError(hidden)
        return value

    @model_validator(mode="after")
    def _elsewhere(self) -> MesFilesConfig:
        folder = os.path.abspath(self.folder)  # noqa: PTH100 by its name: a share that hangs is not touched
        for key, place in (("done", self.done), ("failed", self.failed)):
            if place is not None and os.path.abspath(place) == folder:  # noqa: PTH100
                raise ValueError(
                    f"{key}: is the folder itself, and its files would be read again; name another"
                )
        return self


class MesFilesSource:
    """Reads files that have stayed as they are, and looks after those it has put away."""

    Config = MesFilesConfig
    place = frozenset({"file", "line", "why", "kept"})  # where a record stood, and not what it is

    def __init__(self, config: MesFilesConfig, clock: Clock, name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._zone = ZoneInfo(config.time_zone)
        self._reads = {r.name: r for r in config.reads}
        self._folder = Folder(name, config.folder, config.done, config.failed)
        self._seen: dict[str, tuple[Look, float]] = {}  # since when it looks so
        self._put: dict[tuple[str, str], Put] = {}
        self._grown: dict[tuple[str, str], tuple[Look, float]] = {}  # the same of what was put away

    def event_of(self, record: Any) -> Any:
        if isinstance(record, Mapping) and (why := record.get("changed")):
            text = f"移入 done 后又被更改：{why}", f"was changed after it was taken and moved to done: {why}"
            raise Unreadable(Fault("file", Words(*text)))
        if isinstance(record, Mapping) and record.get("refused"):
            raise refused(record)
        with tables.named_by_row(self._reads, record):
            return sheets.event_of(self._reads, self._zone, tables.as_mapping(record))

    async def feed(self, intake: MesIntake) -> None:
        """Raises SourceUnavailable when the folder is away, SourceRefused when it cannot be worked with."""
        await asyncio.to_thread(self._folder.prepare)
        self._put = put_away.read(await intake.mark(_PUT_AWAY))
        while True:
            failed: SourceUnavailable | SourceRefused | None = None
            for name in self._settled(await asyncio.to_thread(self._look)):
                try:
                    await self._take(name, intake)
                except (FileUnavailable, SourceRefused) as cause:  # told when the others have been taken
                    failed = failed or cause
            await self._look_after(intake)
            if failed is not None:
                raise failed
            await intake.alive()
            await self._clock.sleep(self._config.every.total_seconds())

    async def probe(self) -> Mapping[str, str]:
        """How many files wait; changes nothing."""
        found = await asyncio.to_thread(self._look)
        return {str(self._config.folder): f"{len(found)} files"}

    # ------------------------------------------------------------------ looking
    def _look(self) -> dict[str, Look]:
        return self._folder.look()

    def _settled(self, found: Mapping[str, Look]) -> list[str]:
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
        path, name = self._config.folder / name, readable(name)
        content = await asyncio.to_thread(self._content, path)
        if content is None or not self._same(path):
            return  # gone, or somebody goes on writing: the next look tells
        if self._only_begun(path, content):
            return
        digest = hashlib.sha256(content).hexdigest()
        await self._end_replaced(name, content, intake)
        if await intake.remembers(_FILE, digest):
            _log.info("%s: %s was taken before; nothing is taken twice", self._name, name)
            await self._put_away(path, content, digest, intake)
            return
        try:
            records = await asyncio.to_thread(self._records, name, content, whole=False)
        except Unfit as why:
            await self._refuse(path, content, digest, why, intake)
            return
        rejected = await self._tell(records, intake)
        await intake.remember(_FILE, digest)
        failpoint("mes.file_before_move")
        await self._put_away(path, content, digest, intake)
        _log.info("%s: %s: %d records, %d rejected", self._name, name, len(records), rejected)

    async def _tell(self, records: Sequence[Mapping[str, Any]], intake: MesIntake) -> int:
        """How many were rejected."""
        rejected = 0
        for start in range(0, len(records), _STEP):
            verdicts = await intake.take(records[start : start + _STEP])
            rejected += sum(bool(v.faults) for v in verdicts)
        return rejected

    def _content(self, path: Path) -> bytes | None:
        return self._folder.content(path)

    def _same(self, path: Path) -> bool:
        return look_at(path) == self._seen[path.name][0]

    def _only_begun(self, path: Path, content: bytes) -> bool:
        """An empty file says nothing and simply waits, one without the end of its head for a minute."""
        if not content.strip(_NOTHING):
            return True
        long, name = self._clock.monotonic() - self._seen[path.name][1], readable(path.name)
        return long < _HELD.total_seconds() and sheets.only_begun(self._reads.values(), name, content)

    def _records(self, name: str, content: bytes, *, whole: bool = True) -> list[dict[str, Any]]:
        """Raises Unfit when the file as a whole cannot be read. Unless it is `whole`, a last row without a
        line end is left out."""
        read = sheets.block_of(self._reads.values(), name)
        return sheets.records(read, name, content, whole=whole or not sheets.goes_on(name, content))

    # ------------------------------------------------------------------ what cannot be read
    async def _refuse(self, path: Path, content: bytes, digest: str, why: Unfit, intake: MesIntake) -> None:
        """Told before it is moved: a crash in between tells it once more."""
        name = readable(path.name)
        _log.warning("%s: %s %s", self._name, name, why)
        kept = await asyncio.to_thread(self._folder.target, name, FAILED, digest)
        await intake.take([refusal(name, kept, digest, content, why)])
        failpoint("mes.file_before_move")
        if await self._move(path, content, FAILED, kept, digest, intake):
            await asyncio.to_thread(self._folder.explain, kept, f"{name}\n{why.words.zh}\n{why.words.en}\n")

    async def again(self, record: Any, intake: MesIntake) -> Verdict | None:
        """A refused file that still lies in failed, read once more; None where the record is no such file."""
        if not isinstance(record, Mapping) or not record.get("refused"):
            return None
        name, kept, first = (str(record[n]) for n in ("refused", "kept", "digest"))
        path = self._folder.places[FAILED] / Path(kept).name
        content = await asyncio.to_thread(self._content, path)
        if content is None:
            if await intake.remembers(_MENDED, first):
                return Verdict(name, Uptake.REPEAT)
            return Verdict(name, Uptake.REJECTED, (Fault("file", GONE),))
        digest = hashlib.sha256(content).hexdigest()
        try:
            records = await asyncio.to_thread(self._records, name, content)
        except Unfit as why:
            return (await intake.take([refusal(name, kept, first, content, why)]))[0]
        await self._tell(records, intake)
        for kind, what in ((_FILE, digest), (_END, digest), (_MENDED, first)):
            await intake.remember(kind, what)
        target = await asyncio.to_thread(self._folder.target, name, DONE, digest)
        await asyncio.to_thread(self._folder.put, path, DONE, target)
        await asyncio.to_thread(self._folder.explain, kept, "")
        return Verdict(name, Uptake.TAKEN)

    # ------------------------------------------------------------------ putting away
    async def _put_away(self, path: Path, content: bytes, digest: str, intake: MesIntake) -> None:
        target = await asyncio.to_thread(self._folder.target, readable(path.name), DONE, digest)
        await self._move(path, content, DONE, target, digest, intake)

    async def _move(
        self, path: Path, content: bytes, place: str, target: str, digest: str, intake: MesIntake
    ) -> bool:
        """On record before it is moved: a restart looks after it too. False when another lies there now, or
        somebody goes on writing: then it stays, and the next look tells."""
        look = self._seen[path.name][0]
        dropped = readable(path.name)
        put = Put(target, look.size, look.changed, digest, digest, 0.0, place, dropped=dropped)
        if place == DONE and not await intake.remembers(_END, digest):
            put = await self._holding(put, content)
        await self._keep(put, intake)
        if await asyncio.to_thread(self._folder.put, path, place, target, look):
            return True
        _log.info("%s: %s was changed while it was taken; it is read again", self._name, dropped)
        if not put.held:  # else its last row is still to be told: see _end_replaced
            del self._put[put.where]
            await self._write_put(intake)
        return False

    async def _end_replaced(self, name: str, content: bytes, intake: MesIntake) -> None:
        """Of one that lay there under this name and was never moved: what was held back of it is half of a
        row where this content goes on with it, and else its last row."""
        left = [p for p in self._put.values() if p.held and p.dropped == name]
        looks = await asyncio.to_thread(self._folder.look_at, [p.where for p in left])
        for put in left:
            if looks[put.where] is not None:
                continue
            if hashlib.sha256(content[: put.size]).hexdigest() != put.digest:
                await self._tell_last(put, intake)
            del self._put[put.where]  # from the record with this file

    async def _holding(self, put: Put, content: bytes) -> Put:
        """Its last row is held back where no line end closes it."""
        if not sheets.goes_on(put.name, content):
            return replace(put, held=0.0, last=None)
        last = await asyncio.to_thread(self._last, put.called, content)
        return replace(put, held=(self._clock.now() + _HELD).timestamp(), last=last)

    async def _keep(self, put: Put, intake: MesIntake) -> None:
        self._grown.pop(put.where, None)
        self._put.pop(put.where, None)
        self._put[put.where] = replace(put, until=(self._clock.now() + _LOOKED_AFTER).timestamp())
        for where in list(self._put)[:-_MOST]:
            await self._tell_last(self._put[where], intake)  # nobody waits for more of it
            del self._put[where]
        await self._write_put(intake)

    async def _write_put(self, intake: MesIntake) -> None:
        await intake.set_mark(_PUT_AWAY, put_away.written(self._put.values()))

    # ------------------------------------------------------------------ what was put away and goes on
    async def _look_after(self, intake: MesIntake) -> None:
        if not self._put:
            return
        now = self._clock.monotonic()
        looks = await asyncio.to_thread(self._folder.look_at, list(self._put))
        waiting = {readable(name) for name in self._seen}
        for where, look in looks.items():
            put = self._put[where]
            if look is None and put.held and put.dropped in waiting:
                continue  # it was not moved: what lies there tells whether it goes on with the last row
            if look is None or (look.size, look.changed) == (put.size, put.changed):
                self._grown.pop(where, None)
                if put.held and (look is None or self._clock.now().timestamp() >= put.held):
                    await self._tell_last(put, intake)
                    await self._keep(replace(put, held=0.0, last=None), intake)
                elif look is None or self._clock.now().timestamp() > put.until:
                    del self._put[where]  # from the record with the next file
            elif self._grown.get(where, (None, 0.0))[0] != look:
                self._grown[where] = look, now
            elif now - self._grown[where][1] >= self._config.settle.total_seconds():
                await self._take_changed(put, look, intake)

    async def _tell_last(self, put: Put, intake: MesIntake) -> None:
        """Its last row, which has no line end and none will come."""
        if not put.held:
            return
        last = put.last
        if last is None:  # kept by an earlier release
            content = await asyncio.to_thread(self._content, self._folder.places[DONE] / put.name)
            if content is None or hashlib.sha256(content).hexdigest() != put.digest:
                return
            last = await asyncio.to_thread(self._last, put.called, content)
        await self._tell(last, intake)
        await intake.remember(_END, put.digest)

    def _last(self, name: str, content: bytes) -> list[dict[str, Any]]:
        before = {r["line"] for r in self._records(name, content, whole=False)}
        return [r for r in self._records(name, content) if r["line"] not in before]

    async def _take_changed(self, put: Put, look: Look, intake: MesIntake) -> None:
        path = self._folder.places[put.place] / put.name
        content = await asyncio.to_thread(self._content, path)
        if content is None or await asyncio.to_thread(look_at, path) != look:
            return  # somebody goes on writing
        digest = hashlib.sha256(content).hexdigest()
        now = replace(put, size=look.size, changed=look.changed, digest=digest)
        if digest == put.digest:
            await self._keep(now, intake)
        elif put.place == FAILED:
            await self._take_mended(now, content, intake)
        else:
            await self._take_added(put, now, content, intake)

    async def _take_added(self, put: Put, now: Put, content: bytes, intake: MesIntake) -> None:
        records = await asyncio.to_thread(self._added, put, content, now.digest)
        rejected = await self._tell(records, intake)
        await intake.remember(_FILE, now.digest)
        _log.warning(
            "%s: %s was changed after it was moved to done: %d records more, %d rejected; "
            "raise settle: above the pauses of its writer", self._name, put.name, len(records), rejected,
        )  # fmt: skip
        await self._keep(await self._holding(now, content), intake)

    async def _take_mended(self, now: Put, content: bytes, intake: MesIntake) -> None:
        """A refused file that its writer, or a person, has written on in failed."""
        path = self._folder.places[FAILED] / now.name
        try:
            records = await asyncio.to_thread(self._records, now.called, content, whole=False)
        except Unfit as why:
            await intake.take([refusal(now.called, now.name, now.first, content, why)])
            await self._keep(now, intake)
            return
        rejected = await self._tell(records, intake)
        await intake.remember(_FILE, now.digest)
        await intake.remember(_MENDED, now.first)
        _log.warning(
            "%s: %s was written on in failed and is taken now: %d records, %d rejected",
            self._name, now.name, len(records), rejected,
        )  # fmt: skip
        target = await asyncio.to_thread(self._folder.target, now.name, DONE, now.digest)
        del self._put[now.where]
        moved = replace(now, name=target, place=DONE, first=now.digest)
        await self._keep(await self._holding(moved, content), intake)
        await asyncio.to_thread(self._folder.put, path, DONE, target)
        await asyncio.to_thread(self._folder.explain, now.name, "")

    def _added(self, put: Put, content: bytes, digest: str) -> list[dict[str, Any]]:
        """Records that were not taken, or not so. One that says so where the change is none that can be
        taken."""
        try:
            before = content[: put.size]
            if hashlib.sha256(before).hexdigest() != put.digest:
                raise Unfit(
                    "is not what was taken with more behind it; put what is new into a file of its own"
                )
            taken = {r["line"]: r for r in self._records(put.called, before, whole=not put.held)}
            found = self._records(put.called, content, whole=False)
        except Unfit as why:
            return [{"changed": str(why), "file": put.name, "digest": digest}]
        return [r for r in found if taken.get(r["line"]) != r]
