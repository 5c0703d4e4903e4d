"""Operation reports 工序汇报: pushed from the operation plan, given our numbers, submitted and approved.

Push is not idempotent and takes no key of ours. A report is therefore ours in two stages: fresh from Push it
is known by its source, its maker (our user) and its empty key; from our Save on it carries the key.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from erp_bridge.kingdee_client import KingdeeClient, KingdeeRefusal, quoted
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_documents import APPROVED, Document, Documents
from erp_bridge.kingdee_orders import bill_and_line, identity
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)


class Reports:
    def __init__(self, config: KingdeeConfig, client: KingdeeClient, clock: Clock) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._documents = Documents(client)
        self._report = config.report

    async def find(self, key: str) -> str | None:
        """The number of the finished report; one that is half done does not count."""
        found = await self._keyed(key)
        return found.number if found is not None and found.is_final else None

    async def report(self, key: str, fields: Mapping[str, Any]) -> str:
        """Carry on from wherever an earlier try has ended."""
        found = await self._keyed(key)
        if found is None:
            found = await self._pushed(key, fields)
        if not found.is_final:
            await self._documents.advance(self._report.form, found, APPROVED)
        return found.number

    async def _keyed(self, key: str) -> Document | None:
        found = await self._documents.keyed(self._report.form, self._report.key, key)
        if len(found) > 1:
            log.error("report %s is in Kingdee %d times: using %s", key, len(found), found[0].number)
        return found[0] if found else None

    async def _pushed(self, key: str, fields: Mapping[str, Any]) -> Document:
        plan_id, plan_number, line = await self._plan_line(fields)
        report_id = await self._left_over(plan_number, str(fields["operation"])) or await self._push(
            plan_id, line
        )
        await self._give_key(report_id, key, *await self._written(report_id, key, fields))
        document = await self._documents.by_id(self._report.form, report_id)
        if document is None:
            raise ErpUnavailable(f"Kingdee does not show report {report_id} yet", in_doubt=True)
        return document

    async def _give_key(
        self, report_id: str, key: str, fields: Mapping[str, Any], entry_keys: list[str]
    ) -> None:
        """A key that is taken belongs to a report of an earlier try which the server has been hiding."""
        try:
            await self._documents.change(self._report.form, report_id, fields, entry_keys)
        except KingdeeRefusal as refusal:
            if not refusal.is_duplicate:
                raise
            raise ErpUnavailable(f"report {key} is in Kingdee, which does not show it yet") from None

    async def _plan_line(self, fields: Mapping[str, Any]) -> tuple[str, str, str]:
        """(plan id, plan number, line id) of this operation of this order."""
        order, operation = str(fields["order"]), str(fields["operation"])
        plan, (bill, seq) = self._config.plan, bill_and_line(order)
        where = f"{plan.order}={quoted(bill)} and {plan.operation}={quoted(operation)}"
        if seq > 1:
            where += f" and {plan.order_entry}={await self._order_line(bill, seq)}"
        rows = await self._client.query(
            plan.form, ["FID", "FBillNo", f"{plan.entry}_FEntryId"], where, most=2
        )
        if not rows:
            text = f"Kingdee has no operation plan for {order} operation {operation}: release it there"
            raise ErpUnavailable(text) if self._may_come(fields.get("at")) else ErpRefused(text)
        return identity(rows[0]["FID"]), rows[0]["FBillNo"], identity(rows[0][f"{plan.entry}_FEntryId"])

    def _may_come(self, at: object) -> bool:
        """The shop floor is sometimes quicker than the office."""
        return isinstance(at, datetime) and self._clock.now() - at < self._report.plan_patience

    async def _order_line(self, bill: str, seq: int) -> str:
        order = self._config.order
        where = f"FBillNo={quoted(bill)} and {order.entry}_FSeq={seq}"
        rows = await self._client.query(order.form, ["FID", f"{order.entry}_FEntryId"], where, most=1)
        if not rows:
            raise ErpRefused(f"Kingdee has no line {seq} of production order {bill}")
        return identity(rows[0][f"{order.entry}_FEntryId"])

    async def _left_over(self, plan_number: str, operation: str) -> str | None:
        """A report that we pushed and then lost: ours, unsaid and without a key."""
        report = self._report
        where = (
            f"{report.source}={quoted(plan_number)} and {report.operation}={quoted(operation)}"
            " and FDocumentStatus in ('Z','A','D')"
        )
        if report.creator:
            where += f" and {report.creator}={quoted(self._config.user)}"
        rows = await self._client.query(report.form, ["FID", report.key], where)
        return next((identity(r["FID"]) for r in rows if not r[report.key]), None)

    async def _push(self, plan_id: str, line: str) -> str:
        data = {
            "Ids": plan_id, "EntryIds": line, "RuleId": self._report.rule, "TargetFormId": self._report.form,
            "IsEnableDefaultRule": False, "IsDraftWhenSaveFail": False, "CustomParams": {},
        }  # fmt: skip
        result = await self._client.write("Push", self._config.plan.form, data)
        made = result.get("ResponseStatus", {}).get("SuccessEntitys") or []
        if not made:
            raise ErpUnavailable("Kingdee pushed a report without telling its id", in_doubt=True)
        return identity(made[0]["Id"])

    async def _written(
        self, report_id: str, key: str, fields: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """What to save, and the keys inside the entry that may change."""
        report, entry_key = self._report, f"{self._report.entry}_FEntryId"
        rows = await self._client.query(report.form, ["FID", entry_key], f"FID={int(report_id)}", most=1)
        if not rows:
            raise ErpUnavailable(f"Kingdee does not show report {report_id} yet", in_doubt=True)
        good, scrap, at = int(fields["good"]), int(fields["scrap"]), fields.get("at")
        named = {
            report.finished: good + scrap,
            report.good: good,
            report.scrap: scrap,
            report.person: fields.get("person"),
            report.equipment: fields.get("equipment"),
            report.at: at.astimezone(self._config.zone).strftime("%Y-%m-%d %H:%M:%S")
            if isinstance(at, datetime)
            else None,
        }
        line = {name: value for name, value in named.items() if name and value not in (None, "")}
        entry = {"FEntryID": int(identity(rows[0][entry_key])), **line}
        return {report.key: key, report.entry: [entry]}, list(line)
