"""A small plant behind the real door, with the record in memory: what the API's tests share."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from PIL import Image

from alert_rules.stop_desk import StopReasonDesk
from hub.api import passwords
from hub.api.app import build
from hub.api.auth import DEVICE_COOKIE, SESSION_COOKIE
from hub.api.deps import Deps, Plugged
from hub.api.limits import Meter
from hub.api.tokens import csrf_of, new_token, token_hash
from hub.errors import Conflict, NotFound
from hub.model.alarm import Alarm, AlarmLine, AlarmState, Priority
from hub.model.batch import SampleBatch
from hub.model.discrepancy import (
    Comparison,
    Discrepancy,
    DiscrepancyKind,
    OpenDiscrepancy,
    Repair,
    RepairState,
)
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.intent import Intent
from hub.model.parameter import ProcessParameter
from hub.model.people import Account, AuditLine, Person, Role, WallScreen
from hub.model.production import JobOrder, JobProgress, OrderChange, WorkOrder
from hub.model.rush import ErpWord, Foresight, Rush, Slip, Standing, Terms
from hub.model.sample import Tag
from hub.model.ticket import MaintenanceTicket, TicketLine, TicketState
from hub.model.words import Words
from hub.ports import Plant, Watched
from hub.testing.clock import NOON, HandClock
from tests.api_erp_book import MemoryErpBook
from tests.api_mappings import QuickMappings
from tests.api_parameters import MemoryParameters
from tests.api_past import MemoryPast, past_desk, seams_of
from tests.api_rejects import MemoryRejects, QuickDoor
from tests.api_sales_book import MemoryFigures, MemorySales
from tests.api_states import states_desk, states_plant, two_versions
from tests.api_stops import MemoryStops

HOST = "hub.test:8800"
ORIGIN = f"http://{HOST}"
PASSWORD = "Tief-blauer-Kran-7"
PRESS, CNC = "p1/stamping/l1/press-01", "p1/machining/l2/cnc-01"
HERE, ELSEWHERE = "p1/stamping", "p1/machining"
MY_TICKET, THEIR_TICKET = "AH-20260105-0001", "AH-20260105-0002"


def picture(kind: str, size: tuple[int, int] = (8, 6), **more: Any) -> bytes:
    """A real picture: two colours, side by side."""
    out, drawn = io.BytesIO(), Image.new("RGB", size, (200, 30, 30))
    drawn.paste((30, 30, 200), (size[0] // 2, 0, size[0], size[1]))
    drawn.save(out, kind, **more)
    return out.getvalue()


JPEG, PNG, WEBP = picture("JPEG"), picture("PNG"), picture("WEBP")


def w(zh: str, en: str) -> Words:
    return Words(zh, en)


def person(role: Role, scope: str = HERE) -> Person:
    return Person(f"{role.value}-1", w(f"人{role.value}", f"The {role.value}"), frozenset({role}), (scope,))


RECIPE = ProcessParameter(w("=油温", "=Oil temperature"), 20, 80, 60)


def plant(*extra: Person) -> Plant:
    nodes = [
        Equipment("p1", EquipmentLevel.SITE, w("一厂", "Plant 1")),
        Equipment("p1/stamping", EquipmentLevel.AREA, w("冲压车间", "Stamping")),
        Equipment("p1/stamping/l1", EquipmentLevel.WORK_CENTER, w("1号线", "Line 1")),
        Equipment(PRESS, EquipmentLevel.WORK_UNIT, w("冲压机01", "Press 01"), "press"),
        Equipment("p1/machining", EquipmentLevel.AREA, w("机加车间", "Machining")),
        Equipment("p1/machining/l2", EquipmentLevel.WORK_CENTER, w("2号线", "Line 2")),
        Equipment(CNC, EquipmentLevel.WORK_UNIT, w("数控01", "CNC 01"), "cnc"),
    ]
    people = {p.id: p for p in (*(person(role) for role in Role), *extra)}
    tags = [
        Tag(1, f"{PRESS}/oil_temp", w("油温", "Oil temperature"), "℃", parameter=RECIPE),
        Tag(2, f"{CNC}/spindle", w("转速", "Spindle")),
    ]
    return Plant(nodes[0], {n.path: n for n in nodes}, {t.path: t for t in tags}, people=people)


def alarm(number: int, equipment: str, **changes: Any) -> Alarm:
    made = Alarm(
        "oil-hot", f"{equipment}/oil_temp", equipment, Priority.CRITICAL, w("油温过高", "Oil too hot"),
        AlarmState.UNACKED, number, True,
        value=92.4, limit=80.0, unit="℃", raised_at=NOON, opened_at=NOON, count=1,
    )  # fmt: skip
    return replace(made, **changes)


def ticket(number: str, alarm_id: int, equipment: str, **changes: Any) -> MaintenanceTicket:
    return replace(MaintenanceTicket(number, alarm_id, equipment, TicketState.SENT, NOON, NOON), **changes)


class MemoryPeople:
    """hub.ports.PeopleStore."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.sessions: dict[str, tuple[str, datetime, datetime]] = {}
        self.devices_made: dict[str, WallScreen] = {}
        self.once: dict[str, datetime] = {}
        self.failed: list[tuple[str, datetime]] = []
        self.trail: list[tuple[str, str, str, dict[str, Any]]] = []

    async def set_password(self, person_id: str, hashed: str, once_until: datetime | None = None) -> None:
        self.passwords[person_id] = hashed
        self.once.pop(person_id, None)
        if once_until is not None:
            self.once[person_id] = once_until

    async def once_until(self, person_id: str) -> datetime | None:
        return self.once.get(person_id)

    async def accounts(self, now: datetime) -> dict[str, Account]:
        open_ = Counter(person for person, _, _ in self.sessions.values())
        return {
            person: Account(person in self.passwords, self.once.get(person), open_[person])
            for person in {*self.passwords, *open_}
        }

    async def password(self, person_id: str) -> str | None:
        return self.passwords.get(person_id)

    async def people_with_password(self) -> set[str]:
        return set(self.passwords)

    async def add_session(self, token_hash: str, person_id: str, now: datetime) -> None:
        self.sessions[token_hash] = (person_id, now, now)

    async def session(self, token_hash: str, now: datetime) -> str | None:
        found = self.sessions.get(token_hash)
        if found is None or now - found[1] >= timedelta(hours=12) or now - found[2] >= timedelta(minutes=30):
            return None
        self.sessions[token_hash] = (found[0], found[1], now)
        return found[0]

    async def end_session(self, token_hash: str) -> None:
        self.sessions.pop(token_hash, None)

    async def end_sessions(self, person_id: str) -> int:
        theirs = [token for token, (person, _, _) in self.sessions.items() if person == person_id]
        for token in theirs:
            del self.sessions[token]
        return len(theirs)

    async def add_device(self, token_hash: str, name: str, scope: str, now: datetime) -> None:
        self.devices_made[token_hash] = WallScreen(len(self.devices_made) + 1, name, scope, now)

    async def device(self, token_hash: str, now: datetime | None = None) -> tuple[str, str] | None:
        found = self.devices_made.get(token_hash)
        return (found.name, found.scope) if found else None

    async def devices(self) -> list[WallScreen]:
        return list(self.devices_made.values())

    async def remove_device(self, device_id: int) -> str | None:
        token = next((t for t, d in self.devices_made.items() if d.id == device_id), None)
        if token:
            del self.devices_made[token]
        return token

    async def note_failure(self, key: str, now: datetime) -> int:
        self.failed.append((key, now))
        return await self.failures(key, now)

    async def failures(self, key: str, now: datetime) -> int:
        return sum(1 for k, at in self.failed if k == key and now - at < timedelta(minutes=15))

    async def clear_failures(self, key: str) -> None:
        self.failed = [f for f in self.failed if f[0] != key]

    async def audit_lines(self, before: int, limit: int) -> list[AuditLine]:
        lines = [AuditLine(n, NOON, *line) for n, line in enumerate(self.trail, 1)]
        return [line for line in reversed(lines) if line.id < before][:limit]

    async def audit(self, at: datetime, who: str, what: str, about: str, detail: Mapping[str, Any]) -> None:
        self.trail.append((who, what, about, dict(detail)))


