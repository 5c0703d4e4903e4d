"""Serve until told to stop; one line of JSON on stdout says that it serves."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from tests.simulators.kingdee.planner import keep_entering
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.kingdee.sessions import Account
from tests.simulators.process import announce, told_to_stop


def main() -> None:
    defaults = Account()
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.kingdee", description=__doc__)
    parser.add_argument("--port", type=int, default=8811, help="0 takes any free one")
    parser.add_argument("--state", type=Path, help="SQLite file that survives restarts")
    parser.add_argument("--acct", default=defaults.acct_id)
    parser.add_argument("--user", default=defaults.user)
    parser.add_argument("--app-id", default=defaults.app_id)
    parser.add_argument("--idle", type=float, default=20 * 60, help="seconds after which a session is gone")
    parser.add_argument("--orders-from", default="", help="base URL of the MES whose orders are entered here")
    options = parser.parse_args()
    account = Account(
        acct_id=options.acct,
        user=options.user,
        app_id=options.app_id,
        app_secret=os.environ.get("ANDON_DEMO_KINGDEE_SECRET") or defaults.app_secret,
        idle=timedelta(seconds=options.idle),
    )
    try:
        simulator = KingdeeSimulator(options.port, options.state, account, begun=False)
    except OSError as cause:
        sys.exit(f"kingdee: cannot serve on port {options.port} ({cause.strerror}); choose another --port")
    asyncio.run(_serve(simulator, options.orders_from))


async def _serve(simulator: KingdeeSimulator, mes: str) -> None:
    with simulator:
        announce("kingdee", simulator.origin, webapi=simulator.url)
        planner = asyncio.create_task(keep_entering(simulator, mes)) if mes else None
        await told_to_stop()
        if planner:
            planner.cancel()
            await asyncio.gather(planner, return_exceptions=True)


if __name__ == "__main__":
    main()
