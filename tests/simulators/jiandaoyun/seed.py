"""The app of our template as a customer has built it, with a small plant's books."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from tests.simulators.jiandaoyun.books import Books, Form, Record, Widget
from tests.simulators.jiandaoyun.platform import COMPANY, Platform
from tests.simulators.jiandaoyun.shapes import stored

APP = "65a000000000000000000001"
ANOTHER_APP = "65a000000000000000000002"
ORDER, ITEM, COMPONENT, EQUIPMENT = "WO-2026-0001", "FG-100", "RM-200", "EQ-CNC-03"
SALES_ORDER, LOT, WAREHOUSE = "SO-2026-0031", "RM-LOT-7", "原料仓"
QUANTITY, ORDERS, CLOSED = 400, 7, 2
WORKER = "jdy-zhang"
FLOW = ((0, "维修", WORKER), (1, "主管确认", "jdy-li"))

Row = tuple[str, str, str]
KEY: Row = ("ext_key", "安灯编号", "text")
DONE: Row = ("done_at", "发生时间", "datetime")
_TYPES = {
    "n": "number",
    "d": "datetime",
    "r": "radiogroup",
    "u": "user",
    "a": "textarea",
    "sn": "sn",
    "i": "image",
}


def _rows(text: str) -> list[Row]:
    """`alias title type` for each, a text where no type is said; `-` for a field without an alias."""
    rows = []
    for told in text.split(","):
        alias, title, *kind = told.split()
        rows.append(("" if alias == "-" else alias, title, _TYPES[kind[0]] if kind else "text"))
    return rows


_OF_ORDER = [KEY, *_rows("wo_no 工单号, op_no 工序号, item_code 物料编码")]
WHO = [*_rows("worker 操作人 u, equip_code 设备编号"), DONE]
SUBFORMS = {
    ("ah_work_order", "ops"): _rows("op_no 工序号, op_name 工序名称, work_center 工作中心, qty 数量 n"),
    ("ah_lot", "materials"): _rows("lot_no 批号"),
    ("ah_sales_order", "lines"): _rows("line_no 行号, item_code 物料编码, qty 数量 n"),
}
FORMS: dict[str, list[Row]] = {
    "ah_repair": [
        KEY,
        *_rows("repair_no 报修单号 sn, equip_code 设备编号, fault_code 故障代码, fault_desc 故障描述 a"),
        *_rows("level 紧急程度 r, wo_no 工单号, state 状态 r, report_time 报修时间 d, ack_time 接单时间 d"),
        *_rows("close_time 完成时间 d, worker 维修人 u, result 维修结果 a, photos 照片 i"),
        *_rows("downtime_min 停机分钟 n, - 故障类别"),
    ],
    "ah_work_order": [
        *_rows("wo_no 工单号, item_code 物料编码, qty 数量 n, done_qty 完工数量 n, scrap_qty 报废数量 n"),
        *_rows("state 状态 r, plan_start 计划开始 d, plan_end 计划完成 d, sales_order_no 销售订单号"),
        *_rows("priority 优先级 n, rush 急单 r"),
        ("ops", "工序", "subform"),
    ],
    "ah_op_report": [
        KEY,
        *_rows("wo_no 工单号, op_no 工序号, op_name 工序名称, work_center 工作中心, good_qty 合格数量 n"),
        *_rows("scrap_qty 报废数量 n, worker 操作人 u, start_at 开始时间 d, end_at 报工时间 d, state 状态 r"),
    ],
    "ah_completion": [*_OF_ORDER, *_rows("qty 数量 n, lot_no 批号"), *WHO],
    "ah_lot": [*_rows("lot_no 批号, item_code 物料编码, wo_no 工单号"), ("materials", "投料", "subform")],
    "ah_issue": [*_OF_ORDER, *_rows("qty 数量 n, lot_no 批号, warehouse 仓库"), *WHO],
    "ah_quality": [
        *_OF_ORDER, *WHO,
        *_rows("check_item 检验项目, verdict 检验结论 r, value 检验值, sample_size 样本数 n"),
    ],
    "ah_hours": [*_OF_ORDER, *_rows("labour_hours 人工工时 n, machine_hours 机器工时 n"), *WHO],
    "ah_scrap": [*_OF_ORDER, *_rows("qty 数量 n, reason 报废原因"), *WHO],
    "ah_sales_order": [
        *_rows("so_no 销售订单号, customer 客户, due_date 交货日期 d, priority 优先级 n, rush 急单 r"),
        *_rows("state 状态 r"),
        ("lines", "订单明细", "subform"),
    ],
    "ah_item": _rows("item_code 物料编码, item_name 物料名称, spec 规格, unit 单位"),
    "ah_equipment": _rows("equip_code 设备编号, equip_name 设备名称, place 位置"),
    "ah_stock": _rows("item_code 物料编码, qty 数量 n, lot_no 批号, warehouse 仓库"),
}  # fmt: skip
_REQUIRED = {"ah_repair": ("equip_code", "fault_desc", "report_time")}


def seed(platform: Platform, *, flow: bool = False) -> None:
    """`flow`: the repair form has a workflow of two steps."""
    books = platform.books
    books.apps |= {APP: "安灯", ANOTHER_APP: "人事"}
    for member, name in ((COMPANY, "企业"), (WORKER, "张工"), ("jdy-li", "李主管"), ("jdy-clerk", "王文员"),
                         ("jdy-andon", "安灯")):  # fmt: skip
        books.members[member] = {"_id": f"u-{member}", "name": name, "username": member, "status": 1}
    for number, (name, fields) in enumerate(FORMS.items(), 0x10):
        entry_id = f"65a0000000000000000000{number:02x}"
        widgets = [_widget(books, *f, SUBFORMS.get((name, f[0]), ())) for f in fields]
        books.forms[entry_id] = Form(APP, entry_id, name, widgets, required=_REQUIRED.get(name, ()))
    books.forms["65a0000000000000000000f0"] = Form(ANOTHER_APP, "65a0000000000000000000f0", "考勤", [])
    if flow:
        books.form("ah_repair").flow = FLOW
    books.form("ah_completion").assistant = lambda b, r: _moved(b, r, 1, "成品仓")
    books.form("ah_issue").assistant = lambda b, r: _moved(b, r, -1, WAREHOUSE)
    today = books.now
    books.now = lambda: today() - timedelta(days=1)  # all this is a day old
    _fill(books)
    books.now = today


def _widget(books: Books, alias: str, label: str, kind: str, items: Iterable[Row] = ()) -> Widget:
    return books.widget(alias, label, kind, tuple(_widget(books, *i) for i in items))


def add(books: Books, name: str, **values: Any) -> str:
    form = books.form(name)
    record_id = books.new_id()
    data = {n: {"value": v} for n, v in values.items()}
    books.put(record_id, form, stored(books, form, data, lambda _: None), COMPANY, made=True)
    return record_id


def _fill(books: Books) -> None:
    now = books.now()
    for code, name in ((ITEM, "轴承座"), (COMPONENT, "圆钢 φ40")):
        add(books, "ah_item", item_code=code, item_name=name, unit="件")
    for code, name in ((EQUIPMENT, "加工中心03"), ("EQ-PRESS-01", "冲压机01")):
        add(books, "ah_equipment", equip_code=code, equip_name=name, place="机加车间")
    add(
        books, "ah_sales_order", so_no=SALES_ORDER, customer="华东电机", due_date=_text(now, 6), priority=3,
        rush="否", state="进行中",
        lines=[{"line_no": {"value": "1"}, "item_code": {"value": ITEM}, "qty": {"value": QUANTITY}}],
    )  # fmt: skip
    for at in range(ORDERS + CLOSED):
        done = at >= ORDERS
        add(
            books, "ah_work_order", wo_no=f"WO-2026-{at + 1:04d}", item_code=ITEM,
            qty=QUANTITY if not at else 100, done_qty=100 if done else 0, scrap_qty=0,
            state="已完工" if done else "未开工" if at % 2 else "生产中",
            plan_start=_text(now, 0), plan_end=_text(now, 4 + at % 3), sales_order_no=SALES_ORDER, priority=5,
            rush="否", ops=[
                {"op_no": {"value": no}, "op_name": {"value": name}, "work_center": {"value": "CNC-L2"}}
                for no, name in (("10", "车削"), ("20", "磨削"))
            ],
        )  # fmt: skip
    add(books, "ah_stock", item_code=COMPONENT, qty=500, lot_no=LOT, warehouse=WAREHOUSE)
    add(books, "ah_stock", item_code=ITEM, qty=12, lot_no="FG-LOT-00", warehouse="成品仓")


def _text(now: Any, days: int) -> str:
    return str((now + timedelta(days=days)).replace(microsecond=0).isoformat())


def _moved(books: Books, record: Record, sign: int, warehouse: str) -> None:
    """智能助手: what came in or went out, in the stock form."""
    moved, form = record.values() or {}, books.form("ah_stock")
    place = (moved.get("item_code"), moved.get("lot_no") or "", moved.get("warehouse") or warehouse)
    for record_id, values in books.all(form):
        if (values["item_code"], values["lot_no"] or "", values["warehouse"]) == place:
            books.put(
                record_id, form, values | {"qty": values["qty"] + sign * moved["qty"]}, COMPANY, made=False
            )
            return
    add(
        books, "ah_stock", item_code=place[0], lot_no=place[1], warehouse=place[2], qty=sign * moved["qty"]
    )  # fmt: skip
