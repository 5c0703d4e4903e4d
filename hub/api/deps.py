"""What the routes stand on. The roof fills it in; a test fills it with fakes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends
from starlette.requests import HTTPConnection

from hub.api.rights import Caller, Right
from hub.model.discrepancy import Comparison, OpenDiscrepancy
from hub.model.erp import ErpNews, ErpPush
from hub.ports import Clock, Desk, ErpBook, Ledger, Outbox, PeopleStore, Plant, RushDesk, SampleStore


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
    pushed: Callable[[ErpPush], ErpNews] | None = None
    shout: Callable[[dict[str, Any]], Awaitable[None]] = _to_nobody
    reconciliation: Reconciliation = field(kw_only=True)

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
