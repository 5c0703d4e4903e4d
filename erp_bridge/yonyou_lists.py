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

from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.yonyou_answers import (
    NO_ROUTE,
    U9Refusal,
    U9Trouble,
    about_columns,
    about_tables,
    dated,
    rows_of,
)
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_kinds import PLAIN, Kind
from erp_bridge.yonyou_maps import DOCUMENTS, ENTITIES, NEEDED
from hub.errors import ConfigError, ErpRefused

log = logging.getLogger(__name__)

SQL, ENTITY = "QueryCommon/QueryInfoBySql", "CommonEntity/Query"
_COLUMN = re.compile(r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$")
_JOIN = re.compile(r"\s+(?=LEFT\s+JOIN\s)", re.IGNORECASE)
_TABLE = re.compile(r"^(?:LEFT\s+JOIN\s+)?\w+(?:\s+AS)?\s+(\w+)", re.IGNORECASE)
AT_ONCE = 100
MOST_PAGES = 10_000
NOBODY = "-1"  # an id that no record has: asks for columns alone

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
        """All of them in our fields, each once."""
        if not all(wanted.fields.values()):
            return []
        while True:
            try:
                records = await (self._sql(wanted) if self._by_sql else self._entity(wanted))
                break
            except (U9Refusal, U9Trouble) as refusal:
                if not await self._without(refusal):
                    raise
        read = [row for record in records if (row := self._kind.read_plain(record)) is not None]
        earliest = wanted.since - self._config.overlap if wanted.since else None
        return [row for row in read if _fits(row, wanted, earliest)]

    # ------------------------------------------------------------------ by SQL
    async def _sql(self, wanted: Wanted) -> list[Row]:
        """Ordered by id and asked for again after the last one: a server may give fewer than there are."""
        conditions = self._conditions(wanted)
        if conditions is None:
            return []
        row_id, last, found = self.column("row_id"), 0, list[Row]()
        for _ in range(MOST_PAGES):
            after = [f"{row_id} > {last}"] if found else []
            page = await self.select(self.columns(), [*conditions, *after])
            found += page
            ids = [str(_at(r, row_id)) for r in page] if row_id else []
            if not ids or not all(i.isdigit() for i in ids) or max(map(int, ids)) <= last:
                break
            last = max(map(int, ids))
        return found

    async def select(self, columns: Sequence[str], conditions: Sequence[str]) -> list[Row]:
        row_id = self.column("row_id")
        listed = ", ".join(f"{c} AS {_alias(c)}" for c in columns)
        statement = f"SELECT {listed} FROM {self._from(columns)}"  # noqa: S608 constants and plain words
        statement += f" WHERE {' AND '.join(conditions)}" if conditions else ""
        statement += f" ORDER BY {row_id}" if row_id in columns else ""
        data = await self._client.read(SQL, {"SqlString": statement})
        return [_nested(row, columns) for row in rows_of(data)]

    def _from(self, columns: Iterable[str]) -> str:
        """The joins that these columns and the joins before them need."""
        needed = {c.partition(".")[0] for c in columns}
        kept: list[str] = []
        for piece in reversed(self._pieces[1:]):
            alias = _alias_of(piece)
            if alias in needed:
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
            conditions.append(f"{column} IN ({', '.join(map(_literal, plain))})")
        changed = self.column("changed_at")
        if wanted.since and changed:  # the day: a time has characters that no value of ours may have
            local = (wanted.since - self._config.overlap).astimezone(self._config.zone)
            conditions.append(f"{changed} >= '{local:%Y-%m-%d}'")
        mine = self._config.filters.get(self._kind.name, "")  # type: ignore[call-overload]
        return [*conditions, f"({mine})"] if mine else conditions

    # ------------------------------------------------------------------ by entity
    async def _entity(self, wanted: Wanted) -> list[Row]:
        """Pages until one brings nothing new: a server may give smaller ones than it was asked for."""
        found: dict[str, Row] = {}
        columns = self.columns()
        filters = self._filters(wanted)
        for page in range(MOST_PAGES):
            asked_for = {
                "EntityFullName": self._kind.block.form, "ReturnFields": columns, "Filters": filters,
                "Orders": [], "PageIndex": page, "PageSize": self._config.page_rows,
            }  # fmt: skip
            rows = rows_of(await self._client.read(ENTITY, asked_for))
            before = len(found)
            found |= {repr(sorted(row.items(), key=str)): row for row in rows}
            if len(found) == before:
                break
        return [_nested(row, columns) for row in found.values()]

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
        if isinstance(refusal, U9Trouble) and not (about_columns(refusal.said) or about_tables(refusal.said)):
            return False
        bad = set(await self.missing()) - self.needed
        if bad:
            log.warning("U9 has no %s for %s: going on without it", ", ".join(sorted(bad)), self.source)
        self.lacking |= bad
        return bool(bad)

    async def missing(self) -> list[str]:
        """Columns that cannot be asked for, each asked for alone."""
        return [column for column in self.columns() if not await self.knows(column)]

    async def knows(self, *columns: str) -> bool:
        try:
            await self._look(columns)
        except U9Refusal:
            return False
        except U9Trouble as trouble:
            if about_columns(trouble.said) or about_tables(trouble.said):
                return False
            raise
        return True

    async def _look(self, columns: Sequence[str]) -> None:
        if self._by_sql:
            alias = columns[0].partition(".")[0]
            nobody = self._columns.get("row_id", [])[:1] or [f"{alias}.ID"]
            await self.select(list(columns), [f"{nobody[0]} = {NOBODY}"])
            return
        asked_for = {
            "EntityFullName": self._kind.block.form, "ReturnFields": list(columns), "Filters": [],
            "Orders": [], "PageIndex": 0, "PageSize": 1,
        }  # fmt: skip
        await self._client.read(ENTITY, asked_for)


class SegmentSearch:
    """Looks for a document by the custom field that carries our number."""

    def __init__(
        self, config: YonyouConfig, client: U9Client, table: str, segment: str, *, must: bool
    ) -> None:
        self._config = config
        self._client = client
        self._table = table
        self._segment = segment
        self._must = must  # there is no other way to find it
        self.possible = bool(table and segment)

    @property
    def place(self) -> str:
        return f"{self._table.split()[0] if self._table else '?'}.DescFlexField_{self._segment}"

    async def numbers(self, reference: str) -> list[Row]:
        """{"DocNo", "ID"} of each. Raises ErpRefused where nothing else finds it and this cannot."""
        if not self.possible:
            return self._impossible("services.*.look_up names no table")
        try:
            return await self._search(reference)
        except (U9Refusal, U9Trouble) as refusal:
            lacks = isinstance(refusal, U9Refusal) or (
                about_columns(refusal.said) or about_tables(refusal.said)
            )
            if not lacks:
                raise
            return self._impossible(str(refusal))

    def _impossible(self, why: str) -> list[Row]:
        if self._must:
            raise ErpRefused(
                f"our number cannot be looked for in {self.place}: {why}; name the table in"
                " services.*.look_up, or let the document type take numbers of ours and write"
                " DocNo: reference"
            )
        if self.possible:
            log.info("U9 cannot be searched at %s: by number alone", self.place)
        self.possible = False
        return []

    async def _search(self, reference: str) -> list[Row]:
        if self._config.reads == "sql" and "." not in self._table:
            alias = _alias_of(self._table)
            numbered = "" if self._hours else f"{alias}.DocNo AS DocNo, "
            statement = (
                f"SELECT {numbered}{alias}.ID AS ID FROM {self._table}"  # noqa: S608 constants, and a plain word
                f" WHERE {alias}.DescFlexField_{self._segment} = '{reference}'"
            )
            return rows_of(await self._client.read(SQL, {"SqlString": statement}))
        return self._impossible("lists are not read by SQL here")

    @property
    def _hours(self) -> bool:
        return "WorkHour" in self._table


def _alias_of(piece: str) -> str:
    found = _TABLE.match(piece)
    if found is None:
        raise ConfigError(f"{piece!r} is not a table with an alias; write for example MO_MO m")
    return found[1]


def _alias(column: str) -> str:
    return column.replace(".", "__")


def _literal(value: str) -> str:
    """Small whole numbers as such, for columns without a type; document numbers and words as text."""
    return value if value.isdigit() and len(value) <= 2 else f"'{value}'"


def _nested(row: Mapping[str, Any], columns: Sequence[str]) -> Row:
    """`m__DocNo` (or SO.DocNo, or SO_DocNo) as the expressions name it: {"m": {"DocNo": ..}}."""
    by_name = {str(k).lower(): v for k, v in row.items()}
    lasts = [c.rpartition(".")[2] for c in columns]
    out: Row = {}
    for column in columns:
        forms = [_alias(column), column, column.replace(".", "_"), f"m_{column}"]
        forms += [last] if lasts.count(last := column.rpartition(".")[2]) == 1 else []
        value: Any = next((by_name[f.lower()] for f in forms if f.lower() in by_name), None)
        if value is None:
            value = _inside(row, column)
        *above, name = column.split(".")
        here = out
        for step in above:
            here = here.setdefault(step, {})
        here[name] = dated(value) if isinstance(value, str) else value
    return out


def _inside(row: Mapping[str, Any], column: str) -> Any:
    here: Any = row
    for step in column.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(step, here.get("m_" + step[:1].lower() + step[1:]))
    return here


def _at(record: Mapping[str, Any], column: str) -> Any:
    here: Any = record
    for step in column.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    return here


def _fits(row: Mapping[str, Any], wanted: Wanted, earliest: datetime | None) -> bool:
    if any(str(row.get(name)) not in values for name, values in wanted.fields.items()):
        return False
    changed = row.get("changed_at")
    return earliest is None or not changed or datetime.fromisoformat(str(changed)) >= earliest
