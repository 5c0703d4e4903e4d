"""The home-made ERP's books as tables of a real PostgreSQL, joined by nothing but a mapping."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from erp_bridge.generic import GenericConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import ClerkPosting, ClerkTicket
from tests.contract.erp.worlds.generic_rest import CUSTOM, FACTS, laid_over, mapping, order, posting, report
from tests.contract.erp.worlds.generic_rest import ticket as ticket_of
from tests.simulators.generic import seed
from tests.simulators.generic.database import DATABASE, Database, database
from tests.simulators.generic.gateway import Gateway

USER, SECRET = "andon-erp", "database-secret-nobody-reads"


class SqlBooks:
    facts = FACTS

    def __init__(self, base: Database, gateway: Gateway, clock: Clock) -> None:
        self._base = base
        self.gateway = gateway
        self._clock = clock
        self._renamed = False

    def connector(self, clock: Clock, **changes: Any) -> GenericConnector:
        block = mapping("mapping_sql.yaml")
        block["sql"] |= {
            "host": "127.0.0.1", "port": self.gateway.port, "user": USER, "password": SECRET,
            "timeout": "20s",
        }  # fmt: skip
        return GenericConnector(GenericConnector.Config.model_validate(laid_over(block, changes)), clock)

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        return self._base.rows(query, **values)

    # ------------------------------------------------------------------ what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]:
        return [ticket_of(r) for r in self.rows("select * from repair order by id")]

    async def reports(self) -> Sequence[ClerkPosting]:
        return [report(r) for r in self.rows("select * from op_report order by id")]

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        found = self.rows("select * from posting where kind = %(kind)s order by id", kind=kind.value)
        return [posting(r) for r in found]

    async def order(self, number: str) -> Mapping[str, Any]:
        (row,) = self.rows("select * from prod_order where no = %(no)s", no=number)
        return order(row)

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        self.rows("update repair set status = 'DONE' where ext_no = %(key)s", key=key)

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        self.rows(
            "update prod_order set quantity = %(quantity)s, due = %(due)s, changed = %(now)s"
            " where no = %(no)s",
            no=number, quantity=quantity, due=seed.local(due_at), now=seed.local(self._clock.now()),
        )  # fmt: skip

    async def cancel_order(self, number: str) -> None:
        self.rows(
            "update prod_order set status = 'CANCELLED', changed = %(now)s where no = %(no)s",
            no=number, now=seed.local(self._clock.now()),
        )  # fmt: skip

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        if kind in ("session_dead", "down"):
            self.gateway.cut()
        if kind != "session_dead":
            forms = {"ticket": {"repair"}}.get(on, {on} if on else set())
            self.gateway.faults.add(kind, frozenset(forms), times)

        if kind == "renamed":
            self._renamed = True
            self.rows("alter table repair rename to repair_of_old")

    async def clear(self) -> None:
        self.gateway.faults.clear()
        if self._renamed:
            self.rows("alter table repair_of_old rename to repair")
            self._renamed = False


class SqlWorld:
    name = "generic-sql"
    kind = "generic"  # of the entry point: the same connector as by REST
    faults = frozenset({
        "drop_before", "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable",
        "locked", "session_dead", "down", "page", "any_document", "renamed",
    })  # fmt: skip  # a statement has no pages: what it gives is all there is, so no `same_page`
    secret = SECRET
    wrong_login: Mapping[str, Any] = {"sql": {"password": "another-secret"}}
    broken_orders: Mapping[str, Any] = {"documents": {"order": {"read": {"quantity": "number(customer)"}}}}
    ticket_place = r"operations\.find_ticket"  # its statement

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[SqlBooks]:
        base = database()
        base.reset()
        async with Gateway(base.socket, DATABASE, USER, SECRET).open() as gateway:
            books = SqlBooks(base, gateway, clock)
            try:
                yield books
            finally:
                await books.clear()

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {CUSTOM: "filled(fault_code)"}}}}, CUSTOM


WORLD = SqlWorld()
