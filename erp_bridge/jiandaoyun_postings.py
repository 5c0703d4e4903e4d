"""Reports 报工 and other postings: records that carry our number; an order's progress as their sum."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from erp_bridge import left_out
from erp_bridge.as_read import RECORD, Row, each, one
from erp_bridge.jiandaoyun_records import Record, Records
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import OperationClaim
from hub.ports import Clock

log = logging.getLogger(__name__)

LATELY = timedelta(days=1)
Sums = dict[str, tuple[float, float]]  # operation -> good, scrap


class Postings:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._config = records.config
        self._clock = clock
        self._owing: set[str] = set()  # orders whose progress could not be written
        self._remembered = False
        self._settling = asyncio.Lock()

    async def find(self, name: str, key: str) -> str | None:
        found = await self._records.keyed(name, key)
        return self._number(name, found[0]) if found else None

    def _number(self, name: str, record: Record) -> str:
        ours = self._records.read(name, record) or {}
        return str(ours.get("number") or record["_id"])

    async def post(self, name: str, key: str, fields: Mapping[str, Any]) -> str:
        """The API checks nothing: that the order is there is ours to see."""
        found = await self._records.keyed(name, key)
        known = dict(fields)
        if not found:
            known = await self._known(name, key, fields)
            if name == "receipt" and fields.get("lot"):
                await self._lot(fields)
        kind = self._records.kind(name)
        record, _ = await self._records.make(name, key, lambda: kind.map.written(known | {"key": key}))
        if name == "report":
            self._owing.add(str(fields.get("order") or ""))
            await self.settle()
        return self._number(name, record)

    async def _known(self, name: str, key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Our fields with what the order adds to them."""
        person = str(fields.get("person") or "")
        known = {**fields, "key": key, "employee": self._config.employees.get(person)}
        number, operation = str(fields.get("order") or ""), str(fields.get("operation") or "")
        if not number:
            return known
        order = await self.order(number)
        if order is None:
            raise self._too_early(fields, f"Jiandaoyun has no production order {number}: enter it there")
        jobs = {str(j.get("operation")): j for j in jobs_of(order)}
        if name == "report" and jobs and operation not in jobs:
            raise ErpRefused(f"production order {number} has no operation {operation} in Jiandaoyun")
        job = jobs.get(operation, {})
        return known | {"operation_name": job.get("name"), "work_center": job.get("work_center")}

    async def order(self, number: str) -> Record | None:
        """In our fields, with `erp_id`. Raises ErpRefused for one that cannot be read."""
        with left_out.gathered() as lost:
            found = await self._records.any_of("order", self.order_field, [number])
        mine = (ours | {"erp_id": str(r["_id"])} for r, ours in found if str(ours.get("number")) == number)
        order = next(mine, None)
        if order is None and lost:
            raise ErpRefused(f"production order {number} cannot be read: {lost[0]}")
        return order

    @property
    def order_field(self) -> str:
        return self._records.field_of("order", "number", "wo_no")

    def _too_early(self, fields: Mapping[str, Any], text: str) -> Exception:
        """The shop floor is sometimes quicker than the office."""
        at = fields.get("at")
        early = isinstance(at, datetime) and self._clock.now() - at < self._config.patience
        return ErpUnavailable(text) if early else ErpRefused(text)

    async def _lot(self, fields: Mapping[str, Any]) -> None:
        """Before the receipt that names it, so that a crash between the two leaves nothing unsaid."""
        if await self._records.forms.optional("lot") is None:
            return
        lot, kind = str(fields["lot"]), self._records.kind("lot")
        await self._records.make("lot", lot, lambda: kind.map.written({**fields, "key": lot}))

    # ------------------------------------------------------------------ progress
    async def settle(self) -> None:
        """Absolute sums into the orders that are owed them. A report is booked, whatever becomes of this:
        what cannot be written now is written at the next look. The first time, what was reported before we
        began is owed as well."""
        if Capability.REPORT_OPERATIONS in self._config.without:
            return
        async with self._settling:
            try:
                if not self._remembered:
                    self._owing |= await self._lately()
                    self._remembered = True
                numbers = sorted(self._owing)
                await self._write_progress(numbers)
            except ErpUnavailable as trouble:
                log.info("progress is written later: %s", trouble)
            except ErpRefused as refusal:
                log.warning("progress is not written: %s", refusal)
                self._owing.clear()
            else:
                self._owing.difference_update(numbers)

    async def _lately(self) -> set[str]:
        """Orders that reports of ours name, of the last day."""
        kind, form = self._records.kind("report"), await self._records.forms.of("report")
        ours = self._records.condition(form, kind.key, "not_empty", [])
        changed = self._records.changed(self._clock.now() - LATELY)
        found = await self._records.mapped("report", ours, changed)
        return {str(report.get("order")) for _, report in found}

    async def _write_progress(self, numbers: Sequence[str]) -> None:
        kind, form = self._records.kind("progress"), await self._records.forms.of("order")
        if not numbers or not any(form.layout.find(n) for n, text in kind.block.write.items() if text):
            return
        sums, unsure = await self._sums(numbers)
        for record, order in await self._records.any_of("order", self.order_field, numbers):
            if str(order.get("number")) in unsure:  # an old sum is better than one that lacks a report
                continue
            fields = kind.map.written(_progress(order, sums.get(str(order.get("number")), {})))
            there = {n: record.get(n) for n in fields if form.layout.find(n)}
            if there != {n: fields[n] for n in there}:
                await self._records.change("progress", str(record["_id"]), fields)

    # ------------------------------------------------------------------ what the books say
    async def claims(self, numbers: Sequence[str]) -> list[OperationClaim]:
        """Every report of the form counts, whoever has made it, but for those that are marked."""
        orders = await self._records.any_of("order", self.order_field, numbers)
        sums: Mapping[str, Sums] | None = None
        unsure: set[str] = set()
        if orders and Capability.REPORT_OPERATIONS not in self._config.without:
            sums, unsure = await self._sums(numbers)
        out: list[OperationClaim] = []
        for _, ours in orders:
            number = str(ours.get("number"))
            if number in numbers and number not in unsure:
                jobs = [{**j, RECORD: f"{number} {j.get('operation')}"} for j in jobs_of(ours)]
                out += each("order", jobs, ("operation",), partial(_claim, number, ours, sums))
        return out

    async def _sums(self, numbers: Sequence[str]) -> tuple[dict[str, Sums], set[str]]:
        """Of each order, and the orders whose sum is not known because a report cannot be read."""
        field = self._records.field_of("report", "order", "wo_no")
        records = await self._records.having("report", field, numbers)
        out: dict[str, Sums] = defaultdict(dict)
        unsure: set[str] = set()
        for record in records:
            ours = self._records.read("report", record)
            if ours is not None and not ours.get("counts", True):
                continue
            pieces = None if ours is None else one("report", ours, ("order",), _pieces)
            if pieces is None:
                unsure.add(str(record.get(field)))
                continue
            order, operation, good, scrap = pieces
            before = out[order].get(operation, (0.0, 0.0))
            out[order][operation] = before[0] + good, before[1] + scrap
        return out, unsure


