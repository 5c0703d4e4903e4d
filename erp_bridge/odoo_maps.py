"""What goes where in Odoo, as data: its models and fields against ours. A site lays its own over it.

Fields of ours that a release does not have are left out (`lot_producing_ids` is 19's, `lot_producing_id` is
older); a field that a site names must be there. A written name that ends in `+` is a text that a paragraph is
added to once; `message` is a note in the document's chatter.
"""

from __future__ import annotations

from typing import Any

from erp_bridge.fieldmap import MapBlock

# Texts name records by the first of these fields that has one: `equipment_id: equipment`.
LOOKUPS = {
    "maintenance.equipment": ["serial_no", "name"],
    "maintenance.stage": ["name"],
    "product.product": ["default_code", "barcode", "name"],
    "mrp.workcenter": ["code", "name"],
    "mrp.workcenter.productivity.loss": ["name"],
    "res.users": ["login", "name"],
    "stock.location": ["complete_name", "name", "barcode"],
    "stock.warehouse": ["code", "name"],
}

# What a list of records is narrowed to, as Odoo's search domains.
FILTERS: dict[str, list[Any]] = {
    "item": [["default_code", "!=", False], ["type", "in", ["consu", "product"]]],
    "sales_order": [["state", "in", ["draft", "sent", "sale", "done", "cancel"]]],
}

_STAGES = {  # new, progress and done are the first stages of their sort by sequence; or a stage's own name
    "accepted": "progress", "on-site": "progress", "repairing": "progress", "wait-parts": "progress",
    "verifying": "progress", "reopened": "progress", "closed": "done", "false-alarm": "done",
}  # fmt: skip
_LIGHTS = {  # kanban_state
    "accepted": "normal", "on-site": "normal", "repairing": "normal", "wait-parts": "blocked",
    "verifying": "done", "reopened": "normal",
}  # fmt: skip
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
_PRIORITIES = {"1": "0", "2": "1", "3": "2", "4": "3"}

_AT = "local(at, '%Y-%m-%d %H:%M')"
_TIMED = {
    "workorder_id": "workorder.id",
    "workcenter_id": "workorder.workcenter_id.id",
    "loss_id": "loss",
    "date_end": "at",
}

