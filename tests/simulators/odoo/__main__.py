"""Serve until told to stop; one line of JSON on stdout says that it serves."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.simulators.odoo.server import Account, OdooSimulator
from tests.simulators.process import announce, told_to_stop


def main() -> None:
    defaults = Account()
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.odoo", description=__doc__)
    parser.add_argument("--port", type=int, default=8816, help="0 takes any free one")
    parser.add_argument("--database", default=defaults.database)
    parser.add_argument("--user", default=defaults.login)
    parser.add_argument("--release", type=int, default=19, choices=range(14, 20))
    options = parser.parse_args()
    key = os.environ.get("ANDON_DEMO_ODOO_KEY") or defaults.key
    account = Account(options.database, options.user, key)
    try:
        simulator = OdooSimulator(options.port, account, release=options.release)
    except OSError as cause:
        sys.exit(f"odoo: cannot serve on port {options.port} ({cause.strerror}); choose another --port")
    asyncio.run(_serve(simulator))


async def _serve(simulator: OdooSimulator) -> None:
    with simulator:
        stop = told_to_stop()
        announce("odoo", simulator.url)
        await stop


if __name__ == "__main__":
    main()
