"""The sockets between rooms and pipes: Protocols and the small values that pass through them.

Rooms (collectors, alert_rules, notifiers, erp_bridge, screens) and pipes (bus, store, api) meet only here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from hub.errors import Conflict
from hub.model.alarm import Alarm, AlarmLine, Priority
from hub.model.batch import SampleBatch
from hub.model.circuit import Circuit
from hub.model.equipment import Count, Equipment, StateSpan
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
from hub.model.exchange import Exchange, Letter, Pile
from hub.model.intake import Reject, RejectState, Uptake, Verdict
from hub.model.intent import Errand, Intent, IntentKind
from hub.model.mapping import MappingVersion, Targets
from hub.model.message import Message, Receipt
from hub.model.people import Account, Person, Shift, WallScreen
from hub.model.production import JobProgress, JobResponse, OrderChange, Posting, WorkOrder
from hub.model.rush import Fate, Foresight, Rush, Sight, Standing
from hub.model.sample import Tag
from hub.model.stamp import Stamp
from hub.model.ticket import MaintenanceTicket, TicketLine
from hub.model.words import Words

T_contra = TypeVar("T_contra", contravariant=True)


# ------------------------------------------------------------------ time
class Clock(Protocol):
    """The only door to time. Tests turn it by hand."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None: ...


# ------------------------------------------------------------------ the plant, as configured
@dataclass(frozen=True, slots=True)
class Plant:
    """The plant tree with its tags and calendar; the same frozen value in every process."""

    site: Equipment
    equipment: Mapping[str, Equipment]  # every node, by path, in the order of the file
    tags: Mapping[str, Tag]  # by tag path
    time_zone: str = "Asia/Shanghai"
    shifts: tuple[Shift, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)  # line path -> good pieces per planned hour
    outlets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # line path -> machines it leaves by
    instructions: Mapping[str, Words] = field(default_factory=dict)  # rule name -> what to do first

    def machines(self, below: str = "") -> list[Equipment]:
        return [
            e
            for e in self.equipment.values()
            if e.level == "work-unit" and (not below or e.path.startswith(below + "/") or e.path == below)
        ]

    def full_name(self, path: str) -> Words:
        """`3号线 冲压机07`: the line's name and the machine's, the way people say it."""
        node = self.equipment[path]
        above = self.equipment.get(node.parent)
        if above is None or node.level != "work-unit":
            return node.name
        return Words(
            f"{above.name.in_('zh')} {node.name.in_('zh')}", f"{above.name.in_('en')} {node.name.in_('en')}"
        )


# ------------------------------------------------------------------ bus
class Sink(Protocol[T_contra]):
    async def put(self, item: T_contra) -> None:
        """Take one; wait while the house is full. Returns once the bus has it."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry of a durable topic. `position` orders entries and survives restarts; "" where nothing does.

    The entry is handed out again, to this group, after a crash before `ack`. It may also come twice when its
    sender could not know whether it had arrived: `stamp` (as it was published with) is then the same. `at` is
    when the bus took it, None where that is not known.
    """

    body: bytes
    position: str
    ack: Callable[[], Any]  # async; taken as `await delivery.ack()`
    stamp: Stamp | None = None
    at: datetime | None = None


class Publisher(Protocol):
    """The half of a bus that collectors need."""

    async def publish(self, topic: str, body: bytes, stamp: Stamp | None = None) -> None: ...

    async def shout(self, topic: str, body: bytes) -> None: ...


