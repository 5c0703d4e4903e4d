"""A session with an OPC UA server as configured: address, security, log-in, errors of ours."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Literal, Self

from asyncua import ua
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509
from pydantic import Field, SecretStr, field_validator, model_validator

from collectors.opcua_line import POLICIES, Line
from collectors.opcua_security import (
    SecurityBlock,
    TrustFolder,
    application_uri,
    read_certificate,
    thumbprint,
    warn_before_expiry,
)
from hub.config import Block, Duration
from hub.errors import SourceRefused, SourceUnavailable
from hub.ports import Clock

_log = logging.getLogger(__name__)

# The server says no to us, not to this attempt: a person has to change something.
_REFUSALS = re.compile(
    r"^Bad(Certificate|Security|Identity|User|ApplicationSignature|UriInvalid|NonceInvalid)"
)
_OURS = re.compile(r"^Bad(SecurityChecksFailed|Certificate)")


class ServerBlock(Block):
    """Which server, and how the line to it is protected."""

    endpoint: str
    security: SecurityBlock | Literal["none"] | None = Field(None, validate_default=True)
    user: str = ""
    password: SecretStr | None = None
    timeout: Duration = timedelta(seconds=4)

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


@contextlib.asynccontextmanager
async def session(server: ServerBlock, clock: Clock, name: str) -> AsyncIterator[Line]:
    """An open line for `name`; what goes wrong in it becomes SourceUnavailable or SourceRefused."""
    line = Line(server.endpoint, server.timeout)
    try:
        await _protect(line, server, clock, name)
        await line.open()
        yield line
    except SourceUnavailable as cause:
        raise SourceUnavailable(f"{name}: {server.endpoint}: {cause}") from cause
    except SourceRefused as cause:
        raise SourceRefused(f"{name}: {server.endpoint}: {cause}") from cause
    except UaStatusCodeError as cause:
        said = type(cause).__name__
        kind = SourceRefused if _REFUSALS.match(said) else SourceUnavailable
        raise kind(f"{name}: {server.endpoint}: the server says {said}{_remedy(said, server)}") from None
    except (OSError, TimeoutError, UaError) as cause:
        said = type(cause).__name__
        raise SourceUnavailable(f"{name}: no answer from {server.endpoint} ({said})") from None
    finally:
        await line.close()


def _remedy(said: str, server: ServerBlock) -> str:
    """Servers do not say that it is our certificate they do not know: a stranger would learn from it."""
    if not isinstance(server.security, SecurityBlock) or not _OURS.match(said):
        return ""
    own = thumbprint(read_certificate(server.security.certificate))
    return f"; is our certificate {own} in its list of trusted clients?"


async def _protect(line: Line, server: ServerBlock, clock: Clock, name: str) -> None:
    security = server.security
    if not isinstance(security, SecurityBlock):
        _log.warning("%s: security: none; the line to %s is open", name, server.endpoint)
        return
    own = read_certificate(security.certificate)
    warn_before_expiry(own, clock.now(), name)
    trust = TrustFolder.read(security.trust_folder)

    async def check(certificate: x509.Certificate, description: Any) -> None:
        trust.check(certificate, description.ApplicationUri or "", clock.now())

    client = line.client
    client.application_uri = application_uri(own) or client.application_uri
    client.certificate_validator = check
    secret = security.key_password.get_secret_value() if security.key_password else None
    mode = ua.MessageSecurityMode[security.mode]
    try:
        await client.set_security(
            POLICIES[security.policy], CertProperties(security.certificate),
            CertProperties(security.key, password=secret), mode=mode,
        )  # fmt: skip
    except UaStatusCodeError:
        raise
    except UaError:
        raise SourceRefused(
            f"the server offers no {security.policy} with {security.mode}; switch it on there"
        ) from None
    if server.password:
        client.set_user(server.user)
        client.set_password(server.password.get_secret_value())
