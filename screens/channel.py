"""One cut of the board and everybody who looks at it: frames are numbered and encoded once for all of them.

A reader that falls behind is not sent the backlog: its queue is emptied and the next thing it gets is the
board as it then stands. A reader that takes nothing for half a minute is let go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

import orjson

from hub.ports import Clock
from screens import merge
from screens.figures import as_time
from screens.live import seen_by
from screens.merge import Json

QUEUE = 20  # frames: about four seconds
PATIENCE = 30.0  # seconds with frames waiting and none taken


class Subscription:
    """One reader's queue. `take` until it gives None."""

    def __init__(
        self, snapshot: Callable[[], str], clock: Clock, gone: Callable[[Subscription], None]
    ) -> None:
        self._snapshot, self._clock, self._gone = snapshot, clock, gone
        self._frames: deque[str] = deque()
        self._behind = True  # the first frame is a snapshot, too
        self._there = asyncio.Event()
        self._there.set()
        self._moved = clock.monotonic()
        self.skipped = 0
        self.closed = asyncio.Event()

    def offer(self, frame: str) -> None:
        if not self._frames and not self._behind and not self._there.is_set():
            self._moved = self._clock.monotonic()  # patience is measured from the first unread frame
        if len(self._frames) >= QUEUE:
            self._frames.clear()
            self._behind = True
            self.skipped += 1
        if not self._behind:
            self._frames.append(frame)
        self._there.set()

    async def take(self) -> str | None:
        """The next frame to send; None when this reader has been let go."""
        await self._there.wait()
        if self.closed.is_set():
            return None
        self._moved = self._clock.monotonic()
        if self._behind:
            self._behind = False
            frame = self._snapshot()
        else:
            frame = self._frames.popleft()
        if not self._frames:
            self._there.clear()
        return frame

    @property
    def waiting(self) -> bool:
        """Whether `take` would give something at once."""
        return self._behind or bool(self._frames)

    def is_stuck(self) -> bool:
        return self.waiting and self._clock.monotonic() - self._moved >= PATIENCE

    def close(self) -> None:
        self.closed.set()
        self._there.set()
        self._gone(self)


class Channel:
    """`machines`: whose numbers are seen here; None is all."""

    def __init__(self, machines: frozenset[str] | None, clock: Clock) -> None:
        self.machines = machines
        self.readers: set[Subscription] = set()
        self._clock = clock
        self._shown: Json = {}  # without the numbers of tags
        self._values: Mapping[str, Json] = {}
        self._seq = 0
        self._encoded: tuple[str, int, str] | None = None

    def join(self) -> Subscription:
        reader = Subscription(self._snapshot, self._clock, self.readers.discard)
        self.readers.add(reader)
        return reader

    def show(self, board: Json | None, values: Mapping[str, Json], fragment: Mapping[str, Json]) -> None:
        """The board as it is now (None: as before); `values` whole and `fragment` what changed in it."""
        change: Json = {}
        if board is not None:
            change = merge.patch(self._shown, board)
            self._shown = board
        self._values = values
        mine = seen_by(fragment, self.machines)
        if mine:
            change = merge.both(change, {"machines": {m: {"values": v} for m, v in mine.items()}})
        if change or not self._seq:
            self._seq += 1
            self._tell("patch", change)

    def beat(self) -> None:
        self._tell("heartbeat", None)

    def frame(self) -> Json:
        """The snapshot as a document of its own."""
        return {
            "type": "snapshot",
            "seq": self._seq,
            "at": as_time(self._clock.now()),
            "board": self._whole(),
        }

    def _whole(self) -> Json:
        machines = {
            path: {**machine, "values": self._values.get(path, {})}
            for path, machine in self._shown["machines"].items()
        }
        return {**self._shown, "machines": machines}

    def _snapshot(self) -> str:
        second = as_time(self._clock.now().replace(microsecond=0))
        if self._encoded is None or self._encoded[:2] != (second, self._seq):
            self._encoded = (second, self._seq, orjson.dumps(self.frame()).decode())
        return self._encoded[2]

    def _tell(self, kind: str, change: Json | None) -> None:
        if not self.readers:
            return
        head = {"type": kind, "seq": self._seq, "at": as_time(self._clock.now())}
        frame = orjson.dumps(head if change is None else {**head, "board": change}).decode()
        for reader in self.readers:
            reader.offer(frame)
