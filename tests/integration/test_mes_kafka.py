"""What only Kafka has: brokers that go away, partitions that move, retention that is faster than we."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from collectors import kafka_line
from collectors.event_runner import EventRunner
from collectors.mes_kafka import MesKafkaSource
from hub.errors import AndonError, ConfigError, SourceRefused, SourceUnavailable
from tests.certificates import Authority
from tests.contract.mes.worlds import BROKEN, EVENTS, Enough, KafkaWorld, Record, record
from tests.kafka import FETCH, JOIN, OFFSET_COMMIT

pytestmark = pytest.mark.anyio

REPORT = EVENTS[1]
SECRET = "hunter2-hunter2"
NOT_ALLOWED_TOPIC, NOT_ALLOWED_GROUP, ILLEGAL_GENERATION = 29, 30, 22


@pytest.fixture
async def world(dsn: str) -> AsyncIterator[KafkaWorld]:
    async with record(dsn) as house:
        made = KafkaWorld(house)
        yield made
        await made.close()


async def numbers(house: Record) -> list[str]:
    return [row["id"] for row in (await house.everything())["reports"]]


def reports(*ids: str) -> list[dict[str, Any]]:
    return [{**REPORT, "id": number} for number in ids]


async def complaint(world: KafkaWorld, **more: Any) -> AndonError:
    source = MesKafkaSource(MesKafkaSource.Config.model_validate(world.block() | more), world.clock, "mes")
    with pytest.raises((SourceUnavailable, SourceRefused)) as told:
        async with asyncio.timeout(20):
            await source.feed(world.intake(source))
    return told.value


async def test_brokers_that_are_away_are_named_and_found_again_when_they_are_back(world: KafkaWorld) -> None:
    await world.tell(reports("R-1"))
    await world.read()
    world.kafka.down()
    told = await complaint(world)
    assert isinstance(told, SourceUnavailable) and world.kafka.address in str(told)
    world.kafka.up()
    await world.tell(reports("R-2"))
    await world.read()
    assert await numbers(world.record) == ["R-1", "R-2"]


async def test_a_broker_that_goes_away_ends_the_life_and_the_source_is_told_as_down(
    world: KafkaWorld,
) -> None:
    await world.tell(reports("R-1"))
    await world.read()
    states: list[tuple[bool, str]] = []

    async def told(up: bool, error: str) -> None:
        states.append((up, error))
        if up:
            world.kafka.down()

    runner = EventRunner("mes", world.source, world.record.ledger, world.clock, world.record.shout, told)
    with pytest.raises(SourceUnavailable, match="Kafka is away"):
        async with asyncio.timeout(20):
            await runner.run()
    assert [up for up, _ in states] == [True, False] and world.kafka.address in states[1][1]


async def test_what_retention_deleted_before_it_was_read_is_a_reject_with_its_count(
    world: KafkaWorld, caplog: pytest.LogCaptureFixture
) -> None:
    await world.tell(reports("R-1", "R-2"))
    await world.read()
    await world.tell(reports("R-3", "R-4", "R-5"))
    world.kafka.retain("mes", 4, partition=1)
    await world.read()
    assert await numbers(world.record) == ["R-1", "R-2", "R-5"]
    (gap,) = await world.record.rejects()
    assert "2 entries of mes/1 (2 to 3) were deleted by retention" in gap["reason_en"]
    assert "2 条" in gap["reason_zh"] and "deleted by retention" in caplog.text
    await world.read()
    assert [r["times"] for r in await world.record.rejects()] == [1]


async def test_a_gap_is_told_before_what_lies_behind_it_and_counted_once_when_nothing_follows(
    world: KafkaWorld,
) -> None:
    await world.tell(reports("R-1"))
    await world.read()
    await world.tell(reports("R-2"))
    world.kafka.retain("mes", 2, partition=1)
    for _ in range(2):
        await world.read()
    assert [(r["times"], r["kind"]) for r in await world.record.rejects()] == [(1, "")]


async def test_poison_is_kept_and_does_not_stop_the_stream(world: KafkaWorld) -> None:
    world.kafka.put("mes", b"\xff\xfe", None, b"", b"[1", b"7", b"[" * 100_000, partition=1)
    world.told[1] += 6
    await world.tell([BROKEN, *reports("R-1")])
    await world.read()
    assert await numbers(world.record) == ["R-1"]
    reasons = [r["reason_en"] for r in await world.record.rejects()]
    assert len(reasons) == 7 and "good must be a whole number" in reasons
    assert sum("has no value" in r for r in reasons) == 1 and sum("is not JSON" in r for r in reasons) == 3
    assert sum("is no text in UTF-8" in r for r in reasons) == 1


async def test_an_event_without_an_id_has_that_of_its_place_and_is_a_repeat_when_read_again(
    world: KafkaWorld,
) -> None:
    await world.tell([{n: v for n, v in REPORT.items() if n != "id"}])
    for group in ("one", "two"):  # another group reads all of it from the beginning
        source = MesKafkaSource(
            MesKafkaSource.Config.model_validate(world.block() | {"group": group}), world.clock, "mes"
        )
        intake = world.intake(source)

        async def done(group: str = group) -> bool:
            return world.kafka.committed(group, "mes", 1) == 1

        intake.enough = done
        with pytest.raises(Enough):
            await source.feed(intake)
    (number,) = await numbers(world.record)
    assert number.startswith("mes/1/0@") and await world.record.rejects() == []


async def test_two_hubs_share_the_partitions_and_nothing_is_lost_or_doubled(world: KafkaWorld) -> None:
    """Both live until each has taken something: the second comes while the first is reading."""
    world.more = {"session": "2500ms"}  # with less the brokers of tests leave one of two out
    took: set[str] = set()
    ended = asyncio.Event()

    async def life(name: str) -> None:
        source = world.source()
        intake = world.intake(source)
        plain = intake.take

        async def take(records: Any) -> Any:
            took.add(name)
            return await plain(records)

        async def done() -> bool:
            return ended.is_set()

        intake.take, intake.enough = take, done  # type: ignore[method-assign]
        with pytest.raises(Enough):
            await source.feed(intake)

    async def tell() -> None:
        told = 0
        while took != {"a", "b"}:
            for n in range(2):
                world.kafka.tell("mes", reports(f"R-{n}-{told}"), n)
                world.told[n] += 1
            told += 1
            await asyncio.sleep(0.02)
        ended.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as all_:
        for work in (life("a"), life("b"), tell()):
            all_.create_task(work)
    await world.read()
    assert len(await numbers(world.record)) == sum(world.told)
    assert await world.record.rejects() == []


async def test_a_commit_that_a_rebalance_refuses_is_made_again_with_no_news_needed(world: KafkaWorld) -> None:
    """Else what was read long ago would look like a gap once retention has deleted it."""
    world.kafka.fail(OFFSET_COMMIT, ILLEGAL_GENERATION)
    await world.tell(reports("R-1"))
    await world.read()
    assert world.kafka.committed("andon-hub", "mes", 1) == 1
    assert await numbers(world.record) == ["R-1"] and await world.record.rejects() == []


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [(JOIN, NOT_ALLOWED_GROUP, "right to the group"), (FETCH, NOT_ALLOWED_TOPIC, "right to read the topics")],
)
async def test_rights_that_are_missing_are_told_with_the_remedy(
    world: KafkaWorld, request_: int, code: int, words: str
) -> None:
    await world.tell(reports("R-1"))
    world.kafka.fail(request_, *[code] * 20)
    told = await complaint(world)
    assert isinstance(told, SourceRefused) and words in str(told)


async def test_a_topic_that_is_not_there_is_named(world: KafkaWorld) -> None:
    told = await complaint(world, topics=["nowhere"])
    assert isinstance(told, SourceRefused) and "no such topic (nowhere)" in str(told)


async def test_the_probe_counts_what_is_there_and_joins_nothing(
    world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell(reports("R-1", "R-2"))
    assert await world.source().probe() == {"mes": "2 entries, 2 partitions"}
    assert world.kafka.committed("andon-hub", "mes", 1) < 0
    world.kafka.down()
    monkeypatch.setattr(kafka_line, "_ANSWER", 1.0)
    with pytest.raises(SourceUnavailable):
        await world.source().probe()


# ------------------------------------------------------------------ TLS, passwords
@asynccontextmanager
async def behind_tls(world: KafkaWorld, folder: Path) -> AsyncIterator[int]:
    """A port with TLS before the broker, which tells its clients to come there; it asks for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "broker.crt", folder / "broker.pem")
    context.load_verify_locations(folder / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    host, _, port = world.kafka.address.rpartition(":")
    talks: set[asyncio.Task[None]] = set()

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            return
        finally:
            sink.close()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        for pair in ((reader, back), (there, writer)):
            talks.add(asyncio.create_task(copy(*pair)))

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    number = int(server.sockets[0].getsockname()[1])
    world.kafka.advertise("localhost", number)
    try:
        yield number
    finally:
        server.close()
        for one in talks:
            one.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kafka")
    authority = Authority.make()
    authority.put_into(folder)
    for name in ("broker", "hub"):
        owner = authority.issue(folder, name, "urn:kafka", (-1, 10))
        (folder / f"{name}.crt").write_bytes(owner.content.public_bytes(Encoding.PEM))
    return folder


async def test_over_tls_both_sides_show_who_they_are(world: KafkaWorld, certificates: Path) -> None:
    await world.tell(reports("R-1"))
    mine = {"certificate": str(certificates / "hub.crt"), "key": str(certificates / "hub.pem")}
    verified = {"tls": "verified", "ca": str(certificates / "authority.pem")}
    async with behind_tls(world, certificates) as port:
        for wrong in ({"tls": "verified", **mine}, verified | {"servers": [f"127.0.0.1:{port}"], **mine}):
            for _ in range(8):  # an address of localhost on which nobody listens may be tried first
                told = await complaint(world, **{"servers": [f"localhost:{port}"], **wrong})
                if isinstance(told, SourceRefused):
                    break
            assert isinstance(told, SourceRefused) and "correct tls, ca and certificate" in str(told)
        assert isinstance(await complaint(world, servers=[f"localhost:{port}"], **verified), AndonError)
        world.more = {"servers": [f"localhost:{port}"], **verified, **mine}
        source = world.source()
        intake = world.intake(source)

        async def taken() -> bool:
            return await numbers(world.record) == ["R-1"]

        intake.enough = taken
        with pytest.raises(Enough):
            await source.feed(intake)


def test_what_is_wrong_with_a_block_is_told_with_the_remedy() -> None:
    good = {"servers": ["k:9092"], "topics": ["mes"]}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"servers": ["u:p@k:9092"]}, "keys of their own"), ({"servers": ["k"]}, "HOST:PORT"),
        ({"topics": ["^mes.*"]}, "patterns are not understood"), ({"topics": []}, "topics"),
        ({"user": "li"}, "user and password go together"), ({"certificate": "a"}, "certificate and key"),
        ({"ca": "/ca.pem"}, "tls: verified"),
    ]  # fmt: skip
    for change, words in wrong:
        with pytest.raises(ValidationError, match=words):
            MesKafkaSource.Config.model_validate(good | change)


