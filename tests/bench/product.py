"""The product as `andon run` runs it, with a note taken of every commit of samples.

Says a line of JSON as soon as it lives, and another one when every part is up.
`python -m tests.bench.product --config FILE --parts writer,rules --commits FILE.npy`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import uvloop

from collectors.bus_sink import BusSink
from hub import log
from hub.app import App
from hub.bus.spool import Spool
from hub.bus.spooled import SpooledBus
from hub.model.batch import SampleBatch
from hub.plan import parts_of
from hub.settings import load
from hub.store.samples import PgSampleStore
from tests.bench.commits import Commits
from tests.bench.flood import Flood
from tests.simulators.process import announce, say, told_to_stop

SPOOL = 1 << 30  # bytes


class NotedStore(PgSampleStore):
    """The sample store, watched."""

    def __init__(self, inner: PgSampleStore, commits: Commits) -> None:
        super().__init__(inner._pool, writing=inner._writing)
        self._commits = commits

    async def write(self, batches: Sequence[SampleBatch], *further: Any, **named: Any) -> int:
        rows = await super().write(batches, *further, **named)
        for batch in batches:
            self._commits.note(batch.source_times)
        return rows


class NotedApp(App):
    def __init__(self, commits: Commits, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self._commits = commits

    async def flood(self, tags: int, seconds: float) -> int:
        """Simulated samples by the way of a collector's; how many were given, once the record has them."""
        spool = Spool(self.settings.file.hub.data / "spool", SPOOL)
        spooled, flood = SpooledBus(self.bus, spool, self.record.samples.reached, self.clock), Flood(tags)
        forwarding = asyncio.create_task(spooled.run())
        await flood.run(BusSink(spooled), lambda: spool.fill, seconds)
        while spool.fill:
            await asyncio.sleep(0.1)
        forwarding.cancel()
        return flood.given

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with super().opened():
            self.record.samples = NotedStore(self.record.samples, self._commits)
            yield


async def _live(chosen: argparse.Namespace) -> None:
    commits = Commits()
    stop = told_to_stop()
    announce("product", "")
    settings = load(chosen.config)
    app = NotedApp(commits, settings, parts_of(chosen.parts.split(",")), say=lambda part, text: None)
    running = asyncio.create_task(app.run())
    ready = asyncio.create_task(app.ready.wait())
    await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    gc.freeze()  # here and in `main` as `andon run` has it
    gc.enable()
    say({"up": app.address, "rules": len(app.rules)})
    if chosen.flood:
        say({"given": await app.flood(chosen.flood, chosen.seconds)})
    await stop
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    commits.save(chosen.commits)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.product", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parts", default="all")
    parser.add_argument("--commits", type=Path, required=True)
    parser.add_argument("--flood", type=int, default=0, help="so many simulated tags, as fast as can be")
    parser.add_argument("--seconds", type=float, default=0.0, help="of the flood")
    log.setup(stream=sys.stderr)
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_live(parser.parse_args()))


if __name__ == "__main__":
    main()
