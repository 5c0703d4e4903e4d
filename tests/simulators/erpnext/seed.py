"""A small machine shop, as its office has entered it."""

from __future__ import annotations

from typing import Any

from tests.simulators.erpnext.meta import Field
from tests.simulators.erpnext.site import Site, User, all_roles

COMPANY = "Factory One"
ITEM, COMPONENT, LOT = "SHAFT-100", "BAR-20", "BAR-LOT-7"
STORES, WIP, FINISHED = "Stores - F1", "WIP - F1", "Finished Goods - F1"
OPERATION, NEXT_OPERATION = "Turning", "Grinding"
ON_FLOOR = 12
QUANTITY = 400
REF = "custom_andon_ref"
BRIDGE = User(
    "andon@factory.example", "8f3aa1b2c3d4e5f", "secret-c19e8d7f6a5b4", "password-of-andon",
    all_roles(),
)  # fmt: skip
CLERK = User("clerk@factory.example", "clerk-key", "clerk-secret", "clerk-password")


def fill(site: Site) -> None:
    site.users = [BRIDGE, CLERK]
    _masters(site)
    for at in range(1, ON_FLOOR + 3):
        _order(site, at)
    _sales(site)
    _machines(site)


def key_user(site: Site) -> None:
    """The custom fields that the guide has a key user make."""
    for doctype in ("Asset Repair", "Issue", "Stock Entry", "Quality Inspection"):
        add(site, doctype, REF, unique=True)
    add(site, "Job Card Time Log", REF)
    add(site, "Job Card Time Log", "custom_andon_scrap", "Float")
    add(site, "Job Card Time Log", "custom_andon_machine_mins", "Float")
    add(site, "Job Card Time Log", "custom_andon_reason")
    for doctype in ("Work Order", "Sales Order"):
        add(site, doctype, "custom_priority", "Int", on_submit=True)


def add(site: Site, doctype: str, name: str, kind: str = "Data", **flags: Any) -> None:
    site.grow(doctype, Field(name, kind, **flags))


def _masters(site: Site) -> None:
    def new(doctype: str, **data: Any) -> str:
        return str(site.insert(doctype, data, CLERK)["name"])

    new("Company", company_name=COMPANY)
    for name in (STORES, WIP, FINISHED):
        new("Warehouse", warehouse_name=name, company=COMPANY)
    new("Item", item_code=ITEM, item_name="传动轴", item_group="轴类", stock_uom="Nos", has_batch_no=1)
    new(
        "Item", item_code=COMPONENT, item_name="圆钢 20mm", item_group="原料", stock_uom="Nos", has_batch_no=1
    )
    for at in range(1, 6):
        new("Item", item_code=f"PART-{at}", item_name=f"零件 {at}", item_group="零件", stock_uom="Nos")
    new("Batch", batch_id=LOT, item=COMPONENT)
    site.put({"doctype": "Bin", "name": "bin-1", "item_code": COMPONENT, "warehouse": STORES, "docstatus": 0,
              "actual_qty": 5000.0, "modified": site.stamp()})  # fmt: skip
    site.put({"doctype": "Bin", "name": "bin-2", "item_code": COMPONENT, "warehouse": WIP, "docstatus": 0,
              "actual_qty": 1000.0, "modified": site.stamp()})  # fmt: skip
    for name in (OPERATION, NEXT_OPERATION):
        new("Operation", operation_name=name)
    new("Plant Floor", floor_name="机加工")
    for name in ("CNC-03", "GRIND-01"):
        new("Workstation", workstation_name=name, plant_floor="机加工", production_capacity=1)
    rows = [{"item_code": COMPONENT, "qty": 1}]
    new("BOM", bom_name="BOM-SHAFT-100-001", item=ITEM, company=COMPANY, items=rows, docstatus=1)
    new("Employee", employee_name="王强")
    for name in ("Low", "Medium", "High"):
        new("Issue Priority", name1=name)


def _order(site: Site, at: int) -> None:
    """Two more than the floor sees: a draft, and one that was finished long ago."""
    day = f"2026-01-{9 + at:02d}"
    made = site.insert(
        "Work Order",
        {
            "production_item": ITEM, "bom_no": "BOM-SHAFT-100-001", "company": COMPANY, "qty": QUANTITY,
            "source_warehouse": STORES, "wip_warehouse": WIP, "fg_warehouse": FINISHED,
            "planned_start_date": "2026-01-04 08:00:00", "planned_end_date": f"{day} 16:00:00",
            "expected_delivery_date": day,
            "operations": [
                {"operation": OPERATION, "workstation": "CNC-03", "sequence_id": 1},
                {"operation": NEXT_OPERATION, "workstation": "GRIND-01", "sequence_id": 2},
            ],
            "required_items": [
                {"item_code": COMPONENT, "required_qty": QUANTITY, "source_warehouse": STORES}
            ],
        },
        CLERK,
    )  # fmt: skip
    if at == ON_FLOOR + 2:
        return
    order = site.save("Work Order", made["name"], {"docstatus": 1}, CLERK)
    if at == ON_FLOOR + 1:
        site.set("Work Order", made["name"], status="Completed")
    if at > 2:
        return
    for row in order["operations"]:
        if at == 1:
            _card(site, order, row, 50, done=True)
        _card(site, order, row, QUANTITY - 50 if at == 1 else QUANTITY)


def _card(
    site: Site, order: dict[str, Any], row: dict[str, Any], quantity: float, done: bool = False
) -> None:
    """As ERPNext makes them when the order is submitted; the first fifty pieces are done."""
    card: dict[str, Any] = {
        "work_order": order["name"], "operation": row["operation"], "operation_id": row["name"],
        "workstation": row["workstation"], "company": COMPANY, "for_quantity": quantity,
        "sequence_id": row["sequence_id"], "wip_warehouse": WIP, "bom_no": order["bom_no"],
    }  # fmt: skip
    if done:
        times = {"from_time": "2026-01-04 08:00:00", "to_time": "2026-01-04 12:00:00"}
        card |= {"time_logs": [times | {"completed_qty": quantity}], "docstatus": 1}
    site.insert("Job Card", card, CLERK)


def _sales(site: Site) -> None:
    site.insert("Customer", {"customer_name": "东风精密"}, CLERK)
    items = [{"item_code": ITEM, "qty": 300, "delivery_date": "2026-01-20"}, {"item_code": ITEM, "qty": 100}]
    made = site.insert(
        "Sales Order",
        {"customer": "东风精密", "company": COMPANY, "delivery_date": "2026-01-25", "items": items,
         "transaction_date": "2026-01-02", "docstatus": 1},
        CLERK,
    )  # fmt: skip
    site.set("Work Order", "MFG-WO-2026-00001", sales_order=made["name"])


def _machines(site: Site) -> None:
    for name, place in (("加工中心 03", "2号线"), ("磨床 01", "2号线"), ("冲床 01", "1号线")):
        data = {"asset_name": name, "company": COMPANY, "location": place, "docstatus": 1}
        site.set("Asset", site.insert("Asset", data, CLERK)["name"], status="Submitted")
