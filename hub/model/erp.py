"""What an ERP keeps beside orders and tickets, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.model.words import Words


class PostingKind(StrEnum):
    """A fact of the shop floor that the ERP books once and never again."""

    RECEIPT = "receipt"  # 完工入库: finished goods into stock, with their lot
    ISSUE = "issue"  # 领料/投料: material out of stock into an order, with its lot
    QUALITY = "quality"  # 检验结果
    HOURS = "hours"  # 人工/机器工时 of one operation
    SCRAP = "scrap"  # 报废: pieces lost, with the reason


@dataclass(frozen=True, slots=True)
class Item:
    """A product or material 物料; `family` decides which variant of a field map is used."""

    number: str
    name: Words
    unit: str
    family: str = ""
    erp_id: str = ""


@dataclass(frozen=True, slots=True)
class ErpEquipment:
    """A machine in the ERP's asset list 设备台账; `number` is what a ticket names."""

    number: str
    name: Words
    place: str = ""
    active: bool = True
    erp_id: str = ""


@dataclass(frozen=True, slots=True)
class SalesOrder:
    """One line of a sales order 销售订单."""

    number: str
    line: str
    customer: str
    product: str
    quantity: float
    due_at: datetime
    priority: int = 5  # 1 is the most urgent
    rush: bool = False
    open: bool = True
    seller: str = ""
    erp_id: str = ""


@dataclass(frozen=True, slots=True)
class OperationClaim:
    """What the ERP says has been reported on one operation: for comparison with our own sums."""

    order: str
    operation: str
    quantity: float  # planned
    good: float
    scrap: float


@dataclass(frozen=True, slots=True)
class StockClaim:
    """What the ERP says is in stock; `lot` and `warehouse` are "" where it does not tell them apart."""

    item: str
    quantity: float
    lot: str = ""
    warehouse: str = ""


@dataclass(frozen=True, slots=True)
class ErpPush:
    """An HTTP request that says it comes from the ERP, as it came in; header names are lower-case."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class ErpSubject(StrEnum):
    """What a push says has changed."""

    ORDERS = "orders"
    SALES_ORDERS = "sales-orders"
    TICKETS = "tickets"
    ITEMS = "items"
    EQUIPMENT = "equipment"


@dataclass(frozen=True, slots=True)
class ErpNews:
    """A push whose signature held. It only says where to look: the facts are read from the ERP itself, so
    that a repeat, a swap of two pushes or a lost one cannot make the record wrong."""

    id: str  # of this push, the ERP's own or a digest of it: a second one with this id is a replay
    subject: ErpSubject
    documents: tuple[str, ...] = ()  # numbers or ids, as far as the push names them
