"""What a tap says of an order holds over what ERP and MES say of it: the floor acts on it at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hub.model.production import WorkOrder
from hub.model.rush import Terms
from hub.store.pool import Connection


async def terms(connection: Connection, *, told: bool = False) -> dict[str, Terms]:
    """Order number -> what holds of it by the newest tap; its date only where the tap changed it. `told`:
    only where the ERP has taken it over, so that it has to say the same."""
    rows = await (await connection.execute(HELD, {"told": told})).fetchall()
    return {row["work_order"]: Terms(row["priority"], row["rush"], row["due_at"]) for row in rows}


def under(held: dict[str, Terms], orders: Iterable[WorkOrder]) -> list[WorkOrder]:
    """The orders as they hold, in the order given."""
    return [_with(order, held[order.number]) if order.number in held else order for order in orders]


def urgent_first(orders: Iterable[WorkOrder]) -> list[WorkOrder]:
    return sorted(orders, key=lambda o: (not o.rush, o.priority, o.due_at, o.number))


def _with(order: WorkOrder, held: Terms) -> WorkOrder:
    return replace(order, priority=held.priority, rush=held.rush, due_at=held.due_at or order.due_at)


async def erp_said(connection: Connection, order: WorkOrder) -> None:
    """The ERP's word after ours has reached it: the same is noted, another one after that holds again."""
    await connection.execute(SAID, {"number": order.number, "rush": order.rush})


# An errand that was given up is a refusal, also once somebody has put its letter aside: then the order is
# again what the ERP says.
HELD = """
select r.work_order,
    case when r.undone_at is null then r.priority else r.before_priority end as priority,
    case when r.undone_at is null then r.rush else r.before_rush end as rush,
    case when r.due_at <> r.before_due_at then
        case when r.undone_at is null then r.due_at else r.before_due_at end end as due_at
from rushes r
where r.settled_at is null
  and not exists (select from rushes newer where newer.work_order = r.work_order and newer.id > r.id)
  and not exists (
    select from outbox o where (o.state = 'dead' or o.receipt ->> 'set_aside' = 'true')
      and o.key = 'rush:' || r.id || case when r.undone_at is null then '' else ':undo' end)
  and (not %(told)s or exists (
    select from outbox o where o.state = 'done'
      and o.key = 'rush:' || r.id || case when r.undone_at is null then '' else ':undo' end))
"""
SAID = """
update rushes r set
    seen_at = case when said.same then coalesce(r.seen_at, clock_timestamp()) else r.seen_at end,
    settled_at = case when not said.same and r.seen_at is not null then clock_timestamp() end
from (select id, case when undone_at is null then rush else before_rush end = %(rush)s as same
      from rushes where work_order = %(number)s and settled_at is null) said
where r.id = said.id
  and not exists (
    select from outbox o where o.state in ('waiting', 'claimed')
      and o.key = 'rush:' || r.id || case when r.undone_at is null then '' else ':undo' end)
"""
