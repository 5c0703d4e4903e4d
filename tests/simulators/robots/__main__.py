"""`python -m tests.simulators.robots --port 8812 [--state FILE]`: both robots and the inbox page."""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

from hub.clock import SystemClock
from tests.simulators.process import serve_until_told
from tests.simulators.robots.app import Robots


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.robots", description=__doc__)
    parser.add_argument("--port", type=int, default=8812, help="0: any free one")
    parser.add_argument("--state", type=Path, help="file that keeps the inbox across restarts")
    options = parser.parse_args()
    robots = Robots(
        SystemClock(),
        os.environ.get("ANDON_DEMO_WECOM_KEY") or secrets.token_hex(16),
        os.environ.get("ANDON_DEMO_DINGTALK_TOKEN") or secrets.token_hex(32),
        os.environ.get("ANDON_DEMO_DINGTALK_SECRET") or "SEC" + secrets.token_hex(32),
        options.state,
    )
    serve_until_told("robots", robots.app, options.port)


main()
