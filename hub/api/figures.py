"""The month in figures: plan accuracy, orders on time, stock turns; what of the costs the ERP has; and which
machine of ours is which asset of its."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import StringConstraints

from hub.api import record
from hub.api.deps import Deps, FigureBook, House, Who
from hub.api.errors import json
from hub.api.rights import LEADERS, Caller, requires
from hub.api.standing import sales_book, sees
from hub.errors import NotFound
from hub.kpi.assets import Finding, asset_map
from hub.kpi.delivery import Figures, Turns, delivery, month_of, turns
from hub.model.people import Role

router = APIRouter(prefix="/api")

READERS = (Role.PLANNER, Role.SALES, *LEADERS)
ACCOUNTANTS = (Role.PLANNER, *LEADERS)
KEEPERS = (Role.TECHNICIAN, Role.PLANNER, *LEADERS)
Month = Annotated[str, Query(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
Number = Annotated[str, StringConstraints(max_length=80, pattern=r"^[^\x00]*$")]


@router.get("/delivery")
@requires(*READERS)
async def month(house: House, caller: Who, month: Month) -> Response:
    """Per line that the caller sees, and all of those together."""
    book, now = _book(house), house.clock.now()
    start, end = month_of(house.plant.time_zone, *_year_month(month))
    person = record.person(caller)
    orders, reports = await book.due(start, end)
    found = delivery([o for o in orders if sees(house, person, o)], reports, start, end, now)
    used = [row for row in await book.issued(start, end) if _sees_line(caller, row["work_center"])]
    stock, elapsed = await book.stock(start, end), min(end, now) - start
    lines = [f for f in found if f.line and caller.may_see(f.line)]
    return json(
        {
            "month": month,
            "from": start,
            "until": min(end, now),
            "lines": [
                _figures(house, f, turns(_issued(used, f.line), stock, elapsed)) for f in (found[0], *lines)
            ],
        }
    )


@router.get("/costs")
@requires(*ACCOUNTANTS)
async def costs(house: House, caller: Who, month: Month, order: Number = "") -> Response:
    """Hours, material, scrap and pieces of each order, and how much of it the ERP has taken."""
    book, person = _book(house), record.person(caller)
    start, end = month_of(house.plant.time_zone, *_year_month(month))
    rows = await book.costs(start, end, order)
    known = await sales_book(house).work_orders([], sorted({row["work_order"] for row in rows}))
    mine = {o.number: o for o in known if sees(house, person, o)}
    by_order: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["work_order"] in mine:
            by_order[row["work_order"]].append(_cost(row))
    told = [
        {"order": n, "product": mine[n].product, "product_name": mine[n].product_name.as_dict(), "costs": c}
        for n, c in by_order.items()
    ]
    return json({"month": month, "orders": told})


@router.get("/equipment-map")
@requires(*KEEPERS)
async def equipment_map(house: House, caller: Who) -> Response:
    """`read_at` null: no ERP has told its assets yet, so that nothing can be said to be missing."""
    read_at = await house.ledger.mark("erp:equipment")
    machines = [m for m in house.plant.machines() if caller.may_see(m.path)]
    assets = {a.number: a for a in await sales_book(house).equipment()}
    found = asset_map(house.plant.machines(), assets.values()) if read_at else asset_map((), ())
    seen = {m.path for m in machines}
    pairs = [(m, a) for m, a in found.pairs if m.path in seen]
    orphans = [o for o in found.orphans if not o.machine or o.machine in seen]
    return json(
        {
            "read_at": read_at or None,
            "machines": len(machines),
            "pairs": [
                {
                    "machine": m.path,
                    "where": house.plant.full_name(m.path).as_dict(),
                    **_asset(a.number, assets),
                }
                for m, a in pairs
            ],
            "orphans": [_orphan(house, o, assets) for o in orphans],
        }
    )


def _orphan(house: Deps, found: Finding, assets: Mapping[str, Any]) -> dict[str, Any]:
    where = house.plant.full_name(found.machine).as_dict() if found.machine else None
    others = [house.plant.full_name(path).as_dict() for path in found.others]
    return {
        "kind": found.kind.value, "machine": found.machine, "where": where, "others": others,
        **_asset(found.asset, assets),
    }  # fmt: skip


def _asset(number: str, assets: Mapping[str, Any]) -> dict[str, Any]:
    known = assets.get(number)
    name = known.name.as_dict() if known else None
    return {"asset": number, "asset_name": name, "place": known.place if known else ""}


def _figures(house: Deps, found: Figures, turned: Turns) -> dict[str, Any]:
    name = house.plant.equipment[found.line].name.as_dict() if found.line in house.plant.equipment else None
    return {
        "line": found.line,
        "name": name,
        "plan_accuracy": found.plan_accuracy,
        "planned": found.planned,
        "made": found.made,
        "orders": found.orders,
        "on_time": found.on_time,
        "on_time_share": found.on_time_share,
        "open_late": found.open_late,
        "unknown": found.unknown,
        "stock_turns": turned.median,
        "items": len(turned.items),
        "items_known": sum(n is not None for n in turned.items.values()),
    }


def _issued(rows: list[dict[str, Any]], line: str) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for row in rows:
        if line in ("", row["work_center"]):
            total[row["item"]] += row["quantity"]
    return total


def _cost(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: row[name]
        for name in (
            "what",
            "item",
            "unit",
            "booked",
            "taken",
            "documents",
            "documents_taken",
            "documents_refused",
        )
    }


def _sees_line(caller: Caller, line: str) -> bool:
    """Material that went into an operation we do not know is told to whoever sees the whole plant."""
    return caller.may_see(line) if line else any("/" not in scope for scope in caller.scopes)


def _year_month(text: str) -> tuple[int, int]:
    return int(text[:4]), int(text[5:])


def _book(house: Deps) -> FigureBook:
    if house.figures is None:
        raise NotFound("not-found", "no figures are kept here")
    return house.figures
