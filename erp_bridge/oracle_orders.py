"""Production orders and their operations; a rush order's date and priority."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from erp_bridge import as_read
from erp_bridge.oracle_answers import OracleRefusal
from erp_bridge.oracle_records import Records, Row, version_of
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import OperationClaim
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

log = logging.getLogger(__name__)

ID, NUMBER, ORGANIZATION = "WorkOrderId", "WorkOrderNumber", "OrganizationCode"
STATUS, SYSTEM_STATUS, CHANGED = "WorkOrderStatusCode", "WorkOrderSystemStatusCode", "LastUpdateDate"
START, END = "PlannedStartDate", "PlannedCompletionDate"
ON_FLOOR = ("released", "held")
_STATES = {
    "created": WorkOrderState.HELD,
    "closed": WorkOrderState.COMPLETED,
} | {state.value: state for state in WorkOrderState}


@dataclass(frozen=True, slots=True)
class Step:
    id: str
    operation: str
    name: str
    work_center: str
    unit: str
    ready: Decimal | None
    good: Decimal | None
    scrap: Decimal | None
    record: Row


@dataclass(frozen=True, slots=True)
class Order:
    """One of theirs, read by the map."""

    record: Row
    version: str
    ours: Mapping[str, Any]
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        return str(self.ours["id"])

    @property
    def number(self) -> str:
        return str(self.ours["number"])

    @property
    def state(self) -> str:
        return str(self.ours.get("state") or "")

    def step(self, operation: str) -> Step | None:
        """What names none belongs to the last one."""
        if not operation:
            return self.steps[-1] if self.steps else None
        return next((s for s in self.steps if s.operation == (operation.lstrip("0") or "0")), None)


class Orders:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._config = records.config
        self._kind, self._step, self._change = (
            records.kinds[name] for name in ("order", "operation", "order_change")
        )
        self._ours = records.dialect.equal(ORGANIZATION, self._config.organization)

    # ------------------------------------------------------------------ reading
    async def production(self, changed_since: datetime | None) -> list[WorkOrder]:
        if changed_since is None:
            orders = [order for order in await self._on_floor() if order.state in ("released", "held")]
        else:
            after = self._records.dialect.after(CHANGED, changed_since - self._config.overlap)
            orders = await self._found(after)
        made = [as_read.one("order", o.ours, ("due_at",), partial(_work_order, o)) for o in orders]
        return [order for order in made if order is not None]

    async def _on_floor(self) -> list[Order]:
        """By the status that all of a site's own codes come down to; by the code where a pod cannot be asked
        for it, or has none."""
        try:
            found = await self._by_status(SYSTEM_STATUS)
            if found:
                return found
        except OracleRefusal as refusal:
            if refusal.status != 400:
                raise
            log.info("work orders cannot be asked for by %s: by %s then (%s)", SYSTEM_STATUS, STATUS, refusal)
        return await self._by_status(STATUS)

    async def _by_status(self, attribute: str) -> list[Order]:
        found: dict[str, Order] = {}
        for state in ON_FLOOR:
            code = str(self._kind.block.tables["codes"][state])
            for order in await self._found(self._records.dialect.equal(attribute, code)):
                found[order.id] = order
        return list(found.values())

    async def _found(self, *conditions: str) -> list[Order]:
        rows = await self._records.rows(
            self._kind.form, self._ours, *conditions, expand=self._step.form, order=ID, mine=self._kind.mine
        )
        return [order for row in rows if (order := await self._read(row)) is not None]

    async def one(self, number: str) -> Order | None:
        """Of our organization; with the version that it has now."""
        if not number:
            return None
        rows = await self._records.rows(
            self._kind.form, self._ours, self._records.dialect.equal(NUMBER, number)
        )
        row = next((r for r in rows if str(r.get(NUMBER)) == number and self._is_ours(r)), None)
        if row is None:
            return None
        if not row.get(ID):
            raise ErpUnavailable(f"Oracle shows work order {number} without its {ID}")
        found = await self._records.one(f"{self._kind.form}/{row[ID]}", self._step.form)
        if found is None:
            return None
        if str(found.body.get(NUMBER)) != number:
            raise ErpUnavailable(f"Oracle shows another work order in the place of {number}")
        order = await self._read(found.body, found.version)
        if order is None:
            self._kind.map.read(found.body)  # says why
            raise ErpRefused(f"work order {number} cannot be read; see documents.order.read")
        return order

    def _is_ours(self, row: Row) -> bool:
        """Another plant may have an order of the same number."""
        return row.get(ORGANIZATION) in (None, self._config.organization)

    async def holding(self, attribute: str, text: str, since: datetime) -> list[Order]:
        """Orders changed since then that have these letters in that attribute."""
        dialect = self._records.dialect
        return await self._found(dialect.holding(attribute, text), dialect.after(CHANGED, since))

    async def _read(self, row: Row, version: str = "") -> Order | None:
        ours = self._kind.read(row)
        if ours is None or as_read.one("order", ours, ("number", "id"), dict) is None:
            return None
        below = await self._records.below(self._kind.form, row, ours["id"], self._step.form)
        steps = [step for child in below if (step := self._read_step(child)) is not None]
        ordered = sorted(steps, key=lambda s: (len(s.operation), s.operation))
        return Order(row, version or version_of(row), ours, tuple(ordered))

    def _read_step(self, row: Row) -> Step | None:
        ours = self._step.read(row)
        return None if ours is None else as_read.one("operation", ours, ("operation",), partial(_made, row))

    # ------------------------------------------------------------------ what the books say
    async def claims(self, numbers: Sequence[str]) -> list[OperationClaim]:
        claims: list[OperationClaim] = []
        for where in self._records.dialect.any_of(NUMBER, list(dict.fromkeys(numbers))):
            for order in await self._found(where):
                if order.number in numbers and self._is_ours(order.record):
                    planned = float(order.ours.get("quantity") or 0)
                    claims += [
                        OperationClaim(
                            order.number, s.operation, planned, float(s.good or 0), float(s.scrap or 0)
                        )
                        for s in order.steps
                    ]
        return claims

    # ------------------------------------------------------------------ a rush order
    async def change(self, number: str, fields: Mapping[str, Any]) -> None:
        order = await self.one(number)
        if order is None:
            raise ErpRefused(f"Oracle has no work order {number} in {self._config.organization}")
        if order.state in ("completed", "closed", "cancelled"):
            raise ErpRefused(f"work order {number} is {order.state} in Oracle: it is not changed any more")
        priority = fields.get("priority") or (1 if fields.get("rush") else None)
        wanted = self._change.written({**fields, "priority": priority}).body
        await self._records.change(f"{self._kind.form}/{order.id}", lambda now: _differing(now, wanted))


def _differing(now: Row, wanted: Mapping[str, Any]) -> Row:
    """What is set already is left alone. No order ends before it begins: the beginning moves along."""
    body = {name: value for name, value in wanted.items() if not _same(now.get(name), value)}
    start, end = _moment(now.get(START)), _moment(body.get(END))
    if start and end and start > end and START not in wanted:
        body[START] = body[END]
    return body


def _same(before: Any, after: Any) -> bool:
    first, second = _moment(before), _moment(after)
    return first == second if first and second else str(before) == str(after)


def _moment(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo else None


def amount(value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ErpUnavailable(f"Oracle gave {value!r} where a quantity belongs") from None


def _made(row: Row, ours: as_read.Row) -> Step:
    return Step(
        str(ours.get("id") or ""), str(ours["operation"]), str(ours.get("name") or ""),
        str(ours.get("work_center") or ""), str(ours.get("unit") or ""), amount(ours.get("ready")),
        amount(ours.get("good")), amount(ours.get("scrap")), row,
    )  # fmt: skip


def instant(value: Any) -> datetime:
    """Raises ValueError for what is none."""
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no zone: give it one in the map, with instant(..)")
    return at


def _work_order(order: Order, ours: as_read.Row) -> WorkOrder:
    quantity, priority = round(float(ours.get("quantity") or 0)), int(ours.get("priority") or 5)
    return WorkOrder(
        number=order.number,
        product=str(ours.get("product") or ""),
        product_name=Words(str(ours.get("product_name") or ""), ""),
        quantity=quantity,
        due_at=instant(ours["due_at"]),
        priority=priority,
        rush=bool(ours.get("rush", priority == 1)),
        sales_order=str(ours.get("sales_order") or ""),
        customer=str(ours.get("customer") or ""),
        erp_id=order.id,
        jobs=tuple(
            JobOrder(order.number, s.operation, Words(s.name, ""), s.work_center, quantity)
            for s in order.steps
        ),
        state=_STATES.get(order.state, WorkOrderState.HELD),
    )
