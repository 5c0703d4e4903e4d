"""What stands in the books at the start."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.simulators.yonyou.books import Books

ORG = "101"
ORDER, ITEM, COMPONENT, LOT, WAREHOUSE = "MO0001", "FG-01", "RM-01", "RM-LOT-7", "CK01"
EQUIPMENT, SALES_ORDER = "SB-CNC-03", "SO0001"
ORDERED = 400
RELEASED = 7  # orders that the shop floor should see
ITEMS = {ITEM: "减速机", "FG-02": "联轴器", COMPONENT: "圆钢 φ40", "RM-02": "轴承 6204"}
OPERATIONS = (("10", "粗车", "WC01"), ("20", "精车", "WC01"), ("30", "装配", "WC02"))


def fill(books: Books) -> None:
    for code, name in ITEMS.items():
        uom = {"Code": "PCS", "Name": "件"}
        books.add("item", {
            "Code": code, "Name": name, "SPECS": "", "Org": {"Code": ORG}, "InventoryUOM": uom,
            "MainItemCategory": {"Code": "FG" if code.startswith("FG") else "RM"},
        })  # fmt: skip
    for code in (WAREHOUSE, "CK02"):
        books.add("warehouse", {"Code": code})
    for code, name in ((EQUIPMENT, "加工中心03"), ("SB-PRESS-01", "冲床01")):
        books.add("resource", {"Code": code, "Name": name, "WorkCenter": {"Code": "WC01"}})
    lot = books.add("lot", {"LotCode": LOT, "DocNo": LOT})
    stocked(books, COMPONENT, WAREHOUSE, 500, lot["ID"])
    stocked(books, ITEM, WAREHOUSE, 12, None)
    for at in range(1, 4):
        sales_order(books, f"SO{at:04}", 3 if at < 3 else 1)
    for at in range(1, RELEASED + 1):
        order(books, f"MO{at:04}", 2 if at % 2 else 1)
    for at, state in ((8, 0), (9, 3), (10, 4)):
        order(books, f"MO{at:04}", state)
    books.age(timedelta(days=30))


def order(books: Books, number: str, state: int) -> None:
    item = books.one("item", Code=ITEM) or {}
    component = books.one("item", Code=COMPONENT) or {}
    books.add("order", {
        "DocNo": number, "DocState": state, "Org": {"Code": ORG}, "Canceled": False,
        "ItemMaster": {"ID": item["ID"], "Code": ITEM, "Name": ITEMS[ITEM]},
        "DocType": {"Code": "01"}, "Department": {"Code": "D1"}, "ProductQty": float(ORDERED),
        "StartDate": "2026-01-05T00:00:00", "CompleteDate": "2026-01-09T00:00:00", "Priority": 5,
        "TotalCompleteQty": 0.0, "TotalScrapQty": 0.0, "TotalRcvQty": 0.0,
        "MOOperationDTOs": [operation(books, *o) for o in OPERATIONS],
        "MOPickListDTOs": [{
            "ID": 1, "DocLineNo": 10, "ItemMaster": {"ID": component["ID"], "Code": COMPONENT},
            "OperationNum": "10", "ActualReqQty": 800.0, "IssuedQty": 0.0, "SupplyWh": {"Code": WAREHOUSE},
        }],
        "MOSrcRelationDTOs": [{
            "SrcDocNo": SALES_ORDER, "SrcDocLine_LineNo": "10", "SrcCustomer": {"Code": "C1",
            "Name": "华东机床"},
            "Priority": 5, "RequireDate": "2026-01-12T00:00:00",
        }] if number == ORDER else [],
    })  # fmt: skip


def operation(books: Books, number: str, name: str, center: str) -> dict[str, Any]:
    first = number == OPERATIONS[0][0]
    return {
        "ID": int(number), "OperationNum": number, "OpDescription": name, "WorkCenter": {"Code": center},
        "PlanProductQty": float(ORDERED), "TotalProcessQty": 0.0,
        "TotalQueueQty": float(ORDERED) if first else 50.0,
        "TransferringQty": 0.0, "TotalScrapQty": 0.0, "ReworkQty": 0.0, "RejectQty": 0.0, "IsCancel": False,
    }  # fmt: skip


def sales_order(books: Books, number: str, status: int) -> None:
    item = books.one("item", Code=ITEM) or {}
    books.add("sales_order", {
        "DocNo": number, "Status": status, "Org": {"Code": ORG}, "Customer": "华东机床", "DescFlexField": {},
        "Lines": [{"DocLineNo": 10, "Item": item["ID"], "Qty": 400.0, "RequireDate": "2026-01-12 00:00:00",
                   "Status": status}],
    })  # fmt: skip


def stocked(books: Books, item: str, warehouse: str, quantity: float, lot: int | None) -> None:
    """So much more of it there."""
    place = books.one("warehouse", Code=warehouse) or {}
    there = books.one("stock", Item=item, Wh=place.get("ID"), Lot=lot)
    if there is None:
        books.add("stock", {"Item": item, "Wh": place.get("ID"), "Lot": lot, "StoreQty": float(quantity)})
    else:
        books.put("stock", there | {"StoreQty": there["StoreQty"] + quantity})
