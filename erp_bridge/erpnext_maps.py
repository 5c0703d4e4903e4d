"""What goes where in ERPNext, as data: DocTypes and fields against ours. A site lays its own over it.

A ticket of a machine that is an Asset is an Asset Repair, any other an Issue. A written field that ends in
`+` is a text to which a line is added once. Times are the site's own (`local`). Fields that begin with
`custom_` are the site's: the guide in docs/erp/erpnext.md says which of them to make.
"""

from __future__ import annotations

from typing import Any

from erp_bridge.fieldmap import MapBlock

_TIME = "'%Y-%m-%d %H:%M:%S'"
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
    "mechanical": "机械", "electrical": "电气", "tooling": "工装", "material": "物料", "operation": "操作",
}  # fmt: skip
_LEVELS = {"1": "低 low", "2": "中 medium", "3": "高 high", "4": "紧急 critical"}
_TOLD = (
    'join(`"\\n"`, [title,'
    " join('', ['设备 machine: ', equipment_name || equipment || equipment_path]),"
    " join('', ['级别 level: ', table('levels', priority) || text(priority)]),"
    " fault_code && join('', ['故障码 fault code: ', fault_code]),"
    " order && join('', ['工单 order: ', order]),"
    f" opened_at && join('', ['报警 raised: ', local(opened_at, {_TIME})]),"
    f" stopped_at && join('', ['停机 stopped: ', local(stopped_at, {_TIME})])][?@])"
)
_STEP = "join(' ', [local(at, '%Y-%m-%d %H:%M'), table('words', state) || state, person_name, note][?@])"
_CLOSED = (
    "join(' ', [local(at, '%Y-%m-%d %H:%M'), table('words', state) || state, person_name,"
    " cause_class && join('', ['原因 cause: ', table('causes', cause_class) || cause_class]), cause,"
    " downtime && join('', ['停机 downtime: ', text(rounded(over(downtime, `60`), `1`)), ' min'])][?@])"
)
_STEP_TABLES = {"words": _STATE_WORDS, "causes": _CAUSES}
_ROW = {
    "from_time": f"local(at, {_TIME})",
    "to_time": f"local(at, {_TIME})",
    "employee": "employee",
}

# What a list of documents is narrowed to, as Frappe's filters.
FILTERS: dict[str, list[list[Any]]] = {
    "equipment": [["docstatus", "!=", 2]],
    "sales_order": [["docstatus", "!=", 0]],
    "item": [["has_variants", "=", 0]],
}