DOCUMENTS = {
    "ticket": MapBlock(
        form="maintenance.request",
        write={
            "name": "cut(join(' ', [marker, title,"
            " if(equipment, null, equipment_name || equipment_path)][?@]), `200`)",
            "equipment_id": "equipment_id",
            "maintenance_type": "'corrective'",
            "priority": "table('priorities', priority)",
            "request_date": "local(opened_at, '%Y-%m-%d')",
            "description": "join(`\"\\n\"`, [title,"
            " join('', ['设备 machine: ', equipment_name || equipment || equipment_path]),"
            " join('', ['级别 level: ', table('levels', priority) || text(priority)]),"
            " fault_code && join('', ['故障码 fault code: ', fault_code]),"
            " order && join('', ['工单 order: ', order]),"
            " opened_at && join('', ['报警 raised: ', local(opened_at, '%Y-%m-%d %H:%M:%S')]),"
            " stopped_at && join('', ['停机 stopped: ', local(stopped_at, '%Y-%m-%d %H:%M:%S')])][?@])",
        },
        read={
            "number": "text(id)",
            "title": "name",
            "equipment": "equipment_id.name",
            "closed": "stage_id.done || archive",
        },
        tables={"levels": _LEVELS, "priorities": _PRIORITIES},
    ),
    "step": MapBlock(
        form="maintenance.request",
        write={
            "stage_id": "table('stages', state)",
            "kanban_state": "table('lights', state)",
            "archive": "if(state == 'reopened', `false`, null)",
            "message": f"join(' ', [{_AT}, table('words', state) || state, person_name, note][?@])",
        },
        tables={"stages": _STAGES, "lights": _LIGHTS, "words": _STATE_WORDS},
    ),
    "closing": MapBlock(
        form="maintenance.request",
        write={
            "stage_id": "table('stages', state)",
            "kanban_state": "'normal'",
            "duration": "rounded(over(downtime, `3600`), `4`)",
            "description+": f"join(' ', [{_AT}, table('words', state) || state, person_name,"
            " cause_class && join('', ['原因 cause: ', table('causes', cause_class) || cause_class]), cause,"
            " downtime && join('', ['停机 downtime: ', text(rounded(over(downtime, `60`), `1`)), ' min'])"
            "][?@])",
        },
        tables={"stages": _STAGES, "words": _STATE_WORDS, "causes": _CAUSES},
    ),
    "report": MapBlock(
        form="mrp.workcenter.productivity",
        write=_TIMED
        | {
            "date_start": "at",
            "description": "join(' ', [marker, join('', ['good=', text(good)]),"
            " join('', ['scrap=', text(scrap)]),"
            " join('', ['total=', text(total)]), equipment, person][?@])",
        },
    ),
    "hours": MapBlock(
        form="mrp.workcenter.productivity",
        write=_TIMED
        | {
            "date_start": "labour_from",
            "description": "join(' ', [marker,"
            " join('', ['人工 labour ', text(rounded(over(labour_seconds, `60`), `1`)), ' min']),"
            " join('', ['机时 machine ', text(rounded(over(machine_seconds, `60`), `1`)), ' min']),"
            " equipment, person][?@])",
        },
    ),
    "receipt": MapBlock(
        form="mrp.production",
        write={
            "qty_producing": "quantity",
            "lot_producing_ids": "lot_id && [lot_id]",
            "lot_producing_id": "lot_id",
            "origin": "join(' ', [origin, marker][?@])",
        },
    ),
    "issue": MapBlock(
        form="stock.move.line",
        write={
            "move_id": "move.id",
            "product_id": "product_id",
            "product_uom_id": "move.product_uom.id",
            "quantity": "quantity",
            "qty_done": "quantity",
            "picked": "`true`",
            "lot_id": "lot_id",
            "location_id": "place_id || move.location_id.id",
            "location_dest_id": "move.location_dest_id.id",
        },
    ),
    "scrap": MapBlock(
        form="stock.scrap",
        write={
            "product_id": "product_id",
            "product_uom_id": "unit_id",
            "scrap_qty": "quantity",
            "lot_id": "lot_id",
            "production_id": "production_id",
            "location_id": "place_id",
            "origin": "join(' ', [marker, order, reason, equipment][?@])",
        },
    ),
    "quality": MapBlock(
        form="mrp.production",
        write={
            "message": "join(' ', [marker, '检验', check, value, unit, if(passed, '合格 passed',"
            " if(passed == `false`, '不合格 failed', null)),"
            " sample_size && join('', ['n=', text(sample_size)]),"
            f" operation && join('', ['工序 ', operation]), lot, equipment, person, {_AT}][?@])",
        },
    ),
    "order": MapBlock(
        form="mrp.production",
        write={
            "priority": "if(rush == null && priority == null, null,"
            " if(rush || (priority != null && priority <= `2`), '1', '0'))",
            "date_deadline": "due_at",
            "message": "join(' ', ['[andon]', if(rush, '加急 rush', null),"
            " priority && join('', ['优先级 priority ', text(priority)]),"
            " due_at && join('', ['交期 due ', local(due_at, '%Y-%m-%d %H:%M')]), reason][?@])",
        },
        read={
            "product": "product_id.default_code || product_id.name",
            "product_name": "product_id.name",
            "quantity": "product_qty",
            "due_at": "date_deadline || date_planned_finished || date_finished || date_start",
            "priority": "if(priority == '1', `1`, `5`)",
            "rush": "priority == '1'",
            "sales_order": "origin",
            "state": "table('states', state)",
        },
        tables={
            "states": {
                "draft": "held", "confirmed": "released", "progress": "released", "to_close": "released",
                "done": "completed", "cancel": "cancelled",
            }
        },
    ),
    "operation": MapBlock(
        form="mrp.workorder",
        read={
            "operation": "text(times(position, `10`))",
            "name": "name",
            "work_center": "table('work_centers', workcenter_id.code || workcenter_id.name)"
            " || workcenter_id.code || workcenter_id.name",
            "quantity": "qty_production",
            "good": "qty_produced",
        },
        tables={"work_centers": {}},
    ),
    "sales_order": MapBlock(
        form="sale.order",
        read={
            "number": "name",
            "customer": "partner_id.name",
            "due_at": "commitment_date || expected_date || date_order",
            "seller": "user_id.name",
            "open": "(state == 'draft' || state == 'sent' || state == 'sale') && delivery_status != 'full'",
        },
    ),
    "sales_line": MapBlock(
        form="sale.order.line",
        read={
            "line": "text(id)",
            "product": "product_id.default_code || product_id.name",
            "quantity": "product_uom_qty",
        },
    ),
    "item": MapBlock(
        form="product.product",
        read={"number": "default_code", "name": "name", "unit": "uom_id.name", "family": "categ_id.name"},
    ),
    "equipment": MapBlock(
        form="maintenance.equipment",
        read={
            "number": "serial_no || name",
            "name": "name",
            "place": "workcenter_id.name || location_id.name || location",
            "active": "active != `false`",
        },
    ),
}  # fmt: skip
