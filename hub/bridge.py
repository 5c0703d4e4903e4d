"""The bridge part: the worker that carries orders, tickets and postings, and the comparison of the books.

Apart from the rest of the roof because it is heavy: only a process that runs it imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from alert_rules.desk import AlarmDesk
from collectors.runner import pass_on
from erp_bridge.erp_in_use import ErpInUse, Fit
from erp_bridge.omissions import Omissions
from erp_bridge.owners import DEFAULT
from erp_bridge.reconciler import Habits, Reconciler
from erp_bridge.runner import BridgeRunner, Shout
from hub.house import Record, Use
from hub.model.discrepancy import Book, MesClaims
from hub.notices import Notices
from hub.outline import ErpBlock
from hub.ports import Clock, Plant
from hub.store.catalogue import PgCatalogue
from hub.store.left_out import PgLeftOut
from hub.store.reconciliation import PgReconciliation


class Bridge:
    """`carry` and `reconcile` are runners for the supervisor."""

    def __init__(
        self,
        block: ErpBlock,
        in_use: Callable[[], ErpInUse],
        mes: Sequence[Use],
        plant: Plant,
        record: Record,
        desk: AlarmDesk,
        clock: Clock,
        shout: Shout,
        notices: Notices,
    ) -> None:
        """`in_use` makes a connector with the field maps that are active; each runner has its own."""
        self._block, self._in_use, self._mes = block, in_use, tuple(mes)
        self._plant, self._record, self._desk = plant, record, desk
        self._clock, self._shout, self._notices = clock, shout, notices
        self._owners = {**DEFAULT, **block.reconcile_owners}
        self._worker: BridgeRunner | None = None
        self._reconciler: Reconciler | None = None
        self._maps: dict[str, Any] = {}  # how the field maps in use fit, for the status page

    async def carry(self, worker: str) -> None:
        used = ""

        async def work(connector: Any) -> None:
            self._worker = BridgeRunner(
                self._record.ledger, self._record.outbox, self._desk, connector, self._clock, self._shout,
                worker, self._notices, book=self._record.erp_book, kind=self._block.kind,
                shelf=PgCatalogue(self._record.pool), omissions=self._omissions(), maps=used,
            )  # fmt: skip
            await self._worker.run()

        def on_fit(fit: Fit) -> None:
            nonlocal used
            used, self._maps = fit.maps, fit.told()

        await self._in_use().carry(work, on_fit)

    def health(self) -> dict[str, Any]:
        return (self._worker.health() if self._worker else {}) | self._maps

    async def reconcile(self) -> None:
        block = self._block
        habits = Habits(
            block.reconcile_every, block.reconcile_settle, block.reconcile_remind,
            self._owners, frozenset(block.reconcile_ignore),
        )  # fmt: skip

        async def work(connector: Any) -> None:
            self._reconciler = Reconciler(
                self._plant, self._record.ledger, PgReconciliation(self._record.pool), self._desk, connector,
                self._clock, self._notices, habits, pass_on=pass_on, kind=block.kind, mes=self._mes_claims,
                omissions=self._omissions(),
            )  # fmt: skip
            await self._reconciler.run()

        await self._in_use().carry(work, lambda fit: None)

    def books(self) -> dict[str, Any]:
        """Of the comparison."""
        return self._reconciler.health() if self._reconciler else {}

    def _omissions(self) -> Omissions:
        """What becomes of records of the ERP that cannot be read: a worker of the bridge keeps its own."""
        shelf = PgLeftOut(self._record.pool)
        return Omissions(self._clock, self._notices, shelf, self._owners[Book.RECORDS])

    async def _mes_claims(self) -> MesClaims:
        """What every MES together adds up: an MES that cannot tell leaves the whole untold."""
        sources = [use.cls(use.config, self._clock, use.name) for use in self._mes]
        told = [await s.claims() if hasattr(s, "claims") else MesClaims() for s in sources]
        sums, stock = [t.sums for t in told], [t.stock for t in told]
        return MesClaims(
            None if not told or None in sums else tuple(c for some in sums for c in some or ()),
            None if not told or None in stock else tuple(c for some in stock for c in some or ()),
        )
