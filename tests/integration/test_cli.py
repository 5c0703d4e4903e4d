"""`andon` as people type it: what it says, its exit codes, and that it keeps secrets to itself."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from hub.training import SECRETS, checkout
from tests.ports import free_port

pytestmark = pytest.mark.timeout(180)

SECRET = "hunter2-topsecret"
PASSWORD = "kalu meri tosu 4827"
SMALL = """
hub: {port: %d}
plant:
  id: p1
  name: Plant
  areas: [{id: a, name: A, lines: [{id: l, name: L, machines: [{id: m, name: M, tags: {t: {name: T}}}]}]}]
people:
- {id: li, name: Li, roles: [technician], scopes: [p1]}
"""


@pytest.fixture(scope="module", autouse=True)
def patience() -> None:
    """The first start of Python on a cold disk is nobody's fault: it is not measured."""
    andon("--help")


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ANDON_")}
    return {**kept, "COLUMNS": "80", **more}


def andon(*words: str, said: str = "", **more: str) -> tuple[int, str]:
    """Exit code and everything it said."""
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", *words], cwd=checkout(), env=environment(**more), input=said,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stdout, done.stdout
    assert SECRET not in done.stdout, "it told a secret"
    return done.returncode, done.stdout


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(SMALL % free_port(), encoding="utf-8")
    return path


# ------------------------------------------------------------------ check, plugins
def test_the_demo_and_the_first_plc_are_sound() -> None:
    demo = dict.fromkeys(SECRETS, f"SEC{SECRET}")  # as DingTalk's begin
    code, said = andon("check", "-c", "examples/demo/plant.yaml", **demo)
    assert (code, said.count("✓")) == (0, 1)
    assert "12 machines" in said and "12 collectors" in said and "2 notifiers" in said
    code, said = andon("check", "-c", "examples/first-plc.yaml")
    assert code == 0 and "2 machines" in said and "3 rules" in said


def test_every_mistake_in_every_block_is_told_at_once_with_its_place_and_remedy(plant: Path) -> None:
    code, said = andon("check", "-c", str(broken(plant)), KEY=SECRET)
    assert code == 2
    complaints = [line.removeprefix("✗ ") for line in said.splitlines()]
    assert all(re.match(rf"{plant}:\d+: ", c) for c in complaints), said
    told = "\n".join(complaints)
    for place, remedy in {
        "collectors[0] plc.with: hosst": "did you mean 'host'",
        "collectors[1] cnc: kind 'opcu'": "did you mean 'opcua'",
        "notifiers[0] robot.with: kez": "did you mean 'key'",
        "erp: kind 'homegrown'": "choose one of erpnext, generic",
        "rules[0] hot: limt": "did you mean 'limit'",
        "rules[1] lost: kind 'no-dat'": "did you mean 'no-data'",
        "rules[2] cold: tell": "no notifier 'nobody'; known are robot",
        "rules[3] far.tag: 'p1/+/x'": "fits nothing in the plant",
        "hub.prot": "did you mean 'port'",
        "hub.retention[0].tags: 'p1/+/z'": "fits nothing in the plant",
        "collectors.line.with.points[0].tag": "did you mean 'p1/a/l/m/t'",
    }.items():
        assert re.search(f"{re.escape(place)}.*{re.escape(remedy)}", told), f"{place}\n{said}"


def broken(plant: Path) -> Path:
    more = """
collectors:
- {name: plc, kind: modbus, with: {hosst: 127.0.0.1, points: []}}
- {name: cnc, kind: opcu}
- {name: line, kind: modbus, with: {host: h, points: [{tag: p1/a/l/m/tt, address: 0}]}}
notifiers:
- {name: robot, kind: wecom, with: {kez: {env: KEY}}}
erp: {name: e, kind: homegrown}
rules:
- {name: hot, kind: high-limit, tag: p1/a/l/m/t, limt: 80}
- {name: lost, kind: no-dat, equipment: p1/a/l/m}
- {name: cold, kind: low-limit, tag: p1/a/l/m/t, limit: 1, tell: [nobody]}
- {name: far, kind: high-limit, tag: p1/+/x, limit: 80}
"""
    text = plant.read_text(encoding="utf-8").replace(
        "{port:", "{prot: 1, retention: [{tags: p1/+/z, raw: 3d}], port:"
    )
    plant.write_text(text + more, encoding="utf-8")
    return plant


