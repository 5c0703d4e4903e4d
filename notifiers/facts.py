"""What a TELL intent's payload says, checked once at the door of this room."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hub.config import Text
from hub.model.alarm import Priority


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _known_zone(value: object) -> object:
    """A zone nobody knows must not cost a person the message: the time is then told in UTC."""
    try:
        return ZoneInfo(str(value)).key
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return "UTC"


Line = Annotated[str, BeforeValidator(_or_empty)]


class _Door(BaseModel):
    """Keys we do not know are left alone: the payload may have been written by a newer release."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Owner(_Door):
    id: str
    name: Text
    phone: Line = ""
    wecom_id: Line = ""
    dingtalk_id: Line = ""


class Labelled(_Door):
    label: Text
    text: Text


class Facts(_Door):
    """One alarm, or a notice, as it stood when the hub decided to tell somebody about it."""

    notifier: str
    event: Literal["raised", "cleared", "test", "notice"]
    alarm_id: int = 0
    where: Text
    title: Text
    line: Text | None = None
    priority: Priority
    value: float | None = None
    limit: float | None = None
    unit: Line = ""
    decimals: int = Field(1, ge=0, le=6)
    comparison: Line = ""
    raised_at: AwareDatetime | None = None
    cleared_at: AwareDatetime | None = None
    opened_at: AwareDatetime | None = None
    owner: Owner | None = None
    ticket: Line = ""
    link: Line = ""
    instruction: Text | None = None
    time_zone: Annotated[str, BeforeValidator(_known_zone)] = "Asia/Shanghai"
    blind: bool = False
    again: bool = False  # acknowledged before, and still holding: said once more
    lines: tuple[Labelled, ...] = ()  # of a notice
    people: tuple[Owner, ...] = ()  # of a notice: whose phones shall ring
    flapping: bool = False  # raised so often that nothing more is said until it is normal


class Unreadable(ValueError):
    """The payload cannot be put into words; the text names the fields."""


def read(payload: dict[str, Any]) -> Facts:
    """The payload as Facts; raises Unreadable with the names of the fields that are wrong."""
    try:
        return Facts.model_validate(payload)
    except ValidationError as cause:
        found = cause.errors(include_url=False, include_input=False, include_context=False)
    fields = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
    raise Unreadable("payload cannot be read: " + "; ".join(fields))
