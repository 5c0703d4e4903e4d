"""What the office decides: production orders and their changes, sales orders, master data."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from erp_bridge.fieldmap import plain
from erp_bridge.jiandaoyun_maps import ORDER
from erp_bridge.jiandaoyun_postings import Postings
from erp_bridge.jiandaoyun_records import Condition, Record, Records
from erp_bridge.jiandaoyun_values import IN_LISTS
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused
from hub.model.erp import ErpEquipment, Item, SalesOrder, StockClaim
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

log = logging.getLogger(__name__)

Pairs = Sequence[tuple[Record, Record]]
_WISHES = ("priority", "rush", "due_at")


class Office:
    def __init__(self, records: Records, postings: Postings) -> None:
        self._records = records
        self._config = records.config
        self._postings = postings
        self._on_floor: dict[str, WorkOrder] = {}  # by record id, as last told
        self.look_for_deleted = False  # a push has told of one

    # ------------------------------------------------------------------ production orders
    async def orders(self, since: datetime | None) -> list[WorkOrder]:
        """Those on the shop floor; with `since` those that changed, with those that are there no more.

        A record that was deleted has no time of change: it is missed when all are read, and is cancelled.
        """
        if since is None:
            found = await self._read("order", await self._released())
            found = [(r, ours) for r, ours in found if ours.get("state") == "released"]
        else:
            found = await self._read("order", self._records.changed(since))
        orders = await self._told(found)
        if since is None or self.look_for_deleted:
            seen = {str(r["_id"]) for r, _ in found}
            self.look_for_deleted = False
            orders += await self._left([i for i in self._on_floor if i not in seen])
        for order in orders:
            self._on_floor.pop(order.erp_id, None)
            if order.state is WorkOrderState.RELEASED:
                self._on_floor[order.erp_id] = order
        return orders

    async def _read(self, name: str, *conditions: Condition | None) -> Pairs:
        return await self._records.mapped(name, *conditions, *await self._records.chosen(name))

    async def _released(self) -> Condition | None:
        """Only to spare the server work: what an order's state is, its map says."""
        kind, form = self._records.kind("order"), await self._records.forms.of("order")
        words = [w for w, ours in kind.block.tables["order_states"].items() if ours == "released"]
        widget = form.layout.find("state")
        if kind.block.read["state"] != ORDER.read["state"] or widget is None or widget.type not in IN_LISTS:
            return None
        return self._records.condition(form, "state", "in", words) if words else None

    async def _left(self, erp_ids: Sequence[str]) -> list[WorkOrder]:
        """Orders told of earlier and not found now: as they stand, or cancelled when they are gone."""
        records = await self._records.several("order", erp_ids)
        there = {str(r["_id"]) for r in records}
        found = self._records.understood("order", records)
        found = [(r, ours) for r, ours in found if ours.get("state") != "released"]
        gone = [self._on_floor[i] for i in erp_ids if i not in there]
        for order in gone:
            log.warning("production order %s was deleted in Jiandaoyun: told as cancelled", order.number)
        return [*await self._told(found), *(replace(o, state=WorkOrderState.CANCELLED) for o in gone)]

    async def _told(self, found: Pairs) -> list[WorkOrder]:
        whole = [
            (r, ours)
            for r, ours in found
            if ours.get("number") and ours.get("product") and ours.get("due_at")
        ]
        if len(whole) < len(found):
            lost = [str(o.get("number") or r["_id"]) for r, o in found if (r, o) not in whole]
            log.warning("left out, without item or planned end: %s", ", ".join(lost))
        names = await self._item_names(ours for _, ours in whole if not ours.get("product_name"))
        customers = await self._customers(ours for _, ours in whole if not ours.get("customer"))
        return [
            self._order(
                str(r["_id"]),
                {
                    **ours,
                    "product_name": ours.get("product_name") or names.get(str(ours["product"]), ""),
                    "customer": ours.get("customer") or customers.get(str(ours.get("sales_order")), ""),
                },
            )
            for r, ours in whole
        ]

    async def _item_names(self, orders: Iterable[Record]) -> dict[str, str]:
        wanted = {str(o["product"]) for o in orders}
        found = await self._beside("item", Capability.ITEMS, "item_code", wanted)
        return {str(o.get("number")): str(o.get("name") or "") for _, o in found}

    async def _customers(self, orders: Iterable[Record]) -> dict[str, str]:
        wanted = {str(o.get("sales_order") or "") for o in orders} - {""}
        found = await self._beside("sales_order", Capability.SALES_ORDERS, "so_no", wanted)
        return {str(o.get("number")): _text(o.get("customer")) for _, o in found}

    async def _beside(self, name: str, needs: Capability, field: str, wanted: set[str]) -> Pairs:
        """What another form adds to orders; an app without that form has orders all the same."""
        if not wanted or needs in self._config.without or await self._records.forms.optional(name) is None:
            return []
        return await self._records.any_of(name, self._records.field_of(name, "number", field), wanted)

    def _order(self, erp_id: str, row: Mapping[str, Any]) -> WorkOrder:
        number, quantity = str(row["number"]), round(float(row.get("quantity") or 0))
        jobs = [
            JobOrder(
                number,
                str(job["operation"]),
                Words(_text(job.get("name")), ""),
                self._config.work_centers.get(_text(job.get("work_center")), _text(job.get("work_center"))),
                quantity if job.get("quantity") is None else round(float(job["quantity"])),
            )
            for job in row.get("jobs") or []
            if job.get("operation")
        ]
        return WorkOrder(
            number=number,
            product=str(row["product"]),
            product_name=Words(_text(row["product_name"]), ""),
            quantity=quantity,
            due_at=datetime.fromisoformat(str(row["due_at"])),
            priority=int(row.get("priority") or 5),
            rush=bool(row.get("rush")),
            sales_order=str(row.get("sales_order") or ""),
            customer=_text(row["customer"]),
            erp_id=erp_id,
            jobs=tuple(sorted(jobs, key=lambda j: (len(j.operation), j.operation))),
            state=WorkOrderState(row.get("state") or "held"),
        )

    # ------------------------------------------------------------------ a rush
    async def change(self, number: str, fields: Mapping[str, Any]) -> None:
        """Only what stands there otherwise is written."""
        order = await self._postings.order(number)
        if order is None:
            raise ErpRefused(f"Jiandaoyun has no production order {number}")
        kind, form = self._records.kind("order"), await self._records.forms.of("order")
        wished = {n: fields[n] for n in _WISHES if fields.get(n) is not None}
        places = kind.map.written(dict.fromkeys(_WISHES) | wished | {"reason": fields.get("reason")})
        if wished and not any(form.layout.find(place.partition(".")[0]) for place in places):
            raise ErpRefused(
                f"form {kind.block.form} has no field for {' and '.join(wished)} of {number}: add one, or"
                " write yours in documents.order.write"
            )
        differing = {n: v for n, v in wished.items() if not _same(order.get(n), plain(v))}
        if differing:
            known = dict.fromkeys(_WISHES) | differing | {"reason": fields.get("reason")}
            await self._records.change("order", str(order["erp_id"]), kind.map.written(known))

    # ------------------------------------------------------------------ sales orders
    async def sales_orders(self, since: datetime | None) -> list[SalesOrder]:
        """Open ones; with `since` those that changed, open or not. One for each line."""
        when = None if since is None else self._records.changed(since)
        found = await self._read("sales_order", when)
        lines = [_line(str(r["_id"]), o, line) for r, o in found for line in o.get("lines") or [{}]]
        if undated := sorted({s.number for s, due in lines if not due}):
            log.warning("left out, without item or delivery date: %s", ", ".join(undated))
        return [s for s, whole in lines if whole and (since is not None or s.open)]

    # ------------------------------------------------------------------ master data
    async def items(self, since: datetime | None) -> list[Item]:
        found = await self._read("item", None if since is None else self._records.changed(since))
        items: dict[str, Item] = {}
        for record, ours in found:
            number = str(ours.get("number") or "")
            if number and ours.get("active", True):
                words, unit = (
                    Words(_text(ours.get("name")), _text(ours.get("name_en"))),
                    _text(ours.get("unit")),
                )
                items.setdefault(
                    number, Item(number, words, unit, _text(ours.get("family")), str(record["_id"]))
                )
        return list(items.values())

    async def equipment(self) -> list[ErpEquipment]:
        found = await self._read("equipment")
        return [
            ErpEquipment(
                str(ours["number"]),
                Words(_text(ours.get("name")), _text(ours.get("name_en"))),
                _text(ours.get("place")),
                bool(ours.get("active", True)),
                str(ours["number"]),
            )
            for _, ours in found
            if ours.get("number")
        ]

    async def stock(self, items: Sequence[str]) -> list[StockClaim]:
        field = self._records.field_of("stock", "item", "item_code")
        found = await self._records.any_of("stock", field, items)
        return [
            StockClaim(
                str(ours["item"]),
                float(ours.get("quantity") or 0),
                _text(ours.get("lot")),
                _text(ours.get("warehouse")),
            )
            for _, ours in found
            if ours.get("item") in items
        ]


