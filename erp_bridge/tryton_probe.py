"""A look at a Tryton that changes nothing: can we log in, is what the maps name there?"""

from __future__ import annotations

from erp_bridge.fieldmap import asked
from erp_bridge.mapping import Capability
from erp_bridge.tryton_records import Records
from hub.errors import ErpRefused, ErpUnavailable

_SET_BY_CODE = {"note"}
_FOR = {  # a document is looked at when it is wanted for this
    "ticket": Capability.OPEN_TICKETS,
    "step": Capability.UPDATE_TICKETS,
    "closing": Capability.CLOSE_TICKETS,
    "report": Capability.REPORT_OPERATIONS,
    "receipt": Capability.RECEIPTS,
    "scrap": Capability.SCRAP,
    "issue": Capability.ISSUES,
    "issue_line": Capability.ISSUES,
    "hours": Capability.HOURS,
    "quality": Capability.QUALITY,
    "order": Capability.ORDERS,
    "operation": Capability.ORDERS,
    "sales_order": Capability.SALES_ORDERS,
    "item": Capability.ITEMS,
    "equipment": Capability.EQUIPMENT,
}


async def probed(records: Records, wanted: frozenset[str]) -> dict[str, str]:
    """By document; a ✗ begins what a person has to mend."""
    try:
        user = await records.client.read("model.res.user.search_count", [["id", "!=", 0]])
    except (ErpUnavailable, ErpRefused) as trouble:
        return {"login": f"✗ {trouble}"}
    company = records.client.context.get("company")
    said = {"login": "✓" if user is not None else "✗ the user sees nobody"}
    said["company"] = "✓" if company else "✗ the user has no company: give it one in its preferences"
    for name in records.blocks:
        if _FOR[name] in wanted:
            said[name] = await _document(records, name)
    return said


async def _document(records: Records, name: str) -> str:
    block = records.blocks[name]
    written = {n.rstrip("+") for n, text in block.write.items() if text} - _SET_BY_CODE
    written |= {n.rstrip("+") for v in block.variants for n, text in v.write.items() if text}
    try:
        gone = await records.absent(block.form, sorted(written | {*asked(block)}))
    except ErpRefused as refusal:
        return f"✗ {block.form}: {refusal}"
    except ErpUnavailable as trouble:
        return f"✗ {trouble}"
    if gone:
        return f"✗ {block.form} has no {', '.join(gone)}; see documents.{name}"
    return f"✓ {block.form}"
