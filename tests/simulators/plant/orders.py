"""What the demo plant makes, and for whom: products, their operations, and the order book at the start.

The MES simulator and the ERP simulator both read it here, so that an order has one number on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.model.words import Words

STAMPING = "p1/stamping/l1"
MACHINING = "p1/stamping/l2"
TREATMENT = "p1/assembly/l3"
ASSEMBLY = "p1/assembly/l4"


@dataclass(frozen=True, slots=True)
class Job:
    """One operation of an order. `machines`: those of the line that can do it. `made`: good pieces that were
    already there when the order book was opened."""

    operation: str
    name: Words
    work_center: str
    quantity: int
    machines: tuple[str, ...]
    made: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """A production order as ERP and MES know it; `entry_id` is the ERP's number of the order's line."""

    number: str
    entry_id: str
    product: str
    product_name: Words
    quantity: int
    due_at: datetime
    priority: int
    rush: bool
    customer: str
    sales_order: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a product's routing."""

    name: Words
    work_center: str
    machines: tuple[str, ...]


PRESS = Step(Words("冲压", "Stamping"), STAMPING, ("press-01", "press-02", "press-03"))
MILL = Step(Words("机加工", "Machining"), MACHINING, ("cnc-01", "cnc-02", "cnc-03"))
WASH = Step(Words("清洗", "Washing"), TREATMENT, ("washer-01",))
CURE = Step(Words("固化", "Curing"), TREATMENT, ("oven-01",))
FILL = Step(Words("灌装", "Filling"), TREATMENT, ("filler-01",))
BUILD = Step(Words("总装", "Assembly"), ASSEMBLY, ("assembly-01",))
TEST = Step(Words("检测", "Leak test"), ASSEMBLY, ("tester-01",))
PACK = Step(Words("包装", "Packing"), ASSEMBLY, ("packer-01",))


@dataclass(frozen=True, slots=True)
class Product:
    code: str
    name: Words
    route: tuple[Step, ...]


PRODUCTS: Mapping[str, Product] = {
    p.code: p
    for p in (
        Product("A100", Words("油泵总成", "Oil pump"), (PRESS, MILL, BUILD)),
        Product("A200", Words("支架", "Bracket"), (PRESS, CURE, PACK)),
        Product("B100", Words("阀体", "Valve body"), (MILL, WASH, TEST)),
        Product("B200", Words("减振器", "Damper"), (PRESS, FILL, TEST)),
        Product("C100", Words("端盖", "End cover"), (PRESS, WASH, BUILD)),
        Product("D100", Words("冷却液 5 L", "Coolant 5 l"), (FILL, PACK)),
    )
}

CUSTOMERS = ("客户A", "客户B", "客户C", "客户D", "客户E")

# product, quantity, hours until due, priority, rush, good pieces already made per operation
_OPENING: tuple[tuple[str, int, float, int, bool, tuple[int, ...]], ...] = (
    ("A100", 400, 2.0, 3, False, (400, 330, 300)),
    ("A200", 500, 2.5, 4, False, (460, 390, 340)),
    ("B100", 360, 1.5, 3, False, (320, 290, 270)),
    ("B200", 600, 4.0, 5, False, (420, 260, 180)),
    ("C100", 300, 0.4, 1, True, (180, 120, 60)),
    ("D100", 480, 3.0, 5, False, (300, 240)),
    ("A100", 900, 8.0, 5, False, (120, 0, 0)),
    ("B100", 700, 9.0, 6, False, (0, 0, 0)),
    ("A200", 800, 11.0, 6, False, (0, 0, 0)),
    ("D100", 1000, 12.0, 7, False, (0, 0)),
)


def make_order(
    serial: int,
    product: Product,
    quantity: int,
    due_at: datetime,
    priority: int = 5,
    rush: bool = False,
    made: tuple[int, ...] = (),
) -> Order:
    """The order of this serial number; everything about it follows from the arguments."""
    jobs = tuple(
        Job(str(10 * (i + 1)), step.name, step.work_center, quantity, step.machines, (made or (0,) * 9)[i])
        for i, step in enumerate(product.route)
    )
    return Order(
        f"MO{serial:04d}", str(100000 + serial), product.code, product.name, quantity, due_at, priority, rush,
        CUSTOMERS[serial // 2 % len(CUSTOMERS)], f"SO{2000 + serial // 2:04d}", jobs,
    )  # fmt: skip


def order_book(start: datetime) -> list[Order]:
    """The orders that are open at `start`, MO0001 first, due relative to `start` (to the minute)."""
    opening = start.replace(second=0, microsecond=0)
    return [
        make_order(n, PRODUCTS[code], quantity, opening + timedelta(hours=hours), priority, rush, made)
        for n, (code, quantity, hours, priority, rush, made) in enumerate(_OPENING, 1)
    ]


def as_json(order: Order) -> dict[str, Any]:
    """The shape in which the MES tells of an order."""
    return {
        "number": order.number,
        "product": order.product,
        "product_name": order.product_name.as_dict(),
        "quantity": order.quantity,
        "due_at": order.due_at.isoformat().replace("+00:00", "Z"),
        "priority": order.priority,
        "rush": order.rush,
        "customer": order.customer,
        "sales_order": order.sales_order,
        "jobs": [
            {
                "operation": j.operation,
                "name": j.name.as_dict(),
                "work_center": j.work_center,
                "quantity": j.quantity,
            }
            for j in order.jobs
        ],
    }
