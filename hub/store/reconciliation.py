"""Discrepancies with their history, the comparisons that found them, and what is on its way to the ERP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from hub.errors import Conflict, NotFound
from hub.model.discrepancy import (
    Comparison,
    Discrepancy,
    DiscrepancyKind,
    Divergence,
    OpenDiscrepancy,
    Repair,
    RepairState,
)
from hub.model.intent import Intent
from hub.model.production import WorkOrder
from hub.store import orders, outbox
from hub.store.pool import Pool, borrowed
from hub.store.statements import insert

COLUMNS = (
    "key", "kind", "subject", "part", "ours", "theirs", "gap", "divergence_id", "divergence_at", "repair",
    "equipment", "owner", "first_seen", "last_seen",
)  # fmt: skip
RUN_COLUMNS = tuple(f.name for f in fields(Comparison))
KEPT = timedelta(days=90)  # an ended discrepancy, and a comparison


class PgReconciliation:
    """hub.ports.Reconciliation."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # ------------------------------------------------------------------ what a comparison leaves
    async def settle(
        self, run: Comparison, found: Mapping[str, tuple[Discrepancy, str]], ended: Sequence[DiscrepancyKind]
    ) -> None:
        """`found`: by key, with the owner. Of the kinds in `ended`, what was not found again is over; of all
        others nothing is known. What was set aside is back when the disagreement is another one."""
        async with borrowed(self._pool) as connection, connection.transaction():
            for what, owner in found.values():
                await connection.execute(SEEN, _row(what, owner, run))
            gone = {"kinds": [k.value for k in ended], "keys": list(found), "at": run.ended_at}
            await connection.execute(GONE, gone)
            await connection.execute(RUN, _run_row(run))
            await connection.execute(OLD, {"before": run.ended_at - KEPT})
            await connection.execute(OLD_RUNS, {"before": run.ended_at - KEPT})

    async def note_run(self, run: Comparison) -> None:
        """One that came to nothing: what is on record stays as it is."""
        async with borrowed(self._pool) as connection:
            await connection.execute(RUN, _run_row(run))

    async def tell(self, ids: Sequence[int], at: datetime, intents: Sequence[Intent]) -> None:
        async with borrowed(self._pool) as connection, connection.transaction():
            await connection.execute(TOLD, [at, list(ids)])
            for intent in intents:
                await outbox.write(connection, intent, None)

    # ------------------------------------------------------------------ reading
    async def open_ones(self) -> list[OpenDiscrepancy]:
        async with borrowed(self._pool) as connection:
            return [_open(row) for row in await (await connection.execute(OPEN)).fetchall()]

    async def one(self, number: int) -> OpenDiscrepancy:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(ONE, [number])).fetchone()
        if row is None:
            raise NotFound("not-found", "there is no such discrepancy, or it is over")
        return _open(row)

    async def count(self) -> int:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(COUNT)).fetchone()
        return int(row["n"]) if row else 0

    async def last_run(self) -> Comparison | None:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(LAST_RUN)).fetchone()
        return Comparison(**{name: row[name] for name in RUN_COLUMNS}) if row else None

    async def settled_at(self) -> datetime | None:
        """When the books were last compared to the end; if never, since when that has been tried."""
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(SETTLED_AT)).fetchone()
        return row["at"] if row else None

    # ------------------------------------------------------------------ wishes of people
    async def ask_run(self, by: str) -> None:
        """Somebody wants a comparison now; several who ask get one."""
        async with borrowed(self._pool) as connection:
            await connection.execute(ASK_RUN, [by])

    async def run_asked(self) -> bool:
        """Whether somebody waits for one."""
        async with borrowed(self._pool) as connection:
            return await (await connection.execute(RUN_ASKED)).fetchone() is not None

    async def asked_run(self) -> str:
        """Who has asked since the last time this was called, "" for nobody."""
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(ASKED_RUN)).fetchone()
        return str(row["value"]) if row else ""

    async def ask_repair(self, number: int, by: str, at: datetime) -> OpenDiscrepancy:
        """Asked twice is asked once. Conflict when nothing can be done by itself."""
        known = await self.one(number)
        if known.what.repair is Repair.NONE:
            raise Conflict("no-repair", "a person has to decide this")
        async with borrowed(self._pool) as connection:
            await connection.execute(ASK_REPAIR, {"by": by, "at": at, "id": number})
        return await self.one(number)

    async def asked_repairs(self) -> list[OpenDiscrepancy]:
        async with borrowed(self._pool) as connection:
            return [_open(row) for row in await (await connection.execute(ASKED)).fetchall()]

    async def repaired(self, number: int, state: RepairState, result: str, at: datetime) -> None:
        async with borrowed(self._pool) as connection:
            await connection.execute(REPAIRED, [state.value, result, at, number])

    async def set_aside(self, number: int, by: str, at: datetime, reason: str) -> OpenDiscrepancy:
        """`reason` "" takes it back."""
        values = {"by": by if reason else "", "at": at if reason else None, "reason": reason, "id": number}
        async with borrowed(self._pool) as connection:
            await connection.execute(SET_ASIDE, values)
        return await self.one(number)

    # ------------------------------------------------------------------ our side, as far as it is on its way
    async def sums(self, numbers: Sequence[str], settled: datetime) -> list[dict[str, Any]]:
        """Of each operation: good and scrap that have to be in the ERP (sent before `settled`, or given up),
        that may be there, and in all."""
        async with borrowed(self._pool) as connection:
            return await (await connection.execute(SUMS, _asked(numbers, settled))).fetchall()

    async def reports(self, order: str, operation: str, settled: datetime) -> list[dict[str, Any]]:
        """Those that have to be in the ERP, the oldest first."""
        values = _asked([order], settled) | {"operation": operation}
        async with borrowed(self._pool) as connection:
            return await (await connection.execute(REPORTS, values)).fetchall()

    async def under_way(self, settled: datetime) -> frozenset[str]:
        """Orders and tickets of which something other than a report is on its way, or has just arrived."""
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(UNDER_WAY, [settled])).fetchall()
        return frozenset(row["about"] for row in rows if row["about"])

    async def sent_postings(self, since: datetime, settled: datetime) -> list[dict[str, Any]]:
        """Those that have to be in the ERP, the oldest first."""
        async with borrowed(self._pool) as connection:
            return await (await connection.execute(POSTINGS, [since, settled])).fetchall()

    async def those_orders(self, numbers: Sequence[str]) -> list[WorkOrder]:
        """Those of these that are on record, however long ago they ended."""
        async with borrowed(self._pool) as connection:
            return await orders.those(connection, numbers)

    # ------------------------------------------------------------------ once more
    async def send_again(self, keys: Sequence[str]) -> int:
        """These intents become due at once, in doubt: whoever takes them looks before writing. Those that are
        under way stay as they are."""
        async with borrowed(self._pool) as connection:
            return (await connection.execute(AGAIN, [list(keys)])).rowcount

    async def keys_of_lane(self, lane: str, kinds: Sequence[str]) -> list[str]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(LANE, [lane, list(kinds)])).fetchall()
        return [row["key"] for row in rows]

    async def report(self, report_id: str) -> dict[str, Any] | None:
        async with borrowed(self._pool) as connection:
            return await (await connection.execute(REPORT, [report_id])).fetchone()

    async def intend(self, intent: Intent) -> None:
        async with borrowed(self._pool) as connection, connection.transaction():
            await outbox.write(connection, intent, None)


