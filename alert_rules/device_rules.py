"""A rule for each device, without anybody writing one. Pure.

Where a written no-data rule is about all of a device, it is that device's alarm and none is added. One that
is about a part of it keeps quiet while the whole device is away, and whom it would have told is told instead.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from alert_rules.rule import Loss, Rule, Silence
from alert_rules.suppression import RuleHolds, Suppressor
from hub.errors import ConfigError
from hub.model.alarm import Priority
from hub.model.device import Device
from hub.model.words import Words

DEVICE_LOST = "device-lost"


@dataclass(frozen=True, slots=True)
class DeviceLost:
    """How the loss of a device is told. `after`: away for so long; `back`: heard again for so long;
    `silence`: how much longer than a signal may be silent nothing comes from a device that repeats itself,
    `quiet`: from one that speaks of changes only (zero: its silence tells nothing)."""

    after: timedelta = timedelta(seconds=5)
    back: timedelta = timedelta(seconds=5)
    silence: timedelta = timedelta(seconds=30)
    quiet: timedelta = timedelta(minutes=10)
    priority: Priority = Priority.HIGH
    ticket: bool = False
    tell: tuple[str, ...] = ()


def with_devices(
    rules: Sequence[Rule], devices: Iterable[Device], told: DeviceLost, notifiers: Sequence[str]
) -> list[Rule]:
    """The rules and those of the devices. Raises ConfigError for a notifier that is not there."""
    refuse_unknown("hub.device_lost.tell", told.tell, notifiers)
    written = {frozenset(r.condition.tags): r for r in rules if isinstance(r.condition, Silence)}
    made: list[Rule] = []
    out = list(rules)
    for device in devices:
        mine = frozenset(device.tags)
        if any(mine <= tags for tags in written):
            continue
        behind = [r for tags, r in written.items() if tags < mine]
        rule = _rule(device, told, behind)
        made.append(rule)
        quiet = Suppressor(RuleHolds(frozenset({(rule.name, rule.subject)})), rule.title, told.back)
        out = [replace(r, suppressors=(*r.suppressors, quiet)) if r in behind else r for r in out]
        written = {t: next(o for o in out if _same(o, r)) for t, r in written.items()}
    return [*out, *made]


def refuse_unknown(where: str, tell: Sequence[str], notifiers: Sequence[str]) -> None:
    """Raise ConfigError for a notifier that is not there."""
    for name in tell:
        if name not in notifiers:
            near = difflib.get_close_matches(name, notifiers, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(notifiers) or 'none'}"
            raise ConfigError(f"{where}: no notifier {name!r}; {hint}")


def _rule(device: Device, told: DeviceLost, behind: Sequence[Rule]) -> Rule:
    tell = dict.fromkeys([*told.tell, *(name for r in behind for name in r.tell)])
    silence = told.silence if device.regular else told.quiet or None
    loss = Loss(device.name, device.tags, device.part_of, silence, device.told)
    return Rule(
        DEVICE_LOST, device.name, device.equipment, loss,
        max([told.priority, *(r.priority for r in behind)]),
        Words(f"设备失联：{device.name}", f"Device lost: {device.name}"),
        on_delay=told.after, off_delay=told.back, ticket=told.ticket, tell=tuple(tell),
        version=hashlib.sha256(repr(told).encode()).hexdigest()[:12],
    )  # fmt: skip


def _same(one: Rule, other: Rule) -> bool:
    return (one.name, one.subject) == (other.name, other.subject)