class Bus(Protocol):
    """Two promises. `publish`/`consume`: at least once to every group, in order, with back-pressure.
    `shout`/`listen`: to whoever listens now, best effort, newest kept when a listener is slow.
    """

    async def publish(self, topic: str, body: bytes, stamp: Stamp | None = None) -> None:
        """Returns once the bus has it. When it raises the bus may have it all the same: publish it again with
        the same stamp."""
        ...

    def consume(self, topic: str, group: str) -> AsyncIterator[Delivery]:
        """Entries this group has not acknowledged, oldest first, for ever. One consumer per group."""
        ...

    async def ahead(self, topic: str, group: str, of: str) -> list[bytes]:
        """What `group` has acknowledged and the group `of` has not, oldest first; nothing when there is no
        such group."""
        ...

    async def behind(self, topic: str) -> Mapping[str, int]:
        """How many entries each group has not acknowledged; empty when that cannot be told just now."""
        ...

    async def shout(self, topic: str, body: bytes) -> None: ...

    def listen(self, topic: str) -> AsyncIterator[bytes]: ...

    async def healthy(self) -> bool: ...

    async def close(self) -> None: ...


SAMPLES = "samples"  # durable: SampleBatch.to_bytes(); groups "store" and "rules"; also shouted for screens
EVENTS = (
    "events"  # shouted: JSON {"kind": "alarm|ticket|state|count|order|source", ...}; a hint, never the record
)


# ------------------------------------------------------------------ plugins
# `Config` is a class attribute: what reads the plugin's `with:` block. Said as a property, because a plugin's
# own narrower class would not fit an attribute that anybody may set.
class Collector(Protocol):
    """Lives for one connection. The supervisor gives it the next one.

    It may have `parts`, a mapping: what is behind it by name, each with its tags, which can be lost alone;
    without it every machine is one. `repeats_what_stands = False`: its silence tells nothing.
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
    """Tells of orders and of reports 报工. Same life as a collector."""

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


# ------------------------------------------------------------------ the record
class Tx(Protocol):
    """One database transaction. What is written here stands or falls together."""

    async def alarm_for(self, rule: str, subject: str) -> Alarm | None:
        """The open alarm of this rule and subject, else its newest closed one, locked."""
        ...

    async def alarm(self, alarm_id: int) -> Alarm:
        """Locked; raises NotFound."""
        ...

    async def open_alarms(self) -> list[Alarm]:
        """As this transaction sees them, not locked."""
        ...

    async def save_alarm(self, alarm: Alarm) -> Alarm:
        """Insert when `id` is 0 (Conflict when another one is open), update otherwise; returns it with id."""
        ...

    async def add_alarm_line(self, line: AlarmLine) -> None: ...

    async def ticket(self, ticket_id: str) -> MaintenanceTicket:
        """Locked; raises NotFound."""
        ...

    async def open_ticket_of(self, equipment: str) -> MaintenanceTicket | None:
        """The machine's open ticket, locked. A database constraint allows one."""
        ...

    async def next_ticket_id(self, at: datetime) -> str:
        """AH-YYYYMMDD-NNNN, the day in the plant's time zone; gapless is not promised, unique is."""
        ...

    async def save_ticket(self, ticket: MaintenanceTicket) -> None:
        """Insert or update by id."""
        ...

    async def add_ticket_line(self, line: TicketLine) -> None: ...

    async def add_states(self, spans: Sequence[StateSpan]) -> None:
        """Each span's `since` ends the machine's previous span; a span already there changes nothing."""
        ...

    async def states(self, since: datetime, until: datetime) -> list[StateSpan]:
        """As `Ledger.states`, with what this transaction has added."""
        ...

    async def add_counts(self, counts: Sequence[Count]) -> None:
        """Keyed by (equipment, good, at): a repeat changes nothing."""
        ...

    async def add_response(self, response: JobResponse) -> bool:
        """False when this report is already on record."""
        ...

    async def save_order(self, order: WorkOrder, *, keep_state: bool = False) -> bool:
        """Insert or update with its jobs; False when nothing changed. `keep_state`: the sender does not know
        the order's state, so that of one on record stays."""
        ...

    async def add_posting(self, posting: Posting) -> bool:
        """False when this posting is already on record."""
        ...

    async def take_event(self, source: str, kind: str, event: str, digest: str, at: datetime) -> Uptake:
        """Remembers that this source has told this event: TAKEN the first time, REPEAT when it says the same
        again, REJECTED when it says something else under the same id."""
        ...

    async def knows_event(self, source: str, kind: str, event: str) -> bool: ...

    async def reject(self, reject: Reject) -> None:
        """Kept for people. The same record of the same source again is one more time of the same reject."""
        ...

    async def add_exchange(self, exchange: Exchange) -> None: ...

    async def add_order_change(self, change: OrderChange) -> None:
        """Together with what the floor has not confirmed yet of the same order."""
        ...

    async def intend(self, intent: Intent) -> None:
        """Into the outbox; a repeated key changes nothing."""
        ...

    async def set_mark(self, name: str, value: str) -> None:
        """A named position (rule evaluation, MES watermark ...), in this transaction."""
        ...


