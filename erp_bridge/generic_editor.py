"""The fields of a document as the system has them, for whoever edits its map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from erp_bridge.generic_fields import OPERATIONS, Deed
from erp_bridge.generic_probe import shown
from erp_bridge.generic_reading import text
from erp_bridge.generic_records import Records
from hub.errors import ErpRefused
from hub.model.mapping import ErpField

# How databases tell of a table's columns, with what their people have written beside them.
COLUMNS = {
    "postgresql": "select column_name as name, data_type as type, col_description((quote_ident(table_schema)"
    " || '.' || quote_ident(table_name))::regclass, ordinal_position) as title"
    " from information_schema.columns"
    " where table_name = :table and table_schema = coalesce(:schema, current_schema())"
    " order by ordinal_position",
    "mysql": "select column_name as name, data_type as type, column_comment as title"
    " from information_schema.columns"
    " where table_name = :table and table_schema = coalesce(:schema, database()) order by ordinal_position",
    "mssql": "select c.name as name, type_name(c.user_type_id) as type,"
    " cast(p.value as nvarchar(400)) as title from sys.columns c left join sys.extended_properties p"
    " on p.major_id = c.object_id and p.minor_id = c.column_id and p.name = 'MS_Description'"
    " where c.object_id = object_id(coalesce(:schema + '.', '') + :table) order by c.column_id",
}


async def described(records: Records, document: str) -> list[ErpField]:
    """From `describe` where the mapping has it; else from the tables that are written, and from what the
    operations that read it show."""
    if records.has("describe"):
        form = records.blocks[document].form or document
        rows = await records.listed("describe", {"form": form, "document": document})
        return [_field(text(row, "name"), row, written=True) for row in rows if text(row, "name")]
    found: dict[str, ErpField] = {}
    for table in _tables(records, document):
        found |= {field.name: field for field in await _columns(records, table)}
    for name, value in await _seen(records, document):
        kind = {"type": type(value).__name__} if value is not None else {}
        found.setdefault(name, _field(name, kind, written=not records.sql))
    if not found:
        raise ErpRefused(f"{records.config.name} tells nothing of {document}; add operations.describe")
    return [*found.values()]


def _field(name: str, row: Mapping[str, Any], *, written: bool) -> ErpField:
    return ErpField(name, text(row, "title"), text(row, "type"), "", name if written else "", name)


def _tables(records: Records, document: str) -> list[str]:
    calls = [c for n, c in records.config.operations.items() if records.document(n) == document]
    return list(dict.fromkeys(c.insert or c.update for c in calls if c.insert or c.update))


async def _columns(records: Records, table: str) -> list[ErpField]:
    assert records.sql is not None  # the check has seen to it
    schema, _, name = table.rpartition(".")
    rows = await records.sql.told(f"describe {table}", COLUMNS, {"table": name, "schema": schema or None})
    return [_field(text(row, "name"), row, written=True) for row in rows if text(row, "name")]


async def _seen(records: Records, document: str) -> list[tuple[str, Any]]:
    """Names in the first records, with an example; one level deep. Nothing where no operation reads it."""
    names = [n for n in records.config.operations if records.document(n) == document]
    if not any(OPERATIONS[n].deed is Deed.READ for n in names):
        return []
    return [pair for row in await shown(records, document) for pair in _flat(row)]


def _flat(row: Any) -> Iterator[tuple[str, Any]]:
    for name, value in row.items() if isinstance(row, Mapping) else ():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", v) for inner, v in value.items())
        else:
            yield str(name), value
