"""A look at a site that changes nothing: are we let in, is each interface, table and field there?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from erp_bridge.mapping import Capability
from erp_bridge.yonyou_answers import NO_ROUTE, U9Refusal, U9Trouble, rows_of
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_fields import unknown
from erp_bridge.yonyou_kinds import kind_of, service_of
from erp_bridge.yonyou_lists import ListReader
from erp_bridge.yonyou_maps import SERVICE_OF
from hub.errors import ErpRefused

_NEEDS = {
    "ticket": Capability.OPEN_TICKETS, "order_list": Capability.ORDERS,
    "sales_order": Capability.SALES_ORDERS,
    "item_list": Capability.ITEMS, "equipment": Capability.EQUIPMENT, "stock": Capability.STOCK,
    "report": Capability.REPORT_OPERATIONS, "transfer": Capability.REPORT_OPERATIONS,
    "receipt": Capability.RECEIPTS, "issue": Capability.ISSUES, "quality": Capability.QUALITY,
    "hours": Capability.HOURS, "scrap": Capability.SCRAP,
}  # fmt: skip
_WRITTEN = {
    "ticket": "ticket", "step": "ticket", "closing": "ticket", "report": "completion", "transfer": "transfer",
    "receipt": "completion", "scrap": "completion", "issue": "issue", "quality": "quality", "hours": "hours",
}  # fmt: skip
_NOBODY = "AH-PROBE"
_REPAIR = re.compile(r"repair|equip|eam|maint|维修|设备|报修", re.IGNORECASE)


async def probed(
    config: YonyouConfig, client: U9Client, lists: Iterable[ListReader], able: frozenset[str]
) -> dict[str, str]:
    """Raises ErpUnavailable when nobody answers or nobody is let in."""
    found: dict[str, str] = {}
    if config.tickets == "none":
        found["ticket"] = "no interface for repairs (tickets: none): they stay in the hub"
    for name in (n for n in SERVICE_OF if _NEEDS[n] in able):
        said = _fields(config, name) or await _interface(config, client, name)
        if said:
            found[name] = said
    for reader in lists:
        if _NEEDS[reader.name] in able:
            found[reader.name] = await _list(reader)
    return found


def _fields(config: YonyouConfig, name: str) -> str:
    """What of the maps the interface does not take; "" where all is well."""
    service = service_of(config, _WRITTEN[name])
    names = [name, "step", "closing"] if name == "ticket" else [name]
    for document in names:
        written = [n for n, text in kind_of(config, document).block.write.items() if text]
        wrong = unknown(document, written, service.block.fields)
        if wrong:
            return (
                f"✗ {service.path('create')} knows no {', '.join(wrong)} (documents.{document}.write); custom"
                " fields are DescFlexField.PrivateDescSeg1..30; a field that your interface takes all the"
                f" same belongs into services.{service.name}.fields"
            )
    return ""


async def _interface(config: YonyouConfig, client: U9Client, name: str) -> str:
    """What the interface says to a number that nobody has."""
    service = service_of(config, _WRITTEN[name])
    path = service.path("query")
    if not path:
        return ""
    try:
        rows_of(await client.read(path, service.body("query", [{"DocNo": _NOBODY}])))
    except U9Refusal as refusal:
        if name == "transfer" and refusal.code == NO_ROUTE and config.reports == "auto":
            return f"{path} is not there: every report becomes a completion report"
        hint = await _published(client) if name == "ticket" and refusal.code == NO_ROUTE else ""
        return f"✗ {path}: {refusal}{hint}"
    except (U9Trouble, ErpRefused) as trouble:
        return f"✗ {path}: {trouble}"
    return path


async def _published(client: U9Client) -> str:
    """Services of the hub that may be the site's repairs."""
    words = _texts(await client.published())
    found = [word for word in dict.fromkeys(words) if _REPAIR.search(word) and len(word) < 80][:5]
    if not found:
        return "; name your service in services.ticket, or write tickets: none"
    names = json.dumps(found, ensure_ascii=False)
    return f"; OpenAPIServiceHub publishes {names}: name yours in services.ticket"


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for child in inner for text in _texts(child)]


async def _list(reader: ListReader) -> str:
    reader.lacking.clear()  # what was missing may have been added since
    columns = reader.columns()
    try:
        if await reader.knows(*columns):
            return f"{reader.source}: {len(columns)} columns"
        bad = await reader.missing()
    except (U9Trouble, ErpRefused) as trouble:
        return f"✗ {reader.source}: {trouble}; lists can be read the other way too (reads: sql or entity)"
    missing = [c for c in bad if c in reader.needed]
    if missing:
        return (
            f"✗ {reader.source} has no {', '.join(missing)}: change documents.{reader.name}, or read lists"
            " the other way (reads: sql or entity)"
        )
    return f"{reader.source}: {len(columns) - len(bad)} columns, without {', '.join(bad)}"
