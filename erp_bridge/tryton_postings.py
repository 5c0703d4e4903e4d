"""Facts of the shop floor as Tryton's documents, each made once and finished once.

A kind of posting says how its document is found by our key, made, finished and withdrawn; `booked` is the
same for all. A step that was cut off is gone on with: what is made but not finished is found by its key.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from erp_bridge.tryton_records import Domain, Records, Row, below
from erp_bridge.tryton_values import typed_instant
from erp_bridge.unsaid import unsaid
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

AT_ONCE = 500  # documents named in one search
_PIECES = re.compile(r"^\S+ good=(\d+) scrap=(\d+)", re.M)


@dataclass(frozen=True, slots=True)
class Found:
    id: int
    number: str
    state: str  # Tryton's word; `finished` says whether it counts in the books
    finished: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is: documents that carry the key, oldest first, and drafts of ours that carry none."""

    found: Sequence[Found] = ()
    loose: Sequence[Row] = ()


class Posting(Protocol):
    async def look(self, key: str, fields: Mapping[str, Any] | None) -> Sight:
        """`fields` where it is known what the document is about."""
        ...

    async def make(self, key: str, fields: Mapping[str, Any], loose: Sequence[Row]) -> None: ...
    async def finish(self, found: Found, fields: Mapping[str, Any]) -> None: ...
    async def withdraw(self, found: Found) -> None:
        """Take an unfinished one back, with all it has changed."""
        ...


async def booked(posting: Posting, key: str, fields: Mapping[str, Any]) -> str:
    """The number of the one finished document with this key."""
    sight = await posting.look(key, fields)
    found = sight.found
    if not found:
        await posting.make(key, fields, sight.loose)
        found = await _seen(posting, key, fields)
    first, *others = sorted(found, key=lambda f: not f.finished)
    for other in others:
        if other.finished:
            log.error("%s is booked in Tryton more than once: %s and %s", key, first.number, other.number)
        else:
            await posting.withdraw(other)
    if not first.finished:
        await posting.finish(first, fields)
    return first.number


async def _seen(posting: Posting, key: str, fields: Mapping[str, Any]) -> Sequence[Found]:
    try:
        found = (await posting.look(key, fields)).found
    except ErpUnavailable as trouble:  # it was made, whatever the look says
        raise ErpUnavailable(str(trouble), trouble.retry_after, in_doubt=True) from None
    if not found:
        raise ErpUnavailable(f"{key} was made in Tryton, which does not show it", in_doubt=True)
    return found


# ------------------------------------------------------------------ the order a posting belongs to
_ORDER = (
    "number", "state", "company.currency", "location", "warehouse.storage_location",
    "warehouse.production_output_location", "warehouse.production_picking_location",
    "warehouse.waste_locations",
)  # fmt: skip


async def production(records: Records, number: str) -> Row:
    """The production order with the places its goods move between; raises ErpRefused when there is none."""
    row = await records.exactly("production", "number", number, _ORDER)
    if row is None:
        raise ErpRefused(f"Tryton has no production order {number}")
    _workable(number, row.get("state"))
    return row


async def operation(records: Records, order: str, name: str) -> Row:
    """Their record of an operation; `name` is what our map reads as its number."""
    extra = ("state", "timesheet_work", "production.state", "production.number")
    rows = await records.found("operation", [["production.number", "=", order]], extra)
    found = [
        (row, records.read("operation", row)) for row in rows if below(row, "production", "number") == order
    ]
    mine = [row for row, ours in found if str(ours.get("operation")) == name]
    if len({below(row, "production", "id") for row in mine}) > 1:
        raise ErpRefused(f"Tryton has more than one production order {order}; let us see one company alone")
    if mine:
        _workable(order, below(mine[0], "production", "state"))
        return mine[0]
    await production(records, order)  # is it there at all?
    have = ", ".join(str(ours.get("operation")) for _, ours in found) or "none"
    raise ErpRefused(f"production order {order} has no operation {name} in Tryton; it has {have}")


def _workable(order: str, state: Any) -> None:
    if state in ("cancelled", "done"):
        raise ErpRefused(f"production order {order} is {state} in Tryton: nothing can be booked on it")


def state_of(row: Row) -> str:
    """Of a document that may be ours: to pass it over for want of a state would make a second one."""
    state = row.get("state")
    if isinstance(state, str) and state:
        return state
    raise ErpUnavailable(f"Tryton gave document {row['id']} without its state")


