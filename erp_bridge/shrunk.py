"""A full reading that names hardly anything of what there was (pure): lost rights, a wrong organisation and a
wrong filter look like that. It proves nothing gone until a second one, an hour later, says the same.
"""

from __future__ import annotations

from datetime import datetime

from erp_bridge.left_out import LeftOut
from erp_bridge.omissions import AGAIN
from hub.model.words import Words

FEWEST = 5  # of so few, half may well go in a day
ALL = "*"  # no single record: the whole list is doubted
_NAMES = {
    "sales_order": Words("张未完销售订单", "open sales orders"),
    "equipment": Words("台设备", "machines"),
    "order": Words("张工单", "production orders"),
}


def is_short(missing: int, there: int) -> bool:
    return there >= FEWEST and (there - missing) * 2 < there


def believed(mark: str, missing: int, there: int, now: datetime) -> tuple[bool, str]:
    """Whether what is missing is gone; and what to keep of it until the next full reading, "" for nothing.
    A list that shrinks on is another answer: its hour begins anew."""
    if not is_short(missing, there):
        return True, ""
    since, _, before = mark.partition(" ")
    if not mark or missing > int(before):
        return False, f"{now.isoformat()} {missing}"
    return now - datetime.fromisoformat(since) >= AGAIN, mark


def told(document: str, missing: int, there: int) -> Words:
    what, named = _NAMES[document], there - missing
    return Words(
        f"ERP 只给出 {there} {what.zh}中的 {named} {what.zh[0]}：一小时后再次完整读取仍如此才采信",
        f"the ERP named {named} of {there} {what.en}: not believed until a second full reading an hour later"
        " says the same",
    )


def left_out(document: str, missing: int, there: int) -> LeftOut:
    """Told and kept as records are that cannot be read; a reason there is one text for both languages."""
    said = told(document, missing, there)
    return LeftOut(document, ALL, f"{said.zh} / {said.en}")
