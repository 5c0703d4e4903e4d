"""A push 数据推送 as Jiandaoyun signs it: who sent it, when, and which record changed (pure).

Signed is `nonce:body:secret:timestamp`, by SHA-1, over the body's bytes as they came. Each form's push has a
secret of its own. Not pushed is what the API, an import or a bulk edit has changed: a push is only a hint.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.errors import NotAllowed, Refused
from hub.model.erp import ErpPush

SIGNATURE, DELIVERY = "x-jdy-signature", "x-jdy-deliverid"
TOLERANCE = timedelta(minutes=5)
LONGEST = 4 * 1024 * 1024  # bytes of a body
FORM_CHANGED = "form_update"


@dataclass(frozen=True, slots=True)
class Pushed:
    id: str
    op: str
    record: Mapping[str, Any]
    entry_id: str
    hint: str  # `form=` in the address that was entered there: one of our documents


def signature(nonce: str, body: bytes, secret: str, timestamp: str) -> str:
    """Lower-case hex."""
    text = nonce.encode() + b":" + body + b":" + secret.encode() + b":" + timestamp.encode()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def opened(push: ErpPush, secrets: Sequence[str], now: datetime) -> Pushed:
    """Raises NotAllowed for a push that is not theirs or not of now, Refused for one that cannot be read."""
    _verify(push, secrets, now)
    try:
        told = json.loads(push.body)
    except ValueError:
        raise Refused("unreadable", "the push is signed well and is not JSON") from None
    record = told.get("data") if isinstance(told, dict) else None
    if not isinstance(record, dict):
        raise Refused("unreadable", "the push holds no `data`")
    return Pushed(
        id=push.headers.get(DELIVERY) or hashlib.sha256(push.body).hexdigest(),
        op=str(told.get("op") or ""),
        record=record,
        entry_id=str(record.get("entryId") or record.get("entry_id") or ""),
        hint=push.query.get("form", ""),
    )


def _verify(push: ErpPush, secrets: Sequence[str], now: datetime) -> None:
    if not secrets:
        raise NotAllowed(
            "no-webhooks", "pushes are not taken: write push_secrets, the secret of each 数据推送"
        )
    if len(push.body) > LONGEST:
        raise NotAllowed("too-long", f"a push is at most {LONGEST} bytes long")
    timestamp, nonce = push.query.get("timestamp", ""), push.query.get("nonce", "")
    given = push.headers.get(SIGNATURE, "").strip().lower()
    wanted = [signature(nonce, push.body, secret, timestamp) for secret in secrets]
    if not [w for w in wanted if hmac.compare_digest(w.encode(), given.encode())]:
        raise NotAllowed("bad-signature", "the push is not signed with one of push_secrets")
    at = _moment(timestamp)
    if at is None or abs(now - at) > TOLERANCE:
        raise NotAllowed("bad-time", "the push's timestamp is more than five minutes off: check both clocks")


def _moment(timestamp: str) -> datetime | None:
    """Seconds since 1970; thirteen digits are milliseconds."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 13):
        return None
    seconds = int(timestamp) / (1000 if len(timestamp) == 13 else 1)
    return datetime.fromtimestamp(seconds, UTC)
