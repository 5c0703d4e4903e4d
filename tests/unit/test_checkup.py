"""`andon check` tells everything in one go, each at its line, and blames nobody for another's mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.checkup import checkup, remarks
from hub.errors import ConfigError
from hub.places import located
from tests.unit.test_settings import KEYS, NODES, SECRET

SOUND = """\
plant:
  id: p1
  name: Plant
  areas:
  - id: a
    name: A
    lines:
    - id: l
      name: L
      machines:
      - id: m
        name: M
        tags:
          t: {name: T}
collectors:
- name: plc
  kind: modbus
  with:
    host: h
    points:
    - {tag: p1/a/l/m/t, address: 0}
notifiers:
- {name: robot, kind: wecom, with: {key: abc}}
people:
- {id: li, name: Li, roles: [technician], scopes: [p1]}
rules:
- {name: hot, kind: high-limit, tag: p1/a/l/m/t, limit: 80, tell: [robot]}
shifts:
- {name: D, start: "08:00", end: "20:00", on_duty: {p1/a: li}}
"""


def told(folder: Path, *changes: tuple[str, str]) -> list[tuple[int, str]]:
    """(line, what) of every complaint about the sound plant after these changes."""
    text = SOUND
    for what, to in changes:
        assert what in text
        text = text.replace(what, to, 1)
    path = folder / "plant.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as wrong:
        checkup(path, {})
    found = [re.fullmatch(rf"{re.escape(str(path))}:(\d+): (.*)", c) for c in wrong.value.complaints]
    assert all(found), wrong.value.complaints
    return [(int(m[1]), m[2]) for m in found if m]


def test_a_sound_plant_is_counted(tmp_path: Path) -> None:
    (tmp_path / "plant.yaml").write_text(SOUND, encoding="utf-8")
    counts = checkup(tmp_path / "plant.yaml", {})
    assert (counts["machines"], counts["tags"], counts["conditions"], counts["people"]) == (1, 1, 1, 1)


def test_mistakes_of_every_depth_are_told_in_one_go_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        ("    name: A\n", "    name: A\n    nmae: A\n"),
        ("{name: T}", "{name: T, stale_after: soon}"),
        ("host: h", "hots: h"),
        ("technician]", "king]"),
        ("limit: 80", "limt: 80"),
        ("p1/a: li", "p1/q: li"),
    )
    assert [line for line, _ in found] == [7, 15, 19, 20, 26, 28, 28, 30]
    expected = ("nmae", "stale_after", "host", "hots", "roles", "limit", "limt", "on_duty")
    assert all(word in text for word, (_, text) in zip(expected, found, strict=True)), found


@pytest.mark.parametrize(
    "change",
    [
        (
            "- id: m\n        name: M",
            "- id: M 1\n        name: M",
        ),  # a machine, which rules and points name
        ("          t: {name: T}", "          t/1: {name: T}"),  # a tag
        ("tags:", "tgas:"),
        ("{id: li,", "{id: L I,"),  # a person on duty
        ("{name: robot,", "{nmae: robot,"),  # a notifier that is to be told
    ],
)
def test_who_refers_to_what_is_misspelt_is_not_blamed(tmp_path: Path, change: tuple[str, str]) -> None:
    found = told(tmp_path, change)
    assert len({line for line, _ in found}) == 1, found


def test_what_stands_in_for_a_mistake_is_not_complained_of(tmp_path: Path) -> None:
    found = told(tmp_path, ("kind: high-limit, ", ""), ("kind: modbus", "knd: modbus"))
    assert [line for line, _ in found] == [16, 17, 27], found
    assert not any("''" in text for _, text in found)


def test_every_point_that_names_no_tag_is_told(tmp_path: Path) -> None:
    points = "    - {tag: p1/a/l/m/t, address: 0}\n"
    wrong = "".join(f"    - {{tag: p1/a/l/m/{x}, address: 0}}\n" for x in "xyz")
    found = told(tmp_path, (points, points + wrong), ("limit: 80", "limt: 80"))
    assert [line for line, text in found if "no tag" in text] == [22, 23, 24]


def test_a_complaint_without_a_place_comes_first_and_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plant.yaml"
    path.write_text(SOUND, encoding="utf-8")
    given = [
        f"{path}: rules[0] hot: limit: odd",
        f"{path}: hub.port (from ANDON_PORT): odd",
        "elsewhere: odd",
    ]
    assert located(given, path) == [given[1], given[2], f"{path}:27: rules[0] hot: limit: odd"]
    assert located(given, tmp_path / "gone.yaml") == given


def test_a_secret_in_a_broken_block_is_not_quoted(tmp_path: Path) -> None:
    found = told(tmp_path, ("{key: abc}", f"{{kez: {SECRET}}}"), ("limit: 80", "limt: 80"))
    assert SECRET not in str(found)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(KEYS[:9]), NODES))
def test_no_content_ends_in_a_trace(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(yaml.safe_dump({"plant": {"id": "p1", "name": "x"}, **content}).encode())
    try:
        checkup(path, {})
    except ConfigError as said:
        assert said.complaints and all(said.complaints)


@pytest.mark.parametrize("node", ["ns=2;s=Load", "nsu=urn:plant;s=Load", "i=2258", "ns=0;i=2258"])
def test_a_namespace_by_its_number_is_told_and_the_standards_own_is_not(tmp_path: Path, node: str) -> None:
    document = yaml.safe_load(SOUND)
    plc = {"endpoint": "opc.tcp://h:4840", "security": "none", "nodes": [{"tag": "p1/a/l/m/t", "node": node}]}
    document["collectors"] = [{"name": "plc", "kind": "opcua", "with": plc}]
    path = tmp_path / "plant.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    found = [note.partition(" names")[0] for note in remarks(path, {})]
    said = f"collectors[0] plc.with.nodes[0].node: {node}"
    assert [said in note for note in found] == ([True] if node.startswith("ns=2") else [])
