"""(pure) How many requests one address may make, so that one client cannot starve the others."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field


def household(address: str) -> str:
    """An IPv6 customer owns a /64 at least and could come from a new address every time."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return ip.is_loopback or bool(
        isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped and ip.ipv4_mapped.is_loopback
    )


@dataclass(slots=True)
class Meter:
    """A bucket per address: `burst` at once, `per_second` in the long run. Remembers `most` addresses."""

    per_second: float = 200.0
    burst: float = 600.0
    most: int = 10_000
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def admit(self, address: str, now: float) -> float:
        """0 when the request may pass, else the seconds to wait. `now` is monotonic."""
        key = household(address)
        level, at = self._buckets.pop(key, (self.burst, now))
        level = min(self.burst, level + (now - at) * self.per_second)
        passes = level >= 1
        self._buckets[key] = (level - 1 if passes else level, now)
        if len(self._buckets) > self.most:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - level) / self.per_second