class Ledger(Protocol):
    """The record of what happened. PostgreSQL behind it; nothing that matters lives anywhere else."""

    def begin(self) -> AbstractAsyncContextManager[Tx]: ...

    # --- reading; snapshots for screens, rules and warm starts
    async def open_alarms(self) -> list[Alarm]: ...
    async def recent_alarms(self, limit: int) -> list[Alarm]: ...
    async def alarm_lines(self, alarm_id: int) -> list[AlarmLine]: ...
    async def open_tickets(self) -> list[MaintenanceTicket]: ...
    async def recent_tickets(self, limit: int) -> list[MaintenanceTicket]: ...
    async def ticket_of(self, ticket_id: str) -> MaintenanceTicket: ...
    async def ticket_lines(self, ticket_id: str) -> list[TicketLine]: ...
    async def states(self, since: datetime, until: datetime) -> list[StateSpan]:
        """Spans that touch [since, until), clipped to it, oldest first within a machine."""
        ...

    async def current_states(self) -> dict[str, StateSpan]: ...
    async def counts(self, since: datetime, until: datetime) -> list[Count]: ...
    async def last_counts(self) -> dict[tuple[str, bool], Count]: ...
    async def orders(self) -> list[WorkOrder]:
        """Those that have not ended, and those that ended within a day; the most urgent first."""
        ...

    async def progress(self) -> list[JobProgress]:
        """Of the same orders."""
        ...

    async def order_changes(self) -> list[OrderChange]:
        """What the office has changed and the floor has not confirmed, the oldest first."""
        ...

    async def mark(self, name: str) -> str: ...
    async def photo(self, photo_id: str) -> tuple[str, bytes]: ...
    async def save_photo(self, photo_id: str, content_type: str, data: bytes) -> None: ...
    async def healthy(self) -> bool: ...


class ErpBook(Protocol):
    """What passed between us and the ERP, and what is still to be settled by people."""

    async def note(self, exchange: Exchange) -> None: ...
    async def exchanges(self, document: str = "", before: int = 0, limit: int = 100) -> list[Exchange]:
        """The newest first, older than the id `before` where named. `document`: our key of one, or what
        people have in hand: the number of a ticket, of a report, of an order (then with its reports and
        postings), or the ERP's own number."""
        ...

    async def sent(self, subjects: Sequence[str], most: int) -> list[Exchange]:
        """Of each of these subjects the last that went to the ERP with something in it, however much of other
        subjects has passed since; the newest first."""
        ...

    async def last_known(self, document: str) -> Mapping[str, Any] | None:
        """The document as the ERP had it after the last exchange about it."""
        ...

    async def postings(self, since: datetime) -> list[Posting]: ...
    async def orders(self, numbers: Sequence[str]) -> list[WorkOrder]:
        """Those of these that are on record, however long ago they ended."""
        ...

    async def confirm_change(self, change_id: int, seen: datetime, by: str, at: datetime) -> OrderChange:
        """`seen`: the `at` of what the person read. NotFound; Conflict when it is confirmed, or has changed
        since."""
        ...

    async def escalated(self, changes: Sequence[int], at: datetime) -> None: ...
    async def letters(self, dead: bool = True, before: int = 0, limit: int = 100) -> list[Letter]:
        """Intents for the ERP that were given up, or those under way, the newest first. Without those that
        are held behind one that was given up."""
        ...

    async def held(self, letters: Sequence[int]) -> list[Letter]:
        """What stands behind these dead letters, in its order."""
        ...

    async def unfinished(self, lane: str) -> list[Letter]:
        """Those of one lane under way or given up, the oldest first."""
        ...

    async def piles(self) -> list[Pile]: ...

    async def letter(self, letter_id: int) -> Letter: ...
    async def send_again(self, letter_id: int) -> bool:
        """A dead letter becomes due at once, in doubt, and what stands behind it after it; False when it is
        not dead (any more)."""
        ...

    async def set_aside(self, letter_id: int, reason: str) -> bool:
        """A dead letter that nobody needs; False when it is not dead. A ticket's steps that stand behind its
        opening are set aside with it, each with a line in the ledger of messages."""
        ...

    async def aside(self, key: str) -> str | None:
        """Why the intent with this key was set aside; None when it was not."""
        ...

    async def machines(self, tickets: Sequence[str]) -> Mapping[str, str]:
        """Ticket -> the machine it is about, for those on record."""
        ...

    async def outcome(self, key: str) -> tuple[str, str] | None:
        """(state, reason) of the intent with this key; None when it was never written or is long done."""
        ...


