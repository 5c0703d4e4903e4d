"""facts.txt read: services, their types, sets and functions; and the $metadata that they make."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

FACTS = Path(__file__).parent / "facts.txt"
EDM = {
    "s": "Edm.String", "d": "Edm.Decimal", "f": "Edm.Double", "i": "Edm.Int32", "b": "Edm.Boolean",
    "dt": "Edm.DateTime", "tm": "Edm.Time", "dto": "Edm.DateTimeOffset", "g": "Edm.Guid",
}  # fmt: skip
_TYPE = re.compile(r"^(dto|dt|tm|[sdfibg])(\d*)(?:\.(\d+))?(?:~(.*))?$")
# shown without leading zeros whatever is sent: conversion exit ALPHA
ALPHA = frozenset(
    {"ManufacturingOrder", "OrderID", "MaintenanceNotification", "SalesOrder", "Equipment", "TechnicalObject",
     "ConfirmationGroup", "MaterialDocument"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str  # of EDM
    most: int | None = None
    scale: int = 0
    marks: str = ""

    def has(self, mark: str) -> bool:
        return mark in self.marks


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    keys: tuple[str, ...]
    fields: dict[str, Field]
    navigation: dict[str, str] = field(default_factory=dict)  # name -> type, with * for many

    @property
    def version(self) -> Field | None:
        return next((f for f in self.fields.values() if f.has("e")), None)


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    parameters: dict[str, tuple[Field, bool]]  # with: may it be left out?
    returns: str


@dataclass(slots=True)
class Service:
    name: str
    namespace: str
    types: dict[str, Kind] = field(default_factory=dict)
    sets: dict[str, tuple[str, str]] = field(default_factory=dict)  # set -> (type, what is off: c u d)
    calls: dict[str, Call] = field(default_factory=dict)
    complexes: dict[str, Kind] = field(default_factory=dict)

    def kind_of(self, entity_set: str) -> Kind:
        return self.types[self.sets[entity_set][0]]

    def set_of(self, type_name: str) -> str:
        return next(name for name, (kind, _) in self.sets.items() if kind == type_name.rstrip("*"))

    def add_field(self, type_name: str, made: Field) -> None:
        """A customer's own field."""
        kind = self.types[type_name]
        self.types[type_name] = replace(kind, fields=kind.fields | {made.name: made})

    def drop_field(self, type_name: str, name: str) -> None:
        kind = self.types[type_name]
        self.types[type_name] = replace(kind, fields={n: f for n, f in kind.fields.items() if n != name})


def services() -> dict[str, Service]:
    made: dict[str, Service] = {}
    for line in _lines():
        word, _, rest = line.partition(" ")
        here = next(reversed(made.values())) if made else None
        if word == "service":
            name, namespace = rest.split()
            made[name] = Service(name, namespace)
        elif here is not None:
            _take(here, word, rest)
    return made


def _lines() -> list[str]:
    """Logical ones: what is indented belongs to the line before."""
    out: list[str] = []
    for line in FACTS.read_text("utf-8").splitlines():
        if line.startswith(" "):
            out[-1] += " " + line.strip()
        elif line and not line.startswith("#"):
            out.append(line)
    return out


def _take(here: Service, word: str, rest: str) -> None:
    if word == "set":
        name, kind, *off = rest.split()
        here.sets[name] = (kind, "".join(off))
    elif word == "type":
        head, _, body = rest.partition("): ")
        name, _, keys = head.partition("(")
        plain, _, links = body.partition(" -> ")
        navigation = dict(link.split(":") for link in links.split())
        here.types[name] = Kind(name, tuple(keys.split(",")), _fields(plain.split()), navigation)
    elif word == "complex":
        name, _, body = rest.partition(": ")
        here.complexes[name] = Kind(name, (), _fields(body.split()))
    elif word == "call":
        head, _, returns = rest.partition(" -> ")
        name, _, inside = head.rstrip(")").partition("(")
        parameters = [p.split(":") for p in inside.split(", ") if p]
        known = {n.rstrip("?"): (_field(n.rstrip("?"), t), n.endswith("?")) for n, t in parameters}
        here.calls[name] = Call(name, known, returns.strip())


