# ruff: noqa: E501  tables of made-up data read better as rows
"""The ERP bridge for looking at the screens without a hub: made up, in the shape of docs/api.md."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub.api import erp_shapes
from hub.model.exchange import Direction, Exchange, Letter, Outcome, Pile
from hub.model.left_out import Omission
from tests.front.scenes import Json, stamp, words

MINUTE = timedelta(minutes=1)
TICKET = "AH-20260105-0007"
REASONS: tuple[str, ...] = (
    "会计期间 2026-01 已关闭，不能过账",
    "工序 99 不存在于工单 MO260105-0028",
    "单据已锁定：李会计正在修改",
    "field F_AH_State: number(state): 'repairing' is not a number",
)
DEAD = 4
LEDGER = 120  # messages, more than two pages of them


def health(now: datetime, dead: int) -> Json:
    detail = {"up": False, "away": True, "last_error": "no answer from http://erp.example:80 (ConnectTimeout)",
              "last_ok": now - 12 * MINUTE, "in_hand": 1}  # fmt: skip
    piles = [
        Pile("report-operation", 14, now - 11 * MINUTE, dead),
        Pile("update-ticket", 2, now - 3 * MINUTE, 0),
    ]
    unread = [
        Omission(1, "order", "MO260105-0099", "documents.order.read.due_at gives nothing", now - MINUTE)
    ]
    found = erp_shapes.health([{"name": "erp bridge", "up": True, "detail": detail}], piles, now)
    return found | {"left_out": erp_shapes.left_out(unread)}


def letters(now: datetime) -> list[Json]:
    """Refused ones, the newest first: an opening with its steps behind it, and a map that gives no value."""
    kinds = (
        ("report-operation", "report:R-1042", {"order": "MO260105-0031", "operation": "20", "good": 5}),
        ("post", "post:receipt:P-7", {"order": "MO260105-0028", "kind": "receipt"}),
        ("open-ticket", f"open-ticket:{TICKET}", {"ticket": TICKET}),
        (
            "update-ticket",
            "update-ticket:AH-20260105-0005",
            {"ticket": "AH-20260105-0005", "state": "repairing"},
        ),
    )
    dead = [
        Letter(90 - n, kind, key, "lane", "dead", n + 1, REASONS[n], now - 40 * MINUTE, None, now - n * 7 * MINUTE, told)
        for n, (kind, key, told) in enumerate(kinds)
    ]  # fmt: skip
    steps = (("update-ticket", "accepted"), ("update-ticket", "repairing"), ("close-ticket", ""))
    behind = [
        Letter(91 + n, kind, "k", "lane", "waiting", 0, "", now - (9 - n) * MINUTE, None, None,
               {"ticket": TICKET, "state": state}, 88)
        for n, (kind, state) in enumerate(steps)
    ]  # fmt: skip
    return erp_shapes.letters(dead, behind)


def under_way(now: datetime) -> list[Json]:
    told = {"order": "MO260105-0033", "operation": "10"}
    return [
        erp_shapes.letter(Letter(
            95, "report-operation", "report:R-1050", "lane", "waiting", 4, "no answer (ConnectTimeout)",
            now - 11 * MINUTE, now + MINUTE, None, told,
        ))
    ]  # fmt: skip


def exchanges(now: datetime) -> list[Json]:
    """A ledger of several pages: an order that was changed, a ticket, a report that was refused, and many more."""
    before = {"product": "A7", "quantity": 100, "due_at": stamp(now + 600 * MINUTE), "state": "released",
              "operations": ["10×100", "20×100"], "customer": "东风"}  # fmt: skip
    after = before | {"quantity": 80, "operations": ["10×80", "20×80"], "state": "released"}
    ticket = {"ticket": TICKET, "title": words("油温高", "Hot oil"), "priority": 4}
    told: list[dict[str, Any]] = [
        {"direction": Direction.IN, "subject": "order", "document": "order:MO260105-0028", "outcome": Outcome.TAKEN,
         "erp_number": "MO260105-0028", "before": before, "after": after},
        {"subject": "update-ticket", "document": TICKET, "erp_number": "WX000123", "seconds": 0.42, "before": ticket,
         "after": ticket | {"state": "repairing", "by_name": "张伟"}},
        {"subject": "report-operation", "document": "report:R-1042", "outcome": Outcome.REFUSED, "seconds": 1.9,
         "after": {"order": "MO260105-0031", "good": 5}, "reason": REASONS[0]},
    ]  # fmt: skip
    told += [
        {"subject": "report-operation", "document": f"report:R-{n}", "erp_number": f"SFC{n:06}", "seconds": 0.31,
         "after": {"order": "MO260105-0031", "good": n % 9}}
        for n in range(LEDGER - len(told))
    ]  # fmt: skip
    common = {"direction": Direction.OUT, "outcome": Outcome.DONE}
    return [
        erp_shapes.exchange(Exchange(at=now - n * MINUTE, id=LEDGER - n, **(common | one)))
        for n, one in enumerate(told)
    ]


def standing(now: datetime) -> Json:
    return {"number": "WX000123", "state": "waiting", "subject": "update-ticket", "letters": 1,
            "since": stamp(now - 3 * MINUTE), "reason": "no answer (ConnectTimeout)"}  # fmt: skip