POINTLESS = """
collectors:
- name: plc
  kind: modbus
  with: {host: 127.0.0.1, points: [{tag: p1/a/l/m/tt, address: 0, type: uint16}]}
"""


@pytest.mark.parametrize("command", [("check",), ("run", "--parts", "collectors")])
def test_a_point_without_a_tag_is_told_before_anything_is_connected(
    plant: Path, dsn: str, command: Sequence[str]
) -> None:
    plant.write_text(plant.read_text(encoding="utf-8") + POINTLESS, encoding="utf-8")
    code, said = andon(*command, "-c", str(plant), ANDON_DATABASE=dsn, ANDON_REDIS="redis://127.0.0.1:1/0")
    assert code == 2
    assert re.search(r"plant.yaml:\d+: collectors.plc.with.points\[0\].tag: no tag 'p1/a/l/m/tt'", said)
    assert "did you mean 'p1/a/l/m/t'" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plant: [/not/markup]", "plant"),
        (f"plant: {{id: p1, name: x}}\nhub: {{redis: 'redis://:{SECRET}@h:x'}}", "write redis://"),
        (f'notifiers:\n- {{name: r, kind: wecom, with: {{key: "{SECRET}}}}}', "line 2"),
    ],
)
def test_a_broken_file_is_told_in_words_and_never_quoted(plant: Path, text: str, told: str) -> None:
    plant.write_text(text, encoding="utf-8")
    code, said = andon("check", "-c", str(plant))
    assert code == 2 and told in said and str(plant) in said


def test_what_looks_like_markup_is_printed_as_it_stands(plant: Path) -> None:
    named = plant.with_name("[red]plant.yaml")
    plant.rename(named)
    assert "[red]plant.yaml: 1 machines" in andon("check", "-c", str(named))[1]
    code, said = andon("check", "-c", "[/none].yaml")
    assert code == 2 and "[/none].yaml: cannot be read" in said


def test_plugins_lists_every_kind_with_its_class() -> None:
    code, said = andon("plugins")
    assert code == 0
    rows = {tuple(line.split()[:2]) for line in said.splitlines()}
    assert {
        ("collectors", "modbus"), ("collectors", "opcua"), ("mes", "mes-http"), ("notifiers", "wecom"),
        ("notifiers", "dingtalk"), ("erp", "kingdee-galaxy"), ("rules", "high-limit"), ("rules", "no-data"),
    } <= rows  # fmt: skip
    assert "times of the source: exempt: the protocol has none" in said, "its grade card"
    assert re.search(r"can: .*close-tickets", said)


# ------------------------------------------------------------------ the record
def test_migrate_brings_a_database_up_once(plant: Path, empty_dsn: str) -> None:
    code, said = andon("migrate", "-c", str(plant), ANDON_DATABASE=empty_dsn)
    assert code == 0 and "✓ 0001_record" in said
    code, said = andon("migrate", "-c", str(plant), ANDON_DATABASE=empty_dsn)
    assert (code, said.strip()) == (0, "up to date")


@pytest.mark.parametrize(
    "command", [("migrate",), ("wall", "hall"), ("password", "li"), ("run",), ("doctor",)]
)
def test_a_database_that_is_away_is_told_with_a_remedy(plant: Path, command: Sequence[str]) -> None:
    away = f"postgresql://u:{SECRET}@127.0.0.1:{free_port()}/x"
    code, said = andon(*command, "-c", str(plant), said=PASSWORD, ANDON_DATABASE=away)
    assert code == 1
    assert "Connection refused" in said and "hub.database" in said


