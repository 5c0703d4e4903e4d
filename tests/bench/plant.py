"""The plants of the benches as configuration files: Modbus devices, tags, limit rules, chat robots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.ports import free_port

LIMIT_HIGH, LIMIT_LOW = 800.0, 20.0  # of what the registers say times SCALE
SCALE = 0.1
NAMESPACE = "urn:andon-hub:bench"  # of the OPC UA server
RULED = 10  # registers of a device that a rule looks at


def machine(device: int, line: int = 0) -> str:
    return f"b1/a1/l{line}/m{device:03}"


def points(device: int, registers: int, line: int = 0, fast: int = 0) -> list[dict[str, Any]]:
    """The last register counts the readings of the device and is taken as it is."""
    made: list[dict[str, Any]] = []
    for r in range(registers):
        point: dict[str, Any] = {"tag": f"{machine(device, line)}/r{r:03}", "address": r}
        if r < registers - 1:
            point["scale"] = SCALE
        if r < fast:
            point["fast"] = True
        made.append(point)
    return made


def site(devices: int, registers: int) -> dict[str, Any]:
    """Ten devices to a line."""
    tags = {f"r{r:03}": {"name": f"R{r}", "shown": False} for r in range(registers)}
    lines: dict[int, list[dict[str, Any]]] = {}
    for d in range(devices):
        lines.setdefault(d // 10, []).append({"id": f"m{d:03}", "name": f"M{d}", "tags": tags})
    made = [{"id": f"l{n}", "name": f"L{n}", "machines": machines} for n, machines in lines.items()]
    return {"id": "b1", "name": "Bench", "areas": [{"id": "a1", "name": "A1", "lines": made}]}


def collection(
    ports: Sequence[int], registers: int, every: str, folder: Path, database: str | None
) -> dict[str, Any]:
    """Every device polled `every`, and RULED limit rules on each of them, half of them with a delay."""
    collectors = [
        {"name": f"m{d:03}", "kind": "modbus", "with": {
            "host": "127.0.0.1", "port": port, "every": every, "points": points(d, registers, d // 10)}}
        for d, port in enumerate(ports)
    ]  # fmt: skip
    return {
        "plant": site(len(ports), registers),
        "hub": _hub(folder, database),
        "collectors": collectors,
        "rules": limits(),
        "people": people(),
    }


def flooded(devices: int, registers: int, folder: Path, database: str | None) -> dict[str, Any]:
    """The tags and rules of `collection` without a source."""
    return {
        "plant": site(devices, registers),
        "hub": _hub(folder, database),
        "rules": limits(),
        "people": people(),
    }


def limits() -> list[dict[str, Any]]:
    """RULED rules for each machine, half of them with a delay."""
    return [
        {
            "name": f"limit-{r}", "kind": "high-limit" if r % 2 == 0 else "low-limit",
            "tag": f"b1/a1/+/+/r{r:03}", "limit": LIMIT_HIGH if r % 2 == 0 else LIMIT_LOW, "deadband": 5,
            **({"on_delay": "5s", "off_delay": "5s"} if r % 4 >= 2 else {}),
        }
        for r in range(RULED)
    ]  # fmt: skip


SIGNALS = 100  # of a machine behind OPC UA


def node_tag(n: int) -> str:
    """The tag of variable `vN`."""
    device, signal = divmod(n, SIGNALS)
    return f"{machine(device, device // 10)}/r{signal:03}"


def subscription(endpoint: str, nodes: int, folder: Path, database: str | None) -> dict[str, Any]:
    """One server with a whole multiple of SIGNALS nodes, told every 200 ms, and the rules of `collection`."""
    listed = [{"tag": node_tag(n), "node": f"nsu={NAMESPACE};s=v{n}"} for n in range(nodes)]
    return {
        "plant": site(nodes // SIGNALS, SIGNALS),
        "hub": _hub(folder, database),
        "collectors": [
            {"name": "plc", "kind": "opcua", "with": {
                "endpoint": endpoint, "security": "none", "timeout": "30s", "nodes": listed}}
        ],
        "rules": limits(),
        "people": people(),
    }  # fmt: skip


def latency(
    port: int, registers: int, robots: Sequence[str], poll: dict[str, str], folder: Path
) -> dict[str, Any]:
    """One device. Each of its first registers has a rule, and each rule a robot of its own to tell.

    A WeCom robot takes 20 messages a minute: with a robot to a rule nobody has to wait for its minute.
    """
    ruled = len(robots)
    fast = ruled if "fast" in poll else 0
    return {
        "plant": site(1, registers),
        "hub": _hub(folder, None),
        "collectors": [
            {"name": "m000", "kind": "modbus", "with": {
                "host": "127.0.0.1", "port": port, **poll, "points": points(0, registers, fast=fast)}}
        ],
        "notifiers": [
            {"name": f"robot-{n}", "kind": "wecom", "with": {"key": f"bench-{n}", "base_url": url}}
            for n, url in enumerate(robots)
        ],
        "rules": [
            {"name": f"hot-{n}", "kind": "high-limit", "tag": f"{machine(0)}/r{n:03}", "limit": LIMIT_HIGH,
             "deadband": 5, "priority": "critical", "tell": [f"robot-{n}"]}
            for n in range(ruled)
        ],
        "people": people(),
    }  # fmt: skip


def people() -> list[dict[str, Any]]:
    return [{"id": "admin", "name": "Admin", "roles": ["admin", "technician"], "scopes": ["b1"]}]


def _hub(folder: Path, database: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"port": free_port(), "data": str(folder / "data")}
    return made | ({"database": database} if database else {})


def write(configuration: dict[str, Any], folder: Path) -> Path:
    """As people write it: a block to a line, no JSON."""
    path = folder / "plant.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml.safe_dump(configuration, file, allow_unicode=True, sort_keys=False)
    return path
