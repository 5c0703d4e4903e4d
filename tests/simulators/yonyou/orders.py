"""MODoc: an order's life, and what its query tells (no state, no completed quantity)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulators.yonyou.answers import RowError
from tests.simulators.yonyou.books import Books, Row
from tests.simulators.yonyou.seed import ORG, operation

OPENED, APPROVED, STARTED, CLOSED = 0, 1, 2, 3
_HIDDEN = ("DocState", "Canceled", "TotalCompleteQty", "TotalScrapQty", "TotalRcvQty")


def code_of(row: Row, name: str) -> str:
    value = row.get(name)
    return str(value.get("Code") or "") if isinstance(value, dict) else ""


def must_have(row: Row, *names: str) -> None:
    for name in names:
        if row.get(name) in (None, "", {}):
            raise RowError(f"{name}不能为空")


class Orders:
    def __init__(self, books: Books) -> None:
        self._books = books

    def actions(self) -> dict[str, Callable[[Row], Row]]:
        return {
            "MODoc/Create": self.create,
            "MODoc/ApproveMo": lambda row: self.step(row, OPENED, APPROVED),
            "MODoc/StartMo": lambda row: self.step(row, APPROVED, STARTED),
            "MODoc/CompleteMo": lambda row: self.step(row, STARTED, CLOSED),
            "MODoc/CancelMo": self.cancel,
            "MODoc/DeleteMO": self.delete,
            "AHMOChange/Modify": self.change,
        }

    def find(self, row: Row, *, reading: bool = False) -> Row | None:
        if row.get("ID"):
            return self._books.one("order", reading=reading, ID=row["ID"])
        return self._books.one("order", reading=reading, DocNo=row.get("DocNo"))

    def must_find(self, row: Row) -> Row:
        found = self.find(row)
        if found is None:
            raise RowError(f"生产订单 {row.get('DocNo') or row.get('ID')} 不存在")
        return found

    def query(self, row: Row) -> list[Row]:
        found = self.find(row, reading=True)
        if found is None:
            return []
        shown = {n: v for n, v in found.items() if n not in (*_HIDDEN, "ID")}
        return [{"MOID": found["ID"]} | shown]

    def create(self, row: Row) -> Row:
        must_have(row, "Org", "ItemMaster", "DocType", "Department")
        item = self._books.one("item", Code=code_of(row, "ItemMaster"))
        if item is None:
            raise RowError(f"料品 {code_of(row, 'ItemMaster')} 不存在")
        if code_of(row, "Org") != ORG:
            raise RowError("组织不存在")
        number = row.get("DocNo") or f"MO{len(self._books.rows('order')) + 1:04}"
        if self._books.one("order", DocNo=number):
            raise RowError(f"单号 {number} 已存在")
        made = {n: v for n, v in row.items() if n != "OtherID"} | {
            "DocNo": number, "DocState": OPENED, "Canceled": False,
            "ProductQty": float(row.get("ProductQty") or 0),
            "ItemMaster": {"ID": item["ID"], "Code": item["Code"], "Name": item["Name"]},
            "TotalCompleteQty": 0.0, "TotalScrapQty": 0.0, "TotalRcvQty": 0.0,
            "MOOperationDTOs": [operation(self._books, "10", "加工", "WC01")],
        }  # fmt: skip
        return self._books.add("order", made)

    def step(self, row: Row, before: int, after: int) -> Row:
        order = self.must_find(row)
        forth = bool(row.get("OperateType", True))
        wanted, then = (before, after) if forth else (after, before)
        if order["Canceled"] or order["DocState"] != wanted:
            raise RowError(f"{order['DocNo']} 当前状态不允许该操作")
        if after == STARTED and forth and not row.get("OperateQty"):
            raise RowError("开工数量不能为空")
        more = {"StartedQty": row["OperateQty"]} if after == STARTED and forth else {}
        return self._put(order | {"DocState": then} | more)

    def cancel(self, row: Row) -> Row:
        return self._put(self.must_find(row) | {"Canceled": bool(row.get("OperateType", True))})

    def delete(self, row: Row) -> Row:
        order = self.must_find(row)
        if order["DocState"] != OPENED:
            raise RowError("只有开立状态可以删除")
        self._books.remove("order", order)
        return order

    def change(self, row: Row) -> Row:
        """A service that this site has written for itself: nothing public changes an approved order."""
        order = self.must_find(row)
        given = {n: row[n] for n in ("Priority", "CompleteDate") if n in row}
        return self._put(order | given)

    def _put(self, order: Row) -> Row:
        self._books.put("order", order)
        return order

    def moved(self, number: str, operation_number: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change one operation of an order."""
        order = self.must_find({"DocNo": number})
        for one in order["MOOperationDTOs"]:
            if one["OperationNum"] == operation_number:
                change(one)
        self._put(order)
