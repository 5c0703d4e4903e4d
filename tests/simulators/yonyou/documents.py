"""Documents that hang on an order: completion reports, transfers, issues, inspections, hours, repairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulators.yonyou.answers import RowError, U9Error
from tests.simulators.yonyou.books import Books, Row
from tests.simulators.yonyou.orders import STARTED, Orders, code_of, must_have
from tests.simulators.yonyou.seed import ORG, stocked

OPENED, APPROVED, CLOSED = 0, 2, 3
SHELVES = {
    "CompleteDoc": "completion", "OpTransferDoc": "transfer", "IssueDoc": "issue", "QCDoc": "quality",
    "AHEquipRepair": "repair",
}  # fmt: skip
_TYPES = ("01", "02")


class Documents:
    def __init__(self, books: Books, orders: Orders) -> None:
        self._books = books
        self._orders = orders
        self.own_numbers = False  # the document types number by themselves, whatever they are given

    def actions(self) -> dict[str, Callable[[Row], Row]]:
        return {
            "CompleteDoc/Create": self._complete,
            "CompleteDoc/Rcv": self._receive,
            "CompleteDoc/Delete": lambda row: self._delete("completion", row),
            "OpTransferDoc/Create": self._transfer,
            "OpTransferDoc/Approve": lambda row: self._approve("transfer", row, self._transferred),
            "OpTransferDoc/Delete": lambda row: self._delete("transfer", row),
            "IssueDoc/Create": self._issue,
            "IssueDoc/Approve": lambda row: self._approve("issue", row, self._issued),
            "QCDoc/Create": self._inspect,
            "QCDoc/Approve": lambda row: self._approve("quality", row, lambda _: None),
            "MESAPIMOWorkHour/Create": self._hours,
            "AHEquipRepair/Create": self._repair,
            "AHEquipRepair/Modify": self._repaired,
            "AHEquipRepair/Close": self._repair_closed,
            "SO/Modify": self._sales_modified,
        }

    def query(self, group: str, row: Row) -> list[Row]:
        keys = ("ID", "DocNo", "OtherID") if group in ("AHEquipRepair", "OpTransferDoc") else ("ID", "DocNo")
        name = next((n for n in keys if row.get(n)), None)
        rows = self._books.rows(SHELVES[group], reading=True)
        return [r for r in rows if name and r.get(name) == row[name]]

    # ------------------------------------------------------------------ what all of them share
    def _new(self, shelf: str, row: Row) -> Row:
        number = str(row.get("DocNo") or "")
        if self.own_numbers or not number:
            number = f"{shelf[:2].upper()}2601{len(self._books.rows(shelf)) + 1:04}"
        if self._books.one(shelf, DocNo=number):
            raise RowError(f"单号 {number} 已存在")
        return self._books.add(shelf, row | {"DocNo": number, "DocState": OPENED})

    def _must_find(self, shelf: str, row: Row) -> Row:
        number = row.get("Code") or row.get("DocNo")
        found = self._books.one(shelf, ID=row["ID"]) if row.get("ID") else None
        found = found or (self._books.one(shelf, DocNo=number) if number else None)
        if found is None:
            raise RowError(f"单据 {number} 不存在")
        return found

    def _approve(self, shelf: str, row: Row, done: Callable[[Row], None]) -> Row:
        found = self._must_find(shelf, row)
        if found["DocState"] != OPENED:
            raise RowError(f"{found['DocNo']} 已审核")
        done(found)
        self._books.put(shelf, found | {"DocState": APPROVED})
        return found

    def _delete(self, shelf: str, row: Row) -> Row:
        found = self._must_find(shelf, row)
        if found["DocState"] != OPENED:
            raise RowError("只有开立状态可以删除")
        self._books.remove(shelf, found)
        return found

    def _order_of(self, row: Row, *, started: bool) -> Row:
        number = code_of(row, "MO")
        order = self._books.one("order", DocNo=number)
        if order is None:
            raise RowError(f"生产订单 {number} 不存在")
        if started and (order["DocState"] != STARTED or order["Canceled"]):
            raise RowError(f"生产订单 {number} 未开工")
        return order

    @staticmethod
    def _typed(row: Row, name: str) -> None:
        if code_of(row, name) not in _TYPES:
            raise RowError(f"单据类型 {code_of(row, name)} 不存在")
        if code_of(row, "Org") != ORG:
            raise RowError(f"组织 {code_of(row, 'Org')} 不存在")

    # ------------------------------------------------------------------ completion
    def _complete(self, row: Row) -> Row:
        must_have(row, "Org", "CompleteDate", "CompleteDocType", "BusinessDate", "CompleteQty")
        self._typed(row, "CompleteDocType")
        order = self._order_of(row, started=True)
        operations = [o["OperationNum"] for o in order["MOOperationDTOs"]]
        if row.get("CompleteOp") and row["CompleteOp"] not in operations:
            raise RowError(f"工序 {row['CompleteOp']} 不存在")
        before = sum(
            r["CompleteQty"] for r in self._books.rows("completion") if code_of(r, "MO") == order["DocNo"]
        )
        if before + row["CompleteQty"] > order["ProductQty"]:
            raise RowError("完工数量超过可完工数量")
        return self._new("completion", {"EligibleQty": 0, "ScrapQty": 0} | row)

    def approve_completions(self, body: Row) -> list[tuple[Row, Row | str]]:
        """One object: a list of keys and a boolean, whatever they are called."""
        keys = next((v for v in body.values() if isinstance(v, list)), None)
        forth = next((v for v in body.values() if isinstance(v, bool)), None)
        if keys is None or forth is None:
            raise U9Error(502, "参数错误")
        return [
            (key, self.tried(lambda k: self._approve("completion", k, self._completed), key)) for key in keys
        ]

    @staticmethod
    def tried(action: Callable[[Row], Row], row: Row) -> Row | str:
        try:
            return action(row)
        except RowError as error:
            return str(error)

    def _completed(self, document: Row) -> None:
        order = self._order_of(document, started=True)
        order["TotalCompleteQty"] += document["CompleteQty"]
        order["TotalScrapQty"] += document["ScrapQty"]
        last = order["MOOperationDTOs"][-1]
        last["TotalQueueQty"] -= document["CompleteQty"]
        last["TotalScrapQty"] += document["ScrapQty"]
        self._books.put("order", order)

    def _receive(self, row: Row) -> Row:
        document = self._must_find("completion", row)
        if document["DocState"] != APPROVED:
            raise RowError(
                f"{document['DocNo']} " + ("已入库" if document["DocState"] == CLOSED else "未审核")
            )
        lines = document.get("CompleteRptRcvLines") or [{}]
        warehouse = code_of(lines[0], "Wh") or code_of(document, "RcvWh") or code_of(row, "RcvWh")
        if self._books.one("warehouse", Code=warehouse) is None:
            raise RowError(f"仓库 {warehouse} 不存在")
        order = self._order_of(document, started=False)
        lot_code = lines[0].get("RcvLotNo") or row.get("RcvLotNo")
        lot = self._lot(lot_code) if lot_code else None
        stocked(self._books, order["ItemMaster"]["Code"], warehouse, document["EligibleQty"], lot)
        order["TotalRcvQty"] += document["EligibleQty"]
        self._books.put("order", order)
        self._books.put(
            "completion", document | {"DocState": CLOSED, "ActualRcvTime": row.get("ActualRcvTime")}
        )
        return document

    def _lot(self, code: str) -> int:
        found = self._books.one("lot", LotCode=code) or self._books.add(
            "lot", {"LotCode": code, "DocNo": code}
        )
        return int(found["ID"])

    # ------------------------------------------------------------------ transfer
    def _transfer(self, row: Row) -> Row:
        must_have(row, "OpTransDocType", "BusinessDate", "Org", "SrcOpNum", "TargetOpNum")
        if "SrcOpState" not in row or "TargetOpState" not in row:
            raise RowError("SrcOpState不能为空")
        self._typed(row, "OpTransDocType")
        order = self._order_of(row, started=True)
        operations = {o["OperationNum"]: o for o in order["MOOperationDTOs"]}
        for name in ("SrcOpNum", "TargetOpNum"):
            if row[name] not in operations:
                raise RowError(f"工序 {row[name]} 不存在")
        source = operations[row["SrcOpNum"]]
        if row.get("TransferQty", 0) > source["TotalQueueQty"] + source["TotalProcessQty"]:
            raise RowError("转移数量超过可转移数量")
        return self._new("transfer", row)

    def _transferred(self, document: Row) -> None:
        def out(operation: dict[str, Any]) -> None:
            operation["TotalQueueQty"] -= document["TransferQty"]
            operation["TotalScrapQty"] += document.get("ScrapQty") or 0

        def come(operation: dict[str, Any]) -> None:
            operation["TotalQueueQty"] += document.get("EligibleQty") or 0

        number = code_of(document, "MO")
        self._orders.moved(number, document["SrcOpNum"], out)
        self._orders.moved(number, document["TargetOpNum"], come)

    # ------------------------------------------------------------------ issue, inspection, hours
    def _issue(self, row: Row) -> Row:
        must_have(row, "Org", "BusinessDate", "DocType", "IssueDocLines")
        self._typed(row, "DocType")
        line = row["IssueDocLines"][0]
        order = self._order_of(line, started=False)
        if code_of(line, "ItemMaster") not in [p["ItemMaster"]["Code"] for p in order["MOPickListDTOs"]]:
            raise RowError(f"料品 {code_of(line, 'ItemMaster')} 不在备料表中")
        return self._new("issue", row)

    def _issued(self, document: Row) -> None:
        line = document["IssueDocLines"][0]
        lot = self._books.one("lot", LotCode=line.get("LotNo"))
        stocked(
            self._books,
            code_of(line, "ItemMaster"),
            code_of(line, "Wh"),
            -line["IssueQty"],
            lot["ID"] if lot else None,
        )

    def _inspect(self, row: Row) -> Row:
        must_have(row, "Org", "BusinessDate", "DocType", "QCDocLines")
        self._typed(row, "DocType")
        self._order_of(row, started=False)
        return self._new("quality", row)

    def _hours(self, row: Row) -> Row:
        must_have(row, "OtherID", "MOOperationNum", "BusinessDate")
        self._order_of(row, started=False)
        return self._books.add("hours", row)

    def delete_hours(self, keys: list[Any]) -> list[tuple[str, Row | str]]:
        """An array of OtherID texts."""
        if not all(isinstance(key, str) for key in keys):
            raise U9Error(502, "参数错误")
        out: list[tuple[str, Row | str]] = []
        for key in keys:
            found = [r for r in self._books.rows("hours") if r["OtherID"] == key]
            for row in found:
                self._books.remove("hours", row)
            out.append((key, found[0] if found else f"OtherID {key} 对应的工时不存在"))
        return out

    # ------------------------------------------------------------------ the stand-in for repairs
    def _repair(self, row: Row) -> Row:
        must_have(row, "Org", "FaultDesc")
        equipment = row.get("EquipCode")
        if equipment and self._books.one("resource", Code=equipment) is None:
            raise RowError(f"设备 {equipment} 不存在")
        if len(row["FaultDesc"]) > 300:
            raise RowError("FaultDesc超过最大长度300")
        return self._new("repair", row)

    def _repaired(self, row: Row) -> Row:
        found = self._must_find("repair", row)
        if row.get("DocState") not in (None, 0, 1, 2):
            raise RowError("状态只能改为已派工或维修中")
        given = {n: v for n, v in row.items() if n not in ("OtherID", "DocNo", "Org")}
        self._books.put("repair", found | given)
        return found

    def _repair_closed(self, row: Row) -> Row:
        found = self._must_find("repair", row)
        if found["DocState"] == CLOSED:
            raise RowError(f"{found['DocNo']} 已完成")
        given = {n: v for n, v in row.items() if n in ("CloseTime", "Result")}
        self._books.put("repair", found | given | {"DocState": CLOSED})
        return found

    def _sales_modified(self, row: Row) -> Row:
        found = self._books.one("sales_order", DocNo=row.get("DocNo"))
        if found is None:
            raise RowError(f"销售订单 {row.get('DocNo')} 不存在")
        segments = found["DescFlexField"] | (row.get("DescFlexField") or {})
        self._books.put("sales_order", found | {"DescFlexField": segments})
        return found
