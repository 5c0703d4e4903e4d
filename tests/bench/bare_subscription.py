"""asyncua's own subscription and a handler that counts; stores nothing, watches nothing.

`python -m tests.bench.bare_subscription --endpoint URL --nodes 5000 --interval 0.2`; answers each line on
stdin with {"heard": changes so far}.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

import uvloop
from asyncua import Client
from asyncua.common.subscription import DataChangeNotif

from tests.bench.plant import NAMESPACE
from tests.simulators.process import announce, say, told_to_stop


class Handler:
    """As little as a handler can do."""

    def __init__(self) -> None:
        self.heard = 0

    def datachange_notification(self, node: object, value: object, data: DataChangeNotif) -> None:
        self.heard += 1


async def _live(chosen: argparse.Namespace) -> None:
    stop, handler = told_to_stop(), Handler()
    announce("bare-subscription", "")
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with Client(chosen.endpoint, timeout=30) as client:
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [client.get_node(f"ns={index};s=v{n}") for n in range(chosen.nodes)]
        subscription = await client.create_subscription(chosen.interval * 1000, handler)
        for start in range(0, len(nodes), 500):
            await subscription.subscribe_data_change(nodes[start : start + 500], queuesize=10)
        say({"up": ""})
        answering = asyncio.create_task(_answer(handler, commands))
        await stop
        answering.cancel()


async def _answer(handler: Handler, commands: asyncio.StreamReader) -> None:
    async for _ in commands:
        say({"heard": handler.heard})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bare_subscription", description=__doc__)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--interval", type=float, default=0.2, help="seconds, of publishing and sampling")
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_live(parser.parse_args()))


if __name__ == "__main__":
    main()
