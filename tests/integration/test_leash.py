"""What the tests start ends with them, however they end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from tests.leash import leashed

RUN = """
import subprocess, sys
from tests.leash import leashed
said = "import sys; print('up', flush=True); sys.stdin.read()"
child = subprocess.Popen(leashed([sys.executable, "-c", said]))
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_a_process_on_the_leash_ends_with_a_run_that_is_killed() -> None:
    held, kept_open = os.pipe()  # so that only the kernel can end the child: its standard input stays open
    with subprocess.Popen([sys.executable, "-c", RUN], stdin=held, stdout=subprocess.PIPE) as run:
        os.close(held)
        assert run.stdout is not None
        assert run.stdout.readline() == b"up\n"
        run.send_signal(signal.SIGKILL)
        gone, _, _ = select.select([run.stdout], [], [], 30)  # closed once the last who holds it has ended
        assert gone and run.stdout.read() == b"", "the child lives on"
    os.close(kept_open)


def test_a_process_on_the_leash_is_the_command_itself() -> None:
    done = subprocess.run(leashed([sys.executable, "-c", "raise SystemExit(7)"]), check=False)
    assert done.returncode == 7
