"""Which broker, who we are there, how the line is protected: the same keys for every kind over MQTT."""

from __future__ import annotations

import re
import secrets
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from collectors.source_times import AHEAD, ClockAhead
from hub.config import Block, Duration
from hub.errors import SourceRefused

_ADDRESS = re.compile(r"^(mqtts?)://([^/@:?#\[\]]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?$")
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Place(NamedTuple):
    host: str
    port: int
    protected: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class TlsBlock(Block):
    """How an `mqtts://` broker is known, and how it knows us."""

    ca: Path | None = Field(None, description="authorities we trust, .pem; left out: those of this machine")
    certificate: Path | None = None
    key: Path | None = None
    key_password: SecretStr | None = None

    @model_validator(mode="after")
    def _together(self) -> TlsBlock:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate: and key: go together; give both or neither")
        return self


class BrokerBlock(Block):
    """What both kinds share. The line has to be chosen: `mqtts://`, or `security: none` said aloud."""

    broker: str = Field(description="mqtts://HOST:PORT, or mqtt://HOST:PORT with security: none")
    security: TlsBlock | Literal["none"] | None = None
    user: str = ""
    password: SecretStr | None = None
    password_in_clear: bool = Field(False, description="send the password over mqtt:// all the same")
    version: Literal["3.1.1", "5"] = "3.1.1"
    client_id: str = Field("", max_length=128, description="left out: a new one for each connection")
    keep_alive: Duration = timedelta(seconds=4)
    timeout: Duration = timedelta(seconds=4)
    clock_ahead: ClockAhead = AHEAD
    largest: int = Field(1 << 20, ge=1024, le=64 << 20, description="bytes of one message at most")

    @field_validator("broker")
    @classmethod
    def _address(cls, value: str) -> str:
        found = _ADDRESS.match(value)
        if found is None or not 0 < int(found[3] or 1) < 65536:
            raise ValueError("is no address; write mqtts://HOST:PORT, user and password apart from it")
        return value

    @field_validator("keep_alive")
    @classmethod
    def _whole_seconds(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(hours=1) or value.microseconds:
            raise ValueError("is counted in whole seconds; write 1s to 1h, for example 4s")
        return value

    @model_validator(mode="after")
    def _decided(self) -> BrokerBlock:
        if self.place.protected and self.security == "none":
            raise ValueError("security: none contradicts mqtts://; leave one of them")
        if not self.place.protected and self.security != "none":
            raise ValueError(
                "broker: mqtt:// is an open line; write mqtts://,"
                " or `security: none` if anybody in that network may listen and speak"
            )
        if self.password and not self.place.protected and not self.password_in_clear:
            raise ValueError(
                "password: would be sent in the clear; use mqtts://,"
                " or write password_in_clear: true if the network is yours alone"
            )
        if self.password and not self.user:
            raise ValueError("password: stands without user:; give both or neither")
        return self

    @property
    def place(self) -> Place:
        parts = urlsplit(self.broker)
        return Place(
            parts.hostname or "", parts.port or _PORTS[parts.scheme], protected=parts.scheme == "mqtts"
        )

    def called(self) -> str:
        """Who we say we are; 18 letters at most where nobody chose, which every broker takes."""
        return self.client_id or f"andon-{secrets.token_hex(6)}"

    def tls(self) -> ssl.SSLContext | None:
        """None for an open line; raises SourceRefused with the remedy."""
        if not self.place.protected:
            return None
        block = self.security if isinstance(self.security, TlsBlock) else TlsBlock()
        try:
            context = ssl.create_default_context(cafile=block.ca)
        except OSError as cause:
            why = cause.strerror or type(cause).__name__
            raise SourceRefused(f"ca {block.ca} cannot be used ({why}); give certificates as .pem") from None
        if block.certificate and block.key:
            _identify(context, block.certificate, block.key, block.key_password)
        return context


def _identify(context: ssl.SSLContext, certificate: Path, key: Path, password: SecretStr | None) -> None:
    secret = password.get_secret_value() if password else ""
    try:
        context.load_cert_chain(certificate, key, password=lambda: secret)
    except OSError as cause:  # ssl.SSLError is one
        why = cause.strerror or type(cause).__name__
        raise SourceRefused(
            f"certificate {certificate} with key {key} cannot be used ({why});"
            " give a pair as .pem, and key_password: if the key has one"
        ) from None
