"""Rows of a query in our fields. Tenants lack columns: one that is not needed is gone on without."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from erp_bridge import as_read
from erp_bridge.kingdee_answers import (
    KingdeeRefusal,
    KingdeeTrouble,
    about_columns,
    identity,
    is_id,
    quoted,
)
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_kinds import Kind, columns_of
from erp_bridge.kingdee_maps import NEEDED

log = logging.getLogger(__name__)

AT_ONCE = 100  # values in one `in (...)`
_NUMBERS = ("FBillNo", "FNumber", "FMONumber", "FMaterialId.FNumber", "FID")


class Reader:
    """One form, read by its map. What turns out to be missing is remembered and told once."""

    def __init__(self, client: KingdeeClient, kind: Kind, mine: str = "") -> None:
        self._client = client
        self._kind = kind
        self._mine = mine  # what of it is ours, in their filter language
        self.lacking: set[str] = set()
        self._needed = columns_of(kind, NEEDED.get(kind.name, frozenset()))

    async def rows(self, where: str) -> list[dict[str, Any]]:
        """All rows that fulfil `where` and what the site has added to it."""
        return self._understood(await self._asked(where))

    async def any_of(self, field: str, values: Iterable[str]) -> list[dict[str, Any]]:
        """Those that have one of these values; others, of a server that does not filter, are no answer."""
        wanted = {v.casefold() for v in values}
        rows: list[dict[str, Any]] = []
        for part in parts(values):
            records = await self._asked(f"{field} in ({part})", field)
            rows += self._understood([r for r in records if identity(r[field]).casefold() in wanted])
        return rows

    async def _asked(self, where: str, *more: str) -> list[dict[str, Any]]:
        conditions = [c for c in (where, f"({self._mine})" if self._mine else "") if c]
        return await self._records(" and ".join(conditions), more)

    def _understood(self, records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One that cannot be read must not hide the others."""
        name, by = self._kind.name, self._kind.map
        found = (as_read.read(name, number_of(r), by, nested(r)) for r in records)
        return [row for row in found if row is not None]

    async def changed(self, since: str) -> list[dict[str, Any]]:
        """Those changed since; everything where the form knows no such date."""
        if "FModifyDate" not in self.lacking:
            try:
                return await self.rows(f"FModifyDate>={quoted(since)}")
            except (KingdeeRefusal, KingdeeTrouble) as refusal:
                if "FModifyDate" not in refusal.said or not about_columns(refusal):
                    raise
                log.warning("Kingdee has no FModifyDate on %s: reading all of it every time", self._kind.form)
                self.lacking.add("FModifyDate")
        return await self.rows("")

    # ------------------------------------------------------------------ columns that a tenant lacks
    async def _records(self, where: str, more: Sequence[str] = ()) -> list[dict[str, Any]]:
        while True:
            columns = [k for k in self._kind.columns if k not in self.lacking]
            keys = list(dict.fromkeys([*columns, *more]))
            try:
                return await self._client.query(self._kind.form, keys, where, ordering(keys))
            except (KingdeeRefusal, KingdeeTrouble) as refusal:
                missing = await self._missing(refusal, [k for k in columns if k not in more])
                if not missing:
                    raise
                log.warning(
                    "Kingdee has no %s on %s: going on without it", ", ".join(missing), self._kind.form
                )
                self.lacking |= missing

    async def _missing(self, refusal: KingdeeRefusal | KingdeeTrouble, keys: Sequence[str]) -> set[str]:
        """The columns this refusal is about; none when it is about something else or about a needed one."""
        if not about_columns(refusal):
            return set()
        optional = [k for k in keys if k not in self._needed]
        said = refusal.said.replace(",", " ").replace("'", " ").split()
        named = {k for k in optional if k in said or k.partition(".")[0] in said}
        return named or {k for k in optional if not await self._client.knows(self._kind.form, k)}


def ordering(keys: Sequence[str]) -> str:
    """By something unique, or pages would overlap."""
    ids = [k for k in keys if is_id(k)]
    return ",".join(f"{k} ASC" for k in ids or [k for k in keys if k.lower() == "fnumber"] or keys)


def number_of(record: Mapping[str, Any]) -> str:
    """What a clerk finds it by."""
    told = (identity(record.get(name)) for name in (*_NUMBERS, *record))
    return next(filter(None, told), "?")


def nested(record: Mapping[str, Any]) -> dict[str, Any]:
    """`FMaterialId.FNumber` as the expressions name it: {"FMaterialId": {"FNumber": ...}}."""
    out: dict[str, Any] = {}
    for key, value in sorted(record.items(), key=lambda item: item[0].count(".")):
        *above, last = key.split(".")
        here = out
        for step in above:
            if not isinstance(
                here.get(step), dict
            ):  # the reference itself was asked for too: its parts tell more
                here[step] = {}
            here = here[step]
        here[last] = value
    return out


def parts(values: Iterable[str]) -> Iterable[str]:
    """Literals for `in (...)`, a hundred at a time."""
    ordered = sorted(values)
    for at in range(0, len(ordered), AT_ONCE):
        yield ",".join(map(quoted, ordered[at : at + AT_ONCE]))
