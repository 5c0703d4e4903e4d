"""What a plugin is: collectors, sources of an MES, carriers of messages, connectors to an ERP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel

from hub.model.batch import SampleBatch
from hub.model.erp import (
    ErpEquipment,
    ErpNews,
    ErpPush,
    Item,
    OperationClaim,
    PostingKind,
    SalesOrder,
    StockClaim,
)
from hub.model.intake import Verdict
from hub.model.message import Message, Receipt
from hub.model.production import JobResponse, Posting, WorkOrder
from hub.model.sample import Tag
from hub.ports.bus import Sink
from hub.ports.time import Clock


# `Config` is a class attribute: what reads the plugin's `with:` block. Said as a property, because a plugin's
# own narrower class would not fit an attribute that anybody may set.
class Collector(Protocol):
    """Lives for one connection. The supervisor gives it the next one.

    It may have `parts`, a mapping: what is behind it by name, each with its tags, which can be lost alone;
    without it every machine is one. `repeats_what_stands = False`: it is silent while nothing
    changes. `tells_who_is_gone = True`: it knows which part is lost, so that a part's word proves it; a part
    called `a/b` is behind the part `a`.

    `line`, a hub.model.line.Line: how its line is protected; the hub makes alarms of what is wrong with it.
    `lost`, a mapping: how much was lost before we had it, by why. `follow(before, lost_at)` gives it the one
    whose connection ended and the time from which on its tags were marked bad.
    """

    @property
    def Config(self) -> type[BaseModel]: ...

    def __init__(self, config: Any, clock: Clock, tags: Mapping[str, Tag], name: str) -> None:
        """Opens nothing. Raises ConfigError when a point names a tag that is not in `tags`."""
        ...

    @property
    def tag_numbers(self) -> Sequence[int]:
        """What it reads: these turn bad when the source is lost."""
        ...

    async def run(self, sink: Sink[SampleBatch]) -> None:
        """Read until cancelled; raise SourceUnavailable or SourceRefused."""
        ...


class MesSource(Protocol):
    """Tells of orders and of reports 报工. Same life as a collector.

    It may have `keep(event, record, faults)`, set before `run`: where a record goes that cannot be read, as
    JSON, with the event that it may mean and why it is none. `event_of`, as EventSource has it, then tells
    the event of such a record, so that a person may correct it.
    """

    @property
    def Config(self) -> type[BaseModel]: ...

    def __init__(self, config: Any, clock: Clock, name: str) -> None: ...

    async def run(
        self,
        sink: Sink[JobResponse],
        orders: Sink[WorkOrder],
        postings: Sink[Posting],
        since: str,
        postings_since: str,
    ) -> None:
        """`since`: the id of the last report that is on record, `postings_since` of the last posting; "" for
        none."""
        ...


class MesIntake(Protocol):
    """Where a source of typed events puts what it has read, and remembers how far it is."""

    async def alive(self) -> None:
        """The source answers, whether or not it has news."""
        ...

    async def take(self, records: Sequence[Any]) -> list[Verdict]:
        """All of them in one transaction, each with its own verdict, in their order. What is rejected is kept
        with the reason. Doing it again changes nothing."""
        ...

    async def mark(self, name: str) -> str:
        """A position of this source; "" when it was never set."""
        ...

    async def set_mark(self, name: str, value: str) -> None: ...

    async def remember(self, kind: str, what: str) -> bool:
        """False when this source has told of it before: a file by the digest of its content."""
        ...

    async def remembers(self, kind: str, what: str) -> bool: ...


class EventSource(Protocol):
    """An MES that tells typed events (collectors.mes_events). Same life as a collector."""

    @property
    def Config(self) -> type[BaseModel]: ...

    def __init__(self, config: Any, clock: Clock, name: str) -> None:
        """Opens nothing."""
        ...

    def event_of(self, record: Any) -> Any:
        """The typed event that a record of this source means (pure)."""
        ...

    async def feed(self, intake: MesIntake) -> None:
        """Read until cancelled; raise SourceUnavailable or SourceRefused."""
        ...


class Notifier(Protocol):
    @property
    def Config(self) -> type[BaseModel]: ...

    def __init__(self, config: Any, clock: Clock) -> None: ...

    async def send(self, message: Message) -> Receipt:
        """Say it once. Raise DeliveryDeferred (try later) or DeliveryRefused (tell a person)."""
        ...

    async def close(self) -> None: ...


class ErpConnector(Protocol):
    """`capabilities`: the words of erp_bridge.mapping.Capability this ERP can do; anything else is not asked
    of it. Fields are ERP-neutral (erp_bridge.mapping says which); the connector's field maps turn them into
    the ERP's own. Raises ErpUnavailable (`in_doubt` when a write may have been done) or ErpRefused.

    A write with a key is looked up by that key before it is made, so calling again after any failure makes
    no second document. Erp_bridge.connector.Connector refuses what a connector does not override.
    """

    @property
    def Config(self) -> type[BaseModel]: ...

    capabilities: frozenset[str]

    def __init__(self, config: Any, clock: Clock) -> None: ...

    # --- tickets
    async def find_ticket(self, key: str) -> tuple[str, str] | None:
        """(ERP id, ERP number) of the document that carries our key, or None when there is none."""
        ...

    async def open_ticket(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]: ...

    async def update_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """A step of the repair; `state` "reopened" opens a closed one again."""
        ...

    async def close_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None: ...

    async def ticket_states(self, erp_ids: Sequence[str]) -> Mapping[str, str]:
        """ERP id -> "open" or "closed": what the office did by hand. What is not there is left out."""
        ...

    async def ticket_copies(self, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Our key -> numbers of all documents that carry it: more than one is a matter for people. ErpRefused
        where the ERP cannot be asked that way."""
        ...

    # --- reports 报工 and other postings
    async def find_report(self, key: str) -> str | None: ...

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str: ...

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        """The ERP's number of the finished document that carries our key."""
        ...

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str: ...

    # --- what the office decides
    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        """Those on the shop floor, and with `changed_since` also those that left it since then."""
        ...

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        """Priority, rush and due date of a production order; setting what is set already is success."""
        ...

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]: ...
    async def items(self, changed_since: datetime | None) -> Sequence[Item]: ...
    async def equipment(self) -> Sequence[ErpEquipment]: ...

    # --- what the books say, for comparison with ours
    async def reported(self, numbers: Sequence[str]) -> Sequence[OperationClaim]:
        """Of each operation of these orders, whoever has reported it; orders that are not there are left
        out."""
        ...

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]: ...

    def pushed(self, push: ErpPush) -> ErpNews:
        """What a webhook of this ERP tells; no I/O. NotAllowed when its signature is wrong, its time is
        more than five minutes off, or no secret is configured; Refused when it cannot be read."""
        ...

    # --- care
    async def probe(self) -> Mapping[str, str]:
        """A look that changes nothing: can we log in, does each document and field of the maps exist?

        What is found by name of the thing looked at; a ✗ begins what a person has to mend.
        """
        ...

    async def close(self) -> None: ...
