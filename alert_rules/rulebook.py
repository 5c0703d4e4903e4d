"""The `rules:` of the configuration, made into one rule for each subject. Pure."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pydantic import ValidationError

from alert_rules.rule import Rule
from alert_rules.suppressors import circles, resolve
from hub.config import explain
from hub.errors import ConfigError
from hub.ports import Plant


class RuleKind(Protocol):
    """A family of rules: a config model that knows which subjects it is about."""

    @classmethod
    def model_validate(cls, obj: Any) -> Any: ...

    def expand(self, plant: Plant, where: str) -> list[Rule]: ...


def rulebook(
    blocks: Sequence[Mapping[str, Any]],
    plant: Plant,
    kinds: Mapping[str, type[RuleKind]],
    notifiers: Sequence[str],
) -> list[Rule]:
    """Every enabled rule on every subject; raises ConfigError with all complaints at once."""
    read: list[_Read] = []
    complaints: list[str] = []
    for i, block in enumerate(blocks):
        where = f"rules[{i}] {block.get('name', '')}".strip()
        try:
            read.append((where, *_read(block, where, plant, kinds, notifiers)))
        except ValidationError as cause:
            complaints.extend(explain(cause, where))
        except ConfigError as cause:
            complaints.extend(cause.complaints)
    if complaints:
        raise ConfigError(*complaints)
    return _with_suppressors(read, plant)


_Read = tuple[str, Any, list[Rule]]  # where it stands in the file, its config, what it became


def _with_suppressors(read: Sequence[_Read], plant: Plant) -> list[Rule]:
    """Once all rules are known: `suppressed_when:` may name any of them."""
    complaints: list[str] = []
    known = [rule for _, _, rules in read for rule in rules]
    out: list[Rule] = []
    for where, config, rules in read:
        for rule in rules:
            try:
                out.append(resolve(rule, config.suppressed_when, known, plant))
            except ConfigError as cause:
                complaints.extend(f"{where}: {c}" for c in cause.complaints)
    for names in circles(out):
        complaints.append(
            f"rules: {' -> '.join((*names, names[0]))} suppress one another, so that none would ever speak; "
            "take suppressed_when out of one of them"
        )
    if complaints:
        raise ConfigError(*dict.fromkeys(complaints))
    return out


def _read(
    block: Mapping[str, Any],
    where: str,
    plant: Plant,
    kinds: Mapping[str, type[RuleKind]],
    notifiers: Sequence[str],
) -> tuple[Any, list[Rule]]:
    kind = str(block.get("kind", ""))
    if kind not in kinds:
        near = difflib.get_close_matches(kind, kinds, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(sorted(kinds))}"
        raise ConfigError(f"{where}: kind {kind!r} is unknown; {hint}")
    config = kinds[kind].model_validate(dict(block))
    for name in config.tell:
        if name not in notifiers:
            raise ConfigError(
                f"{where}: tell: no notifier {name!r}; known are {', '.join(notifiers) or 'none'}"
            )
    if not config.enabled:
        return config, []
    text = json.dumps(block, sort_keys=True, default=str, ensure_ascii=False)
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return config, [
        replace(rule, version=version, latched=config.latched, realarm_after=config.realarm_after)
        for rule in config.expand(plant, where)
    ]
