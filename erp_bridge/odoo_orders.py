"""What the office decides: production orders, sales orders, items, machines; and a rush order's place."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from erp_bridge import as_read
from erp_bridge.odoo_answers import ACCESS, NOT_FOUND, OdooRefused
from erp_bridge.odoo_floor import LIVE, ORDERS, Floor, Operation, released_as
from erp_bridge.odoo_notes import Notes
from erp_bridge.odoo_records import CHUNK, Records
from erp_bridge.odoo_reports import LINES, scrapped
from erp_bridge.odoo_stock import bare
from erp_bridge.odoo_values import Row, plain, stamp
from hub.errors import ErpRefused
from hub.model.erp import ErpEquipment, Item, OperationClaim, SalesOrder
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

log = logging.getLogger(__name__)

_READ = ("name", "state", "write_date")


class Orders:
    def __init__(self, records: Records, floor: Floor, notes: Notes) -> None:
        self._records = records
        self._floor = floor
        self._notes = notes

    # ------------------------------------------------------------------ production orders
    async def production(self, changed_since: datetime | None) -> list[WorkOrder]:
        if changed_since is None:
            domain: list[Any] = [["state", "in", self._records.config.floor_states]]
        else:
            domain = await self._changed(changed_since)
        found = await self._records.mapped("order", domain, _READ)
        families = await self._families(found)
        rows = [row for members in families.values() for row, _ in members]
        jobs = await self._floor.operations(rows)
        out = []
        for number, members in families.items():
            row, ours = _leader(members)
            made = partial(_order, number, row, members, jobs)
            order = as_read.one("order", {**ours, as_read.RECORD: number}, ("due_at",), made)
            out += [order] if order is not None else []
        return out

    async def _changed(self, since: datetime) -> list[Any]:
        """An order's write_date does not move when only one of its operations changes."""
        at = stamp(since - self._records.config.overlap)
        moved = await self._records.search("mrp.workorder", [["write_date", ">=", at]], ["production_id"])
        ids = sorted({int(r["production_id"]["id"]) for r in moved if r.get("production_id")})
        return ["|", ["write_date", ">=", at], ["id", "in", ids]]

    async def _families(self, found: Sequence[tuple[Row, Row]]) -> dict[str, list[tuple[Row, Row]]]:
        """Parts of an order with those that were not asked for: the whole is one order to the floor."""
        out: dict[str, list[tuple[Row, Row]]] = {}
        for row, ours in found:
            number = released_as(str(row["name"]))
            if number != row["name"]:
                if number not in out:
                    parts = [["name", "=like", f"{number}-%"]]
                    members = await self._records.mapped("order", parts, _READ)
                    out[number] = [m for m in members if released_as(str(m[0]["name"])) == number]
                    out[number] = out[number] or [(row, ours)]
            else:
                out[number] = [(row, ours)]
        return out

    async def reported(self, numbers: Sequence[str]) -> list[OperationClaim]:
        families = await self._floor.families(numbers)
        rows = [row for members in families.values() for row in members]
        if not rows:
            return []
        operations = await self._floor.operations(rows, ["qty_production", "qty_produced"])
        scrap = await self._scrapped([int(o.row["id"]) for o in operations])
        out: dict[tuple[str, str], OperationClaim] = {}
        for number, members in families.items():
            ids = {row["id"] for row in members}
            for one in operations:
                if one.order["id"] in ids:
                    before = out.get((number, one.name), OperationClaim(number, one.name, 0, 0, 0))
                    out[number, one.name] = OperationClaim(
                        number, one.name, before.quantity + _number(one.order.get("product_qty")),
                        before.good + _number(one.row.get("qty_produced")),
                        before.scrap + scrap.get(int(one.row["id"]), 0.0),
                    )  # fmt: skip
        return list(out.values())

    async def _scrapped(self, operations: list[int]) -> dict[int, float]:
        out: dict[int, float] = {}
        for at in range(0, len(operations), CHUNK):
            domain = [["workorder_id", "in", operations[at : at + CHUNK]]]
            for row in await self._records.search(LINES, domain, ["workorder_id", "description"]):
                work = int((row.get("workorder_id") or {}).get("id") or 0)
                out[work] = out.get(work, 0.0) + scrapped(row)
        return out

    # ------------------------------------------------------------------ a rush order
    async def change(self, number: str, fields: Mapping[str, Any]) -> None:
        values = await self._records.written("order", fields)
        note = str(values.pop("message", "") or "")
        family = [r for r in await self._floor.family(number, values) if r["state"] in (*LIVE, "draft")]
        if not family:
            raise ErpRefused(f"production order {number} is finished or cancelled in Odoo: nothing to change")
        kinds = await self._records.kinds(ORDERS, values)
        for row in family:
            different = {n: v for n, v in values.items() if row.get(n) != plain(v, kinds.get(n, ""))}
            await self._records.write(ORDERS, int(row["id"]), different)
            if note and any(v is not None for n, v in fields.items() if n != "reason"):
                await self._notes.add(ORDERS, int(row["id"]), note)

    # ------------------------------------------------------------------ sales orders
    async def sales(self, changed_since: datetime | None) -> list[SalesOrder]:
        """A line of an order each. Odoo has no priority on them: the star of a delivery makes one urgent."""
        domain: list[Any] = []
        if changed_since is not None:
            domain = [["write_date", ">=", stamp(changed_since - self._records.config.overlap)]]
        found = await self._records.mapped("sales_order", domain, ["name"])
        lines = await self._lines([int(row["id"]) for row, _ in found])
        urgent = await self._urgent([str(row["name"]) for row, _ in found])
        out = []
        for row, ours in found:
            for line in lines.get(int(row["id"]), []) if lines is not None else [{}]:
                called = f"{row['name']} {line.get('line') or ''}".strip()
                both = {**ours, **line, as_read.RECORD: called}
                made = partial(_sale, row, str(row["name"]) in urgent)
                sale = as_read.one("sales_order", both, ("number", "due_at"), made)
                if sale is not None:
                    out.append(sale)
        return out

    async def _lines(self, orders: list[int]) -> dict[int, list[Row]] | None:
        """None where lines cannot be read: then an order is told as a whole."""
        out: dict[int, list[Row]] = {}
        try:
            for at in range(0, len(orders), CHUNK):
                domain = [["order_id", "in", orders[at : at + CHUNK]]]
                names = ["order_id", "display_type"]
                for row in await self._records.raw("sales_line", domain, names):
                    if row.get("display_type"):  # headings and remarks are lines to Odoo
                        continue
                    ours = self._records.ours("sales_line", row)
                    if ours is not None and row.get("order_id"):
                        out.setdefault(int(row["order_id"]["id"]), []).append(ours)
        except OdooRefused as refusal:
            if refusal.name not in (ACCESS, NOT_FOUND):
                raise
            log.warning("lines of sales orders cannot be read: %s", refusal)
            return None
        return out

    async def _urgent(self, names: list[str]) -> set[str]:
        try:
            found: set[str] = set()
            for at in range(0, len(names), CHUNK):
                domain = [["origin", "in", names[at : at + CHUNK]], ["priority", "=", "1"]]
                rows = await self._records.search("stock.picking", domain, ["origin", "priority"])
                found |= {str(r["origin"]) for r in rows if r.get("priority") == "1"}
        except OdooRefused as refusal:
            log.debug("deliveries cannot be read: %s", refusal)
            return set()
        return found

    # ------------------------------------------------------------------ items and machines
    async def items(self, changed_since: datetime | None) -> list[Item]:
        domain: list[Any] = []
        if changed_since is not None:
            at = stamp(changed_since - self._records.config.overlap)
            domain = ["|", ["write_date", ">=", at], ["product_tmpl_id.write_date", ">=", at]]
        found = await self._records.mapped("item", domain)
        told = [as_read.one("item", ours, ("number",), partial(_item, row)) for row, ours in found]
        return [item for item in told if item is not None]

    async def equipment(self) -> list[ErpEquipment]:
        found = await self._records.mapped("equipment", [])
        told = [as_read.one("equipment", ours, ("number",), partial(_machine, row)) for row, ours in found]
        return [machine for machine in told if machine is not None]


