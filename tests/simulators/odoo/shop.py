"""Manufacturing: orders, operations, completion with its questions, backorders, scrap, stock."""

from __future__ import annotations

import re
from typing import Any

from tests.simulators.odoo.books import Books, Row
from tests.simulators.odoo.errors import user_error

ORDERS, OPERATIONS, MOVES = "mrp.production", "mrp.workorder", "stock.move"
LINES = "stock.move.line"
_PART = re.compile(r"^(.*)-(\d{3})$")


class Shop:
    def __init__(self, books: Books) -> None:
        self._books = books
        self._old = books.release < 19
        self.waiting = "pending" if self._old else "ready"

    # ------------------------------------------------------------------ orders
    def action_confirm(self, order: Row, context: Row) -> Any:
        if order["state"] == "draft":
            self._set(ORDERS, order, state="confirmed")
        return True

    def action_assign(self, order: Row, context: Row) -> Any:
        self._set(ORDERS, order, reservation_state="assigned")
        return True

    def action_cancel(self, order: Row, context: Row) -> Any:
        if order["state"] == "done":
            raise user_error(
                "You cannot cancel a manufacturing order that is done.", "已完成的制造订单不能取消。"
            )
        self._set(ORDERS, order, state="cancel")
        for work in self._works(order):
            self._set(OPERATIONS, work, state="cancel")
        return True

    def button_mark_done(self, order: Row, context: Row) -> Any:
        """True when it is done; an action when a question has to be answered first."""
        if order["state"] == "done":
            return True
        if order["state"] in ("draft", "cancel"):
            raise user_error("This order cannot be completed in its state.", "此状态的订单不能完成。")
        if not order.get("qty_producing"):
            self._set(ORDERS, order, qty_producing=order["product_qty"])  # the trap: all of it, silently
        if not self._lot(order) and self._tracked(order):
            raise user_error("You need to supply a Lot/Serial Number for the product.", "请提供批次/序列号。")
        if (
            order.get("consumption") == "warning"
            and self._differs(order)
            and not context.get("skip_consumption")
        ):
            return action("mrp.consumption.warning")
        if order["product_qty"] > order["qty_producing"] and not context.get("skip_backorder"):
            return action("mrp.production.backorder")
        self._finished(order)
        rest = order["product_qty"] - order["qty_producing"]
        self._done(order)
        if rest > 0 and order["id"] in (context.get("mo_ids_to_backorder") or []):
            self._backorder(order, rest)
            return action("mrp.production")  # the way to what was split off: all is done
        return True

    def _finished(self, order: Row) -> None:
        """Operations without reports have it all; then the slowest decides what was made (seen on 19)."""
        for work in self._works(order):
            if work["state"] not in ("done", "cancel"):
                made = work.get("qty_produced") or order["qty_producing"]
                self._set(OPERATIONS, work, state="done", qty_produced=made, is_user_working=False)
        self.counted(order)

    def counted(self, order: Row) -> None:
        """The order's quantity is that of its slowest operation, and material goes with it."""
        slowest = min((w.get("qty_produced") or 0.0 for w in self._works(order)), default=0.0)
        if slowest > 0 and order["state"] != "done":
            self._set(ORDERS, order, qty_producing=slowest)
            for move in self._raw(order):
                self._by_list(order, move)

    def _by_list(self, order: Row, move: Row) -> None:
        """What the bill of materials says replaces what is there, unless the move is kept by hand."""
        if move.get("manual_consumption"):
            return
        for row in self._lines(move):
            del self._books.tables[LINES][row["id"]]
        lots = self._books.tables["stock.lot"].values()
        lot = next((r["id"] for r in lots if r["product_id"] == move["product_id"]), False)
        values = {"move_id": move["id"], "product_id": move["product_id"],
                  "quantity": 2 * order["qty_producing"], "lot_id": lot, "picked": True,
                  "location_id": move["location_id"],
                  "location_dest_id": move["location_dest_id"]}  # fmt: skip
        self._books.create(LINES, values)

    def _lines(self, move: Row) -> list[Row]:
        return [r for r in self._books.tables[LINES].values() if r.get("move_id") == move["id"]]

    def _done(self, order: Row) -> None:
        made = order["qty_producing"]
        self._set(ORDERS, order, state="done", qty_produced=made, date_finished=self._books.stamp())
        lot = self._lot(order)
        finished = self._books.create(
            MOVES,
            {"product_id": order["product_id"], "product_uom": order["product_uom_id"], "quantity": made,
             "product_uom_qty": made, "production_id": order["id"], "state": "done",
             "location_id": order["production_location_id"], "location_dest_id": order["location_dest_id"]},
        )  # fmt: skip
        line = self._line(finished, order["product_id"], made, lot, order["location_dest_id"])
        self._stock(order["product_id"], order["location_dest_id"], lot, made)
        for move in self._raw(order):
            self._by_list(order, move)
            self._consume(move, line)

    def _consume(self, move: Row, finished: int) -> None:
        for row in self._lines(move):
            if not row.get("picked"):
                del self._books.tables[LINES][row["id"]]
        lines = self._lines(move)
        for row in lines:
            row.update(state="done", produce_line_ids=[finished])
            self._stock(row["product_id"], row["location_id"], row.get("lot_id") or False, -row["quantity"])
        self._set(MOVES, move, state="done", quantity=sum(r["quantity"] for r in lines))

    def _backorder(self, order: Row, rest: float) -> None:
        found = _PART.match(order["name"])
        base, number = (found[1], int(found[2])) if found else (order["name"], 1)
        made = order["qty_producing"]
        self._set(ORDERS, order, name=f"{base}-{number:03}", product_qty=made)
        lots: Row = {"lot_producing_ids": []} if not self._old else {"lot_producing_id": False}
        new = {
            k: v
            for k, v in order.items()
            if k not in ("id", "create_date", "write_date", "create_uid", "write_uid")
        }
        new |= {"name": f"{base}-{number + 1:03}", "product_qty": rest, "qty_producing": 0.0,
                "qty_produced": 0.0,
                "state": "confirmed", "date_finished": False, **lots}  # fmt: skip
        made_id = self._books.create(ORDERS, new)
        for work in self._works(order):
            self._set(OPERATIONS, work, qty_production=made)
            copy = {k: work.get(k) for k in ("name", "workcenter_id", "sequence", "duration_expected")}
            self._books.create(
                OPERATIONS,
                {
                    **copy,
                    "production_id": made_id,
                    "state": self.waiting,
                    "qty_production": rest,
                    "qty_produced": 0.0,
                },
            )
        for move in self._raw(order):
            copy = {k: move.get(k) for k in ("product_id", "product_uom", "location_id", "location_dest_id")}
            self._books.create(MOVES, {**copy, "raw_material_production_id": made_id, "state": "confirmed",
                                       "product_uom_qty": 2 * rest})  # fmt: skip

    def _differs(self, order: Row) -> bool:
        """Two of the component for one piece; where nothing was entered Odoo takes what the list says."""
        for move in self._raw(order):
            lines = self._lines(move)
            if (
                move.get("manual_consumption")
                and sum(r["quantity"] for r in lines) != 2 * order["qty_producing"]
            ):
                return True
        return False

    def _tracked(self, order: Row) -> bool:
        return self._books.row("product.product", order["product_id"]).get("tracking") in ("lot", "serial")

    def _lot(self, order: Row) -> int:
        lots = order.get("lot_producing_ids") or [order.get("lot_producing_id")]
        return int(lots[0] or 0)

    def _works(self, order: Row) -> list[Row]:
        return [w for w in self._books.tables[OPERATIONS].values() if w["production_id"] == order["id"]]

    def _raw(self, order: Row) -> list[Row]:
        rows = self._books.tables[MOVES].values()
        return [m for m in rows if m.get("raw_material_production_id") == order["id"]]

    # ------------------------------------------------------------------ operations
    def button_start(self, work: Row, context: Row) -> Any:
        """A blocked one may be started too: the sequence is not enforced."""
        if work["state"] in ("done", "cancel"):
            raise user_error("This operation is finished.", "该工序已结束。")
        self._set(OPERATIONS, work, state="progress", is_user_working=True, date_start=self._books.stamp())
        order = self._books.row(ORDERS, work["production_id"])
        if order["state"] == "confirmed":
            self._set(ORDERS, order, state="progress")
        losses = self._books.tables["mrp.workcenter.productivity.loss"]
        loss = next(i for i, r in losses.items() if r["loss_type"] == "productive")
        self._books.create(
            "mrp.workcenter.productivity",
            {"workorder_id": work["id"], "workcenter_id": work["workcenter_id"], "loss_id": loss,
             "date_start": self._books.stamp(), "description": "Time Tracking: Andon Hub"},
        )  # fmt: skip

    def button_pending(self, work: Row, context: Row) -> Any:
        self._stop(work)

    def button_finish(self, work: Row, context: Row) -> Any:
        self._stop(work)
        self._set(OPERATIONS, work, state="done")
        return True

    def _stop(self, work: Row) -> None:
        self._set(OPERATIONS, work, is_user_working=False)
        for row in self._books.tables["mrp.workcenter.productivity"].values():
            if row.get("workorder_id") == work["id"] and not row.get("date_end"):
                row["date_end"] = self._books.stamp()

    def unblock(self, centre: Row, context: Row) -> Any:
        if centre.get("working_state") != "blocked":
            raise user_error("It has already been unblocked.", "已经解除锁定。")
        self._set("mrp.workcenter", centre, working_state="normal")

    def timed(self, row: Row) -> None:
        """A loss of availability without an end stops the work center; a span has its minutes."""
        loss = self._books.row("mrp.workcenter.productivity.loss", row["loss_id"])
        if loss["loss_type"] == "availability" and not row.get("date_end"):
            self._set(
                "mrp.workcenter",
                self._books.row("mrp.workcenter", row["workcenter_id"]),
                working_state="blocked",
            )

    # ------------------------------------------------------------------ scrap
    def action_validate(self, scrap: Row, context: Row) -> Any:
        place = self._books.row("stock.location", scrap["location_id"])
        if self.on_hand(scrap["product_id"], place["id"]) < scrap["scrap_qty"]:
            return action("stock.warn.insufficient.qty.scrap")
        return self.do_scrap(scrap, context)

    def do_scrap(self, scrap: Row, context: Row) -> Any:
        tracked = self._books.row("product.product", scrap["product_id"]).get("tracking") in ("lot", "serial")
        if tracked and not scrap.get("lot_id"):
            raise user_error("You need to supply a Lot/Serial Number for the product.", "请提供批次/序列号。")
        if scrap.get("state") != "done":
            number = sum(r.get("state") == "done" for r in self._books.tables["stock.scrap"].values()) + 1
            self._set("stock.scrap", scrap, state="done", name=f"SP/{number:05}")
            if self._books.row("stock.location", scrap["location_id"])["usage"] == "internal":
                self._stock(
                    scrap["product_id"],
                    scrap["location_id"],
                    scrap.get("lot_id") or False,
                    -scrap["scrap_qty"],
                )
        return True

    # ------------------------------------------------------------------ stock
    def on_hand(self, product: int, place: int) -> float:
        rows = self._books.tables["stock.quant"].values()
        return sum(
            float(r["quantity"]) for r in rows if (r["product_id"], r["location_id"]) == (product, place)
        )

    def _stock(self, product: int, place: int, lot: Any, quantity: float) -> None:
        for row in self._books.tables["stock.quant"].values():
            if (row["product_id"], row["location_id"], row.get("lot_id") or False) == (
                product,
                place,
                lot or False,
            ):
                row["quantity"] += quantity
                return
        values = {"product_id": product, "location_id": place, "lot_id": lot or False, "quantity": quantity}
        self._books.create("stock.quant", values)

    def _line(self, move: int, product: int, quantity: float, lot: int, place: int) -> int:
        row = self._books.row(MOVES, move)
        return self._books.create(
            LINES,
            {"move_id": move, "product_id": product, "quantity": quantity, "lot_id": lot or False,
             "state": "done", "picked": True, "location_id": row["location_id"], "location_dest_id": place},
        )  # fmt: skip

    def _set(self, model: str, row: Row, **values: Any) -> None:
        row.update(values, write_date=self._books.stamp())


def action(model: str) -> Row:
    return {
        "type": "ir.actions.act_window",
        "res_model": model,
        "view_mode": "form",
        "target": "new",
        "context": {},
    }
