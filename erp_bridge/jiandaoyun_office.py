"""What the office decides: production orders and their changes, sales orders, master data."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from erp_bridge.as_read import RECORD, Row, each, moment
from erp_bridge.fieldmap import plain
from erp_bridge.jiandaoyun_maps import ORDER
from erp_bridge.jiandaoyun_postings import Postings, jobs_of
from erp_bridge.jiandaoyun_records import Condition, Record, Records
from erp_bridge.jiandaoyun_values import IN_LISTS
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused
from hub.model.erp import ErpEquipment, Item, SalesOrder, StockClaim
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words
from hub.ports import Clock

log = logging.getLogger(__name__)

Pairs = Sequence[tuple[Record, Record]]
_ELSEWHERE = {*WorkOrderState} - {WorkOrderState.RELEASED}
_WISHES = ("priority", "rush", "due_at")


class Office:
    def __init__(self, records: Records, postings: Postings, clock: Clock) -> None:
        self._records = records
        self._config = records.config
        self._postings = postings
        self._clock = clock
        self._on_floor: dict[str, WorkOrder] = {}  # by record id, as last told
        self._gone: dict[str, tuple[datetime, WorkOrder]] = {}  # deleted: when that was seen

    # ------------------------------------------------------------------ production orders
    async def orders(self, since: datetime | None) -> list[WorkOrder]:
        """Those on the shop floor; with `since` those that changed, with those that are there no more.

        A record that was deleted has no time of change, and not every deletion is pushed: at every look the
        orders on the floor are looked for by their ids, and one that is missed is cancelled.
        """
        if since is None:
            found = await self._read("order", await self._released())
            found = [(r, ours) for r, ours in found if ours.get("state") not in _ELSEWHERE]
        else:
            found = await self._read("order", self._records.changed(since))
        orders = await self._told(found)
        seen = {str(r["_id"]) for r, _ in found}
        missed = [i for i in self._on_floor if i not in seen]
        orders += await (self._left(missed) if since is None else self._deleted(missed))
        orders += self._still_gone(since)
        for order in orders:
            self._on_floor.pop(order.erp_id, None)
            if order.state is WorkOrderState.RELEASED:
                self._on_floor[order.erp_id] = order
                self._gone.pop(order.erp_id, None)
        return orders

    async def _deleted(self, erp_ids: Sequence[str]) -> list[WorkOrder]:
        there = await self._records.there("order", erp_ids, self._postings.order_field) if erp_ids else set()
        return self._cancelled([i for i in erp_ids if i not in there])

    def _cancelled(self, erp_ids: Iterable[str]) -> list[WorkOrder]:
        now, gone = self._clock.now(), [self._on_floor[i] for i in erp_ids]
        for order in gone:
            log.warning("production order %s was deleted in Jiandaoyun: told as cancelled", order.number)
        told = [replace(o, state=WorkOrderState.CANCELLED) for o in gone]
        self._gone |= {o.erp_id: (now, o) for o in told}
        return told

    def _still_gone(self, since: datetime | None) -> list[WorkOrder]:
        """Told once more as long as a change would be: whoever asks may have failed to write it down."""
        if since is None:
            return []
        earliest, now = since - self._config.overlap, self._clock.now()
        self._gone = {i: (at, o) for i, (at, o) in self._gone.items() if at >= earliest}
        return [o for at, o in self._gone.values() if at < now]

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
        found = [(r, ours) for r, ours in found if ours.get("state") != WorkOrderState.RELEASED]
        return [*await self._told(found), *self._cancelled(i for i in erp_ids if i not in there)]

    async def _told(self, found: Pairs) -> list[WorkOrder]:
        whole = [ours | {"_id": str(r["_id"])} for r, ours in found]
        names = await self._item_names(o for o in whole if o.get("product") and not o.get("product_name"))
        customers = await self._customers(o for o in whole if not o.get("customer"))
        rows = [
            ours
            | {
                "product_name": ours.get("product_name") or names.get(str(ours.get("product")), ""),
                "customer": ours.get("customer") or customers.get(str(ours.get("sales_order")), ""),
            }
            for ours in whole
        ]
        return each("order", rows, ("number", "product", "due_at"), self._order)

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

    def _order(self, row: Row) -> WorkOrder:
        number, quantity = str(row["number"]), round(float(row.get("quantity") or 0))
        centers = self._config.work_centers

        def job(of: Row) -> JobOrder:
            center, pieces = _text(of.get("work_center")), of.get("quantity")
            return JobOrder(
                number,
                str(of["operation"]),
                Words(_text(of.get("name")), ""),
                centers.get(center, center),
                quantity if pieces is None else round(float(pieces)),
            )

        steps = [{**j, RECORD: f"{number} {j.get('operation') or '?'}"} for j in jobs_of(row)]
        jobs = each("order", steps, ("operation",), job)
        return WorkOrder(
            number=number,
            product=str(row["product"]),
            product_name=Words(_text(row["product_name"]), ""),
            quantity=quantity,
            due_at=moment(row["due_at"]),
            priority=int(row.get("priority") or 5),
            rush=bool(row.get("rush")),
            sales_order=str(row.get("sales_order") or ""),
            customer=_text(row["customer"]),
            erp_id=str(row["_id"]),
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
        wanted = [(r, ours) for r, ours in found if since is not None or ours.get("open", True)]
        lines = [row for r, ours in wanted for row in _lines(str(r["_id"]), ours)]
        return each("sales_order", lines, ("number", "product", "due_at"), _sales_order)

    # ------------------------------------------------------------------ master data
    async def items(self, since: datetime | None) -> list[Item]:
        found = await self._read("item", None if since is None else self._records.changed(since))
        items: dict[str, Item] = {}
        rows = [ours | {"_id": str(r["_id"])} for r, ours in found if ours.get("active", True)]
        for item in each("item", rows, ("number",), _item):
            items.setdefault(item.number, item)
        return list(items.values())

    async def equipment(self) -> list[ErpEquipment]:
        return each("equipment", [ours for _, ours in await self._read("equipment")], ("number",), _machine)

    async def stock(self, items: Sequence[str]) -> list[StockClaim]:
        field = self._records.field_of("stock", "item", "item_code")
        found = await self._records.any_of("stock", field, items)
        claims = each("stock", [ours for _, ours in found], ("item", "quantity"), _in_stock)
        return [c for c in claims if c.item in items]


def _lines(erp_id: str, head: Mapping[str, Any]) -> list[Row]:
    """Each line with what its head says of all."""
    lines = head.get("lines")
    given = [one for one in lines if isinstance(one, Mapping)] if isinstance(lines, list) else []
    return [
        {**head, **{n: v for n, v in line.items() if v is not None}, "_id": erp_id} for line in given or [{}]
    ]


def _sales_order(row: Row) -> SalesOrder:
    return SalesOrder(
        number=str(row["number"]),
        line=str(row.get("line") or ""),
        customer=_text(row.get("customer")),
        product=str(row["product"]),
        quantity=float(row.get("quantity") or 0),
        due_at=moment(row["due_at"]),
        priority=int(row.get("priority") or 5),
        rush=bool(row.get("rush")),
        open=bool(row.get("open", True)),
        seller=_text(row.get("seller")),
        erp_id=str(row["_id"]),
    )


def _item(row: Row) -> Item:
    words = Words(_text(row.get("name")), _text(row.get("name_en")))
    return Item(str(row["number"]), words, _text(row.get("unit")), _text(row.get("family")), str(row["_id"]))


def _machine(row: Row) -> ErpEquipment:
    number = str(row["number"])
    words = Words(_text(row.get("name")), _text(row.get("name_en")))
    return ErpEquipment(number, words, _text(row.get("place")), bool(row.get("active", True)), number)


def _in_stock(row: Row) -> StockClaim:
    lot, warehouse = _text(row.get("lot")), _text(row.get("warehouse"))
    return StockClaim(str(row["item"]), float(row["quantity"]), lot, warehouse)


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
