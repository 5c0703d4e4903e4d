"""Machines, MES, ERP and carriers: each is tried as the hub would use it, reading only."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from hub.doctor.assets import machines
from hub.doctor.finding import Finding
from hub.errors import AndonError, ConfigError, Permanent
from hub.house import Use, read_plugins, with_numbers
from hub.kpi.assets import asset_map
from hub.ports import Clock, Plant
from hub.settings import Settings

PATIENCE = 3.0  # seconds for a server to accept a connection
LOOK = 60.0  # seconds for a whole look at one device: a thousand nodes, or an ERP with all its forms
PORTS = {"http": 80, "https": 443, "opc.tcp": 4840}
TOLD = 20  # things to mend of one device; more are counted
ADVICE = "is it on, is the address right, is a firewall between?"


async def examine_outside(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    """All at once: a plant of a hundred machines that are switched off is no reason to wait minutes."""
    try:
        used = read_plugins(settings)
    except ConfigError:
        return  # told above
    plant = with_numbers(settings.plant, {t: i for i, t in enumerate(settings.plant.tags, 1)})
    looks = [
        *(_looked_at(use, lambda use=use: _collector(use, clock, plant)) for use in used.collectors),
        *(_looked_at(use, lambda use=use: use.cls(use.config, clock, use.name)) for use in used.mes),
        *(_looked_at(use, lambda use=use: use.cls(use.config, clock)) for use in _erps(used.erp)),
        *(_compared(use, clock, plant) for use in _erps(used.erp)),
        *(_carrier(use) for use in used.notifiers),
    ]
    for findings in await asyncio.gather(*looks):
        for finding in findings:
            yield finding


def _erps(erp: Use | None) -> list[Use]:
    return [erp] if erp else []


def _collector(use: Use, clock: Clock, plant: Plant) -> Any:
    return use.cls(use.config, clock, plant.tags, use.name)


# ------------------------------------------------------------------ what can be probed
async def _looked_at(use: Use, make: Any) -> list[Finding]:
    """What its own probe finds; a plugin that has none is only reached for."""
    if not hasattr(use.cls, "probe"):
        return [await _reached(use)]
    try:
        made = make()
    except ConfigError:
        return []  # told with the configuration
    try:
        async with asyncio.timeout(LOOK):
            return _told(use.name, await made.probe())
    except TimeoutError:
        return [Finding(False, f"{use.name}: no end of answers within {LOOK:g} s", ADVICE)]
    except Permanent as cause:
        return [_complaint(use.name, str(cause), "correct it in the configuration, or allow it there")]
    except AndonError as cause:
        return [_complaint(use.name, str(cause))]
    finally:
        if hasattr(made, "close"):
            await made.close()


def _told(name: str, found: Mapping[str, str]) -> list[Finding]:
    """What to mend after what is well, and not without end."""
    good = [Finding(True, f"{name}: {what}: {said}") for what, said in found.items() if said[:1] != "✗"]
    bad = [_complaint(name, f"{what}: {said[1:].strip()}") for what, said in found.items() if said[:1] == "✗"]
    if len(bad) > TOLD:
        more = Finding(False, f"{name}: {len(bad) - TOLD} more like these", "mend those told first")
        bad = [*bad[:TOLD], more]
    return [*good, *bad]


def _complaint(name: str, said: str, otherwise: str = ADVICE) -> Finding:
    """Our errors and probes say after a semicolon what to do."""
    what, _, remedy = said.partition("; ")
    what = what.removeprefix(f"{name}: ")
    return Finding(False, f"{name}: {what}", remedy or otherwise)


# ------------------------------------------------------------------ machines beside the asset list
async def _compared(use: Use, clock: Clock, plant: Plant) -> list[Finding]:
    """What is in the way of the ERP's answer is told by its own probe."""
    try:
        connector = use.cls(use.config, clock)
    except ConfigError:
        return []
    try:
        if "equipment" not in connector.capabilities:
            return []
        async with asyncio.timeout(LOOK):
            return machines(use.name, asset_map(plant.machines(), await connector.equipment()))
    except (TimeoutError, AndonError):
        return []
    finally:
        await connector.close()


# ------------------------------------------------------------------ carriers: nothing is sent
async def _carrier(use: Use) -> list[Finding]:
    """Reached as far as can be without asking for anything: the line, and the certificate."""
    return [await _reached(use)]


async def _reached(use: Use) -> Finding:
    place = _place(use.config)
    if place is None:
        return Finding(True, f"{use.name}: configured; nothing was sent to try it")
    host, port, secure = place
    where = f"{use.name}: {host}:{port}"
    try:
        async with asyncio.timeout(PATIENCE):
            context = await asyncio.to_thread(ssl.create_default_context) if secure else None
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError as cause:
        return Finding(
            False,
            f"{where}: its certificate is not good: {cause.verify_message}",
            "is a proxy between, is our clock right, is its authority known to this machine?",
        )
    except OSError as cause:  # TimeoutError is one
        why = cause.strerror or "no answer" if isinstance(cause, TimeoutError) else str(cause)
        return Finding(False, f"{where}: {why}", ADVICE)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Finding(True, f"{where} accepts connections; nothing was sent")


def _place(config: Any) -> tuple[str, int, bool] | None:
    """(host, port, TLS) of what is reached by an address of its own."""
    if host := getattr(config, "host", None):
        return str(host), int(config.port), False
    for url in map(urlsplit, _addresses(config)):
        if url.hostname:
            return url.hostname, url.port or PORTS.get(url.scheme, 443), url.scheme == "https"
    return None


def _addresses(config: Any) -> Iterable[str]:
    """Through a proxy nothing else is reached."""
    for key in ("proxy", "endpoint", "base_url", "server_url"):
        value = getattr(config, key, None)
        yield value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
