"""Serve until told to stop; one line of JSON on stdout says that it serves."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.simulators.erpnext.server import ErpNextSimulator
from tests.simulators.process import announce, told_to_stop


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.erpnext", description=__doc__)
    parser.add_argument("--port", type=int, default=8818, help="0 takes any free one")
    parser.add_argument("--site", default="", help="the only Host that leads to the site")
    parser.add_argument("--bare", action="store_true", help="without the custom fields that a key user makes")
    options = parser.parse_args()
    try:
        simulator = ErpNextSimulator(options.port, host=options.site, bare=options.bare)
    except OSError as cause:
        sys.exit(f"erpnext: cannot serve on port {options.port} ({cause.strerror}); choose another --port")
    asyncio.run(_serve(simulator))


async def _serve(simulator: ErpNextSimulator) -> None:
    with simulator:
        stop = told_to_stop()
        announce("erpnext", simulator.url)
        await stop


if __name__ == "__main__":
    main()
