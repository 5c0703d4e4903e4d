"""Production orders and their operations; a rush order's date and importance."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge import as_read
from erp_bridge.sap_records import Records
from erp_bridge.sap_service import Entity
from erp_bridge.sap_tickets import AT_ONCE
from erp_bridge.sap_values import decoded
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

log = logging.getLogger(__name__)

NUMBER, CHANGED, PLANT = "ManufacturingOrder", "LastChangeDateTime", "ProductionPlant"
_STATES = {"created": WorkOrderState.HELD} | {state.value: state for state in WorkOrderState}
_ENDED = ("OrderIsTechnicallyCompleted", "OrderIsClosed", "OrderIsMarkedForDeletion", "OrderIsDeleted")
_LONGEST = 12
_COMPONENTS = (
    "to_ProductionOrderComponentExt4", "to_ProductionOrderComponentExt", "to_ProductionOrderComponent",
)  # fmt: skip
START = "MfgOrderPlannedStartDate"


@dataclass(frozen=True, slots=True)
class Step:
    operation: str  # as we say it: 10, or 1-10 in a parallel sequence
    step: str  # as SAP says it: 0010
    sequence: str
    name: str
    work_center: str
    unit: str
    quantity: float
    good: float


@dataclass(frozen=True, slots=True)
class Order:
    """One of theirs, read by the map."""

    record: Entity
    ours: Mapping[str, Any]
    steps: tuple[Step, ...]

    @property
    def number(self) -> str:
        return str(self.ours["number"]).lstrip("0") or str(self.ours["number"])

    @property
    def state(self) -> str:
        return str(self.ours.get("state") or "")

    @property
    def plant(self) -> str:
        return str(self.ours.get("plant") or "")

    @property
    def product(self) -> str:
        return str(self.ours.get("product") or "")

    @property
    def unit(self) -> str:
        return str(self.ours.get("unit") or "")


class Orders:
    def __init__(self, records: Records) -> None:
        self._config = records.config
        self._kind, self._step, self._change = (
            records.kinds[name] for name in ("order", "operation", "order_change")
        )
        self._sales = records.kinds["sales_change"]
        self._service = self._kind.service

    # ------------------------------------------------------------------ reading
    async def production(self, changed_since: datetime | None) -> list[WorkOrder]:
        """Without `changed_since` those that are released and not ended."""
        where = [await self._ours()]
        if changed_since is None:
            where += [f"{flag} ne 'X'" for flag in await self._known(_ENDED)]
        else:
            where.append(await self._changed(changed_since))
        rows = await self._kind.rows(*where, expand=[self._step.form])
        orders = [order for row in rows if (order := self._read(row)) is not None]
        if changed_since is None:
            orders = [order for order in orders if order.state in ("released", "held")]
        made = [as_read.one("order", o.ours, ("due_at",), partial(_work_order, o)) for o in orders]
        return [order for order in made if order is not None]

    async def one(self, number: str) -> Order | None:
        """None when there is none; a number that SAP could not even hold is none."""
        if not number or len(number) > _LONGEST:
            return None
        row = await self._service.one(self._kind.form, {NUMBER: number}, expand=[self._step.form])
        if row is None:
            return None
        order = self._read(row)
        if order is None:
            self._kind.map.read(row.fields)  # says why
            raise ErpRefused(f"SAP's production order {number} cannot be read; see documents.order.read")
        return order

    async def several(self, numbers: Sequence[str]) -> dict[str, Order]:
        """By the number that was asked for."""
        wanted = {n.lstrip("0") or n: n for n in numbers if 0 < len(n) <= _LONGEST}
        bare, found = sorted(wanted), {}
        for at in range(0, len(bare), AT_ONCE):
            where = await self._service.any_of(self._kind.form, NUMBER, bare[at : at + AT_ONCE])
            for row in await self._service.rows(self._kind.form, where, expand=[self._step.form]):
                order = self._read(row)
                if order is not None and order.number in wanted:
                    found[wanted[order.number]] = order
        return found

    async def component_unit(self, number: str, item: str) -> str | None:
        """The unit in which the order's list has the component; not every release tells."""
        kind = await self._service.kind(self._kind.form)
        name = next((n for n in _COMPONENTS if n in kind.navigation), None)
        if not item or name is None or (await self._service.metadata()).below(kind, name) is None:
            return None
        row = await self._service.one(self._kind.form, {NUMBER: number}, expand=[name])
        components = (row[name] if row else None) or []
        units = [c.get("EntryUnit") or c.get("BaseUnit") for c in components if c.get("Material") == item]
        return next((str(unit) for unit in units if unit), None)

    async def _ours(self) -> str:
        if not self._config.plants:
            return ""
        return await self._service.any_of(self._kind.form, PLANT, self._config.plants)

    async def _known(self, flags: Sequence[str]) -> list[str]:
        kind = await self._service.kind(self._kind.form)
        return [flag for flag in flags if flag in kind.properties]

    async def _changed(self, since: datetime) -> str:
        """A little earlier, for clocks and long transactions. A text of fourteen digits, or an instant."""
        at = since - self._config.overlap
        kind = (await self._service.kind(self._kind.form)).properties.get(CHANGED)
        if kind is not None and kind.type == "Edm.DateTimeOffset":
            return f"{CHANGED} ge {await self._service.literal(self._kind.form, CHANGED, at.isoformat())}"
        return f"{CHANGED} gt '{at.astimezone(ZoneInfo(self._config.change_time_zone)):%Y%m%d%H%M%S}'"

    def _read(self, row: Entity) -> Order | None:
        ours = self._kind.read(row.fields)
        if ours is None or as_read.one("order", ours, ("number",), dict) is None:
            return None
        inside = row[self._step.form] or []
        if not isinstance(inside, list) or not all(isinstance(step, Mapping) for step in inside):
            raise ErpUnavailable(f"SAP gave no operations of order {ours['number']} that can be read")
        steps = [self._read_step(step) for step in inside]
        ordered = sorted((s for s in steps if s), key=lambda s: (s.sequence != "0", s.sequence, s.step))
        return Order(row, ours, tuple(ordered))

    def _read_step(self, record: Mapping[str, Any]) -> Step | None:
        ours = self._step.read(record)
        if ours is None or ours.get("deleted") or ours.get("part") or not ours.get("operation"):
            return None
        step, sequence = str(ours["operation"]), str(ours.get("sequence") or "").lstrip("0") or "0"
        plain = step if self._config.operation_zeros else step.lstrip("0") or step
        called = plain if sequence == "0" else f"{sequence}-{plain}"
        return as_read.one("operation", ours, (), partial(_step, called, step, sequence))

    # ------------------------------------------------------------------ a rush order
    async def change(self, number: str, fields: Mapping[str, Any]) -> None:
        """Only what differs is written, on the version that we have seen."""
        order = await self.one(number)
        if order is None:
            raise ErpRefused(f"SAP has no production order {number}")
        written = self._change.map.written(fields) | self._earlier_start(order, fields)
        body = await self._differing(await self._change.fit(written, new=False), order.record)
        if body:
            await self._service.change(self._change.form, {NUMBER: order.number}, body, order.record.version)
        if fields.get("rush") and self._config.rush_sales_items:
            await self._raise_sales_item(order, fields)

    async def _differing(self, body: Mapping[str, Any], record: Entity) -> dict[str, Any]:
        known = (await self._service.kind(self._change.form)).properties
        return {n: v for n, v in body.items() if n not in known or decoded(v, known[n].type) != record[n]}

    def _earlier_start(self, order: Order, fields: Mapping[str, Any]) -> dict[str, Any]:
        """An order never starts after it is due."""
        due, start = fields.get("due_at"), str(order.record[START] or "")[:10]
        day = f"{due.astimezone(self._config.zone):%Y-%m-%d}" if isinstance(due, datetime) else ""
        return {START: day} if start and day and start > day else {}

    async def _raise_sales_item(self, order: Order, fields: Mapping[str, Any]) -> None:
        keys = {n: order.record[n] for n in ("SalesOrder", "SalesOrderItem")}
        if not all(str(value or "").strip("0") for value in keys.values()):
            return
        row = await self._sales.service.one(self._sales.form, keys)
        body, _ = await self._sales.written(fields, new=False)
        if row is None or all(str(row[n]).lstrip("0") == str(v).lstrip("0") for n, v in body.items()):
            return
        version = row.version or await self._header_version(keys)
        await self._sales.service.change(self._sales.form, keys, body, version)

    async def _header_version(self, keys: Mapping[str, Any]) -> str:
        """The version of an item is its order's."""
        header = await self._sales.service.one("A_SalesOrder", {"SalesOrder": keys["SalesOrder"]})
        return header.version if header else ""


