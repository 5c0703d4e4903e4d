"""The doctor looks where trouble comes from, says what to do, and is not made ill by what he finds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hub import doctor
from hub.doctor import Finding, examine
from hub.errors import SourceRefused
from hub.settings import load

pytestmark = pytest.mark.anyio

SECRET = "hunter2-topsecret"
PLANT = """
hub: {data: %s, port: %d}
plant:
  id: p1
  name: Plant
  areas: [{id: a, name: A, lines: [{id: l, name: L, machines: [{id: m, name: M, tags: {t: {name: T}}}]}]}]
"""


class Server:
    """A database connection that answers what it was told to."""

    def __init__(self, **answers: str) -> None:
        self._answers = answers

    async def execute(self, query: bytes) -> Server:
        self._row = next((v for k, v in self._answers.items() if k.encode() in query), None)
        return self

    async def fetchone(self) -> tuple[str] | None:
        return (self._row,) if self._row else None


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    there: dict[str, Any] = {"server": Server(server_version="17.2")}

    async def connected(*_: object) -> Server:
        if isinstance(there["server"], Exception):
            raise there["server"]
        found: Server = there["server"]
        return found

    monkeypatch.setattr(doctor, "_connected", connected)
    return there


async def findings(folder: Path, more: str = "", **environment: str) -> list[Finding]:
    path = folder / "plant.yaml"
    path.write_text(PLANT % (folder / "data", free_port()) + more, encoding="utf-8")
    return [finding async for finding in examine(load(path, environment))]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bad(found: list[Finding]) -> list[tuple[str, str]]:
    """What was found wrong, with its remedy; every remedy says something."""
    assert all(remedy for good, _, remedy in found if not good)
    return [(what, remedy) for good, what, remedy in found if not good]


async def test_a_sound_house_is_found_sound(tmp_path: Path) -> None:
    found = await findings(tmp_path)
    assert bad(found) == []
    assert [what.split()[0] for _, what, _ in found][:3] == ["Python", "package", "configuration"]
    assert any("PostgreSQL 17.2" in what for _, what, _ in found)
    assert not (tmp_path / "data").exists()


async def test_timescale_is_told_with_its_licence(tmp_path: Path, database: dict[str, Any]) -> None:
    answers = {"server_version": "17.2", "pg_extension": "2.19.3", "timescaledb.license": "timescale"}
    database["server"] = Server(**answers)
    assert (True, "TimescaleDB 2.19.3, timescale licence", "") in await findings(tmp_path)


REFUSED = (psycopg.OperationalError("refused\nmore"), SourceRefused("refused"), psycopg.DataError("refused"))


@pytest.mark.parametrize("cause", REFUSED)
async def test_a_database_that_is_away_or_odd_is_one_finding(
    tmp_path: Path, database: dict[str, Any], cause: Exception
) -> None:
    database["server"] = cause
    assert bad(await findings(tmp_path)) == [("database: refused", "check hub.database, or leave it out")]


async def test_a_redis_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    found = await findings(tmp_path, ANDON_REDIS=f"redis://:{SECRET}@127.0.0.1:{free_port()}/0")
    assert bad(found) == [("Redis does not answer", "check hub.redis")]
    assert SECRET not in str(found)


async def test_a_full_disk_and_a_taken_port_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 2**70)
    with listening() as port:
        [(disk, space), (_, taken)] = bad(await findings(tmp_path, ANDON_PORT=str(port)))
    assert "GiB free" in disk and "free some space" in space
    assert f"127.0.0.1:{port} is in use" in taken


async def test_packages_of_strangers_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "intruders", lambda: ["hub: also installed by hub; remove it"])
    assert bad(await findings(tmp_path)) == [
        ("package names are ours alone", "hub: also installed by hub; remove it")
    ]


async def test_a_configuration_that_cannot_be_used_is_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    more = "collectors:\n- {name: plc, kind: modbus, with: {host: h, port: many, points: 5}}\n"
    [(what, remedy)] = bad(await findings(tmp_path, more))
    assert what.startswith("configuration") and "plc.with: port" in remedy and "plc.with: points" in remedy


# ------------------------------------------------------------------ machines, robots, ERP
OUTSIDE = f"""
collectors:
- name: plc
  kind: modbus
  with: {{host: 127.0.0.1, port: %d, points: [{{tag: p1/a/l/m/t, address: 0, type: uint16}}]}}
- name: cnc
  kind: opcua
  with: {{endpoint: "opc.tcp://127.0.0.1:%d/x", security: none, nodes: [{{tag: p1/a/l/m/t, node: i=85}}]}}
mes: [{{name: mes, kind: mes-http, with: {{base_url: "http://127.0.0.1:%d"}}}}]
notifiers: [{{name: robot, kind: wecom, with: {{key: {SECRET}, base_url: "http://127.0.0.1:%d"}}}}]
"""


async def test_every_place_that_does_not_answer_is_told_by_name(tmp_path: Path) -> None:
    with listening() as there:
        away = free_port()
        found = await findings(tmp_path, OUTSIDE % (there, away, there, away))
    assert [what.split(":")[0] for what, _ in bad(found)] == ["cnc", "robot"]
    assert all("is it on, is the address right" in remedy for _, remedy in bad(found))
    assert (True, f"plc: 127.0.0.1:{there} accepts connections", "") in found
    assert SECRET not in str(found)


async def test_a_hundred_places_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[int] = set()
    everybody = asyncio.Event()

    async def open_connection(_: str, port: int) -> tuple[None, Any]:
        asked.add(port)
        if len(asked) == 100:
            everybody.set()
        await everybody.wait()
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    monkeypatch.setattr(doctor, "PATIENCE", 30.0)
    monkeypatch.setattr(doctor, "read_plugins", lambda _: Plugged())
    found = await doctor._outside(None)  # type: ignore[arg-type]  # nothing of it is read
    assert len(found) == 100 and not any(good for good, _, _ in found)


class Plugged:
    def every(self) -> list[Any]:
        return [Use(port) for port in range(1, 101)]


class Use:
    def __init__(self, port: int) -> None:
        self.name, self.config = f"plc-{port}", self
        self.host, self.port = "127.0.0.1", port


async def test_a_place_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_connection(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    monkeypatch.setattr(doctor, "PATIENCE", 0.0)
    good, what, _ = await doctor._reachable("plc", "127.0.0.1", 502)
    assert (good, what) == (False, "plc: 127.0.0.1:502: no answer")


@contextmanager
def listening() -> Iterator[int]:
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])
