"""The page's table of layers is the one that the import check holds, and names every module there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def held() -> list[set[str]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    return [{name.strip("()") for name in layer.split(" | ")} for layer in layers]


def test_the_table_of_layers_is_the_one_that_is_checked() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("**Layers**")[2].partition("|---|---|\n")[2].partition("\n\n")[0]
    assert [set(re.findall(r"`([a-z_.]+)`", row)) for row in table.splitlines()] == held()


def test_every_module_of_the_hub_has_its_layer() -> None:
    found = {f"hub.{p.stem}" for p in (ROOT / "hub").glob("*.py") if p.stem != "__init__"}
    found |= {f"hub.{p.parent.name}" for p in (ROOT / "hub").glob("*/__init__.py")}
    assert found <= set().union(*held())
