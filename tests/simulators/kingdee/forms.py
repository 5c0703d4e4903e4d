"""Which documents exist, with their fields, entries and operations: read from `catalogue.txt`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"  # date or date and time
    FLAG = "flag"
    COMBO = "combo"
    REF = "ref"


@dataclass(frozen=True)
class Field:
    key: str
    name: str
    kind: Kind = Kind.TEXT
    ref: str = ""  # form id of the thing referred to
    codes: tuple[str, ...] = ()
    must: bool = False
    unique: bool = False
    new: bool = False  # a reference to a number that is not there makes it
    changeable: bool = False  # may be written after submit and approval
    length: int = 255


@dataclass(frozen=True)
class Entity:
    key: str
    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Form:
    id: str
    name: str
    fields: tuple[Field, ...]
    entities: tuple[Entity, ...] = ()
    operations: tuple[tuple[str, str], ...] = ()
    prefix: str = ""  # of automatic bill numbers; empty for base data, which must bring its own
    base: bool = False  # base data: FNumber instead of FBillNo
    pk: str = "FID"
    read_only: bool = False

    @property
    def number_key(self) -> str:
        return "FNumber" if self.base else "FBillNo"

    @property
    def all_fields(self) -> tuple[Field, ...]:
        return (*self._standard(), *self.fields)

    def head(self, key: str) -> Field | None:
        return next((f for f in self.all_fields if f.key.lower() == key.lower()), None)

    def entity(self, key: str) -> Entity | None:
        return next((e for e in self.entities if e.key.lower() == key.lower()), None)

    def in_entity(self, key: str) -> tuple[Entity, Field] | None:
        pairs = ((entity, f) for entity in self.entities for f in entity.fields)
        return next(((e, f) for e, f in pairs if f.key.lower() == key.lower()), None)

    def _standard(self) -> tuple[Field, ...]:
        """What every document has."""
        return (
            Field(self.number_key, "编码" if self.base else "单据编号", length=80),
            Field("FDocumentStatus", "单据状态"),
            Field("FCreateDate", "创建日期", Kind.MOMENT),
            Field("FModifyDate", "修改日期", Kind.MOMENT),
            Field("FCreatorId", "创建人", Kind.REF, "SEC_User"),
            Field("FCancelStatus", "作废状态"),
            Field("FForbidStatus", "禁用状态"),
            Field("FCloseStatus", "关闭状态"),
        )


@dataclass(frozen=True)
class Rule:
    """A conversion 单据转换 that Push uses."""

    id: str
    source: str
    target: str


RULES = (
    Rule("PRD_MO-PRD_MORPT", "PRD_MO", "PRD_MORPT"),
    Rule("PRD_MO-PRD_INSTOCK", "PRD_MO", "PRD_INSTOCK"),
    Rule("PRD_MORPT2INSTOCK", "PRD_MORPT", "PRD_INSTOCK"),
    Rule("PRD_PPBOM-PRD_PickMtrl", "PRD_PPBOM", "PRD_PickMtrl"),
    Rule("SFC_OperationPlanning-SFC_OperationReport", "SFC_OperationPlanning", "SFC_OperationReport"),
)


def form_of(form_id: str) -> Form:
    return FORMS[form_id.lower()]


# ------------------------------------------------------------------ reading the catalogue
def _forms(text: str) -> dict[str, Form]:
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            blocks.append([])
        blocks[-1].append(line)
    return {form.id.lower(): form for form in map(_form, blocks)}


def _form(block: list[str]) -> Form:
    form_id, name, *flags = block[0].split()
    options = dict(f.partition("=")[::2] for f in flags)
    fields: list[Field] = [Field("FName", "名称", must=True)] if "base" in options else []
    entities: list[tuple[str, str, list[Field]]] = []
    operations: list[tuple[str, str]] = []
    for line in (raw.strip() for raw in block[1:]):
        if line.startswith("["):
            key, label = line.strip("[]").split()
            entities.append((key, label, []))
        elif line.startswith("!"):
            _, operation, label = line.split()
            operations.append((operation, label))
        else:
            (entities[-1][2] if entities else fields).append(_field(line))
    return Form(
        form_id,
        name,
        tuple(fields),
        tuple(Entity(key, label, tuple(inner)) for key, label, inner in entities),
        tuple(operations),
        prefix=options.get("prefix", ""),
        base="base" in options,
        pk=options.get("pk", "FID"),
        read_only="read-only" in options,
    )


def _field(line: str) -> Field:
    key, name, kind, *rest = line.split()
    ref = rest.pop(0) if kind == "->" else ""
    codes = tuple(rest.pop(0).split("/")) if kind == "combo" else ()
    options = dict(r.partition("=")[::2] for r in rest)
    return Field(
        key, name, Kind.REF if ref else Kind(kind), ref, codes,
        "must" in options, "unique" in options, "new" in options, "changeable" in options,
        int(options.get("length", 255)),
    )  # fmt: skip


FORMS: dict[str, Form] = _forms((Path(__file__).parent / "catalogue.txt").read_text(encoding="utf-8"))
