"""Signed pushes after the Standard Webhooks specification (github.com/standard-webhooks), version v1 (pure).

`webhook-id`, `webhook-timestamp` (seconds since 1970) and `webhook-signature`: "v1,<base64>" of the
HMAC-SHA256 over `id.timestamp.body`, several of them parted by blanks while a secret is being changed. Any
connector whose ERP can be made to send these three headers uses this.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from hub.errors import NotAllowed, Refused
from hub.model.erp import ErpPush

WINDOW = timedelta(minutes=5)
SHORTEST_SECRET = 16  # characters; the specification asks for 24 bytes and more
MOST_SIGNATURES = 16
_PREFIX = "whsec_"


def too_weak(secret: SecretStr) -> str:
    """What is wrong with this secret and what to do; "" when it will do."""
    text = secret.get_secret_value()
    if len(text.removeprefix(_PREFIX)) < SHORTEST_SECRET:
        return f"is shorter than {SHORTEST_SECRET} characters; make one with: openssl rand -base64 32"
    if text.startswith(_PREFIX) and _decoded(text.removeprefix(_PREFIX)) is None:
        return "begins with whsec_ and is not base64 after it; copy it again"
    return ""


def verified(push: ErpPush, secrets: Sequence[SecretStr], now: datetime) -> str:
    """The push's id when one of the secrets has signed it within five minutes of `now`.

    Raises NotAllowed otherwise; its code says what failed, its text what the sender has to mend.
    """
    if not secrets:
        raise NotAllowed("no-webhooks", "no secret is configured, so no push can be believed")
    about, stamp = push.headers.get("webhook-id", ""), push.headers.get("webhook-timestamp", "")
    said = push.headers.get("webhook-signature", "")
    if not (about and stamp and said):
        raise NotAllowed(
            "unsigned", "webhook-id, webhook-timestamp and webhook-signature are wanted, all three"
        )
    signed = f"{about}.{stamp}.".encode() + push.body
    if not _any_holds(said, signed, secrets):
        raise NotAllowed("bad-signature", "the signature is not ours; compare the secret on both sides")
    if abs(now - _instant(stamp)) > WINDOW:
        raise NotAllowed("stale-push", "the push is more than five minutes off; set the sender's clock")
    return about


def signature(about: str, at: datetime, body: bytes, secret: SecretStr) -> str:
    """What a sender with this secret writes into `webhook-signature`."""
    signed = f"{about}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(_digest(next(_keys(secret)), signed)).decode()


def body_of(push: ErpPush) -> Any:
    """Raises Refused for what is not JSON."""
    if push.body.startswith(b"\x1f\x8b"):
        raise Refused("unreadable-push", "the body is packed with gzip; send it as it is")
    try:
        return json.loads(push.body)
    except (ValueError, RecursionError):
        raise Refused("unreadable-push", "the body is not JSON") from None


def _any_holds(said: str, signed: bytes, secrets: Iterable[SecretStr]) -> bool:
    """Every pair is compared, in constant time each: how long it takes tells nothing of which was near."""
    claimed = [s.removeprefix("v1,") for s in said.split()[:MOST_SIGNATURES] if s.startswith("v1,")]
    wanted = [_digest(key, signed) for secret in secrets for key in _keys(secret)]
    held = False
    for text in claimed:
        digest = _decoded(text) or b""
        for right in wanted:
            held |= hmac.compare_digest(digest, right)
    return held


def _keys(secret: SecretStr) -> Iterator[bytes]:
    """`whsec_<base64>` is its bytes. Without the mark senders differ: the text itself, or what it encodes."""
    text = secret.get_secret_value()
    decoded = _decoded(text.removeprefix(_PREFIX))
    if not text.startswith(_PREFIX):
        yield text.encode()
    if decoded and len(decoded) * 2 >= SHORTEST_SECRET:
        yield decoded


def _digest(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _instant(stamp: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise NotAllowed("bad-timestamp", "webhook-timestamp is not a number of seconds since 1970") from None
