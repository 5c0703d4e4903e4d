"""Fields and records of a model as Tryton has them, for whoever edits a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erp_bridge.fieldmap import asked
from erp_bridge.tryton_records import Records, Row
from hub.model.mapping import ErpField

MOST = 3  # records
_LANGUAGE = "zh_CN"  # captions are English where the site has not loaded it
_OURS = frozenset({"create_uid", "write_uid", "create_date", "write_date", "id", "_timestamp", "rec_name"})


async def described(records: Records, document: str) -> list[ErpField]:
    told = await records.told(records.form(document), [], _LANGUAGE)
    return [field for name, spec in sorted(told.items()) for field in _field(name, spec)]


def _field(name: str, spec: Row) -> Iterator[ErpField]:
    title, kind = str(spec.get("string") or ""), str(spec["type"])
    relation = str(spec.get("relation") or "")
    closed = spec.get("readonly") is True or name in _OURS or kind in ("one2many", "many2many")
    yield ErpField(name, title, f"{kind} {relation}".strip(), "", "" if closed else name, name)
    if kind == "many2one":  # and what the other record is called; any of its fields may follow the dot
        path = f"{name}.rec_name"
        yield ErpField(path, f"{title} · 名称 name", f"char of {relation}", name, "", path)


async def shown(records: Records, document: str, more: Sequence[str]) -> list[Row]:
    """The first that fit; with `more` of their fields, as far as there are such."""
    block = records.blocks[document]
    wanted = [*asked(block), *more, *(name.rstrip("+") for name, text in block.write.items() if text)]
    gone = await records.absent(block.form, wanted)
    domain = records.filter(document)
    return await records.search(block.form, domain, {*wanted, "rec_name"} - {*gone}, most=MOST)
