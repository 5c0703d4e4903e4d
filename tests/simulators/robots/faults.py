"""What a robot does wrong when told to, so many times or until told to stop.

| kind | what happens |
|---|---|
| errcode | HTTP 200 with `errcode` and `errmsg` |
| http | HTTP `status` (502) with a page of HTML |
| html | HTTP 200 with a page of HTML, as a portal answers |
| block | HTTP 200 `{"status": 1111, ...}`, as DingTalk shuts out an address |
| hang | takes the body and never answers; nothing is shown |
| hang-after | shows the message and never answers |
| slow | answers after `seconds` |
| cut | drops the connection; nothing is shown |
| cut-after | shows the message, drops the connection |
| cut-mid | shows the message, drops the connection in the middle of the answer |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = (
    "errcode", "http", "html", "block", "hang", "hang-after", "slow", "cut", "cut-after", "cut-mid",
)  # fmt: skip


@dataclass(slots=True)
class Fault:
    kind: str
    times: int | None = None  # None: until told to stop
    status: int = 502
    errcode: int = -1
    errmsg: str = "system busy"
    seconds: float = 5.0


class Faults:
    def __init__(self) -> None:
        self._now: dict[str, Fault] = {}

    def set(self, wish: Mapping[str, Any]) -> None:
        """`{"robot": "wecom"|"dingtalk", "kind": ..., "times": n, ...}`; kind "none" ends it."""
        robots = [wish["robot"]] if wish.get("robot") else ["wecom", "dingtalk"]
        rest = {k: v for k, v in wish.items() if k != "robot"}
        if rest.get("kind") in (None, "none"):
            for robot in robots:
                self._now.pop(robot, None)
            return
        if rest["kind"] not in KINDS:
            raise ValueError(f"unknown kind {rest['kind']!r}; known are {', '.join(KINDS)}, none")
        for robot in robots:
            self._now[robot] = Fault(**rest)

    def next(self, robot: str) -> Fault | None:
        fault = self._now.get(robot)
        if fault is None or fault.times is None:
            return fault
        fault.times -= 1
        if fault.times <= 0:
            del self._now[robot]
        return fault

    def as_dict(self) -> dict[str, str]:
        return {robot: fault.kind for robot, fault in self._now.items()}
