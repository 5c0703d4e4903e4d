"""A configuration is understood, or refused with the place and the remedy; and no secret is ever quoted."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.config import Block, Kept, explain, parse_duration
from hub.errors import ConfigError
from hub.house import with_numbers
from hub.model.equipment import EquipmentState
from hub.model.people import Role
from hub.outline import HubBlock
from hub.settings import Settings, load

SECRET = "hunter2-topsecret"

PLANT = """
plant:
  id: p1
  name: {zh: 一厂, en: Plant 1}
  time_zone: Asia/Shanghai
  areas:
  - id: a1
    name: Shop
    lines:
    - id: l1
      name: Line
      target_per_hour: 600
      machines:
      - id: press-07
        name: Press
        class: press
        ideal_cycle: 4.5s
        state: {tag: state, numbering: own, map: {0: off, 1: executing}}
        fault: {tag: fault, texts: {17: Emergency stop}}
        counters: {good: good}
        tags:
          state: {name: State}
          fault: {name: Fault}
          good: {name: Good}
          oil_temp: {name: Oil, unit: ℃, stale_after: 2s}
people:
- {id: tech-a, name: A, roles: [technician], scopes: [p1/a1]}
shifts:
- {name: Day, start: 8:00, end: "20:00", days: [1, 7], on_duty: {p1/a1: tech-a}}
"""


def read(folder: Path, text: str, **environment: str) -> Settings:
    path = folder / "plant.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environment)


def complaints(folder: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        read(folder, text, **environment)
    said = list(wrong.value.complaints)
    assert said
    assert all(c.startswith(str(folder / "plant.yaml")) for c in said), "every complaint names the file"
    return said


def changed(what: str, to: str) -> str:
    assert what in PLANT
    return PLANT.replace(what, to)


# ------------------------------------------------------------------ what is understood
def test_the_plant_is_drawn_from_the_file(tmp_path: Path) -> None:
    here = read(tmp_path, PLANT).plant
    press = here.equipment["p1/a1/l1/press-07"]
    assert (press.kind, press.ideal_cycle, press.name.in_("en")) == ("press", timedelta(seconds=4.5), "Press")
    assert press.state_map == {0: EquipmentState.OFF, 1: EquipmentState.EXECUTING}
    assert (press.state_tag, press.good_tag) == ("p1/a1/l1/press-07/state", "p1/a1/l1/press-07/good")
    assert here.tags["p1/a1/l1/press-07/oil_temp"].stale_after == timedelta(seconds=2)
    assert here.people["tech-a"].roles == {Role.TECHNICIAN}
    assert here.targets == {"p1/a1/l1": 600}
    [day] = here.shifts
    assert (day.start, day.end, day.days) == (time(8), time(20), frozenset({0, 6}))


def test_a_tag_is_a_process_parameter_with_the_recipes_words_or_its_own(tmp_path: Path) -> None:
    oil = "oil_temp: {name: Oil, unit: ℃, stale_after: 2s}"
    plain = "oil_temp: {name: Oil, range: [20, 80], process_parameter: true}"
    said = "oil_temp: {name: Oil, range: [20, 80], process_parameter: {name: Bath, high: 75, target: 60}}"

    def parameter(text: str) -> Any:
        return read(tmp_path, PLANT.replace(oil, text)).plant.tags["p1/a1/l1/press-07/oil_temp"].parameter

    assert parameter(oil) is None
    assert (parameter(plain).name.en, parameter(plain).low, parameter(plain).high) == ("Oil", 20, 80)
    found = parameter(said)
    assert (found.name.en, found.low, found.high, found.target) == ("Bath", None, 75, 60)
    with pytest.raises(ConfigError, match="low: must lie below high"):
        parameter("oil_temp: {name: Oil, process_parameter: {low: 5, high: 5}}")


def test_an_unquoted_clock_time_and_off_mean_what_people_meant(tmp_path: Path) -> None:
    """YAML 1.1 makes 8:30 a number and off a truth value."""
    [day] = read(tmp_path, changed("start: 8:00", "start: 8:30")).plant.shifts
    assert day.start == time(8, 30)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("10s", 10), (" 5 min ", 300), ("2h", 7200), ("7d", 604800)]
)
def test_spans_of_time(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


def test_what_is_repeated_by_an_anchor_may_be_changed(tmp_path: Path) -> None:
    more = "- &one {id: boss, name: B, roles: [manager], scopes: [p1]}\n- {<<: *one, id: boss-2}\nshifts:"
    assert set(read(tmp_path, changed("shifts:", more)).plant.people) == {"tech-a", "boss", "boss-2"}


# ------------------------------------------------------------------ mistakes
@pytest.mark.parametrize(
    ("what", "to", "place", "remedy"),
    [
        ("target_per_hour", "target_per_hor", "lines[0].target_per_hor", "did you mean 'target_per_hour'"),
        ("class: press", "klass: press", ".klass", "did you mean 'class'"),
        ("unit: ℃", "zzzzzz: ℃", "oil_temp.zzzzzz", "remove it"),
        ("  id: p1\n", "", "plant.id", "is missing; add it"),
        ("id: p1\n", "id: P 1\n", "plant.id", "use small letters"),
        ('id: press-07', 'id: "press-07\\n"', ".id", "use small letters"),
        ("name: Line\n", "name: 5\n", "lines[0].name", "keys with values"),
        ("4.5s", "4.5", ".ideal_cycle", "write 500ms, 10s"),
        ("stale_after: 2s", "stale_after: 9999999999999d", ".stale_after", "for example 7d"),
        ("numbering: own", "numbering: packml", ".state", "write packml-30050 or packml-30060"),
        ("numbering: own", "numbering: packml-30050", ".state", "packml-30050 has no state 0"),
        (", map: {0: off, 1: executing}", "", ".state", "map: is missing; say which"),
        ("stale_after: 2s", "deadband: -1", ".deadband", "must be 0 or more"),
        ("stale_after: 2s", "formula: 2 **", "oil_temp.formula", "position 4: expected a number"),
        ("stale_after: 2s", "formula: oil + 1", "oil_temp: formula: no tag", "did you mean"),
        ("stale_after: 2s", "formula: oil_temp + 1", "oil_temp: formula: ", "names its own"),
        ("Asia/Shanghai", "Asia/Peking", "plant.time_zone", "write for example Asia/Shanghai"),
        ("Asia/Shanghai", "Asia", "plant.time_zone", "write for example Asia/Shanghai"),
        ("Asia/Shanghai", "../../etc/passwd", "plant.time_zone", "write for example Asia/Shanghai"),
        ("tag: state,", "tag: stat,", "state.tag", "did you mean 'state'"),
        ("good: good}", "good: bolts}", "counters.good", "add it under tags:"),
        ("1: executing", "1: runing", "state.map[1]", "write one of executing, setup"),
        ("          oil_temp:", "          oil/temp:", ".tags", "is not a tag's id"),
        ("roles: [technician]", "roles: [king]", "people[0].roles[0]", "technician"),
        ("scopes: [p1/a1]", "scopes: [p1/a2]", "people.tech-a.scopes", "did you mean 'p1/a1'"),
        ("p1/a1: tech-a}", "p1/a9: tech-a}", "shifts[0].on_duty", "no node 'p1/a9'"),
        ("p1/a1: tech-a}", "p1/a1: tech-z}", "shifts[0].on_duty.p1/a1", "no person 'tech-z'"),
        ("days: [1, 7]", "days: [0]", "shifts[0].days[0]", "must be 1 or more"),
        ('end: "20:00"', 'end: "25:00"', "shifts[0].end", "a time of day such as 08:30"),
        ("people:\n- {", "people:\n- {id: tech-a, name: B, roles: []}\n- {", "people", "names must differ"),
        ("people:", "hub: {port: 70000}\npeople:", "hub.port", "65535"),
        ("people:", "hub:\n- port\npeople:", "hub", "keys with values"),
        ("people:", "rules: {name: x}\npeople:", "rules", "begin each entry with -"),
        ("people:", "hub: {database: 'postgres//x'}\npeople:", "hub.database", "write postgresql://"),
        ("people:", "hub: {redis: 'localhost:6379'}\npeople:", "hub.redis", "write redis://"),
        ("people:", "hub: {rush: {undo: 10}}\npeople:", "hub.rush.undo", "write 500ms, 10s"),
        ("people:", "hub: {rush: {sellers: {A: sun}}}\npeople:", "hub.rush.sellers.A", "no person 'sun'"),
        ("people:", "plant: {id: p2, name: x}\npeople:", "line 26, column 1", "keys must differ"),
        ("people:", "5: x\npeople:", "[5]", "put it in quotes"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_its_place_and_the_remedy(
    tmp_path: Path, what: str, to: str, place: str, remedy: str
) -> None:
    [said] = complaints(tmp_path, changed(what, to))
    assert place in said and remedy in said
    assert re.match(rf"{re.escape(str(tmp_path / 'plant.yaml'))}:(\d+| line \d+)", said), "it has a line"


def test_the_same_machine_twice_and_the_same_collector_twice(tmp_path: Path) -> None:
    twice = changed("      machines:", "      machines:\n      - {id: press-07, name: X}")
    twice += "collectors:\n- {name: c, kind: modbus}\n- {name: c, kind: opcua}\n"
    assert [re.sub(r"^.*yaml:(\d+:)? ", "", c) for c in complaints(tmp_path, twice)] == [
        "plant.areas[0].lines[0].machines[1]: p1/a1/l1/press-07 is there twice; ids must differ among "
        "siblings",
        "collectors: the name 'c' is there twice; names must differ",
    ]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = changed("4.5s", "soon").replace("days: [1, 7]", "days: [9]").replace("good: good}", "good: bolts}")
    assert len(complaints(tmp_path, text)) == 3, "those behind a mistake in the outline as well"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "at the top"),
        ("- plant", "at the top"),
        ("plant: 2001-99-99", "put it in quotes"),
        ("plant: {a: [}", "line 1, column 13"),
        ("plant:\n\t- x", "line 2, column 1: found character '\\t'"),
        ("plant: !!python/object:os.system x", "the tag !!python/object:os.system is not taken"),
        ("plant: " + "[" * 600, "nested too deeply"),
        ("plant: &a [*a]", "an anchor (&) holds an alias"),
        ("plant: \x07", "plain text"),
    ],
)
def test_what_is_not_a_configuration_at_all(tmp_path: Path, text: str, told: str) -> None:
    assert told in complaints(tmp_path, text)[0]


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name the file with --config"):
        load(tmp_path / "none.yaml", {})
    (tmp_path / "gbk.yaml").write_bytes("plant: 一厂".encode("gbk"))
    with pytest.raises(ConfigError, match="save the file as UTF-8"):
        load(tmp_path / "gbk.yaml", {})


# ------------------------------------------------------------------ secrets
ROBOT = "notifiers:\n- {name: n, kind: wecom, with: {key: %s}}\n"


def key_of(here: Settings) -> Any:
    return here.file.notifiers[0].with_["key"]


def test_secrets_come_from_files_beside_the_configuration_and_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(SECRET + "\n", encoding="utf-8")
    assert key_of(read(tmp_path, PLANT + ROBOT % "{file: key.txt}")) == SECRET
    assert key_of(read(tmp_path, PLANT + ROBOT % "{env: KEY}", KEY=SECRET)) == SECRET


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("{file: none.txt}", "cannot read the secret file 'none.txt' (No such file"),
        ("{file: .}", "Is a directory"),
        ('{file: "a\\0b"}', "not a file name"),
        ("{file: empty.txt}", "is empty; write the secret"),
        ("{file: binary.txt}", "is not UTF-8 text"),
        ("{env: NOT_SET}", "the environment has no 'NOT_SET'; set it"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told_with_its_place(tmp_path: Path, block: str, told: str) -> None:
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    [said] = complaints(tmp_path, PLANT + ROBOT % block)
    assert told in said and "notifiers[0].with.key" in said


def test_a_block_that_only_looks_like_a_secret_is_left_alone(tmp_path: Path) -> None:
    assert key_of(read(tmp_path, PLANT + ROBOT % "{env: [1]}")) == {"env": [1]}
    assert key_of(read(tmp_path, PLANT + ROBOT % "{file: a, encoding: b}")) == {"file": "a", "encoding": "b"}


@pytest.mark.parametrize(
    "broken",
    [
        ROBOT % f'"{SECRET}',
        ROBOT % f"!{SECRET}",
        ROBOT % f"*{SECRET}",
        ROBOT % f"{SECRET}]",
        f"hub: {{database: 'postgres//u:{SECRET}@h/d'}}",
        f"hub: {{database: '{SECRET}'}}",
        f"hub: {{redis: 'redis://:{SECRET}@h:port'}}",
        f"hub: {{redis: ['{SECRET}']}}",
        f"erp: {{name: e, kind: k, with: '{SECRET}'}}",
    ],
)
def test_no_complaint_quotes_a_secret(tmp_path: Path, broken: str) -> None:
    assert SECRET not in "".join(complaints(tmp_path, PLANT + broken))


def test_settings_that_are_printed_keep_their_passwords(tmp_path: Path) -> None:
    here = read(tmp_path, PLANT, ANDON_DATABASE=f"postgresql://u:{SECRET}@h/d")
    assert here.file.hub.database is not None
    assert SECRET not in f"{here!r}{here.file.hub!r}{here.file.hub.database}"


# ------------------------------------------------------------------ the environment's say
def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("postgresql://db/andon\n", encoding="utf-8")
    text = PLANT + "hub: {port: 8800, host: 10.0.0.1}\n"
    hub = read(
        tmp_path, text, ANDON_PORT="9000", ANDON_HOST="", ANDON_DATABASE_FILE=str(tmp_path / "dsn")
    ).file.hub  # fmt: skip
    assert (hub.port, hub.host) == (9000, "10.0.0.1"), "an empty variable says nothing"
    assert hub.database is not None and hub.database.get_secret_value() == "postgresql://db/andon"


def test_the_environment_works_over_an_empty_hub_block(tmp_path: Path) -> None:
    assert read(tmp_path, PLANT + "hub:\n", ANDON_PORT="9000").file.hub.port == 9000


def test_what_is_wrong_in_the_environment_is_looked_for_there(tmp_path: Path) -> None:
    [said] = complaints(tmp_path, PLANT, ANDON_PORT="many")
    assert "hub.port (from ANDON_PORT)" in said
    [said] = complaints(tmp_path, PLANT, ANDON_DATABASE_FILE=str(tmp_path / "gone"))
    assert "ANDON_DATABASE_FILE: cannot read the secret file" in said


# ------------------------------------------------------------------ whatever the file holds
KEYS = ["plant", "hub", "rules", "people", "shifts", "collectors", "mes", "erp", "notifiers", "id", "name",
        "areas", "lines", "machines", "tags", "state", "fault", "map", "file", "env", "with", "kind", "roles",
        "scopes", "start", "end", "time_zone", "port", "database", "redis", "ideal_cycle"]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.dates(),
    st.sampled_from(KEYS),
    st.sampled_from(["8:30", "p1", "10s", "Asia", "1e99999d", "２s", "postgresql://[", "redis://:\x00@["]),
)  # fmt: skip
NODES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), SCALARS), inner, max_size=4),
    ),
    max_leaves=25,
)


def never_a_trace(content: bytes) -> None:
    with NamedTemporaryFile(suffix=".yaml") as file:
        Path(file.name).write_bytes(content)
        try:
            load(Path(file.name), {"ANDON_PORT": "9000"})
        except ConfigError as said:
            assert said.complaints and all(said.complaints)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.sampled_from(KEYS[:9]), NODES))
def test_no_block_of_any_shape_ends_in_a_trace(content: dict[str, Any]) -> None:
    never_a_trace(yaml.safe_dump({"plant": {"id": "p1", "name": "x"}, **content}).encode())


PIECES = ["plant:", "\n", "  ", "- ", "{", "}", "[", "]", ": ", "&a", "*a", "<<", "!!", "!!timestamp ",
          "!!int ", "!!float ", "!!bool ", "!!set ", "!!omap ", "!!pairs ", "!!binary ", "|", ">", "'", '"',
          "#", "\t", "%", "@", "id", "2001-99-99", "0x", "1e999", "0o9", "1:99:99", "=", "~", "...", "---",
          "\\x", "\0", "?"]  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES)).map("".join).map(str.encode)))
def test_no_file_of_any_content_ends_in_a_trace(content: bytes) -> None:
    never_a_trace(content)


SPOTS = [m.start() for m in re.finditer(r"\S", PLANT)]


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(SPOTS), st.integers(1, 12), st.one_of(SCALARS.map(str), st.sampled_from(PIECES)))
def test_no_slip_of_the_hand_ends_in_a_trace(at: int, length: int, put: str) -> None:
    never_a_trace((PLANT[:at] + put + PLANT[at + length :]).encode("utf-8", "replace"))


# ------------------------------------------------------------------ ten thousand points
class Written(Block):
    address: int
    colour: str = "red"

    def kept(self) -> int:
        return self.address


class Ten(Block):
    points: list[Annotated[int, Kept(Written)]]


def test_a_block_that_is_not_kept_is_refused_by_its_place_all_the_same() -> None:
    assert Ten.model_validate({"points": [{"address": 1}, {"address": 5}]}).points == [1, 5]
    with pytest.raises(ValidationError) as wrong:
        Ten.model_validate({"points": [{"adress": 1}, {"address": "x"}]})
    assert explain(wrong.value, "with") == [
        "with: points[0].address: is missing; add it",
        "with: points[0].adress: unknown key; did you mean 'address'?",
        "with: points[1].address: expected a whole number",
    ]


def test_a_plant_is_kept_once(tmp_path: Path) -> None:
    here = read(tmp_path, PLANT)
    assert here.plant.tags and not here.file.plant.areas


def test_a_tag_keeps_what_is_said_of_it_when_it_gets_its_number(tmp_path: Path) -> None:
    more = "stale_after: 2s, range: [0, 90], deadband: 0.5, decimals: 2, shown: false"
    plant = read(tmp_path, changed("stale_after: 2s", more)).plant
    numbered = with_numbers(plant, dict.fromkeys(plant.tags, 7))
    path = "p1/a1/l1/press-07/oil_temp"
    assert numbered.tags[path] == replace(plant.tags[path], number=7)


def test_the_same_code_means_what_its_packml_numbering_says(tmp_path: Path) -> None:
    found = {}
    for numbering, own in (("packml-30050", ""), ("packml-30060", ", map: {6: off}")):
        text = changed("numbering: own, map: {0: off, 1: executing}", f"numbering: {numbering}{own}")
        states = read(tmp_path, text).plant.equipment["p1/a1/l1/press-07"].state_map
        found[numbering] = [states[4], states[6]]
    assert found["packml-30050"] == [EquipmentState.IDLE, EquipmentState.EXECUTING]
    assert found["packml-30060"] == [EquipmentState.EXECUTING, EquipmentState.OFF]


def test_minutes_are_kept_for_ninety_days_or_as_long_as_the_file_says_but_never_less_than_two() -> None:
    assert HubBlock().retention_minutes == timedelta(days=90)
    assert HubBlock.model_validate({"retention_minutes": "400d"}).retention_minutes == timedelta(days=400)
    with pytest.raises(ValidationError, match="retention_minutes"):
        HubBlock.model_validate({"retention_minutes": "1d"})
