"""The forms of our template as data: what goes into which field, and what is read from them.

A site lays its `documents:` over these. A field is named by its alias 字段别名, its title or
its `_widget_` id;
`form` is the form's name or its id (`<app id>/<form id>` where it is in another app). Beside the fields of
erp_bridge.mapping an expression sees `key` (our number of the document), `headline` (the title, with the
machine's name where it has no number there) and `employee` (the member number, when `employees` has one).
"""

from __future__ import annotations

from erp_bridge.fieldmap import MapBlock

TICKET = MapBlock(
    form="ah_repair",
    write={
        "ext_key": "key",
        "equip_code": "filled(equipment)",
        "equip_name": "filled(equipment_name)",
        "fault_code": "filled(fault_code)",
        "fault_desc": "headline",
        "level": "table('levels', priority)",
        "wo_no": "filled(order)",
        "state": "table('states', state)",
        "report_time": "opened_at",
        "stop_time": "stopped_at",
        "ack_time": "if(state == 'accepted', at, `null`)",
        "arrive_time": "if(state == 'on-site', at, `null`)",
        "close_time": "if(state == 'closed' || state == 'false-alarm', at, `null`)",
        "worker": "employee",
        "worker_name": "filled(person_name)",
        "cause_class": "filled(cause_class)",
        "result": "filled(cut(cause, `2000`))",
        "downtime_min": "rounded(over(downtime, `60`), `1`)",
        "note": "filled(cut(note, `2000`))",
        "photos": "photo_keys",
    },
    read={
        "number": "repair_no || ext_key",
        "closed": "table('closed', state) == 'yes' || contains([`1`, `2`, `3`], flowState)",
    },
    tables={
        "states": {
            "sent": "待处理",
            "accepted": "已接单",
            "on-site": "维修中",
            "repairing": "维修中",
            "verifying": "维修中",
            "wait-parts": "维修中",
            "reopened": "待处理",
            "closed": "已完成",
            "false-alarm": "已完成",
            "duplicate": "重复",
        },
        "closed": {"已完成": "yes", "已关闭": "yes", "已取消": "yes", "重复": "yes"},
        "levels": {"1": "低", "2": "一般", "3": "重要", "4": "紧急"},
    },
)

ORDER = MapBlock(
    form="ah_work_order",
    write={
        "priority": "priority",
        "rush": "if(rush == `null`, `null`, if(rush, '是', '否'))",
        "plan_end": "due_at",
    },
    read={
        "number": "wo_no",
        "product": "item_code",
        "product_name": "item_name",
        "quantity": "number(qty)",
        "due_at": "instant(plan_end)",
        "priority": "number(priority)",
        "rush": "contains(['是', 'true', '1'], text(rush))",
        "sales_order": "sales_order_no",
        "customer": "customer",
        # closed before all was made is cancelled
        "state": "if(state == '已关闭', if((number(done_qty) || `0`) >= number(qty),"
        " 'completed', 'cancelled'), table('order_states', state) || 'held')",
        "jobs": "ops[].{operation: text(op_no), name: op_name, work_center: work_center,"
        " quantity: number(qty), good: number(good_qty), scrap: number(scrap_qty)}",
    },
    tables={
        "order_states": {
            "未开工": "released",
            "生产中": "released",
            "已完工": "completed",
            "已取消": "cancelled",
            "计划": "held",
            "暂停": "held",
        }
    },
)

PROGRESS = MapBlock(  # of a production order, after each report: sums, so that repeats are harmless
    form="ah_work_order",
    write={"done_qty": "done", "scrap_qty": "scrap"},
)

SALES_ORDER = MapBlock(
    form="ah_sales_order",
    read={
        "number": "so_no",
        "customer": "customer",
        "due_at": "instant(due_date)",
        "priority": "number(priority)",
        "rush": "contains(['是', 'true', '1'], text(rush))",
        "seller": "seller.name || owner.name",
        "open": "table('closed', state) != 'yes'",
        "product": "item_code",
        "quantity": "number(qty)",
        "lines": "lines[].{line: text(line_no), product: item_code, quantity: number(qty),"
        " due_at: instant(due_date), priority: number(priority)}",
    },
    tables={"closed": {"已完成": "yes", "已关闭": "yes", "已取消": "yes", "已发货": "yes"}},
)

