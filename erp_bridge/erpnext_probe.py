"""A look at an ERPNext site that changes nothing: who are we, is what the maps name there?"""

from __future__ import annotations

from erp_bridge.erpnext_cards import LOG
from erp_bridge.erpnext_meta import Meta
from erp_bridge.erpnext_records import Records
from erp_bridge.fieldmap import asked
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused, ErpUnavailable

_FOR = {  # a document is looked at when it is wanted for this
    "repair": Capability.OPEN_TICKETS,
    "repair_step": Capability.UPDATE_TICKETS,
    "repair_closing": Capability.CLOSE_TICKETS,
    "support": Capability.OPEN_TICKETS,
    "support_step": Capability.UPDATE_TICKETS,
    "support_closing": Capability.CLOSE_TICKETS,
    "report": Capability.REPORT_OPERATIONS,
    "card": Capability.REPORT_OPERATIONS,
    "scrap": Capability.SCRAP,
    "hours": Capability.HOURS,
    "receipt": Capability.RECEIPTS,
    "receipt_line": Capability.RECEIPTS,
    "issue": Capability.ISSUES,
    "issue_line": Capability.ISSUES,
    "batch": Capability.RECEIPTS,
    "quality": Capability.QUALITY,
    "reading": Capability.QUALITY,
    "order": Capability.ORDERS,
    "operation": Capability.ORDERS,
    "sales_order": Capability.SALES_ORDERS,
    "sales_line": Capability.SALES_ORDERS,
    "item": Capability.ITEMS,
    "equipment": Capability.EQUIPMENT,
    "workstation": Capability.EQUIPMENT,
    "stock": Capability.STOCK,
}
_KEYED = ("repair", "support", "receipt", "quality")
_SET_BY_US = frozenset({"order", "row", "card", "required", "work_order"})


async def probed(records: Records, wanted: frozenset[str]) -> dict[str, str]:
    """By document; a ✗ begins what a person has to mend."""
    records.metas.forget()
    try:
        who = (await records.client.ask("frappe.auth.get_logged_user")).get("message")
    except (ErpUnavailable, ErpRefused) as trouble:
        return {"login": f"✗ {trouble}"}
    said = {"login": f"✓ {who}" if who and who != "Guest" else "✗ nobody is logged in; check api_key"}
    for name in records.blocks:
        if _FOR[name] in wanted and (name != "workstation" or records.config.workstations):
            said[name] = await _document(records, name)
    return said


async def _document(records: Records, name: str) -> str:
    block = records.blocks[name]
    try:
        meta = await records.meta(block.form)
        if not meta.fields:
            await records.listed(block.form, [], [], most=1)
            return f"✓ {block.form}; its fields are not told to this user"
    except (ErpUnavailable, ErpRefused) as trouble:
        return f"✗ {block.form}: {trouble}"
    gone = sorted(field for field in _fields(records, name) if meta.lacks(field))
    if gone:
        return f"✗ {block.form} has no {', '.join(gone)}; add it there, or empty it in documents.{name}"
    return _key(records, name, meta) or f"✓ {block.form}"


def _fields(records: Records, name: str) -> set[str]:
    block = records.blocks[name]
    written = {n for n, text in block.write.items() if text}
    written |= {n for v in block.variants for n, text in v.write.items() if text}
    read = {n.partition(".")[0] for n in asked(block)} - _SET_BY_US
    keys = {records.config.key_of(block.form)} if name in _KEYED else set()
    keys |= {records.config.row_key_field} if block.form == LOG else set()
    return {n.rstrip("+") for n in written} | read | keys


def _key(records: Records, name: str, meta: Meta) -> str:
    field = records.config.key_of(records.form(name))
    known = meta.fields.get(field, {})
    if name not in _KEYED or field != records.config.key_field or not known or known.get("unique"):
        return ""
    return f"✗ {records.form(name)}: {field} is not unique; tick Unique in Customize Form"
