"""Finds the recordings in a folder and tells what is in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import tzinfo
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.errors import ConfigError
from hub.model.equipment import EquipmentState
from tests.simulators.replay import adapterlog, meaning
from tests.simulators.replay.layout import Layout, layout
from tests.simulators.replay.mapping import Mapping, load_mapping
from tests.simulators.replay.recording import MachineRecording, Recording
from tests.simulators.replay.table import Tables
from tests.simulators.replay.texts import PACKED, stem

UNKNOWN = EquipmentState.UNKNOWN

_TYPES = (".txt", ".log", ".csv", ".tsv", ".dat")
_REMEDIES = {
    "write it as CSV, for example with pandas": (
        ".parquet",
        ".feather",
        ".h5",
        ".mat",
        ".pkl",
        ".json",
        ".jsonl",
    ),
    "export its table as CSV": (".sqlite", ".db", ".mdb"),
    "save it as CSV": (".xlsx", ".xls", ".ods"),
    "unpack it": (".zip", ".7z", ".rar", ".tar", ".tgz"),
}
_NOTES = 5  # files of one complaint that are named
_ROWS_MISSING = 2.5  # usual intervals without a row after which a machine counts as lost
_XML_UNITS = {
    "PERCENT": "%", "CELSIUS": "℃", "REVOLUTION/MINUTE": "rpm", "MILLIMETER": "mm", "DEGREE": "°",
    "MILLIMETER/SECOND": "mm/s", "SECOND": "s", "WATT": "W",
    "NEWTON_METER": "N·m", "VOLT": "V", "AMPERE": "A",
}  # fmt: skip


def describe(
    folder: Path, mapping_file: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> Recording:
    """Read everything once and say which machines there are and what their signals mean.

    `say` hears what is being read, for a person who waits. Raises ConfigError when the folder holds no
    recording that can be read.
    """
    folder = Path(folder)
    mapping = load_mapping(folder, mapping_file)
    zone = _zone(mapping)
    notes: list[str] = []
    logs: dict[str, list[Path]] = defaultdict(list)
    layouts: list[Layout] = []
    for path in _files(folder, notes):
        say(path.name)
        if adapterlog.is_adapter_log(path):
            logs[adapterlog.machine_of(path)].append(path)
        elif found := layout(path, zone, mapping):
            layouts.append(found)
        else:
            notes.append(
                f"{path.name}: left out, no column of times; name it in mapping.yaml as time: COLUMN, "
                "or say every: 10s there when its rows have none"
            )
    machines = [*_from_logs(logs, mapping, folder, say), *_from_tables(layouts, mapping, say)]
    notes += [
        f"{t.path.name}: {t.unreadable} rows left out, no time in them" for t in layouts if t.unreadable
    ]
    if not machines:
        why = (
            "; ".join(notes[:_NOTES])
            or f"no file that ends in {', '.join(_TYPES)} (also packed: .gz, .bz2, .xz)"
        )
        raise ConfigError(f"{folder}: nothing to play: {why}")
    notes += [note for machine in machines for note in _not_understood(machine)]
    if stateless := [m.label for m in machines if m.signal("state") is None]:
        listed = ", ".join(stateless[:_NOTES]) + (" and others" if stateless[_NOTES:] else "")
        notes.append(
            f"{listed}: no column of states, so they are shown as unknown; "
            "name one in mapping.yaml as state: {signal: COLUMN}"
        )
    return Recording(tuple(_apart(machines)), tuple(notes))


def _not_understood(machine: MachineRecording) -> Iterator[str]:
    state = machine.signal("state")
    words = [w for w, c in state.codes.items() if machine.state_map[c] is UNKNOWN] if state else []
    if state and words:
        first = ", ".join(words[:_NOTES])
        listed = ", ".join(f"{w}: idle" for w in words[:_NOTES])
        yield (
            f"{machine.label}: what {state.label} means by {first} is not known; tell it in mapping.yaml, "
            f"state: {{signal: {state.label}, map: {{{listed}}}}}"
        )


def _files(folder: Path, notes: list[str]) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder")
    found = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size]
    for remedy, kinds in _REMEDIES.items():
        if strange := [p.name for p in found if p.suffix.lower() in kinds]:
            notes.append(f"{', '.join(strange[:_NOTES])}: left out, no text; {remedy}")
    return [p for p in found if _type(p) in _TYPES and stem(p).upper() != "README"]


def _type(path: Path) -> str:
    """The file's type, below its packing."""
    inner = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return inner.suffix.lower()


def _zone(mapping: Mapping) -> tzinfo:
    try:
        return ZoneInfo(mapping.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"mapping.yaml: zone: {mapping.zone!r} is no time zone; write UTC") from None


def _from_logs(
    logs: dict[str, list[Path]], mapping: Mapping, folder: Path, say: Callable[[str], None]
) -> Iterator[MachineRecording]:
    for name, files in sorted(logs.items()):
        say(f"{name}: {len(files)} files")
        rows = partial(adapterlog.rows, tuple(files))
        found = meaning.machine(name, rows, mapping, None, device_units(folder, name))
        if found:
            yield found


def _from_tables(
    layouts: list[Layout], mapping: Mapping, say: Callable[[str], None]
) -> Iterator[MachineRecording]:
    tables = Tables(_said(layouts, say))
    for name in tables.machines():
        say(name)
        interval = tables.interval(name)
        silent = interval * _ROWS_MISSING if interval else None
        found = meaning.machine(name, partial(tables.rows, name), mapping, silent)
        if found:
            yield found


def _said(layouts: list[Layout], say: Callable[[str], None]) -> Iterator[Layout]:
    for one in layouts:
        say(f"{one.path.name}: its rows")
        yield one


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