class MemoryLedger:
    """What the API reads of hub.ports.Ledger; also its own transaction."""

    def __init__(self) -> None:
        self.alarms = {1: alarm(1, PRESS), 2: alarm(2, CNC), 3: alarm(3, PRESS, state=AlarmState.NORMAL)}
        self.tickets = {
            MY_TICKET: ticket(MY_TICKET, 1, PRESS),
            THEIR_TICKET: ticket(THEIR_TICKET, 2, CNC),
            "AH-20260104-0009": ticket("AH-20260104-0009", 3, PRESS, state=TicketState.CLOSED),
        }
        self.photos: dict[str, tuple[str, bytes]] = {}
        self.broken: Exception | None = None
        self.changes: dict[int, OrderChange] = {}
        self.intents: dict[str, Intent] = {}
        self.marks: dict[str, str] = {}

    async def order_changes(self) -> list[OrderChange]:
        return list(self.changes.values())

    async def intend(self, intent: Intent) -> None:
        self.intents.setdefault(intent.key, intent)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryLedger]:
        yield self

    async def alarm(self, alarm_id: int) -> Alarm:
        if self.broken:
            raise self.broken
        if alarm_id not in self.alarms:
            raise NotFound("no-such-alarm", str(alarm_id))
        return self.alarms[alarm_id]

    async def orders(self) -> list[WorkOrder]:
        return [order("MO-1", "p1/stamping/l1"), order("MO-2", "p1/machining/l2")]

    async def progress(self) -> list[JobProgress]:
        return []

    async def mark(self, name: str) -> str:
        return self.marks.get(name, "")

    async def open_alarms(self) -> list[Alarm]:
        return [a for a in self.alarms.values() if a.is_open]

    async def recent_alarms(self, limit: int) -> list[Alarm]:
        return list(self.alarms.values())[:limit]

    async def alarm_lines(self, alarm_id: int) -> list[AlarmLine]:
        return [AlarmLine(alarm_id, NOON, "raised", AlarmState.NORMAL, AlarmState.UNACKED, value=92.4)]

    async def open_tickets(self) -> list[MaintenanceTicket]:
        return [t for t in self.tickets.values() if t.is_open]

    async def recent_tickets(self, limit: int) -> list[MaintenanceTicket]:
        return list(self.tickets.values())[:limit]

    async def ticket_of(self, ticket_id: str) -> MaintenanceTicket:
        if ticket_id not in self.tickets:
            raise NotFound("no-such-ticket", ticket_id)
        return self.tickets[ticket_id]

    async def ticket_lines(self, ticket_id: str) -> list[TicketLine]:
        return [TicketLine(ticket_id, NOON, TicketState.NEW, TicketState.SENT, "", "erp")]

    async def photo(self, photo_id: str) -> tuple[str, bytes]:
        if photo_id not in self.photos:
            raise NotFound("no-such-photo", photo_id)
        return self.photos[photo_id]

    async def save_photo(self, photo_id: str, content_type: str, data: bytes) -> None:
        self.photos[photo_id] = (content_type, data)


