"""What stands in the prepared Tryton: a company, a machine shop, a week of orders; as its clerks enter it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.simulators.tryton.rpc import Rpc, day, decimal

CLERK, CLERK_PASSWORD = "admin", "clerk-password-of-the-tests"
USER, PASSWORD = "andon", "tryton-password-that-nobody-may-read"
MODULES = (
    "production_work", "production_routing", "production_work_timesheet", "stock_lot", "sale", "project",
    "quality",
)  # fmt: skip
# What the hub's own user needs and no more: docs/erp/tryton.md names the same.
GROUPS = ("Production", "Stock", "Quality", "Sales", "Project Administration", "Timesheet Administration")

MACHINES = ("CNC-03", "PRESS-01")
EMPLOYEE = "Zhang Wei"
CONTROL = "外径"
ITEM, COMPONENT, LOT = "A100", "B200", "RM-LOT-7"
ORDERS, ORDER_QUANTITY = 7, 400
START = date(2026, 1, 5)
LONG_AGO = "2025-12-01 00:00:00"  # when the template's records say they were made


def seed(rpc: Rpc) -> None:
    """Runs as the clerk, who may do everything."""
    groups = rpc("res.group.search", [])
    rpc("res.user.write", [rpc.one("res.user", ["login", "=", CLERK])], {"groups": [["add", groups]]})
    company, currency = _company(rpc)
    _user(rpc, company)
    places = _places(rpc)
    goods = _goods(rpc)
    rpc.create("company.employee", party=rpc.create("party.party", name=EMPLOYEE), company=company)
    shop = _shop(rpc, goods)
    for number in range(ORDERS):
        _order(rpc, number, goods, shop, places, currency)
    _stock(rpc, goods, places["STO"])
    _sales(rpc, goods, currency)
    _repairs(rpc)
    point = {
        "name": "od",
        "string": "外径 mm",
        "type_": "float",
        "tolerance_lower": 19.99,
        "tolerance_upper": 20.01,
    }
    rpc.create("quality.control", name=CONTROL, points=[["create", [point]]])


def _company(rpc: Rpc) -> tuple[int, int]:
    currency = rpc.create(
        "currency.currency", name="Renminbi", code="CNY", symbol="¥", digits=2, rounding=decimal("0.01")
    )
    company = rpc.create(
        "company.company", party=rpc.create("party.party", name="Example Works"), currency=currency,
        timezone="Asia/Shanghai",
    )  # fmt: skip
    clerk = rpc.one("res.user", ["login", "=", CLERK])
    rpc("res.user.write", [clerk], {"companies": [["add", [company]]], "company": company})
    rpc.settle_in()
    return company, currency


def _user(rpc: Rpc, company: int) -> None:
    groups = rpc("res.group.search", [["name", "in", list(GROUPS)]])
    rpc.create(
        "res.user", name="Andon Hub", login=USER, password=PASSWORD, companies=[["add", [company]]],
        company=company, groups=[["add", groups]],
    )  # fmt: skip


def _places(rpc: Rpc) -> dict[str, int]:
    """The warehouse that Tryton is born with, with a place beside the line and one for scrap."""
    places = {str(r["code"] or r["type"]): int(r["id"]) for r in rpc.rows("stock.location", ["code", "type"])}
    places["LINE"] = rpc.create(
        "stock.location", name="Line side", code="LINE", type="storage", parent=places["STO"]
    )
    rpc(
        "stock.location.write", [places["WH"]],
        {"production_picking_location": places["LINE"], "waste_locations": [["add", [places["lost_found"]]]]},
    )  # fmt: skip
    return places


def _goods(rpc: Rpc) -> dict[str, Any]:
    units = {r["symbol"]: r["id"] for r in rpc.rows("product.uom", ["symbol"], ["symbol", "in", ["u", "kg"]])}
    out: dict[str, Any] = {"u": units["u"], "kg": units["kg"]}
    for code, name, unit, more in (
        (ITEM, "轴承座 Bearing seat", "u", {"producible": True, "salable": True, "sale_uom": units["u"]}),
        (COMPONENT, "圆钢 Steel bar", "kg", {}),
    ):
        template = rpc.create(
            "product.template", name=name, type="goods", default_uom=units[unit], list_price=decimal("10"),
            products=[["create", [{"suffix_code": code}]]], **more,
        )  # fmt: skip
        out[code] = rpc.one("product.product", ["template", "=", template])
    return out


def _shop(rpc: Rpc, goods: dict[str, Any]) -> dict[str, int]:
    centers = [rpc.create("production.work.center", name=name) for name in MACHINES]
    operations = [
        rpc.create("production.routing.operation", name=name, timesheet_available=True)
        for name in ("下料 Cut", "车削 Turn")
    ]
    material = {"product": goods[COMPONENT], "quantity": 2.0, "unit": goods["kg"]}
    made = {"product": goods[ITEM], "quantity": 1.0, "unit": goods["u"]}
    bom = rpc.create(
        "production.bom", name=ITEM, inputs=[["create", [material]]], outputs=[["create", [made]]]
    )
    steps = [{"operation": o, "sequence": 10 * (n + 1)} for n, o in enumerate(operations)]
    routing = rpc.create("production.routing", name=ITEM, boms=[["add", [bom]]], steps=[["create", steps]])
    rpc(
        "ir.sequence.write", [rpc.one("ir.sequence", ["name", "=", "Production"])],
        {"prefix": "MO", "padding": 4},
    )  # fmt: skip
    return {"center": centers[0], "bom": bom, "routing": routing}


def _order(
    rpc: Rpc, number: int, goods: dict[str, Any], shop: dict[str, int], places: dict[str, int], currency: int
) -> None:
    """As the desktop client makes one: the BOM exploded into planned moves, then set to waiting."""
    quantity = float(ORDER_QUANTITY + 10 * number)
    material = {
        "product": goods[COMPONENT], "quantity": 2 * quantity, "unit": goods["kg"],
        "from_location": places["LINE"], "to_location": places["PROD"],
    }  # fmt: skip
    made = {
        "product": goods[ITEM], "quantity": quantity, "unit": goods["u"], "from_location": places["PROD"],
        "to_location": places["STO"], "unit_price": decimal("0"), "currency": currency,
    }  # fmt: skip
    due = START + timedelta(days=4 + number)
    order = rpc.create(
        "production", reference="SO2001", product=goods[ITEM], quantity=quantity, unit=goods["u"],
        bom=shop["bom"], routing=shop["routing"], work_center=shop["center"], planned_date=day(due),
        planned_start_date=day(START + timedelta(days=number)), inputs=[["create", [material]]],
        outputs=[["create", [made]]],
    )  # fmt: skip
    rpc("production.wait", [order])


def _stock(rpc: Rpc, goods: dict[str, Any], storage: int) -> None:
    lot = rpc.create("stock.lot", number=LOT, product=goods[COMPONENT])
    line = {"product": goods[COMPONENT], "lot": lot, "quantity": 500.0}
    inventory = rpc.create(
        "stock.inventory", location=storage, date=day(START - timedelta(days=4)), lines=[["create", [line]]]
    )
    rpc("stock.inventory.confirm", [inventory])


def _sales(rpc: Rpc, goods: dict[str, Any], currency: int) -> None:
    rpc("ir.sequence.write", [rpc.one("ir.sequence", ["name", "=", "Sale"])], {"prefix": "SO", "padding": 4})
    address = {"street": "1 Example Road", "city": "Suzhou"}
    party = rpc.create("party.party", name="苏州示例机电", addresses=[["create", [address]]])
    line = {
        "type": "line", "product": goods[ITEM], "quantity": 400.0, "unit": goods["u"],
        "unit_price": decimal("10"), "sequence": 10,
    }  # fmt: skip
    where = rpc.one("party.address", ["party", "=", party])
    sale = rpc.create(
        "sale.sale", party=party, currency=currency, shipping_date=day(START + timedelta(days=7)),
        invoice_address=where, shipment_address=where, lines=[["create", [line]]],
    )  # fmt: skip
    rpc("sale.sale.quote", [sale])


def _repairs(rpc: Rpc) -> None:
    for name in MACHINES:
        rpc.create("project.work", name=name, type="project")
