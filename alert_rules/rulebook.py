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
    rules: list[Rule] = []
    complaints: list[str] = []
    for i, block in enumerate(blocks):
        where = f"rules[{i}] {block.get('name', '')}".strip()
        try:
            rules.extend(_read(block, where, plant, kinds, notifiers))
        except ValidationError as cause:
            complaints.extend(explain(cause, where))
        except ConfigError as cause:
            complaints.extend(cause.complaints)
    if complaints:
        raise ConfigError(*complaints)
    return rules


def _read(
    block: Mapping[str, Any],
    where: str,
    plant: Plant,
    kinds: Mapping[str, type[RuleKind]],
    notifiers: Sequence[str],
) -> list[Rule]:
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
        return []
    text = json.dumps(block, sort_keys=True, default=str, ensure_ascii=False)
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return [replace(rule, version=version) for rule in config.expand(plant, where)]