def _row(what: Discrepancy, owner: str, run: Comparison) -> dict[str, Any]:
    row = {
        name: getattr(what, name) for name in ("key", "subject", "part", "ours", "theirs", "gap", "equipment")
    }
    return row | {
        "kind": what.kind.value,
        "repair": what.repair.value,
        "divergence_id": what.divergence.id if what.divergence else None,
        "divergence_at": what.divergence.at if what.divergence else None,
        "owner": owner,
        "first_seen": run.began_at,
        "last_seen": run.ended_at,
        "began": run.began_at,
    }


def _run_row(run: Comparison) -> dict[str, Any]:
    row = {name: getattr(run, name) for name in RUN_COLUMNS}
    return row | {"compared": Jsonb(run.compared), "not_compared": Jsonb(run.not_compared)}


def _open(row: Mapping[str, Any]) -> OpenDiscrepancy:
    first = row["divergence_id"]
    what = Discrepancy(
        DiscrepancyKind(row["kind"]), row["subject"], row["part"], row["ours"], row["theirs"], row["gap"],
        Divergence(first, row["divergence_at"]) if first else None, Repair(row["repair"]), row["equipment"],
    )  # fmt: skip
    same = {f.name: row[f.name] for f in fields(OpenDiscrepancy) if f.name not in ("what", "repair_state")}
    return OpenDiscrepancy(what=what, repair_state=RepairState(row["repair_state"]), **same)


def _asked(numbers: Sequence[str], settled: datetime) -> dict[str, Any]:
    return {"orders": list(numbers), "settled": settled}


