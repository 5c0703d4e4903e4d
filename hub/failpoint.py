"""Named places where a test may make the process die, stop or fail.

`ANDON_FAILPOINTS=name:exit,other:raise`; nothing is done unless that is set. `exit` is os._exit(137): no
clean-up, the same as kill -9 at that line. `name:exit@3` acts on the third passage.
"""

from __future__ import annotations

import os
from collections import Counter

from hub.errors import Transient

_passages: Counter[str] = Counter()


def _plan() -> dict[str, tuple[str, int]]:
    plan = {}
    for item in filter(None, os.environ.get("ANDON_FAILPOINTS", "").split(",")):
        name, _, action = item.partition(":")
        action, _, nth = action.partition("@")
        plan[name] = (action, int(nth or 1))
    return plan


_PLAN = _plan()


def failpoint(name: str) -> None:
    if not _PLAN or name not in _PLAN:
        return
    action, nth = _PLAN[name]
    _passages[name] += 1
    if _passages[name] != nth:
        return
    if action == "exit":
        os._exit(137)
    raise Transient(f"failpoint {name}")
