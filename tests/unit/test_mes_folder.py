"""A folder of which others take, rename and remove what they want while we look."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from collectors.mes_folder import DONE, Folder
from hub.errors import SourceRefused, SourceUnavailable


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder("mes", tmp_path / "drop", None, None)
    made.path.mkdir()
    made.prepare()
    for name in ("a.csv", "b.csv"):
        (made.path / name).write_text(name)
    return made


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Something happens when the names are known, and before any file is looked at."""
    real = os.scandir

    def listed(then: Callable[[], Any]) -> None:
        def scandir(path: Any) -> Any:
            found = list(real(path))
            then()
            return nullcontext(found)

        monkeypatch.setattr(os, "scandir", scandir)

    return listed


def test_a_file_that_is_renamed_while_we_look_is_gone_and_the_folder_is_there(
    folder: Folder, listed: Callable[[Callable[[], Any]], None]
) -> None:
    listed(lambda: (folder.path / "a.csv").rename(folder.path / "c.csv"))
    assert list(folder.look()) == ["b.csv"]


def test_a_folder_that_goes_while_we_look_is_not_there(folder: Folder) -> None:
    shutil.rmtree(folder.path)
    with pytest.raises(SourceUnavailable, match="is not there; is it mounted"):
        folder.look()


def test_a_file_is_not_said_to_be_gone_because_the_place_for_it_is(folder: Folder) -> None:
    shutil.rmtree(folder.places[DONE])
    with pytest.raises(SourceRefused, match=r"b\.csv cannot be moved to .*done"):
        folder.put(folder.path / "b.csv", DONE, "b.csv")
    folder.prepare()
    assert folder.put(folder.path / "b.csv", DONE, "b.csv")
    assert not folder.put(folder.path / "b.csv", DONE, "b.csv")