class Mappings(Protocol):
    """Versions of the ERP's field maps. Version 0 is what the configuration file says."""

    async def versions(self, kind: str) -> list[MappingVersion]:
        """Of this kind of connector, the newest first."""
        ...

    async def active(self, kind: str) -> int: ...

    async def save(
        self, kind: str, documents: Mapping[str, Any], latest: int, by: str, note: str, at: datetime
    ) -> MappingVersion:
        """Under the next number. `latest`: the newest that the person knows of; Conflict when it is not."""
        ...

    async def activate(self, kind: str, number: int, active: int, by: str, at: datetime) -> None:
        """`active`: the one that the person takes for active; Conflict when it is another. NotFound."""
        ...


class MappingDesk(Protocol):
    """The field maps for people: looked at, tried, saved, activated. All of it as JSON knows it."""

    async def overview(self) -> dict[str, Any]: ...

    async def version(self, number: int) -> Mapping[str, Any]:
        """Its documents; NotFound."""
        ...

    async def document(self, name: str) -> dict[str, Any]:
        """The connector's own map, the ERP's fields, ours with examples, records to try on; NotFound."""
        ...

    async def preview(self, name: str, block: Any, ours: int, theirs: int) -> dict[str, Any]:
        """What a draft makes of the records of these numbers; Refused when it is no block."""
        ...

    async def test(self, documents: Mapping[str, Any]) -> dict[str, Any]:
        """The whole draft judged by the connector, and by a look at the ERP that changes nothing."""
        ...

    async def save(
        self, documents: Mapping[str, Any], latest: int, by: str, note: str
    ) -> tuple[int, Mapping[str, Any]]:
        """(its number, the overview); Refused with every complaint, Conflict."""
        ...

    async def targets(self) -> list[Targets]:
        """Of the maps in use; asks the ERP nothing."""
        ...

    async def activate(self, number: int, active: int, by: str, anyway: bool = False) -> Mapping[str, Any]:
        """The overview; Refused when the connector cannot be built with it, NotFound, Conflict. A version
        that was never used is tried first: Conflict `mapping-fails` when no record comes through it, and,
        unless `anyway`, `mapping-unknown-field` when the ERP does not list a field that it writes and
        `mapping-untried` when there are no records to try it on."""
        ...


class Rejects(Protocol):
    """Records of an MES that were not taken, until somebody has decided."""

    async def those(
        self, state: RejectState = RejectState.WAITING, source: str = "", before: int = 0, limit: int = 100
    ) -> list[Reject]:
        """The newest first; `before`: the id to go on behind."""
        ...

    async def one(self, reject_id: int) -> Reject:
        """Raises NotFound."""
        ...

    async def decide(self, reject_id: int, state: RejectState, by: str, at: datetime, note: str = "") -> bool:
        """False when it is not waiting (any more)."""
        ...

    async def waiting(self) -> Mapping[str, int]:
        """How many of each source."""
        ...


