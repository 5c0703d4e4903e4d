"""People, what they may do and where, and when they are on duty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Any

from hub.model.equipment import within
from hub.model.words import Language, Words


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    TECHNICIAN = "technician"
    PLANNER = "planner"
    SALES = "sales"
    MANAGER = "manager"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Person:
    """`scopes` are nodes of the plant tree; a role holds at the node and below it."""

    id: str  # login name
    name: Words
    roles: frozenset[Role]
    scopes: tuple[str, ...]
    language: Language = "zh"
    phone: str = ""
    wecom_id: str = ""
    dingtalk_id: str = ""
    erp_id: str = ""  # what the ERP calls them: a seller's number or name

    def may_see(self, path: str) -> bool:
        return any(within(path, scope) for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class Account:
    """How somebody's login stands. `once_until`: the password was made by somebody else and lasts so long."""

    has_password: bool = False
    once_until: datetime | None = None
    sessions: int = 0
    seen_at: datetime | None = None  # in one of these sessions


@dataclass(frozen=True, slots=True)
class WallScreen:
    """A screen with a token of its own; `seen_at` is exact to the minute."""

    id: int
    name: str
    scope: str
    made_at: datetime
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what to what; `who` is a person's id, a screen's name, or a part of the hub."""

    id: int
    at: datetime
    who: str
    what: str
    about: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Break:
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift in the plant's local time; `end` earlier than `start` runs over midnight."""

    name: Words
    start: time
    end: time
    days: frozenset[int] = frozenset(range(7))  # Monday is 0; the day on which the shift starts
    breaks: tuple[Break, ...] = ()
    on_duty: dict[str, str] = field(default_factory=dict)  # node of the plant tree -> person id


@dataclass(frozen=True, slots=True)
class ShiftSpan:
    """A shift on a certain day as UTC instants, half-open; `breaks` lie inside it."""

    shift: Shift
    start: datetime
    end: datetime
    breaks: tuple[tuple[datetime, datetime], ...] = ()
