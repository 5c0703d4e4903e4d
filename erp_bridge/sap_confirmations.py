"""Completion confirmations 报工确认: pieces, hours, scrap and the goods movements below them, booked once.

SAP refuses no second confirmation with the same external number: the look before is the only protection, so
two with one key never go out at the same time.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge.sap_answers import SapTrouble
from erp_bridge.sap_orders import Orders, Step
from erp_bridge.sap_records import Records
from erp_bridge.sap_service import Entity
from erp_bridge.sap_tickets import AT_ONCE, Doubts
from erp_bridge.unsaid import unsaid
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import OperationClaim
from hub.ports import Clock

log = logging.getLogger(__name__)

REFERENCE = "ExternalSystemConfirmation"
_OURS = uuid.UUID("6f6c2b0e-5d0c-5c0a-9b53-2a1d7f3a9c11")  # of our keys in the world of UUIDs


def reference(name: str, key: str) -> str:
    """The same for the same key, whoever asks: SAP keeps a UUID."""
    return str(uuid.uuid5(_OURS, f"{name}:{key}"))


class Confirmations:
    def __init__(self, records: Records, orders: Orders, clock: Clock) -> None:
        self._records = records
        self._config = records.config
        self._orders = orders
        self._clock = clock
        self._service = records.kinds["report"].service
        self._set = records.kinds["report"].form
        self._doubts = Doubts()
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # ------------------------------------------------------------------ booked once
    async def find(self, name: str, key: str) -> str | None:
        """One that the office has cancelled exists: we do not book again what they took back."""
        known_as = reference(name, key)
        where = await self._service.equals(self._set, REFERENCE, known_as)
        found = await self._service.rows(self._set, where)
        live = [r for r in found if not r["IsReversal"]]
        rows = [r for r in live if str(r[REFERENCE]).lower() == known_as]
        if not rows:
            if silent := next((r for r in live if not r[REFERENCE]), None):
                field = f"{self._set}.{REFERENCE}"
                raise unsaid("SAP", _number(silent), field, f"{name} {key}", f"documents.{name}")
            return None
        if len(rows) > 1:
            log.warning("SAP has %d confirmations of %s %s", len(rows), name, key)
        first = min(rows, key=lambda r: (bool(r["IsReversed"]), _count(r)))
        if first["IsReversed"]:
            log.warning("confirmation %s of %s %s was cancelled in SAP: left so", _number(first), name, key)
        return _number(first)

    async def post(self, name: str, key: str, fields: Mapping[str, Any]) -> str:
        known_as = reference(name, key)
        async with self._making.setdefault(known_as, asyncio.Lock()):
            found = await self.find(name, key)
            if found is not None:
                return found
            known = {**fields, **await self._known(name, fields), "key": key, "reference": known_as}
            kind = self._records.kinds[name]
            body, _ = await kind.written(known, new=True)
            try:
                made = await kind.service.create(kind.form, body)
            except SapTrouble as trouble:
                raise self._doubts.judged(known_as, trouble) from None
            except ErpRefused as refusal:
                about = f"{fields.get('order')} operation {fields.get('operation')}"
                raise ErpRefused(f"{name} {key} of {about}: {refusal}") from None
            if not made["ConfirmationCount"] or not made["ConfirmationGroup"]:
                raise ErpUnavailable("SAP made a confirmation without telling its number", in_doubt=True)
            return _number(made)

    async def _known(self, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What SAP wants to know beside our fields, from its own order."""
        number = str(fields.get("order") or "")
        order = await self._orders.one(number)
        if order is None:
            raise self._too_early(fields, f"SAP has no production order {number}")
        if order.state == "created":
            raise self._too_early(fields, f"production order {number} is not released in SAP")
        person = str(fields.get("person") or "")
        item = str(fields.get("item") or "") if name == "issue" else ""
        step = self._step(order.steps, str(fields.get("operation") or ""), number)
        return {
            "number": order.number, "plant": order.plant, "material": order.product,
            "step": step.step if step else None, "sequence": step.sequence if step else None,
            "base_unit": (step.unit if step else "") or order.unit,
            "component_unit": await self._orders.component_unit(order.number, item),
            "personnel": self._config.employees.get(person),
        }  # fmt: skip

    def _step(self, steps: Sequence[Step], operation: str, number: str) -> Step | None:
        """Where an order is confirmed by operation, what names none belongs to the last one."""
        if self._config.level == "order":
            return None
        if not operation and steps:
            return steps[-1]
        found = next((s for s in steps if operation in (s.operation, s.step)), None)
        if found is None:
            raise ErpRefused(f"production order {number} has no operation {operation} in SAP")
        return found

    def _too_early(self, fields: Mapping[str, Any], text: str) -> Exception:
        """The shop floor is sometimes quicker than the office."""
        at = fields.get("at")
        early = isinstance(at, datetime) and self._clock.now() - at < self._config.patience
        return ErpUnavailable(text) if early else ErpRefused(text)

    # ------------------------------------------------------------------ what the books say
    async def claims(self, numbers: Sequence[str]) -> list[OperationClaim]:
        orders = await self._orders.several(numbers)
        scrap = await self._scrap([order.number for order in orders.values()])
        claims: list[OperationClaim] = []
        for asked, order in orders.items():
            for step in order.steps:
                lost = scrap.get((order.number, step.sequence, step.step), Decimal(0))
                if step is order.steps[-1]:  # those for the order as a whole
                    lost += scrap.get((order.number, "", ""), Decimal(0))
                claims.append(
                    OperationClaim(asked, step.operation, float(step.quantity), step.good, float(lost))
                )
        return claims

    async def _scrap(self, numbers: Sequence[str]) -> dict[tuple[str, str, str], Decimal]:
        """The order does not tell it: the sum over confirmations that were not taken back."""
        sums: dict[tuple[str, str, str], Decimal] = {}
        for at in range(0, len(numbers), AT_ONCE):
            where = await self._service.any_of(self._set, "OrderID", numbers[at : at + AT_ONCE])
            for row in await self._service.rows(self._set, where):
                if row["IsReversed"] or row["IsReversal"]:
                    continue
                if _bare(str(row["OrderID"])) not in {_bare(n) for n in numbers}:
                    continue
                step = str(row["OrderOperation"] or "")
                sequence = (str(row["Sequence"] or "").lstrip("0") or "0") if step else ""
                key = (_bare(str(row["OrderID"])), sequence, step)
                sums[key] = sums.get(key, Decimal(0)) + _amount(row["ConfirmationScrapQuantity"])
        return sums


def _number(row: Entity) -> str:
    return f"{row['ConfirmationGroup']}/{row['ConfirmationCount']}"


def _count(row: Entity) -> tuple[int, str]:
    count = str(row["ConfirmationCount"] or "")
    return len(count), count


def _bare(number: str) -> str:
    return number.lstrip("0") or number


def _amount(value: Any) -> Decimal:
    try:
        return Decimal(str(value or 0))
    except InvalidOperation:
        raise ErpUnavailable(f"SAP gave {value!r} where a quantity belongs") from None
