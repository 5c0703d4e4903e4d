"""Serve until told to stop; one line of JSON on stdout says that it serves."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.simulators.process import announce, told_to_stop
from tests.simulators.yonyou.server import CAP, YonyouSimulator
from tests.simulators.yonyou.sessions import Account


def main() -> None:
    defaults = Account()
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.yonyou", description=__doc__)
    parser.add_argument("--port", type=int, default=8816, help="0 takes any free one")
    parser.add_argument("--client-id", default=defaults.client_id)
    parser.add_argument("--cap", type=int, default=CAP, help="the most rows of one list")
    parser.add_argument("--as-text", action="store_true", help="Data as JSON text")
    parser.add_argument("--with-ids", action="store_true", help="$id and $ref in answers")
    parser.add_argument("--plain", action="store_true", help="DocNo instead of m_docNo in answers")
    options = parser.parse_args()
    secret = os.environ.get("ANDON_DEMO_YONYOU_SECRET") or defaults.client_secret
    account = Account(client_id=options.client_id, client_secret=secret)
    try:
        simulator = YonyouSimulator(options.port, account, cap=options.cap)
    except OSError as cause:
        sys.exit(f"yonyou: cannot serve on port {options.port} ({cause.strerror}); choose another --port")
    style = simulator.system.style
    style.as_text, style.with_ids, style.prefixed = options.as_text, options.with_ids, not options.plain
    asyncio.run(_serve(simulator))


async def _serve(simulator: YonyouSimulator) -> None:
    with simulator:
        stop = told_to_stop()
        announce("yonyou", simulator.url)
        await stop


if __name__ == "__main__":
    main()