class QuickDesk:
    """hub.ports.Desk that does what it is asked, and remembers it."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self.asked: list[tuple[Any, ...]] = []

    async def orphaned(self, kind: str, orders: Mapping[str, datetime]) -> None:
        self.asked.append(("orphaned", kind, dict(orders)))

    def _alarm(self, alarm_id: int, **changes: Any) -> Alarm:
        self._ledger.alarms[alarm_id] = replace(self._ledger.alarms[alarm_id], **changes)
        return self._ledger.alarms[alarm_id]

    def _ticket(self, ticket_id: str, **changes: Any) -> MaintenanceTicket:
        self._ledger.tickets[ticket_id] = replace(self._ledger.tickets[ticket_id], **changes)
        return self._ledger.tickets[ticket_id]

    async def acknowledge(self, alarm_id: int, by: Person, note: str = "") -> Alarm:
        self.asked.append(("acknowledge", alarm_id, by.id, note))
        return self._alarm(alarm_id, state=AlarmState.ACKED, acked_by=by.id)

    async def shelve(self, alarm_id: int, by: Person, until: datetime, reason: str) -> Alarm:
        self.asked.append(("shelve", alarm_id, by.id, until, reason))
        return self._alarm(
            alarm_id, state=AlarmState.SHELVED, shelved_until=until, aside_by=by.id, aside_at=NOON,
            aside_reason=reason,
        )  # fmt: skip

    async def unshelve(self, alarm_id: int, by: Person) -> Alarm:
        self.asked.append(("unshelve", alarm_id, by.id))
        return self._alarm(alarm_id, state=AlarmState.UNACKED, shelved_until=None)

    async def out_of_service(self, alarm_id: int, by: Person, reason: str) -> Alarm:
        self.asked.append(("out-of-service", alarm_id, by.id, reason))
        return self._alarm(
            alarm_id, state=AlarmState.OUT_OF_SERVICE, aside_by=by.id, aside_at=NOON, aside_reason=reason
        )

    async def return_to_service(self, alarm_id: int, by: Person) -> Alarm:
        self.asked.append(("return", alarm_id, by.id))
        return self._alarm(alarm_id, state=AlarmState.UNACKED, aside_at=None)

    async def reset(self, alarm_id: int, by: Person) -> Alarm:
        self.asked.append(("reset", alarm_id, by.id))
        return self._alarm(alarm_id, state=AlarmState.NORMAL)

    async def take_out(
        self, equipment: str, by: Person, reason: str, rule: str = "", subject: str = ""
    ) -> list[Alarm]:
        self.asked.append(("take-out", equipment, by.id, reason, rule, subject))
        return [self._alarm(1, state=AlarmState.OUT_OF_SERVICE)]

    async def put_back(self, equipment: str, by: Person, rule: str = "", subject: str = "") -> list[Alarm]:
        self.asked.append(("put-back", equipment, by.id, rule, subject))
        return [self._alarm(1, state=AlarmState.UNACKED)]

    def watched(self, by: Person) -> list[Watched]:
        known = self._ledger.alarms[1], self._ledger.alarms[2]
        return [
            Watched(a.rule, a.subject, a.equipment, a.title, a.priority)
            for a in known
            if by.may_see(a.equipment)
        ]

    async def accept(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket:
        taken = self._ledger.tickets[ticket_id].technician
        if taken and taken != by.id:
            raise Conflict("ticket-taken", taken)
        self.asked.append(("accept", ticket_id, by.id, device_time))
        return self._ticket(ticket_id, state=TicketState.ACCEPTED, technician=by.id)

    async def arrive(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket:
        self.asked.append(("arrive", ticket_id, by.id, device_time))
        return self._ticket(ticket_id, state=TicketState.ON_SITE)

    async def begin(self, ticket_id: str, by: Person, device_time: datetime | None) -> MaintenanceTicket:
        self.asked.append(("begin", ticket_id, by.id, device_time))
        return self._ticket(ticket_id, state=TicketState.REPAIRING)

    async def repaired(
        self,
        ticket_id: str,
        by: Person,
        cause_class: str,
        cause: str,
        photo: str,
        device_time: datetime | None,
    ) -> MaintenanceTicket:
        self.asked.append(("repaired", ticket_id, by.id, cause_class, cause, photo))
        return self._ticket(ticket_id, state=TicketState.VERIFYING, cause=cause, photo=photo)

    async def close(self, ticket_id: str, by: Person, reason: str) -> MaintenanceTicket:
        self.asked.append(("close", ticket_id, by.id, reason))
        return self._ticket(ticket_id, state=TicketState.CLOSED)


def order(number: str, line: str, **changes: Any) -> WorkOrder:
    job = JobOrder(number, "10", w("冲压", "Stamping"), line, 100)
    made = WorkOrder(number, "A", w("支架", "Bracket"), 100, NOON + timedelta(hours=8), jobs=(job,))
    return replace(made, **changes)


class QuickRush:
    """hub.ports.RushDesk that lets everything be rushed, and remembers who did it."""

    def __init__(self) -> None:
        here, elsewhere = order("MO-1", "p1/stamping/l1"), order("MO-2", "p1/machining/l2")
        self.orders = {o.number: o for o in (here, elsewhere)}
        self.rushed: dict[str, Rush] = {}

    async def order(self, number: str) -> WorkOrder:
        if number not in self.orders:
            raise NotFound("order", number)
        return self.orders[number]

    async def foresee(self, number: str, due_at: datetime | None = None) -> Foresight:
        it = self.orders[number]
        slip = Slip(number, it.product_name, "甲", ("sales-1",), it.due_at, NOON, NOON, -60, None, None)
        return Foresight("seen", NOON, Terms(1, True, due_at or it.due_at), slip, (), ())

    async def tap(
        self, number: str, by: Person, digest: str, due_at: datetime | None = None, reason: str = "",
        tap: str = "",
    ) -> Standing:  # fmt: skip
        terms = Terms(5, False, self.orders[number].due_at)
        sight = await self.foresee(number, due_at)
        self.rushed[number] = Rush(
            number, by.id, NOON, NOON + timedelta(minutes=10), terms, sight.terms, reason, tap, id=1
        )
        return Standing(self.rushed[number], ErpWord.WAITING, None, "", ())

    async def undo(self, number: str, by: Person) -> Standing:
        made = await self.tap(number, by, "seen")
        gone = replace(made.rush, undone_at=NOON, undone_by=by.id)
        return replace(made, rush=gone)

    async def standing(self, number: str) -> Standing | None:
        made = self.rushed.get(number)
        return Standing(made, ErpWord.WAITING, None, "", ()) if made else None

    async def saw(self, number: str, by: Person) -> None:
        """Nobody was told."""

    async def recent(self, limit: int) -> list[Standing]:
        return [Standing(made, ErpWord.WAITING, None, "", ()) for made in self.rushed.values()][:limit]


class MemoryReconciliation:
    """hub.api.deps.Reconciliation with one ticket missing here, and one order elsewhere."""

    def __init__(self) -> None:
        mine = Discrepancy(
            DiscrepancyKind.TICKET_NOT_IN_ERP,
            MY_TICKET,
            ours="open",
            repair=Repair.SEND_AGAIN,
            equipment=PRESS,
        )
        theirs = Discrepancy(DiscrepancyKind.ORDER_QUANTITY, "MO0002", "", "4", "5", equipment=CNC)
        self.kept = {
            1: OpenDiscrepancy(1, mine, "technician", NOON, NOON),
            2: OpenDiscrepancy(2, theirs, "planner", NOON, NOON),
        }
        self.asked_by = ""

    async def open_ones(self) -> list[OpenDiscrepancy]:
        return list(self.kept.values())

    async def one(self, number: int) -> OpenDiscrepancy:
        if number not in self.kept:
            raise NotFound("not-found", str(number))
        return self.kept[number]

    async def last_run(self) -> Comparison | None:
        return Comparison(NOON, NOON, compared={"orders": 2}, not_compared={"stock": "erp-cannot"}, found=2)

    async def run_asked(self) -> bool:
        return bool(self.asked_by)

    async def ask_run(self, by: str) -> None:
        self.asked_by = by

    async def ask_repair(self, number: int, by: str, at: datetime) -> OpenDiscrepancy:
        known = await self.one(number)
        if known.what.repair is Repair.NONE:
            raise Conflict("no-repair", "a person has to decide this")
        if not known.repair_state:
            self.kept[number] = replace(known, repair_state=RepairState.ASKED, repaired_by=by, repaired_at=at)
        return self.kept[number]

    async def set_aside(self, number: int, by: str, at: datetime, reason: str) -> OpenDiscrepancy:
        aside_at = at if reason else None
        self.kept[number] = replace(
            await self.one(number), aside_by=by if reason else "", aside_at=aside_at, aside_reason=reason
        )
        return self.kept[number]


class StillFeed:
    def snapshot(self, scopes: Iterable[str]) -> dict[str, Any]:
        return {"type": "snapshot", "seq": 1, "at": NOON, "board": {"scopes": list(scopes)}}

    async def timeline(self, hours: float, scopes: Iterable[str]) -> dict[str, Any]:
        return {"spans": [{"hours": hours, "equipment": scope} for scope in scopes]}


class FlatSamples:
    async def trend(self, tag: int, start: datetime, end: datetime, points: int) -> Sequence[Any]:
        return [(start, 1.5, 1.0, float("nan"))]


class CalmOutbox:
    async def stats(self) -> Mapping[str, Any]:
        return {"waiting": {"tell": 2}, "oldest_seconds": {"tell": 3.5}, "dead": 0}


@dataclass
class House:
    """Everything a test may look behind."""

    clock: HandClock
    people: MemoryPeople
    ledger: MemoryLedger
    desk: QuickDesk
    deps: Deps
    app: FastAPI
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, address: str = "10.0.0.5", **headers: str) -> httpx.AsyncClient:
        """Nobody yet: no cookie and no mark, but an honest Origin."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 40000))
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN, **headers})

    def token(self, person_id: str) -> str:
        """A session as a login would make it, without the cost of argon2."""
        token = self.tokens.setdefault(person_id, new_token())
        self.people.sessions[token_hash(token)] = (person_id, self.clock.now(), self.clock.now())
        return token

    def as_person(self, person_id: str, **more: Any) -> httpx.AsyncClient:
        token = self.token(person_id)
        client = self.client(**more)
        client.headers["X-Andon-CSRF"] = csrf_of(token)
        client.cookies.set(SESSION_COOKIE, token)
        return client

    def as_role(self, role: Role, **more: Any) -> httpx.AsyncClient:
        return self.as_person(f"{role.value}-1", **more)

    def as_device(self, scope: str = HERE) -> httpx.AsyncClient:
        token = self.tokens.setdefault(f"device {scope}", new_token())
        self.people.devices_made[token_hash(token)] = WallScreen(1, "wall-1", scope, NOON)
        client = self.client(**{"X-Andon-CSRF": csrf_of(token)})
        client.cookies.set(DEVICE_COOKIE, token)
        return client

    def audited(self) -> Counter[str]:
        return Counter(what for _, what, _, _ in self.people.trail)