# ------------------------------------------------------------------ documents without a field for a key
class Noted:
    """The key stands at the beginning of a note on the document, which has no field for one.

    Tryton lets a user search notes only by the documents they are on. So the caller narrows those down: by
    the order where it is known, else by who made them and when.
    A document that lost its note (we were cut off between the two) is recognised by the caller and gets one.
    """

    def __init__(self, records: Records, clock: Clock, model: str, mark: str = "") -> None:
        self._records = records
        self._clock = clock
        self._model = model
        self._mark = mark  # tells the kinds of postings on one model apart

    def lately(self) -> list[Any]:
        """A domain: what this user has made within `look_back`."""
        since = self._clock.now() - self._records.config.look_back
        mine = ["create_uid", "=", self._records.client.user_id]
        return [mine, ["create_date", ">=", typed_instant(since)]]

    async def look(self, key: str, domain: Domain, names: Sequence[str] = ()) -> Sight:
        """Of the documents within the domain, those with the key and our drafts without any note."""
        live = [*domain, ["state", "!=", "cancelled"]]
        rows = await self._records.search(self._model, live, ["state", "create_uid", *names])
        texts = await self.of([row["id"] for row in rows])
        head = self._head(key)
        with_key = [
            r for r in rows if any(t == head or t.startswith(head + " ") for t in texts.get(r["id"], []))
        ]
        me = self._records.client.user_id
        drafts = [r for r in rows if state_of(r) == "draft" and r.get("create_uid") == me]
        loose = [r for r in drafts if r["id"] not in texts]
        found = [Found(r["id"], str(r["id"]), state_of(r), state_of(r) == "done") for r in with_key]
        return Sight(found, loose)

    async def add(self, record: int, key: str, text: str) -> None:
        message = " ".join(filter(None, [self._head(key), text]))
        values = {"resource": f"{self._model},{record}", "message": message}
        await self._records.create("ir.note", values)

    async def of(self, ids: Sequence[int]) -> dict[int, list[str]]:
        """All notes, by the document they are on."""
        found: dict[int, list[str]] = {}
        for at in range(0, len(ids), AT_ONCE):
            names = [f"{self._model},{i}" for i in ids[at : at + AT_ONCE]]
            rows = await self._records.search("ir.note", [["resource", "in", names]], ["resource", "message"])
            for row in rows:
                if not row.get("resource"):  # without it a document would count as one that lost its note
                    raise unsaid("Tryton", f"note {row['id']}", "ir.note.resource", names[0], "documents")
                if row.get("resource") in names:
                    record = int(str(row["resource"]).partition(",")[2])
                    found.setdefault(record, []).append(str(row.get("message")))
        return found

    def _head(self, key: str) -> str:
        return " ".join(filter(None, [key, self._mark]))


# ------------------------------------------------------------------ operation reports 报工
class Cycles:
    """A report is one cycle of the operation at its work center; the pieces stand in its note."""

    model = "production.work.cycle"

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._notes = Noted(records, clock, self.model)

    async def look(self, key: str, fields: Mapping[str, Any] | None) -> Sight:
        if fields is None:
            await self._records.client.welcome()
            return await self._notes.look(key, self._notes.lately())
        return await self._notes.look(key, [["work.production.number", "=", str(fields["order"])]], ["work"])

    async def make(self, key: str, fields: Mapping[str, Any], loose: Sequence[Row]) -> None:
        work = await operation(self._records, str(fields["order"]), str(fields["operation"]))
        values = await self._records.written("report", {**fields, "key": key})
        text = f"good={int(fields['good'])} scrap={int(fields['scrap'])} {values.pop('note', '')}".rstrip()
        cycle = next((r["id"] for r in loose if r.get("work") == work["id"]), None)
        if cycle is None:
            cycle = await self._records.create(self.model, {**values, "work": work["id"]})
        await self._notes.add(cycle, key, text)

    async def finish(self, found: Found, fields: Mapping[str, Any]) -> None:
        if found.state == "draft":
            await self._records.press(self.model, "run", found.id)
        await self._records.press(self.model, "do", found.id)

    async def withdraw(self, found: Found) -> None:
        await self._records.press(self.model, "cancel", found.id)

    async def sums(self, works: Sequence[int]) -> dict[int, tuple[float, float]]:
        """(good, scrap) of each operation, from the notes of its finished cycles."""
        done = [["work", "in", list(works)], ["state", "=", "done"]]
        rows = await self._records.search(self.model, done, ["work"])
        rows = [row for row in rows if row.get("work") in works]
        texts = await self._notes.of([row["id"] for row in rows])
        out: dict[int, tuple[float, float]] = {}
        for row in rows:
            for good, scrap in _PIECES.findall("\n".join(texts.get(row["id"], []))):
                before = out.get(row["work"], (0.0, 0.0))
                out[row["work"]] = before[0] + int(good), before[1] + int(scrap)
        return out


