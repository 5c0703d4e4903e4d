"""Files of reports that an MES drops, and what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.contract.mes.worlds import AT, FilesWorld

HEAD = "id,order,operation,at,good\n"


def row(number: int, good: Any = 3) -> str:
    return f"R-{number},MO-1,10,{AT},{good}\n"


async def goods(files: FilesWorld) -> dict[str, int]:
    return {r["id"]: r["good"] for r in (await files.record.everything())["reports"]}


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_file())
