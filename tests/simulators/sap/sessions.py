"""Who calls (Basic or bearer), and the token against forged requests that is bound to a session cookie."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from tests.simulators.sap.answers import SapError

COOKIE = "SAP_SESSIONID_S4H_100"
REALM = 'Basic realm="SAP NetWeaver Application Server [S4H/100]"'


@dataclass(frozen=True, slots=True)
class Account:
    user: str = "ANDON_COMM"
    password: str = "password-that-nobody-may-read"
    client: str = "100"
    client_id: str = "sb-andon"
    client_secret: str = field(default="client-secret-that-nobody-may-read", repr=False)


class Sessions:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._tokens: dict[str, str] = {}  # session -> token
        self._bearers: set[str] = set()

    def clear(self) -> None:
        """Every session and every token is gone, as after a restart."""
        self._tokens.clear()

    def revoke(self) -> None:
        self._bearers.clear()

    def granted(self, authorization: str) -> str | None:
        """A bearer token for the client's credentials."""
        if not self._is(authorization, self._account.client_id, self._account.client_secret):
            return None
        token = secrets.token_urlsafe(24)
        self._bearers.add(token)
        return token

    def check_user(self, headers: Mapping[str, str]) -> None:
        given = headers.get("Authorization") or ""
        if given.startswith("Bearer ") and given.removeprefix("Bearer ") in self._bearers:
            return
        if not self._is(given, self._account.user, self._account.password):
            raise SapError(
                401, "", "<html><body>Logon failed</body></html>", plain=True,
                headers=(("WWW-Authenticate", REALM),),
            )  # fmt: skip

    def _is(self, authorization: str, user: str, secret: str) -> bool:
        wanted = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
        return hmac.compare_digest(authorization.encode(), wanted.encode())

    # ------------------------------------------------------------------ tokens
    def fetched(self, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """Headers for whoever asks for a token; the cookies that it holds with, where the session is new."""
        if (headers.get("X-CSRF-Token") or "").lower() != "fetch":
            return []
        session = self._session(headers)
        if session in self._tokens:
            return [("X-CSRF-Token", self._tokens[session])]
        session, token = secrets.token_urlsafe(18), secrets.token_urlsafe(18)
        self._tokens[session] = token
        return [
            ("X-CSRF-Token", token),
            ("Set-Cookie", f"{COOKIE}={session}; path=/; HttpOnly"),
            ("Set-Cookie", f"sap-usercontext=sap-client={self._account.client}; path=/"),
        ]

    def check_token(self, headers: Mapping[str, str]) -> None:
        wanted = self._tokens.get(self._session(headers))
        if wanted is None or headers.get("X-CSRF-Token") != wanted:
            raise SapError(
                403, "", "CSRF token validation failed", plain=True, headers=(("X-CSRF-Token", "Required"),)
            )

    def _session(self, headers: Mapping[str, str]) -> str:
        try:
            jar = SimpleCookie(headers.get("Cookie") or "")
        except CookieError:
            return ""
        return jar[COOKIE].value if COOKIE in jar else ""
