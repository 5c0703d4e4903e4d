"""The machine the hub is to run on, and the configuration by itself."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import httpx

from hub.doctor.finding import Finding
from hub.errors import ConfigError
from hub.house import refuse_taken_port
from hub.places import located
from hub.plan import check
from hub.registry import intruders
from hub.settings import Settings

LEAST_FREE = 2 * 2**30
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  compared with, not bound to
PATIENCE = 3.0  # seconds


async def ours_runs_here(settings: Settings) -> str:
    """The status of a hub that answers at our address already; "" for none."""
    hub = settings.file.hub
    host = "127.0.0.1" if hub.host in EVERYWHERE else hub.host
    try:
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            said = (await http.get(f"http://{host}:{hub.port}/health")).json()
            return str(said["status"]) if "parts" in said else ""
    except (httpx.HTTPError, ValueError, KeyError, TypeError, OSError):
        return ""


def examine_machine(settings: Settings, running: str) -> Iterator[Finding]:
    yield Finding(
        sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "install Python 3.11 or newer"
    )
    strangers = intruders()
    yield Finding(not strangers, "package names are ours alone", "; ".join(strangers))
    yield from _configuration(settings)
    yield _links(settings)
    yield _disk(settings)
    yield _port(settings, running)


def _configuration(settings: Settings) -> Iterator[Finding]:
    try:
        counts = check(settings)
    except ConfigError as cause:
        for complaint in located(cause.complaints, settings.source):
            what, _, remedy = complaint.rpartition("; ")
            yield Finding(False, f"configuration {what or complaint}", remedy if what else "correct it there")
        return
    found = f"{counts['conditions']} conditions on {counts['tags']} tags"
    yield Finding(True, f"configuration {settings.source}: {found}")


def _links(settings: Settings) -> Finding:
    hub = settings.file.hub
    address = hub.public_url or f"http://{hub.host}:{hub.port}"
    lost = not hub.public_url and bool(settings.file.notifiers) and not _reached_from_outside(hub.host)
    remedy = "no phone reaches that: set hub.public_url, or ANDON_PUBLIC_URL, to the address phones use"
    if lost and hub.host not in EVERYWHERE:  # who tries it out on one machine is not to be stopped
        return Finding(True, f"links in messages begin with {address}: only this machine reaches that")
    return Finding(not lost, f"links in messages begin with {address}", remedy)


def _reached_from_outside(host: str) -> bool:
    try:
        return not ip_address(host).is_loopback and host not in EVERYWHERE
    except ValueError:
        return host not in ("localhost", *EVERYWHERE)


def _disk(settings: Settings) -> Finding:
    folder = settings.file.hub.data.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding(
        free > LEAST_FREE, f"{free / 2**30:.1f} GiB free at {folder}", "free some space: 2 GiB at least"
    )


def _port(settings: Settings, running: str) -> Finding:
    hub = settings.file.hub
    where = f"{hub.host}:{hub.port}"
    if running:
        return Finding(True, f"{where}: a hub is running there, its health is {running!r}")
    try:
        refuse_taken_port(hub.host, hub.port)
    except ConfigError as cause:
        return Finding(False, where, str(cause))
    return Finding(True, f"{where} is free")
