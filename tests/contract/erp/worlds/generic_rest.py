"""The home-made ERP's books over REST, joined by nothing but a mapping."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from erp_bridge.generic import GenericConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import LAG_SECONDS, ODD, ClerkPosting, ClerkTicket, Facts
from tests.simulators.generic import seed
from tests.simulators.generic.books import Row
from tests.simulators.generic.server import SECRET, USER, Dialect, HomeMadeErp

MAPPINGS = Path(__file__).parents[3] / "simulators" / "generic"
CUSTOM = "u_fault"  # a field that the plant's own people have added
FACTS = Facts(
    equipment=seed.MACHINE, order=seed.ORDER, operation="20", item=seed.ITEM, order_quantity=seed.QUANTITY,
    orders=seed.ORDERS, sales_order=seed.SALE, component=seed.COMPONENT, lot=seed.LOT,
    warehouse=seed.WAREHOUSE,
)  # fmt: skip


@cache
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((MAPPINGS / name).read_text(encoding="utf-8"))
    return found


def mapping(name: str) -> dict[str, Any]:
    return copy.deepcopy(_read(name))


def laid_over(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """As a key user edits the file: deep, other keys stay."""
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(base.get(name), dict)
        base[name] = laid_over(base[name], value) if both else value
    return base


def ticket(row: Mapping[str, Any]) -> ClerkTicket:
    return ClerkTicket(
        str(row["ext_no"]), str(row["no"]), str(row["machine_no"] or ""), str(row["title"]),
        row["status"] in ("DONE", "CANCELLED"), row,
    )  # fmt: skip


def report(row: Mapping[str, Any]) -> ClerkPosting:
    return ClerkPosting(str(row["ext_no"]), str(row["order_no"]), str(row["op_no"]), float(row["good"]),
                        float(row["bad"]), row)  # fmt: skip


def posting(row: Mapping[str, Any]) -> ClerkPosting:
    amount = row["hours"] if row["kind"] == "hours" else row["quantity"]
    return ClerkPosting(str(row["ext_no"]), str(row["order_no"] or ""), "", float(amount or 0), 0.0, row)


def counts(row: Mapping[str, Any], kind: PostingKind) -> bool:
    """Receipts and issues are drafts until they are confirmed."""
    return row["kind"] == kind.value and (kind.value not in ("receipt", "issue") or bool(row["confirmed"]))


def order(row: Mapping[str, Any]) -> dict[str, Any]:
    due = datetime.fromisoformat(str(row["due"])).replace(tzinfo=seed.ZONE)
    return {"priority": row["priority"], "due_at": due, "quantity": row["quantity"]}


class RestBooks:
    facts = FACTS

    def __init__(self, erp: HomeMadeErp) -> None:
        self.erp = erp

    def connector(self, clock: Clock, **changes: Any) -> GenericConnector:
        block = mapping("mapping_rest.yaml")
        block["rest"] |= {"url": self.erp.url, "timeout": "5s"}
        block["rest"]["auth"] |= {"user": USER, "password": SECRET}
        return GenericConnector(GenericConnector.Config.model_validate(laid_over(block, changes)), clock)

    def rows(self, table: str) -> list[Row]:
        with self.erp.books.lock:
            return [dict(r) for r in self.erp.books.tables[table]]

    # ------------------------------------------------------------------ what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]:
        return [ticket(r) for r in self.rows("repair")]

    async def reports(self) -> Sequence[ClerkPosting]:
        return [report(r) for r in self.rows("report")]

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        return [posting(r) for r in self.rows("posting") if counts(r, kind)]

    async def order(self, number: str) -> Mapping[str, Any]:
        return order(self.erp.books.one("orders", no=number))

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        with self.erp.books.lock:
            self.erp.books.one("repair", ext_no=key)["status"] = "DONE"

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        self._order(number, quantity=quantity, due=seed.local(due_at))

    async def cancel_order(self, number: str) -> None:
        self._order(number, status="CANCELLED")

    def _order(self, number: str, **values: Any) -> None:
        with self.erp.books.lock:
            row = self.erp.books.one("orders", no=number)
            row.update(values)
            self.erp.books.touch(row)

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        forms = {"ticket": {"repair"}}.get(on, {on} if on else set())
        self.erp.faults.add(kind, frozenset(forms), times, LAG_SECONDS if kind == "lag" else 0.0)

    async def clear(self) -> None:
        self.erp.faults.clear()


class RestWorld:
    name = "generic"
    faults = frozenset({
        "drop_before", "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable",
        "rate_limited", "locked", "session_dead", "down", "lag", *ODD,
    })  # fmt: skip
    secret = SECRET
    wrong_login: Mapping[str, Any] = {"rest": {"auth": {"password": "another-secret"}}}
    broken_orders: Mapping[str, Any] = {"documents": {"order": {"read": {"quantity": "number(customer)"}}}}
    ticket_place = r"operations\.open_ticket"  # the address of it

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[RestBooks]:
        with HomeMadeErp(clock.now, Dialect(unique=False)) as erp:  # nothing of its own keeps us from two
            yield RestBooks(erp)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {CUSTOM: "filled(fault_code)"}}}}, CUSTOM


WORLD = RestWorld()
