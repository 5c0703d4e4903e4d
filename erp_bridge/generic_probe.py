"""A look that changes nothing: does every operation get through, is what the maps name there?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from erp_bridge.fieldmap import MapBlock
from erp_bridge.generic_config import OperationBlock
from erp_bridge.generic_fields import DOCUMENTS, OPERATIONS, Deed
from erp_bridge.generic_records import Records
from hub.errors import ErpRefused, ErpUnavailable

_NOTHING = "andon-probe"  # a key that nothing has
_BY_NUMBER = ("order_operations", "order", "reported", "stock")


async def probed(records: Records) -> dict[str, str]:
    """By operation; a ✗ begins what a person has to mend. Reads are tried, writes are compared with what the
    system says about itself (`describe`, or the database's own tables)."""
    said: dict[str, str] = {}
    for name, call in records.config.operations.items():
        if name == "describe":
            continue
        try:
            said[name] = await _one(records, name, call)
        except (ErpUnavailable, ErpRefused) as trouble:
            said[name] = f"✗ {trouble}"
            if isinstance(trouble, ErpUnavailable):  # nor will the others get through
                return said
    return said


async def _one(records: Records, name: str, call: OperationBlock) -> str:
    if OPERATIONS[name].deed is not Deed.READ:
        return await _write(records, name, call)
    if call.is_sql:
        assert records.sql is not None
        known = [*OPERATIONS[name].fields, *records.seen({})]
        if await records.sql.explained(name, call, known):
            return "✓ the database can do it"
    rows = await records.rows(name, _harmless(records, name), whole=False)
    if not rows:
        return "✓ answers, with nothing to show" if name in _BY_NUMBER or "find" in name else "✓ answers"
    return _readable(records, name, rows[0])


async def shown(records: Records, document: str, most: int = 3) -> list[Any]:
    """Records of this document, from the first operation that reads it and finds some."""
    reads = [
        name
        for name in records.config.operations
        if name != "describe" and records.document(name) == document and OPERATIONS[name].deed is Deed.READ
    ]
    if not reads:
        raise ErpRefused(f"{records.config.name}: no operation reads {document}")
    for name in reads:
        rows = [r for r in await records.rows(name, _harmless(records, name), whole=False) if r]
        if rows:
            return rows[:most]
    return []


def _harmless(records: Records, name: str) -> dict[str, Any]:
    now = records.seen({})["now"]
    values: dict[str, Any] = dict.fromkeys(OPERATIONS[name].fields, _NOTHING)
    values |= {n: [_NOTHING] for n in ("erp_ids", "numbers", "items") if n in values}
    values |= {n: "0" for n in ("erp_id",) if n in values}
    if "changed_since" in values:
        values["changed_since"] = now - timedelta(days=1) if name.startswith("changed_") else None
    return values


def _readable(records: Records, name: str, row: Any) -> str:
    document = records.document(name)
    ours = records.read(name, row)
    must = DOCUMENTS[OPERATIONS[name].document].must
    gone = sorted(n for n in must if ours.get(n) in (None, ""))
    if gone:
        return f"✗ a record shows no {', '.join(gone)}; see documents.{document}.read"
    return f"✓ a record shows {', '.join(sorted(ours))}"


async def _write(records: Records, name: str, call: OperationBlock) -> str:
    document = records.document(name)
    written = _written(records.blocks[document])
    if call.insert or call.update:
        assert records.sql is not None
        table = call.insert or call.update
        gone = await records.sql.columns_there(name, table, written)
        return _missing(table, gone, document)
    if call.sql:
        assert records.sql is not None
        known = [*OPERATIONS[name].fields, *records.seen({}), *written]
        sure = await records.sql.explained(name, call, known)
        return "✓ the database can do it" if sure else "✓ not tried: it would be a write"
    if not records.has("describe"):
        return "✓ not tried: it would be a write; operations.describe lets fields be compared"
    form = records.blocks[document].form or document
    rows = await records.rows("describe", {"form": form, "document": document})
    there = {str(records.read("describe", row).get("name")) for row in rows}
    return _missing(form, [n for n in written if n.split(".")[0].removesuffix("[]") not in there], document)


def _written(block: MapBlock) -> list[str]:
    sides = [block.write, *(v.write for v in block.variants)]
    return list(dict.fromkeys(n for side in sides for n, text in side.items() if text))


def _missing(form: str, gone: list[str], document: str) -> str:
    if gone:
        return f"✗ {form} has no {', '.join(gone)}; see documents.{document}.write"
    return f"✓ {form} has every field"
