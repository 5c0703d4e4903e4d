"""What the office decides: Work Orders, Sales Orders, items, machines; and a rush order's new date."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from erp_bridge import as_read, left_out
from erp_bridge.erpnext_client import Row
from erp_bridge.erpnext_meta import Meta
from erp_bridge.erpnext_records import AT_ONCE, CANCELLED, SUBMITTED, Filter, Records, amount, rows_of
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused
from hub.model.erp import ErpEquipment, Item, SalesOrder
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

log = logging.getLogger(__name__)

_OF_CARDS = ("operation", "workstation", "sequence_id")


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of a Work Order's operations. `number` is what the MES calls it, after the map."""

    number: str
    name: str
    work_center: str
    quantity: float
    aliases: frozenset[str]  # what else it may be called, where that is clear
    row: Row

    def owns(self, card: Row) -> bool:
        """Corrective cards repeat work that is counted already."""
        if card.get("is_corrective_job_card"):
            return False
        if card.get("operation_id") and self.row.get("name"):
            return bool(card["operation_id"] == self.row.get("name"))
        return bool(card.get("operation") == self.row.get("operation"))


def operations(records: Records, order: Row, cards: Sequence[Row] = ()) -> list[Operation]:
    """In the order of work; one that comes twice is told apart by its place. An order without operations has
    those of its job cards. Raises ErpRefused where the map cannot read one."""
    out: list[Operation] = []
    rows = sorted(rows_of(order, "operations"), key=lambda r: amount(r, "idx"))
    if not rows:
        mine = [c for c in cards if c.get("work_order") == order["name"] and c.get("operation")]
        rows = list({str(c["operation"]): {n: c.get(n) for n in _OF_CARDS} for c in mine}.values())
    for at, row in enumerate(rows, 1):
        ours = records.read("operation", {**row, "order": order})
        word = str(ours.get("operation") or row.get("operation") or at)
        if word in [o.number for o in out]:
            word = f"{word}/{at}"
        named = (row.get("operation"), row.get("name"), row.get("sequence_id"), row.get("idx"))
        aliases = frozenset(str(alias) for alias in named if alias)
        out.append(
            Operation(
                word, str(ours.get("name") or word), str(ours.get("work_center") or ""),
                amount(ours, "quantity"), aliases, row,
            )
        )  # fmt: skip
    return out


