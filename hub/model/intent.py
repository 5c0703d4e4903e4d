"""What the hub has decided to do in the world, written down before it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.model.alarm import Priority


class IntentKind(StrEnum):
    TELL = "tell"
    OPEN_TICKET = "open-ticket"
    UPDATE_TICKET = "update-ticket"
    CLOSE_TICKET = "close-ticket"
    REPORT_OPERATION = "report-operation"
    POST = "post"  # a receipt, issue, quality result, hours or scrap
    CHANGE_ORDER = "change-order"  # priority, rush and due date of a production order
    ERP_NEWS = "erp-news"  # the ERP has pushed: look there now


@dataclass(frozen=True, slots=True)
class Intent:
    """`key` is the idempotency key: the same intent written twice is one.

    Intents of one `lane` are carried out in the order in which they were written, one at a time.
    Across lanes the more urgent comes first; what is urgent hurries what stands before it in its lane.
    `payload` is JSON: everything the runner needs, as it stood when the decision was taken.
    """

    kind: IntentKind
    key: str
    lane: str
    payload: dict[str, Any] = field(default_factory=dict)
    not_before: datetime | None = None
    priority: Priority = Priority.MEDIUM


@dataclass(frozen=True, slots=True)
class Errand:
    """An intent taken off the outbox by one worker. `in_doubt`: an earlier try was started and its end
    is not known, so it may already have happened."""

    id: int
    intent: Intent
    attempts: int  # tries begun, this one included
    in_doubt: bool
    written_at: datetime
    fence: int  # grows with every claim; an outcome with an old fence is refused
