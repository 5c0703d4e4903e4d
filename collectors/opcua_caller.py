"""asyncua's client, which asks often enough for the server to keep its session, and takes one up again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography import x509

_A_THIRD = 3  # of what the server grants: one question may go astray
_TRIES = 3  # to take one session up again: a server may hang up on it every time


@dataclass(slots=True)
class Known:
    """A session that may outlive its line: what the server knows us by, and we it."""

    token: ua.NodeId
    nonce: bytes | None  # what our next signature has to be over
    log_ins: list[Any]
    own: bytes | None
    peer: bytes | None
    described: Any  # as which application the peer showed itself
    timeout: int  # milliseconds, as granted
    tries: int = 0


class Caller(Client):  # type: ignore[misc, unused-ignore]
    """A server ends the session, and the subscription with it, that it hears nothing of for as long as it
    granted. asyncua asks every `watchdog_intervall`, whatever that was.

    With `known` that session is activated on the new channel (OPC 10000-4, clauses 5.7.3 and 6.7) before a
    new one is asked for; `resumed` tells whether the server had it still.
    """

    known: Known | None = None
    described: Any = None
    resumed = False

    def knows(self) -> Known:
        """Of the session as it stands."""
        policy, token = self.security_policy, self.uaclient.session.authentication_token
        own, peer = policy.host_certificate, policy.peer_certificate
        return Known(
            token, self._server_nonce, self._policy_ids, own, peer, self.described, self.session_timeout
        )

    async def create_session(self) -> Any:
        opened = await super().create_session()
        self._keep_pace()
        return opened

    def _keep_pace(self) -> None:
        granted = self.session_timeout / 1000
        if granted > 0:
            self._watchdog_intervall = min(self._watchdog_intervall, max(granted / _A_THIRD, 0.1))

    async def _try_resume_persisted_session(self) -> bool:
        known, policy = self.known, self.security_policy
        if known is None or known.tries >= _TRIES:
            return False
        if policy.host_certificate != known.own or (policy.peer_certificate or known.peer) != known.peer:
            return False  # another certificate, ours or theirs: it is looked at when a session is made
        if policy.peer_certificate and self.certificate_validator:
            who = x509.load_der_x509_certificate(policy.peer_certificate)
            await self.certificate_validator(who, known.described)
        known.tries += 1
        self.uaclient.session.restore_authentication_token(known.token)
        self._server_nonce, self._policy_ids = known.nonce, known.log_ins  # type: ignore[assignment]
        try:
            await self._activate_with_credentials()
        except UaStatusCodeError:
            self.uaclient.session.reset_authentication_token()
            self._server_nonce, self._policy_ids = None, []
            return False
        self.session_timeout, self.resumed = known.timeout, True
        self._keep_pace()
        self._start_renew_loop()
        return True
