"""Lists that no interface of U9 gives: by a constant SQL statement, or by CommonEntity/Query.

Nothing but plain numbers and words goes into a statement. Sites lack columns and tables: one that is not
needed is gone on without, and told once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from erp_bridge.as_read import moment, one
from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.yonyou_answers import NO_ROUTE, U9Refusal, U9Trouble, rows_in, text
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_kinds import PLAIN, Kind
from erp_bridge.yonyou_list_maps import ENTITIES, NEEDED
from erp_bridge.yonyou_maps import DOCUMENTS
from erp_bridge.yonyou_records import alias, alias_of, at, nested
from hub.errors import ConfigError, ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

SQL, ENTITY = "QueryCommon/QueryInfoBySql", "CommonEntity/Query"
_COLUMN = re.compile(r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$")
_JOIN = re.compile(r"\s+(?=LEFT\s+JOIN\s)", re.IGNORECASE)
_NUMBERS = frozenset({"doc_state"})  # of theirs that are numbers, also where a column has no type
AT_ONCE = 100
MOST_PAGES = 10_000
SPAN = 100  # ids between which the newest records are looked for
_TABLE = re.compile(r"LEFT\s+JOIN\s", re.IGNORECASE)
NOBODY = "1 = 0"  # asks for columns alone

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`fields`: our field -> one of these values. `since`: what has changed since, as far as that is kept."""

    fields: Mapping[str, Collection[str]]
    since: datetime | None = None


ALL = Wanted({})