DOCUMENTS = {
    # ------------------------------------------------------------------ tickets
    "repair": MapBlock(
        form="Asset Repair",
        write={
            "asset": "asset.name",
            "company": "asset.company || company",
            "failure_date": f"local(stopped_at || opened_at, {_TIME})",
            "description": _TOLD,
        },
        read={"closed": "docstatus != `0` || repair_status == 'Completed' || repair_status == 'Cancelled'"},
        tables={"levels": _LEVELS},
    ),
    "repair_step": MapBlock(
        form="Asset Repair",
        write={"actions_performed+": _STEP, "repair_status": "if(state == 'reopened', 'Pending', null)"},
        tables=_STEP_TABLES,
    ),
    "repair_closing": MapBlock(
        form="Asset Repair",
        write={
            "actions_performed+": _CLOSED,
            "repair_status": "'Completed'",
            "completion_date": f"local(at, {_TIME})",
        },
        tables=_STEP_TABLES,
    ),
    "support": MapBlock(
        form="Issue",
        write={
            "subject": "cut(join(' ', [equipment_name || equipment || equipment_path, title][?@]), `140`)",
            "description": _TOLD,
            "company": "filled(company)",
            "opening_date": "local(opened_at, '%Y-%m-%d')",
            "opening_time": "local(opened_at, '%H:%M:%S')",
        },
        read={"closed": "status == 'Closed' || status == 'Resolved'"},
        tables={"levels": _LEVELS},
    ),
    "support_step": MapBlock(
        form="Issue",
        write={"description+": _STEP, "status": "table('statuses', state)"},
        tables=_STEP_TABLES | {"statuses": {"reopened": "Open"}},
    ),
    "support_closing": MapBlock(
        form="Issue",
        write={"description+": _CLOSED, "resolution_details": _CLOSED, "status": "'Closed'"},
        tables=_STEP_TABLES,
    ),
    # ------------------------------------------------------------------ reports and hours: rows of a job card
    "report": MapBlock(
        form="Job Card Time Log",
        write=_ROW | {"completed_qty": "good", "custom_andon_scrap": "if(scrap, scrap, null)"},
    ),
    "scrap": MapBlock(
        form="Job Card Time Log",
        write=_ROW
        | {
            "completed_qty": "`0`",
            "custom_andon_scrap": "quantity",
            "custom_andon_reason": "filled(reason)",
        },
    ),
    "hours": MapBlock(
        form="Job Card Time Log",
        write={
            "from_time": f"local(began_at, {_TIME})",
            "to_time": f"local(at, {_TIME})",
            "time_in_mins": "rounded(over(labour_seconds, `60`), `3`)",
            "completed_qty": "`0`",
            "employee": "employee",
            "custom_andon_machine_mins": "if(machine_seconds, rounded(over(machine_seconds, `60`), `3`),"
            " null)",
        },
    ),
    "card": MapBlock(
        form="Job Card",
        write={  # one that we make because every card of the operation is submitted, or there is none
            "work_order": "order.name",
            "operation": "row.operation",
            "operation_id": "row.name",
            "workstation": "row.workstation",
            "sequence_id": "row.sequence_id",
            "for_quantity": "quantity",
            "company": "order.company",
            "production_item": "order.production_item",
            "bom_no": "row.bom || order.bom_no",
            "wip_warehouse": "order.wip_warehouse",
        },
        read={
            "good": "number(total_completed_qty)",
            "scrap": "if(docstatus == `1`, number(process_loss_qty),"
            " sum((time_logs || `[]`)[?custom_andon_scrap].custom_andon_scrap))",
        },
    ),
    # ------------------------------------------------------------------ stock and quality
    "receipt": MapBlock(
        form="Stock Entry",
        write={
            "stock_entry_type": "'Manufacture'",
            "purpose": "'Manufacture'",
            "work_order": "work_order.name",
            "company": "work_order.company",
            "from_bom": "`1`",
            "bom_no": "work_order.bom_no",
            "fg_completed_qty": "quantity",
            "set_posting_time": "`1`",
            "posting_date": "local(at, '%Y-%m-%d')",
            "posting_time": "local(at, '%H:%M:%S')",
            "remarks": "join(' ', [order, operation, equipment, person][?@])",
        },
    ),
    "receipt_line": MapBlock(
        form="Stock Entry Detail",
        write={
            "item_code": "item",
            "qty": "quantity",
            "t_warehouse": "filled(warehouse) || work_order.fg_warehouse",
            "is_finished_item": "`1`",
            "use_serial_batch_fields": "lot && `1`",
            "batch_no": "filled(lot)",
        },
    ),
    "issue": MapBlock(
        form="Stock Entry",
        write={
            "stock_entry_type": "if(work_order.skip_transfer, 'Material Consumption for Manufacture',"
            " 'Material Transfer for Manufacture')",
            "purpose": "if(work_order.skip_transfer, 'Material Consumption for Manufacture',"
            " 'Material Transfer for Manufacture')",
            "work_order": "work_order.name",
            "company": "work_order.company",
            "from_bom": "`0`",
            "bom_no": "work_order.bom_no",
            "fg_completed_qty": "if(work_order.skip_transfer, `1`, null)",
            "set_posting_time": "`1`",
            "posting_date": "local(at, '%Y-%m-%d')",
            "posting_time": "local(at, '%H:%M:%S')",
            "remarks": "join(' ', [order, operation, equipment, person][?@])",
        },
    ),
    "issue_line": MapBlock(
        form="Stock Entry Detail",
        write={
            "item_code": "item",
            "qty": "quantity",
            "uom": "filled(unit)",
            "s_warehouse": "filled(warehouse) || required.source_warehouse || work_order.source_warehouse",
            "t_warehouse": "if(work_order.skip_transfer, null, work_order.wip_warehouse)",
            "use_serial_batch_fields": "lot && `1`",
            "batch_no": "filled(lot)",
        },
    ),
    "batch": MapBlock(form="Batch", write={"batch_id": "lot", "item": "item"}),
    "quality": MapBlock(
        form="Quality Inspection",
        write={
            "inspection_type": "'In Process'",
            "reference_type": "card && 'Job Card'",
            "reference_name": "card",
            "report_date": "local(at, '%Y-%m-%d')",
            "item_code": "item",
            "batch_no": "filled(lot)",
            "sample_size": "if(sample_size, sample_size, `1`)",
            "status": "if(passed == `false`, 'Rejected', 'Accepted')",
            "manual_inspection": "`1`",
            "inspected_by": "user",
            "remarks": "join(' ', [order, operation, equipment, person, reason][?@])",
        },
    ),
    "reading": MapBlock(
        form="Quality Inspection Reading",
        write={
            "specification": "check",
            "reading_1": "filled(value)",
            "reading_value": "filled(value)",
            "status": "if(passed == `false`, 'Rejected', 'Accepted')",
            "manual_inspection": "`1`",
        },
    ),
    # ------------------------------------------------------------------ what the office decides
    "order": MapBlock(
        form="Work Order",
        write={
            "expected_delivery_date": "local(due_at, '%Y-%m-%d')",
            "custom_priority": "priority || if(rush, `1`, null)",
        },
        read={
            "number": "name",
            "product": "production_item",
            "product_name": "item_name || production_item",
            "quantity": "number(qty)",
            "due_at": "instant(expected_delivery_date && join(' ', [expected_delivery_date, '23:59:00']))"
            " || instant(planned_end_date || planned_start_date)",
            "priority": "number(custom_priority)",
            "rush": "number(custom_priority) == `1`",
            "sales_order": "sales_order",
            "state": "table('states', status)",
        },
        tables={
            "states": {
                "Draft": "held", "Submitted": "released", "Not Started": "released",
                "In Process": "released", "Stock Reserved": "released",
                "Stock Partially Reserved": "released", "Completed": "completed", "Closed": "completed",
                "Stopped": "held", "Cancelled": "cancelled",
            }
        },
    ),
    "operation": MapBlock(  # a row of `operations`; `order` is the Work Order
        form="Work Order Operation",
        read={
            "operation": "operation",
            "name": "operation",
            "work_center": "table('work_centers', workstation) || workstation",
            "quantity": "number(order.qty)",
        },
        tables={"work_centers": {}},
    ),
    "sales_order": MapBlock(
        form="Sales Order",
        read={
            "number": "name",
            "customer": "customer_name || customer",
            "due_at": "instant((delivery_date || transaction_date) && join(' ', [delivery_date ||"
            " transaction_date, '23:59:00']))",
            "priority": "number(custom_priority)",
            "rush": "number(custom_priority) == `1`",
            "open": "docstatus == `1` && status != 'Closed' && status != 'Completed'"
            " && status != 'To Bill' && status != 'Cancelled'",
            "seller": "owner",
        },
    ),
    "sales_line": MapBlock(  # a row of `items`; laid over what the Sales Order gives
        form="Sales Order Item",
        read={
            "line": "text(idx) || name",
            "product": "item_code",
            "quantity": "number(qty)",
            "due_at": "instant(delivery_date && join(' ', [delivery_date, '23:59:00']))",
        },
    ),
    "item": MapBlock(
        form="Item",
        read={
            "number": "item_code || name",
            "name": "item_name",
            "unit": "stock_uom",
            "family": "item_group",
        },
    ),
    "equipment": MapBlock(
        form="Asset",
        read={
            "number": "name",
            "name": "asset_name",
            "place": "location",
            "active": "status != 'Scrapped' && status != 'Sold'",
        },
    ),
    "workstation": MapBlock(
        form="Workstation",
        read={"number": "name", "name": "workstation_name || name", "place": "plant_floor"},
    ),
    "stock": MapBlock(
        form="Bin",
        read={"item": "item_code", "quantity": "number(actual_qty)", "warehouse": "warehouse"},
    ),
}  # fmt: skip
