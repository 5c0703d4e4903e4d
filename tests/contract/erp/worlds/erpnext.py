"""ERPNext's books: the simulated site, read and written as a clerk would."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge.erpnext import ErpNextConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import ClerkPosting, ClerkTicket, Facts
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.server import ErpNextSimulator
from tests.simulators.erpnext.site import Doc

ZONE = ZoneInfo("Asia/Shanghai")
CUSTOM = "custom_fault_code"  # a field that the plant's key user has added
ON = {"ticket": ["Asset Repair", "Issue"], "report": ["Job Card"], "posting": ["Stock Entry"], "": []}
PURPOSES = {PostingKind.RECEIPT: "Manufacture", PostingKind.ISSUE: "Material Transfer for Manufacture"}


class ErpNextBooks:
    facts = Facts(
        equipment="ACC-ASS-2026-00001", order="MFG-WO-2026-00001", operation=seed.OPERATION, item=seed.ITEM,
        order_quantity=seed.QUANTITY, orders=seed.ON_FLOOR, sales_order="SAL-ORD-2026-00001",
        component=seed.COMPONENT, lot=seed.LOT, warehouse="", employee={"op-a": "HR-EMP-00001"},
    )  # fmt: skip

    def __init__(self, erp: ErpNextSimulator) -> None:
        self.erp = erp
        self.site = erp.site

    def connector(self, clock: Clock, **changes: Any) -> ErpNextConnector:
        block = {
            "url": self.erp.url, "api_key": seed.BRIDGE.api_key, "api_secret": seed.BRIDGE.api_secret,
            "company": seed.COMPANY, "timeout": "5s", "page_rows": 4, "employees": dict(self.facts.employee),
        }  # fmt: skip
        return ErpNextConnector(ErpNextConnector.Config.model_validate(block | changes), clock)

    # ------------------------------------------------------------------ what a clerk sees
    def every(self, doctype: str) -> list[Doc]:
        with self.site.lock:
            return self.site.every(doctype)

    async def tickets(self) -> Sequence[ClerkTicket]:
        """An amended repair is one with what it was cancelled for."""
        repairs = self.every("Asset Repair")
        gone = {row["amended_from"] for row in repairs}
        out = [
            ClerkTicket(
                str(row[seed.REF]).partition("~")[0], row["name"], row["asset"], row["description"],
                row["docstatus"] != 0 or row["repair_status"] != "Pending", row,
            )
            for row in repairs if row["name"] not in gone
        ]  # fmt: skip
        return out + [
            ClerkTicket(
                row[seed.REF], row["name"], "",
                f"{row['subject']}\n{html.unescape(row['description'] or '')}",
                row["status"] in ("Closed", "Resolved"), row,
            )
            for row in self.every("Issue")
        ]  # fmt: skip

    def _logs(self) -> list[tuple[Doc, Doc]]:
        return [
            (card, row)
            for card in self.every("Job Card") if card["docstatus"] != 2
            for row in card["time_logs"] if row.get(seed.REF)
        ]  # fmt: skip

    async def reports(self) -> Sequence[ClerkPosting]:
        return [
            ClerkPosting(
                row[seed.REF], card["work_order"], card["operation"], row["completed_qty"],
                row["custom_andon_scrap"], row,
            )
            for card, row in self._logs() if row["completed_qty"]
        ]  # fmt: skip

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        if kind is PostingKind.HOURS:
            return [
                _row(card, row, row["time_in_mins"] / 60)
                for card, row in self._logs() if row["time_in_mins"]
            ]  # fmt: skip
        if kind is PostingKind.SCRAP:
            return [
                _row(card, row, row["custom_andon_scrap"])
                for card, row in self._logs() if row["custom_andon_scrap"] and not row["completed_qty"]
            ]  # fmt: skip
        if kind is PostingKind.QUALITY:
            return [
                ClerkPosting(row[seed.REF], "", "", 0.0, 0.0, row)
                for row in self.every("Quality Inspection") if row["docstatus"] == 1
            ]  # fmt: skip
        return [
            ClerkPosting(entry[seed.REF], entry["work_order"], "", row["qty"], 0.0, entry)
            for entry in self.every("Stock Entry")
            if entry["docstatus"] == 1 and entry["purpose"] == PURPOSES[kind]
            for row in entry["items"] if row["is_finished_item"] or kind is PostingKind.ISSUE
        ]  # fmt: skip

    async def order(self, number: str) -> Mapping[str, Any]:
        with self.site.lock:
            row = self.site.get("Work Order", number)
        due = datetime.fromisoformat(f"{row['expected_delivery_date']}T23:59:00").replace(tzinfo=ZONE)
        return {
            "priority": row["custom_priority"] or None, "due_at": due.astimezone(UTC),
            "quantity": int(row["qty"]),
        }  # fmt: skip

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        row = next(r for r in self.every("Asset Repair") if r[seed.REF] == key)
        done = {"repair_status": "Completed", "completion_date": row["failure_date"], "docstatus": 1}
        with self.site.lock:
            self.site.save("Asset Repair", row["name"], done, seed.CLERK)

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        local = due_at.astimezone(ZONE).strftime("%Y-%m-%d")
        with self.site.lock:
            self.site.set("Work Order", number, qty=float(quantity), expected_delivery_date=local)

    async def cancel_order(self, number: str) -> None:
        with self.site.lock:
            self.site.save("Work Order", number, {"docstatus": 2}, seed.CLERK)

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        if kind == "down":
            self.erp.faults.add("down")
        else:
            self.erp.faults.add(kind, on=ON[on], times=times)

    async def clear(self) -> None:
        self.erp.faults.clear()


def _row(card: Doc, row: Doc, quantity: float) -> ClerkPosting:
    return ClerkPosting(row[seed.REF], card["work_order"], card["operation"], quantity, 0.0, row)


class ErpNextWorld:
    name = "erpnext"
    faults = frozenset(
        {"drop_before", "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable",
         "rate_limited", "locked", "down", "page", "same_page", "any_document", "renamed"}
    )  # fmt: skip
    secret = seed.BRIDGE.api_secret
    wrong_login: Mapping[str, Any] = {"api_secret": "another-secret"}
    hidden_keys = ("custom_andon_ref", "custom_andon_ref")
    broken_orders: Mapping[str, Any] = {"documents": {"order": {"read": {"quantity": "number(item_name)"}}}}
    ticket_place = r"documents\.repair"

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[ErpNextBooks]:
        with ErpNextSimulator(now=clock.now) as simulator:
            seed.add(simulator.site, "Asset Repair", CUSTOM)
            yield ErpNextBooks(simulator)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"repair": {"write": {CUSTOM: "filled(fault_code)"}}}}, CUSTOM


WORLD = ErpNextWorld()
