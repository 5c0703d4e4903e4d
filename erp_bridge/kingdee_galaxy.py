"""Kingdee Cloud Galaxy 金蝶云星空: maintenance tickets, operation reports and production orders.

No write of this ERP is idempotent. Every one is therefore preceded by a look: for our own number before a
document is made, for the document's state before it is moved on. After an unknown outcome the caller simply
calls again, and what was done is found instead of done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from erp_bridge.connector import Connector
from erp_bridge.kingdee_client import UNKNOWN_KEY, KingdeeClient, KingdeeRefusal, quoted
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_orders import identity, joined, order_keys, plan_keys, sales_keys
from erp_bridge.kingdee_probe import looks, probed
from erp_bridge.kingdee_reports import Reports
from erp_bridge.kingdee_tickets import Tickets
from erp_bridge.mapping import Capability
from hub.model.production import WorkOrder
from hub.ports import Clock

log = logging.getLogger(__name__)

_AT_ONCE = 100  # values in one `in (...)`


class KingdeeGalaxyConnector(Connector):
    """hub.ports.ErpConnector in signed mode (no login call). Opens nothing before the first call."""

    Config = KingdeeConfig
    title = "Kingdee Galaxy"
    capabilities = frozenset(
        {
            Capability.OPEN_TICKETS,
            Capability.UPDATE_TICKETS,
            Capability.CLOSE_TICKETS,
            Capability.REOPEN_TICKETS,
            Capability.TICKET_STATES,
            Capability.ATTACHMENTS,
            Capability.REPORT_OPERATIONS,
            Capability.ORDERS,
        }
    )

    def __init__(self, config: KingdeeConfig, clock: Clock) -> None:
        self._config = config
        self._client = KingdeeClient(config, clock)
        self._tickets = Tickets(config, self._client)
        self._reports = Reports(config, self._client, clock)
        self._lacking: set[str] = set()  # optional columns that this tenant does not have

    async def close(self) -> None:
        await self._client.close()

    # ------------------------------------------------------------------ tickets
    async def find_ticket(self, key: str) -> tuple[str, str] | None:
        found = await self._tickets.find(key)
        return (found.id, found.number) if found else None

    async def open_ticket(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        return await self._tickets.open(key, fields)

    async def update_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        await self._tickets.update(erp_id, fields)

    async def close_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        await self._tickets.close(erp_id, fields)

    async def ticket_states(self, erp_ids: Sequence[str]) -> Mapping[str, str]:
        return await self._tickets.states(erp_ids)

    # ------------------------------------------------------------------ reports
    async def find_report(self, key: str) -> str | None:
        return await self._reports.find(key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._reports.report(key, fields)

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        return await probed(self._client, looks(self._config))

    # ------------------------------------------------------------------ orders
    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        """Orders on the shop floor; `changed_since`: those that, or whose plan or sales order, changed, with
        those that are on the shop floor no more."""
        lines = await self._order_lines(changed_since)
        undated = [str(r["FBillNo"]) for r in lines if not r.get("FPlanFinishDate")]
        if undated:
            log.warning("left out, because they have no planned finish: %s", ", ".join(undated))
        lines = [r for r in lines if r.get("FPlanFinishDate")]
        plans = await self._plans({str(r["FBillNo"]) for r in lines})
        sales = await self._sales({str(r.get("FSaleOrderNo") or "") for r in lines} - {""})
        return joined(self._config, lines, plans, sales)

    async def _order_lines(self, since: datetime | None) -> list[dict[str, Any]]:
        keys, form = order_keys(self._config.order), self._config.order.form
        if since is None:
            return await self._rows(form, keys, self._released())
        changed = self._changed(since)
        found = await self._rows(form, keys, f"{changed}{self._here()}")
        for field, numbers in (
            (
                "FBillNo",
                await self._changed_numbers(self._config.plan.form, self._config.plan.order, changed),
            ),
            ("FSaleOrderNo", await self._changed_numbers(self._config.order.sales_form, "FBillNo", changed)),
        ):
            for part in _parts(numbers):
                found += await self._rows(form, keys, f"{self._released()} and {field} in ({part})")
        entry = f"{self._config.order.entry}_FEntryId"
        return list({identity(r[entry]): r for r in found}.values())

    def _released(self) -> str:
        states = ",".join(map(quoted, self._config.order.states))
        return f"FDocumentStatus='C' and FCancelStatus<>'B' and FStatus in ({states}){self._here()}"

    def _here(self) -> str:
        organisation = self._config.order.organisation
        return f" and FPrdOrgId.FNumber={quoted(organisation)}" if organisation else ""

    def _changed(self, since: datetime) -> str:
        """Earlier by an overlap: the clocks differ, and a document may be committed after its own time."""
        from_then = (since - self._config.overlap).astimezone(self._config.zone)
        return f"FModifyDate>='{from_then:%Y-%m-%d %H:%M:%S}'"

    async def _changed_numbers(self, form: str, field: str, changed: str) -> set[str]:
        if not form:
            return set()
        return {str(r[field]) for r in await self._rows(form, ["FID", field], changed) if r[field]}

    async def _plans(self, bills: Iterable[str]) -> list[dict[str, Any]]:
        plan, rows = self._config.plan, []
        for part in _parts(bills):
            rows += await self._rows(plan.form, plan_keys(plan), f"{plan.order} in ({part})")
        return rows

    async def _sales(self, numbers: Iterable[str]) -> list[dict[str, Any]]:
        order, rows = self._config.order, []
        for part in _parts(numbers) if order.sales_form else ():
            rows += await self._rows(order.sales_form, sales_keys(order), f"FBillNo in ({part})")
        return rows

    async def _rows(self, form: str, keys: Sequence[str], where: str) -> list[dict[str, Any]]:
        """Tenants lack columns: one that may be missing is dropped when the server does not know it."""
        while True:
            present = [k for k in keys if f"{form}.{k}" not in self._lacking]
            try:
                return await self._client.query(form, present, where, self._ordering(present))
            except KingdeeRefusal as refusal:
                unknown = self._optional_in(refusal, present)
                if unknown is None:
                    raise
                log.warning("Kingdee has no %s on %s: going on without it", unknown, form)
                self._lacking.add(f"{form}.{unknown}")

    def _ordering(self, keys: Sequence[str]) -> str:
        """By something unique, or pages would overlap."""
        return ",".join(f"{k} ASC" for k in keys if k == "FID" or k.endswith("_FEntryId"))

    def _optional_in(self, refusal: KingdeeRefusal, keys: Sequence[str]) -> str | None:
        if refusal.code != UNKNOWN_KEY:
            return None
        order, plan = self._config.order, self._config.plan
        optional = (
            "FSaleOrderNo", order.product_name_en, order.priority, order.rush, order.sales_priority,
            "FCustId.FName", plan.name_en, plan.name, plan.work_center,
        )  # fmt: skip
        said = refusal.said.replace(",", " ").split()
        return next((k for k in keys if k in optional and (k in said or k.partition(".")[0] in said)), None)


def _parts(values: Iterable[str]) -> Iterable[str]:
    """Literals for `in (...)`, a hundred at a time."""
    ordered = sorted(values)
    for at in range(0, len(ordered), _AT_ONCE):
        yield ",".join(map(quoted, ordered[at : at + _AT_ONCE]))