class MesDoor(Protocol):
    """One MES as the API knows it: what it pushes, and what of it was rejected."""

    pushed: bool  # whether it pushes: others are read by the hub

    async def push(self, request: ErpPush) -> list[Verdict]:
        """One verdict for each event of the batch. Raises NotAllowed when it is not signed as it should be,
        Refused when it is no batch."""
        ...

    async def replay(self, reject: Reject) -> Verdict:
        """Once more, with the present configuration; kept as it is when it is rejected again."""
        ...


class SampleStore(Protocol):
    async def write(
        self,
        batches: Sequence[SampleBatch],
        position: str = "",
        taken: Mapping[str, int] | None = None,
        lost: Mapping[str, int] | None = None,
    ) -> int:
        """COPY them in, in one transaction with the stream's position; rows written.

        `taken`: the last number of each origin among them. When the record has that number already somebody
        else writes too: Transient, and nothing is written. Without `taken`, batches at or before the position
        on record are left out: a repeat is harmless. `lost`: how many batches of an origin were missing
        before these; goes into the audit trail.
        """
        ...

    async def origins(self) -> Mapping[str, int]:
        """The last number on record of each origin that was heard of lately."""
        ...

    async def position(self) -> str:
        """Up to where the stream of samples is on record; "" when nothing is."""
        ...

    async def newest(self, tags: Sequence[int]) -> SampleBatch:
        """The last sample of each tag that has one."""
        ...

    async def since(self, tags: Sequence[int], start: datetime) -> SampleBatch:
        """Raw samples of these tags from `start`, ordered by time."""
        ...

    async def trend(
        self, tag: int, start: datetime, end: datetime, points: int
    ) -> list[tuple[datetime, float, float, float]]:
        """(bucket, mean, min, max) from raw or the roll-up that fits; at most about `points` rows."""
        ...


class Outbox(Protocol):
    async def claim(self, kinds: Sequence[IntentKind], worker: str, lease: timedelta) -> Errand | None:
        """The most urgent due intent, of equals the oldest, whose lane has nothing older unfinished.

        None when there is none. Without renewal anybody may take it over once `lease` has passed.
        """
        ...

    async def done(self, errand: Errand, receipt: Mapping[str, Any]) -> bool:
        """False when somebody else has claimed it since (fence)."""
        ...

    async def renew(self, errands: Sequence[Errand], lease: timedelta) -> frozenset[int]:
        """From now on for so long; ids of those that are still this claim's own (fence)."""
        ...

    async def put_back(
        self, errand: Errand, reason: str, retry_at: datetime, *, counted: bool, in_doubt: bool = False
    ) -> bool:
        """`in_doubt`: this try may have done it; whoever is next has to know."""
        ...

    async def give_up(self, errand: Errand, reason: str) -> bool:
        """Into the dead letters, with the reason; the lane goes on."""
        ...

    async def release(self, worker: str) -> int:
        """At start: what this worker held when it died is due at once, in doubt."""
        ...

    async def wait(self, seconds: float) -> None:
        """Until something was written, or so long."""
        ...

    async def stats(self) -> Mapping[str, Any]:
        """{"waiting": {kind: n}, "oldest_seconds": {kind: s}, "dead": n}"""
        ...


