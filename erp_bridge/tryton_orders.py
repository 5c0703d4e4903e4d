"""What the office decides: production orders, sales orders, items, machines; and a rush order's new date."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from erp_bridge import as_read, left_out
from erp_bridge.as_read import Row as Ours
from erp_bridge.as_read import each, one
from erp_bridge.tryton_records import Records, Row, below, called
from erp_bridge.tryton_values import typed_instant
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import ErpEquipment, Item, SalesOrder
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

log = logging.getLogger(__name__)

AT_ONCE = 500  # records named in one search
_REPLAN = "[andon] 改期中 re-planning"


class Orders:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def production(self, changed_since: datetime | None) -> list[WorkOrder]:
        floor = ["state", "in", self._records.config.floor_states]
        domain: list[Any] = [floor] if changed_since is None else [self._changed(changed_since, "works")]
        found = await self._records.mapped("order", [["number", "!=", None], *domain])
        jobs = await self._jobs([row["id"] for row, _ in found])
        made = []
        for row, ours in found:
            mine = jobs.get(row["id"], [])
            if None in mine:
                left_out.note("order", called(row), "documents.operation.read cannot read its operations")
                continue
            order = one("order", ours, ("number", "due_at"), partial(_order, row["id"], mine))
            made += [order] if order else []
        return _unique(made)

    def _changed(self, since: datetime, *below: str) -> list[Any]:
        """Made or changed since, or one of its parts; a little earlier, for clocks and long transactions."""
        at = typed_instant(since - self._records.config.overlap)
        moments = [
            f"{part}{name}"
            for part in ("", *(f"{b}." for b in below))
            for name in ("write_date", "create_date")
        ]
        return ["OR", *([name, ">=", at] for name in moments)]

    async def _jobs(self, orders: Sequence[int]) -> dict[int, list[JobOrder | None]]:
        """By the id of their order; None stands for one that cannot be read."""
        out: dict[int, list[JobOrder | None]] = {}
        for at in range(0, len(orders), AT_ONCE):
            part = list(orders[at : at + AT_ONCE])
            for row in await self._records.found(
                "operation", [["production", "in", part]], ["production.id"]
            ):
                ours = as_read.read("operation", called(row), self._records.maps["operation"], row)
                job = one("operation", ours, ("order", "operation"), _job) if ours is not None else None
                out.setdefault(_order_of(row), []).append(job)
        return out

    async def sales(self, changed_since: datetime | None) -> list[SalesOrder]:
        domain = [] if changed_since is None else [self._changed(changed_since, "sale")]
        found = await self._records.mapped("sales_order", domain)
        made = [one("sales_order", ours, ("number", "due_at"), partial(_sale, row)) for row, ours in found]
        return [sale for sale in made if sale is not None]

    async def items(self, changed_since: datetime | None) -> list[Item]:
        domain = [] if changed_since is None else [self._changed(changed_since, "template")]
        found = await self._records.mapped("item", domain)
        return each("item", _with_ids(found), ("number",), _item)

    async def equipment(self) -> list[ErpEquipment]:
        found = await self._records.mapped("equipment", [])
        return each("equipment", _with_ids(found), ("number",), _machine)

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
        row = await self._records.exactly("production", "number", number, names)
        if row is None:
            raise ErpRefused(f"Tryton has no production order {number}")
        return row

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
        rows = await self._records.search("ir.note", domain, ["message"])
        return [int(n["id"]) for n in rows if n.get("message") == text]

    async def _note(self, row: Row, text: str) -> None:
        await self._records.create("ir.note", {"resource": f"production,{row['id']}", "message": text})


def _unique(orders: Sequence[WorkOrder]) -> list[WorkOrder]:
    """Two companies may have an order of the same number: nobody could say which one a report is for."""
    counted = Counter(order.number for order in orders)
    for number in [n for n, times in counted.items() if times > 1]:
        why = "more than one order has this number; let the user of the bridge see one company alone"
        left_out.note("order", number, why)
    return [order for order in orders if counted[order.number] == 1]


def _job(ours: Ours) -> JobOrder:
    return JobOrder(
        str(ours["order"]), str(ours["operation"]), Words(str(ours.get("name") or ""), ""),
        str(ours.get("work_center") or ""), round(float(ours.get("quantity") or 0)),
    )  # fmt: skip


def _order_of(row: Row) -> int:
    order = below(row, "production", "id")
    if type(order) is not int:
        raise ErpUnavailable("Tryton gave an operation and not the production order that it belongs to")
    return order


def _with_ids(found: Sequence[tuple[Row, Row]]) -> list[Ours]:
    return [{**ours, "erp_id": str(row["id"])} for row, ours in found]


def _item(ours: Ours) -> Item:
    return Item(str(ours["number"]), Words(str(ours.get("name") or ""), ""), str(ours.get("unit") or ""),
                str(ours.get("family") or ""), str(ours["erp_id"]))  # fmt: skip


def _machine(ours: Ours) -> ErpEquipment:
    return ErpEquipment(str(ours["number"]), Words(str(ours.get("name") or ""), ""),
                        str(ours.get("place") or ""), bool(ours.get("active", True)),
                        str(ours["erp_id"]))  # fmt: skip


def _order(erp_id: int, jobs: Sequence[JobOrder | None], ours: Ours) -> WorkOrder:
    known = [job for job in jobs if job is not None]
    return WorkOrder(
        number=str(ours["number"]),
        product=str(ours.get("product") or ""),
        product_name=Words(str(ours.get("product_name") or ""), ""),
        quantity=round(float(ours.get("quantity") or 0)),
        due_at=datetime.fromisoformat(str(ours["due_at"])),
        priority=round(float(ours.get("priority") or 5)),
        rush=bool(ours.get("rush")),
        sales_order=str(ours.get("sales_order") or ""),
        customer=str(ours.get("customer") or ""),
        erp_id=str(erp_id),
        jobs=tuple(sorted(known, key=lambda j: (len(j.operation), j.operation))),
        state=_state(ours.get("state")),
    )


def _state(word: Any) -> WorkOrderState:
    try:
        return WorkOrderState(str(word))
    except ValueError:
        return WorkOrderState.HELD  # a state we do not know is not worked on


def _sale(row: Row, ours: Ours) -> SalesOrder:
    return SalesOrder(
        number=str(ours["number"]),
        line=str(ours.get("line") or ""),
        customer=str(ours.get("customer") or ""),
        product=str(ours.get("product") or ""),
        quantity=float(ours.get("quantity") or 0),
        due_at=datetime.fromisoformat(str(ours["due_at"])),
        priority=round(float(ours.get("priority") or 5)),
        rush=bool(ours.get("rush")),
        open=bool(ours.get("open", True)),
        seller=str(ours.get("seller") or ""),
        erp_id=str(row["id"]),
    )
