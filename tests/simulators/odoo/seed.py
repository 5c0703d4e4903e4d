"""What stands in the simulated Odoo: a machine shop with a week of orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from tests.simulators.odoo.books import STAMP, Books, Row

ITEM, COMPONENT, LOT = "A100", "B200", "RM-LOT-7"
MACHINE, MACHINES = "CNC-03", ("CNC-03", "PRESS-01")
ORDERS, ORDER_QUANTITY = 7, 400
DUE = datetime(2026, 1, 9, 8, tzinfo=UTC)
SALE = "S00001"
STAGES = (("新请求", 1, False), ("进行中", 2, False), ("已修复", 3, True), ("报废", 4, True))


class Seeded(Protocol):
    books: Books
    release: int


def seed(erp: Seeded) -> None:
    books = erp.books

    def make(model: str, **values: Any) -> int:
        return books.create(model, {k: v for k, v in values.items() if k in books.schema[model]})

    make("res.company", name="Example Works")
    make("res.users", name="OdooBot", login="__system__")
    make("res.users", name="Andon Hub", login="andon", lang="zh_CN", tz="Asia/Shanghai")
    pieces, kg = make("uom.uom", name="Units"), make("uom.uom", name="kg")
    places = _places(make)
    family = make("product.category", name="Bearings")
    item = make("product.product", name="轴承座 Bearing seat", default_code=ITEM, type="consu",
                is_storable=True, tracking="lot", uom_id=pieces, categ_id=family, active=True)  # fmt: skip
    bar = make("product.product", name="圆钢 Steel bar", default_code=COMPONENT, type="consu",
               is_storable=True, tracking="lot", uom_id=kg, categ_id=family, active=True)  # fmt: skip
    lot = make("stock.lot", name=LOT, product_id=bar)
    make("stock.quant", product_id=bar, location_id=places["stock"], lot_id=lot, quantity=10000.0)
    make("mrp.workcenter.productivity.loss", name="Equipment Failure", loss_type="availability", sequence=1)
    make("mrp.workcenter.productivity.loss", name="Fully Productive Time", loss_type="productive", sequence=2)
    _repairs(make)
    centre = make("mrp.workcenter", name="加工中心", code="p1/machining/l2", working_state="normal")
    for number in range(ORDERS):
        _order(make, erp.release, number, item, bar, pieces, kg, centre, places)
    customer = make("res.partner", name="某客户 Customer")
    sale = make("sale.order", name=SALE, partner_id=customer, state="sale",
                commitment_date=DUE.strftime(STAMP), date_order="2025-12-01 00:00:00",
                    user_id=2, delivery_status="pending")  # fmt: skip
    make("sale.order.line", order_id=sale, product_id=item, product_uom_qty=400.0)
    make("sale.order.line", order_id=sale, display_type="line_note")
    make("stock.picking", name="WH/OUT/00001", origin=SALE, priority="1", state="assigned")
    _long_ago(books)
    _defaults(books)


def _places(make: Any) -> dict[str, int]:
    stock = make("stock.location", name="Stock", complete_name="WH/Stock", usage="internal")
    make("stock.warehouse", name="Main", code="WH", lot_stock_id=stock)
    return {
        "stock": stock,
        "production": make("stock.location", name="Production", complete_name="Virtual Locations/Production",
                           usage="production"),
        "scrap": make("stock.location", name="Scrap", complete_name="Virtual Locations/Scrap",
                      usage="inventory"),
    }  # fmt: skip


def _repairs(make: Any) -> None:
    make("maintenance.team", name="Internal Maintenance")
    for name, sequence, done in STAGES:
        make("maintenance.stage", name=name, sequence=sequence, done=done)
    for serial in MACHINES:
        make("maintenance.equipment", name=f"机床 {serial}", serial_no=serial, active=True)


def _order(
    make: Any, release: int, number: int, item: int, bar: int, pieces: int, kg: int, centre: int,
    places: dict[str, int],
) -> None:  # fmt: skip
    quantity = float(ORDER_QUANTITY + 10 * number)
    due = DUE + timedelta(days=number)
    order = make(
        "mrp.production", name=f"WH/MO/{number + 1:05}", state="confirmed", product_id=item,
        product_qty=quantity, product_uom_id=pieces, qty_producing=0.0, qty_produced=0.0,
            priority="0", origin=SALE,
        date_start=(due - timedelta(days=4)).strftime(STAMP), date_deadline=due.strftime(STAMP),
        consumption="warning", location_src_id=places["stock"], location_dest_id=places["stock"],
        production_location_id=places["production"],
    )  # fmt: skip
    make("stock.move", product_id=bar, product_uom=kg, product_uom_qty=2 * quantity, state="confirmed",
         raw_material_production_id=order, location_id=places["stock"],
         location_dest_id=places["production"])  # fmt: skip
    first, second = ("ready", "blocked") if release >= 19 else ("ready", "pending")
    for at, (name, state) in enumerate((("下料 Cut", first), ("车削 Turn", second))):
        make("mrp.workorder", name=name, production_id=order, workcenter_id=centre, sequence=100 + at,
             state=state, qty_production=quantity, qty_produced=0.0, duration_expected=60.0)  # fmt: skip


def _long_ago(books: Books) -> None:
    """Prepared before any test looks for changes."""
    for rows in books.tables.values():
        for row in rows.values():
            row["create_date"] = row["write_date"] = "2025-12-01 00:00:00"


def _defaults(books: Books) -> None:
    def request() -> Row:
        return {"maintenance_team_id": 1, "stage_id": 1, "priority": "0", "kanban_state": "normal",
                "archive": False, "request_date": books.today(),
                    "maintenance_type": "corrective", "done": False}  # fmt: skip

    def scrap() -> Row:
        return {"state": "draft", "name": "New", "location_id": 1, "scrap_location_id": 3}

    books.defaults["maintenance.request"] = request
    books.defaults["stock.scrap"] = scrap
    books.defaults["mrp.workcenter.productivity"] = lambda: {"date_start": books.stamp(), "user_id": 2}
    books.defaults["stock.move.line"] = lambda: {"state": "assigned", "quantity": 0.0}