class PeopleStore(Protocol):
    """Logins. Passwords are argon2id hashes; session and device tokens are stored as SHA-256."""

    async def set_password(self, person_id: str, hashed: str, once_until: datetime | None = None) -> None:
        """`once_until`: a password made by somebody else, to be changed at the first login until then."""
        ...

    async def password(self, person_id: str) -> str | None: ...
    async def once_until(self, person_id: str) -> datetime | None:
        """Until when this person's one-time password is good; None when the password is their own."""
        ...

    async def people_with_password(self) -> set[str]: ...
    async def accounts(self, now: datetime) -> dict[str, Account]:
        """By person id; who has neither password nor session is not there."""
        ...

    async def add_session(self, token_hash: str, person_id: str, now: datetime) -> None: ...
    async def session(self, token_hash: str, now: datetime) -> str | None:
        """Person id of a live session (12 h absolute, 30 min idle; touched), or None."""
        ...

    async def end_session(self, token_hash: str) -> None: ...
    async def end_sessions(self, person_id: str) -> int:
        """All of this person's; how many there were."""
        ...

    async def add_device(self, token_hash: str, name: str, scope: str, now: datetime) -> None: ...
    async def device(self, token_hash: str, now: datetime | None = None) -> tuple[str, str] | None:
        """(name, scope) of a wall screen, or None. With `now` it counts as seen."""
        ...

    async def devices(self) -> list[WallScreen]:
        """All of them, by name."""
        ...

    async def remove_device(self, device_id: int) -> str | None:
        """The SHA-256 of the token that is worthless from now on; None when there is no such screen."""
        ...

    async def note_failure(self, key: str, now: datetime) -> int:
        """Failed logins of this key in the last 15 minutes, this one included."""
        ...

    async def failures(self, key: str, now: datetime) -> int: ...
    async def clear_failures(self, key: str) -> None: ...
    async def audit(
        self, at: datetime, who: str, what: str, about: str, detail: Mapping[str, Any]
    ) -> None: ...


# ------------------------------------------------------------------ wishes of people
@dataclass(frozen=True, slots=True)
class Watched:
    """One rule on one subject; its alarm, while one is open, carries the same names."""

    rule: str
    subject: str
    equipment: str
    title: Words
    priority: Priority
    latched: bool = False
    realarm_after: timedelta | None = None
    suppressed_when: tuple[Words, ...] = ()