ITEM = MapBlock(
    form="ah_item",
    read={
        "number": "item_code",
        "name": "item_name",
        "unit": "unit",
        "family": "family",
        "active": "state != '停用'",
    },
)

EQUIPMENT = MapBlock(
    form="ah_equipment",
    read={"number": "equip_code", "name": "equip_name", "place": "place", "active": "state != '停用'"},
)

STOCK = MapBlock(
    form="ah_stock",
    read={"item": "item_code", "quantity": "number(qty)", "lot": "lot_no", "warehouse": "warehouse"},
)

_WHO = {"worker": "employee", "equip_code": "filled(equipment)"}

REPORT = MapBlock(
    form="ah_op_report",
    write={
        "ext_key": "key",
        "wo_no": "order",
        "op_no": "filled(operation)",
        "op_name": "operation_name",
        "work_center": "work_center",
        "good_qty": "good",
        "scrap_qty": "scrap",
        "end_at": "at",
        **_WHO,
    },
    read={
        "order": "wo_no",
        "operation": "text(op_no)",
        "good": "number(good_qty)",
        "scrap": "number(scrap_qty)",
        "counts": "table('void', state) != 'yes'",
    },
    tables={"states": {"duplicate": "重复"}, "void": {"重复": "yes", "作废": "yes"}},
)

RECEIPT = MapBlock(
    form="ah_completion",
    write={
        "ext_key": "key",
        "wo_no": "filled(order)",
        "item_code": "filled(item)",
        "qty": "quantity",
        "lot_no": "filled(lot)",
        "warehouse": "filled(warehouse)",
        "done_at": "at",
        **_WHO,
    },
    tables={"states": {"duplicate": "重复"}},
)

LOT = MapBlock(  # made beside a receipt, where the app has such a form
    form="ah_lot",
    write={"lot_no": "key", "item_code": "filled(item)", "wo_no": "filled(order)"},
)

ISSUE = MapBlock(
    form="ah_issue",
    write={
        "ext_key": "key",
        "wo_no": "filled(order)",
        "op_no": "filled(operation)",
        "item_code": "filled(item)",
        "qty": "quantity",
        "lot_no": "filled(lot)",
        "warehouse": "filled(warehouse)",
        "done_at": "at",
        **_WHO,
    },
    tables={"states": {"duplicate": "重复"}},
)

QUALITY = MapBlock(
    form="ah_quality",
    write={
        "ext_key": "key",
        "wo_no": "filled(order)",
        "op_no": "filled(operation)",
        "item_code": "filled(item)",
        "lot_no": "filled(lot)",
        "check_item": "filled(check)",
        "verdict": "if(passed == `null`, `null`, if(passed, '合格', '不合格'))",
        "value": "filled(value)",
        "unit": "filled(unit)",
        "sample_size": "if(sample_size, sample_size, `null`)",
        "done_at": "at",
        **_WHO,
    },
    tables={"states": {"duplicate": "重复"}},
)

HOURS = MapBlock(
    form="ah_hours",
    write={
        "ext_key": "key",
        "wo_no": "filled(order)",
        "op_no": "filled(operation)",
        "labour_hours": "rounded(over(labour_seconds, `3600`), `4`)",
        "machine_hours": "rounded(over(machine_seconds, `3600`), `4`)",
        "done_at": "at",
        **_WHO,
    },
    tables={"states": {"duplicate": "重复"}},
)

SCRAP = MapBlock(
    form="ah_scrap",
    write={
        "ext_key": "key",
        "wo_no": "filled(order)",
        "op_no": "filled(operation)",
        "item_code": "filled(item)",
        "qty": "quantity",
        "lot_no": "filled(lot)",
        "reason": "filled(cut(reason, `500`))",
        "done_at": "at",
        **_WHO,
    },
    tables={"states": {"duplicate": "重复"}},
)

