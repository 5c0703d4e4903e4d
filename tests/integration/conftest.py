"""What several files of tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.mes.worlds import FilesWorld, record


@pytest.fixture
async def files(dsn: str, tmp_path: Path) -> AsyncIterator[FilesWorld]:
    """A folder into which an MES drops files."""
    async with record(dsn) as made:
        yield FilesWorld(made, tmp_path)