def test_the_driver_gets_what_was_written_and_nothing_else_shows_the_password() -> None:
    config = MesKafkaSource.Config.model_validate(
        {
            "servers": ["k:9092"], "topics": ["mes"], "tls": "verified", "ca": "/ca.pem", "user": "li",
            "password": SECRET, "mechanism": "scram-sha-256",
        }
    )  # fmt: skip
    made = kafka_line.settings_of(config)
    assert (made["security.protocol"], made["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-256")
    assert (made["sasl.password"], made["ssl.endpoint.identification.algorithm"]) == (SECRET, "https")
    assert made["enable.auto.commit"] is False and SECRET not in repr(config)


async def test_a_password_is_in_no_log_and_no_error(
    world: KafkaWorld, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told = await complaint(world, user="li", password=SECRET, mechanism="plain")
    said = capfd.readouterr()
    assert world.kafka.address in str(told)
    assert SECRET not in f"{told}{told!r}{caplog.text}{said.out}{said.err}"


async def test_a_file_that_is_not_there_is_told_and_no_word_of_the_secret(world: KafkaWorld) -> None:
    told = await complaint(
        world, tls="verified", ca="/nowhere/ca.pem", user="li", password=SECRET, mechanism="plain"
    )
    assert (
        isinstance(told, SourceRefused) and "ssl.ca.location failed" in str(told) and SECRET not in str(told)
    )


async def test_without_the_extra_it_is_told_what_to_install(
    world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(kafka_line.importlib, "import_module", gone)
    with pytest.raises(ConfigError, match=r"andon-hub\[kafka\]"):
        await world.source().probe()
