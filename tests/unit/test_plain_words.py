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


@pytest.fixture(autouse=True)
def not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not refused ends at once instead of starting a whole plant."""
    monkeypatch.setattr("hub.cli._life", lambda work: work.close())


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
