"""Serve until told to stop; one line of JSON on stdout says that it serves."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.simulators.process import announce, told_to_stop
from tests.simulators.sap.server import SapSimulator
from tests.simulators.sap.sessions import Account
from tests.simulators.sap.system import PAGE


def main() -> None:
    defaults = Account()
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.sap", description=__doc__)
    parser.add_argument("--port", type=int, default=8814, help="0 takes any free one")
    parser.add_argument("--user", default=defaults.user)
    parser.add_argument("--client", default=defaults.client)
    parser.add_argument("--page-size", type=int, default=PAGE)
    options = parser.parse_args()
    secret = os.environ.get("ANDON_DEMO_SAP_PASSWORD") or defaults.password
    account = Account(user=options.user, password=secret, client=options.client)
    try:
        simulator = SapSimulator(options.port, account, page_size=options.page_size)
    except OSError as cause:
        sys.exit(f"sap: cannot serve on port {options.port} ({cause.strerror}); choose another --port")
    asyncio.run(_serve(simulator))


async def _serve(simulator: SapSimulator) -> None:
    with simulator:
        stop = told_to_stop()
        announce("sap", simulator.url)
        await stop


if __name__ == "__main__":
    main()
