"""An ERP as a test has it: a server to talk to, its books as a clerk sees them, and what can go wrong.

One module of `worlds` for each ERP defines `WORLD`, an instance of a class with these methods. The suite asks
nothing else of it, so that one set of tests holds for all. What the ERP cannot do is missing from the
connector's `capabilities` and from `faults`; tests of it are left out.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from hub.model.erp import PostingKind
from hub.ports import Clock, ErpConnector
from tests.contract.erp import worlds

# A fault meets the next write (of `on`), `times` times; then all is well again.
AFTER_COMMIT = (  # done, and the answer does not say so
    "drop_after_commit",  # the connection is closed without a byte
    "error_after_commit",  # HTTP 500 or this ERP's general failure
    "garbage_after_commit",  # an answer that cannot be read
)
NOT_DONE = (  # not done, and it is worth trying again
    "unavailable",  # HTTP 503 or this ERP's "busy"
    "drop_before",  # the connection is closed before anything is done
    "rate_limited",  # HTTP 429 or this ERP's word for it
    "locked",  # somebody else has the document open
)
UNNOTICED = ("session_dead",)  # the session or token is gone: the connector gets itself a new one
ALWAYS = (
    "down",  # nobody answers until `clear`
    "lag",  # what was written is shown only `LAG_SECONDS` later, until `clear`
)
ODD = (  # an ERP, or something before it, that answers beside the question, until `clear`
    "page",  # HTTP 200 with a page for people, whatever is asked
    "same_page",  # the first part of a list, whichever part is asked for
    "any_document",  # some other document, whatever key is looked for
    "renamed",  # the form, model or entity of tickets is not there under its name any more
)
LAG_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands in the ERP's books at the start, in its own words."""

    equipment: str  # a machine's number
    order: str  # a released production order with the operation
    operation: str
    item: str  # what the order makes
    order_quantity: int
    orders: int  # how many production orders the shop floor should see; more than one page of them
    sales_order: str = ""
    component: str = ""  # a material the order consumes
    lot: str = ""  # a lot of the component that is in stock
    warehouse: str = ""
    employee: Mapping[str, str] = field(default_factory=dict)  # our person id -> theirs, as configured


@dataclass(frozen=True, slots=True)
class ClerkTicket:
    key: str  # our number, wherever the ERP keeps it
    number: str
    equipment: str
    title: str
    closed: bool
    fields: Mapping[str, Any] = field(default_factory=dict)  # as the ERP has them


@dataclass(frozen=True, slots=True)
class ClerkPosting:
    """A report or another posting that counts in the books: half-made or reversed ones are left out."""

    key: str
    order: str
    operation: str
    quantity: float  # good pieces of a report, pieces of a posting, labour hours of hours
    scrap: float = 0.0
    fields: Mapping[str, Any] = field(default_factory=dict)


class Books(Protocol):
    """One running ERP."""

    facts: Facts

    def connector(self, clock: Clock, **changes: Any) -> ErpConnector:
        """`changes` are laid over the top level of the connector's configuration block."""
        ...

    # --- what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]: ...
    async def reports(self) -> Sequence[ClerkPosting]: ...
    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]: ...
    async def order(self, number: str) -> Mapping[str, Any]:
        """At least `priority` (int, 1 is the most urgent; None where there is none), `due_at` (aware) and
        `quantity`."""
        ...

    # --- what a clerk does
    async def close_ticket(self, key: str) -> None: ...
    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None: ...
    async def cancel_order(self, number: str) -> None: ...

    # --- what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        """`on`: "ticket", "report", "posting" or "" for whatever is written next."""
        ...

    async def clear(self) -> None: ...


class World(Protocol):
    name: str  # of the entry point; one that has several worlds is named by `kind` in the others
    faults: frozenset[str]
    secret: str  # what must not be read anywhere
    wrong_login: Mapping[str, Any]  # changes to the configuration that the ERP must refuse
    broken_orders: Mapping[str, Any]  # changes after which no production order can be read by its map
    # may have: `ticket_place`, a pattern of the configuration's name for a ticket where it is not
    # documents.ticket; `hidden_keys`, the fields of a ticket and of a report that keep our number, and
    # `nothing`, what stands in one that is empty; `bad_day_size` and `runs_in_tests`, smaller where each
    # exchange is dear

    def books(self, clock: Clock) -> AbstractAsyncContextManager[Books]:
        """A fresh one; the ERP's clock is the test's where it can be."""
        ...

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        """(changes to the configuration, the name in ClerkTicket.fields): a field that no release of ours
        knows and that carries our `fault_code` then."""
        ...


def known_worlds() -> list[World]:
    names = sorted(found.name for found in pkgutil.iter_modules(worlds.__path__))
    return [importlib.import_module(f"{worlds.__name__}.{name}").WORLD for name in names]
