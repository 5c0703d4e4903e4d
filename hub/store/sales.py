"""Customers' orders as they stand, and the links by which they are looked at without a login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from hub.errors import Conflict, NotFound
from hub.model.order_link import OrderLink
from hub.model.production import JobProgress, WorkOrder
from hub.store import orders
from hub.store.catalogue import PgCatalogue
from hub.store.pool import borrowed
from hub.store.statements import insert

MOST_LINKS = 50  # live ones of one order: more are an accident
KEPT = timedelta(days=90)  # a link that is over, for whoever asks who had made it
_NAMES = tuple(f.name for f in fields(OrderLink))


@dataclass(frozen=True, slots=True)
class PgSales(PgCatalogue):
    """hub.api.deps.SalesBook."""

    async def work_orders(self, sales: Sequence[str], numbers: Sequence[str] = ()) -> list[WorkOrder]:
        """Those made for these sales orders, and these themselves; ended ones too."""
        async with borrowed(self.pool) as connection:
            return await orders.of_sales(connection, sales, numbers)

    async def progress(self, numbers: Sequence[str]) -> list[JobProgress]:
        async with borrowed(self.pool) as connection:
            return await orders.progress_of(connection, numbers)

    # ------------------------------------------------------------------ links
    async def add_link(self, token_hash: str, link: OrderLink) -> OrderLink:
        """Conflict when there are too many of this order."""
        row = {name: getattr(link, name) for name in COLUMNS if name != "token_hash"}
        async with borrowed(self.pool) as connection, connection.transaction():
            await connection.execute(LOCK, row)
            await connection.execute(OLD, [link.made_at - KEPT])
            live = await (await connection.execute(COUNT, row)).fetchone()
            if live and live["n"] >= MOST_LINKS:
                raise Conflict("too-many-links", "revoke a link of this order first")
            made = await (await connection.execute(ADD, row | {"token_hash": token_hash})).fetchone()
        assert made is not None
        return _link(made)

    async def link_by(self, token_hash: str, now: datetime) -> OrderLink | None:
        """It counts as seen, to the minute. One that is over is not told from one that never was."""
        async with borrowed(self.pool) as connection:
            row = await (await connection.execute(BY_HASH, [token_hash, now])).fetchone()
            if row is not None and (row["seen_at"] is None or now - row["seen_at"] >= timedelta(minutes=1)):
                await connection.execute(SEEN, [now, row["id"]])
        return _link(row) if row else None

    async def links(self, sales_order: str, work_order: str) -> list[OrderLink]:
        """Of a sales order, whatever order they were made from; the newest first."""
        values = {"sales_order": sales_order, "work_order": work_order}
        async with borrowed(self.pool) as connection:
            return [_link(row) for row in await (await connection.execute(LINKS, values)).fetchall()]

    async def link(self, link_id: int) -> OrderLink:
        async with borrowed(self.pool) as connection:
            row = await (await connection.execute(ONE, [link_id])).fetchone()
        if row is None:
            raise NotFound("not-found", "there is no such link")
        return _link(row)

    async def revoke_link(self, link_id: int, by: str, at: datetime) -> bool:
        """False when it was revoked already."""
        async with borrowed(self.pool) as connection:
            return (await connection.execute(REVOKE, [at, by, link_id])).rowcount > 0


def _link(row: Mapping[str, Any]) -> OrderLink:
    return OrderLink(**{name: row[name] for name in _NAMES})


COLUMNS = ("token_hash", "sales_order", "work_order", "made_by", "made_at", "expires_at")
_SAME = """
    sales_order = %(sales_order)s and (sales_order <> '' or work_order = %(work_order)s)
"""
LOCK = (
    "select pg_advisory_xact_lock(hashtextextended('order-links ' || %(sales_order)s || %(work_order)s, 0))"
)
OLD = "delete from order_links where least(expires_at, coalesce(revoked_at, expires_at)) < %s"
COUNT = f"""
select count(*) as n from order_links where {_SAME} and revoked_at is null and expires_at > %(made_at)s
"""  # noqa: S608 our own text
ADD = insert("order_links", COLUMNS, "returning *")
BY_HASH = "select * from order_links where token_hash = %s and revoked_at is null and expires_at > %s"
SEEN = "update order_links set seen_at = %s where id = %s"
LINKS = f"select * from order_links where {_SAME} order by id desc limit 200"  # noqa: S608
ONE = "select * from order_links where id = %s"
REVOKE = "update order_links set revoked_at = %s, revoked_by = %s where id = %s and revoked_at is null"
