"""The web part: the feed of the walls, the API with its doors, the pages, and the server that carries them.

Apart from the rest of the roof because it is heavy: a process that only collects never imports it, and one
that has it imports it while the database comes up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import uvicorn
from starlette.requests import HTTPConnection

from alert_rules.desk import AlarmDesk
from alert_rules.state_again import StateHistoryDesk
from alert_rules.state_desk import StateTableDesk
from alert_rules.stop_desk import StopReasonDesk
from alert_rules.tables_in_use import TablesInUse
from erp_bridge.erp_in_use import ErpInUse
from erp_bridge.mapping_desk import ErpMappingDesk
from erp_bridge.rush_desk import OrderRushDesk
from erp_bridge.rush_notices import Crowd
from hub.api.app import build
from hub.api.auth import Door
from hub.api.deps import Deps, Plugged
from hub.api.origin import ours
from hub.api.rights import BOARD, PUBLIC
from hub.api.server import server
from hub.house import Record, shouter
from hub.model.erp import ErpNews, ErpPush
from hub.notices import Notices
from hub.outline import HubBlock
from hub.ports import Bus, Clock, MesDoor, Plant
from hub.store.figures import PgFigures
from hub.store.gaps import PgGaps
from hub.store.left_out import PgLeftOut
from hub.store.mappings import PgMappings
from hub.store.parameter_book import PgParameterBook
from hub.store.raw_span import PgRawStates
from hub.store.reconciliation import PgReconciliation
from hub.store.rejects import PgRejects
from hub.store.rush import PgRushes
from hub.store.sales import PgSales
from hub.store.state_history import PgStateHistory
from hub.store.stops import PgStops
from screens.app import BOARD_PATHS, PUBLIC_PATHS, pages
from screens.feed import Feed
from screens.socket import ScreenSocket

Told = Callable[[], dict[str, Any]]


class Web:
    """`feed`, `rush.watch` and `serve` are runners for the supervisor."""

    def __init__(
        self,
        hub: HubBlock,
        plant: Plant,
        record: Record,
        bus: Bus,
        clock: Clock,
        desk: AlarmDesk,
        trust: Told,
        status: Told,
        health: Told,
        notices: Notices,
        erp_changes: bool,
        pushed: Callable[[ErpPush], ErpNews] | None,
        mes: tuple[str, ...] = (),
        erp: ErpInUse | None = None,
        mes_doors: Mapping[str, MesDoor] = MappingProxyType({}),
        state_tables: TablesInUse | None = None,
        reads: Mapping[str, Iterable[int]] = MappingProxyType({}),
    ) -> None:
        """`erp_changes`: there is an ERP that takes changes of orders; `pushed` reads what it pushes.

        `reads`: the tags of each source, whichever process reads it.
        """
        self._hub = hub
        self.rush = OrderRushDesk(
            plant, PgRushes(record.pool), clock, shouter(bus), Crowd(notices, hub.rush.sellers),
            erp_changes, hub.rush.undo,
        )  # fmt: skip
        stops = PgStops(record.pool)
        self.feed = Feed(plant, record.ledger, record.samples, bus, clock, trust, stops, reads)
        self._maps = ErpMappingDesk(erp, record.erp_book) if erp is not None else None
        states, past = None, None
        if state_tables is not None:
            raw, tables = PgRawStates(record.pool), PgMappings(record.pool)
            states = StateTableDesk(plant, tables, state_tables, raw, record.ledger, clock)
            history = PgStateHistory(record.pool)
            past = StateHistoryDesk(plant, states.used, history, stops, record.ledger, clock, shouter(bus))
        door = Door(plant.people, record.people, clock)
        screens = Plugged(
            pages(self.feed, door.authenticate, self._origin_is_ours),
            dict.fromkeys(PUBLIC_PATHS, PUBLIC) | dict.fromkeys(BOARD_PATHS, BOARD),
        )
        deps = Deps(
            plant, record.ledger, record.samples, record.outbox, record.people, desk, self.feed, clock,
            status, health, hub.public_url, tuple(hub.allowed_origins), hub.host, (screens,),
            rush=self.rush, reconciliation=PgReconciliation(record.pool),
            erp_book=record.erp_book, pushed=pushed, shout=shouter(bus), mappings=self._maps,
            sales=PgSales(record.pool), figures=PgFigures(record.pool), order_links=hub.order_links,
            sellers=hub.rush.sellers, mes=mes,
            mes_doors=mes_doors, rejects=PgRejects(record.pool), parameters=PgParameterBook(record.pool),
            left_out=PgLeftOut(record.pool), gaps=PgGaps(record.pool),
            stops=StopReasonDesk(plant, stops, clock, shouter(bus)), states=states,
            past=past,
        )  # fmt: skip
        self._application = build(deps, door)

    async def serve(self) -> None:
        """Until cancelled, then with open sockets told."""
        web: uvicorn.Server = server(self._application, self._hub.host, self._hub.port, ws=ScreenSocket)
        serving = asyncio.create_task(web.serve())
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            web.should_exit = True
            await serving
            raise
        finally:
            if self._maps is not None:
                await self._maps.close()

    def _origin_is_ours(self, connection: HTTPConnection) -> bool:
        hub, headers = self._hub, connection.headers
        return ours(
            headers.getlist("origin"), headers.getlist("host"), connection.url.scheme, hub.public_url,
            hub.allowed_origins,
        )  # fmt: skip
