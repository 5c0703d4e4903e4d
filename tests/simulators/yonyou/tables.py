"""The ERP's database as SQL and as entities see it: made anew in memory for each question."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

from tests.simulators.yonyou.answers import U9Error
from tests.simulators.yonyou.books import Books, Row

_SCHEMA = """
CREATE TABLE MO_MO (ID INTEGER, DocNo TEXT, DocState INTEGER, ItemMaster INTEGER, ProductQty REAL,
    TotalCompleteQty REAL, TotalRcvQty REAL, TotalScrapQty REAL, StartDate TEXT, CompleteDate TEXT,
    Priority INTEGER, ModifiedOn TEXT, Cancel_Canceled INTEGER);
CREATE TABLE SM_SO (ID INTEGER, DocNo TEXT, Status INTEGER, OrderBy_Code TEXT,
    OrderBy_ShortName TEXT, ModifiedOn TEXT,
    DescFlexField_PrivateDescSeg2 TEXT, DescFlexField_PrivateDescSeg3 TEXT);
CREATE TABLE SM_SOLine (ID INTEGER, SO INTEGER, DocLineNo INTEGER, ItemInfo_ItemID INTEGER, OrderByQtyTU REAL,
    Status INTEGER);
CREATE TABLE SM_SOShipline (ID INTEGER, SOLine INTEGER, RequireDate TEXT);
CREATE TABLE CBO_ItemMaster (ID INTEGER, Code TEXT, Name TEXT, ModifiedOn TEXT);
CREATE TABLE CBO_Wh (ID INTEGER, Code TEXT);
CREATE TABLE CBO_Resource (ID INTEGER, Code TEXT, WorkCenter INTEGER);
CREATE TABLE CBO_Resource_Trl (ID INTEGER, SysMLFlag TEXT, Name TEXT);
CREATE TABLE CBO_WorkCenter (ID INTEGER, Code TEXT);
CREATE TABLE InvTrans_WhQoh (ID INTEGER, Wh INTEGER, ItemInfo_ItemCode TEXT,
    LotInfo_LotMaster INTEGER, StoreQty REAL,
    ResvStQty REAL, ResvOccupyStQty REAL);
