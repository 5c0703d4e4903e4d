"""What Tryton's books say, for comparison with ours: pieces by operation, goods in its warehouses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from erp_bridge import as_read, left_out
from erp_bridge.tryton_postings import AT_ONCE, Cycles
from erp_bridge.tryton_records import Records, Row
from hub.model.erp import OperationClaim, StockClaim


class Claims:
    def __init__(self, records: Records, reports: Cycles) -> None:
        self._records = records
        self._reports = reports

    async def reported(self, numbers: Sequence[str]) -> list[OperationClaim]:
        """Pieces stand only in reports that came through us: a cycle that was pressed in Tryton has none."""
        out: list[OperationClaim] = []
        for at in range(0, len(numbers), AT_ONCE):
            part = list(numbers[at : at + AT_ONCE])
            found = await self._records.mapped("operation", [["production.number", "in", part]])
            sums = await self._reports.sums([row["id"] for row, _ in found]) if found else {}
            for row, ours in found:
                pieces = sums.get(row["id"], (0.0, 0.0))
                claim = as_read.one("operation", ours, ("order", "operation"), partial(_claim, pieces))
                out += [claim] if claim and claim.order in part else []
        return out

    async def stock(self, items: Sequence[str]) -> list[StockClaim]:
        """By warehouse, what has been moved until today; lots are not told apart."""
        warehouses = await self._records.search(
            "stock.location", [["type", "=", "warehouse"]], ["code", "name"]
        )
        field = self._records.config.lookup("product.product")
        out = []
        for warehouse in warehouses if items else []:
            where = {"locations": [warehouse["id"]], "with_childs": True}
            for at in range(0, len(items), AT_ONCE):
                domain = [[field, "in", list(items[at : at + AT_ONCE])]]
                rows = await self._records.search(
                    "product.product", domain, [field, "quantity"], context=where
                )
                name = str(warehouse.get("code") or warehouse.get("name"))
                out += [c for r in rows if (c := _stock(r, field, name)) and c.item in items]
        return out


def _claim(pieces: tuple[float, float], ours: as_read.Row) -> OperationClaim:
    quantity = float(ours.get("quantity") or 0)
    return OperationClaim(str(ours["order"]), str(ours["operation"]), quantity, *pieces)


def _stock(row: Row, field: str, warehouse: str) -> StockClaim | None:
    try:
        return StockClaim(str(row.get(field)), float(row.get("quantity") or 0), "", warehouse)
    except (TypeError, ValueError):
        left_out.note("stock", row.get(field), f"{row['quantity']!r} in {warehouse} is no quantity")
        return None