def _item(row: Row, ours: as_read.Row) -> Item:
    return Item(
        str(ours["number"]), Words(str(ours.get("name") or ""), ""), str(ours.get("unit") or ""),
        str(ours.get("family") or ""), str(row["id"]),
    )  # fmt: skip


def _machine(row: Row, ours: as_read.Row) -> ErpEquipment:
    return ErpEquipment(
        str(ours["number"]), Words(str(ours.get("name") or ""), ""), str(ours.get("place") or ""),
        bool(ours.get("active", True)), str(row["id"]),
    )  # fmt: skip


def _leader(members: Sequence[tuple[Row, Row]]) -> tuple[Row, Row]:
    """The part that is worked on speaks for the order."""
    alive = [m for m in members if m[0]["state"] in LIVE]
    return (alive or sorted(members, key=lambda m: m[0]["id"]))[0]


def _order(
    number: str, row: Row, members: Sequence[tuple[Row, Row]], jobs: Sequence[Operation], ours: as_read.Row
) -> WorkOrder:
    """Its quantity is that of all its parts."""
    parts = [m for m in members if m[0]["state"] != "cancel"] or list(members)
    quantity = sum(_number(o.get("quantity")) for _, o in parts)
    return WorkOrder(
        number=number,
        product=str(ours.get("product") or ""),
        product_name=Words(str(ours.get("product_name") or ""), ""),
        quantity=round(quantity),
        due_at=_instant(ours["due_at"]),
        priority=int(ours.get("priority") or 5),
        rush=bool(ours.get("rush")),
        sales_order=bare(ours.get("sales_order")),
        customer=str(ours.get("customer") or ""),
        erp_id=str(min(int(m[0]["id"]) for m in members)),
        jobs=tuple(_job(number, one, round(quantity)) for one in jobs if one.order["id"] == row["id"]),
        state=_state(ours.get("state")),
    )


def _job(number: str, one: Operation, quantity: int) -> JobOrder:
    centre = one.row.get("workcenter_id") or {}
    return JobOrder(
        number, one.name, Words(str(one.ours.get("name") or ""), ""),
        str(one.ours.get("work_center") or centre.get("name") or ""), quantity,
    )  # fmt: skip


def _state(word: Any) -> WorkOrderState:
    try:
        return WorkOrderState(str(word))
    except ValueError:
        return WorkOrderState.HELD  # a state we do not know is not worked on


def _sale(row: Row, urgent: bool, ours: as_read.Row) -> SalesOrder:
    return SalesOrder(
        number=str(ours["number"]),
        line=str(ours.get("line") or ""),
        customer=str(ours.get("customer") or ""),
        product=str(ours.get("product") or ""),
        quantity=_number(ours.get("quantity")),
        due_at=_instant(ours["due_at"]),
        priority=int(ours.get("priority") or (1 if urgent else 5)),
        rush=bool(ours.get("rush") or urgent),
        open=bool(ours.get("open", True)),
        seller=str(ours.get("seller") or ""),
        erp_id=str(row["id"]),
    )


def _number(value: Any) -> float:
    return float(value or 0)


def _instant(value: Any) -> datetime:
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no zone: give it one in the map, with instant(..)")
    return at
