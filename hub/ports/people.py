"""People, their screens and what they wish for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from hub.model.alarm import Alarm, Priority
from hub.model.people import Account, AuditLine, Person, WallScreen
from hub.model.ticket import MaintenanceTicket
from hub.model.words import Words


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
    async def audit_lines(self, before: int, limit: int) -> list[AuditLine]:
        """Lines of the audit trail with a lower id, the newest first."""
        ...

    async def audit(
        self, at: datetime, who: str, what: str, about: str, detail: Mapping[str, Any]
    ) -> None: ...


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