def jobs_of(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    jobs = order.get("jobs")
    return [job for job in jobs if isinstance(job, Mapping)] if isinstance(jobs, list) else []


def _pieces(report: Row) -> tuple[str, str, float, float]:
    good, scrap = float(report.get("good") or 0), float(report.get("scrap") or 0)
    return str(report["order"]), str(report.get("operation") or ""), good, scrap


def _progress(order: Record, sums: Sums) -> dict[str, Any]:
    """Made is what the last operation has made; lost is what all have."""
    operations = [str(j.get("operation")) for j in jobs_of(order)] or list(sums)
    last = max(operations, key=lambda o: (len(o), o), default="")
    return {
        "order": order.get("number"), "quantity": order.get("quantity"),
        "done": sums.get(last, (0.0, 0.0))[0], "scrap": sum(scrap for _, scrap in sums.values()),
    }  # fmt: skip


def _claim(
    number: str, order: Mapping[str, Any], sums: Mapping[str, Sums] | None, job: Row
) -> OperationClaim:
    operation = str(job["operation"])
    own = float(job.get("good") or 0), float(job.get("scrap") or 0)
    good, scrap = own if sums is None else sums.get(number, {}).get(operation, (0.0, 0.0))
    planned = job.get("quantity") if job.get("quantity") is not None else order.get("quantity")
    return OperationClaim(number, operation, float(planned or 0), good, scrap)
