"""Several coroutines that live and end together, also when a library swallows a cancellation.

Before Python 3.12 a cancellation that meets an answer may be lost in a library's wait_for; a TaskGroup then
waits for ever for a task that was told to end and does not know it. Here it is told again until it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

ASK_AGAIN = 0.5  # seconds


async def together(*jobs: Coroutine[Any, Any, None]) -> None:
    """Until one ends or raises, or we are cancelled: then the others are ended; what it raised goes on."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await ended(tasks)
    for task in done:
        task.result()


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Told to end until all have ended. We are not cancelled before that ourselves."""
    waiting = list(tasks)
    cancelled: asyncio.CancelledError | None = None
    while left := [task for task in waiting if not task.done()]:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=ASK_AGAIN)
        except asyncio.CancelledError as ours:
            cancelled = ours
    for task in waiting:
        if not task.cancelled():
            task.exception()  # looked at: the first one is raised by the caller
    if cancelled is not None:
        raise cancelled
