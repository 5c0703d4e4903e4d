"""What a host application says of itself to edge nodes that wait for it. Pure.

3.0 (6.4.5): `spBv1.0/STATE/HOST` with JSON that has the time of the log-in, the same in the will, so that one
that comes late kills nobody who has come back. 2.2: `STATE/HOST` with the words ONLINE and OFFLINE.
"""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

Version = Literal["3.0", "2.2"]
_LATEST = 1 << 53  # milliseconds; beyond that JSON's numbers are none that count


class Said(NamedTuple):
    online: bool
    at: int = 0  # milliseconds since 1970; 0: it names no time


def topic(version: Version, host: str) -> str:
    return f"spBv1.0/STATE/{host}" if version == "3.0" else f"STATE/{host}"


def payload(version: Version, said: Said) -> bytes:
    if version == "2.2":
        return b"ONLINE" if said.online else b"OFFLINE"
    return json.dumps({"online": said.online, "timestamp": said.at}, separators=(",", ":")).encode()


def heard(version: Version, data: bytes) -> Said:
    """What somebody says of us under our name; what cannot be read says that we are gone."""
    if version == "2.2":
        return Said(data.strip().upper() == b"ONLINE")
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return Said(online=False)
    if not isinstance(said, dict):
        return Said(online=False)
    at = said.get("timestamp")
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < _LATEST:
        at = 0
    return Said(said.get("online") is True, at)
