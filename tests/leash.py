"""Processes that end with the test run that started them, even one that is killed with -9.

`python tests/leash.py PARENT COMMAND...` becomes the command, after asking the kernel to kill it when its
parent dies. Setting that in the child between fork and exec would need a fork of a process with threads.
Elsewhere than on Linux there is no such wish, and the command is started plainly.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def leashed(command: Sequence[str]) -> list[str]:
    """The command, to be started by this process and not to outlive it."""
    return [sys.executable, "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            sys.exit("the test run that wanted this has ended")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