class Desk(Protocol):
    """What people (and the ERP) may do to alarms and tickets. Raises Refused with a reason."""

    async def acknowledge(self, alarm_id: int, by: Person, note: str = "") -> Alarm: ...
    async def shelve(self, alarm_id: int, by: Person, until: datetime, reason: str) -> Alarm: ...
    async def unshelve(self, alarm_id: int, by: Person) -> Alarm: ...
    async def out_of_service(self, alarm_id: int, by: Person, reason: str) -> Alarm: ...
    async def return_to_service(self, alarm_id: int, by: Person) -> Alarm: ...
    async def reset(self, alarm_id: int, by: Person) -> Alarm:
        """Ends a latched alarm whose condition is over."""
        ...

    async def take_out(
        self, equipment: str, by: Person, reason: str, rule: str = "", subject: str = ""
    ) -> list[Alarm]:
        """A machine's rules, all or those named, also while nothing is raised; the alarms that changed."""
        ...

    async def put_back(
        self, equipment: str, by: Person, rule: str = "", subject: str = ""
    ) -> list[Alarm]: ...
    def watched(self, by: Person) -> list[Watched]:
        """Every rule on every subject of this person's part of the plant."""
        ...

    async def accept(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket: ...
    async def arrive(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket: ...
    async def begin(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket:
        """The repair begins. Nobody has to say so: `repaired` implies it."""
        ...

    async def repaired(
        self,
        ticket_id: str,
        by: Person,
        cause_class: str,
        cause: str,
        photo: str,
        device_time: datetime | None,
    ) -> MaintenanceTicket: ...
    async def close(self, ticket_id: str, by: Person, reason: str) -> MaintenanceTicket:
        """By hand, without the machine's proof: managers only, with a reason."""
        ...

    async def orphaned(self, kind: str, orders: Mapping[str, datetime]) -> None:
        """Orders that only one of two books knows, with when each was first seen so: one alarm for all of
        this kind (a DiscrepancyKind's value), normal again when there are none."""
        ...

    async def closed_in_erp(self, ticket_id: str) -> MaintenanceTicket: ...
    async def sent_to_erp(self, ticket_id: str, erp_id: str, erp_number: str) -> MaintenanceTicket: ...


# ------------------------------------------------------------------ rush orders
class RushTx(Protocol):
    """One transaction about rush orders."""

    async def orders(self) -> list[WorkOrder]:
        """As `Ledger.orders`."""
        ...

    async def progress(self) -> list[JobProgress]: ...
    async def newest(self, order: str) -> Rush | None:
        """The last tap on this order, undone or not."""
        ...

    async def add(self, rush: Rush) -> Rush:
        """Returns it with its id."""
        ...

    async def undo(self, rush: Rush, at: datetime, by: str) -> Rush: ...
    async def refusal_told(self, rush: Rush, at: datetime) -> None: ...
    async def fates(self, keys: Sequence[str]) -> Mapping[str, Fate]: ...
    async def intend(self, intent: Intent) -> None: ...
    async def audit(
        self, at: datetime, who: str, what: str, about: str, detail: Mapping[str, Any]
    ) -> None: ...


class Rushes(Protocol):
    """The record of rush orders."""

    def begin(self) -> AbstractAsyncContextManager[RushTx]:
        """Who decides: one at a time in the whole plant."""
        ...

    def look(self) -> AbstractAsyncContextManager[RushTx]:
        """Who only looks: of one moment, writes nothing."""
        ...

    async def newest(self, order: str) -> Rush | None: ...
    async def recent(self, limit: int) -> list[Rush]:
        """The newest first."""
        ...

    async def fates(self, keys: Sequence[str]) -> Mapping[str, Fate]:
        """What has become of these intents; what the record has forgotten is left out."""
        ...

    async def saw(self, sight: Sight) -> bool:
        """False when this person had seen it before."""
        ...

    async def sights(self, rushes: Sequence[int]) -> list[Sight]:
        """The first to look first."""
        ...

    async def refused(self) -> list[Rush]:
        """Those that the ERP has refused and people have not been told of."""
        ...


class Stale(Conflict):
    """What the person decided on is no longer so: `fresh` is what a tap would do now."""

    def __init__(self, fresh: Foresight) -> None:
        self.fresh = fresh
        super().__init__("rush-stale", "the preview is out of date")


class RushDesk(Protocol):
    """What people may do about rush orders. Raises Refused with a reason."""

    async def foresee(self, number: str, due_at: datetime | None = None) -> Foresight:
        """What a tap would do now. NotFound, or Conflict when it cannot be rushed."""
        ...

    async def tap(
        self,
        number: str,
        by: Person,
        digest: str,
        due_at: datetime | None = None,
        reason: str = "",
        tap: str = "",
    ) -> Standing:
        """Stale when `digest` is not that of what it would do now; Conflict with the name of who was faster.
        The same `tap` once more changes nothing and is answered as before."""
        ...

    async def undo(self, number: str, by: Person) -> Standing:
        """Conflict when the time for it is over."""
        ...

    async def standing(self, number: str) -> Standing | None:
        """Of the last tap on this order."""
        ...

    async def saw(self, number: str, by: Person) -> None:
        """This person has looked at how it stands: a receipt, when they are among those who were told."""
        ...

    async def recent(self, limit: int) -> list[Standing]:
        """The newest first."""
        ...

    async def order(self, number: str) -> WorkOrder:
        """As it holds now; raises NotFound."""
        ...


# ------------------------------------------------------------------ health
@dataclass(slots=True)
class PartHealth:
    """One supervised runner as the status page shows it.

    `outside`: it is up while something beyond the hub is (a machine, the MES). Its being down is told to
    people; for probes the hub is well, since starting the hub again would not mend a machine.
    """

    name: str
    up: bool = False
    outside: bool = False
    since: datetime | None = None
    restarts: int = 0
    last_error: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    circuit: Circuit | None = None  # of one that is outside