async def _unheard(_: dict[str, Any]) -> None: ...


def house(
    *extra: Person,
    public_url: str = "",
    allowed_origins: tuple[str, ...] = (),
    plugged: tuple[Plugged, ...] = (),
    meter: Meter | None = None,
    people: MemoryPeople | None = None,
    health: Callable[[], Mapping[str, Any]] = lambda: {"status": "ok", "parts": {"web": True}},
) -> House:
    clock, store, ledger = HandClock(), people or MemoryPeople(), MemoryLedger()
    desk, where, erp_book = QuickDesk(ledger), plant(*extra), MemoryErpBook()
    ledger.changes = erp_book.changes
    deps = Deps(
        plant=where, ledger=ledger, samples=FlatSamples(), outbox=CalmOutbox(), people=store, desk=desk,  # type: ignore[arg-type]
        feed=StillFeed(), clock=clock, status=lambda: {"parts": []}, health=health,
        public_url=public_url, allowed_origins=allowed_origins, bind="hub.test", plugged=plugged,
        rush=QuickRush(),
        reconciliation=MemoryReconciliation(),
        figures=MemoryFigures([order("MO-1", "p1/stamping/l1"), order("MO-2", "p1/machining/l2")]),
        sales=MemorySales([order("MO-1", "p1/stamping/l1"), order("MO-2", "p1/machining/l2")]),
        erp_book=erp_book,  # type: ignore[arg-type]
        mes_doors={"mes": QuickDoor()}, rejects=MemoryRejects(),
        states=states_desk(clock, PRESS, CNC, tables=two_versions(PRESS)),  # type: ignore[arg-type]
        mappings=QuickMappings(), parameters=MemoryParameters(PRESS, CNC),
    )  # fmt: skip
    deps = replace(deps, stops=StopReasonDesk(where, MemoryStops(), clock, _unheard))
    tables = states_desk(clock, PRESS, CNC)
    there = MemoryPast(SampleBatch.at([], NOON, []), [], seams_of(states_plant(PRESS, CNC), NOON))
    deps = replace(deps, past=past_desk(states_plant(PRESS, CNC), tables, there, MemoryStops(), clock))
    app = build(deps, meter=meter or Meter(burst=1e9))
    return House(clock, store, ledger, desk, deps, app)


async def with_password(it: House, person_id: str, password: str = PASSWORD) -> None:
    await it.people.set_password(person_id, await passwords.hashed(password))
