"""Every operation that a mapping can describe: its document, what it may name, what it needs (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from erp_bridge import mapping
from erp_bridge.fieldmap import MapBlock
from erp_bridge.mapping import Capability
from hub.model.erp import PostingKind


class Deed(Enum):
    READ = "read"
    CREATE = "create"  # looked up by its key before and after
    CHANGE = "change"  # saying it twice is saying it once


@dataclass(frozen=True, slots=True)
class Operation:
    """`fields`: names that placeholders and expressions may use. `all_of`: operations it cannot do without.
    `one_of`: of these one at least."""

    document: str
    deed: Deed
    fields: frozenset[str]
    all_of: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


ALWAYS = frozenset({"now", "employee"})
_CURRENT = frozenset({"erp_id", "number", "version"})  # of the ticket or document as it stands
_OPENING = frozenset(mapping.opening({})) | {"key"}
_STEP = frozenset(mapping.update({})) | _CURRENT
_CLOSING = frozenset(mapping.closing({})) | _CURRENT | {"note"}
_REPORT = frozenset(mapping.report({})) | {"key"}
_POSTING = frozenset(mapping.posting({})) | {"key"}
_CHANGE = frozenset(mapping.order_change({})) | _CURRENT
_PHOTO = _CURRENT | {"photo", "photo_name", "photo_data", "photo_base64", "key", "person", "at"}
_SINCE = frozenset({"changed_since"})


def _postings() -> dict[str, Operation]:
    made: dict[str, Operation] = {}
    for kind in PostingKind:
        name = kind.value
        made[f"find_{name}"] = Operation(name, Deed.READ, frozenset({"key"}))
        made[name] = Operation(name, Deed.CREATE, _POSTING, (f"find_{name}",))
        made[f"finish_{name}"] = Operation(name, Deed.CHANGE, _POSTING | _CURRENT, (name,))
    return made


OPERATIONS: dict[str, Operation] = {
    "find_ticket": Operation("ticket", Deed.READ, frozenset({"key"})),
    "ticket": Operation("ticket", Deed.READ, frozenset({"erp_id"})),
    "ticket_states": Operation("ticket", Deed.READ, frozenset({"erp_id", "erp_ids"})),
    "open_ticket": Operation("ticket", Deed.CREATE, _OPENING, ("find_ticket",)),
    "finish_ticket": Operation("ticket", Deed.CHANGE, _OPENING | _CURRENT, ("open_ticket",)),
    "update_ticket": Operation("step", Deed.CHANGE, _STEP, (), ("ticket", "ticket_states")),
    "reopen_ticket": Operation("step", Deed.CHANGE, _STEP, (), ("ticket", "ticket_states")),
    "close_ticket": Operation("closing", Deed.CHANGE, _CLOSING, (), ("ticket", "ticket_states")),
    "find_photo": Operation("photo", Deed.READ, _PHOTO - {"photo_data", "photo_base64"}),
    "attach_photo": Operation("photo", Deed.CREATE, _PHOTO, ("find_photo", "close_ticket")),
    "find_report": Operation("report", Deed.READ, frozenset({"key"})),
    "report_operation": Operation("report", Deed.CREATE, _REPORT, ("find_report",)),
    "finish_report": Operation("report", Deed.CHANGE, _REPORT | _CURRENT, ("report_operation",)),
    **_postings(),
    "items": Operation("item", Deed.READ, _SINCE),
    "changed_items": Operation("item", Deed.READ, _SINCE, ("items",)),
    "equipment": Operation("equipment", Deed.READ, frozenset()),
    "orders": Operation("order", Deed.READ, _SINCE),
    "changed_orders": Operation("order", Deed.READ, _SINCE, ("orders",)),
    "order_operations": Operation("operation", Deed.READ, frozenset({"number", "numbers"}), ("orders",)),
    "order": Operation("order", Deed.READ, frozenset({"number"})),
    "change_order": Operation("order_change", Deed.CHANGE, _CHANGE),
    "sales_orders": Operation("sales_order", Deed.READ, _SINCE),
    "changed_sales_orders": Operation("sales_order", Deed.READ, _SINCE, ("sales_orders",)),
    "reported": Operation("reported", Deed.READ, frozenset({"number", "numbers"})),
    "stock": Operation("stock", Deed.READ, frozenset({"item", "items"})),
    "describe": Operation("description", Deed.READ, frozenset({"form", "document"})),
}
LISTED = {"erp_ids": "erp_id", "numbers": "number", "items": "item"}  # many at once -> one of them

_ABLE: dict[Capability, tuple[str, ...]] = {
    Capability.OPEN_TICKETS: ("open_ticket", "find_ticket"),
    Capability.UPDATE_TICKETS: ("update_ticket",),
    Capability.CLOSE_TICKETS: ("close_ticket",),
    Capability.REOPEN_TICKETS: ("reopen_ticket",),
    Capability.ATTACHMENTS: ("attach_photo", "find_photo"),
    Capability.REPORT_OPERATIONS: ("report_operation", "find_report"),
    Capability.ORDERS: ("orders",),
    Capability.CHANGE_ORDERS: ("change_order",),
    Capability.SALES_ORDERS: ("sales_orders",),
    Capability.ITEMS: ("items",),
    Capability.EQUIPMENT: ("equipment",),
    Capability.REPORTED: ("reported",),
    Capability.STOCK: ("stock",),
    **{able: (kind.value, f"find_{kind.value}") for kind, able in mapping.POSTINGS.items()},
}


def capabilities(configured: frozenset[str], pushes: bool) -> frozenset[str]:
    """What follows from the operations that are configured."""
    able = {c.value for c, needed in _ABLE.items() if configured.issuperset(needed)}
    if configured & {"ticket", "ticket_states"}:
        able.add(Capability.TICKET_STATES.value)
    return frozenset(able | ({Capability.WEBHOOKS.value} if pushes else set()))


# ------------------------------------------------------------------ documents
@dataclass(frozen=True, slots=True)
class Document:
    """`write` and `read`: our names on each side. `must`: without which a record is of no use."""

    write: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    must: frozenset[str] = field(default_factory=frozenset)

    def plainly(self) -> MapBlock:
        """The map of a system that calls everything as we do."""
        skip = ALWAYS | {"photo_data", "version"}
        return MapBlock(
            write={name: name for name in sorted(self.write - skip)},
            read={name: f"instant({name})" if name.endswith("_at") else name for name in sorted(self.read)},
        )


_FOUND = frozenset({"erp_id", "number", "key", "finished"})
_ITEM = frozenset({"number", "name", "name_en", "unit", "family", "erp_id"})
_ORDER = frozenset({
    "number", "product", "product_name", "product_name_en", "quantity", "due_at", "priority", "rush",
    "sales_order", "customer", "erp_id", "erp_entry_id", "state", "jobs",
})  # fmt: skip
_SALE = frozenset({
    "number", "line", "customer", "product", "quantity", "due_at", "priority", "rush", "open", "seller",
    "erp_id",
})  # fmt: skip
JOB = frozenset({"order", "operation", "name", "name_en", "work_center", "quantity"})

DOCUMENTS: dict[str, Document] = {
    "ticket": Document(_OPENING | {"erp_id", "number"}, _FOUND | {"closed", "version"}),
    "step": Document(_STEP, _FOUND),
    "closing": Document(_CLOSING, _FOUND),
    "photo": Document(_PHOTO, _FOUND),
    "report": Document(_REPORT | {"erp_id", "number"}, _FOUND),
    **{kind.value: Document(_POSTING | {"erp_id", "number"}, _FOUND) for kind in PostingKind},
    "item": Document(frozenset(), _ITEM, frozenset({"number"})),
    "equipment": Document(
        frozenset(), frozenset({"number", "name", "name_en", "place", "active", "erp_id"}),
        frozenset({"number"}),
    ),
    "order": Document(frozenset(), _ORDER | {"version"}, frozenset({"number", "due_at"})),
    "operation": Document(frozenset(), JOB, frozenset({"order", "operation"})),
    "order_change": Document(_CHANGE, _FOUND),
    "sales_order": Document(frozenset(), _SALE, frozenset({"number", "due_at"})),
    "reported": Document(
        frozenset(), frozenset({"order", "operation", "quantity", "good", "scrap"}),
        frozenset({"order", "operation"}),
    ),
    "stock": Document(
        frozenset(), frozenset({"item", "quantity", "lot", "warehouse"}), frozenset({"item", "quantity"})
    ),
    "description": Document(frozenset(), frozenset({"name", "title", "type"}), frozenset({"name"})),
}  # fmt: skip