class Orders:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._config = records.config

    # ------------------------------------------------------------------ production
    async def production(self, changed_since: datetime | None) -> list[WorkOrder]:
        doctype = self._records.form("order")
        where: list[Filter] = [*self._records.filters("order")]
        if changed_since is None:
            where += [["docstatus", "=", SUBMITTED], ["status", "in", self._config.floor_states]]
        else:
            where += [["docstatus", "!=", 0]]
        where = await self._records.changed(doctype, changed_since, where)
        rows = await self._records.listed(doctype, where, ["modified"])
        read = [(o, self._read("order", o["name"], o)) for o in await self._records.whole(doctype, rows)]
        found = [(order, ours) for order, ours in read if ours is not None]
        customers = await self._customers({str(ours.get("sales_order") or "") for _, ours in found})
        cards = await self._cards([str(order["name"]) for order, _ in found if not order.get("operations")])
        made = (self._made(order, ours, customers, cards) for order, ours in found)
        return [order for order in made if order is not None]

    def _read(self, document: str, name: object, row: Row) -> Row | None:
        return as_read.read(document, name, self._records.maps[document], row)

    async def _cards(self, numbers: Sequence[str]) -> list[Row]:
        doctype, columns = self._records.form("card"), ["work_order", *_OF_CARDS]
        meta = await self._records.meta(doctype) if numbers else Meta()
        out: list[Row] = []
        for at in range(0, len(numbers), AT_ONCE):
            mine: Filter = ["work_order", "in", list(numbers[at : at + AT_ONCE])]
            where = [mine, ["docstatus", "!=", CANCELLED]]
            out += await self._records.listed(doctype, where, [c for c in columns if not meta.lacks(c)])
        return out

    def _made(
        self, order: Row, ours: Row, customers: Mapping[str, str], cards: Sequence[Row]
    ) -> WorkOrder | None:
        """An order with an operation that cannot be read would be worked on without it."""
        try:
            jobs = operations(self._records, order, cards)
        except ErpRefused as refusal:
            left_out.note("order", order["name"], refusal)
            return None

        def make(row: as_read.Row) -> WorkOrder:
            return self._order(order, row, customers, jobs)

        return as_read.one("order", ours, ("number", "due_at"), make)

    def _order(
        self, order: Row, ours: as_read.Row, customers: Mapping[str, str], jobs: Sequence[Operation]
    ) -> WorkOrder:
        name, sales_order = str(ours["number"]), str(ours.get("sales_order") or "")
        return WorkOrder(
            number=name,
            product=str(ours.get("product") or ""),
            product_name=Words(str(ours.get("product_name") or ""), ""),
            quantity=round(float(ours.get("quantity") or 0)),
            due_at=datetime.fromisoformat(str(ours["due_at"])),
            priority=round(float(ours.get("priority") or 5)),
            rush=bool(ours.get("rush")),
            sales_order=sales_order,
            customer=str(ours.get("customer") or customers.get(sales_order, "")),
            erp_id=str(order["name"]),
            jobs=tuple(
                JobOrder(name, o.number, Words(o.name, ""), o.work_center, round(o.quantity)) for o in jobs
            ),
            state=_state(ours.get("state"), order),
        )

    async def _customers(self, sales_orders: set[str]) -> dict[str, str]:
        """Who waits for an order; a user who may not read sales orders does without."""
        wanted, out = sorted(sales_orders - {""}), {}
        if Capability.SALES_ORDERS in self._config.without:
            return {}
        for at in range(0, len(wanted), AT_ONCE):
            where = [["name", "in", wanted[at : at + AT_ONCE]]]
            try:
                for row, ours in await self._records.mapped("sales_order", where):
                    out[str(row["name"])] = str(ours.get("customer") or "")
            except ErpRefused as refusal:
                log.info("production orders come without their customers: %s", refusal)
                return out
        return out

    # ------------------------------------------------------------------ sales, items, machines
    async def sales(self, changed_since: datetime | None) -> list[SalesOrder]:
        doctype = self._records.form("sales_order")
        where = await self._records.changed(doctype, changed_since, self._records.filters("sales_order"))
        rows = await self._records.listed(doctype, where, ["modified"])
        return [s for order in await self._records.whole(doctype, rows) for s in self._lines(order)]

    def _lines(self, order: Row) -> Iterator[SalesOrder]:
        ours = self._read("sales_order", order["name"], order)
        for at, line in enumerate(rows_of(order, "items") if ours is not None else (), 1):
            place = f"{order['name']}/{line.get('idx') or at}"
            mine = self._read("sales_line", place, {**line, "order": order})
            if ours is not None and mine is not None:
                made = as_read.one("sales_order", {**ours, **mine}, ("due_at",), partial(_sale, order))
                if made is not None:
                    yield made

    async def items(self, changed_since: datetime | None) -> list[Item]:
        doctype = self._records.form("item")
        where = await self._records.changed(doctype, changed_since, self._records.filters("item"))
        found = await self._records.mapped("item", where)
        return as_read.each("item", (ours for _, ours in found), ("number",), _item)

    async def equipment(self) -> list[ErpEquipment]:
        documents = ["equipment", "workstation"] if self._config.workstations else ["equipment"]
        out: dict[str, ErpEquipment] = {}
        for document in documents:
            where = await self._records.changed(
                self._records.form(document), None, self._records.filters(document)
            )
            found = await self._records.mapped(document, where)
            for machine in as_read.each(document, (ours for _, ours in found), ("number",), _machine):
                out.setdefault(machine.number, machine)
        return list(out.values())

    # ------------------------------------------------------------------ a rush order
    async def change(self, number: str, fields: Mapping[str, Any]) -> None:
        """What is set already is left alone. A field that ERPNext does not take is refused by its name."""
        doctype = self._records.form("order")
        row = await self._records.client.one(doctype, number) if number else None
        if row is None:
            raise ErpRefused(f"ERPNext has no {doctype} {number}")
        if int(row.get("docstatus") or 0) == CANCELLED:
            raise ErpRefused(f"{doctype} {number} is cancelled in ERPNext")
        wanted = await self._records.written("order", fields)
        different = {n: v for n, v in wanted.items() if not _same(row.get(n), v)}
        if different:
            await self._changed(doctype, row, different)
        if fields.get("reason"):
            words = ["加急 rush" if fields.get("rush") else "改期 changed", str(fields["reason"])]
            await self._records.comment(doctype, number, " ".join(words))

    async def _changed(self, doctype: str, row: Row, different: Row) -> None:
        after = await self._records.change(doctype, row, different)
        gone = [name for name, value in different.items() if not _same(after.get(name), value)]
        if gone:
            raise ErpRefused(
                f"ERPNext did not take {', '.join(gone)} on {doctype} {row['name']}: add it as a custom field"
                " with Allow on Submit, or empty it in documents.order.write"
            )


def _same(theirs: Any, ours: Any) -> bool:
    if isinstance(ours, int | float) and not isinstance(ours, bool):
        try:
            return float(theirs) == float(ours)
        except (TypeError, ValueError):
            return False
    return str(theirs or "")[: len(str(ours))] == str(ours)


def _state(word: Any, order: Row) -> WorkOrderState:
    if int(order.get("docstatus") or 0) == CANCELLED:
        return WorkOrderState.CANCELLED
    try:
        return WorkOrderState(str(word))
    except ValueError:
        return WorkOrderState.HELD  # a state we do not know is not worked on


def _sale(order: Row, ours: as_read.Row) -> SalesOrder:
    return SalesOrder(
        number=str(ours.get("number") or order["name"]),
        line=str(ours.get("line") or ""),
        customer=str(ours.get("customer") or ""),
        product=str(ours.get("product") or ""),
        quantity=float(ours.get("quantity") or 0),
        due_at=datetime.fromisoformat(str(ours["due_at"])),
        priority=round(float(ours.get("priority") or 5)),
        rush=bool(ours.get("rush")),
        open=bool(ours.get("open", True)),
        seller=str(ours.get("seller") or ""),
        erp_id=str(order["name"]),
    )


def _item(ours: as_read.Row) -> Item:
    return Item(
        str(ours["number"]), _words(ours), str(ours.get("unit") or ""), str(ours.get("family") or ""),
        str(ours[as_read.RECORD]),
    )  # fmt: skip


def _machine(ours: as_read.Row) -> ErpEquipment:
    return ErpEquipment(
        str(ours["number"]), _words(ours), str(ours.get("place") or ""), bool(ours.get("active", True)),
        str(ours[as_read.RECORD]),
    )  # fmt: skip


def _words(ours: as_read.Row) -> Words:
    return Words(str(ours.get("name") or ours["number"]), "")
