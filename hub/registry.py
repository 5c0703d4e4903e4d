"""Entry points to plugin classes, and each `with:` block read by its plugin's own Config."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points, packages_distributions
from typing import Any

from pydantic import BaseModel, ValidationError

from hub.config import explain
from hub.errors import ConfigError
from hub.outline import PluginBlock

GROUPS = {
    "collectors": "andon_hub.collectors",
    "mes": "andon_hub.mes_sources",
    "notifiers": "andon_hub.notifiers",
    "erp": "andon_hub.erp_connectors",
    "rules": "andon_hub.rules",
}
ROOTS = ("hub", "collectors", "alert_rules", "notifiers", "erp_bridge", "screens")
DISTRIBUTION = "andon-hub"


class Kinds(Mapping[str, Any]):
    """kind -> class, imported when it is asked for: a plant without OPC UA does not pay for it.

    A plugin that cannot be used is a ConfigError that names it and says what to do.
    """

    def __init__(self, family: str) -> None:
        self._entries: dict[str, EntryPoint] = {}
        self._loaded: dict[str, Any] = {}
        for entry in entry_points(group=GROUPS[family]):
            other = self._entries.setdefault(entry.name, entry)
            if other.value != entry.value:
                raise ConfigError(
                    f"plugin {entry.name}: {other.value} and {entry.value} both say they are it; remove one"
                )

    def __getitem__(self, kind: str) -> Any:
        if kind not in self._loaded:
            self._loaded[kind] = _loaded(self._entries[kind])
        return self._loaded[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def plugins(family: str) -> dict[str, Any]:
    """Every kind of the family, imported; raises what `Kinds` raises."""
    return dict(Kinds(family))


def _loaded(entry: EntryPoint) -> Any:
    try:
        cls = entry.load()
    except (ImportError, AttributeError) as cause:
        raise ConfigError(
            f"plugin {entry.name} ({entry.value}) cannot be imported: {cause}; install it again or remove it"
        ) from None
    if not issubclass(cls if isinstance(cls, type) else object, BaseModel) and not _has_config(cls):
        raise ConfigError(f"plugin {entry.name} ({entry.value}) has no Config to read its with: block by")
    return cls


def _has_config(cls: Any) -> bool:
    config = getattr(cls, "Config", None)
    return isinstance(config, type) and issubclass(config, BaseModel)


def configured(
    family: str, block: PluginBlock, known: Mapping[str, Any], where: str
) -> tuple[Any, BaseModel]:
    """(class, its config) of one block; raises ConfigError with the YAML path."""
    if block.kind not in known:
        near = difflib.get_close_matches(block.kind, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(sorted(known))}"
        raise ConfigError(f"{where}: kind {block.kind!r} is unknown; {hint}")
    cls = known[block.kind]
    try:
        return cls, cls.Config.model_validate(block.with_)
    except ValidationError as cause:
        raise ConfigError(*explain(cause, f"{where}.with")) from None


def intruders() -> list[str]:
    """Our package names that belong to another distribution too: its files may have replaced ours."""
    owners = packages_distributions()
    return [
        f"{root}: also installed by {', '.join(sorted(set(owners[root]) - {DISTRIBUTION}))}; remove it"
        for root in ROOTS
        if set(owners.get(root, ())) - {DISTRIBUTION}
    ]
