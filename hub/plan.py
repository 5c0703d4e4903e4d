"""What a settings file asks for, known before anything is opened: rules, tags' classes, what cannot be.

Everything here raises ConfigError that names the file, the field and the remedy.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alert_rules import orphans
from alert_rules.device_rules import DeviceLost, with_devices
from alert_rules.line_rules import LineTold, with_lines
from alert_rules.rule import Rule, matching
from alert_rules.rulebook import rulebook
from hub import one_source
from hub.clock import SystemClock
from hub.errors import ConfigError
from hub.house import Plugins, read_plugins, readable_plugins, with_numbers
from hub.kpi.shift_overlaps import overlaps
from hub.model.alarm import Priority
from hub.model.device import devices_of
from hub.ports import Clock, Plant
from hub.registry import plugins
from hub.settings import Settings
from hub.store.tag_classes import TagClass

PARTS = ("web", "writer", "rules", "upkeep", "collectors", "mes", "notifiers", "bridge")
SERVICES = {
    "all": PARTS,
    "hub": ("web", "writer", "rules", "upkeep"),
    "collectors": ("collectors", "mes"),
    "workers": ("notifiers", "bridge"),
}


def parts_of(asked: Sequence[str]) -> tuple[str, ...]:
    """Names of parts and of services (`hub`, `collectors`, `workers`, `all`), as parts."""
    known = list(dict.fromkeys((*SERVICES, *PARTS)))
    out: list[str] = []
    for name in filter(None, (a.strip() for a in asked)):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
            raise ConfigError(f"--parts: {name!r} is unknown; {hint}")
        out.extend(p for p in SERVICES.get(name, (name,)) if p not in out)
    if not out:
        raise ConfigError(f"--parts: names nothing to run; choose from {', '.join(known)}")
    return tuple(out)


@contextlib.contextmanager
def _named(settings: Settings) -> Iterator[None]:
    """Complaints of the block name the file."""
    try:
        yield
    except ConfigError as cause:
        raise ConfigError(*(f"{settings.source}: {c}" for c in cause.complaints)) from None


def read_rules(settings: Settings, plant: Plant) -> list[Rule]:
    blocks = [dict(b.model_dump()) for b in settings.file.rules]
    if settings.file.erp is not None and all(b.get("kind") != orphans.KIND for b in blocks):
        blocks.append(dict(orphans.DEFAULT))
    notifiers = [n.name for n in settings.file.notifiers]
    with _named(settings):
        return rulebook(blocks, plant, plugins("rules"), notifiers)


def with_device_rules(
    settings: Settings, rules: list[Rule], collectors: Mapping[str, Any], plant: Plant
) -> list[Rule]:
    """With one for each device that a collector reads, unless `hub.device_lost` is switched off."""
    block = settings.file.hub.device_lost
    if not block.enabled:
        return rules
    told = DeviceLost(
        block.after, block.back, block.silence, block.quiet, Priority[block.priority.upper()], block.ticket,
        block.tell,
    )  # fmt: skip
    tags = {t.number: t for t in plant.tags.values()}
    devices = [
        device
        for name, made in collectors.items()
        for device in devices_of(
            name, made.tag_numbers, getattr(made, "parts", {}), tags,
            regular=getattr(made, "repeats_what_stands", True),
            told=getattr(made, "tells_who_is_gone", False),
        )
    ]  # fmt: skip
    with _named(settings):
        return with_devices(rules, devices, told, [n.name for n in settings.file.notifiers])


def with_line_rules(
    settings: Settings, rules: list[Rule], collectors: Mapping[str, Any], plant: Plant
) -> list[Rule]:
    """With those of each line that its collector knows, unless `hub.line_alarms` is switched off."""
    block = settings.file.hub.line_alarms
    if not block.enabled:
        return rules
    told = LineTold(Priority[block.open.upper()], Priority[block.certificates.upper()], block.tell)
    tags = {t.number: t for t in plant.tags.values()}
    knowing = {name: made for name, made in collectors.items() if hasattr(made, "line")}
    sources = [d for name, made in knowing.items() for d in devices_of(name, made.tag_numbers, {}, tags)[:1]]
    with _named(settings):
        return with_lines(rules, sources, told, [n.name for n in settings.file.notifiers])


def tag_classes(settings: Settings, plant: Plant) -> tuple[TagClass, ...]:
    """Raises ConfigError for a pattern that no tag fits."""
    made = []
    for n, block in enumerate(settings.file.hub.retention):
        fitting = matching(block.tags, plant.tags, f"{settings.source}: hub.retention[{n}].tags")
        made.append(TagClass(frozenset(plant.tags[path].number for path in fitting), block.raw))
    return tuple(made)


def notes(settings: Settings) -> list[str]:
    """What may be meant as it is written, and may be a slip: told, and no reason not to start."""
    used = readable_plugins(settings, [])
    found = [
        f"{block}[{i}] {use.name}.with.{note}"
        for block, uses in (("collectors", used.collectors), ("mes", used.mes))
        for i, use in enumerate(uses)
        if hasattr(use.config, "notes")
        for note in use.config.notes()
    ]
    shifts = settings.plant.shifts
    return found + [
        f"shifts[{a}] {shifts[a].name.en} and shifts[{b}] {shifts[b].name.en} overlap from {start:%H:%M} to "
        f"{end:%H:%M}: that time counts for the one that began later; let one end where the other begins, "
        "if that is not meant"
        for a, b, start, end in overlaps(shifts)
    ]


def _sources(used: Plugins) -> dict[str, int]:
    names = ", ".join(use.name for use in used.mes)
    return {f"MES sources ({names})": len(used.mes)} if names else {}


def refuse_wrong_points(settings: Settings, used: Plugins, plant: Plant) -> None:
    """A point that names a tag the plant does not have is told now, not when the connection is made."""
    first_collectors(settings, used, plant, SystemClock())


def first_collectors(settings: Settings, used: Plugins, plant: Plant, clock: Clock) -> dict[str, Any]:
    """A collector for each source's first connection; raises what `refuse_wrong_points` raises."""
    made, complaints = {}, []
    for use in used.collectors:
        try:
            made[use.name] = use.cls(use.config, clock, plant.tags, use.name)
        except ConfigError as cause:
            complaints += [f"{settings.source}: {c}" for c in cause.complaints]
    complaints += [f"{settings.source}: {c}" for c in one_source.refused(plant.tags.values(), made)]
    if complaints:
        raise ConfigError(*complaints)
    return made


