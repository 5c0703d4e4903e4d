"""What `suppressed_when:` of a rule means for one subject in this plant, or what is wrong with it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from alert_rules.rule import Rule
from alert_rules.suppressed_when import SuppressedWhen
from alert_rules.suppression import Key, RuleHolds, StateIs, Suppressor, ValueIs
from hub.errors import ConfigError
from hub.model.equipment import Equipment, EquipmentState
from hub.model.state_words import STATE_WORDS
from hub.model.words import Words
from hub.ports import Plant


def resolve(rule: Rule, reasons: Sequence[SuppressedWhen], rules: Sequence[Rule], plant: Plant) -> Rule:
    """The rule with its suppressors; raises ConfigError with all complaints, each with its key and remedy."""
    found: list[Suppressor] = []
    complaints: list[str] = []
    for i, reason in enumerate(reasons):
        where = f"suppressed_when[{i}]" if len(reasons) > 1 else "suppressed_when"
        try:
            found.append(_suppressor(rule, reason, rules, plant))
        except ConfigError as cause:
            complaints += [f"{where}.{c}" for c in cause.complaints]
    if complaints:
        raise ConfigError(*complaints)
    return replace(rule, suppressors=tuple(found))


def _suppressor(rule: Rule, reason: SuppressedWhen, rules: Sequence[Rule], plant: Plant) -> Suppressor:
    if reason.tag:
        return _by_value(rule, reason, plant)
    machine = _machine(reason.equipment or rule.equipment, plant)
    name = plant.full_name(machine.path) if reason.equipment else Words("设备", "the machine")
    if reason.state:
        return _by_state(machine, name, reason)
    return _by_rule(rule, machine, reason, rules)


def _by_state(machine: Equipment, name: Words, reason: SuppressedWhen) -> Suppressor:
    if not machine.state_tag:
        raise ConfigError(f"state: {machine.path} has no state: block; add one")
    known = {*machine.state_map.values(), EquipmentState.UNKNOWN}
    if not known & set(reason.state):
        raise ConfigError(
            f"state: no code of {machine.path} means {', '.join(reason.state)}; add it to its state.map"
        )
    zh = "、".join(STATE_WORDS[s].zh for s in reason.state)
    en = " or ".join(STATE_WORDS[s].en for s in reason.state)
    why = Words(f"{name.zh}处于{zh}", f"{name.en} is {en}")
    return Suppressor(StateIs(machine.path, frozenset(reason.state)), why, reason.off_delay)


def _by_rule(rule: Rule, machine: Equipment, reason: SuppressedWhen, rules: Sequence[Rule]) -> Suppressor:
    names = list(dict.fromkeys(r.name for r in rules))
    if reason.rule not in names:
        raise ConfigError(f"rule: no enabled rule {reason.rule!r}{_near(reason.rule, names)}")
    there = [r for r in rules if r.name == reason.rule and r.equipment == machine.path]
    causes = [r for r in there if (r.name, r.subject) != (rule.name, rule.subject)]
    if not causes:
        raise ConfigError(
            f"rule: {reason.rule!r} watches nothing else on {machine.path}; name a rule that does, "
            "or its machine with equipment:"
        )
    title = causes[0].title
    why = Words(f"已有报警“{title.in_('zh')}”", f"“{title.in_('en')}” is the cause")
    return Suppressor(RuleHolds(frozenset((r.name, r.subject) for r in causes)), why, reason.off_delay)


def _by_value(rule: Rule, reason: SuppressedWhen, plant: Plant) -> Suppressor:
    path = reason.tag if "/" in reason.tag else f"{rule.equipment}/{reason.tag}"
    if path not in plant.tags:
        raise ConfigError(f"tag: no tag {path!r} in the plant{_near(path, list(plant.tags))}")
    tag = plant.tags[path]
    if reason.above is not None:
        said = f"> {reason.above:g}"
    elif reason.below is not None:
        said = f"< {reason.below:g}"
    else:
        said = f"= {', '.join(map(str, reason.is_))}"
    why = Words(
        f"{tag.label.in_('zh')} {said} {tag.unit}".strip(), f"{tag.label.in_('en')} {said} {tag.unit}".strip()
    )
    when = ValueIs(tag.number, reason.above, reason.below, frozenset(reason.is_))
    return Suppressor(when, why, reason.off_delay)


def _machine(path: str, plant: Plant) -> Equipment:
    machines = [m.path for m in plant.machines()]
    if path not in machines:
        raise ConfigError(f"equipment: no machine {path!r} in the plant{_near(path, machines)}")
    return plant.equipment[path]


def _near(wanted: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known[:5]) or 'none'}"


def circles(rules: Sequence[Rule]) -> list[tuple[str, ...]]:
    """Names of rules that suppress one another in a circle: none of them would ever speak."""
    causes: dict[Key, set[Key]] = {
        (r.name, r.subject): {k for s in r.suppressors if isinstance(s.when, RuleHolds) for k in s.when.keys}
        for r in rules
    }
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for start in causes:
        way = _way_back(start, causes)
        if way:
            names = tuple(name for name, _ in way)
            found.setdefault(frozenset(names), names)
    return list(found.values())


def _way_back(start: Key, causes: Mapping[Key, set[Key]]) -> list[Key]:
    """The shortest way from a rule over its causes to itself, [] where there is none."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        for cause in sorted(causes.get(way[-1], ())):
            if cause == start:
                return way
            if cause not in seen:
                seen.add(cause)
                ways.append([*way, cause])
    return []
