"""A look at a tenant that changes nothing: can we log in, is every form and every field there?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_orders import order_keys, plan_keys, sales_keys
from hub.errors import ErpRefused

Looks = Mapping[str, tuple[str, Sequence[str]]]  # name -> form, field keys


def looks(config: KingdeeConfig) -> Looks:
    ticket, report = config.ticket, config.report
    found = {
        "ticket": (ticket.form, [k for k in ticket.keys.model_dump().values() if k]),
        "order": (config.order.form, order_keys(config.order)),
        "plan": (config.plan.form, plan_keys(config.plan)),
        "report": (report.form, [report.key, report.finished, report.good, report.scrap, report.person,
                                 report.equipment, report.at]),
    }  # fmt: skip
    if config.order.sales_form:
        found["sales_order"] = (config.order.sales_form, sales_keys(config.order))
    return {name: (form, [k for k in keys if k]) for name, (form, keys) in found.items()}


async def probed(client: KingdeeClient, wanted: Looks) -> dict[str, str]:
    """Raises ErpUnavailable when nobody answers or nobody is let in."""
    found: dict[str, str] = {}
    for name, (form, keys) in wanted.items():
        found[name] = await _look(client, form, keys)
    return found


async def _look(client: KingdeeClient, form: str, keys: Sequence[str]) -> str:
    """All fields at once; one by one when the server does not know all of them."""
    if await _complaint(client, form, keys) is None:
        return f"{form}: {len(keys)} fields"
    whole = await _complaint(client, form, ["FDocumentStatus"])
    if whole is not None:
        return f"✗ {form}: {whole}"
    bad = [key for key in keys if await _complaint(client, form, [key]) is not None]
    return f"✗ {form} lacks {', '.join(bad)}" if bad else f"{form}: {len(keys)} fields"


async def _complaint(client: KingdeeClient, form: str, keys: Sequence[str]) -> str | None:
    try:
        await client.query(form, keys, "", "", most=1)
    except ErpRefused as refusal:
        return str(refusal)
    return None
