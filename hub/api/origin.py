"""(pure) Is this Origin ours? The first wall against forged requests; the CSRF token is the second."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ORIGIN = re.compile(r"^(https?)://([^/\s@?#\\,]+)$")
_SCHEMES = {"ws": "http", "wss": "https"}
_PORTS = {"http": ":80", "https": ":443"}


def origin_of(url: str) -> str:
    """`https://hub.example` of `HTTPS://Hub.Example:443/phone`; "" of what is no web address."""
    scheme, _, rest = url.strip().lower().partition("://")
    found = _ORIGIN.match(f"{scheme}://{rest.split('/', 1)[0]}")
    return f"{found[1]}://{found[2].removesuffix(_PORTS[found[1]])}" if found else ""


def ours(
    origins: Sequence[str], hosts: Sequence[str], scheme: str, public_url: str, allowed: Iterable[str]
) -> bool:
    """True for exactly one Origin that is the address asked, our public address or one on the list.

    When the address asked is the public one, its scheme counts: behind a proxy that ends TLS, `http` is not
    `https`.
    """
    if len(origins) != 1 or len(hosts) != 1 or not _ORIGIN.match(origins[0]):
        return False
    asked = origin_of(f"{_SCHEMES.get(scheme, scheme)}://{hosts[0]}")
    public = origin_of(public_url)
    if public and _host(asked) == _host(public):
        asked = public
    known = {asked, public, *(origin_of(url) for url in allowed)} - {""}
    return origin_of(origins[0]) in known


def _host(origin: str) -> str:
    return origin.partition("://")[2].partition(":")[0]