def test_a_password_is_set_for_people_we_know_and_not_a_weak_one(plant: Path, dsn: str) -> None:
    def asked(person: str, password: str) -> tuple[int, str]:
        return andon("password", person, "-c", str(plant), said=password + "\n", ANDON_DATABASE=dsn)

    code, said = asked("li", PASSWORD)
    assert code == 0 and re.fullmatch(r"✓ li: log in at http://127\.0\.0\.1:\d+/console\n", said)
    with psycopg.connect(dsn) as record:
        [[person, kept]] = record.execute("select person_id, hashed from passwords").fetchall()
    assert person == "li" and str(kept).startswith("$argon2id$")
    code, said = asked("lee", PASSWORD)
    assert code == 2 and "no 'lee'" in said and "known are li" in said
    for weak in ("", "short", "password1234", "lilililililili"):
        code, said = asked("li", weak)
        assert code == 2 and "/" in said, f"{weak!r} was taken, or refused in one language only"
    with psycopg.connect(dsn) as record:
        assert record.execute("select hashed from passwords").fetchall() == [(kept,)]


def test_a_wall_screen_gets_its_address_once_and_the_record_a_hash(plant: Path, dsn: str) -> None:
    shown = []
    for _ in range(2):
        code, said = andon("wall", "hall", "-c", str(plant), ANDON_DATABASE=dsn)
        assert code == 0
        [address] = said.split()
        shown.append(re.fullmatch(r"http://127\.0\.0\.1:\d+/wall#device=(\S{40,})", address))
    tokens = {m[1] for m in shown if m}
    assert len(tokens) == 2
    with psycopg.connect(dsn) as record:
        rows = record.execute("select * from devices").fetchall()
    assert len(rows) == 2 and not any(t in str(rows) for t in tokens)
    code, said = andon("wall", "hall", "-c", str(plant), "--scope", "p1/b", ANDON_DATABASE=dsn)
    assert code == 2 and "no node 'p1/b'" in said


def test_wall_screens_are_listed_and_sent_away(plant: Path, dsn: str) -> None:
    def wall(*words: str) -> tuple[int, str]:
        return andon("wall", *words, "-c", str(plant), ANDON_DATABASE=dsn)

    wall("东门")
    code, said = wall("--list")
    assert code == 0
    [number] = re.findall(r"^ *(\d+)  东门  p1  last seen never$", said, re.M)
    assert wall("--revoke", number)[0] == 0
    assert wall("--list") == (0, "no wall screens\n")
    assert wall("--revoke", number)[0] == 2
    assert wall("--list", "--revoke", number)[0] == 2
    with psycopg.connect(dsn) as record:
        trail = record.execute("select who, what, about from audit order by id").fetchall()
    assert trail == [("command line", "device-added", "东门"), ("command line", "device-revoked", "东门")]


# ------------------------------------------------------------------ doctor
DEVICES = """
collectors:
- name: plc
  kind: modbus
  with: {host: 127.0.0.1, port: %d, points: [{tag: p1/a/l/m/t, address: 0, type: uint16}]}
notifiers:
- {name: robot, kind: wecom, with: {key: {env: KEY}, base_url: "http://127.0.0.1:%d"}}
"""


def test_the_doctor_says_what_cannot_be_reached_and_what_to_do(plant: Path, dsn: str) -> None:
    with listening() as there:
        away = free_port()
        plant.write_text(plant.read_text(encoding="utf-8") + DEVICES % (away, there), encoding="utf-8")
        code, said = andon("doctor", "-c", str(plant), ANDON_DATABASE=dsn, KEY=SECRET)
    lines = said.splitlines()
    assert code == 1
    assert f"✓ robot: 127.0.0.1:{there} accepts connections; nothing was sent" in lines
    at = next(i for i, line in enumerate(lines) if line.startswith(f"✗ plc: 127.0.0.1:{away}"))
    assert "is it on, is the address right" in lines[at + 1]
    assert [line for line in lines if line.startswith("✗")] == [lines[at]]


def test_the_doctor_finds_a_sound_house_sound_and_leaves_the_record_as_it_is(
    plant: Path, empty_dsn: str
) -> None:
    code, said = andon("doctor", "-c", str(plant), ANDON_DATABASE=empty_dsn)
    assert (code, said.count("✗")) == (0, 0), said
    with psycopg.connect(empty_dsn) as record:
        tables = record.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    assert tables == (0,)


