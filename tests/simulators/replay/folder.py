"""Finds the recordings in a folder and tells what is in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import tzinfo
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.errors import ConfigError
from tests.simulators.replay import adapterlog, meaning, table
from tests.simulators.replay.mapping import Mapping, load_mapping
from tests.simulators.replay.recording import MachineRecording, Recording

_TYPES = (".txt", ".log", ".csv", ".tsv", ".dat", ".txt.gz", ".log.gz", ".csv.gz", ".tsv.gz", ".dat.gz")
_ROWS_MISSING = 2.5  # usual intervals without a row after which a machine counts as lost
_XML_UNITS = {
    "PERCENT": "%", "CELSIUS": "℃", "REVOLUTION/MINUTE": "rpm", "MILLIMETER": "mm", "DEGREE": "°",
    "MILLIMETER/SECOND": "mm/s", "SECOND": "s", "WATT": "W",
    "NEWTON_METER": "N·m", "VOLT": "V", "AMPERE": "A",
}  # fmt: skip


def describe(folder: Path, mapping_file: Path | None = None) -> Recording:
    """Read everything once and say which machines there are and what their signals mean.

    Raises ConfigError when the folder holds no recording that can be read.
    """
    folder = Path(folder)
    files = _files(folder)
    mapping = load_mapping(folder, mapping_file)
    zone = _zone(mapping)
    notes: list[str] = []
    logs: dict[str, list[Path]] = defaultdict(list)
    layouts: list[table.Layout] = []
    for path in files:
        if adapterlog.is_adapter_log(path):
            logs[adapterlog.machine_of(path)].append(path)
        elif found := table.layout(path, zone, mapping.time, mapping.asset):
            layouts.append(found)
        else:
            notes.append(f"{path.name}: left out, no column of times; name it as time: in mapping.yaml")
    machines = [*_from_logs(logs, mapping, folder), *_from_tables(layouts, mapping)]
    if not machines:
        why = "; ".join(notes[:5]) or "no .csv, .txt or .log file (also .gz)"
        raise ConfigError(f"{folder}: nothing to play: {why}")
    return Recording(tuple(_apart(machines)), tuple(notes))


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder")
    return sorted(
        p for p in folder.rglob("*")
        if p.is_file() and p.name.lower().endswith(_TYPES) and p.stat().st_size and p.stem.upper() != "README"
    )  # fmt: skip


def _zone(mapping: Mapping) -> tzinfo:
    try:
        return ZoneInfo(mapping.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"mapping.yaml: zone: {mapping.zone!r} is no time zone; write UTC") from None


def _from_logs(logs: dict[str, list[Path]], mapping: Mapping, folder: Path) -> Iterator[MachineRecording]:
    for name, files in sorted(logs.items()):
        rows = partial(adapterlog.rows, tuple(files))
        found = meaning.machine(name, rows, mapping, None, device_units(folder, name))
        if found:
            yield found


def _from_tables(layouts: list[table.Layout], mapping: Mapping) -> Iterator[MachineRecording]:
    tables = table.Tables(layouts)
    for name in tables.machines():
        interval = tables.interval(name)
        silent = interval * _ROWS_MISSING if interval else None
        found = meaning.machine(name, partial(tables.rows, name), mapping, silent)
        if found:
            yield found


def _apart(machines: list[MachineRecording]) -> list[MachineRecording]:
    seen: set[str] = set()
    for one in machines:
        if one.id in seen:
            raise ConfigError(f"two machines are called {one.id}; name them apart in mapping.yaml, machines:")
        seen.add(one.id)
    return machines


def device_units(folder: Path, machine: str) -> dict[str, str]:
    """Units from an MTConnect `Devices.xml` beside the recording or one folder above; none without one."""
    near = (folder, folder.parent)
    path = next((p / "Devices.xml" for p in near if (p / "Devices.xml").is_file()), None)
    if path is None:
        return {}
    try:
        tree = ElementTree.parse(path)
    except ElementTree.ParseError:
        return {}
    for device in tree.iter():
        if device.tag.endswith("}Device") and device.get("name", "").lower() == machine.lower():
            items = [e.attrib for e in device.iter() if e.tag.endswith("}DataItem")]
            return {i.get("name", ""): _XML_UNITS[i["units"]] for i in items if i.get("units") in _XML_UNITS}
    return {}
