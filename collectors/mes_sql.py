"""MES by its database: rows are polled from a watermark on, with a window for those that come late.

Only reading: each statement is a SELECT of the configuration with bound parameters, in a transaction that is
told to be read-only where the database can be. PostgreSQL's driver is part of the hub; MySQL/MariaDB and SQL
Server are the extras `mysql` and `mssql`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from collectors import mes_tables as tables
from collectors.mes_faults import Unreadable
from collectors.mes_map_checks import of_reads
from collectors.mes_marks import as_mark, as_parameter, number, parsed, written
from collectors.mes_set_back import Mark, reached, went_back
from collectors.mes_tables import Row, TableBlock
from hub import sql_text
from hub.config import Duration, TimeZoneName
from hub.databases import Driver, Failure, SqlBlock, driver, letters
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.intake import Fault
from hub.model.words import Words
from hub.ports import Clock, MesIntake

_log = logging.getLogger(__name__)
_PARAMETERS = frozenset({"since", "limit"})
_STEP = 500  # events of one transaction
_AGAIN = 100_000  # numbers before the end of a database that was set back


class ReadBlock(TableBlock):
    """One statement. `watermark`: a column that only grows, by which it is ordered; without one the whole
    answer is read every time, and what has not changed since is passed over."""

    statement: str
    watermark: str = ""
    late: Duration = Field(timedelta(minutes=10), description="how much later than its time a row may appear")
    late_numbers: int = Field(1000, ge=0, description="the same where the watermark is a number")
    start: str = Field("", description="watermark to begin with: a time or a whole number")
    limit: int = Field(1000, ge=1, le=10_000, description="rows of one answer, as :limit")

    @field_validator("statement")
    @classmethod
    def _reads(cls, value: str) -> str:
        if faults := sql_text.faults(value, _PARAMETERS, write=False):
            raise ValueError("; ".join(faults))
        return value

    @model_validator(mode="after")
    def _bound(self) -> Self:
        used = sql_text.names(self.statement)
        if unknown := [n for n in used if n not in _PARAMETERS]:
            raise ValueError(f"statement: :{unknown[0]} is unknown; there are :since and :limit")
        if bool(self.watermark) != ("since" in used):
            raise ValueError("watermark and :since go together: write both, or neither")
        if self.watermark and "limit" not in used:
            raise ValueError("statement: needs :limit, with order by the watermark")
        if self.watermark and (passed := sql_text.passes_over(self.statement, self.watermark)):
            raise ValueError(f"statement: {passed}")
        if self.watermark and any(n.startswith("job.") for n in self.fields):
            raise ValueError("orders with a row for each operation are read whole: leave watermark: out")
        if self.watermark:
            self.first(ZoneInfo("UTC"))
        return self

    def first(self, zone: ZoneInfo) -> Mark:
        """The watermark to begin with."""
        try:
            return parsed(self.start, zone)
        except ValueError:
            raise ValueError("start: say where to begin, '2026-01-01' or '0', in quotes") from None


class MesSqlConfig(SqlBlock):
    """The `with:` block of a `kind: mes-sql` source."""

    time_zone: TimeZoneName = Field("Asia/Shanghai", description="of times that name none")
    every: Duration = timedelta(seconds=5)
    reads: list[ReadBlock] = Field(min_length=1)

    def notes(self) -> list[str]:
        return of_reads(self)

    @field_validator("reads")
    @classmethod
    def _apart(cls, value: list[ReadBlock]) -> list[ReadBlock]:
        names = [r.name for r in value]
        if len(set(names)) != len(names):
            raise ValueError("two reads have the same name")
        return value


@dataclass(slots=True)
class _Place:
    """How far one read is, and what it has seen behind its watermark already."""

    mark: Mark | None = None
    seen: set[str] = field(default_factory=set)


class MesSqlSource:
    """Lives for one connection. The supervisor gives it the next one."""

    Config = MesSqlConfig

    def __init__(self, config: MesSqlConfig, clock: Clock, name: str) -> None:
        self._config, self._clock, self._name = config, clock, name
        self._zone = ZoneInfo(config.time_zone)
        self._reads = {r.name: r for r in config.reads}
        self._set_back: dict[str, str] = {}

    def health(self) -> dict[str, Any]:
        told = [f"{name} {text}" for name, text in self._set_back.items()]
        return {"set_back": told} if told else {}

    def event_of(self, record: Any) -> Any:
        """A count that is NULL is not known, and not 0."""
        if isinstance(record, Mapping) and (told := record.get("set_back")):
            why = Unreadable(Fault(str(told["watermark"]), went_back(told)))
            why.name = str(record.get("table"))
            raise why
        with tables.named_by_row(self._reads, record):
            made = tables.event_of(self._reads, self._zone, record)
            column = self._reads[record["table"]].fields.get("good", "good")
            if made["type"] == "report" and "good" not in made and column in record["rows"][0]:
                text = Words(
                    "为 NULL；若表示 0，请写 coalesce(…, 0)",
                    "is NULL; where that means 0 write coalesce(.., 0)",
                )
                raise Unreadable(Fault("good", text))
            return made

    async def feed(self, intake: MesIntake) -> None:
        """Raises SourceUnavailable, or SourceRefused when a statement or its answer cannot be worked with."""
        line = await asyncio.to_thread(_Line, driver(self._config.driver), self._config, self._zone)
        try:
            places = {r.name: await self._place(intake, r) for r in self._config.reads}
            while True:
                for read in self._config.reads:
                    await self._poll(line, read, places[read.name], intake)
                await intake.alive()
                await self._clock.sleep(self._config.every.total_seconds())
        finally:
            line.close()

    async def probe(self) -> Mapping[str, str]:
        """What each statement finds; changes nothing."""
        line = await asyncio.to_thread(_Line, driver(self._config.driver), self._config, self._zone)
        try:
            return {read.name: await self._tried(line, read) for read in self._config.reads}
        finally:
            line.close()

    async def _tried(self, line: _Line, read: ReadBlock) -> str:
        """What is wrong with one read does not hide what is wrong with the next."""
        try:
            first = read.first(self._zone) if read.watermark else None
            rows = await asyncio.to_thread(line.rows, read, first)
        except SourceRefused as cause:
            return f"✗ {cause}" + ("" if "; " in str(cause) else "; correct statement:")
        if lost := tables.missing_columns(read, line.columns):
            return f"✗ has no column {', '.join(lost)}; correct fields: or statement:"
        return f"{len(rows)} rows"

    async def _place(self, intake: MesIntake, read: ReadBlock) -> _Place:
        if not read.watermark:
            return _Place()
        first, known = read.first(self._zone), await intake.mark(read.name)
        mark = parsed(known, self._zone) if known else first
        return _Place(mark if type(mark) is type(first) else first)

    async def _poll(self, line: _Line, read: ReadBlock, place: _Place, intake: MesIntake) -> None:
        """Everything from the late window on; the mark is put on record after what lies before it."""
        since = None if place.mark is None else _earlier(place.mark, read)
        seen: set[str] = set()
        while True:
            rows = await self._rows(line, read, since)
            if (
                not rows
                and not seen
                and (back := await self._reached(line, read, place.mark, since)) is not None
            ):
                await self._tell_back(read, place.mark, back, intake)
                place.mark, place.seen, since = back, set(), _well_before(back, read)
                continue
            await self._take(read, rows, place.seen | seen, intake)
            seen |= {_key(row) for row in rows}
            if not read.watermark or not rows:
                break
            last = self._last(read, rows)
            place.mark = await self._move(read, place.mark, last, intake)
            if len(rows) < read.limit:
                break
            if last == since:
                raise SourceRefused(
                    f"{self._name}: {read.name}: {read.limit} rows share the watermark {written(last)}; "
                    "raise limit:, or choose a finer watermark"
                )
            since = last
        place.seen = seen

    async def _move(self, read: ReadBlock, mark: Mark | None, last: Mark, intake: MesIntake) -> Mark:
        """Never into the future: one row of a clock that is wrong would hide all that come after it."""
        reached: Mark = min(last, self._clock.now()) if isinstance(last, datetime) else last
        if mark is None or isinstance(mark, int) is not isinstance(reached, int):
            raise SourceRefused(f"{self._name}: {read.name}: start: is no {type(last).__name__}; correct it")
        if number(reached) <= number(mark):
            return mark
        await intake.set_mark(read.name, written(reached))
        return reached

    async def _reached(
        self, line: _Line, read: ReadBlock, mark: Mark | None, since: Mark | None
    ) -> Mark | None:
        """How far the watermark reaches where it has gone back behind the late window; None where it has not,
        or where there are no rows at all."""
        first = read.first(self._zone) if read.watermark else None
        if mark is None or since is None or first is None or number(since) <= number(first):
            return None

        async def marks(at: Mark) -> list[Mark]:
            rows = await self._rows(line, read, at)
            found = [as_mark(row[read.watermark], self._zone) for row in rows]
            return [m for m in found if m is not None]

        found = await reached(marks, first, since, read.limit)
        return found if found is not None and number(found) < number(since) else None

    async def _tell_back(self, read: ReadBlock, mark: Mark | None, back: Mark, intake: MesIntake) -> None:
        """Among the rejects, so that a person looks; then it is read from there on, which repeats nothing."""
        told = {"watermark": read.watermark, "from": self._shown(mark), "to": self._shown(back)}
        self._set_back[read.name] = f"{told['from']} → {told['to']}"
        _log.warning("%s: %s: %s %s", self._name, read.name, read.watermark, went_back(told).en)
        await intake.take([{"table": read.name, "set_back": told}])
        await intake.set_mark(read.name, written(back))

    def _shown(self, mark: Mark | None) -> str:
        return f"{mark.astimezone(self._zone):%Y-%m-%d %H:%M:%S}" if isinstance(mark, datetime) else str(mark)

    async def _rows(self, line: _Line, read: ReadBlock, since: Mark | None) -> list[Row]:
        rows = await asyncio.to_thread(line.rows, read, since)
        if rows and (lost := tables.missing_columns(read, list(rows[0]))):
            raise SourceRefused(
                f"{self._name}: {read.name}: the statement gives no column {', '.join(lost)}; correct fields:"
            )
        return rows

    async def _take(self, read: ReadBlock, rows: Sequence[Row], seen: set[str], intake: MesIntake) -> None:
        groups = [g for g in tables.folded(read, rows) if not all(_key(row) in seen for row in g)]
        records = [
            {"table": read.name, "rows": [{n: tables.plain(v) for n, v in row.items()} for row in group]}
            for group in groups
        ]
        for start in range(0, len(records), _STEP):
            await intake.take(records[start : start + _STEP])

    def _last(self, read: ReadBlock, rows: Sequence[Row]) -> Mark:
        """The watermark of the last row; raises SourceRefused when they are not in its order."""
        if read.watermark not in rows[0]:
            raise SourceRefused(
                f"{self._name}: {read.name}: the statement gives no column {read.watermark}; select it too"
            )
        marks = [as_mark(row[read.watermark], self._zone) for row in rows]
        known = [number(m) for m in marks if m is not None]
        if len(known) != len(marks) or len({type(m) for m in marks}) != 1:
            raise SourceRefused(
                f"{self._name}: {read.name}: {read.watermark} has to be a time or a whole number in every "
                "row (of a rowversion: cast(.. as bigint))"
            )
        if any(a > b for a, b in pairwise(known)):
            raise SourceRefused(f"{self._name}: {read.name}: write order by {read.watermark}")
        last = marks[-1]
        assert last is not None
        return last


class _Line:
    """One connection, used by one thread at a time."""

    def __init__(self, made: Driver, config: MesSqlConfig, zone: ZoneInfo) -> None:
        self._driver, self._config, self._zone = made, config, zone
        self.columns: list[str] = []  # of the last answer
        self._zoned: set[str] = set()  # reads whose watermark is compared together with its zone
        try:
            self._connection = made.connect(config, zone)
        except (made.Error, OSError) as cause:
            raise self._complaint("connect", cause) from None

    def rows(self, read: ReadBlock, since: Mark | None) -> list[Row]:
        """Asked once more where the answer shows that the watermark is compared with its zone."""
        found = self._asked(read, since)
        if found is None:
            self._zoned.add(read.name)
            found = self._asked(read, since)
        return found or []

    def _asked(self, read: ReadBlock, since: Mark | None) -> list[Row] | None:
        zoned = read.name in self._zoned
        told = since if zoned else as_parameter(since, self._zone)
        text, used = sql_text.bound(read.statement, {"since": told, "limit": read.limit})
        try:
            self._driver.begin(self._connection, write=False)
            cursor = self._connection.cursor()
            try:
                cursor.execute(text, used)
                about = cursor.description or ()
                if not zoned and isinstance(since, datetime) and self._wants_zone(about, read.watermark):
                    return None
                self.columns = names = [column[0] for column in about]
                self._once(read, names)
                return [dict(zip(names, map(letters, row), strict=True)) for row in cursor.fetchall()]
            finally:
                cursor.close()
                self._connection.rollback()
        except (self._driver.Error, OSError) as cause:
            raise self._complaint(read.name, cause) from None

    def _once(self, read: ReadBlock, names: Sequence[str]) -> None:
        used = tables.columns_of(read, names) | {read.watermark}
        if twice := [n for n in names if n in used and names.count(n) > 1]:
            raise SourceRefused(
                f"{read.name}: the statement gives the column {twice[0]} more than once; "
                "name what is meant with as .."
            )

    def _wants_zone(self, about: Sequence[Any], watermark: str) -> bool:
        return any(column[0] == watermark and self._driver.wants_zone(column[1]) for column in about)

    def close(self) -> None:
        try:
            self._connection.close()
        except (self._driver.Error, OSError):
            _log.debug("the connection to the MES's database was gone already")

    def _complaint(self, what: str, cause: BaseException) -> SourceUnavailable | SourceRefused:
        kind, said = self._driver.failure(cause)
        where, said = self._config.place, " ".join(said.split())[:300]
        if kind in (Failure.LOST, Failure.BUSY):
            return SourceUnavailable(f"{where}: {what}: {type(cause).__name__}; is the database on?")
        if kind is Failure.STRANGER:
            return SourceRefused(f"{where}: does not accept user, password or database; correct them")
        return SourceRefused(f"{where}: {what}: {said}")


def _key(row: Row) -> str:
    return repr(sorted((n, str(v)) for n, v in row.items()))


def _earlier(mark: Mark, read: ReadBlock) -> Mark:
    return mark - read.late_numbers if isinstance(mark, int) else mark - read.late


def _well_before(mark: Mark, read: ReadBlock) -> Mark:
    """Numbers were given anew, nobody knows how many; reading one again is harmless."""
    return mark - max(read.late_numbers, _AGAIN) if isinstance(mark, int) else mark - read.late
