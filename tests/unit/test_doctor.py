"""The doctor looks where trouble comes from, says what to do, and is not made ill by what he finds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel

from hub.clock import SystemClock
from hub.doctor import Finding, examine, machine, outside, record
from hub.errors import ErpRefused, SourceRefused, SourceUnavailable
from hub.house import Plugins, Use
from hub.settings import load
from hub.testing.clock import HandClock
from tests.ports import free_port
from tests.simulators.devices import RawServer

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
    """A database connection that answers with these rows, the server's first, then TimescaleDB's."""

    def __init__(self, apart: timedelta = timedelta(), may: bool = True, major: int = 17, **timescale: Any):
        offer = {"available": None, "made": None, "loaded": False, "licence": None} | timescale
        self._rows = {
            b"server_version": (f"{major}.2", major, lambda: SystemClock().now() + apart, "8 MB", may),
            b"pg_extension": tuple(offer.values()),
        }

    async def execute(self, query: bytes) -> Server:
        self._row = next(row for key, row in self._rows.items() if key in query)
        return self

    async def fetchone(self) -> tuple[Any, ...]:
        return tuple(cell() if callable(cell) else cell for cell in self._row)


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    there: dict[str, Any] = {"server": Server()}

    async def connected(*_: object) -> Server:
        if isinstance(there["server"], Exception):
            raise there["server"]
        found: Server = there["server"]
        return found

    monkeypatch.setattr(record, "connected", connected)
    return there


OUTSIDE_SERVER = {"ANDON_DATABASE": "postgresql://u@127.0.0.1:1/x"}  # never connected to, see above


async def findings(folder: Path, more: str = "", **environment: str) -> list[Finding]:
    path = folder / "plant.yaml"
    path.write_text(PLANT % (folder / "data", free_port()) + more, encoding="utf-8")
    return [finding async for finding in examine(load(path, environment))]


def bad(found: list[Finding]) -> list[tuple[str, str]]:
    """What was found wrong, with its remedy; every remedy says something."""
    assert all(remedy for good, _, remedy in found if not good)
    return [(what, remedy) for good, what, remedy in found if not good]


async def test_a_sound_house_is_found_sound(tmp_path: Path) -> None:
    found = await findings(tmp_path, **OUTSIDE_SERVER)
    assert bad(found) == []
    assert [what.split()[0] for _, what, _ in found][:3] == ["Python", "package", "configuration"]
    assert any("PostgreSQL 17.2, 8 MB" in what for _, what, _ in found)
    assert any("its clock differs from ours by" in what for _, what, _ in found)


async def test_an_embedded_database_that_is_not_there_yet_is_not_made_by_looking(tmp_path: Path) -> None:
    found = await findings(tmp_path)
    assert bad(found) == []
    assert any("an embedded PostgreSQL will be made in" in what for _, what, _ in found)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("offer", "told"),
    [
        ({"made": "2.19.3", "licence": "timescale"}, "TimescaleDB 2.19.3, Community edition"),
        ({"made": "2.19.3", "licence": "apache"}, "TimescaleDB 2.19.3, Apache edition"),
        ({"available": "2.19.3", "loaded": True}, "TimescaleDB 2.19.3 is there, and made"),
        ({"available": "2.19.3", "loaded": False}, "no TimescaleDB"),
    ],
)
async def test_timescale_is_told_with_its_edition(
    tmp_path: Path, database: dict[str, Any], offer: dict[str, Any], told: str
) -> None:
    database["server"] = Server(**offer)
    assert any(good and told in what for good, what, _ in await findings(tmp_path, **OUTSIDE_SERVER))


@pytest.mark.parametrize(
    ("server", "told", "remedy"),
    [
        (Server(apart=timedelta(seconds=-37)), "clock differs from ours by -37", "let NTP set both clocks"),
        (Server(may=False), "our account may make its tables", "let the account own the database"),
        (Server(major=13), "PostgreSQL 13.2", "use PostgreSQL 15 or newer"),
    ],
)
async def test_a_database_that_would_make_trouble_is_told(
    tmp_path: Path, database: dict[str, Any], server: Server, told: str, remedy: str
) -> None:
    database["server"] = server
    [(what, advice)] = bad(await findings(tmp_path, **OUTSIDE_SERVER))
    assert told in what and advice == remedy


REFUSED = (psycopg.OperationalError("refused\nmore"), SourceRefused("refused"), psycopg.DataError("refused"))


@pytest.mark.parametrize("cause", REFUSED)
async def test_a_database_that_is_away_or_odd_is_one_finding(
    tmp_path: Path, database: dict[str, Any], cause: Exception
) -> None:
    database["server"] = cause
    found = bad(await findings(tmp_path, **OUTSIDE_SERVER))
    assert found == [("database: refused", "check hub.database, or leave it out")]


async def test_a_redis_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    found = await findings(tmp_path, ANDON_REDIS=f"redis://:{SECRET}@127.0.0.1:{free_port()}/0")
    assert bad(found) == [("Redis does not answer", "check hub.redis")]
    assert SECRET not in str(found)


async def test_a_full_disk_and_a_taken_port_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_FREE", 2**70)
    with listening() as port:
        [(disk, space), (_, taken)] = bad(await findings(tmp_path, ANDON_PORT=str(port)))
    assert "GiB free" in disk and "free some space" in space
    assert f"127.0.0.1:{port} is in use" in taken


async def test_packages_of_strangers_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "intruders", lambda: ["hub: also installed by hub; remove it"])
    assert bad(await findings(tmp_path)) == [
        ("package names are ours alone", "hub: also installed by hub; remove it")
    ]


async def test_a_configuration_that_cannot_be_used_is_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    more = "collectors:\n- {name: plc, kind: modbus, with: {host: h, port: many, points: 5}}\n"
    told = bad(await findings(tmp_path, more))
    assert len(told) == 2 and all(what.startswith("configuration ") for what, _ in told)
    assert "plc.with: port" in told[0][0] and "plc.with: points" in told[1][0]


async def test_a_hub_that_is_running_here_is_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ours(_: object) -> str:
        return "ok"

    monkeypatch.setattr("hub.doctor.ours_runs_here", ours)
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    with listening() as port:
        found = await findings(tmp_path, ANDON_PORT=str(port))
    assert bad(found) == []
    assert any("a hub is running there, its health is 'ok'" in what for _, what, _ in found)
    assert any("the running hub keeps it" in what for _, what, _ in found), "its database is left alone"


async def test_another_program_at_our_address_is_not_taken_for_a_hub(tmp_path: Path) -> None:
    async with RawServer(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]") as other:
        [(_, remedy)] = bad(await findings(tmp_path, ANDON_PORT=str(other.port)))
    assert "in use by another program" in remedy


# ------------------------------------------------------------------ machines, robots, ERP
class Nothing(BaseModel):
    pass


class Place(BaseModel):
    base_url: str


def probed(answer: Mapping[str, str] | Exception, waits: bool = False) -> Any:
    """A plugin whose look at the world finds this."""

    class Plugin:
        Config = Nothing
        closed = 0

        def __init__(self, *_: object) -> None:
            pass

        async def probe(self) -> Mapping[str, str]:
            if waits:
                await asyncio.Event().wait()
            if isinstance(answer, Exception):
                raise answer
            return answer

        async def close(self) -> None:
            Plugin.closed += 1

    return Plugin


async def looked_at(cls: Any, config: BaseModel | None = None) -> list[Finding]:
    return await outside._looked_at(Use("plc", cls, config or Nothing()), cls)


async def test_what_a_probe_finds_is_told_line_by_line_with_the_remedy() -> None:
    cls = probed({"n=1": "✗ is a text; give it codes:", "server": "2 of 3 nodes", "n=2": "✗ odd"})
    assert await looked_at(cls) == [
        (True, "plc: server: 2 of 3 nodes", ""),
        (False, "plc: n=1: is a text", "give it codes:"),
        (False, "plc: n=2: odd", outside.ADVICE),
    ]
    assert cls.closed == 1


async def test_a_thousand_wrong_nodes_do_not_fill_the_screen() -> None:
    found = await looked_at(probed({str(n): "✗ odd; mend it" for n in range(1000)}))
    assert len(found) == outside.TOLD + 1 and found[-1].what == f"plc: {1000 - outside.TOLD} more like these"


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (SourceUnavailable("plc: no answer from h"), (False, "plc: no answer from h", outside.ADVICE)),
        (SourceRefused("plc: BadUser; allow it there"), (False, "plc: BadUser", "allow it there")),
        (ErpRefused("no"), (False, "plc: no", "correct it in the configuration, or allow it there")),
    ],
)
async def test_a_look_that_fails_is_a_finding(cause: Exception, told: Finding) -> None:
    cls = probed(cause)
    assert await looked_at(cls) == [told]
    assert cls.closed == 1


async def test_a_place_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "LOOK", 0.0)
    [(good, what, _)] = await looked_at(probed({}, waits=True))
    assert not good and "no end of answers" in what


async def test_a_hundred_places_are_looked_at_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    everybody = asyncio.Event()

    class Slow:
        def __init__(self, *_: object) -> None:
            pass

        async def probe(self) -> Mapping[str, str]:
            nonlocal asked
            asked += 1
            if asked == 100:
                everybody.set()
            await everybody.wait()
            return {"here": "well"}

    used = Plugins([Use(f"plc-{n}", Slow, None) for n in range(100)], [], [], None)
    monkeypatch.setattr(outside, "read_plugins", lambda _: used)
    (tmp_path / "plant.yaml").write_text(PLANT % (tmp_path, free_port()), encoding="utf-8")
    clock = HandClock()
    found = [f async for f in outside.examine_outside(load(tmp_path / "plant.yaml", {}), clock)]
    assert [f.what for f in found] == [f"plc-{n}: here: well" for n in range(100)]


# ------------------------------------------------------------------ carriers
async def test_a_carrier_is_reached_and_not_spoken_to() -> None:
    heard: list[bytes] = []

    def answer(asked: bytes) -> None:
        heard.append(asked)

    async with RawServer(answer) as there:
        [found] = await outside._carrier(Use("robot", None, Place(base_url=f"http://127.0.0.1:{there.port}")))
    assert found == (True, f"robot: 127.0.0.1:{there.port} accepts connections; nothing was sent", "")
    assert heard == []


async def test_a_carrier_that_is_away_or_shows_no_certificate_is_told_with_a_remedy() -> None:
    away = Place(base_url=f"http://127.0.0.1:{free_port()}")
    async with RawServer(lambda _: b"") as plain:
        [no_tls] = await outside._carrier(Use("r", None, Place(base_url=f"https://127.0.0.1:{plain.port}")))
    [nobody] = await outside._carrier(Use("r", None, away))
    assert (nobody.good, nobody.remedy) == (False, outside.ADVICE)
    assert not no_tls.good and no_tls.remedy


async def test_a_carrier_without_an_address_of_its_own_is_only_read() -> None:
    assert (await outside._carrier(Use("mail", None, Nothing())))[0].good


@contextmanager
def listening() -> Iterator[int]:
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])
