"""Serve until told to stop; one line of JSON on stdout says that it serves."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.simulators.oracle.server import OracleSimulator
from tests.simulators.oracle.system import Account
from tests.simulators.process import announce, told_to_stop


def main() -> None:
    defaults = Account()
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.oracle", description=__doc__)
    parser.add_argument("--port", type=int, default=8815, help="0 takes any free one")
    parser.add_argument("--user", default=defaults.user)
    options = parser.parse_args()
    secret = os.environ.get("ANDON_DEMO_ORACLE_PASSWORD") or defaults.password
    try:
        simulator = OracleSimulator(options.port, Account(user=options.user, password=secret))
    except OSError as cause:
        sys.exit(f"oracle: cannot serve on port {options.port} ({cause.strerror}); choose another --port")
    asyncio.run(_serve(simulator))


async def _serve(simulator: OracleSimulator) -> None:
    with simulator:
        stop = told_to_stop()
        announce("oracle", simulator.url)
        await stop


if __name__ == "__main__":
    main()
