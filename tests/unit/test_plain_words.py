"""What `andon demo` and `andon replay` say of what they were given, before a simulator would."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.demo import Demo
from hub.errors import ConfigError, SourceUnavailable
from hub.training import Simulator


@pytest.fixture(autouse=True)
def not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not refused ends at once instead of starting a whole plant."""
    monkeypatch.setattr("hub.cli._life", lambda work: work.close())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("demo", "--speed", "0"), "--speed: must be above 0; 1 is real time"),
        (("replay", ".", "--speed", "0"), "--speed: must be above 0; 1 is real time"),
        (("replay", ".", "--speed", "nan"), "--speed: must be above 0; 1 is real time"),
        (("replay", ".", "--speed", "inf"), "--speed: must be above 0; 1 is real time"),
        (("replay", ".", "--start", "yesterday"), "--start: 'yesterday' is no time; write 2017-06-13T09:00"),
    ],
)
def test_an_option_that_cannot_be_is_told_before_anything_is_made(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    found = CliRunner().invoke(app, [*words, "--data", str(tmp_path / "data")]).exception
    assert isinstance(found, ConfigError) and told in str(found)
    assert not (tmp_path / "data").exists()


def test_the_data_folder_is_meant_from_where_the_command_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Path] = []

    class Kept:
        def __init__(self, folder: Path, data: Path, *_: Any, **__: Any) -> None:
            given.append(data)
            raise ConfigError("enough")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hub.replay.Replay", Kept)
    monkeypatch.setattr("hub.training.TrainingPlant", lambda data, *_, **__: Kept(data, data))
    for words in (("replay", "."), ("demo",)):
        CliRunner().invoke(app, [*words, "--data", "here"])
    assert given == [tmp_path / "here"] * 2


@pytest.mark.anyio
async def test_a_simulator_that_does_not_start_is_told_by_the_last_thing_it_said(tmp_path: Path) -> None:
    log = tmp_path / "replay.log"
    player = Simulator("tests.simulators.replay", [str(tmp_path / "empty"), "--speed", "0"], {}, log)
    with pytest.raises(SourceUnavailable) as told:
        await player.start()
    await player.stop()
    said = str(told.value)
    assert said == f"replay did not start: --speed and --max-gap must be above 0; all it said is in {log}"


@pytest.mark.anyio
async def test_a_recording_without_anything_in_it_is_told_in_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "replay.log"
    (tmp_path / "empty").mkdir()
    player = Simulator("tests.simulators.replay", [str(tmp_path / "empty")], {}, log)
    with pytest.raises(SourceUnavailable) as told:
        await player.start()
    await player.stop()
    assert str(told.value).startswith(f"replay did not start: {tmp_path / 'empty'}"), told.value


@pytest.mark.anyio
async def test_a_world_that_fails_is_the_only_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = asyncio.Event()

    class Roof:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        @asynccontextmanager
        async def opened(self) -> AsyncIterator[None]:
            yield
            closed.set()
            await asyncio.sleep(0)

    async def people(*_: Any) -> None:
        await closed.wait()
        raise SourceUnavailable("the record is closed")

    async def world(_: Any) -> None:
        await asyncio.sleep(0)
        raise SourceUnavailable("no plant")

    async def stop() -> None: ...

    monkeypatch.setattr("hub.demo.App", Roof)
    monkeypatch.setattr("hub.demo.load", lambda *_: None)
    monkeypatch.setattr("hub.demo.people_and_wall", people)
    monkeypatch.setattr("hub.demo.refuse_taken_port", lambda *_: None)
    plant: Any = SimpleNamespace(
        port=1, config=tmp_path, folder=tmp_path, hub_environment=dict, start=world, stop=stop
    )
    lost: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context["message"]))
    with pytest.raises(SourceUnavailable, match="no plant"):
        await Demo(plant, lambda *_: None, hands_off=False).run(lambda _: None)
    await asyncio.sleep(0)
    gc.collect()
    assert lost == []
