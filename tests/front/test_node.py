"""The screens' thinking runs under node; this makes it part of `make test`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
HERE = Path(__file__).resolve().parent


@pytest.mark.skipif(
    NODE is None, reason="no node here; install Node.js 20 or newer to test the screens' library"
)
def test_the_library_of_the_screens_keeps_its_promises() -> None:
    files = sorted(str(path) for path in HERE.glob("*.test.js"))
    assert len(files) >= 10
    done = subprocess.run(
        [str(NODE), "--test", *files], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout[-4000:]