class ListReader:
    def __init__(self, config: YonyouConfig, client: U9Client, kind: Kind) -> None:
        self._config = config
        self._client = client
        self._kind = kind
        self._by_sql = " " in kind.block.form
        self._columns = {name: asked(MapBlock(read={name: text})) for name, text in kind.block.read.items()}
        self.lacking: set[str] = set()
        self._pieces = _JOIN.split(kind.block.form) if self._by_sql else []
        if self._by_sql:
            self._must_be_columns()

    def _must_be_columns(self) -> None:
        for name, columns in self._columns.items():
            for column in columns:
                if not _COLUMN.match(column):
                    raise ConfigError(
                        f"erp.with.documents.{self._kind.name}.read.{name}: {column!r} is no column; write"
                        " alias.Column with an alias of `form`"
                    )

    @property
    def name(self) -> str:
        return self._kind.name

    @property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        return self._kind.block.tables

    @property
    def filters(self) -> bool:
        """Whether the server can be asked for some of it; else each look reads the whole list."""
        return self._by_sql or bool(self._config.entity_filter)

    @property
    def source(self) -> str:
        return f"{SQL} {self._kind.block.form.split()[0]}" if self._by_sql else self._kind.block.form

    @property
    def needed(self) -> frozenset[str]:
        """Columns whose absence is a refusal: of needed fields, and those that the site has asked for."""
        names = NEEDED.get(self._kind.name, frozenset())
        base = ENTITIES.get(self.name, DOCUMENTS[self.name]) if not self._by_sql else DOCUMENTS[self.name]
        own = {n for n, text in self._kind.block.read.items() if base.read.get(n) != text}
        return frozenset(c for n in names | own for c in self._columns.get(n, ()))

    def columns(self) -> list[str]:
        return [c for c in asked(self._kind.block) if c not in self.lacking]

    def column(self, name: str) -> str:
        """The column that carries this field of ours; "" where there is none."""
        return next((c for c in self._columns.get(name, ()) if c not in self.lacking), "")

    async def rows(self, wanted: Wanted = ALL) -> list[Row]:
        """All of them in our fields."""
        if not all(wanted.fields.values()):
            return []
        for name, values in wanted.fields.items():
            if len(values) > AT_ONCE:
                return await self._in_parts(wanted, name, sorted(values))
        while True:
            try:
                records = await (self._sql(wanted) if self._by_sql else self._entity(wanted))
                break
            except (U9Refusal, U9Trouble) as refusal:
                if not await self._without(refusal):
                    raise
        read = [row for record in records if (row := self._kind.read_plain(record)) is not None]
        earliest = wanted.since - self._config.overlap if wanted.since else None
        keys = NEEDED.get(self.name, frozenset()) & {"number", "item"}
        return [row for row in read if one(self.name, row, keys, lambda r: _fits(r, wanted, earliest))]

    async def _in_parts(self, wanted: Wanted, name: str, values: Sequence[str]) -> list[Row]:
        found: list[Row] = []
        for at_first in range(0, len(values), AT_ONCE):
            part = set(values[at_first : at_first + AT_ONCE])
            found += await self.rows(Wanted({**wanted.fields, name: part}, wanted.since))
        return found

    # ------------------------------------------------------------------ by SQL
    async def _sql(self, wanted: Wanted) -> list[Row]:
        """Ordered by id and asked for again after the last one: a server may give fewer than there are."""
        conditions = self._conditions(wanted)
        if conditions is None:
            return []
        row_id, last, found = self.column("row_id"), -1, list[Row]()
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            after = [f"{row_id} >= {last}"] if found else []  # a page may end among the rows of one document
            page = await self.select(self.columns(), [*conditions, *after])
            if not row_id:
                return page
            numbers = [self._row_number(r, row_id) for r in page]
            if found and numbers and min(numbers) < last:
                raise self._in_circles()
            marks = [repr(row) for row in page]
            fresh = [row for row, mark in zip(page, marks, strict=True) if mark not in seen]
            if not fresh:
                return found
            found += fresh
            seen.update(marks)
            last = max(numbers)
        raise self._in_circles()

    def _row_number(self, row: Row, row_id: str) -> int:
        number = text(at(row, row_id))
        if not (number.isascii() and number.isdecimal()):
            raise ErpUnavailable(f"U9 gives rows of {self.source} without their {row_id}")
        return int(number)

    def _in_circles(self) -> ErpUnavailable:
        return ErpUnavailable(
            f"U9 gives the same rows of {self.source} whichever page is asked for: it, or what stands before"
            " it, does not heed the page; lists can be read the other way too (reads: sql or entity)"
        )

    async def select(self, columns: Sequence[str], conditions: Sequence[str]) -> list[Row]:
        row_id = self.column("row_id")
        listed = ", ".join(f"{c} AS {alias(c)}" for c in columns)
        statement = f"SELECT {listed} FROM {self._from(columns)}"  # noqa: S608 constants and plain words
        statement += f" WHERE {' AND '.join(conditions)}" if conditions else ""
        statement += f" ORDER BY {row_id}" if row_id in columns else ""
        data = await self._client.read(SQL, {"SqlString": statement})
        return [nested(row, columns) for row in rows_in(data, self.source)]

    def _from(self, columns: Iterable[str]) -> str:
        """The joins that these columns and the joins before them need."""
        needed = {c.partition(".")[0] for c in columns}
        kept: list[str] = []
        for piece in reversed(self._pieces[1:]):
            if alias_of(piece) in needed:
                kept.insert(0, piece)
                needed |= set(re.findall(r"\b(\w+)\.", piece))
        mine = set(re.findall(r"\b(\w+)\.", self._config.filters.get(self._kind.name, "")))  # type: ignore[call-overload]
        if mine - needed:
            return self._from([*columns, *(f"{a}.ID" for a in mine - needed)])
        return " ".join([self._pieces[0], *kept])

    def _conditions(self, wanted: Wanted) -> list[str] | None:
        """None where nothing can fulfil them."""
        conditions: list[str] = []
        for name, values in wanted.fields.items():
            plain = sorted({v for v in values if PLAIN.match(v)})
            column = self.column(name)
            if not plain or not column:
                return None
            listed = ", ".join(v if name in _NUMBERS and v.isdigit() else f"'{v}'" for v in plain)
            conditions.append(f"{column} IN ({listed})")
        changed = self.column("changed_at")
        if wanted.since and changed:  # the day: a time has characters that no value of ours may have
            local = (wanted.since - self._config.overlap).astimezone(self._config.zone)
            conditions.append(f"{changed} >= '{local:%Y-%m-%d}'")
        mine = self._config.filters.get(self._kind.name, "")  # type: ignore[call-overload]
        return [*conditions, f"({mine})"] if mine else conditions

    # ------------------------------------------------------------------ for whoever edits its map
    async def some(self, most: int, more: Sequence[str] = ()) -> list[Row]:
        """The newest, as the expressions name their columns; `more`: other columns, where there are such."""
        columns = list(dict.fromkeys([*self.columns(), *await self._known(more)]))
        row_id = self.column("row_id")
        if not self._by_sql:
            asked_for = self._first_page(columns, most)
            rows = rows_in(await self._client.read(ENTITY, asked_for), self.source)
            return [nested(row, columns) for row in rows[:most]]
        newest = [self._newest(row_id, most)] if row_id else []
        return (await self.select(columns, [*(self._conditions(ALL) or []), *newest]))[:most]

    def _newest(self, row_id: str, most: int) -> str:
        """Without TOP or LIMIT: databases differ in those."""
        first = self._pieces[0]
        mine = self._config.filters.get(self._kind.name, "")  # type: ignore[call-overload]
        own = mine if set(re.findall(r"\b(\w+)\.", mine)) == {alias_of(first)} else ""
        where = f" WHERE {own}" if own else ""
        return f"{row_id} > (SELECT MAX({row_id}) FROM {first}{where}) - {SPAN * most}"  # noqa: S608 constants

    async def _known(self, more: Sequence[str]) -> list[str]:
        aliases = {alias_of(piece) for piece in self._pieces}
        asked = [c for c in more if not self._by_sql or (_COLUMN.match(c) and c.partition(".")[0] in aliases)]
        return [c for c in asked if c in self.columns() or await self.knows(c)]

    async def everything(self) -> list[tuple[str, Any]]:
        """Every column of the tables, each with a value of the newest row."""
        if not self._by_sql:
            raise ErpRefused(
                "CommonEntity/Query does not tell which fields an entity has; write them by name"
            )
        found: list[tuple[str, Any]] = []
        for piece in self._pieces:
            alias_here, table = alias_of(piece), _TABLE.split(piece)[-1].split()[0]
            statement = (
                f"SELECT {alias_here}.* FROM {table} {alias_here}"  # noqa: S608 constants and plain words
                f" WHERE {alias_here}.ID = (SELECT MAX(x.ID) FROM {table} x)"
            )
            try:
                rows = rows_in(await self._client.read(SQL, {"SqlString": statement}), self.source)
            except (U9Refusal, U9Trouble) as refusal:
                log.info("U9 does not show %s: %s", table, refusal)
                continue
            found += [(f"{alias_here}.{name}", value) for name, value in (rows[0] if rows else {}).items()]
        return found

    # ------------------------------------------------------------------ by entity
    async def _entity(self, wanted: Wanted) -> list[Row]:
        """Pages until one is empty: a server may give smaller ones than it was asked for."""
        found, seen = list[Row](), set[str]()
        columns, filters = self.columns(), self._filters(wanted)
        with_ids = bool(self.column("row_id"))  # else two equal rows may be two records
        for page in range(MOST_PAGES):
            asked_for = {
                "EntityFullName": self._kind.block.form, "ReturnFields": columns, "Filters": filters,
                "Orders": [], "PageIndex": page, "PageSize": self._config.page_rows,
            }  # fmt: skip
            rows = rows_in(await self._client.read(ENTITY, asked_for), self.source)
            marks = [repr(sorted(row.items(), key=str)) for row in rows]
            if not rows:
                return [nested(row, columns) for row in found]
            if seen.issuperset(marks):
                if page == 1:  # a server may count its pages from 1: then the first was given twice
                    continue
                raise self._in_circles()
            found += [r for r, mark in zip(rows, marks, strict=True) if not with_ids or mark not in seen]
            seen.update(marks)
        raise self._in_circles()

    def _filters(self, wanted: Wanted) -> list[Any]:
        if not self._config.entity_filter:
            return []
        shape: FieldMap = compiled(
            MapBlock(write={"filter": self._config.entity_filter}),
            self._config.zone,
            "erp.with.entity_filter",
        )
        said = [
            {"field": self.column(name), "operator": "in", "value": sorted(values)}
            for name, values in wanted.fields.items()
        ]
        return [shape.written(f)["filter"] for f in said if f["field"]]

    # ------------------------------------------------------------------ columns that a site lacks
    async def _without(self, refusal: U9Refusal | U9Trouble) -> bool:
        """True where something that is not needed turned out to be lacking. What is needed stays."""
        if isinstance(refusal, U9Refusal) and refusal.code == NO_ROUTE:
            return False
        missing = set(await self.missing())
        if missing >= set(self.columns()):  # it is not about columns
            return False
        bad = missing - self.needed
        if bad:
            log.warning("U9 has no %s for %s: going on without it", ", ".join(sorted(bad)), self.source)
        self.lacking |= bad
        return bool(bad)

    async def missing(self) -> list[str]:
        """Columns that cannot be asked for, each asked for alone, and twice: a server may stumble once."""
        return [c for c in self.columns() if not await self.knows(c) and not await self.knows(c)]

    async def knows(self, *columns: str) -> bool:
        try:
            await self._look(columns)
        except U9Refusal as refusal:
            if refusal.code == NO_ROUTE:
                raise
            return False
        except U9Trouble:  # some answer a wrong statement like any other failure
            return False
        return True

    async def _look(self, columns: Sequence[str]) -> None:
        if self._by_sql:
            await self.select(list(columns), [NOBODY])
            return
        await self._client.read(ENTITY, self._first_page(columns, 1))

    def _first_page(self, columns: Sequence[str], most: int) -> Row:
        return {
            "EntityFullName": self._kind.block.form, "ReturnFields": list(columns), "Filters": [],
            "Orders": [], "PageIndex": 0, "PageSize": most,
        }  # fmt: skip


def _fits(row: Mapping[str, Any], wanted: Wanted, earliest: datetime | None) -> bool:
    if any(str(row.get(name)) not in values for name, values in wanted.fields.items()):
        return False
    changed = row.get("changed_at")
    return earliest is None or not changed or moment(changed) >= earliest
