"""The books that are compared, each as it was read at an instant (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hub.model.equipment import Equipment
from hub.model.erp import ErpEquipment, OperationClaim, PostingKind, StockClaim
from hub.model.production import WorkOrder
from hub.model.ticket import MaintenanceTicket

At = tuple[str, str]  # (order, operation)
Shelf = tuple[str, str, str]  # (item, lot, warehouse)


@dataclass(frozen=True, slots=True)
class Pieces:
    good: float = 0
    scrap: float = 0

    def __add__(self, other: Pieces) -> Pieces:
        return Pieces(self.good + other.good, self.scrap + other.scrap)

    def __sub__(self, other: Pieces) -> Pieces:
        return Pieces(self.good - other.good, self.scrap - other.scrap)

    def __bool__(self) -> bool:
        return abs(self.good) > TINY or abs(self.scrap) > TINY

    def __str__(self) -> str:
        return f"{shown(self.good)} + {shown(self.scrap)}" if self.scrap else shown(self.good)


TINY = 1e-6  # what a sum of an ERP's decimals may be off


def shown(quantity: float) -> str:
    """With all digits that count: millions of pieces too, and without what a sum of decimals is off."""
    return f"{round(quantity, 6):.15g}"


@dataclass(frozen=True, slots=True)
class OurSum:
    """What was reported on one operation through us: what has to be in the ERP, what may be there already
    because it is on its way, and everything."""

    certain: Pieces = Pieces()
    fewest: Pieces = Pieces()  # of what is on its way, when only its negative corrections have arrived
    most: Pieces = Pieces()
    told: Pieces = Pieces()

    def explains(self, theirs: Pieces) -> bool:
        low, high = self.certain + self.fewest, self.certain + self.most
        return (
            low.good - TINY <= theirs.good <= high.good + TINY
            and low.scrap - TINY <= theirs.scrap <= high.scrap + TINY
        )


@dataclass(frozen=True, slots=True)
class OurReport:
    """One that has to be in the ERP. `dead`: it was given up on the way."""

    id: str
    at: datetime
    pieces: Pieces
    dead: bool = False


@dataclass(frozen=True, slots=True)
class OurPosting:
    kind: PostingKind
    id: str
    key: str  # of its intent in the outbox
    order: str
    at: datetime
    quantity: float
    unit: str = ""
    dead: bool = False


@dataclass(frozen=True, slots=True)
class OurBook:
    """Read after the ERP's, so that nothing can be in there that is not in here."""

    orders: Mapping[str, WorkOrder] = field(default_factory=dict)  # present ones, and ended ones asked for
    sums: Mapping[At, OurSum] = field(default_factory=dict)
    tickets: tuple[MaintenanceTicket, ...] = ()  # open, and closed lately
    equipment: tuple[Equipment, ...] = ()  # machines
    under_way: frozenset[str] = frozenset()  # orders and tickets of which something is on its way


@dataclass(frozen=True, slots=True)
class TheirBook:
    """None: this ERP cannot tell."""

    orders: Mapping[str, WorkOrder] | None = None  # on the shop floor, and those that left it lately
    claims: Mapping[At, OperationClaim] | None = None
    tickets: Mapping[str, str] | None = None  # ERP id -> open, closed
    keyed: Mapping[str, tuple[str, ...]] | None = None  # our key -> numbers of the documents that carry it
    equipment: tuple[ErpEquipment, ...] | None = None
    stock: tuple[StockClaim, ...] | None = None


@dataclass(frozen=True, slots=True)
class MesBook:
    """What the MES itself adds up, where it can tell; None where it cannot. `ours`: what it had told us just
    before it was asked, and just after."""

    sums: Mapping[At, Pieces] | None = None
    stock: Mapping[Shelf, float] | None = None
    ours: Mapping[At, tuple[Pieces, Pieces]] = field(default_factory=dict)
