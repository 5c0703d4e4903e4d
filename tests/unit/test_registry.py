"""Plugins are found by entry point, read by their own Config, and refused with a name and a remedy."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest
from pydantic import SecretStr

from hub import registry
from hub.config import Block
from hub.errors import ConfigError
from hub.outline import PluginBlock
from hub.registry import DISTRIBUTION, GROUPS, Kinds, configured, intruders, plugins

SECRET = "hunter2-topsecret"


class LampConfig(Block):
    colour: str
    key: SecretStr
    port: int = 1


class Lamp:
    Config = LampConfig


NoConfig = object


def block(kind: str = "lamp", **with_: Any) -> PluginBlock:
    return PluginBlock.model_validate({"name": "l", "kind": kind, "with": with_})


# ------------------------------------------------------------------ found
@pytest.mark.parametrize("family", GROUPS)
def test_every_family_has_a_plugin_of_ours_and_each_can_be_read(family: str) -> None:
    found = plugins(family)
    assert found
    for kind, cls in found.items():
        assert kind == kind.lower()
        assert hasattr(cls, "model_validate") or hasattr(cls, "Config"), f"{kind} has no configuration"
        assert cls.__doc__ or cls.__module__, kind


def entries(*found: tuple[str, str]) -> Any:
    def of_group(*, group: str) -> list[EntryPoint]:
        return [EntryPoint(name, value, group) for name, value in found]

    return of_group


HERE = "tests.unit.test_registry"


def test_other_peoples_plugins_are_found_like_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", entries(("lamp", f"{HERE}:Lamp")))
    assert {k: c.__name__ for k, c in plugins("notifiers").items()} == {"lamp": "Lamp"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("not_there.at_all:Lamp", "cannot be imported: No module named 'not_there'"),
        (f"{HERE}:Lampe", "cannot be imported"),
        (f"{HERE}:NoConfig", "has no Config"),
        (f"{HERE}:SECRET", "has no Config"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    monkeypatch.setattr(registry, "entry_points", entries(("lamp", value)))
    with pytest.raises(ConfigError) as wrong:
        plugins("notifiers")
    assert told in str(wrong.value) and f"plugin lamp ({value})" in str(wrong.value)


def test_two_plugins_of_one_name_are_refused_and_one_that_is_found_twice_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "entry_points", entries(*[("lamp", f"{HERE}:Lamp")] * 2))
    assert len(plugins("notifiers")) == 1
    monkeypatch.setattr(registry, "entry_points", entries(("lamp", f"{HERE}:Lamp"), ("lamp", "other:Lamp")))
    with pytest.raises(ConfigError, match="other:Lamp both say they are it; remove one"):
        plugins("notifiers")


def test_only_what_a_plant_uses_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        registry, "entry_points", entries(("lamp", f"{HERE}:Lamp"), ("horn", "not_there:Horn"))
    )
    kinds = Kinds("notifiers")
    assert sorted(kinds) == ["horn", "lamp"] and "horn" in kinds and "bell" not in kinds
    assert kinds["lamp"] is Lamp
    with pytest.raises(ConfigError, match="not_there"):
        kinds["horn"]


# ------------------------------------------------------------------ read
KNOWN = {"lamp": Lamp, "horn": Lamp}


def test_a_block_is_read_by_its_plugins_own_config() -> None:
    cls, config = configured("notifiers", block(colour="red", key=SECRET), KNOWN, "notifiers[0] l")
    assert cls is Lamp
    assert config == LampConfig(colour="red", key=SecretStr(SECRET))
    assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (block("lamb"), ["notifiers[0] l: kind 'lamb' is unknown; did you mean 'lamp'?"]),
        (block("sms"), ["notifiers[0] l: kind 'sms' is unknown; choose one of horn, lamp"]),
        (block(color="red", key="x"), [
            "notifiers[0] l.with: colour: is missing; add it",
            "notifiers[0] l.with: color: unknown key; did you mean 'colour'?",
        ]),
        (block(colour="red", key="x", port="many"), [
            "notifiers[0] l.with: port: expected a whole number",
        ]),
    ],
)  # fmt: skip
def test_a_wrong_block_is_told_by_its_place_and_the_remedy(given: PluginBlock, told: list[str]) -> None:
    with pytest.raises(ConfigError) as wrong:
        configured("notifiers", given, KNOWN, "notifiers[0] l")
    assert list(wrong.value.complaints) == told


@pytest.mark.parametrize(
    "wrong", [{"key": [SECRET]}, {"colour": [SECRET]}, {"port": SECRET}, {SECRET[:3]: SECRET}]
)
def test_no_complaint_quotes_what_was_given(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        configured("notifiers", block(**{"colour": "red", "key": SECRET, **wrong}), KNOWN, "n")
    assert SECRET not in str(refused.value)


# ------------------------------------------------------------------ our names
def test_our_package_names_are_ours_alone_here() -> None:
    assert intruders() == []


def test_a_distribution_that_brings_one_of_our_packages_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {
        "hub": [DISTRIBUTION, "hub", "hub"],
        "notifiers": ["notifiers"],
        "rich": ["rich"],
        "screens": [],
    }
    monkeypatch.setattr(registry, "packages_distributions", lambda: owners)
    assert intruders() == [
        "hub: also installed by hub; remove it",
        "notifiers: also installed by notifiers; remove it",
    ]
