"""A session with an OPC UA server as configured: address, security, log-in, errors of ours."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import BadSecurityPolicyRejected, UaError, UaStatusCodeError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import Field, SecretStr, field_validator, model_validator

from collectors.opcua_caller import Known
from collectors.opcua_channel import MESSAGE
from collectors.opcua_line import POLICIES, Line
from collectors.opcua_portions import Portions
from collectors.opcua_security import (
    OUTDATED,
    SecurityBlock,
    TrustFolder,
    application_uri,
    expiry,
    read_certificate,
    read_key,
    thumbprint,
)
from hub.config import Block, Duration
from hub.errors import SourceRefused, SourceUnavailable
from hub.ports import Clock

_log = logging.getLogger(__name__)
T = TypeVar("T")
Saw = Callable[[Literal["own", "peer"], datetime], None]

# The server says no to us, not to this attempt: a person has to change something.
_REFUSALS = re.compile(
    r"^Bad(Certificate|Security|Identity|User|ApplicationSignature|UriInvalid|NonceInvalid)"
)
_TOO_LARGE = re.compile(r"^Bad(Tcp|Request|Response|Encoding)\w*(TooLarge|LimitsExceeded)$")
_WHO = re.compile(r"^Bad(Identity|User)")
_WAYS = {1: "user: and password:", 2: "user_certificate: and user_key:"}  # UserTokenType
_OURS = re.compile(r"^Bad(SecurityChecksFailed|Certificate)")


class ServerBlock(Block):
    """Which server, and how the line to it is protected."""

    endpoint: str
    security: SecurityBlock | Literal["none"] | None = Field(None, validate_default=True)
    user: str = ""
    password: SecretStr | None = None
    user_certificate: Path | None = Field(None, description="to log in with instead of a name and a password")
    user_key: Path | None = None
    user_key_password: SecretStr | None = None
    timeout: Duration = timedelta(seconds=4)
    max_message: int = Field(MESSAGE, ge=1 << 16, le=64 << 20, description="bytes of one answer at most")

    @field_validator("endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        if not re.match(r"^opc\.tcp://[^/@]+$|^opc\.tcp://[^/@]+/[^@]*$", value):
            raise ValueError(
                "is no endpoint; write opc.tcp://HOST:PORT/PATH, user and password apart from it"
            )
        return value

    @field_validator("security")
    @classmethod
    def _decided(cls, value: SecurityBlock | str | None) -> SecurityBlock | str:
        if value is None:
            raise ValueError(
                "is missing; give policy, certificate, key and trust_folder,"
                " or write `security: none` if anybody in that network may listen and speak"
            )
        return value

    @model_validator(mode="after")
    def _no_open_password(self) -> Self:
        if self.password and not (
            isinstance(self.security, SecurityBlock) and self.security.mode == "SignAndEncrypt"
        ):
            raise ValueError("password: would be sent in the clear; use security with mode SignAndEncrypt")
        if bool(self.password) != bool(self.user):
            raise ValueError("user: and password: go together; give both or neither")
        return self

    @model_validator(mode="after")
    def _one_user(self) -> Self:
        if bool(self.user_certificate) != bool(self.user_key):
            raise ValueError("user_certificate: and user_key: go together; give both or neither")
        if self.user_certificate and self.user:
            raise ValueError("user: and user_certificate: are two ways to log in; keep one")
        if self.user_certificate and not isinstance(self.security, SecurityBlock):
            raise ValueError("user_certificate: needs a protected line; give security: with a policy")
        return self


@contextlib.asynccontextmanager
async def session(
    server: ServerBlock, clock: Clock, name: str, saw: Saw | None = None, portions: Portions | None = None,
    known: Known | None = None,
) -> AsyncIterator[Line]:  # fmt: skip
    """An open line for `name`; what goes wrong in it becomes SourceUnavailable or SourceRefused.

    `saw` is told until when the certificates are good that were seen, also where the line does not open.
    `known`: the session to take up again where the server still has it, as `line.client.resumed` tells.
    """
    line = Line(server.endpoint, server.timeout, portions or Portions(server.max_message))
    line.client.known = known
    try:
        await _protect(line, server, clock, name, saw or _nobody)
        await line.open()
        yield line
    except SourceUnavailable as cause:
        raise SourceUnavailable(f"{name}: {server.endpoint}: {cause}") from cause
    except SourceRefused as cause:
        raise SourceRefused(f"{name}: {server.endpoint}: {cause}") from cause
    except UaStatusCodeError as cause:
        said = type(cause).__name__
        kind = SourceRefused if _REFUSALS.match(said) else SourceUnavailable
        raise kind(
            f"{name}: {server.endpoint}: the server says {said}{_remedy(said, server, line)}"
        ) from None
    except (OSError, TimeoutError, UaError) as cause:
        said = type(cause).__name__
        raise SourceUnavailable(f"{name}: no answer from {server.endpoint} ({said})") from None
    finally:
        await line.close()


async def looked(server: ServerBlock, clock: Clock, name: str, look: Callable[[Line], Awaitable[T]]) -> T:
    """What `look` finds on a line of its own; on one more as long as one is lost by asking for too much."""
    portions = Portions(server.max_message)
    while True:
        before = portions.refused
        try:
            async with session(server, clock, name, portions=portions) as line:
                return await look(line)
        except SourceUnavailable:
            if portions.refused == before:
                raise


def opened(server: ServerBlock) -> str:
    """Why anybody in that network may listen and speak; "" where nobody may."""
    if not isinstance(server.security, SecurityBlock):
        return "none"
    return server.security.policy if server.security.policy in OUTDATED else ""


def ours(server: ServerBlock, now: datetime) -> tuple[datetime | None, list[str]]:
    """When the first of our certificates ends, and the complaints about those that end soon."""
    if not isinstance(server.security, SecurityBlock):
        return None, []
    own = read_certificate(server.security.certificate)
    user = read_certificate(server.user_certificate) if server.user_certificate else None
    ends = [one.not_valid_after_utc for one in (own, user) if one]
    soon = [expiry(own, now), expiry(user, now, of_user=True) if user else ""]
    return min(ends), [complaint for complaint in soon if complaint]


def warn(server: ServerBlock, now: datetime, name: str) -> None:
    """Of our certificates that end soon."""
    for complaint in ours(server, now)[1]:
        _log.warning("%s: %s", name, complaint)


def _nobody(whose: str, until: datetime) -> None:
    """Nobody wants to know."""


def _remedy(said: str, server: ServerBlock, line: Line) -> str:
    """Servers do not say that it is our certificate they do not know: a stranger would learn from it."""
    if _WHO.match(said) and server.user_certificate:
        user = thumbprint(read_certificate(server.user_certificate))
        return f"; is the user certificate {user} in its list of trusted users?"
    if _WHO.match(said):
        offered = {int(t.TokenType) for t in line.client._policy_ids}
        ways = [way for kind, way in _WAYS.items() if kind in offered]
        wants = f"; it wants {' or '.join(ways)}" if ways else ""
        return "; correct user: and password:" if server.user and 1 in offered else wants
    if said == "BadSecurityPolicyRejected" and server.security == "none":
        return "; it wants a protected line: write security: with policy, certificate, key and trust_folder"
    if _TOO_LARGE.match(said):
        return f"; make max_message: larger than {server.max_message}"
    if not isinstance(server.security, SecurityBlock) or not _OURS.match(said):
        return ""
    own = thumbprint(read_certificate(server.security.certificate))
    return f"; is our certificate {own} in its list of trusted clients?"


async def _protect(line: Line, server: ServerBlock, clock: Clock, name: str, saw: Saw) -> None:
    security = server.security
    if not isinstance(security, SecurityBlock):
        _log.warning("%s: security: none; the line to %s is open", name, server.endpoint)
        return
    own = read_certificate(security.certificate)
    if until := ours(server, clock.now())[0]:
        saw("own", until)
    warn(server, clock.now(), name)
    if security.policy in OUTDATED:
        _log.warning("%s: %s can be broken; the line to %s is open", name, security.policy, server.endpoint)
    trust = TrustFolder.read(security.trust_folder)

    async def check(certificate: x509.Certificate, description: Any) -> None:
        if trust.knows(certificate):
            saw("peer", certificate.not_valid_after_utc)
        trust.check(certificate, description.ApplicationUri or "", clock.now())
        client.described = description

    client = line.client
    client.application_uri = application_uri(own) or client.application_uri
    client.certificate_validator = check
    key = read_key(security.key, security.key_password, own)
    _log_in(client, server)
    try:
        await _secure(client, security, own, key)
    except BadSecurityPolicyRejected:  # it shows its endpoints to nobody without protection
        known = security.server_certificate or trust.only
        if known is None:
            raise SourceRefused(
                "the server shows strangers no endpoints;"
                " name its certificate in security: server_certificate:"
            ) from None
        await _secure(client, security, own, key, read_certificate(known))
    except UaStatusCodeError:
        raise
    except UaError:
        raise SourceRefused(
            f"the server offers no {security.policy} with {security.mode}; switch it on there"
        ) from None


async def _secure(
    client: Client, security: SecurityBlock, own: x509.Certificate, key: rsa.RSAPrivateKey,
    server: x509.Certificate | None = None,
) -> None:  # fmt: skip
    """Whoever it is is looked at when the session is made. Without `server` the server is asked who it is."""
    secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    who = server.public_bytes(Encoding.DER) if server else None
    mode = ua.MessageSecurityMode[security.mode]
    await client.set_security(
        POLICIES[security.policy], own.public_bytes(Encoding.DER), secret, server_certificate=who, mode=mode
    )


def _log_in(client: Client, server: ServerBlock) -> None:
    if server.password:
        client.set_user(server.user)
        client.set_password(server.password.get_secret_value())
    if server.user_certificate and server.user_key:
        user = read_certificate(server.user_certificate)
        client.user_certificate = user
        client.user_private_key = read_key(server.user_key, server.user_key_password, user)
