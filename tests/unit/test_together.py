"""What lives together ends together, also where a library swallows the cancellation."""

from __future__ import annotations

import asyncio

import pytest

from hub.errors import Transient
from hub.together import together

pytestmark = pytest.mark.anyio


class Deaf:
    """Swallows the first cancellations, as a library does whose answer arrives at the same moment."""

    def __init__(self, times: int) -> None:
        self.left, self.ended = times, False

    async def run(self) -> None:
        try:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if not self.left:
                        raise
                    self.left -= 1
        finally:
            self.ended = True


async def fails() -> None:
    await asyncio.sleep(0)
    raise Transient("the bus is away")


async def test_one_that_fails_ends_the_others_even_the_deaf_and_its_error_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hub.together.ASK_AGAIN", 0.001)
    deaf = Deaf(times=2)
    async with asyncio.timeout(20):
        with pytest.raises(Transient, match="the bus is away"):
            await together(deaf.run(), fails())
    assert deaf.ended
    assert deaf.left == 0


async def test_whoever_is_cancelled_leaves_nobody_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.together.ASK_AGAIN", 0.001)
    deaf, other = Deaf(times=2), Deaf(times=0)
    task = asyncio.create_task(together(deaf.run(), other.run()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (deaf.ended, other.ended) == (True, True)


async def test_one_that_ends_quietly_ends_the_others() -> None:
    other = Deaf(times=0)

    async def done() -> None:
        await asyncio.sleep(0)

    async with asyncio.timeout(20):
        await together(other.run(), done())
    assert other.ended
