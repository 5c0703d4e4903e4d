"""What each DocType looks like; read from facts.txt, grown by the site's custom fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.simulators.erpnext.errors import FrappeError

# What a Chinese user reads instead of the labels; sent along with a form.
MESSAGES = {"Failure Date": "故障日期", "Actions Performed": "执行的操作", "Completed Qty": "完成数量"}
STANDARD = ("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx")
NUMBERS = frozenset({"Float", "Int", "Check", "Currency", "Percent"})


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    options: str = ""
    mandatory: bool = False
    read_only: bool = False
    on_submit: bool = False
    unique: bool = False
    once: bool = False

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").title()

    def as_json(self) -> dict[str, Any]:
        return {
            "fieldname": self.name, "fieldtype": self.type, "options": self.options, "label": self.label,
            "reqd": int(self.mandatory), "read_only": int(self.read_only), "unique": int(self.unique),
            "allow_on_submit": int(self.on_submit), "set_only_once": int(self.once),
        }  # fmt: skip


@dataclass(frozen=True)
class DocType:
    name: str
    naming: str
    submittable: bool
    fields: dict[str, Field] = field(default_factory=dict)
    own: dict[str, Field] = field(default_factory=dict)  # custom fields of the site

    @property
    def all(self) -> dict[str, Field]:
        return self.fields | self.own

    def tables(self) -> dict[str, str]:
        return {f.name: f.options for f in self.all.values() if f.type == "Table"}

    def knows(self, name: str) -> bool:
        return name in STANDARD or name in self.all or name in ("parent", "parenttype", "parentfield")

    def as_json(self, *, whole: bool) -> dict[str, Any]:
        fields = self.all if whole else self.fields
        return {
            "doctype": "DocType", "name": self.name, "is_submittable": int(self.submittable),
            "fields": [f.as_json() for f in fields.values()],
        }  # fmt: skip


@cache
def _lines() -> tuple[str, ...]:
    text = Path(__file__).with_name("facts.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line.strip() and not line.startswith("#"))


def doctypes() -> dict[str, DocType]:
    """Fresh ones: a site's custom fields are its own."""
    found: dict[str, DocType] = {}
    current = DocType("", "", submittable=False)
    for line in _lines():
        if line.startswith("  "):
            made = _field(line.split())
            current.fields[made.name] = made
        else:
            name, naming, submit = (part.strip() for part in line.split("|"))
            current = found[name] = DocType(name, naming, submit == "submit")
    return found


def _field(words: list[str]) -> Field:
    kind, _, options = words[1].partition("/")
    if kind in ("Long", "Small", "Text", "HTML") and options in ("Text", "Editor"):
        kind, options = f"{kind} {options}", ""
    flags = {*words[2:]}
    return Field(
        words[0], kind, options.replace("/", " ").replace(",", "\n"), "*" in flags, "ro" in flags,
        "s" in flags, "u" in flags, "c" in flags,
    )  # fmt: skip


def known(types: dict[str, DocType], name: str) -> DocType:
    if name not in types:
        raise FrappeError("DoesNotExistError", f"DocType {name} not found")
    return types[name]
