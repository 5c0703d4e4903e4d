"""Session and device tokens, and what is derived from them (pure, but for the random source)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

TOKEN_BYTES = 32


def new_token() -> str:
    """256 random bits, safe in a cookie."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> str:
    """What the database keeps. The token is random, so a plain SHA-256 cannot be guessed backwards."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_of(token: str) -> str:
    """Bound to the session and not reversible: a page that reads it has not got the session."""
    mark = hmac.new(token.encode(), b"andon csrf 1", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mark).decode().rstrip("=")


def same(one: str, other: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
