"""What the office decides: production orders, sales orders, items, machines; and a rush order's new date."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from erp_bridge.tryton_records import Records, Row
from erp_bridge.tryton_values import typed_instant
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import ErpEquipment, Item, SalesOrder
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

log = logging.getLogger(__name__)

_REPLAN = "[andon] 改期中 re-planning"


class Orders:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def production(self, changed_since: datetime | None) -> list[WorkOrder]:
        floor = ["state", "in", self._records.config.floor_states]
        domain: list[Any] = [floor] if changed_since is None else [self._changed(changed_since, "works")]
        found = await self._records.mapped("order", [["number", "!=", None], *domain])
        jobs = await self._jobs([str(ours["number"]) for _, ours in found])
        return [
            _order(row, ours, jobs.get(str(ours["number"]), [])) for row, ours in found if "due_at" in ours
        ]

    def _changed(self, since: datetime, *below: str) -> list[Any]:
        """Made or changed since, or one of its parts; a little earlier, for clocks and long transactions."""
        at = typed_instant(since - self._records.config.overlap)
        moments = [
            f"{part}{name}"
            for part in ("", *(f"{b}." for b in below))
            for name in ("write_date", "create_date")
        ]
        return ["OR", *([name, ">=", at] for name in moments)]

    async def _jobs(self, numbers: Sequence[str]) -> dict[str, list[JobOrder]]:
        found: dict[str, list[JobOrder]] = {}
        for at in range(0, len(numbers), 500):
            part = list(numbers[at : at + 500])
            for _, ours in await self._records.mapped("operation", [["production.number", "in", part]]):
                job = JobOrder(
                    str(ours["order"]), str(ours["operation"]), Words(str(ours.get("name") or ""), ""),
                    str(ours.get("work_center") or ""), round(float(ours.get("quantity") or 0)),
                )  # fmt: skip
                found.setdefault(job.order, []).append(job)
        return {n: sorted(jobs, key=lambda j: (len(j.operation), j.operation)) for n, jobs in found.items()}

    async def sales(self, changed_since: datetime | None) -> list[SalesOrder]:
        domain = [] if changed_since is None else [self._changed(changed_since, "sale")]
        found = await self._records.mapped("sales_order", domain)
        return [_sale(row, ours) for row, ours in found if "number" in ours and "due_at" in ours]

    async def items(self, changed_since: datetime | None) -> list[Item]:
        domain = [] if changed_since is None else [self._changed(changed_since, "template")]
        return [
            Item(str(ours["number"]), Words(str(ours.get("name") or ""), ""), str(ours.get("unit") or ""),
                 str(ours.get("family") or ""), str(row["id"]))
            for row, ours in await self._records.mapped("item", domain) if ours.get("number")
        ]  # fmt: skip

    async def equipment(self) -> list[ErpEquipment]:
        return [
            ErpEquipment(str(ours["number"]), Words(str(ours.get("name") or ""), ""),
                         str(ours.get("place") or ""), bool(ours.get("active", True)), str(row["id"]))
            for row, ours in await self._records.mapped("equipment", []) if ours.get("number")
        ]  # fmt: skip

    # ------------------------------------------------------------------ a rush order
    async def change(self, number: str, fields: Mapping[str, Any]) -> None:
        """Tryton has no priority, and lets nobody move the date of an order that waits for its start: such an
        order goes back to draft and forth again, as the office does it. One that has begun is refused."""
        row = await self._current(number)
        wanted = await self._wanted(row, fields)
        if wanted:
            await self._rewrite(row, wanted)
        else:
            await self._mend(row)
        await self._tell(row, fields)

    async def _current(self, number: str) -> Row:
        names = {"number", "state", "planned_start_date", "_timestamp", *self._written_names()}
        rows = await self._records.search("production", [["number", "=", number]], names, most=1)
        if not rows:
            raise ErpRefused(f"Tryton has no production order {number}")
        return rows[0]

    def _written_names(self) -> list[str]:
        return [name for name, text in self._records.blocks["order"].write.items() if text]

    async def _wanted(self, row: Row, fields: Mapping[str, Any]) -> Row:
        """Only what differs; an order never starts after it is due."""
        written = self._records.maps["order"].written(fields)
        different = {name: value for name, value in written.items() if str(row.get(name)) != str(value)}
        due, start = different.get("planned_date"), row.get("planned_start_date")
        if due and start and str(start) > str(due):
            different["planned_start_date"] = due
        return await self._records.values("production", different, "documents.order.write")

    async def _rewrite(self, row: Row, wanted: Row) -> None:
        if row["state"] in ("request", "draft"):
            await self._records.write("production", row, wanted)
            await self._mend(row)
            return
        if row["state"] != "waiting" or await self._begun(row):
            raise ErpRefused(
                f"production order {row['number']} has begun in Tryton (state {row['state']}): "
                "its date cannot be moved any more"
            )
        if not await self._noted(row, _REPLAN):
            await self._note(row, _REPLAN)
        await self._records.press("production", "draft", row["id"])
        try:
            await self._records.client.write("model.production.write", [row["id"]], wanted)
        finally:
            await self._forth(row)

    async def _mend(self, row: Row) -> None:
        """We were cut off between back and forth, or just after."""
        notes = await self._noted(row, _REPLAN)
        if notes and row["state"] == "draft":
            await self._forth(row)
        elif notes:
            await self._records.client.write("model.ir.note.delete", notes)

    async def _forth(self, row: Row) -> None:
        await self._records.press("production", "wait", row["id"])
        notes = await self._noted(row, _REPLAN)
        if notes:
            await self._records.client.write("model.ir.note.delete", notes)

    async def _begun(self, row: Row) -> bool:
        """Going back to draft would throw away operations that have cycles."""
        domain = [["work.production", "=", row["id"]]]
        return bool(await self._records.search("production.work.cycle", domain, [], most=1))

    async def _tell(self, row: Row, fields: Mapping[str, Any]) -> None:
        """What Tryton has no field for is a note on the order, once."""
        words = [
            "加急 rush" if fields.get("rush") else "",
            f"优先级 priority {fields['priority']}" if fields.get("priority") else "",
            str(fields.get("reason") or ""),
        ]
        text = "[andon] " + " ".join(filter(None, words))
        if any(words) and not await self._noted(row, text):
            await self._note(row, text)

    async def _noted(self, row: Row, text: str) -> list[int]:
        domain = [["resource", "=", f"production,{row['id']}"], ["message", "=", text]]
        return [int(n["id"]) for n in await self._records.search("ir.note", domain, [])]

    async def _note(self, row: Row, text: str) -> None:
        await self._records.create("ir.note", {"resource": f"production,{row['id']}", "message": text})


def _order(row: Row, ours: Row, jobs: Sequence[JobOrder]) -> WorkOrder:
    return WorkOrder(
        number=str(ours["number"]),
        product=str(ours.get("product") or ""),
        product_name=Words(str(ours.get("product_name") or ""), ""),
        quantity=round(float(ours.get("quantity") or 0)),
        due_at=_instant(ours["due_at"]),
        priority=int(ours.get("priority") or 5),
        rush=bool(ours.get("rush")),
        sales_order=str(ours.get("sales_order") or ""),
        customer=str(ours.get("customer") or ""),
        erp_id=str(row["id"]),
        jobs=tuple(jobs),
        state=_state(ours.get("state")),
    )


def _state(word: Any) -> WorkOrderState:
    try:
        return WorkOrderState(str(word))
    except ValueError:
        return WorkOrderState.HELD  # a state we do not know is not worked on


def _sale(row: Row, ours: Row) -> SalesOrder:
    return SalesOrder(
        number=str(ours["number"]),
        line=str(ours.get("line") or ""),
        customer=str(ours.get("customer") or ""),
        product=str(ours.get("product") or ""),
        quantity=float(ours.get("quantity") or 0),
        due_at=_instant(ours["due_at"]),
        priority=int(ours.get("priority") or 5),
        rush=bool(ours.get("rush")),
        open=bool(ours.get("open", True)),
        seller=str(ours.get("seller") or ""),
        erp_id=str(row["id"]),
    )


def _instant(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise ErpUnavailable(f"Tryton gave {value!r} where a date belongs") from None
