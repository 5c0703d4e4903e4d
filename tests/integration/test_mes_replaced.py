"""A drop folder where a file is replaced, or written on, between the reading of it and the moving."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.mes.worlds import Enough, FilesWorld
from tests.integration.mes_drop import HEAD, goods, names, row

pytestmark = pytest.mark.anyio


async def put_away(files: FilesWorld) -> list[str]:
    """What the record says of files that are looked after."""
    mark = await files.intake(files.source()).mark("done")
    return [p["name"] for p in json.loads(mark or "[]")]


async def interrupted(
    files: FilesWorld, when: str, change: Callable[[], Any], rounds: int = 3, die: bool = False
) -> None:
    """A life in which something happens to the folder once, right before this call of the record."""
    source, happened = files.source(), list[str]()
    intake = files.intake(source)
    intake.rounds = rounds
    real = getattr(intake, when)

    async def told(*what: Any) -> Any:
        answer = await real(*what)
        if not happened:
            happened.append(when)
            change()
            if die:
                raise Enough
        return answer

    setattr(intake, when, told)
    with pytest.raises(Enough):
        await source.feed(intake)
    assert happened


def replaced(path: Path, text: str) -> Callable[[], Any]:
    """As a MES writes that writes a file beside it first: another file of the same name."""

    def change() -> None:
        beside = path.with_suffix(".tmp")
        beside.write_text(text)
        beside.replace(path)

    return change


@pytest.mark.parametrize("when", ["take", "remember", "set_mark"])
async def test_a_file_that_took_the_place_of_another_is_read_before_it_is_moved(
    files: FilesWorld, when: str
) -> None:
    path = files.folder / "1-report.csv"
    path.write_text(HEAD + row(1))
    await interrupted(files, when, replaced(path, HEAD + row(2)), rounds=1 + 1)
    assert (await goods(files), names(files.folder)) == ({"R-1": 3}, ["1-report.csv"])
    assert (names(files.folder / "done"), await put_away(files)) == ([], [])
    await files.read()
    assert await goods(files) == {"R-1": 3, "R-2": 3}
    assert (names(files.folder), names(files.folder / "done")) == ([], ["1-report.csv"])
    assert await files.record.rejects() == []


@pytest.mark.parametrize("when", ["take", "set_mark"])
async def test_what_took_the_place_of_a_refused_file_is_read_too(files: FilesWorld, when: str) -> None:
    path = files.folder / "1-report.csv"
    path.write_text("nothing,of,this\n1,2,3\n")
    await interrupted(files, when, replaced(path, HEAD + row(2)), rounds=1 + 1)
    assert (names(files.folder / "failed"), await put_away(files)) == ([], [])
    await files.read()
    assert await goods(files) == {"R-2": 3}
    (kept,) = await files.record.rejects()
    assert kept["kind"] == "file"


@pytest.mark.parametrize("die", [False, True])
@pytest.mark.parametrize("before", [False, True], ids=["", "one-of-this-name-in-done"])
async def test_the_last_row_of_a_file_that_was_replaced_is_taken(
    files: FilesWorld, before: bool, die: bool
) -> None:
    """It was held back, for no line end closes it, and none will."""
    path = files.folder / "1-report.csv"
    if before:
        path.write_text(HEAD + row(0))
        await files.read()
    path.write_text(HEAD + row(1) + row(2).rstrip())
    await interrupted(files, "set_mark", replaced(path, HEAD + row(2, 7) + row(3)), die=die)
    files.clock.turn(3600)
    await files.read()
    found = await goods(files)
    found.pop("R-0", None)
    assert sorted(found) == ["R-1", "R-2", "R-3"]
    assert (found["R-2"], names(files.folder)) == (3, []), "the first of one name counts"


@pytest.mark.parametrize("die", [False, True])
@pytest.mark.parametrize("before", [False, True], ids=["", "one-of-this-name-in-done"])
async def test_half_a_last_row_whose_writer_goes_on_is_never_taken(
    files: FilesWorld, before: bool, die: bool
) -> None:
    path = files.folder / "1-report.csv"
    if before:
        path.write_text(HEAD + row(0))
        await files.read()
    path.write_text(HEAD + row(1) + row(2, 6).rstrip())

    def change() -> None:
        with path.open("a") as writer:
            writer.write("0\n" + row(3))

    await interrupted(files, "set_mark", change, die=die)
    files.clock.turn(3600)
    await files.read()
    found = await goods(files)
    found.pop("R-0", None)
    assert (found, names(files.folder)) == ({"R-1": 3, "R-2": 60, "R-3": 3}, [])
    assert await files.record.rejects() == []


async def test_the_last_row_of_a_file_that_somebody_took_away_before_it_was_moved_is_taken(
    files: FilesWorld,
) -> None:
    path = files.folder / "1-report.csv"
    path.write_text(HEAD + row(1) + row(2).rstrip())
    await interrupted(files, "set_mark", path.unlink)
    assert await goods(files) == {"R-1": 3, "R-2": 3}


async def test_a_file_that_was_on_record_as_moved_when_the_hub_died_is_moved_by_the_next_life(
    files: FilesWorld,
) -> None:
    path = files.folder / "1-report.csv"
    path.write_text(HEAD + row(1) + row(2, 6).rstrip())
    await interrupted(files, "set_mark", lambda: None, die=True)
    assert (names(files.folder), await put_away(files)) == (["1-report.csv"], ["1-report.csv"])
    files.clock.turn(3600)
    await files.read()
    assert (names(files.folder), names(files.folder / "done")) == ([], ["1-report.csv"])
    assert await goods(files) == {"R-1": 3}
    files.clock.turn(61)
    await files.read()
    assert await goods(files) == {"R-1": 3, "R-2": 6}
