"""What a service says it has (`$metadata`, CSDL of OData 2 and 4): releases differ, so we look (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from defusedxml.ElementTree import ParseError, fromstring

Element: TypeAlias = Any  # of a parsed document
_FALSE = "false"


@dataclass(frozen=True, slots=True)
class Property:
    name: str
    type: str  # Edm.String ...
    most: int | None = None  # characters
    creatable: bool = True
    updatable: bool = True
    title: str = ""  # in the language that was asked for


@dataclass(frozen=True, slots=True)
class EntityType:
    name: str
    keys: tuple[str, ...]
    properties: Mapping[str, Property]
    navigation: Mapping[str, str]  # name -> entity type; "" for one that we cannot follow

    def knows(self, name: str) -> bool:
        return name in self.properties or name in self.navigation


@dataclass(frozen=True, slots=True)
class Metadata:
    namespace: str = ""
    types: Mapping[str, EntityType] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)  # entity set -> entity type
    calls: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # function -> parameter -> type

    def of_set(self, name: str) -> EntityType | None:
        return self.types.get(self.sets.get(name, ""))

    def below(self, kind: EntityType, navigation: str) -> EntityType | None:
        return self.types.get(kind.navigation.get(navigation, ""))


def parsed(document: bytes) -> Metadata:
    """Raises ValueError for what is no service document."""
    if b"<!DOCTYPE" in document[:1000] or b"<!ENTITY" in document:
        raise ValueError("a document type has no place in it")
    try:
        root = fromstring(document)
    except ParseError as cause:
        raise ValueError(f"no XML ({cause})") from None
    if _name(root) != "Edmx":
        raise ValueError(f"<{_name(root)}> instead of <Edmx>")
    return _read(root)


def _read(root: Element) -> Metadata:
    namespace, targets = "", _targets(root)
    types: dict[str, EntityType] = {}
    sets: dict[str, str] = {}
    calls: dict[str, Mapping[str, str]] = {}
    for node in root.iter():
        match _name(node):
            case "Schema":
                namespace = namespace or node.get("Namespace", "")
            case "EntityType":
                types[node.get("Name", "")] = _entity(node, targets)
            case "EntitySet":
                sets[node.get("Name", "")] = _last(node.get("EntityType", ""))
            case "FunctionImport" | "Action":
                calls[node.get("Name", "")] = _parameters(node)
    return Metadata(namespace, types, sets, calls)


def _targets(root: Element) -> dict[tuple[str, str], str]:
    """(association, role) -> entity type: how OData 2 says where a navigation leads."""
    return {
        (node.get("Name", ""), end.get("Role", "")): _last(end.get("Type", ""))
        for node in root.iter()
        if _name(node) == "Association"
        for end in node
        if _name(end) == "End"
    }


def _entity(node: Element, targets: Mapping[tuple[str, str], str]) -> EntityType:
    keys: list[str] = []
    properties: dict[str, Property] = {}
    navigation: dict[str, str] = {}
    for child in node:
        match _name(child):
            case "Key":
                keys = [ref.get("Name", "") for ref in child]
            case "Property":
                made = _property(child)
                properties[made.name] = made
            case "NavigationProperty":
                there = (_last(child.get("Relationship", "")), child.get("ToRole", ""))
                plural = child.get("Type", "").removeprefix("Collection(").rstrip(")")
                navigation[child.get("Name", "")] = targets.get(there) or _last(plural)
    return EntityType(node.get("Name", ""), tuple(keys), properties, navigation)


def _property(node: Element) -> Property:
    off = {_last(k, "}"): v for k, v in node.attrib.items()}
    most = off.get("MaxLength", "")
    return Property(
        off.get("Name", ""), off.get("Type", ""), int(most) if most.isdigit() else None,
        off.get("creatable") != _FALSE, off.get("updatable") != _FALSE, off.get("label", ""),
    )  # fmt: skip


def _parameters(node: Element) -> Mapping[str, str]:
    return {
        child.get("Name", ""): child.get("Type", "")
        for child in node
        if _name(child) == "Parameter" and child.get("Mode", "In") == "In"
    }


def _name(node: Element) -> str:
    return _last(str(node.tag), "}")


def _last(text: str, mark: str = ".") -> str:
    return text.rpartition(mark)[2]
