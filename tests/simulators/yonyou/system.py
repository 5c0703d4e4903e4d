"""What each path does, behind the token."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulators.yonyou import seed
from tests.simulators.yonyou.answers import RowError, Style, U9Error, result, shown
from tests.simulators.yonyou.books import Books, Row
from tests.simulators.yonyou.documents import SHELVES, Documents
from tests.simulators.yonyou.faults import Faults
from tests.simulators.yonyou.orders import Orders, code_of
from tests.simulators.yonyou.sessions import Account, Sessions
from tests.simulators.yonyou.tables import Tables

ZONE = ZoneInfo("Asia/Shanghai")
READS = frozenset({"Query", "QueryInfoBySql", "Describe"})
_SHELF_OF = {**SHELVES, "MODoc": "order", "ItemMaster": "item"}
LISTED = {
    "MODoc", "CompleteDoc", "OpTransferDoc", "IssueDoc", "QCDoc", "MESAPIMOWorkHour", "ItemMaster", "SO",
    "AHEquipRepair", "AHMOChange",
}  # fmt: skip


class DatedBooks(Books):
    """Each version says when it was written, in the plant's local time."""

    def put(self, shelf: str, row: Row) -> None:
        local = self.now().astimezone(ZONE)
        super().put(shelf, row | {"ModifiedOn": f"{local:%Y-%m-%d %H:%M:%S}"})

    def age(self, span: timedelta) -> None:
        super().age(span)
        for shelf in self._shelves.values():
            for versions in shelf.values():
                for at, row in versions:
                    if row is not None:
                        row["ModifiedOn"] = f"{at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"


class System:
    def __init__(self, now: Callable[[], datetime], account: Account, cap: int) -> None:
        self.lock = threading.RLock()
        self.faults = Faults()
        self.style = Style()
        self.sessions = Sessions(account, now)
        self.books = DatedBooks(now)
        seed.fill(self.books)
        self.orders = Orders(self.books)
        self.documents = Documents(self.books, self.orders)
        self.tables = Tables(self.books, cap, lambda: self.faults.lasting("same_page") is not None)
        self.approves_rows = False  # CompleteDoc/Approve takes an array, as other operations do
        self.missing: set[str] = set()  # paths that this site has not published
        self._actions = self.orders.actions() | self.documents.actions()

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        """`Data` of the answer. Raises U9Error."""
        with self.lock:
            self.books.lag = timedelta(seconds=self.faults.lag)
            if path == "OpenAPIServiceHub/Describe" and method == "GET":
                return {"services": [{"name": "AHEquipRepair", "title": "设备报修"}]}
            self.sessions.check(headers.get("token"))
            renamed = self.faults.lasting("renamed") and path.startswith("AHEquipRepair/")
            if method != "POST" or path in self.missing or renamed:
                raise U9Error(404, "路由错误")
            return self._answered(path, _read(body))

    def _answered(self, path: str, body: Any) -> Any:
        if path == "OpenAPIServiceHub/Execute" and isinstance(body, dict) and body.get("service") == "Repair":
            inner = f"AHEquipRepair/{str(body.get('method')).capitalize()}"
            return {"took": 12, "rows": self._answered(inner, body.get("data"))}
        group, _, action = path.partition("/")
        whole = {
            "QueryCommon/QueryInfoBySql": self.tables.sql, "CommonEntity/Query": self.tables.entity,
            "CompleteDoc/Approve": self._approved,
        }  # fmt: skip
        if path == "CompleteDoc/Approve" and self.approves_rows:
            if not isinstance(body, list):
                raise U9Error(502, "参数错误")
            return self._approved({"rows": body, "yes": True})
        if path in whole:
            if not isinstance(body, dict):
                raise U9Error(502, "参数错误")
            return whole[path](body)
        if (
            path not in self._actions
            and not (action == "Query" and group in LISTED)
            and group + action != ("MESAPIMOWorkHourDelete")
        ):
            raise U9Error(404, "路由错误")
        if not isinstance(body, list):
            raise U9Error(502, "参数错误")
        if path == "MESAPIMOWorkHour/Delete":
            return [self._said(key, made) for key, made in self.documents.delete_hours(body)]
        if not all(isinstance(row, dict) for row in body):
            raise U9Error(502, "参数错误")
        if action == "Query":
            return shown([found for row in body for found in self._queried(group, row)], self.style)
        return [self._row(self._actions[path], row) for row in body]

    def _queried(self, group: str, row: Row) -> list[Row]:
        if self.faults.lasting("any_document"):
            return self.books.rows(_SHELF_OF[group], reading=True)[:1]
        if group == "MODoc":
            return self.orders.query(row)
        if group == "ItemMaster":
            code = code_of(row, "ItemMaster")
            return [r for r in self.books.rows("item", reading=True) if r["Code"] == code]
        if group in SHELVES:
            return self.documents.query(group, row)
        raise U9Error(404, "路由错误")

    def _row(self, action: Callable[[Row], Row], row: Row) -> Any:
        try:
            return self._said(row.get("OtherID"), action(row))
        except RowError as error:
            return self._said(row.get("OtherID"), str(error))

    def _approved(self, body: Row) -> list[Any]:
        return [
            self._said(row.get("OtherID"), made) for row, made in self.documents.approve_completions(body)
        ]

    def _said(self, other: Any, made: Row | str) -> Any:
        if isinstance(made, str):
            return result(self.style, False, other, words=made)
        return result(self.style, True, other, made["ID"], str(made.get("DocNo") or ""))

    def locked(self, body: bytes) -> list[Any]:
        rows = _read(body)
        words = "单据正在被其他用户修改, 请稍后再试"
        rows = rows if isinstance(rows, list) else next(v for v in rows.values() if isinstance(v, list))
        return [result(self.style, False, _key_of(row), words=words) for row in rows]

    def renamed(self) -> None:
        """What was written last gets another number from a clerk."""
        newest = max((r for s in SHELVES.values() for r in self.books.rows(s)), key=lambda r: int(r["ID"]))
        for shelf in SHELVES.values():
            if self.books.one(shelf, ID=newest["ID"]):
                self.books.put(shelf, newest | {"DocNo": f"BX-{newest['ID']}"})


def is_write(path: str) -> bool:
    return path.rpartition("/")[2] not in READS and not path.startswith("OAuth2/")


def _key_of(row: Any) -> Any:
    return row.get("OtherID") if isinstance(row, dict) else row


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise U9Error(502, "参数错误") from None