def _line(erp_id: str, head: Mapping[str, Any], line: Mapping[str, Any]) -> tuple[SalesOrder, bool]:
    """One line with what its head says of all; False when it cannot be used."""
    row = {**head, **{n: v for n, v in line.items() if v is not None}}
    due, product = row.get("due_at"), str(row.get("product") or "")
    told = SalesOrder(
        number=str(row.get("number") or ""),
        line=str(row.get("line") or ""),
        customer=_text(row.get("customer")),
        product=product,
        quantity=float(row.get("quantity") or 0),
        due_at=datetime.fromisoformat(str(due or "1970-01-01T00:00:00Z")),
        priority=int(row.get("priority") or 5),
        rush=bool(row.get("rush")),
        open=bool(row.get("open", True)),
        seller=_text(row.get("seller")),
        erp_id=erp_id,
    )
    return told, bool(due and product and told.number)


def _same(there: Any, wanted: Any) -> bool:
    """They keep milliseconds, we write seconds."""
    if isinstance(there, str) and isinstance(wanted, str) and wanted[10:11] == "T":
        return bool(there) and datetime.fromisoformat(there) == datetime.fromisoformat(wanted)
    return bool(there == wanted)


def _text(value: Any) -> str:
    """A text; of a member, a department or a linked record its name."""
    if isinstance(value, Mapping):
        return str(value.get("name") or value.get("value") or value.get("id") or "")
    return "" if value is None else str(value)