def refuse_deaf_parts(settings: Settings, parts: Sequence[str]) -> None:
    """Samples that nobody takes, or takers to whom none can come: without Redis each process hears itself."""
    if settings.file.hub.redis is not None or not settings.file.collectors:
        return
    reads, takes = "collectors" in parts, bool({"writer", "rules"} & set(parts))
    if reads != takes:
        raise ConfigError(
            "hub.redis: collectors and writer run in processes of their own and need a server between them; "
            "name one with hub.redis or ANDON_REDIS, or run all parts in one process"
        )


def check(settings: Settings) -> dict[str, int]:
    """Everything that can be known without a plant; raises ConfigError. Answers with counts to show."""
    plant = with_numbers(settings.plant, {t: i for i, t in enumerate(settings.plant.tags, 1)})
    complaints: list[str] = []
    used = rules = None
    try:
        used = read_plugins(settings)
        refuse_wrong_points(settings, used, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    try:
        tag_classes(settings, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    try:
        rules = read_rules(settings, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    if used is None or rules is None or complaints:
        raise ConfigError(*complaints)
    return {
        "machines": len(plant.machines()),
        "tags": len(plant.tags),
        "collectors": len(used.collectors),
        **_sources(used),
        "rules": len(settings.file.rules),
        "conditions": len(rules),
        "notifiers": len(used.notifiers),
        "people": len(plant.people),
    }
