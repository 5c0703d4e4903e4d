"""What the tests need beside the Python packages: Chromium and a Chinese font, from apt where allowed, and
the prepared database of a real Tryton, made by itself.

Never fails: what could not be had is said here, and the tests that need it are skipped with the reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ["chromium", "fonts-noto-cjk"]


def browser() -> str | None:
    """Path of a Chromium, or None."""
    named = os.environ.get("ANDON_CHROMIUM")
    return named or next((found for name in BROWSERS if (found := shutil.which(name))), None)


def main() -> None:
    prepare_browser()
    prepare_tryton()


def prepare_tryton() -> None:
    from tests.simulators.tryton.server import Unavailable, template

    try:
        template(say)
    except Unavailable as why:
        say(f"{why}; the tests on a real Tryton will be skipped")


def prepare_browser() -> None:
    if browser() or not shutil.which("apt-get"):
        return
    if os.geteuid() != 0:
        say("no Chromium, and only root may install it: the browser tests will be skipped")
        return
    say("installing Chromium and a Chinese font from apt ...")
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
        if done.returncode:
            say(f"apt-get could not: {done.stderr.strip().splitlines()[-1:]}; browser tests will be skipped")
            return


def say(text: str) -> None:
    sys.stderr.write(f"prepare: {text}\n")


if __name__ == "__main__":
    main()
