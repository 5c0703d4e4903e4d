"""The demo tenant: organisations, materials, equipment, employees, and the order book of the demo plant.

Work centres are numbered with the hub's equipment paths, so that nothing needs translating in the demo.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.simulators.kingdee.books import SERVER_ZONE, Books, Record, Row
from tests.simulators.plant.orders import Order, order_book

PLANT_FILE = Path(__file__).parents[3] / "examples" / "demo" / "plant.yaml"
SPARE_EQUIPMENT = (
    ("EQ-PRESS-01", "冲压机 01"),
    ("EQ-CNC-03", "加工中心 03"),
)  # for tests of the contract's examples
LONG_AGO = "2000-01-01T00:00:00+00:00"  # no read-after-write lag hides what was there at the start
STOCK = "CK01"
COMPONENTS = (  # what every product needs one of: number, name, lots on hand (none: not kept by lot)
    ("R-STEEL", "钢板", ("L2601", "L2602")),
    ("R-SEAL", "密封圈", ()),
)
ON_HAND = 50_000.0
EMPLOYEES = (("E001", "李强"), ("E002", "王芳"))


def seed(books: Books, start: datetime, user: str, begun: bool = True) -> None:
    """Fill empty books; `start` is when the order book was opened (aware). `begun`: what was made before is
    on the plans already; else it is still to be reported."""
    sower = _Sower(books, begun)
    sower.base("ORG_Organizations", "100", "一厂")
    sower.base("SEC_User", user, "安灯接口用户")
    for number, name in (
        ("SCDD01_SYS", "汇报入库-普通生产"),
        ("SCHBD02_SYS", "生产汇报"),
        ("XSDD01_SYS", "标准销售订单"),
        ("JYD002_SYS", "过程检验"),
    ):
        sower.base("BOS_BillType", number, name)
    sower.base("BD_UNIT", "Pcs", "件")
    sower.base("BD_Currency", "PRE001", "人民币", fcode="CNY")
    sower.base("BD_Department", "WS01", "生产车间")
    for number, name in EMPLOYEES:
        sower.base("BD_Empinfo", number, name)
    sower.stock()
    for number, name in equipment(PLANT_FILE):
        sower.base("ENG_Equipment", number, name)
    for order in order_book(start):
        sower.order(order, start)
    books.commit()


def admit(books: Books, order: Order, now: datetime) -> bool:
    """What the planner does with an order the MES has: release it, or move its date. False: as it is."""
    known = books.numbered("PRD_MO", order.number)
    if known is None:
        _Sower(books).order(order, now)
        return True
    if known.rows["ftreeentity"][0].values.get("fplanfinishdate") == local(order.due_at):
        return False
    changed = known.copy()
    changed.rows["ftreeentity"][0].values["fplanfinishdate"] = local(order.due_at)
    books.put(changed)
    return True


@cache
def equipment(path: Path) -> list[tuple[str, str]]:
    """Number and name of every machine in the plant file that has a number in the ERP."""
    known = dict(SPARE_EQUIPMENT)
    raw = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    for area in raw.get("plant", {}).get("areas", []):
        for line in area.get("lines", []):
            for machine in line.get("machines", []):
                if machine.get("erp_id"):
                    known[str(machine["erp_id"])] = _chinese(machine.get("name", machine["id"]))
    return list(known.items())


def _chinese(name: Any) -> str:
    return str(name.get("zh", "")) if isinstance(name, dict) else str(name)


class _Sower:
    def __init__(self, books: Books, begun: bool = True) -> None:
        self._books, self._begun = books, begun

    def base(self, form: str, number: str, name: str, **values: Any) -> int:
        known = self._books.numbered(form, number)
        if known is not None:
            return known.id
        return self._put(form, {"fnumber": number, "fname": name} | values, {})

    def order(self, order: Order, start: datetime) -> None:
        product = self.base(
            "BD_MATERIAL", order.product, order.product_name.zh, f_ah_nameen=order.product_name.en,
            fbaseunitid=self.base("BD_UNIT", "Pcs", "件"),
        )  # fmt: skip
        sale = self._sales_order(order, product, start)
        line = {
            "fproducttype": "1",
            "fmaterialid": product,
            "fqty": float(order.quantity),
            "fstatus": "4",
            "fplanstartdate": local(start),
            "fplanfinishdate": local(order.due_at),
            "fsaleorderno": order.sales_order,
            "fsaleorderid": float(sale),
            "funitid": self.base("BD_UNIT", "Pcs", "件"),
            "f_ah_priority": float(order.priority),
        }
        entry = Row(int(order.entry_id), line)
        org = self._books.numbered("ORG_Organizations", "100")
        values = {"fbillno": order.number, "fdate": local(start), "fprdorgid": org.id if org else None}
        order_id = self._put("PRD_MO", values, {"ftreeentity": [entry]})
        self._needs(order, product, order_id, entry.id)
        self._plan(order, product, entry.id, start)

    def _plan(self, order: Order, product: int, entry: int, start: datetime) -> None:
        rows = []
        for job in order.jobs:
            centre = self.base("ENG_WorkCenter", job.work_center, job.work_center)
            values = {
                "fopernumber": job.operation,
                "foperdescription": job.name.zh,
                "f_ah_descen": job.name.en,
                "fworkcenterid": centre,
                "foperqty": float(job.quantity),
                "fqualifiedqty": float(job.made if self._begun else 0),
            }
            rows.append(Row(self._books.next_id(), values))
        head = {
            "fbillno": "OP" + order.number,
            "fmonumber": order.number,
            "fmoentryid": float(entry),
            "fproductid": product,
            "fproductname": order.product_name.zh,
            "fdate": local(start),
        }
        self._put("SFC_OperationPlanning", head, {"fsubentity": rows})

    def stock(self) -> None:
        """Warehouses, raw materials and what lies there."""
        for number, name in ((STOCK, "原料仓"), ("CK02", "成品仓")):
            self.base("BD_STOCK", number, name)
        group = self.base("BD_MATERIALGROUP", "RAW", "原材料")
        for number, name, lots in COMPONENTS:
            material = self.base(
                "BD_MATERIAL", number, name, fmaterialgroup=group, fisbatchmanage=bool(lots),
                fbaseunitid=self.base("BD_UNIT", "Pcs", "件"),
            )  # fmt: skip
            for lot in lots or ("",):
                held = self.base("BD_BatchMainFile", lot, "", fmaterialid=material) if lot else None
                warehouse = self.base("BD_STOCK", STOCK, "")
                values = {"fmaterialid": material, "fstockid": warehouse, "flot": held, "fbaseqty": ON_HAND}
                self._put("STK_Inventory", values, {})

    def _needs(self, order: Order, product: int, order_id: int, entry: int) -> None:
        """生产用料清单."""
        rows = [
            Row(
                self._books.next_id(),
                {
                    "fmaterialid2": self.base("BD_MATERIAL", number, name),
                    "fmustqty": float(order.quantity),
                    "fpickedqty": 0.0,
                    "fnopickedqty": float(order.quantity),
                },
            )
            for number, name, _ in COMPONENTS
        ]
        org = self._books.numbered("ORG_Organizations", "100")
        head = {
            "fbillno": "PPBOM" + order.number, "fmobillno": order.number, "fmoentryseq": 1.0,
            "fmoid": float(order_id), "fmoentryid": float(entry), "fmaterialid": product,
            "fqty": float(order.quantity), "fprdorgid": org.id if org else None,
        }  # fmt: skip
        self._put("PRD_PPBOM", head, {"fentity": rows})

    def _sales_order(self, order: Order, product: int, start: datetime) -> int:
        row = Row(
            self._books.next_id(),
            {
                "fmaterialid": product,
                "fqty": float(order.quantity),
                "fdeliverydate": local(order.due_at),
                "fpriority": float(order.priority),
                "f_ah_rush": order.rush,
            },
        )
        known = self._books.numbered("SAL_SaleOrder", order.sales_order)
        if known is not None:
            changed = known.copy()
            changed.rows["fsaleorderentry"].append(row)
            self._books.put(changed)
            return known.id
        customer = self.base("BD_Customer", order.customer, order.customer)
        head = {"fbillno": order.sales_order, "fdate": local(start), "fcustid": customer}
        head["fsalerid"] = self.base("BD_Empinfo", *EMPLOYEES[1])
        return self._put("SAL_SaleOrder", head, {"fsaleorderentry": [row]})

    def _put(self, form: str, values: dict[str, Any], rows: dict[str, list[Row]]) -> int:
        now = self._books.local_time()
        flags = {"fdocumentstatus": "C", "fcancelstatus": "A", "fforbidstatus": "A", "fclosestatus": "A"}
        record = Record(form, self._books.next_id(), flags | {"fcreatedate": now} | values, rows, LONG_AGO)
        self._books.put(record)
        return record.id


def local(at: datetime) -> str:
    return at.astimezone(SERVER_ZONE).strftime("%Y-%m-%dT%H:%M:%S")
