"""The folder that `andon demo` and `andon replay` keep their data in, and what may be removed of it.

People name it with `--data`, and name the wrong one at times. Only a folder that carries our mark is ever
emptied, and only one that was empty, or not there, gets it.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from hub.errors import ConfigError

MARK = ".andon-data"
_MARK_TEXT = "The andon command made this folder for its data; --fresh removes whatever is in it.\n"
_LOG = "hub.log"
_EARLIER = ("secrets.json", "replay.log")  # what a demo and a replay without the mark have beside their log


def claim(folder: Path, *, fresh: bool) -> None:
    """Make it, or find it to be ours; `fresh`: to be emptied later, which asks for the mark.

    Raises ConfigError, and has changed nothing, where it holds other people's files.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"--data: {folder} is a file; name a folder")
        folder.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in folder.iterdir()}
        if MARK in names:
            return
        if not names:
            (folder / MARK).write_text(_MARK_TEXT, encoding="utf-8")
            return
    except OSError as cause:
        raise ConfigError(
            f"--data: {folder} cannot be used ({cause.strerror}); name a folder that may be written to"
        ) from None
    if _LOG not in names or names.isdisjoint(_EARLIER):
        raise ConfigError(
            f"--data: {folder} holds files that andon did not make; name a folder that is new or empty"
        )
    if fresh:
        raise ConfigError(
            f"--data: {folder} does not say that andon made it (no {MARK} in it, as in those of earlier "
            "versions), so nothing in it was removed; add --no-fresh to go on with it, remove it yourself, "
            "or name another folder"
        )


def forget(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove what is in it, but for the names to `keep` and the mark; raises ConfigError without the mark."""
    if not (folder / MARK).is_file():
        raise ConfigError(f"--data: {folder} has no {MARK} in it; nothing was removed")
    for entry in folder.iterdir():
        if entry.name == MARK or entry.name in keep:
            continue
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError as cause:
            raise ConfigError(
                f"--data: {cause.filename or entry} cannot be removed ({cause.strerror}); remove it yourself"
            ) from None
