"""A look at an Odoo that changes nothing: are we let in, is what the maps name there, does the key last?"""

from __future__ import annotations

from datetime import datetime, timedelta

from erp_bridge.fieldmap import MapBlock, asked
from erp_bridge.mapping import Capability
from erp_bridge.odoo_maps import DOCUMENTS
from erp_bridge.odoo_records import Records
from hub.errors import ErpRefused, ErpUnavailable

_NOT_A_FIELD = {"message"}
_SOON = timedelta(days=14)
_FOR = {  # a document is looked at when it is wanted for this
    "ticket": Capability.OPEN_TICKETS,
    "step": Capability.UPDATE_TICKETS,
    "closing": Capability.CLOSE_TICKETS,
    "report": Capability.REPORT_OPERATIONS,
    "hours": Capability.HOURS,
    "receipt": Capability.RECEIPTS,
    "issue": Capability.ISSUES,
    "scrap": Capability.SCRAP,
    "quality": Capability.QUALITY,
    "order": Capability.ORDERS,
    "operation": Capability.ORDERS,
    "sales_order": Capability.SALES_ORDERS,
    "sales_line": Capability.SALES_ORDERS,
    "item": Capability.ITEMS,
    "equipment": Capability.EQUIPMENT,
}


async def probed(records: Records, wanted: frozenset[str]) -> dict[str, str]:
    """By document; a ✗ begins what a person has to mend."""
    client = records.client
    records.forget()
    try:
        protocol = await client.meet()
        await client.read("res.users", "context_get")
    except (ErpUnavailable, ErpRefused) as trouble:
        return {"login": f"✗ {trouble}"}
    said = {"login": f"✓ Odoo {client.release[0]}.{client.release[1]}, {protocol}"}
    said["api key"] = await _key(records)
    for name in records.blocks:
        if _FOR[name] in wanted:
            said[name] = await _document(records, name)
    return said


async def _key(records: Records) -> str:
    """Which of the user's keys is ours Odoo does not tell: the first to end is the one to look after."""
    try:
        rows = await records.search("res.users.apikeys", [], ["name", "expiration_date"])
    except (ErpRefused, ErpUnavailable):
        return "✓ (Odoo does not tell when it expires)"
    ends = [datetime.fromisoformat(r["expiration_date"]) for r in rows if r.get("expiration_date")]
    if not ends:
        return "✓"
    first, now = min(ends), records.clock.now()
    if now <= first < now + _SOON:
        return f"✗ a key of this user ends on {first:%Y-%m-%d}: make a new one and put it in api_key"
    return f"✓ until {max(ends):%Y-%m-%d}"


async def _document(records: Records, name: str) -> str:
    block, ours = records.blocks[name], DOCUMENTS[name]
    site = records.config.documents.get(name, MapBlock())
    # of our own map only what the site repeats fits a model of its own
    wanted = _names(site if block.form != ours.form else block)
    try:
        await records.fields(block.form)
        gone = await records.absent(block.form, sorted(wanted))
    except ErpRefused as refusal:
        return f"✗ {block.form}: {refusal}"
    except ErpUnavailable as trouble:
        return f"✗ {trouble}"
    missing = [field for field in gone if field in _names(site)]
    if missing:
        return f"✗ {block.form} has no {', '.join(missing)}; see documents.{name}"
    return f"✓ {block.form}" + (f" (this release has no {', '.join(gone)})" if gone else "")


def _names(block: MapBlock) -> set[str]:
    written = {n.rstrip("+") for n, text in block.write.items() if text}
    written |= {n.rstrip("+") for v in block.variants for n, text in v.write.items() if text}
    return (written - _NOT_A_FIELD) | {*asked(block)}
