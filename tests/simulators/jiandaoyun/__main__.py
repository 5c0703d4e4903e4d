"""Serve until told to stop; one line of JSON on stdout says that it serves."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.simulators.jiandaoyun.keys import Key
from tests.simulators.jiandaoyun.seed import APP
from tests.simulators.jiandaoyun.server import API_KEY, JiandaoyunSimulator
from tests.simulators.process import announce, told_to_stop


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.jiandaoyun", description=__doc__)
    parser.add_argument("--port", type=int, default=8815, help="0 takes any free one")
    parser.add_argument("--flow", action="store_true", help="the repair form has a workflow")
    parser.add_argument("--unlimited", action="store_true", help="without the vendor's rates")
    options = parser.parse_args()
    key = os.environ.get("ANDON_DEMO_JIANDAOYUN_KEY") or API_KEY
    try:
        simulator = JiandaoyunSimulator(
            options.port, {key: Key()}, flow=options.flow, limited=not options.unlimited
        )
    except OSError as cause:
        sys.exit(f"jiandaoyun: cannot serve on port {options.port} ({cause.strerror}); choose another --port")
    asyncio.run(_serve(simulator))


async def _serve(simulator: JiandaoyunSimulator) -> None:
    with simulator:
        stop = told_to_stop()
        announce("jiandaoyun", simulator.url, app=APP)
        await stop


if __name__ == "__main__":
    main()
