"""What a rush would do to the orders of a scene, and how one stands: made up, in the shape of docs/api.md."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.front.scenes import Json, person, stamp, words

CUSTOMERS = ("华星电子", "Northwind Parts", "东海泵业", "Alpina GmbH")
LOSSES = ((95, True, 70), (60, True, 15), (45, False, None), (40, False, None), (25, False, None),
          (12, False, None), (8, False, None))  # fmt: skip


LOST = [
    {
        "order": "MO260105-0031",
        "customer": CUSTOMERS[0],
        "minutes": 95,
        "becomes_late": True,
        "late_after": 70,
    },
    {"order": "MO260105-0033", "customer": CUSTOMERS[1], "minutes": 45, "becomes_late": False},
]


def foreseen(number: str, orders: Json, now: datetime) -> Json:
    """Up to seven others slip, two of them beyond their dates."""
    rest = [o for o in orders.values() if o["number"] != number][: len(LOSSES)]
    losers = [
        slip(order, now + timedelta(hours=3 + n), minutes, becomes, late, CUSTOMERS[n % 4])
        for n, (order, (minutes, becomes, late)) in enumerate(zip(rest, LOSSES, strict=False))
    ]
    return {
        "digest": "d.200.50",
        "at": stamp(now),
        "terms": {"priority": 1, "rush": True, "due_at": orders[number]["due_at"]},
        "winner": slip(orders[number], now + timedelta(hours=8), -200, False, None, "东海泵业"),
        "losers": losers,
        "others": [],
        "newly_late": sum(s["becomes_late"] for s in losers),
    }


def slip(order: Json, end: datetime, minutes: int, becomes: bool, late: int | None, customer: str) -> Json:
    found = {
        "order": order["number"],
        "product_name": order["product_name"],
        "customer": customer,
        "sellers": [person("zhang")],
        "due_at": order["due_at"],
        "from": stamp(end),
        "to": stamp(end + timedelta(minutes=minutes)),
        "minutes": minutes,
        "becomes_late": becomes,
    }
    return found | ({"late_after": late} if late else {})


def rush(number: str, now: datetime, undone: bool = False) -> Json:
    people = {"floor": ["li", "zhang"], "sales": ["zhang"]}
    told = [
        {"event": "undone" if undone else "made", "audience": audience, "people": [person(p) for p in who],
         "notifier": "wecom", "state": "done", "at": stamp(now)}
        for audience, who in people.items()
    ]  # fmt: skip
    found: Json = {
        "id": 1, "order": number, "state": "undone" if undone else "made", "by": person("zhang"),
        "at": stamp(now), "losers": LOST, "gain": 200, "erp": {"state": "done", "at": stamp(now)},
        "told": told,
        "reason": words("客户催货", "")["zh"],
    }  # fmt: skip
    if undone:
        return found | {"undone_by": person("zhang"), "undone_at": stamp(now)}
    return found | {"undo_until": stamp(now + timedelta(minutes=10))}
