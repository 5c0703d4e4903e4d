"""What the gateway and the application server recompute from a signed call (signatures S1 and S2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import quote

XOR_TEXT = b"0054f397c6234378b09ca7d3e5debce7"


def doubled(key: str, message: str) -> str:
    """Base64 of the hexadecimal text of the HMAC, as the vendor's clients do it."""
    digest = hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def client_secret(app_id: str) -> str:
    """Hidden in the second half of a two-part AppId; empty when the AppId is not of that form."""
    parts = app_id.split("_")
    if len(parts) != 2 or len(parts[1]) != 32:
        return ""
    try:
        hidden = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        return ""
    return base64.b64encode(bytes(a ^ b for a, b in zip(hidden, XOR_TEXT, strict=False))).decode()


def gateway_signature(app_id: str, path: str, nonce: str, timestamp: str) -> str:
    escaped = quote(path, encoding="utf-8").replace("/", "%2F")
    text = f"POST\n{escaped}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{timestamp}\n"
    return doubled(client_secret(app_id), text)


def application_signature(app_id: str, app_secret: str, app_data: str) -> str:
    return doubled(app_secret, app_id + app_data)


def login_signature(acct: str, user: str, app_id: str, app_secret: str, timestamp: str) -> str:
    """LoginBySign: the five texts sorted by code unit, joined, SHA-256."""
    joined = "".join(sorted([acct, user, app_id, app_secret, timestamp]))
    return hashlib.sha256(joined.encode()).hexdigest()