DOCUMENTS: dict[str, MapBlock] = {
    "ticket": TICKET,
    "order": ORDER,
    "progress": PROGRESS,
    "report": REPORT,
    "receipt": RECEIPT,
    "lot": LOT,
    "issue": ISSUE,
    "quality": QUALITY,
    "hours": HOURS,
    "scrap": SCRAP,
    "sales_order": SALES_ORDER,
    "item": ITEM,
    "equipment": EQUIPMENT,
    "stock": STOCK,
}

# without these a record means nothing; whatever else of ours a form lacks is left out
NEEDED: dict[str, frozenset[str]] = {
    "ticket": frozenset({"ext_key", "state"}),
    "order": frozenset({"wo_no", "item_code", "qty", "plan_end", "state"}),
    "report": frozenset({"ext_key", "wo_no", "op_no", "good_qty", "scrap_qty"}),
    "receipt": frozenset({"ext_key", "wo_no", "qty"}),
    "lot": frozenset({"lot_no"}),
    "issue": frozenset({"ext_key", "item_code", "qty"}),
    "quality": frozenset({"ext_key"}),
    "hours": frozenset({"ext_key", "labour_hours"}),
    "scrap": frozenset({"ext_key", "qty"}),
    "sales_order": frozenset({"so_no", "customer", "due_date"}),
    "item": frozenset({"item_code", "item_name"}),
    "equipment": frozenset({"equip_code", "equip_name"}),
    "stock": frozenset({"item_code", "qty"}),
}

# a form is found by the name above or by this one
FORM_TITLES: dict[str, str] = {
    "ah_repair": "设备报修",
    "ah_work_order": "生产工单",
    "ah_op_report": "报工",
    "ah_completion": "完工报告",
    "ah_lot": "批次",
    "ah_issue": "领料",
    "ah_quality": "检验结果",
    "ah_hours": "工时",
    "ah_scrap": "报废",
    "ah_sales_order": "销售订单",
    "ah_item": "物料",
    "ah_equipment": "设备台账",
    "ah_stock": "库存",
}

# a field of ours that has no alias in the form is found by one of these titles
TITLES: dict[str, tuple[str, ...]] = {
    "ext_key": ("安灯编号", "外部编号"),
    "repair_no": ("报修单号",),
    "equip_code": ("设备编号", "设备编码"),
    "equip_name": ("设备名称",),
    "fault_code": ("故障代码",),
    "fault_desc": ("故障描述",),
    "level": ("紧急程度",),
    "wo_no": ("工单号", "生产工单号"),
    "state": ("状态",),
    "report_time": ("报修时间",),
    "stop_time": ("停机时间",),
    "ack_time": ("接单时间",),
    "arrive_time": ("到场时间",),
    "close_time": ("完成时间",),
    "worker": ("维修人", "操作人"),
    "worker_name": ("人员姓名",),
    "cause_class": ("原因分类",),
    "result": ("维修结果",),
    "downtime_min": ("停机分钟",),
    "photos": ("照片",),
    "note": ("备注",),
    "item_code": ("物料编码", "物料编号"),
    "item_name": ("物料名称",),
    "unit": ("单位",),
    "family": ("物料类别",),
    "qty": ("数量",),
    "done_qty": ("完工数量",),
    "scrap_qty": ("报废数量",),
    "good_qty": ("合格数量",),
    "plan_start": ("计划开始",),
    "plan_end": ("计划完成",),
    "sales_order_no": ("销售订单号",),
    "so_no": ("销售订单号", "订单号"),
    "customer": ("客户",),
    "due_date": ("交货日期", "交期"),
    "priority": ("优先级",),
    "rush": ("急单", "插单"),
    "ops": ("工序",),
    "op_no": ("工序号",),
    "op_name": ("工序名称",),
    "work_center": ("工作中心",),
    "lines": ("订单明细",),
    "line_no": ("行号",),
    "seller": ("销售员",),
    "end_at": ("报工时间",),
    "done_at": ("发生时间",),
    "lot_no": ("批号",),
    "warehouse": ("仓库",),
    "check_item": ("检验项目",),
    "verdict": ("检验结论",),
    "value": ("检验值",),
    "sample_size": ("样本数",),
    "labour_hours": ("人工工时",),
    "machine_hours": ("机器工时",),
    "reason": ("报废原因",),
    "place": ("位置",),
}
