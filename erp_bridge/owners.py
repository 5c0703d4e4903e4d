"""Whom a discrepancy concerns, and the message they get (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hub.model.alarm import Priority
from hub.model.discrepancy import Book, OpenDiscrepancy
from hub.model.discrepancy_words import REPAIRS, sides, title
from hub.model.intent import Intent
from hub.model.people import Person, Role
from hub.model.words import Words
from hub.notices import Notices

DEFAULT: Mapping[Book, str] = {
    Book.ORDERS: Role.PLANNER.value,
    Book.REPORTS: Role.PLANNER.value,
    Book.POSTINGS: Role.PLANNER.value,
    Book.STOCK: Role.PLANNER.value,  # the warehouse has no role of its own: a site names its person
    Book.TICKETS: Role.TECHNICIAN.value,
    Book.EQUIPMENT: Role.ADMIN.value,
    Book.RECORDS: Role.ADMIN.value,  # whoever keeps the ERP's maps
}
SHOWN = 5  # in one message; the console has all
WHERE = Words("ERP 对账", "ERP reconciliation")


def notice(notices: Notices, owner: str, mine: Sequence[OpenDiscrepancy], now: datetime) -> list[Intent]:
    """One message for all that is new to this owner or has grown old."""
    fresh, old = [o for o in mine if o.told_at is None], [o for o in mine if o.told_at is not None]
    shown = [*old, *fresh][:SHOWN]
    lines = [(title(o.what), _line(o, now)) for o in shown]
    if len(mine) > SHOWN:
        rest = len(mine) - SHOWN
        lines.append((Words("其余", "More"), Words(f"{rest} 项见控制台", f"{rest} in the console")))
    newest = max(o.id for o in mine)
    return notices.about(
        f"reconcile:{owner}:{newest}:{now.timestamp():.0f}",
        _headline(len(fresh), len(old)),
        where=WHERE,
        lines=lines,
        people=people(notices, owner),
        priority=Priority.MEDIUM,
        link=console(notices, "reconcile"),
    )


def console(notices: Notices, page: str) -> str:
    """Where a message leads."""
    return f"{notices.link.removesuffix('/phone').removesuffix('/wall')}/console#{page}"


def people(notices: Notices, owner: str) -> list[Person]:
    if owner in {role.value for role in Role}:
        return notices.holders([Role(owner)])
    known = notices.plant.people.get(owner)
    return [known] if known else []


def _headline(fresh: int, old: int) -> Words:
    zh = [f"{fresh} 项新差异"] if fresh else []
    en = [f"{fresh} new" if fresh != 1 else "1 new"] if fresh else []
    if old:
        zh.append(f"{old} 项差异仍未处理")
        en.append(f"{old} still open")
    return Words("，".join(zh), "differences between the books: " + ", ".join(en))


def _line(o: OpenDiscrepancy, now: datetime) -> Words:
    both, repair, age = sides(o.what), REPAIRS[o.what.repair], _age(now - o.first_seen)
    return Words(f"{both.zh}；{repair.zh}；{age.zh}", f"{both.en}; {repair.en}; {age.en}")


def _age(span: timedelta) -> Words:
    hours = int(span.total_seconds() // 3600)
    if hours >= 24:
        return Words(f"已 {hours // 24} 天", f"for {hours // 24} d")
    if hours:
        return Words(f"已 {hours} 小时", f"for {hours} h")
    return Words("刚发现", "just found")
