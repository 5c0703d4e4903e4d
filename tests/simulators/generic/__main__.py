"""Serve the home-made ERP until told to stop; one line of JSON on stdout says that it serves."""

from __future__ import annotations

import argparse
import asyncio
import sys

from hub.clock import SystemClock
from tests.simulators.generic.server import Dialect, HomeMadeErp
from tests.simulators.process import announce, told_to_stop


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.generic", description=__doc__)
    parser.add_argument("--port", type=int, default=8818, help="0 takes any free one")
    parser.add_argument(
        "--auth", default="login", choices=["login", "cookie", "oauth2", "basic", "bearer", "api-key", "none"]
    )
    parser.add_argument(
        "--paging", default="page", choices=["page", "offset", "next", "link", "cursor", "none"]
    )
    parser.add_argument("--statuses", action="store_true", help="refuse by HTTP status, not by a code")
    options = parser.parse_args()
    dialect = Dialect(options.auth, options.paging, envelope=not options.statuses)
    try:
        erp = HomeMadeErp(SystemClock().now, dialect, options.port)
    except OSError as cause:
        sys.exit(f"generic: cannot serve on port {options.port} ({cause.strerror}); choose another --port")
    asyncio.run(_serve(erp))


async def _serve(erp: HomeMadeErp) -> None:
    with erp:
        stop = told_to_stop()
        announce("generic", erp.url)
        await stop


if __name__ == "__main__":
    main()
