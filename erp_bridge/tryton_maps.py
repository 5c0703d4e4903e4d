"""What goes where in Tryton, as data: its models and fields against ours. A site lays its own over it.

Tryton keeps no machines and no repairs: a project named after the machine stands in for the one, a task below
it for the other. A written field that ends in `+` is a text to which a paragraph is added once.
"""

from __future__ import annotations

from typing import Any

from erp_bridge.fieldmap import MapBlock

# Texts name records by this field: `product: item` finds the product whose code is the item's number.
LOOKUPS = {
    "product.product": "code",
    "product.uom": "symbol",
    "project.work": "name",
    "project.work.status": "name",
    "production": "number",
    "production.work.center": "name",
    "stock.lot": "number",
    "quality.control": "name",
}

# What a list of records is narrowed to, as Tryton's search domains.
FILTERS: dict[str, list[Any]] = {
    "ticket": [["type", "=", "task"]],
    "equipment": [["type", "=", "project"]],
    "item": [["type", "=", "goods"]],
    "sales_order": [["sale.state", "in", ["quotation", "confirmed", "processing", "done", "cancelled"]],
                    ["type", "=", "line"]],
}  # fmt: skip

_STATUSES = {  # names of project.work.status; more of them make more to see (Tryton is born with these two)
    "sent": "Open",
    "reopened": "Open",
    "closed": "Done",
    "false-alarm": "Done",
}
_STATE_WORDS = {
    "accepted": "已接单 accepted",
    "on-site": "已到场 on site",
    "repairing": "维修中 repairing",
    "wait-parts": "待备件 waiting for parts",
    "verifying": "试机中 verifying",
    "reopened": "重新打开 reopened",
    "closed": "已关闭 closed",
    "false-alarm": "误报 false alarm",
}
_CAUSES = {
    "mechanical": "机械",
    "electrical": "电气",
    "tooling": "工装",
    "material": "物料",
    "operation": "操作",
}
_LEVELS = {"1": "低 low", "2": "中 medium", "3": "高 high", "4": "紧急 critical"}

_STEP = "join(' ', [local(at, '%Y-%m-%d %H:%M'), table('words', state) || state, person_name, note][?@])"