def test_the_doctor_speaks_json_to_programs(plant: Path, dsn: str) -> None:
    with listening() as there:
        plant.write_text(plant.read_text(encoding="utf-8") + DEVICES % (free_port(), there), encoding="utf-8")
        code, said = andon("doctor", "-c", str(plant), "--json", ANDON_DATABASE=dsn, KEY=SECRET)
    told = json.loads(said)
    assert (code, told["well"]) == (1, False)
    assert all(f["what"] and (f["good"] or f["remedy"]) for f in told["findings"])
    [wrong] = [f["what"] for f in told["findings"] if not f["good"]]
    assert wrong.startswith("plc: ")


def test_a_program_that_asks_for_json_gets_it_of_a_broken_file_too(plant: Path) -> None:
    code, said = andon("doctor", "--json", "-c", str(broken(plant)), KEY=SECRET)
    told = json.loads(said)
    assert (code, told["well"]) == (2, False)
    assert any("hub.prot" in f["what"] for f in told["findings"])


def test_the_doctor_minds_links_that_no_phone_can_open(plant: Path, dsn: str) -> None:
    plant.write_text(plant.read_text() + "notifiers: [{name: r, kind: wecom, with: {key: {env: KEY}}}]\n")
    asked = ("doctor", "-c", str(broken_robot(plant)))
    code, said = andon(*asked, ANDON_DATABASE=dsn, ANDON_HOST="0.0.0.0", KEY=SECRET)
    assert code == 1 and "✗ links in messages begin with http://0.0.0.0" in said
    assert "ANDON_PUBLIC_URL" in said


def broken_robot(plant: Path) -> Path:
    """Its carrier's own address is never asked for by a test: it points at a closed port of ours."""
    local = f"base_url: 'http://127.0.0.1:{free_port()}', "
    plant.write_text(plant.read_text().replace("with: {key", f"with: {{{local}key"))
    return plant


@contextmanager
def listening() -> Iterator[int]:
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


# ------------------------------------------------------------------ run
def test_unknown_parts_are_told_with_those_that_exist(plant: Path) -> None:
    code, said = andon("run", "-c", str(plant), "--parts", "hub,colectors")
    assert code == 2 and "'colectors' is unknown; did you mean 'collectors'?" in said
    code, said = andon("run", "-c", str(plant), "--parts", ",")
    assert code == 2 and "choose from all, hub, collectors, workers" in said


@pytest.mark.parametrize("parts", ["collectors", "hub", "workers,rules"])
def test_parts_that_could_not_hear_each_other_are_not_started(plant: Path, dsn: str, parts: str) -> None:
    plant.write_text(plant.read_text(encoding="utf-8") + POINTLESS, encoding="utf-8")
    code, said = andon("run", "-c", str(plant), "--parts", parts, ANDON_DATABASE=dsn)
    assert code == 2 and "name one with hub.redis or ANDON_REDIS" in said


def test_a_port_that_is_taken_is_told_before_anything_is_started(plant: Path, tmp_path: Path) -> None:
    with listening() as port:
        code, said = andon("run", "-c", str(plant), "--port", str(port), ANDON_DATA=str(tmp_path / "data"))
    assert code == 2
    assert f"127.0.0.1:{port} is in use by another program" in said and "--port" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after", ["nothing", "database", "migrations", "bus", "up in"])
def test_a_stop_at_any_moment_of_the_start_ends_cleanly(
    plant: Path, tmp_path: Path, after: str, number: signal.Signals
) -> None:
    data = tmp_path / "data"
    tmp_path.chmod(0o711)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "hub.cli", "run", "-c", str(plant)], cwd=checkout(),
        env=environment(ANDON_DATA=str(data)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = []
    if after == "nothing":  # the embedded server is being made: the first thing that is to be seen of it
        while not data.exists():
            time.sleep(0.01)
            assert process.poll() is None
    else:
        for line in process.stdout:
            said.append(line)
            if after in line:
                break
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    told = "".join(said) + rest
    assert process.returncode == 0, told
    assert "stopped" in told and "Traceback" not in told, told
    left = [*data.rglob("postmaster.pid"), *working_in(data)]
    assert left == [], "a server was left behind"


def working_in(data: Path) -> list[Path]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str((entry / "cwd").readlink()).startswith(str(data)):
                found.append(entry)
        except OSError:
            continue
    return found
