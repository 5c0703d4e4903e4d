"""From a file that was just written to the first person who logs in: following what the commands print."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.browsing import FIRST, browsed, written
from hub.checkup import checkup
from hub.cli import app
from hub.errors import ConfigError
from hub.model.people import Role
from hub.people import refuse_unknown
from hub.settings import load

MACHINE = {"id": "m", "name": "M", "tags": {"t": {"name": "T"}}}
PLANT = {
    "plant": {"id": "p9", "name": "P", "areas": [
        {"id": "a", "name": "A", "lines": [{"id": "l", "name": "L", "machines": [MACHINE]}]}
    ]},
    "collectors": [{"name": "opcua", "kind": "opcua", "with": {}}],
}  # fmt: skip


class Offering:
    """A server with one machine."""

    @staticmethod
    async def browse(*_: object) -> object:
        return {**PLANT, "collectors": [{"name": "opcua", "kind": "opcua", "with": {
            "nodes": [{"tag": "p9/a/l/m/t", "node": "ns=2;i=1"}]
        }}]}  # fmt: skip


@pytest.mark.anyio
async def test_what_browse_writes_lets_its_first_person_in_by_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.browsing.Kinds", lambda _: {"opcua": Offering})
    to = tmp_path / "my tags.yaml"
    said = list(written(await browsed("opc.tcp://x:1", None, True, (), (), "p9/a/l", False), to))
    checkup(to)
    settings = load(to, {})
    person = settings.plant.people[FIRST]
    assert (person.roles, person.scopes) == ({Role.ADMIN}, ("p9",))
    refuse_unknown(settings, FIRST)
    typed = [line.strip() for line in said if line.startswith("  andon ")]
    assert [line.split()[1] for line in typed] == ["check", "password", "run"], "in the order to type them"
    assert all(f"-c '{to}'" in line for line in typed)
    assert f"password {FIRST} " in typed[1] and "/console" in typed[2]


def refused(person: str, file: Path) -> str:
    found = CliRunner().invoke(app, ["password", person, "-c", str(file)], input="").exception
    assert isinstance(found, ConfigError), found
    return str(found)


@pytest.mark.parametrize(
    ("people", "role"),
    [("", Role.ADMIN), ("people:\n- {id: li, name: Li, roles: [technician], scopes: [p9]}\n", Role.OPERATOR)],
)
def test_lines_that_are_told_for_somebody_unknown_make_them_known(
    tmp_path: Path, people: str, role: Role
) -> None:
    file = tmp_path / "plant.yaml"
    areas = "[{id: a, name: A, lines: [{id: l, name: L, machines: []}]}]"
    file.write_text(f"plant: {{id: p9, name: P, areas: {areas}}}\n{people}", encoding="utf-8")
    told = refused("王 wu", file)
    assert str(file) in told and ("nobody can log in yet" in told) == (not people)
    lines = re.search(r"\n\n(.*)\nThen type", told, re.DOTALL)
    assert lines
    with file.open("a", encoding="utf-8") as out:
        out.write(lines[1])
    known = load(file, {}).plant.people["王 wu"]
    assert (known.roles, known.scopes) == ({role}, ("p9",))


@pytest.mark.parametrize(("given", "readable"), [({}, True), ({"user": "u", "password": "p"}, False)])
def test_a_file_with_a_password_in_it_is_nobody_elses(
    tmp_path: Path, given: dict[str, str], readable: bool
) -> None:
    to = tmp_path / "tags.yaml"
    before = os.umask(0o022)
    try:
        list(written({**PLANT, "collectors": [{"name": "o", "kind": "opcua", "with": given}]}, to))
    finally:
        os.umask(before)
    assert bool(to.stat().st_mode & 0o044) is readable
