"""What the routes stand on. The roof fills it in; a test fills it with fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends
from starlette.requests import HTTPConnection

from hub.api.rights import Caller, Right
from hub.model.discrepancy import Comparison, OpenDiscrepancy
from hub.model.erp import ErpEquipment, ErpNews, ErpPush, SalesOrder
from hub.model.gap import SampleGap
from hub.model.left_out import Omission
from hub.model.order_link import OrderLink
from hub.model.parameter import BoundSample, JobSpan, ParameterFigures, ParameterLimits
from hub.model.production import JobProgress, JobResponse, WorkOrder
from hub.ports import (
    Clock,
    Desk,
    ErpBook,
    Ledger,
    MappingDesk,
    MesDoor,
    Outbox,
    PeopleStore,
    Plant,
    Rejects,
    RushDesk,
    SampleStore,
    StateDesk,
    StopDesk,
)
from hub.ports.state_history import StateHistoryDesk


class Feed(Protocol):
    """The board as the screens have it."""

    def snapshot(self, scopes: Iterable[str]) -> dict[str, Any]:
        """`{"type", "seq", "at", "board"}`, cut to these nodes; Transient while it is being read."""
        ...

    async def timeline(self, hours: float, scopes: Iterable[str]) -> dict[str, Any]:
        """`{"spans": [{"equipment", "state", "since", "until"}]}` of the last hours."""
        ...


class Reconciliation(Protocol):
    """Where our books and the ERP's disagree."""

    async def open_ones(self) -> list[OpenDiscrepancy]: ...
    async def one(self, number: int) -> OpenDiscrepancy: ...
    async def last_run(self) -> Comparison | None: ...
    async def run_asked(self) -> bool: ...
    async def ask_run(self, by: str) -> None: ...
    async def ask_repair(self, number: int, by: str, at: datetime) -> OpenDiscrepancy: ...
    async def set_aside(self, number: int, by: str, at: datetime, reason: str) -> OpenDiscrepancy: ...


class LeftOut(Protocol):
    """Records of the ERP that cannot be read."""

    async def open_ones(self) -> list[Omission]:
        """The newest first."""
        ...


class SalesBook(Protocol):
    """Sales orders and machines as the ERP has them, and the links by which one order is looked at."""

    async def sales_orders(self, numbers: Sequence[str]) -> list[SalesOrder]: ...
    async def open_sales_orders(self) -> list[SalesOrder]: ...
    async def work_orders(self, sales: Sequence[str], numbers: Sequence[str] = ()) -> list[WorkOrder]: ...
    async def progress(self, numbers: Sequence[str]) -> list[JobProgress]: ...
    async def equipment(self) -> list[ErpEquipment]: ...
    async def add_link(self, token_hash: str, link: OrderLink) -> OrderLink: ...
    async def link_by(self, token_hash: str, now: datetime) -> OrderLink | None: ...
    async def links(self, sales_order: str, work_order: str) -> list[OrderLink]: ...
    async def link(self, link_id: int) -> OrderLink: ...
    async def revoke_link(self, link_id: int, by: str, at: datetime) -> bool: ...


class FigureBook(Protocol):
    """What the figures of a month are made of."""

    async def due(self, start: datetime, end: datetime) -> tuple[list[WorkOrder], list[JobResponse]]: ...
    async def issued(self, start: datetime, end: datetime) -> list[dict[str, Any]]: ...
    async def stock(self, start: datetime, end: datetime) -> dict[str, list[float]]: ...
    async def costs(self, start: datetime, end: datetime, order: str = "") -> list[dict[str, Any]]: ...


class ParameterBook(Protocol):
    """What process parameters were while an order or a lot was worked on."""

    async def spans(self, order: str) -> list[JobSpan]: ...
    async def spans_with(self, lot: str) -> list[JobSpan]: ...
    async def figures(
        self, spans: Sequence[JobSpan], limits: Sequence[ParameterLimits]
    ) -> list[ParameterFigures]: ...
    async def curve(
        self, spans: Sequence[JobSpan], tag: int, points: int
    ) -> list[tuple[datetime, float, float, float]]: ...
    def samples(self, spans: Sequence[JobSpan], tags: Sequence[int]) -> AsyncIterator[BoundSample]: ...


class Gaps(Protocol):
    async def of(self, tag: int, start: datetime, end: datetime) -> list[SampleGap]:
        """What collectors had to drop of this tag around this time, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Plugged:
    """Routes of somebody else (the screens'), and who may use each path. A path that is missing stops the
    start.
    """

    router: APIRouter
    rights: Mapping[str, Right]


async def _to_nobody(event: dict[str, Any]) -> None:
    """Where no screen listens."""


@dataclass(frozen=True, slots=True)
class Deps:
    plant: Plant
    ledger: Ledger
    samples: SampleStore
    outbox: Outbox
    people: PeopleStore
    desk: Desk
    feed: Feed
    clock: Clock
    status: Callable[[], Mapping[str, Any]]
    health: Callable[[], Mapping[str, Any]]  # {"status": "ok|starting|degraded", "parts": {name: bool}}
    public_url: str = ""
    allowed_origins: tuple[str, ...] = ()
    bind: str = "127.0.0.1"  # the address we listen on
    plugged: tuple[Plugged, ...] = field(default=())
    rush: RushDesk = field(kw_only=True)
    erp_book: ErpBook | None = None  # no ERP
    mappings: MappingDesk | None = None
    pushed: Callable[[ErpPush], ErpNews] | None = None
    shout: Callable[[dict[str, Any]], Awaitable[None]] = _to_nobody
    reconciliation: Reconciliation = field(kw_only=True)
    sales: SalesBook | None = None
    figures: FigureBook | None = None
    order_links: timedelta = timedelta(days=90)  # how long a link shows a customer's order
    sellers: Mapping[str, str] = field(default_factory=dict)  # customer -> person, where the ERP names none
    mes: tuple[str, ...] = ()  # the sources that reports come from
    mes_doors: Mapping[str, MesDoor] = field(default_factory=dict)  # sources of typed events, by name
    rejects: Rejects | None = None
    parameters: ParameterBook | None = None
    left_out: LeftOut | None = None
    gaps: Gaps | None = None
    stops: StopDesk | None = None
    states: StateDesk | None = None
    past: StateHistoryDesk | None = None

    @property
    def https(self) -> bool:
        return self.public_url.lower().startswith("https://")


def _deps(connection: HTTPConnection) -> Deps:
    found: Deps = connection.app.state.deps
    return found


def _caller(connection: HTTPConnection) -> Caller:
    """Put there by the guard; only public and loopback routes are reached without one."""
    found: Caller = connection.scope["andon.caller"]
    return found


House = Annotated[Deps, Depends(_deps)]
Who = Annotated[Caller, Depends(_caller)]