# ------------------------------------------------------------------ hours
class Hours:
    model = "timesheet.line"

    def __init__(self, records: Records) -> None:
        self._records = records

    async def look(self, key: str, fields: Mapping[str, Any] | None) -> Sight:
        rows = await self._records.keyed(self.model, "description", key)
        return Sight([Found(r["id"], str(r["id"]), "", True) for r in rows])

    async def make(self, key: str, fields: Mapping[str, Any], loose: Sequence[Row]) -> None:
        work = await operation(self._records, str(fields["order"]), str(fields["operation"]))
        if not work.get("timesheet_work"):
            raise ErpRefused(
                f"operation {fields['operation']} takes no hours in Tryton: "
                "tick “Available on timesheets” on it"
            )
        person = str(fields.get("person") or "")
        config = self._records.config
        employee = config.employees.get(person) or config.employee
        if not employee:
            raise ErpRefused(f"whose hours? name {person!r} in employees, or somebody in employee")
        more = {"key": key, "timesheet_work": work["timesheet_work"], "employee": employee}
        await self._records.create(self.model, await self._records.written("hours", {**fields, **more}))

    async def finish(self, found: Found, fields: Mapping[str, Any]) -> None:
        """It counts as soon as it is there."""

    async def withdraw(self, found: Found) -> None:
        await self._records.client.write(f"model.{self.model}.delete", [found.id])


# ------------------------------------------------------------------ quality results 检验
class Inspections:
    model = "quality.inspection"

    def __init__(self, records: Records) -> None:
        self._records = records

    async def look(self, key: str, fields: Mapping[str, Any] | None) -> Sight:
        rows = await self._records.keyed(self.model, "reference", key, ["number", "state"])
        found = [(r, state_of(r)) for r in rows]
        return Sight([Found(r["id"], str(r.get("number") or r["id"]), s, s != "pending") for r, s in found])

    async def make(self, key: str, fields: Mapping[str, Any], loose: Sequence[Row]) -> None:
        order = await self._order(str(fields.get("order") or ""))
        control = await self._control(str(fields.get("check") or ""))
        rows = await self._records.search(
            "quality.control.point", [["control", "=", control]], ["name", "type_"]
        )
        points = {str(r.get("name")): _measured(str(r.get("type_")), fields) for r in rows}
        more = {"key": key, "control": control, "production": order, "points": points}
        await self._records.create(self.model, await self._records.written("quality", {**fields, **more}))

    async def _order(self, number: str) -> Row | None:
        if not number:
            return None
        row = await self._records.exactly("production", "number", number, ())
        if row is None:
            raise ErpRefused(f"Tryton has no production order {number}")
        return row

    async def _control(self, check: str) -> int:
        fallback = self._records.config.quality_control
        for name in filter(None, (check, fallback)):
            found = await self._records.named("quality.control", name)
            if found is not None:
                return found
        raise ErpRefused(
            f"Tryton has no quality control {check!r}: make one of this name, "
            "or name another in quality_control"
        )

    async def finish(self, found: Found, fields: Mapping[str, Any]) -> None:
        """Tryton judges by its own tolerances; where the inspector decided otherwise, so be it."""
        await self._records.press(self.model, "process", found.id)
        row = await self._records.one(self.model, found.id, ["state"])
        if fields.get("passed") is True and row.get("state") == "failed":
            await self._records.press(self.model, "pass_", found.id)
        if fields.get("passed") is False and row.get("state") == "passed":
            await self._records.press(self.model, "fail", found.id)

    async def withdraw(self, found: Found) -> None:
        await self._records.client.write(f"model.{self.model}.delete", [found.id])


def _measured(kind: str, fields: Mapping[str, Any]) -> Any:
    if kind == "boolean":
        return fields.get("passed")
    try:
        number = float(str(fields.get("value")))
    except ValueError:
        return None
    if kind == "numeric":
        return {"__class__": "Decimal", "decimal": str(fields["value"])}
    return int(number) if kind == "integer" else number
