"""`--data` may name anything: what andon did not make is never touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.data_folder import MARK, claim, forget
from hub.errors import ConfigError


@pytest.fixture(autouse=True)
def not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not refused ends at once instead of starting a whole plant."""
    monkeypatch.setattr("hub.cli._life", lambda work: work.close())


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder with somebody's own file in it."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "plant.yaml").write_text("years of work", encoding="utf-8")
    return folder


def typed(*words: str) -> ConfigError:
    found = CliRunner().invoke(app, list(words)).exception
    assert isinstance(found, ConfigError), found
    return found


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.mark.parametrize(
    "words", [("demo", "--fresh"), ("demo",), ("replay", "."), ("replay", ".", "--no-fresh")]
)
def test_a_folder_with_other_peoples_files_is_refused_and_left_as_it_is(
    theirs: Path, words: tuple[str, ...]
) -> None:
    said = typed(*words, "--data", str(theirs))
    assert "name a folder that is new or empty" in str(said)
    assert names(theirs) == {"plant.yaml"}
    assert (theirs / "plant.yaml").read_text(encoding="utf-8") == "years of work"


@pytest.mark.parametrize("words", [("demo", "--fresh"), ("demo",), ("replay", ".")])
def test_a_file_named_as_the_data_folder_is_told(theirs: Path, words: tuple[str, ...]) -> None:
    file = theirs / "plant.yaml"
    assert f"{file} is a file; name a folder" in str(typed(*words, "--data", str(file)))
    assert "cannot be used (Not a directory)" in str(typed(*words, "--data", str(file / "below")))
    assert file.read_text(encoding="utf-8") == "years of work"


def test_a_recording_that_is_not_there_costs_no_earlier_replay(tmp_path: Path) -> None:
    claim(tmp_path / "data", fresh=True)
    (tmp_path / "data" / "wall.json").touch()
    typed("replay", str(tmp_path / "nowhere"), "--data", str(tmp_path / "data"))
    assert names(tmp_path / "data") == {MARK, "wall.json"}


def test_what_we_made_is_emptied_but_for_what_is_kept(tmp_path: Path) -> None:
    folder, outside = tmp_path / "new" / "data", tmp_path / "outside"
    claim(folder, fresh=True)
    (folder / "postgres" / "base").mkdir(parents=True)
    (folder / "hub.log").touch()
    outside.mkdir()
    (outside / "file").touch()
    (folder / "link").symlink_to(outside)
    claim(folder, fresh=True)
    forget(folder, keep=("hub.log",))
    assert names(folder) == {MARK, "hub.log"}
    assert names(outside) == {"file"}, "a link is removed, not what it leads to"


@pytest.mark.parametrize("beside", ["secrets.json", "replay.log"])
def test_a_folder_of_an_earlier_version_is_used_but_never_emptied(tmp_path: Path, beside: str) -> None:
    for name in ("hub.log", beside):
        (tmp_path / name).touch()
    claim(tmp_path, fresh=False)
    with pytest.raises(ConfigError, match="--no-fresh"):
        claim(tmp_path, fresh=True)
    with pytest.raises(ConfigError, match="nothing was removed"):
        forget(tmp_path)
    assert names(tmp_path) == {"hub.log", beside}
