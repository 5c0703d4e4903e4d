"""`load`: rows of texts, an external id each; what cannot be is told with HTTP 200 and `ids: false`."""

from __future__ import annotations

from typing import Any

from tests.simulators.odoo.books import Books, Row
from tests.simulators.odoo.errors import OdooError
from tests.simulators.odoo.schema import Field

SERIALIZE = "could not serialize access due to concurrent update\n"


class _Bad(Exception):
    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(message)


def load(books: Books, model: str, names: list[str], data: list[list[Any]]) -> dict[str, Any]:
    ids, messages = [], []
    try:
        with books.transaction():
            for at, cells in enumerate(data):
                try:
                    ids.append(_one(books, model, dict(zip(names, cells, strict=True))))
                except _Bad as bad:
                    messages.append(_message(bad.field, bad.message, at))
                except OdooError as error:
                    messages.append(_message("", error.message, at))
            if messages:
                raise OdooError("odoo.exceptions.UserError", "rolled back")
    except OdooError:
        return {"ids": False, "messages": messages, "nextrow": 0}
    return {"ids": ids, "messages": [], "nextrow": 0}


def refused(message: str) -> dict[str, Any]:
    return {"ids": False, "messages": [_message("", message, 0)], "nextrow": 0}


def _message(field: str, message: str, at: int) -> dict[str, Any]:
    return {"type": "error", "message": message, "field": field, "rows": {"from": at, "to": at}, "record": at}


def _one(books: Books, model: str, cells: Row) -> int:
    external = cells.pop("id", "")
    record = int(cells.pop(".id", 0) or 0)
    values: Row = {}
    for column, cell in cells.items():
        name, _, way = column.partition("/")
        field = books.fields_of(model).get(name)
        if field is None:
            raise _Bad(name, f"Unknown field {name!r}")
        values[name] = _converted(books, field, way, cell)
    known = books.externals.get(external)
    if known is not None and known[1] in books.tables[model]:
        record = known[1]
    if record:
        books.write(model, record, values)
    else:
        record = books.create(model, values)
    if external:
        books.externals[external if "." in external else f"__import__.{external}"] = (model, record)
    return record


def _converted(books: Books, field: Field, way: str, cell: Any) -> Any:
    text = str(cell)
    if field.kind == "many2one":
        return _record(books, field, way, text)
    if field.kind == "many2many":
        return [[6, 0, [int(part) for part in text.split(",") if part]]]
    if text == "":
        return False
    try:
        if field.kind == "float":
            return float(text)
        if field.kind == "integer":
            return int(text)
    except ValueError:
        raise _Bad(field.name, f"'{text}' does not seem to be a number for field '{field.name}'") from None
    if field.kind == "boolean":
        return text.lower() in ("1", "true", "yes")
    if field.kind == "selection" and text not in field.choices:
        raise _Bad(field.name, f"Value '{text}' not found in selection field '{field.name}'")
    return text


def _record(books: Books, field: Field, way: str, text: str) -> Any:
    if not text:
        return False
    if way == ".id":
        if not text.isdigit() or int(text) not in books.tables[field.relation]:
            raise _Bad(
                field.name, f"No matching record found for database id '{text}' in field '{field.name}'"
            )
        return int(text)
    if way == "id":
        known = books.externals.get(text)
        if known is None:
            raise _Bad(
                field.name, f"No matching record found for external id '{text}' in field '{field.name}'"
            )
        return known[1]
    for record in books.tables[field.relation]:
        if books.name_of(field.relation, record) == text:
            return record
    raise _Bad(field.name, f"No matching record found for name '{text}' in field '{field.name}'")
