"""Signed headers of Kingdee Galaxy's WebAPI: no login call, every request proves who sends it (pure).

The signatures are base64 of the *hexadecimal text* of an HMAC-SHA256; see the vendor's SDK 8.2.0.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

XOR_TEXT = b"0054f397c6234378b09ca7d3e5debce7"


def client_secret(app_id: str) -> tuple[str, str]:
    """(client id, client secret) hidden in an AppId of two parts; two empty texts for any other AppId."""
    first, _, second = app_id.partition("_")
    if len(second) != 32 or "_" in second:
        return "", ""
    try:
        hidden = base64.b64decode(second, validate=True)
    except binascii.Error:
        return "", ""
    return first, base64.b64encode(bytes(a ^ b for a, b in zip(hidden, XOR_TEXT, strict=False))).decode()


def signed_headers(
    url: str, identity: Sequence[object], app_id: str, app_secret: str, timestamp: int
) -> dict[str, str]:
    """`identity`: data centre, user, language id and organisation; `timestamp`: seconds since 1970."""
    client_id, secret = client_secret(app_id)
    stamp = str(timestamp)
    path = quote(urlsplit(url).path, safe="/%", encoding="utf-8").replace("/", "%2F")
    text = f"POST\n{path}\n\nx-api-nonce:{stamp}\nx-api-timestamp:{stamp}\n"
    app_data = ",".join(str(part) for part in identity)
    return {
        "X-Api-ClientID": client_id,
        "X-Api-Auth-Version": "2.0",
        "x-api-timestamp": stamp,
        "x-api-nonce": stamp,
        "x-api-signheaders": "x-api-timestamp,x-api-nonce",
        "X-Api-Signature": signature(secret, text),
        "X-Kd-Appkey": app_id,
        "X-Kd-Appdata": base64.b64encode(app_data.encode()).decode(),
        "X-Kd-Signature": signature(app_secret, app_id + app_data),
    }


def signature(key: str, message: str) -> str:
    digest = hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()
