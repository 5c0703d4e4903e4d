"""Process parameters of an order, for the stand-in hub."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import sin
from typing import Any

from tests.front.scenes import words

Json = dict[str, Any]
PRESS = "p1/stamping/l1/press-01"


def parameters(order: str, now: datetime) -> Json:
    def at(minutes: float) -> str:
        return (now - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")

    means = [60 + 18 * sin(n / 9) for n in range(60)]
    oil = {
        "tag": f"{PRESS}/oil_temp", "name": words("油温", "Oil temperature"), "machine": PRESS,
        "where": words("1号线 冲压机01", "Line 1 Press 01"), "unit": "℃", "decimals": 1, "low": 45.0,
        "high": 75.0, "target": 60.0, "samples": 3600, "bad": 2, "outside": 412, "min": 41.2, "mean": 61.3,
        "max": 78.6, "deviation": 9.1, "first_at": at(60), "last_at": at(0),
        "lots": [{"item": "DC04", "lot": "COIL-77120"}],
        "series": [[at(60 - n), mean, mean - 1.5, mean + 1.5] for n, mean in enumerate(means)],
    }  # fmt: skip
    force = oil | {
        "tag": f"{PRESS}/force", "name": words("压力", "Force"), "unit": "kN", "low": None, "high": 2500.0,
        "target": None, "outside": 0, "bad": 0, "min": 2310.0, "mean": 2402.0, "max": 2466.0,
    }  # fmt: skip
    operation = {"operation": "10", "name": words("冲压", "Stamping"), "since": at(60), "until": None}
    return {"order": order, "operations": [operation | {"parameters": [force, oil]}]}