DOCUMENTS = {
    "ticket": MapBlock(
        form="project.work",
        write={
            "name": "cut(join(' ', [key, title, if(equipment, null, equipment_name || equipment_path)][?@]),"
            " `200`)",
            "type": "'task'",
            "parent": "machine_id",
            "status": "table('statuses', state)",
            "comment": "join(`\"\\n\"`, [title,"
            " "
            "join('', ['设备 machine: ', equipment_name || equipment || equipment_path]),"
            " join('', ['级别 level: ', table('levels', priority) || text(priority)]),"
            " fault_code && join('', ['故障码 fault code: ', fault_code]),"
            " order && join('', ['工单 order: ', order]),"
            " opened_at && join('', ['报警 raised: ', local(opened_at, '%Y-%m-%d %H:%M:%S')]),"
            " stopped_at && join('', ['停机 stopped: ', local(stopped_at, '%Y-%m-%d %H:%M:%S')])][?@])",
        },
        read={
            "number": "number",
            "title": "name",
            "equipment": "parent.name",
            "closed": "status.progress == `1`",
        },
        tables={"statuses": _STATUSES, "levels": _LEVELS},
    ),
    "step": MapBlock(
        form="project.work",
        write={
            "comment+": _STEP,
            "status": "table('statuses', state)",
            "progress": "if(state == 'reopened', `0`, null)",
        },
        tables={"statuses": _STATUSES, "words": _STATE_WORDS},
    ),
    "closing": MapBlock(
        form="project.work",
        write={
            "comment+": "join(' ', [local(at, '%Y-%m-%d %H:%M'), table('words', state) || state, person_name,"
            " cause_class && join('', ['原因 cause: ', table('causes', cause_class) || cause_class]), cause,"
            " downtime && join('', ['停机 downtime: ', text(rounded(over(downtime, `60`), `1`)), ' min'])"
            "][?@])",
            "status": "table('statuses', state)",
            "progress": "`1`",
        },
        tables={"statuses": _STATUSES, "words": _STATE_WORDS, "causes": _CAUSES},
    ),
    "report": MapBlock(
        form="production.work.cycle",
        write={
            "note": "join(' ', [local(at, '%Y-%m-%d %H:%M'), equipment, person][?@])",
        },
    ),
    "receipt": MapBlock(
        form="stock.move",
        write={
            "product": "item",
            "quantity": "quantity",
            "unit": "unit",
            "lot": "lot_id",
            "from_location": "production.location",
            "to_location": "place_id || production.warehouse.production_output_location"
            " || production.warehouse.storage_location",
            "effective_date": "local(at, '%Y-%m-%d')",
            "unit_price": "cost_price",
            "currency": "production.company.currency",
            "note": "join(' ', ['完工入库 receipt', text(quantity), unit, item, lot, equipment, person][?@])",
        },
    ),
    "scrap": MapBlock(
        form="stock.move",
        write={
            "product": "item",
            "quantity": "quantity",
            "unit": "unit",
            "lot": "lot_id",
            "from_location": "production.location",
            "to_location": "production.warehouse.waste_locations[0]",
            "effective_date": "local(at, '%Y-%m-%d')",
            "note": "join(' ', ['报废 scrap', text(quantity), unit, item, reason, equipment, person][?@])",
        },
    ),
    "issue": MapBlock(
        form="stock.shipment.internal",
        write={
            "reference": "join(' ', [key, order, operation][?@])",
            "from_location": "from_location",
            "to_location": "to_location",
            "planned_date": "local(at, '%Y-%m-%d')",
            "planned_start_date": "local(at, '%Y-%m-%d')",
            "effective_date": "local(at, '%Y-%m-%d')",
            "effective_start_date": "local(at, '%Y-%m-%d')",
        },
    ),
    "issue_line": MapBlock(
        form="stock.move",
        write={
            "product": "item",
            "quantity": "quantity",
            "unit": "unit",
            "lot": "lot_id",
            "from_location": "from_location",
            "to_location": "to_location",
        },
    ),
    "hours": MapBlock(
        form="timesheet.line",
        write={
            "work": "timesheet_work",
            "employee": "employee",
            "date": "local(at, '%Y-%m-%d')",
            "duration": "labour_seconds",
            "description": "join(' ', [key, machine_seconds && join('', ['机时 machine ',"
            " text(rounded(over(machine_seconds, `60`), `1`)), ' min']), equipment][?@])",
        },
    ),
    "quality": MapBlock(
        form="quality.inspection",
        write={
            "reference": "join(' ', [key, check, value, unit][?@])",
            "control": "control",
            "origin": "production && join(',', ['production', text(production.id)])",
            "points": "points",
        },
    ),
    "order": MapBlock(
        form="production",
        write={"planned_date": "local(due_at, '%Y-%m-%d')"},
        read={
            "number": "number",
            "product": "product.code",
            "product_name": "product.name",
            "quantity": "quantity",
            "due_at": "planned_date && instant(join('T', [planned_date, '23:59:00']))",
            "sales_order": "reference",
            "state": "table('states', state)",
        },
        tables={
            "states": {
                "request": "held", "draft": "held", "waiting": "released", "assigned": "released",
                "running": "released", "done": "completed", "cancelled": "cancelled",
            }
        },
    ),
    "operation": MapBlock(
        form="production.work",
        read={
            "order": "production.number",
            "operation": "text(sequence) || operation.name",
            "name": "operation.name",
            "work_center": "table('work_centers', work_center.name) || work_center.name",
            "quantity": "production.quantity",
        },
        tables={"work_centers": {}},
    ),
    "sales_order": MapBlock(
        form="sale.line",
        read={
            "number": "sale.number",
            "line": "text(sequence) || text(id)",
            "customer": "sale.party.name",
            "product": "product.code",
            "quantity": "quantity",
            "due_at": "(shipping_date || sale.shipping_date || sale.sale_date) && instant(join('T',"
            " [shipping_date || sale.shipping_date || sale.sale_date, '23:59:00']))",
            "open": "sale.state != 'done' && sale.state != 'cancelled'",
        },
    ),
    "item": MapBlock(
        form="product.product",
        read={"number": "code", "name": "name", "unit": "default_uom.symbol"},
    ),
    "equipment": MapBlock(
        form="project.work", read={"number": "name", "name": "name", "place": "parent.name"}
    ),
}  # fmt: skip
