"""(pure) Is the name in this Host header one of ours?

A page of a stranger may let its own name point at 127.0.0.1 or into the plant (DNS rebinding) and then read
what the browser believes to be its own site. The browser still names the stranger's host: we do not answer
to it. An address in digits cannot be pointed elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.api.limits import is_loopback
from hub.api.origin import origin_of

_HOST = re.compile(r"^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$")
_EVERYWHERE = ("", "0.0.0.0", "::", "*")  # noqa: S104 - told apart, not bound


@dataclass(frozen=True, slots=True)
class Hosts:
    """`names` in small letters; `digits`: any address in digits too, since we listen on every one."""

    names: frozenset[str]
    digits: bool = False

    def know(self, sent: Sequence[str]) -> bool:
        """True for exactly one Host header that names us; the port is not looked at, proxies move it."""
        found = _HOST.match(sent[0].strip().lower()) if len(sent) == 1 else None
        if found is None:
            return False
        name = (found[1] or found[2]).removesuffix(".")
        if name in self.names or name == "localhost" or is_loopback(name):
            return True
        return self.digits and _is_address(name)


def hosts_of(bind: str, public_url: str, allowed_origins: Iterable[str]) -> Hosts:
    """Our public address, the listed portals, what we listen on, and this machine by its loopback names.

    Listening on every address, this machine's own name and any address in digits are ours as well.
    """
    bind = bind.strip().lower().strip("[]")
    everywhere = bind in _EVERYWHERE
    urls = (origin_of(url) for url in (public_url, *allowed_origins))
    names = {_HOST.sub(lambda m: m[1] or m[2], url.partition("://")[2]) for url in urls if url}
    own = socket.gethostname().lower()
    names |= {own, f"{own}.local"} if everywhere else {bind}
    return Hosts(frozenset(names - {""}), everywhere)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
