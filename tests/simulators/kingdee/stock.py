"""What approval does to stock and orders, and what it refuses."""

from __future__ import annotations

from tests.simulators.kingdee.answers import INVALID, NOT_NOW, Refusal
from tests.simulators.kingdee.books import Books, Record, Row

_MOVES = {"PRD_INSTOCK": ("frealqty", 1.0), "PRD_PickMtrl": ("factualqty", -1.0)}
_AFTER = "3"  # FChangeType: the order as it shall be


def check(books: Books, record: Record) -> None:
    """Before a stock bill is approved. Raises what the server would say."""
    if record.form not in _MOVES:
        return
    amount, sign = _MOVES[record.form]
    for row in record.rows.get("fentity", []):
        if not row.values.get("fstockid"):
            raise Refusal(INVALID, f"单据 {record.number} 的“仓库”不能为空", "FStockId")
        material = books.get("BD_MATERIAL", row.values.get("fmaterialid") or 0)
        if material and material.values.get("fisbatchmanage") and not row.values.get("flot"):
            raise Refusal(INVALID, f"物料 {material.number} 启用批号管理，“批号”不能为空", "FLot")
        held = _held(books, row)
        on_hand = held.values["fbaseqty"] if held else 0.0
        if sign < 0 and on_hand < (row.values.get(amount) or 0.0):
            raise Refusal(INVALID, f"物料 {material.number if material else ''} 即时库存不足")


def move(books: Books, record: Record, sign: float) -> None:
    """Approved quantities come into stock or leave it; `sign` -1 takes an approval back."""
    if record.form not in _MOVES:
        return
    amount, direction = _MOVES[record.form]
    for row in record.rows.get("fentity", []):
        held = _held(books, row)
        changed = held.copy() if held else _empty(books, row)
        changed.values["fbaseqty"] += sign * direction * (row.values.get(amount) or 0.0)
        books.put(changed)


def change_orders(books: Books, record: Record) -> None:
    """An approved change bill 生产订单变更单 is written into the order lines that it names."""
    for row in record.rows.get("fentity", []):
        order = books.get("PRD_MO", int(row.values.get("fmoid") or 0))
        if str(row.values.get("fchangetype")) != _AFTER or order is None:
            continue
        changed = order.copy()
        line = changed.row(int(row.values.get("fmoentryid") or 0))
        if line is None or str(line.values.get("fstatus")) not in "1234":
            raise Refusal(NOT_NOW, f"生产订单 {order.number} 的分录不能变更")
        for field in ("fqty", "fplanstartdate", "fplanfinishdate"):
            if row.values.get(field) is not None:
                line.values[field] = row.values[field]
        books.put(changed)


def _held(books: Books, row: Row) -> Record | None:
    wanted = [row.values.get(k) for k in ("fmaterialid", "fstockid", "flot")]
    return next(
        (
            r
            for r in books.all("STK_Inventory")
            if [r.values.get(k) for k in ("fmaterialid", "fstockid", "flot")] == wanted
        ),
        None,
    )


def _empty(books: Books, row: Row) -> Record:
    values = {k: row.values.get(k) for k in ("fmaterialid", "fstockid", "flot")}
    return Record("STK_Inventory", books.next_id(), values | {"fbaseqty": 0.0, "fdocumentstatus": "C"})
