"""The machine processes as the conductor holds them: started by fork, told values, restarted when killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import select
from collections.abc import Iterable, Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from tests.simulators.wire import Machine, Value

POWER_BACK = 5.0  # seconds after which a machine that was killed serves again
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.simulators.warm", "tests.simulators.servers"])
BUSY = 0.005  # seconds between two looks at a pipe that is full


def warm_up() -> None:
    """Start loading what machine processes need, in the background; called first, it costs no waiting."""
    forkserver.ensure_running()


def _body(machine: Machine, pipe: Connection) -> None:
    from tests.simulators import servers  # here, so that only machine processes load the protocol stacks

    servers.run(machine, pipe)


class Hand:
    """One machine's process, its pipe, and everything it has been told."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.image: dict[str, Value] = {}
        self.wanted = True
        self.process: BaseProcess | None = None
        self.pipe: Connection | None = None
        self.behind: set[str] = set()
        self.restarts = 0
        self.starting = asyncio.Lock()
        self.serves = asyncio.Event()
        self.dark = asyncio.Event()

    @property
    def up(self) -> bool:
        return self.pipe is not None and self.process is not None and self.process.is_alive()

    def tell(self, values: Mapping[str, Value]) -> None:
        """Pass on what changed. A process that does not read is not waited for: it gets the rest later."""
        changed = {k: v for k, v in values.items() if k not in self.image or self.image[k] != v}
        self.image.update(changed)
        self.behind.update(changed)
        if self.pipe is None or not self.behind or not select.select([], [self.pipe], [], 0)[1]:
            return
        try:
            self.pipe.send({k: self.image[k] for k in self.behind})
            self.behind.clear()
        except OSError:  # it died this instant; the restart brings the whole image
            self.drop()

    def drop(self) -> None:
        self.serves.clear()
        self.dark.set()
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None


class Fleet:
    """`async with Fleet(machines)`: all of them serve inside the block, each in its own process."""

    def __init__(self, machines: Iterable[Machine], power_back: float = POWER_BACK) -> None:
        self.hands = {m.machine: Hand(m) for m in machines}
        self._power_back = power_back
        self._watches: list[asyncio.Task[None]] = []

    async def start(self, images: Mapping[str, Mapping[str, Value]]) -> None:
        """Serve these first values; returns when every machine answers. Raises OSError when one cannot."""
        for name, hand in self.hands.items():
            hand.image = dict(images.get(name, {}))
        answers = await asyncio.gather(*(self._launch(h) for h in self.hands.values()))
        wrong = [a for a in answers if a]
        if wrong:
            await self.stop()
            raise OSError("; ".join(wrong))
        self._watches = [asyncio.create_task(self._watch(h)) for h in self.hands.values()]

    async def stop(self) -> None:
        for watch in self._watches:
            watch.cancel()
        for hand in self.hands.values():
            hand.wanted = False
            hand.drop()
        for hand in self.hands.values():
            await self._end(hand)

    async def tell(self, name: str, values: Mapping[str, Value]) -> None:
        """Pass on every change in its order: waits while the machine's process is busy. A machine that is
        down gets what holds when it is back."""
        hand = self.hands[name]
        while hand.pipe is not None and not select.select([], [hand.pipe], [], 0)[1]:
            await asyncio.sleep(BUSY)
        hand.tell(values)

    async def power(self, name: str, on: bool) -> None:
        """Off: the process is killed and stays down. On: it is started again."""
        hand = self.hands[name]
        hand.wanted = on
        if not on:
            hand.drop()
            if hand.process is not None:
                hand.process.kill()
        else:
            await self._launch(hand)

    async def _launch(self, hand: Hand) -> str:
        """Start the process unless it serves, and wait until it does; the text says what went wrong."""
        async with hand.starting:
            return "" if hand.up else await self._fork(hand)

    async def _fork(self, hand: Hand) -> str:
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_body, args=(hand.machine, theirs), daemon=True)
        await asyncio.to_thread(process.start)
        theirs.close()
        ours.send(dict(hand.image))
        hand.process = process
        try:
            answer = str(await asyncio.to_thread(ours.recv))
        except (EOFError, OSError):
            answer = f"{hand.machine.machine}: its process ended before it served"
        if answer:
            ours.close()
            return answer
        hand.pipe, hand.behind = ours, set(hand.image)  # something may have changed while it started
        hand.dark.clear()
        hand.serves.set()
        return ""

    async def _watch(self, hand: Hand) -> None:
        """Whoever kills a machine gets it back a little later."""
        while True:
            await self._ended(hand)
            hand.drop()
            await asyncio.sleep(self._power_back)
            if hand.wanted and not hand.up:
                hand.restarts += 1
                await self._launch(hand)

    async def _ended(self, hand: Hand) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        if hand.process is None or not hand.process.is_alive():
            return
        sentinel = hand.process.sentinel
        loop.add_reader(sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(sentinel)

    async def _end(self, hand: Hand) -> None:
        if hand.process is None:
            return
        hand.process.terminate()
        await asyncio.to_thread(hand.process.join, 2)
        if hand.process.is_alive():
            hand.process.kill()