def _fields(words: list[str]) -> dict[str, Field]:
    return {name: _field(name, text) for name, _, text in (w.partition(":") for w in words)}


def _field(name: str, text: str) -> Field:
    found = _TYPE.match(text)
    if not found:
        raise ValueError(f"{name}:{text} is no type")
    return Field(name, EDM[found[1]], int(found[2]) if found[2] else None, int(found[3] or 0), found[4] or "")


# ------------------------------------------------------------------ $metadata
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"'
    ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
    ' xmlns:sap="http://www.sap.com/Protocols/SAPData"><edmx:DataServices m:DataServiceVersion="2.0">'
)


def metadata(service: Service) -> str:
    """CSDL 2.0 with SAP's annotations."""
    out = [_HEAD, f"<Schema Namespace={quoteattr(service.namespace)}"]
    out.append(' xmlns="http://schemas.microsoft.com/ado/2008/09/edm">')
    links: list[str] = []
    for kind in service.types.values():
        keys = "".join(f"<PropertyRef Name={quoteattr(k)}/>" for k in kind.keys)
        out.append(f"<EntityType Name={quoteattr(kind.name)}><Key>{keys}</Key>")
        out += [_property(f, f.name in kind.keys) for f in kind.fields.values()]
        for name, target in kind.navigation.items():
            link = f"{kind.name}_{name}"
            out.append(
                f'<NavigationProperty Name="{name}" Relationship="{service.namespace}.{link}"'
                ' FromRole="From" ToRole="To"/>'
            )
            links.append(_association(service.namespace, link, kind.name, target))
        out.append("</EntityType>")
    for kind in service.complexes.values():
        out.append(f'<ComplexType Name="{kind.name}">')
        out += [_property(f, False) for f in kind.fields.values()] + ["</ComplexType>"]
    return "".join([*out, *links, _container(service), "</Schema></edmx:DataServices></edmx:Edmx>"])


def _property(made: Field, is_key: bool) -> str:
    text = f'<Property Name="{made.name}" Type="{made.kind}" sap:label="{made.name} 标题"'
    if is_key:
        text += ' Nullable="false"'
    if made.kind == "Edm.Decimal" and made.most:
        text += f' Precision="{made.most}" Scale="{made.scale}"'
    elif made.most:
        text += f' MaxLength="{made.most}"'
    off = {"c": "creatable", "u": "updatable", "f": "filterable", "o": "sortable"}
    text += "".join(f' sap:{word}="false"' for mark, word in off.items() if made.has(mark))
    return text + (' ConcurrencyMode="Fixed"/>' if made.has("e") else "/>")


def _association(namespace: str, link: str, start: str, target: str) -> str:
    end = target.rstrip("*")
    return (
        f'<Association Name="{link}"><End Type="{namespace}.{start}" Multiplicity="1" Role="From"/>'
        f'<End Type="{namespace}.{end}" Multiplicity="{"*" if target.endswith("*") else "0..1"}" Role="To"/>'
        "</Association>"
    )


def _container(service: Service) -> str:
    sets = "".join(
        f'<EntitySet Name="{name}" EntityType="{service.namespace}.{kind}"'
        + "".join(
            f' sap:{w}="false"'
            for m, w in (("c", "creatable"), ("u", "updatable"), ("d", "deletable"))
            if m in off
        )
        + "/>"
        for name, (kind, off) in service.sets.items()
    )
    calls = "".join(
        f'<FunctionImport Name="{call.name}" m:HttpMethod="POST"'
        f' ReturnType="{service.namespace}.{call.returns}">'
        + "".join(
            f'<Parameter Name="{n}" Type="{f.kind}" Mode="In"/>' for n, (f, _) in call.parameters.items()
        )
        + "</FunctionImport>"
        for call in service.calls.values()
    )
    head = '<EntityContainer Name="Container" m:IsDefaultEntityContainer="true">'
    return f"{head}{sets}{calls}</EntityContainer>"
