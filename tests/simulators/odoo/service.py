"""What a call does: the methods of every model, the buttons of some, who may call and who may not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.simulators.odoo.books import ME, Books, Row
from tests.simulators.odoo.errors import OdooError, denied, missing, not_found, user_error
from tests.simulators.odoo.loading import SERIALIZE, load, refused
from tests.simulators.odoo.seed import seed
from tests.simulators.odoo.shop import Shop

READS = frozenset(
    {
        "search_read", "read", "search", "search_count", "fields_get", "get_external_id", "context_get",
        "name_search", "export_data", "default_get",
    }
)  # fmt: skip
PLACES: dict[str, tuple[str, ...]] = {
    "search_read": ("domain", "fields", "offset", "limit", "order"),
    "search": ("domain", "offset", "limit", "order"),
    "search_count": ("domain",),
    "read": ("ids", "fields"),
    "write": ("ids", "vals"),
    "create": ("vals_list",),
    "load": ("fields", "data"),
    "fields_get": ("allfields", "attributes"),
    "context_get": (),
}
_BUTTONS = {
    "mrp.production": ("action_confirm", "action_assign", "action_cancel", "button_mark_done"),
    "mrp.workorder": ("button_start", "button_pending", "button_finish"),
    "mrp.workcenter": ("unblock",),
    "stock.scrap": ("action_validate", "do_scrap"),
}
LANG = "zh_CN"


class Service:
    def __init__(self, release: int, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.release = release
        self.books = Books(release, now)
        self.shop = Shop(self.books)
        self.clashes = 0  # how many loads meet another one of the same record
        self.no_load = False
        seed(self)

    def call(self, model: str, method: str, named: Row) -> Any:
        """Everything it changed stands or falls together."""
        with self.lock:
            if method.startswith("_"):
                raise denied(f"Private methods (such as '{model}.{method}') cannot be called remotely.")
            self.books.fields_of(model)
            if method in READS:
                return self._done(model, method, named)
            with self.books.transaction():
                return self._done(model, method, named)

    def placed(self, method: str, args: list[Any], named: Row) -> Row:
        """Positional arguments by their names; a button's only one is the records."""
        names = PLACES.get(method, ("ids",))
        out = dict(zip(names, args, strict=False)) | named
        if isinstance(out.get("ids"), int):
            out["ids"] = [out["ids"]]
        return out

    def _done(self, model: str, method: str, named: Row) -> Any:
        known: dict[str, Callable[[str, Row], Any]] = {
            "search_read": self._search_read, "search": self._search, "search_count": self._search_count,
            "read": self._read, "fields_get": self._fields_get, "create": self._create, "write": self._write,
            "load": self._load, "unlink": self._unlink, "get_external_id": self._externals,
            "message_post": self._message_post, "context_get": self._context_get,
        }  # fmt: skip
        if method in known:
            return known[method](model, named)
        if method in _BUTTONS.get(model, ()):
            return self._button(model, method, named)
        raise not_found(f"The method {model}.{method} does not exist")

    # ------------------------------------------------------------------ reading
    def _found(self, model: str, named: Row) -> list[Row]:
        rows = self.books.find(model, named.get("domain") or [])
        for part in reversed(str(named.get("order") or "id").split(",")):
            name, _, way = part.strip().partition(" ")
            rows.sort(
                key=lambda r: (r.get(name) is not False, r.get(name) or 0), reverse=way.lower() == "desc"
            )
        offset, limit = int(named.get("offset") or 0), named.get("limit")
        return rows[offset : offset + int(limit) if limit else None]

    def _search_read(self, model: str, named: Row) -> Any:
        if not named.get("fields"):
            raise denied("You do not have enough rights to access the field.")  # all of them: one is not ours
        return self.books.read(model, self._found(model, named), named["fields"])

    def _search(self, model: str, named: Row) -> Any:
        return [row["id"] for row in self._found(model, named)]

    def _search_count(self, model: str, named: Row) -> Any:
        return len(self.books.find(model, named.get("domain") or []))

    def _read(self, model: str, named: Row) -> Any:
        rows = [self.books.tables[model][i] for i in named.get("ids") or [] if i in self.books.tables[model]]
        return self.books.read(model, rows, named.get("fields") or ["display_name"])

    def _fields_get(self, model: str, named: Row) -> Any:
        wanted, attributes = named.get("allfields") or [], named.get("attributes")
        out = {n: f.described() for n, f in self.books.fields_of(model).items() if not wanted or n in wanted}
        return {n: {a: v for a, v in f.items() if not attributes or a in attributes} for n, f in out.items()}

    def _externals(self, model: str, named: Row) -> Any:
        by_id = {record: name for name, (of, record) in self.books.externals.items() if of == model}
        return {str(i): by_id.get(i, "") for i in named.get("ids") or []}

    def _context_get(self, model: str, named: Row) -> Any:
        return {"lang": LANG, "tz": "Asia/Shanghai", "uid": ME}

    # ------------------------------------------------------------------ writing
    def _create(self, model: str, named: Row) -> Any:
        values = named.get("vals_list")
        if values is None:
            raise OdooError("builtins.TypeError", f"{model}.create() missing 'vals_list'")
        many = values if isinstance(values, list) else [values]
        made = [self.books.create(model, v) for v in many]
        for record in made:
            self._settled(model, record)
        return made if isinstance(values, list) else made[0]

    def _write(self, model: str, named: Row) -> Any:
        values = named.get("vals") or {}
        for record in named.get("ids") or []:
            if model == "mrp.workorder" and "qty_produced" in values:
                self._reportable(self.books.row(model, record))
            self.books.write(model, record, values)
            self._settled(model, record)
            if model == "mrp.workorder" and "qty_produced" in values:
                work = self.books.row(model, record)
                self.shop.counted(self.books.row("mrp.production", work["production_id"]))
        return True

    def _reportable(self, work: Row) -> None:
        if work["state"] in ("done", "cancel"):
            raise user_error(
                "You cannot change the quantity of a finished work order.", "已结束的工单不能改数量。"
            )

    def _load(self, model: str, named: Row) -> Any:
        if self.no_load:
            raise denied("You are not allowed to import records.")
        if self.clashes:
            self.clashes -= 1
            return refused(SERIALIZE)
        answer = load(self.books, model, list(named["fields"]), list(named["data"]))
        for record in answer["ids"] or []:
            self._settled(model, record)
        return answer

    def _settled(self, model: str, record: int) -> None:
        """What is computed from what was written."""
        row = self.books.row(model, record)
        if model == "maintenance.request":
            done = bool(self.books.row("maintenance.stage", row["stage_id"]).get("done"))
            if done != bool(row.get("done")):
                row["close_date"] = self.books.today() if done else False
            row["done"] = done
        if model == "mrp.workcenter.productivity":
            self.shop.timed(row)

    def _unlink(self, model: str, named: Row) -> Any:
        for record in named.get("ids") or []:
            self.books.row(model, record)
            del self.books.tables[model][record]
        return True

    def _message_post(self, model: str, named: Row) -> Any:
        (record,) = named["ids"]
        self.books.row(model, record)
        made = self.books.note(
            model, record, str(named.get("body") or ""), str(named.get("message_type") or "")
        )
        return [made] if self.release >= 19 else made

    def _button(self, model: str, method: str, named: Row) -> Any:
        answer: Any = None
        for record in named.get("ids") or []:
            if record not in self.books.tables[model]:
                raise missing(model, record)
            answer = getattr(self.shop, method)(self.books.row(model, record), named.get("context") or {})
        return answer
