"""What an errand looks like in the ledger of messages (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.model.exchange import Direction, Exchange, Outcome
from hub.model.intent import Errand, Intent, IntentKind


def subject_of(intent: Intent) -> str:
    """`open-ticket`, `post receipt` ..."""
    if intent.kind is IntentKind.POST:
        return f"post {intent.payload.get('kind', '')}"
    return intent.kind.value


def document_of(intent: Intent) -> str:
    """Our key of the document that the ERP is told about."""
    told = intent.payload
    match intent.kind:
        case IntentKind.OPEN_TICKET | IntentKind.UPDATE_TICKET | IntentKind.CLOSE_TICKET:
            return str(told.get("ticket", ""))
        case IntentKind.REPORT_OPERATION:
            return f"report:{told.get('response', '')}"
        case IntentKind.POST:
            return f"{told.get('kind', '')}:{told.get('posting', '')}"
        case IntentKind.CHANGE_ORDER:
            return f"order:{told.get('order', '')}"
        case _:
            return intent.key


def exchange(
    errand: Errand,
    outcome: Outcome,
    at: datetime,
    *,
    seconds: float = 0.0,
    before: Mapping[str, Any] | None = None,
    receipt: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Exchange:
    """`before`: the document as the ERP knew it, by our ledger."""
    said = receipt or {}
    known = outcome in (Outcome.DONE, Outcome.ADOPTED)
    return Exchange(
        at=at,
        direction=Direction.OUT,
        subject=subject_of(errand.intent),
        document=document_of(errand.intent),
        outcome=outcome,
        erp_number=str(said.get("erp_number") or said.get("erp_id") or ""),
        seconds=seconds,
        before=before,
        after={**(before or {}), **errand.intent.payload} if known else dict(errand.intent.payload),
        reason=reason or str(said.get("skipped") or ""),
        errand=errand.id,
    )


def outcome_of(receipt: Mapping[str, Any]) -> Outcome:
    if "skipped" in receipt:
        return Outcome.SKIPPED
    return Outcome.ADOPTED if receipt.get("adopted") else Outcome.DONE
