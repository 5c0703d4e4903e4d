"""A field key of a query (`FMaterialId.FNumber`, `FTreeEntity_FSeq`) and the value it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.simulators.kingdee.answers import NO_SUCH_FIELD, Refusal
from tests.simulators.kingdee.books import Books, Record, Row
from tests.simulators.kingdee.forms import Field, Form, Kind, form_of

Place = dict[str, tuple[int, Row] | None]  # entity key -> (row number, row), None where the bill has no rows


@dataclass(frozen=True)
class Column:
    """`special` is id, entry-id or seq; otherwise `field` names the value and `rest` follows references."""

    key: str
    entity: str = ""
    special: str = ""
    field: Field | None = None
    rest: Column | None = None

    @property
    def kind(self) -> Kind:
        if self.rest is not None:
            return self.rest.kind
        return Kind.NUMBER if self.field is None or self.field.kind is Kind.REF else self.field.kind

    def value(self, books: Books, record: Record, place: Place) -> Any:
        here = place.get(self.entity) if self.entity else None
        if self.entity and here is None:
            return None
        if self.special == "id":
            return record.id
        if self.special == "entry-id" and here:
            return here[1].id
        if self.special == "seq" and here:
            return here[0]
        assert self.field is not None
        raw = (here[1] if here else record).values.get(self.field.key.lower())
        if self.rest is None:
            return raw
        target = books.get(self.field.ref, raw) if raw is not None else None
        return None if target is None else self.rest.value(books, target, {})


def column(form: Form, key: str) -> Column:
    """Raises MsgCode 9 for a key this form does not have."""
    first, _, rest = key.strip().partition(".")
    found = _simple(form, first)
    if found is None:
        raise Refusal(NO_SUCH_FIELD, f"字段 {first} 不存在")
    if not rest:
        return found
    if found.field is None or found.field.kind is not Kind.REF:
        raise Refusal(NO_SUCH_FIELD, f"字段 {key} 不存在")
    return Column(key, found.entity, "", found.field, column(form_of(found.field.ref), rest))


def _simple(form: Form, key: str) -> Column | None:
    if key.lower() in (form.pk.lower(), "fid" if not form.base else form.pk.lower()):
        return Column(key, special="id")
    for entity in form.entities:
        for suffix, special in (("fentryid", "entry-id"), ("fseq", "seq")):
            if key.lower() == f"{entity.key}_{suffix}".lower():
                return Column(key, entity.key.lower(), special)
    head = form.head(key)
    if head is not None:
        return Column(key, field=head)
    inside = form.in_entity(key)
    return Column(key, inside[0].key.lower(), field=inside[1]) if inside else None
