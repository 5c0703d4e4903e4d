"""What may stand in a request: texts without tricks, moments with a zone, ids that fit the database."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, StringConstraints

_TURNERS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0xFEFF])


def _plain(text: str) -> str:
    """Marks that turn the direction of reading are dropped: they only serve to make a text look like
    another.
    """
    text = text.translate(_TURNERS).strip()
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in text):
        raise ValueError("含有控制字符，请去掉 | contains control characters; remove them")
    return text


def _written(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("须为时间，例如 2026-01-05T12:00:00Z | must be a time such as 2026-01-05T12:00:00Z")
    return value


def _utc(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2200:
        raise ValueError("年份须在 1970 到 2200 之间 | its year must lie between 1970 and 2200")
    return value.astimezone(UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_utc)]
Note = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_plain)]
Reason = Annotated[
    str, StringConstraints(max_length=500), AfterValidator(_plain), StringConstraints(min_length=1)
]
Name = Annotated[
    str, StringConstraints(max_length=60), AfterValidator(_plain), StringConstraints(min_length=1)
]
Cause = Annotated[
    str, StringConstraints(max_length=4000), AfterValidator(_plain), StringConstraints(min_length=1)
]
Place = Annotated[str, StringConstraints(max_length=200), AfterValidator(_plain)]  # a path, or a name
CauseClass = Literal["mechanical", "electrical", "tooling", "material", "operation", "other"]
AlarmId = Annotated[int, Path(ge=1, le=2**63 - 1)]
TicketId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,32}$")]
OrderNumber = Annotated[str, Path(min_length=1, max_length=80), AfterValidator(_plain)]
LotNumber = Annotated[str, Path(min_length=1, max_length=200), AfterValidator(_plain)]
PhotoId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}-[0-9a-f]{16}$")]


class Asked(BaseModel):
    """A request's body: closed to fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