CREATE TABLE Lot_LotMaster (ID INTEGER, DocNo TEXT, LotCode TEXT);
CREATE TABLE MO_CompleteRpt (ID INTEGER, DocNo TEXT, DescFlexField_PrivateDescSeg1 TEXT);
CREATE TABLE MO_OpTransferDoc (ID INTEGER, DocNo TEXT, DescFlexField_PrivateDescSeg1 TEXT);
CREATE TABLE MO_IssueDoc (ID INTEGER, DocNo TEXT, DescFlexField_PrivateDescSeg1 TEXT);
CREATE TABLE QC_QCDoc (ID INTEGER, DocNo TEXT, DescFlexField_PrivateDescSeg1 TEXT);
CREATE TABLE MO_MOWorkHour (ID INTEGER, OtherID TEXT, DescFlexField_PrivateDescSeg1 TEXT);
"""
_BY_SEGMENT = {
    "MO_CompleteRpt": "completion", "MO_OpTransferDoc": "transfer", "MO_IssueDoc": "issue",
    "QC_QCDoc": "quality",
}  # fmt: skip
_FROM_ROW = re.compile(r" (?:AND|WHERE) \w+\.ID >= \d+")
_ONE_SELECT = re.compile(r"^\s*SELECT\s[^;]*$", re.IGNORECASE | re.DOTALL)
ENTITIES = {
    "UFIDA.U9.MO.MO.MO": "SELECT * FROM MO_MO",
    "UFIDA.U9.CBO.SCM.Item.ItemMaster": "SELECT * FROM CBO_ItemMaster",
    "UFIDA.U9.CBO.MD.Item.ItemMaster": "SELECT * FROM CBO_ItemMaster",
    "UFIDA.U9.CBO.MFG.Resource.Resource":
        "SELECT r.ID, r.Code, t.Name FROM CBO_Resource r JOIN CBO_Resource_Trl t ON t.ID = r.ID",
    "UFIDA.U9.InvTrans.WhQoh.WhQoh":
        'SELECT q.ID, q.ItemInfo_ItemCode "ItemInfo.ItemCode", q.StoreQty, l.LotCode "LotInfo.LotCode",'
        ' w.Code "Wh.Code" FROM InvTrans_WhQoh q LEFT JOIN Lot_LotMaster l ON q.LotInfo_LotMaster = l.ID'
        " JOIN CBO_Wh w ON q.Wh = w.ID",
    "UFIDA.U9.SM.SO.SOLine":
        'SELECT l.ID, o.DocNo "SO.DocNo", l.DocLineNo, i.Code "ItemInfo.ItemCode", l.OrderByQtyTU, l.Status,'
        ' o.Status "SO.Status", o.ID "SO.ID", o.ModifiedOn "SO.ModifiedOn", s.RequireDate,'
        ' o.OrderBy_ShortName "SO.OrderBy.ShortName", o.OrderBy_Code "SO.OrderBy.Code"'
        " FROM SM_SOLine l JOIN SM_SO o ON l.SO = o.ID JOIN CBO_ItemMaster i ON l.ItemInfo_ItemID = i.ID"
        " JOIN SM_SOShipline s ON s.SOLine = l.ID",
}  # fmt: skip


class Tables:
    def __init__(self, books: Books, cap: int, stuck: Callable[[], bool] = lambda: False) -> None:
        self._stuck = stuck  # gives the first rows, whichever are asked for
        self._books = books
        self._cap = cap  # the most rows that one answer holds
        self.dropped: set[str] = set()  # tables and Table.Column that this site does not have
        self.sql_allowed = True
        self.silent = False  # SQL errors come without a word of what is wrong
        self.statements: list[str] = []

    def sql(self, body: Row) -> list[Row]:
        statement = str(body.get("SqlString") or "")
        self.statements.append(statement)
        if not self.sql_allowed or not _ONE_SELECT.match(statement) or "--" in statement:
            raise U9Error(502, "参数错误: 只允许单条SELECT语句")
        if self._stuck():
            statement = _FROM_ROW.sub("", statement)
        return self._run(statement)[: self._cap]

    def entity(self, body: Row) -> list[Row]:
        name, fields = str(body.get("EntityFullName")), body.get("ReturnFields")
        if name not in ENTITIES:
            raise U9Error(502, f"实体不存在: {name}")
        if not isinstance(fields, list) or body.get("Filters") or body.get("Orders"):
            raise U9Error(502, "参数错误")
        rows = self._run(ENTITIES[name])
        for field in fields:
            if rows and field not in rows[0]:
                raise U9Error(502, f"字段不存在: {field}")
        size = min(int(body.get("PageSize") or 20), self._cap)
        start = 0 if self._stuck() else int(body.get("PageIndex") or 0) * size
        return [{field: row[field] for field in fields} for row in rows[start : start + size]]

    def _run(self, statement: str) -> list[Row]:
        database = sqlite3.connect(":memory:")
        try:
            self._fill(database)
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement)]
        except sqlite3.Error as error:
            said = str(error).replace("no such table:", "对象名无效:").replace("no such column:", "列名无效:")
            raise U9Error(500, "服务器内部错误" if self.silent else f"SQL错误: {said}") from None
        finally:
            database.close()

    def _fill(self, database: sqlite3.Connection) -> None:
        database.executescript(_SCHEMA)
        for table, rows in self._rows().items():
            for row in rows:
                names, marks = ", ".join(row), ", ".join("?" * len(row))
                database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
        for gone in sorted(self.dropped, key=len, reverse=True):
            table, _, column = gone.partition(".")
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}" if column else f"DROP TABLE {table}")

    def _rows(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {
            "MO_MO": [self._order(r) for r in self._seen("order")],
            "CBO_ItemMaster": [
                {"ID": r["ID"], "Code": r["Code"], "Name": r["Name"], "ModifiedOn": r["ModifiedOn"]}
                for r in self._seen("item")
            ],
            "CBO_Wh": [{"ID": r["ID"], "Code": r["Code"]} for r in self._seen("warehouse")],
            "CBO_WorkCenter": [{"ID": 1, "Code": "WC01"}],
            "CBO_Resource": [{"ID": r["ID"], "Code": r["Code"],
            "WorkCenter": 1} for r in self._seen("resource")],
            "CBO_Resource_Trl": [
                {"ID": r["ID"], "SysMLFlag": "zh-CN", "Name": r["Name"]} for r in self._seen("resource")
            ],
            "InvTrans_WhQoh": [
                {"ID": r["ID"], "Wh": r["Wh"], "ItemInfo_ItemCode": r["Item"], "LotInfo_LotMaster": r["Lot"],
                 "StoreQty": r["StoreQty"], "ResvStQty": 0, "ResvOccupyStQty": 0}
                for r in self._seen("stock")
            ],
            "Lot_LotMaster": [
                {"ID": r["ID"], "DocNo": r["DocNo"], "LotCode": r["LotCode"]} for r in self._seen("lot")
            ],
            "MO_MOWorkHour": [
                {"ID": r["ID"], "OtherID": r["OtherID"], "DescFlexField_PrivateDescSeg1": _segment(r)}
                for r in self._seen("hours")
            ],
        }  # fmt: skip
        for table, shelf in _BY_SEGMENT.items():
            found[table] = [
                {"ID": r["ID"], "DocNo": r["DocNo"], "DescFlexField_PrivateDescSeg1": _segment(r)}
                for r in self._seen(shelf)
            ]
        return found | self._sales()

    def _sales(self) -> dict[str, list[Row]]:
        heads, lines, parts = list[Row](), list[Row](), list[Row]()
        for order in self._seen("sales_order"):
            segments = order["DescFlexField"]
            heads.append({
                "ID": order["ID"], "DocNo": order["DocNo"], "Status": order["Status"], "OrderBy_Code": "C1",
                "OrderBy_ShortName": order["Customer"], "ModifiedOn": order["ModifiedOn"],
                "DescFlexField_PrivateDescSeg2": segments.get("PrivateDescSeg2"),
                "DescFlexField_PrivateDescSeg3": segments.get("PrivateDescSeg3"),
            })  # fmt: skip
            for line in order["Lines"]:
                line_id = order["ID"] * 10
                lines.append({
                    "ID": line_id, "SO": order["ID"], "DocLineNo": line["DocLineNo"],
                    "ItemInfo_ItemID": line["Item"],
                    "OrderByQtyTU": line["Qty"], "Status": line["Status"],
                })  # fmt: skip
                parts.append({"ID": line_id + 1, "SOLine": line_id, "RequireDate": line["RequireDate"]})
        return {"SM_SO": heads, "SM_SOLine": lines, "SM_SOShipline": parts}

    @staticmethod
    def _order(row: Row) -> Row:
        return {
            "ID": row["ID"], "DocNo": row["DocNo"], "DocState": row["DocState"],
            "ItemMaster": row["ItemMaster"]["ID"],
            "ProductQty": row["ProductQty"], "TotalCompleteQty": row["TotalCompleteQty"],
            "TotalRcvQty": row["TotalRcvQty"], "TotalScrapQty": row["TotalScrapQty"],
            "StartDate": row.get("StartDate"), "CompleteDate": row.get("CompleteDate"),
            "Priority": row.get("Priority"),
            "ModifiedOn": row["ModifiedOn"], "Cancel_Canceled": int(row["Canceled"]),
        }  # fmt: skip

    def _seen(self, shelf: str) -> list[Row]:
        return self._books.rows(shelf, reading=True)


def _segment(row: Row) -> Any:
    return (row.get("DescFlexField") or {}).get("PrivateDescSeg1")