def _step(called: str, step: str, sequence: str, ours: as_read.Row) -> Step:
    return Step(
        called, step, sequence,
        str(ours.get("name") or ""), str(ours.get("work_center") or ""), str(ours.get("unit") or ""),
        float(ours.get("quantity") or 0), float(ours.get("good") or 0),
    )  # fmt: skip


def _work_order(order: Order, ours: as_read.Row) -> WorkOrder:
    jobs = tuple(
        JobOrder(order.number, s.operation, Words(s.name, ""), s.work_center, round(s.quantity))
        for s in order.steps
    )
    return WorkOrder(
        number=order.number,
        product=order.product,
        product_name=Words(str(ours.get("product_name") or ""), ""),
        quantity=round(float(ours.get("quantity") or 0)),
        due_at=instant(ours["due_at"]),
        priority=int(ours.get("priority") or 5),
        rush=bool(ours.get("rush")),
        sales_order=str(ours.get("sales_order") or ""),
        customer=str(ours.get("customer") or ""),
        erp_id=order.number,
        jobs=jobs,
        state=_STATES.get(order.state, WorkOrderState.HELD),
    )


def instant(value: Any) -> datetime:
    """Raises ValueError for what is none."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"SAP gave {value!r} where a date belongs") from None
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no zone: give it one in the map, with instant(..)")
    return at
