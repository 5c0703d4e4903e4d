"""The README keeps its word: what it tells people to type and to set is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
import yaml
from click import Command

from hub.cli import app
from hub.settings import _OVERRIDES
from tests.simulators.replay.mapping import Mapping

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OURS = re.compile(r"\bANDON_[A-Z_]+[A-Z]\b")
NOT_FOR_OPERATORS = re.compile(r"ANDON_(DEMO_.*|FAILPOINTS|PARENT|DATA_SETS|TIMESCALE_.*|CHROMIUM)$|.*_FILE$")


def commands() -> dict[str, Command]:
    group = typer.main.get_command(app)
    return dict(group.commands)  # type: ignore[attr-defined]


def test_every_variable_an_operator_may_set_is_told_and_none_that_is_not_there() -> None:
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "hub").rglob("*.py")]
    known = {name for text in sources for name in OURS.findall(text)}
    known |= {f"ANDON_{name.upper()}" for name in _OVERRIDES}
    wanted = {name for name in known if not NOT_FOR_OPERATORS.match(name)}
    told = set(OURS.findall(README))
    assert wanted <= told, "not in the README"
    assert told <= known, "told and not there"


TYPED = re.findall(r"\bandon ([a-z]+)((?: [^`\n]*)?)`", README)


def test_the_readme_has_commands_to_type() -> None:
    assert {"check", "doctor", "run", "replay", "wall", "password"} <= {name for name, _ in TYPED}


@pytest.mark.parametrize(("name", "words"), TYPED)
def test_every_command_it_tells_exists_with_its_options(name: str, words: str) -> None:
    known = commands()[name]
    options = {o for p in known.params for o in (*p.opts, *p.secondary_opts)}
    assert set(re.findall(r"(?<=\s)--?[a-z-]+", words)) <= options


def test_every_option_of_the_demo_it_tells_exists() -> None:
    options = {o for p in commands()["demo"].params for o in (*p.opts, *p.secondary_opts)}
    told = re.search(r'make demo ARGS="([^"]+)"', README)
    assert told and set(re.findall(r"--[a-z-]+", told[1])) <= options


def test_every_target_of_make_it_tells_exists() -> None:
    targets = set(
        re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    told = set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= told <= targets


def test_its_example_of_a_mapping_is_one() -> None:
    example = re.search(r"```yaml\n(zone:.*?)```", README, re.DOTALL)
    assert example
    read = Mapping.model_validate(yaml.safe_load(example[1]))
    assert (read.zone, read.fault, read.ignore) == ("UTC", "alarm", ["batch_id"])


def test_every_page_it_points_to_is_there() -> None:
    for place in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / place).exists(), place
