"""The tag numbers of the last start, for a collector that begins while the database cannot be asked."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hub.ports import Plant

NAME = "tags.json"


def keep_numbers(folder: Path, plant: Plant) -> None:
    """Whole or not at all. `folder` exists."""
    numbers = {path: tag.number for path, tag in plant.tags.items()}
    new = folder / f"{NAME}.new"
    with new.open("w", encoding="utf-8") as file:
        json.dump(numbers, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / NAME)


def known_numbers(folder: Path) -> dict[str, int]:
    """Empty when there was no start yet."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(path): int(number) for path, number in found.items()}
