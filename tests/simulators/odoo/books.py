"""The tables and what the ORM does with them: one call, one transaction."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.simulators.odoo import domains
from tests.simulators.odoo.errors import OdooError, denied, invalid, missing, not_found, value_error
from tests.simulators.odoo.schema import HIDDEN, Field, schema

Row = dict[str, Any]
STAMP = "%Y-%m-%d %H:%M:%S"
ME = 2
_SCRIPT = re.compile(r"<script.*?</script>", re.S | re.I)
_NAMED = {"product.product": "[{default_code}] {name}", "maintenance.equipment": "{name}/{serial_no}"}
_UNIQUE = {
    "maintenance.equipment": (("serial_no",), "Another asset already exists with this serial number!"),
    "stock.lot": (("name", "product_id"), "The combination of lot/serial number and product must be unique."),
}


class Books:
    def __init__(self, release: int, now: Callable[[], datetime]) -> None:
        self.release = release
        self._now = now
        self.schema = schema(release)
        self.tables: dict[str, dict[int, Row]] = {model: {} for model in self.schema}
        self.externals: dict[str, tuple[str, int]] = {}
        self._last: dict[str, int] = {}
        self.defaults: dict[str, Callable[[], Row]] = {}

    def stamp(self) -> str:
        return self._now().astimezone(UTC).strftime(STAMP)

    def today(self) -> str:
        return self.stamp()[:10]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = {model: {i: dict(r) for i, r in rows.items()} for model, rows in self.tables.items()}
        externals = dict(self.externals)
        try:
            yield
        except OdooError:
            self.tables, self.externals = before, externals
            raise

    # ------------------------------------------------------------------ reading
    def fields_of(self, model: str) -> dict[str, Field]:
        if model in HIDDEN:
            raise denied(f"You are not allowed to access '{model}' records.")
        if model not in self.schema:
            raise not_found(f"the model {model!r} does not exist")
        return self.schema[model]

    def row(self, model: str, record: int) -> Row:
        if record not in self.tables[model]:
            raise missing(model, record)
        return self.tables[model][record]

    def find(self, model: str, domain: list[Any], active: bool = True) -> list[Row]:
        self.fields_of(model)
        if active and "active" in self.schema[model] and "active" not in str(domain):
            domain = [["active", "=", True], *domain]
        self._checked(model, domain)
        test = domains.compiled(domain, lambda row, path: self._value(model, row, path))
        return [row for _, row in sorted(self.tables[model].items()) if test(row)]

    def _checked(self, model: str, domain: list[Any]) -> None:
        """A field that is not there is an error even where no row is looked at."""
        for term in domain:
            if isinstance(term, list | tuple) and len(term) == 3:
                self._value(model, {}, str(term[0]))

    def _value(self, model: str, row: Row, path: str) -> Any:
        name, _, rest = path.partition(".")
        field = self.schema[model].get(name)
        if field is None:
            raise value_error(f"Invalid field {model}.{name} in condition on {path!r}")
        found = row.get(name, False)
        if rest:
            other = self.tables[field.relation].get(found, {}) if found else {}
            return self._value(field.relation, other, rest)
        if field.kind == "many2one" and found:
            return found, self.name_of(field.relation, found)
        if field.kind == "one2many":
            return self.many(model, row.get("id", 0), name)
        return found

    def many(self, model: str, record: int, name: str) -> list[int]:
        """one2many: the records that point here."""
        inverse = {
            "workorder_ids": ("mrp.workorder", "production_id"),
            "move_raw_ids": ("stock.move", "raw_material_production_id"),
            "move_finished_ids": ("stock.move", "production_id"),
            "order_line": ("sale.order.line", "order_id"),
        }[name]
        return [i for i, row in self.tables[inverse[0]].items() if row.get(inverse[1]) == record]

    def name_of(self, model: str, record: int) -> str:
        row = self.tables[model].get(record, {})
        return _NAMED.get(model, "{name}").format_map({"name": "", "default_code": "", "serial_no": ""} | row)

    def read(self, model: str, rows: list[Row], names: list[str]) -> list[Row]:
        fields = self.fields_of(model)
        for name in names:
            if name not in fields:
                raise value_error(f"Invalid field {name!r} on {model!r}")
        return [{n: self._read(model, fields[n], row) for n in dict.fromkeys(["id", *names])} for row in rows]

    def _read(self, model: str, field: Field, row: Row) -> Any:
        found = row.get(field.name, False)
        if field.kind == "many2one":
            return [found, self.name_of(field.relation, found)] if found else False
        if field.kind == "one2many":
            return self.many(model, row["id"], field.name)
        if field.kind == "many2many":
            return found or []
        if field.name == "display_name":
            return self.name_of(model, row["id"])
        if field.kind in ("float", "integer"):
            return found or 0
        return found if found is not None else False

    # ------------------------------------------------------------------ writing
    def create(self, model: str, values: Row) -> int:
        fields = self.fields_of(model)
        checked = self._checked_values(model, values)
        self._last[model] = made = self._last.get(model, 0) + 1
        stamp = self.stamp()
        row: Row = {
            "create_date": stamp, "write_date": stamp, "create_uid": ME, "write_uid": ME,
            **(self.defaults[model]() if model in self.defaults else {}), **checked, "id": made,
        }  # fmt: skip
        for name, field in fields.items():
            if field.required and row.get(name) in (None, False, ""):
                raise invalid(
                    f"The operation cannot be completed: a mandatory field is not set: {name}",
                    f"操作无法完成：\n- 新建/更新：必填字段未设置。\n{name}",
                )
        self.tables[model][made] = row
        self._unique(model, row)
        return made

    def write(self, model: str, record: int, values: Row) -> None:
        row = self.row(model, record)
        row.update(self._checked_values(model, values, row), write_date=self.stamp(), write_uid=ME)
        self._unique(model, row)

    def _checked_values(self, model: str, values: Row, before: Row | None = None) -> Row:
        fields = self.schema[model]
        out: Row = {}
        for name, value in values.items():
            if name not in fields:
                raise value_error(f"Invalid field {name!r} in {model!r}")
            if fields[name].kind != "one2many":
                out[name] = self._fit(model, fields[name], value, (before or {}).get(name) or [])
        return out

    def _fit(self, model: str, field: Field, value: Any, before: list[int]) -> Any:
        if field.kind == "many2many":
            return self._commands(field, value, before)
        if value is False or value is None:
            return False
        if field.kind == "many2one":
            if not isinstance(value, int):
                raise value_error(f"Wrong value for {model}.{field.name}: {value!r}")
            self.row(field.relation, value)
        if field.kind == "selection" and value not in field.choices:
            raise value_error(f"Wrong value for {model}.{field.name}: {value!r}")
        if field.kind in ("float", "integer") and (
            isinstance(value, bool) or not isinstance(value, int | float)
        ):
            raise value_error(f"could not convert {value!r} to {field.kind}")
        if field.kind == "datetime" and "T" in str(value):
            raise value_error(f"time data {value!r} does not match format '{STAMP}'")
        if field.kind == "html":
            return _SCRIPT.sub("", str(value))
        return value

    def _commands(self, field: Field, commands: Any, before: list[int]) -> list[int]:
        """[0,0,v] [1,id,v] [2,id] [3,id] [4,id] [5] [6,0,ids]."""
        out = list(before)
        for command in commands or []:
            match command:
                case [0, _, values]:
                    out.append(self.create(field.relation, values))
                case [1, record, values]:
                    self.write(field.relation, record, values)
                case [2 | 3, record, *_]:
                    out = [i for i in out if i != record]
                case [4, record, *_]:
                    self.row(field.relation, record)
                    out = [*out, record] if record not in out else out
                case [5, *_]:
                    out = []
                case [6, _, ids]:
                    for record in ids:
                        self.row(field.relation, record)
                    out = list(ids)
                case _:
                    raise value_error(f"Wrong value for {field.name}: {commands!r}")
        return out

    def _unique(self, model: str, row: Row) -> None:
        names, said = _UNIQUE.get(model, ((), ""))
        if not names or not all(row.get(n) for n in names):
            return
        same = [r for r in self.tables[model].values() if all(r.get(n) == row.get(n) for n in names)]
        if len(same) > 1:
            raise invalid(said, "操作无法完成：记录必须唯一。")

    def note(self, model: str, record: int, body: str, kind: str) -> int:
        text = body if self.release < 17 else f"<p>{html.escape(body, quote=False)}</p>"
        values = {"model": model, "res_id": record, "body": text, "date": self.stamp(), "message_type": kind}
        return self.create("mail.message", values)
