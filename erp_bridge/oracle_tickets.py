"""Maintenance work orders 维修工单: made once under our number, released, completed, released again.

Their number is ours, and Oracle takes none twice in an organization: look, create, and when it says no look
again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge.oracle_answers import OracleRefusal, failures
from erp_bridge.oracle_client import PLAIN
from erp_bridge.oracle_maps import DETAILS
from erp_bridge.oracle_records import Records, Row, Written
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

NUMBER, ID, STATUS = "WorkOrderNumber", "WorkOrderId", "WorkOrderStatusCode"
ENDED = frozenset({"completed", "closed", "cancelled"})
REPORTED_BY = "maintenanceOperationTransactions"
LONGEST = 240  # of a description
_HEAD = 110  # of it, the title's share
_PLAIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$")
_TAKEN = re.compile(r"already|duplicate|must be unique|已存在|重复", re.IGNORECASE)


def reference(key: str) -> str:
    """The number of the work order; a key that no number could be is told by its digest."""
    if _PLAIN.match(key):
        return key
    return "AH-" + base64.b32encode(hashlib.sha256(key.encode()).digest()).decode()[:24]


class Tickets:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._config = records.config
        self._ticket, self._step, self._closing = (records.kinds[n] for n in ("ticket", "step", "closing"))
        self._operation = records.kinds["operation"]
        self._form = self._ticket.form
        self._codes = self._ticket.block.tables["codes"]
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # ------------------------------------------------------------------ made once
    async def find(self, key: str) -> tuple[str, str] | None:
        known_as, dialect = reference(key), self._records.dialect
        where = (
            dialect.equal("OrganizationCode", self._config.workshop),
            dialect.equal(NUMBER, known_as),
        )
        found = await self._records.rows(self._form, *where)
        rows = [r for r in found if str(r.get(NUMBER)) == known_as and self._is_ours(r)]
        if rows and not rows[0].get(ID):
            raise ErpUnavailable(f"Oracle shows work order {known_as} without its {ID}")
        return (str(rows[0][ID]), known_as) if rows else None

    def _is_ours(self, row: Row) -> bool:
        """Another plant may have a work order of the same number."""
        return row.get("OrganizationCode") in (None, self._config.workshop)

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        known, dialect = {reference(key): key for key in keys}, self._records.dialect
        ours = dialect.equal("OrganizationCode", self._config.workshop)
        out: dict[str, list[str]] = {}
        for where in dialect.any_of(NUMBER, sorted(known)):
            for row in await self._records.rows(self._form, ours, where, order=ID):
                number = str(row.get(NUMBER))
                if number in known and self._is_ours(row):
                    out.setdefault(known[number], []).append(number)
        return out

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        known_as = reference(key)
        async with self._making.setdefault(known_as, asyncio.Lock()):
            found = await self.find(key)
            if found is not None:
                return found
            known = {
                **fields, "key": key, "reference": known_as, "headline": _headline(fields),
                "organization": self._config.workshop, "opened_as": self._config.opened_as,
                "other_asset": self._config.other_asset,
            }  # fmt: skip
            return await self._make(key, self._ticket.written(known))

    async def _make(self, key: str, wanted: Written) -> tuple[str, str]:
        try:
            made = await self._create(wanted)
        except OracleRefusal as refusal:
            found = await self.find(key)
            if found is not None:
                log.info("%s was there already: taken over", key)
                return found
            if refusal.status == 400 and _TAKEN.search(refusal.said):
                raise ErpUnavailable(f"{refusal}: the one there is not shown yet", in_doubt=True) from None
            raise
        if not made.get(ID):
            raise ErpUnavailable("Oracle made a work order without telling its id", in_doubt=True)
        return str(made[ID]), str(made.get(NUMBER) or reference(key))

    async def _create(self, wanted: Written) -> Row:
        """With its flexfields in one, so that no crash comes between; one after the other where the pod does
        not take them so."""
        children = {name: self._with_context(row) for name, row in wanted.children.items()}
        whole = wanted.body | {name: [row] for name, row in children.items()}
        try:
            return (await self._records.client.write("POST", self._form, whole)).body
        except OracleRefusal as refusal:
            if refusal.status != 400 or not any(name in refusal.said for name in children):
                raise
        made = (await self._records.client.write("POST", self._form, wanted.body)).body
        await self._put_children(str(made.get(ID)), children)
        return made

    # ------------------------------------------------------------------ its life
    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has ended is left as they want it, except to open it again."""
        state = await self.state(erp_id)
        again = fields.get("state") == "reopened"
        if state in ("closed", "cancelled") and again:
            raise ErpRefused(
                f"work order {erp_id} is {state} in Oracle for good: nothing opens it again. Open a new"
                " ticket, or note the relapse there by hand"
            )
        if state in ENDED and not again:
            log.info("work order %s was ended in Oracle: not updated", erp_id)
            return
        wanted = self._step.written(fields)
        await self._change(erp_id, wanted, release=state == "created" or state in ENDED)

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        state = await self.state(erp_id)
        if state in ENDED:
            return
        wanted = self._closing.written(fields)
        await self._change(erp_id, wanted, release=state in ("created", "held"))
        try:
            await self._complete(erp_id)
        except OracleRefusal:
            if not self._config.report_ticket_operations or not await self._report_operations(erp_id):
                raise
            await self._complete(erp_id)

    async def state(self, erp_id: str) -> str:
        found = await self._records.ticket_row(f"{self._form}/{erp_id}")
        if found is None:
            raise ErpRefused(f"work order {erp_id} is not in Oracle any more, or user may not see it")
        return self._state(found)

    def _state(self, row: Row) -> str:
        return str(self._ticket.map.read(row).get("state") or "")

    async def _change(self, erp_id: str, wanted: Written, *, release: bool) -> None:
        def made(now: Row) -> Row:
            body = dict(wanted.body)
            for name, step in wanted.steps.items():
                longer = _longer(str(now.get(name) or ""), step)
                body |= {name: longer} if longer is not None else {}
            return body | (
                {STATUS: self._codes["released"]} if release and self._state(now) != "released" else {}
            )

        await self._records.change(f"{self._form}/{erp_id}", made)
        await self._put_children(erp_id, wanted.children)

    async def _complete(self, erp_id: str) -> None:
        done = {STATUS: self._codes["completed"]}
        await self._records.change(
            f"{self._form}/{erp_id}", lambda now: None if self._state(now) in ENDED else done
        )

    async def _put_children(self, erp_id: str, children: Mapping[str, Row]) -> None:
        for name, row in children.items():
            await self._records.put_child(
                f"{self._form}/{erp_id}", name, self._with_context(row), self._config.flex_context
            )

    def _with_context(self, row: Row) -> Row:
        context = self._config.flex_context
        return {"__FLEX_Context": context, **row} if context and "__FLEX_Context" not in row else row

    # ------------------------------------------------------------------ operations of a ticket
    async def _report_operations(self, erp_id: str) -> bool:
        """Some pods complete a work order only when its operations are. What is ready is reported: doing it
        again finds nothing ready. False when there is nothing to report."""
        found = await self._records.one(f"{self._form}/{erp_id}")
        number = str(found.body.get(NUMBER) or "") if found else ""
        ready = []
        for row in await self._records.rows(f"{self._form}/{erp_id}/child/{self._operation.form}"):
            ours = self._operation.read(row) or {}
            if ours.get("ready"):
                ready.append(self._reporting(number, ours))
        if ready:
            detail = DETAILS[REPORTED_BY]
            body = {"SourceSystemCode": self._config.source_system, "SourceSystemType": "EXTERNAL"}
            answer = await self._records.client.write(
                "POST", REPORTED_BY, body | {detail: ready}, media=PLAIN
            )
            if said := failures(answer.body, detail):
                raise ErpRefused(f"operations of work order {number} cannot be reported: {'; '.join(said)}")
        return bool(ready)

    def _reporting(self, number: str, ours: Mapping[str, Any]) -> Row:
        row = {
            "SourceSystemCode": self._config.source_system, "OrganizationCode": self._config.workshop,
            "WorkOrderNumber": number, "WoOperationSequenceNumber": int(ours["operation"]),
            "TransactionQuantity": ours["ready"], "TransactionUnitOfMeasure": ours.get("unit"),
            "FromDispatchState": "READY", "ToDispatchState": "COMPLETE",
        }  # fmt: skip
        return {name: value for name, value in row.items() if value is not None}

    # ------------------------------------------------------------------ what the office did
    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        """What is not there any more is left out."""
        wanted = [int(erp_id) for erp_id in dict.fromkeys(erp_ids) if erp_id.isdecimal()]
        known = {*map(str, wanted)}
        out: dict[str, str] = {}
        for where in self._records.dialect.any_of(ID, wanted):
            for row in await self._records.rows(self._form, where, order=ID):
                erp_id = str(row.get(ID))
                ours = self._ticket.read(row) if erp_id in known else None
                if ours is not None:
                    out[erp_id] = "closed" if ours.get("state") in ENDED else "open"
        return out


def _longer(before: str, step: str) -> str | None:
    """None when the step stands there already. Too long, the oldest steps go and the head stays."""
    parts = before.split(" | ") if before else []
    if step in before:
        return None
    head, steps = (parts[0], [*parts[1:], step]) if parts else (step, [])
    while len(steps) > 1 and len(" | ".join([head, *steps])) > LONGEST:
        del steps[0]
    if steps and len(" | ".join([head, *steps])) > LONGEST:
        head = head[: max(_HEAD, LONGEST - 3 - len(steps[0]))]
    return " | ".join([head, *steps])[:LONGEST]


def _headline(fields: Mapping[str, Any]) -> str:
    """A machine without a number in Oracle is named in the text."""
    title = str(fields.get("title") or "")
    if fields.get("equipment"):
        return title
    machine = str(fields.get("equipment_name") or fields.get("equipment_path") or "?")[:60]
    return f"{title[: 180 - len(machine)]} ({machine})"
