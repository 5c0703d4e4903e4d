"""What a booking sends, row by row, and which counter of the order each row moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from erp_bridge.oracle_answers import OracleRefusal
from erp_bridge.oracle_mark import Move
from erp_bridge.oracle_orders import Order, Step, amount
from erp_bridge.oracle_records import Records, Row
from hub.errors import ErpRefused

_COMPLETE, _SCRAP = "COMPLETE", "SCRAP"
_HOURS = {"labour": "labour_seconds", "machine": "machine_seconds"}


@dataclass(frozen=True, slots=True)
class Plan:
    """`ready` and `wanted`: pieces at the operation; None where it does not matter or is not told."""

    form: str
    rows: tuple[tuple[Move, Row], ...]
    operation: str = ""
    ready: Decimal | None = None
    wanted: Decimal = Decimal(0)


class Plans:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._config = records.config
        self._material, self._resource = records.kinds["material"], records.kinds["resource"]
        self._orders_form, self._step_form = records.kinds["order"].form, records.kinds["operation"].form

    async def plan(self, name: str, key: str, fields: Mapping[str, Any], order: Order) -> Plan:
        """Raises ErpRefused naming what the order does not have."""
        known = {
            **fields, "key": key, "number": order.number, "product": order.ours.get("product"),
            "organization": self._config.organization, "source_system": self._config.source_system,
            "employee": self._config.employees.get(str(fields.get("person") or "")),
            "last_step": order.steps[-1].operation if order.steps else None,
        }  # fmt: skip
        match name:
            case "report":
                wanted = {_COMPLETE: fields.get("good"), _SCRAP: fields.get("scrap")}
                return self._pieces(name, known, order, {to: n for to, n in wanted.items() if n})
            case "scrap":
                return self._pieces(name, known, order, {_SCRAP: fields.get("quantity")})
            case "receipt":
                return self._receipt(known, order)
            case "issue":
                return await self._issue(known, order)
        return await self._hours(known, order)

    # ------------------------------------------------------------------ pieces
    def _pieces(self, name: str, known: Mapping[str, Any], order: Order, wanted: Mapping[str, Any]) -> Plan:
        step = _step(order, str(known.get("operation") or ""))
        rows = []
        for to_state, quantity in wanted.items():
            counter = ("s" if to_state == _SCRAP else "c") + step.operation
            more = {"step": step.operation, "to_state": to_state, "unit": step.unit or order.ours.get("unit")}
            rows.append(self._row(name, {**known, **more}, counter, quantity))
        total = sum((move.amount for move, _ in rows), Decimal(0))
        return Plan(self._form(name), tuple(rows), step.operation, step.ready, total)

    def _receipt(self, known: Mapping[str, Any], order: Order) -> Plan:
        more = {
            "step": known.get("last_step"), "unit": known.get("unit") or order.ours.get("unit"),
        }  # fmt: skip
        row = self._row("receipt", {**known, **more}, "w", known.get("quantity"))
        return Plan(self._form("receipt"), (row,))

    async def _issue(self, known: Mapping[str, Any], order: Order) -> Plan:
        """At the operation that is named, else at the first that needs the material. One that is on no list
        is sent all the same, for Oracle to judge; whether it was taken cannot be seen afterwards."""
        item, operation = str(known.get("item") or ""), str(known.get("operation") or "")
        named = [s for s in order.steps if s is order.step(operation)] if operation else []
        for step in [*named, *(s for s in order.steps if s not in named)]:
            for material in await self._below(order, step, self._material.form):
                ours = self._material.read(material) or {}
                if ours.get("item") == item:
                    more = {"step": step.operation, "unit": known.get("unit") or ours.get("unit"),
                            "material": ours}  # fmt: skip
                    counter = f"m{step.operation}.{ours.get('sequence') or 0}"
                    row = self._row("issue", {**known, **more}, counter, known.get("quantity"))
                    return Plan(self._form("issue"), (row,))
        step = _step(order, operation)
        more = {"step": step.operation, "unit": known.get("unit") or None, "material": {}}
        row = self._row("issue", {**known, **more}, f"m{step.operation}.0", known.get("quantity"))
        return Plan(self._form("issue"), (row,))

    # ------------------------------------------------------------------ hours
    async def _hours(self, known: Mapping[str, Any], order: Order) -> Plan:
        step = _step(order, str(known.get("operation") or ""))
        resources = [
            self._resource.read(row) or {} for row in await self._below(order, step, self._resource.form)
        ]
        rows = []
        for kind, field in _HOURS.items():
            seconds = float(known.get(field) or 0)
            if seconds:
                resource = self._resource_of(kind, resources, order, step)
                more = {"step": step.operation, "resource": resource, "unit": resource.get("unit")}
                counter = f"r{step.operation}.{resource.get('sequence') or 0}"
                rows.append(self._row("hours", {**known, **more}, counter, round(seconds / 3600, 4)))
        return Plan(self._form("hours"), tuple(rows))

    def _resource_of(
        self, kind: str, resources: list[dict[str, Any]], order: Order, step: Step
    ) -> dict[str, Any]:
        code = self._config.resource_codes.get(kind)  # type: ignore[call-overload]
        found = next(
            (r for r in resources if (r.get("code") == code if code else r.get("type") == kind)), None
        )
        if found is None and code and not resources:  # it may be charged to one that is not planned
            return {"code": code, "type": kind, "unit": "HR"}
        if found is None:
            raise ErpRefused(
                f"operation {step.operation} of work order {order.number} has no {kind} resource"
                f" {code or ''} in Oracle: add it there, or name it in resource_codes.{kind}"
            )
        return dict(found)

    # ------------------------------------------------------------------ counters
    async def counters(self, order: Order, moves: Iterable[Move]) -> dict[str, Decimal | None]:
        """What they stand at in this order as it was read, materials and resources as they are now."""
        found: dict[str, Decimal | None] = {}
        for name in {move.counter for move in moves}:
            operation, _, sequence = name[1:].partition(".")
            step = order.step(operation) if operation else None
            if name == "w":
                found[name] = amount(order.ours.get("completed"))
            elif step is None:
                found[name] = None
            elif name[0] in "cs":
                found[name] = step.good if name[0] == "c" else _scrap(order, step)
            else:
                found[name] = await self._used(order, step, name[0], sequence)
        return found

    async def _used(self, order: Order, step: Step, letter: str, sequence: str) -> Decimal | None:
        kind, field = (self._material, "issued") if letter == "m" else (self._resource, "used")
        for row in await self._below(order, step, kind.form):
            ours = kind.read(row) or {}
            if ours.get("sequence") == sequence:
                return amount(ours.get(field))
        return None

    async def _below(self, order: Order, step: Step, child: str) -> list[Row]:
        above = f"{self._orders_form}/{order.id}/child/{self._step_form}"
        try:
            return await self._records.below(above, step.record, step.id, child)
        except OracleRefusal as refusal:
            if refusal.status != 404:
                raise
            return []

    # ------------------------------------------------------------------ one row
    def _form(self, name: str) -> str:
        return self._records.kinds[name].form

    def _row(self, name: str, known: Mapping[str, Any], counter: str, quantity: Any) -> tuple[Move, Row]:
        moved = amount(quantity) or Decimal(0)
        plain = int(moved) if moved == moved.to_integral_value() else float(moved)
        return Move(counter, None, moved), self._records.kinds[name].map.written({**known, "amount": plain})


def _scrap(order: Order, step: Step) -> Decimal | None:
    """Where an operation does not tell it, the order does."""
    return amount(order.ours.get("scrapped")) if step.scrap is None else step.scrap


def _step(order: Order, operation: str) -> Step:
    found = order.step(operation)
    if found is None:
        raise ErpRefused(f"work order {order.number} has no operation {operation} in Oracle")
    return found
