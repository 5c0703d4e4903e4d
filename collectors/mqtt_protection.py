"""What is known of how a line to a broker is protected: for the alarms that the hub makes of it."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from collectors.mqtt_broker import BrokerBlock, TlsBlock
from hub.model.line import Line

_LOOK_EVERY = 60.0  # seconds: our file may be renewed while the line stands


class Protection:
    """Of one collector, over its connection; `line` is hub.ports.Collector's."""

    def __init__(self, block: BrokerBlock) -> None:
        own = block.security.certificate if isinstance(block.security, TlsBlock) else None
        self._own: Path | None = own
        self._look_at = 0.0
        self.line = Line("" if block.place.protected else "none")

    def opened(self, peer_until: datetime | None, now: float) -> None:
        """A connection stands, with a broker whose certificate ends then; `now` in monotonic seconds."""
        self.line = replace(self.line, peer_until=peer_until or self.line.peer_until)
        self._look_at = now
        self.look(now)

    def look(self, now: float) -> None:
        """At our own certificate, when it is time to."""
        if self._own is None or now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY
        self.line = replace(self.line, own_until=_end_of(self._own) or self.line.own_until)


def seen_until(certificate: dict[str, object]) -> datetime | None:
    """Of what `ssl` tells of the peer it has checked."""
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    except (KeyError, ValueError, OverflowError):
        return None


def _end_of(path: Path) -> datetime | None:
    """None while the file is being replaced, or holds none: connecting says that with its remedy."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
