"""A look at a pod that changes nothing: is every resource there, and every attribute of the maps?

Oracle answers 400 and names an attribute in `fields` that it does not have. Transactions cannot be looked at
("GET action not supported"): what the site's own maps say of them is told, not tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from erp_bridge.fieldmap import asked
from erp_bridge.oracle_answers import OracleRefusal
from erp_bridge.oracle_maps import DETAILS
from erp_bridge.oracle_records import PARAGRAPH, Kind, Records
from hub.errors import ErpRefused

_JOINED = {"sales_order": {"order": "", "line": "lines"}}  # documents that read a record and its child


async def probed(records: Records, kinds: Iterable[Kind]) -> dict[str, str]:
    """Raises ErpUnavailable when nobody answers or nobody is let in."""
    return {kind.name: await _looked_at(records, kind) for kind in kinds}


async def _looked_at(records: Records, kind: Kind) -> str:
    if kind.form in DETAILS:
        own = ", ".join(sorted(kind.own))
        return f"{kind.form}: written only, cannot be looked at" + (f"; yours: {own}" if own else "")
    resource, above = (kind.form, "")
    if kind.name in ("operation", "material", "resource"):
        resource = records.kinds["order"].form
        step = records.kinds["operation"].form
        above = kind.form if kind.name == "operation" else f"{step}.{kind.form}"
    try:
        return await _attributes(records, kind, resource, above)
    except ErpRefused as refusal:
        return f"✗ {kind.form}: {refusal}"


async def _attributes(records: Records, kind: Kind, resource: str, above: str) -> str:
    lacking: list[str] = []
    groups = _by_child(kind, above)
    for child, names in groups.items():
        if await _has(records, resource, child, list(names)) is None:
            continue
        for name, path in names.items():
            if await _has(records, resource, child, [name]) is not None:
                lacking.append(path)
    missing = [path for path in lacking if path in kind.own]
    if missing:
        return f"✗ {kind.form} has no {', '.join(missing)}; mend documents.{kind.name}"
    if kind.mine:
        await records.rows(resource, records.dialect.equal(_first(kind), "0"), mine=kind.mine)
    count = sum(map(len, groups.values()))
    return f"{kind.form}: {count} attributes" + (f", without {', '.join(lacking)}" if lacking else "")


async def _has(records: Records, resource: str, child: str, names: list[str]) -> str | None:
    """None when all of them are there, else what Oracle says."""
    fields = f"{child}:{','.join(names)}" if child else ",".join(names)
    try:
        found = await records.client.get(resource, {"fields": fields, "limit": "1", "onlyData": "true"})
    except OracleRefusal as refusal:
        if refusal.status != 400:
            raise
        return refusal.said
    if found is None:
        raise records.client.refusal(resource)
    return None


def _by_child(kind: Kind, above: str) -> Mapping[str, dict[str, str]]:
    """Child -> {attribute: as the map names it}."""
    written = [name for name, text in kind.block.write.items() if text]
    written += [name for v in kind.block.variants for name, text in v.write.items() if text]
    found: dict[str, dict[str, str]] = {}
    for path in dict.fromkeys([*written, *asked(kind.block)]):
        child, _, name = path.rstrip(PARAGRAPH).rpartition(".")
        if kind.name in _JOINED:
            child = _JOINED[kind.name].get(child, child)
        place = ".".join(filter(None, [above, child]))
        if name != "__FLEX_Context":
            found.setdefault(place, {})[name] = path
    return found


def _first(kind: Kind) -> str:
    return "OrganizationCode" if kind.name != "sales_order" else "OrderNumber"
