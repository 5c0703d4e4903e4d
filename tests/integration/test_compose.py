"""docker-compose.yml keeps to the compose specification and to our own rules; no engine is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.plan import PARTS, parts_of
from hub.training import checkout

FILE = checkout() / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
OURS = {name: block for name, block in SERVICES.items() if block["image"].startswith("andon-hub:")}
HERE = str(Path(sys.executable).parent)
FOUND = shutil.which("docker-compose", path=HERE) or shutil.which("docker-compose")
needs_compose = pytest.mark.skipif(
    FOUND is None, reason="no docker-compose on this machine: install the development requirements"
)


def complaints(file: Path) -> str:
    """Of the reference implementation; `config` reads and resolves, and asks no daemon.

    What it says counts, not its exit code: the launcher of the Python package does not pass that on.
    """
    assert FOUND is not None
    command = [FOUND, "-f", str(file), "config", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"exit code {done.returncode}")


@needs_compose
def test_the_file_is_valid_against_the_specification() -> None:
    assert complaints(FILE) == ""


@needs_compose
@pytest.mark.parametrize(
    ("what", "to", "told"),
    [
        ("healthcheck:", "healthchek:", "healthchek"),
        ("condition: service_healthy", "condition: healthy", "condition"),
        ("secrets: [database_password]", "secrets: [database_pasword]", "undefined secret"),
        ("timescaledb: {condition", "timescale: {condition", "undefined service"),
    ],
)
def test_the_validator_sees_mistakes(tmp_path: Path, what: str, to: str, told: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert what in text
    (tmp_path / "docker-compose.yml").write_text(text.replace(what, to), encoding="utf-8")
    assert told in complaints(tmp_path / "docker-compose.yml")


def test_the_services_are_those_that_were_promised() -> None:
    assert set(SERVICES) == {"timescaledb", "redis", "hub", "collectors", "workers"}
    assert set(OURS) == {"hub", "collectors", "workers"}


def test_all_our_services_are_one_image_built_from_one_file() -> None:
    assert len({(b["image"], str(b["build"])) for b in OURS.values()}) == 1
    assert (FILE.parent / OURS["hub"]["build"]["dockerfile"]).is_file()
    version = re.search(r'^version = "(.+)"$', (FILE.parent / "pyproject.toml").read_text(), re.M)
    assert version is not None
    assert OURS["hub"]["image"] == f"andon-hub:{version[1]}"


def test_the_parts_that_the_commands_name_exist_and_none_is_left_out_or_run_twice() -> None:
    run = [part for block in OURS.values() for part in parts_of(block["command"][-1].split(","))]
    assert sorted(run) == sorted(PARTS)
    for block in OURS.values():
        assert block["command"][:-1] == ["andon", "run", "--config", "/etc/andon/plant.yaml", "--parts"]
        assert "./plant.yaml:/etc/andon/plant.yaml:ro" in block["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_and_comes_back(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= set(check)
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["logging"], "logs that grow for ever fill the disk of a plant's machine"


def test_ours_wait_until_the_record_and_the_belt_answer() -> None:
    for block in OURS.values():
        assert block["depends_on"] == {
            "timescaledb": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
        }


def test_only_the_hub_can_be_reached_from_outside() -> None:
    assert {n for n, b in SERVICES.items() if "ports" in b or b.get("network_mode")} == {"hub"}
    assert SERVICES["hub"]["environment"]["ANDON_HOST"] == "0.0.0.0"


def test_no_secret_stands_in_an_environment_or_a_command() -> None:
    telling = re.compile(r"(?i)password|secret|token|key|_url$|database|redis")
    for name, block in SERVICES.items():
        for variable, value in block.get("environment", {}).items():
            if telling.search(variable) and variable not in {"POSTGRES_DB", "ANDON_PUBLIC_URL"}:
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"
        said = " ".join(map(str, (*block.get("command", ()), *block["healthcheck"]["test"])))
        assert "PASS" not in said.upper() or "/run/secrets/" in said, name


def test_every_secret_is_a_file_that_version_control_does_not_see() -> None:
    secrets = yaml.safe_load(FILE.read_text(encoding="utf-8"))["secrets"]
    used = {s for b in SERVICES.values() for s in b.get("secrets", ())}
    assert set(secrets) == used
    assert {str(s["file"]).rpartition("/")[0] for s in secrets.values()} == {"./secrets"}
    for keeper in (".gitignore", ".dockerignore"):
        lines = (FILE.parent / keeper).read_text(encoding="utf-8").split()
        assert {"secrets", "secrets/", "/secrets/"} & set(lines), f"{keeper} lets secrets through"


def test_ours_run_with_no_more_powers_than_they_need() -> None:
    for name, block in OURS.items():
        assert block["read_only"] is True, name
        assert block["cap_drop"] == ["ALL"], name
        assert block["tmpfs"] == ["/tmp"], f"{name}: the word for `andon alive` is left there"
        assert block["init"] is True, name
    lines = (FILE.parent / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER andon" in lines, "not as root"
    assert any("--require-hashes -r requirements/run.lock" in line for line in lines)
