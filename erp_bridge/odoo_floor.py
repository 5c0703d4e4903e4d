"""Production orders as the shop floor knows them, and their operations.

A completion of a part renames an order in Odoo (WH/MO/00004 becomes WH/MO/00004-001) and gives the rest to a
new one (-002). To the floor they are one order, under the number that it was released with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erp_bridge.odoo_records import CHUNK, Records
from erp_bridge.odoo_values import Row
from hub.errors import ErpRefused

ORDERS, OPERATIONS = "mrp.production", "mrp.workorder"
_PART = re.compile(r"^(.*\d)-(\d{3})$")
LIVE = ("confirmed", "progress", "to_close")
_FAMILY = ("name", "state", "product_qty", "qty_produced", "product_id", "product_id.uom_id", "origin",
           "location_src_id", "location_dest_id", "production_location_id")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    row: Row  # mrp.workorder
    name: str  # as our map reads it
    ours: Row  # all that it reads
    order: Row  # mrp.production


def released_as(name: str) -> str:
    """The number before any part of the order was completed."""
    found = _PART.match(name)
    return found[1] if found else name


def live_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda r: (r["state"] not in LIVE, str(r["name"]), r["id"]))


class Floor:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def family(self, number: str, extra: Iterable[str] = ()) -> list[Row]:
        """The order and what was split off it, those that are worked on first; raises ErpRefused for none."""
        found = (await self.families([number], extra)).get(number)
        if not found:
            raise ErpRefused(f"Odoo has no production order {number}")
        return live_first(found)

    async def families(self, numbers: Sequence[str], extra: Iterable[str] = ()) -> dict[str, list[Row]]:
        """By the number asked for; orders that are not there are left out."""
        out: dict[str, list[Row]] = {}
        names = {*_FAMILY, *extra}
        for at in range(0, len(numbers), CHUNK):
            part = list(numbers[at : at + CHUNK])
            where = [*self._records.mine("order"), ["name", "in", part]]
            for row in await self._records.search(ORDERS, where, names):
                if row["name"] in part:
                    out.setdefault(str(row["name"]), []).append(row)
        for number in numbers:
            if number and (number not in out or released_as(number) == number):
                split = await self._split(number, names) if number not in out else []
                if split:
                    out[number] = split
        return out

    async def _split(self, number: str, names: Iterable[str]) -> list[Row]:
        mine = self._records.mine("order")
        rows = await self._records.marked(ORDERS, "name", f"{number}-", names, mine)
        return [r for r in rows if released_as(str(r["name"])) == number]

    async def live(self, number: str, extra: Iterable[str] = ()) -> Row:
        """The one that is worked on; raises ErpRefused saying why there is none."""
        first = (await self.family(number, extra))[0]
        if first["state"] not in LIVE:
            raise ErpRefused(
                f"production order {number} is {first['state']} in Odoo: nothing can be booked on it"
                + ("; confirm it there" if first["state"] == "draft" else "")
            )
        return first

    async def operations(self, orders: Sequence[Row], extra: Iterable[str] = ()) -> list[Operation]:
        """Of all these orders; `position` counts an order's operations from 1 in their sequence."""
        by_id = {int(o["id"]): o for o in orders}
        more = {"production_id", "sequence", "state", "workcenter_id", *extra}
        found: list[Row] = []
        ids = list(by_id)
        for at in range(0, len(ids), CHUNK):
            domain = [["production_id", "in", ids[at : at + CHUNK]]]
            found += await self._records.raw("operation", domain, more)
        counted: dict[int, int] = {}
        out = []
        for row in sorted(found, key=lambda r: (r.get("sequence") or 0, r["id"])):
            order = by_id.get(int((row.get("production_id") or {}).get("id") or 0))
            if row.get("state") == "cancel" or order is None:
                continue
            row["position"] = counted[order["id"]] = counted.get(order["id"], 0) + 1
            ours = self._records.ours("operation", row)
            if ours is not None:
                out.append(Operation(row, str(ours.get("operation") or ""), ours, order))
        return out

    async def operation(self, number: str, name: str) -> Operation:
        order = await self.live(number)
        found = await self.operations([order])
        for one in found:
            if one.name == name:
                return one
        have = ", ".join(one.name for one in found) or "none"
        raise ErpRefused(f"production order {number} has no operation {name} in Odoo; it has {have}")
