"""The home-made ERP's memory and its rules: what it refuses, and in which words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.simulators.generic import seed

Row = dict[str, Any]
LIMITS = {"title": 200, "remark": 2000, "result": 2000}
STATUSES = ("NEW", "ACCEPTED", "DOING", "TRIAL", "DONE", "CANCELLED")


class No(Exception):
    """A refusal: HTTP status for those who speak HTTP, code for those with an envelope."""

    def __init__(self, status: int, code: int, words: str) -> None:
        self.status, self.code, self.words = status, code, words
        super().__init__(words)


class Books:
    def __init__(self, now: Callable[[], datetime], lag: Callable[[], float], unique: bool) -> None:
        self.lock = threading.RLock()
        self._now, self._lag, self._unique = now, lag, unique
        self._numbers = 0
        self._made: dict[int, datetime] = {}
        self.tables: dict[str, list[Row]] = {
            "machines": seed.machines(), "items": seed.items(), "orders": seed.orders(),
            "operations": seed.operations(), "sales": seed.sales(), "stock": seed.stock(),
            "repair": [], "report": [], "posting": [],
        }  # fmt: skip

    def shown(self, table: str, **equal: Any) -> list[Row]:
        """As a reader sees it: what was made a moment ago may not be shown yet."""
        until = self._now() - timedelta(seconds=self._lag())
        rows = self.where(table, **equal)
        return [r for r in rows if self._made.get(id(r), until) <= until]

    def where(self, table: str, **equal: Any) -> list[Row]:
        return [r for r in self.tables[table] if all(str(r.get(n)) == str(v) for n, v in equal.items())]

    def create(self, form: str, values: Row) -> Row:
        self._check(form, values)
        if self._unique and values.get("ext_no") and self.where(form, ext_no=values["ext_no"]):
            raise No(409, 4090, f"ext_no {values['ext_no']} 已存在 already exists")
        self._numbers += 1
        row = dict.fromkeys(seed.COLUMNS[form]) | values
        row |= {"id": self._numbers, "no": f"{form[:2].upper()}{self._numbers:05}"}
        if form == "repair":
            row["status"] = row["status"] or "NEW"
        if form == "report":
            self._count(row)
        self.tables[form].append(row)
        self._made[id(row)] = self._now()
        return row

    def change(self, form: str, number: str, values: Row) -> Row:
        row = self.one(form, id=number)
        self._check(form, values)
        if form == "repair" and row["status"] in ("DONE", "CANCELLED") and values.get("status") != "ACCEPTED":
            raise No(422, 4220, f"{row['no']} 已关闭 is closed")
        remark = values.pop("remark", None)
        row.update(values)
        if remark and remark not in (row["remark"] or "").splitlines():
            row["remark"] = "\n".join(filter(None, [row["remark"], remark]))
        return row

    def confirm(self, number: str) -> Row:
        """A posting counts from now on."""
        row = self.one("posting", id=number)
        if row["confirmed"]:
            return row
        row["confirmed"] = 1
        if row["kind"] in ("receipt", "issue"):
            self._move(row)
        return row

    def change_order(self, number: str, values: Row) -> Row:
        row = self.one("orders", no=number)
        unknown = sorted(values.keys() - {"priority", "rush", "due", "reason"})
        if unknown:
            raise No(400, 4001, f"unknown field {unknown[0]}")
        row.update(values)
        self.touch(row)
        return row

    def touch(self, row: Row) -> None:
        row["changed"] = seed.local(self._now())

    def one(self, table: str, **equal: Any) -> Row:
        found = self.where(table, **equal)
        if not found:
            raise No(404, 4040, f"{table} {next(iter(equal.values()))} 不存在 does not exist")
        return found[0]

    def _check(self, form: str, values: Row) -> None:
        for name in values:
            if name not in seed.COLUMNS[form]:
                raise No(400, 4001, f"unknown field {name}")
        for name, most in LIMITS.items():
            if len(str(values.get(name) or "")) > most:
                raise No(422, 4003, f"{name} 超长 is longer than {most}")
        for name, table in (("machine_no", "machines"), ("order_no", "orders"), ("item_no", "items")):
            if values.get(name) and not self.where(table, no=values[name]):
                raise No(422, 4002, f"{name} {values[name]} 不存在 does not exist")
        if values.get("status") not in (None, *STATUSES):
            raise No(422, 4004, f"status {values['status']} 无效 is not valid")

    def _count(self, row: Row) -> None:
        operation = self.where("operations", order_no=row["order_no"], op_no=row["op_no"])
        if not operation:
            raise No(422, 4002, f"operation {row['op_no']} of {row['order_no']} does not exist")
        operation[0]["good"] += int(row["good"] or 0)
        operation[0]["bad"] += int(row["bad"] or 0)

    def _move(self, row: Row) -> None:
        way = 1 if row["kind"] == "receipt" else -1
        there = self.where("stock", item_no=row["item_no"], lot=row["lot"], warehouse=row["warehouse"])
        if there:
            there[0]["quantity"] += way * float(row["quantity"])
            return
        if way < 0:
            raise No(422, 4005, f"lot {row['lot']} 库存不足 is not in stock")
        moved = {n: row[n] for n in ("item_no", "lot", "warehouse")}
        self.tables["stock"].append(moved | {"quantity": float(row["quantity"])})