# A repair that was done before this comparison began, and did not help, may be tried again.
SEEN = insert(
    "discrepancies",
    COLUMNS,
    """on conflict (key) where ended_at is null do update set
        aside_by = case when {stays} then discrepancies.aside_by else '' end,
        aside_at = case when {stays} then discrepancies.aside_at end,
        aside_reason = case when {stays} then discrepancies.aside_reason else '' end,
        ours = excluded.ours, theirs = excluded.theirs, repair = excluded.repair, owner = excluded.owner,
        gap = case when excluded.gap = '' then discrepancies.gap else excluded.gap end,
        divergence_id = excluded.divergence_id, divergence_at = excluded.divergence_at,
        equipment = excluded.equipment, last_seen = excluded.last_seen,
        repair_state = case when discrepancies.repair_state = 'done'
            and discrepancies.repaired_at < %(began)s then 'in-vain' else discrepancies.repair_state end
    """.replace(
        "{stays}", "(excluded.gap = '' or discrepancies.gap = '' or excluded.gap = discrepancies.gap)"
    ),
)
GONE = """
update discrepancies set ended_at = %(at)s
where ended_at is null and kind = any (%(kinds)s) and key <> all (%(keys)s)
"""
OLD = "delete from discrepancies where ended_at < %(before)s"
OLD_RUNS = "delete from comparisons where ended_at < %(before)s"
RUN = insert("comparisons", RUN_COLUMNS)
LAST_RUN = "select * from comparisons order by id desc limit 1"
SETTLED_AT = """
select coalesce(max(ended_at) filter (where trouble = ''), min(began_at)) as at from comparisons
"""
TOLD = "update discrepancies set told_at = %s where id = any (%s)"
OPEN = "select * from discrepancies where ended_at is null order by first_seen, id"
ONE = "select * from discrepancies where id = %s and ended_at is null"
COUNT = "select count(*) as n from discrepancies where ended_at is null and aside_at is null"
ASK_RUN = """
insert into marks (name, value) values ('reconcile', %s)
on conflict (name) do update set value = excluded.value
"""
RUN_ASKED = "select 1 from marks where name = 'reconcile'"
ASKED_RUN = "delete from marks where name = 'reconcile' returning value"
ASK_REPAIR = """
update discrepancies
set repair_state = 'asked', repaired_by = %(by)s, repaired_at = %(at)s, repair_result = ''
where id = %(id)s and ended_at is null and repair_state in ('', 'failed', 'in-vain')
"""
ASKED = "select * from discrepancies where repair_state = 'asked' order by id"
REPAIRED = """
update discrepancies set repair_state = %s, repair_result = %s, repaired_at = %s
where id = %s and repair_state = 'asked'
"""
SET_ASIDE = """
update discrepancies set aside_by = %(by)s, aside_at = %(at)s, aside_reason = %(reason)s
where id = %(id)s and ended_at is null
"""
# What was sent before `settled` has to be there; what waits and was never begun cannot be there.
_FATE = """
    (o.id is null or o.state = 'dead' or (o.state = 'done' and o.finished_at <= %(settled)s)) as certain,
    coalesce(o.state = 'waiting' and o.attempts = 0 and not o.in_doubt, false) as absent
from job_responses r left join outbox o on o.key = 'report:' || r.id
"""
SUMS = f"""
with told as (
    select r.work_order, r.operation, r.good, r.scrap, {_FATE} where r.work_order = any (%(orders)s)
)
select work_order, operation,
    coalesce(sum(good) filter (where certain), 0)::float8 as good,
    coalesce(sum(scrap) filter (where certain), 0)::float8 as scrap,
    coalesce(sum(least(good, 0)) filter (where not certain and not absent), 0)::float8 as fewest_good,
    coalesce(sum(least(scrap, 0)) filter (where not certain and not absent), 0)::float8 as fewest_scrap,
    coalesce(sum(greatest(good, 0)) filter (where not certain and not absent), 0)::float8 as most_good,
    coalesce(sum(greatest(scrap, 0)) filter (where not certain and not absent), 0)::float8 as most_scrap,
    sum(good)::float8 as told_good, sum(scrap)::float8 as told_scrap
from told group by work_order, operation
"""  # noqa: S608 our own text
REPORTS = f"""
with told as (
    select r.id, r.at, r.good, r.scrap, coalesce(o.state = 'dead', false) as dead, {_FATE}
    where r.work_order = any (%(orders)s) and r.operation = %(operation)s
)
select id, at, good, scrap, dead from told where certain order by at, id
"""  # noqa: S608
UNDER_WAY = """
select distinct coalesce(payload ->> 'ticket', payload ->> 'order') as about from outbox o
where kind in ('open-ticket', 'update-ticket', 'close-ticket', 'change-order')
  and (state in ('waiting', 'claimed') and not exists (select from outbox_held held where held.id = o.id)
       or (state = 'done' and finished_at > %s))
"""
POSTINGS = """
select p.*, o.key, coalesce(o.state = 'dead', false) as dead
from outbox o join postings p on p.kind = o.payload ->> 'kind' and p.id = o.payload ->> 'posting'
where o.kind = 'post' and p.at >= %s and (o.receipt is null or not o.receipt ? 'skipped')
  and (o.state = 'dead' or (o.state = 'done' and o.finished_at <= %s))
order by p.at, p.kind, p.id
"""
AGAIN = """
with again as (
    update outbox set state = 'waiting', in_doubt = true, due_at = null, attempts = 0, finished_at = null,
        leased_until = null, reason = ''
    where key = any (%s) and state in ('done', 'dead') returning id
), said as (select pg_notify('andon_outbox', '') from again limit 1)
select a.id from again a, said
"""
LANE = "select key from outbox where lane = %s and kind = any (%s) order by id"
REPORT = "select * from job_responses where id = %s"
