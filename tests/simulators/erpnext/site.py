"""One site: its documents, who may touch them, and the life that every document has."""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulators.erpnext import rules
from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.meta import NUMBERS, STANDARD, DocType, Field, doctypes, known

Doc = dict[str, Any]
DRAFT, SUBMITTED, CANCELLED = 0, 1, 2
DATA_LENGTH = 140
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"
_OFFICE = frozenset({"DocType", "Custom Field"})  # of the System Manager alone
ROLES: dict[str, tuple[str, ...]] = {
    "Work Order": ("Manufacturing User", "Stock User:read"),
    "Job Card": ("Manufacturing User",),
    "Asset Repair": ("Manufacturing Manager", "Quality Manager"),
    "Asset": ("Manufacturing Manager:read", "Quality Manager:read"),
    "Stock Entry": ("Stock User", "Manufacturing User"),
    "Quality Inspection": ("Quality Manager",),
    "Sales Order": ("Sales User", "Manufacturing User:read"),
    "Issue": ("Support Team",),
}


@dataclass(frozen=True)
class User:
    email: str
    api_key: str = ""
    api_secret: str = ""
    password: str = ""
    roles: frozenset[str] = frozenset({"System Manager"})


def all_roles() -> frozenset[str]:
    named = {role.partition(":")[0] for roles in ROLES.values() for role in roles}
    return frozenset(named)


@dataclass
class Site:
    now: Callable[[], datetime]
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    host: str = ""  # the only Host that leads here; "" for any
    types: dict[str, DocType] = field(default_factory=doctypes)
    users: list[User] = field(default_factory=list)
    docs: dict[str, dict[str, Doc]] = field(default_factory=dict)
    negative_stock: bool = False
    lacks: frozenset[str] = frozenset()  # row-filters, long-pages, the last names of methods

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._last: datetime | None = None
        self._numbers: dict[str, int] = {}
        self._hashes = itertools.count(1)
        self._journal: list[Callable[[], None]] = []

    # ------------------------------------------------------------------ time and transactions
    def stamp(self) -> str:
        """Never the same twice: `modified` tells versions apart."""
        at = self.now().astimezone(self.zone)
        self._last = max(at, self._last + timedelta(microseconds=1)) if self._last else at
        return self._last.strftime(_MOMENT)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with self.lock:
            self._journal = []
            try:
                yield
            except FrappeError:
                for undo in reversed(self._journal):
                    undo()
                raise

    def committed(self) -> None:
        """What was written so far stands, whatever follows."""
        self._journal = []

    # ------------------------------------------------------------------ documents as they lie there
    def every(self, doctype: str) -> list[Doc]:
        known(self.types, doctype)
        return list(self.docs.get(doctype, {}).values())

    def find(self, doctype: str, name: Any) -> Doc | None:
        return self.docs.get(doctype, {}).get(str(name))

    def get(self, doctype: str, name: str) -> Doc:
        known(self.types, doctype)
        found = self.find(doctype, name)
        if found is None:
            raise FrappeError("DoesNotExistError", f"{doctype} {name} not found")
        return copy.deepcopy(found)

    def put(self, doc: Doc) -> Doc:
        place, name = self.docs.setdefault(doc["doctype"], {}), doc["name"]
        before = place.get(name)
        self._journal.append(lambda: _restore(place, name, before))
        place[name] = copy.deepcopy(doc)
        return doc

    def set(self, doctype: str, name: str, **values: Any) -> Doc:
        """As `db_set` does it: past every rule, with a new `modified`."""
        return self.put(self.get(doctype, name) | values | {"modified": self.stamp()})

    def grow(self, doctype: str, spec: Field) -> None:
        """A field more; documents that are there have it empty."""
        self.types[doctype].own[spec.name] = spec
        for kind in self.types.values():
            places = [p for p, child in kind.tables().items() if child == doctype]
            for doc in self.docs.get(kind.name, {}).values():
                rows = [doc] if kind.name == doctype else [row for p in places for row in doc.get(p) or []]
                for row in rows:
                    row.setdefault(spec.name, _born(spec))

    def allow(self, user: User | None, doctype: str, right: str) -> None:
        roles = ROLES.get(doctype)
        has = user.roles if user else frozenset()
        office = "System Manager" in has
        if user is None or (doctype in _OFFICE and not office):
            raise FrappeError(
                "PermissionError", f"User {user.email if user else 'Guest'} has no access to {doctype}"
            )
        if office or roles is None:
            return
        if not any(role.partition(":")[0] in has and role.partition(":")[2] in ("", right) for role in roles):
            raise FrappeError(
                "PermissionError", f"User {user.email} does not have permission to {right} {doctype}"
            )

    # ------------------------------------------------------------------ the life of a document
    def insert(self, doctype: str, data: Doc, user: User | None) -> Doc:
        kind = known(self.types, doctype)
        self.allow(user, doctype, "create")
        who = user.email if user else "Guest"
        wanted = int(data.get("docstatus") or 0)
        doc: Doc = {"doctype": doctype, "owner": who, "modified_by": who, "idx": 0, "docstatus": DRAFT}
        doc |= {name: _born(f) for name, f in kind.all.items()}
        self._take(doc, kind, data)
        if data.get("amended_from"):
            self._amends(doc, kind, str(data["amended_from"]))
        self._validate(doc, kind, None)
        doc["name"] = self._named(doc, kind)
        doc["creation"] = doc["modified"] = self.stamp()
        self._unique(doc, kind)
        self.put(doc)
        rules.inserted(self, doc)
        return self.save(doctype, doc["name"], {"docstatus": 1}, user) if wanted == SUBMITTED else doc

    def save(self, doctype: str, name: str, data: Doc, user: User | None) -> Doc:
        kind = known(self.types, doctype)
        before = self.get(doctype, name)
        self.allow(user, doctype, "write")
        if data.get("modified") and str(data["modified"]) != before["modified"]:
            raise FrappeError(
                "TimestampMismatchError",
                f"Error: Document has been modified after you have opened it ({before['modified']},"
                f" {data['modified']}). Please refresh to get the latest document.",
            )
        given = data.get("docstatus")
        wanted = int(before["docstatus"] if given is None else given)
        self._transition(before, wanted, user)
        doc = copy.deepcopy(before)
        self._take(doc, kind, data, before)
        doc["docstatus"] = wanted
        if before["docstatus"] == SUBMITTED == wanted:
            self._after_submit(doc, before, kind)
        if wanted != CANCELLED:
            self._validate(doc, kind, before)
        self._unique(doc, kind)
        doc |= {"modified": self.stamp(), "modified_by": user.email if user else "Guest"}
        self.put(doc)
        if before["docstatus"] != wanted:
            (rules.submitted if wanted == SUBMITTED else rules.cancelled)(self, doc)
        return self.get(doctype, name)

    def remove(self, doctype: str, name: str, user: User | None) -> None:
        self.allow(user, doctype, "delete")
        doc = self.get(doctype, name)
        if doc["docstatus"] == SUBMITTED:
            raise FrappeError("ValidationError", f"{doctype} {name}: Submitted Record cannot be deleted.")
        place = self.docs[doctype]
        self._journal.append(lambda: _restore(place, name, doc))
        del place[name]

    def _transition(self, before: Doc, wanted: int, user: User | None) -> None:
        now = before["docstatus"]
        if now == CANCELLED:
            raise FrappeError("ValidationError", "Cannot edit cancelled document")
        if (now, wanted) in ((DRAFT, CANCELLED), (SUBMITTED, DRAFT)):
            raise FrappeError("DocstatusTransitionError", f"Cannot change docstatus from {now} to {wanted}")
        if wanted != now and not self.types[before["doctype"]].submittable:
            raise FrappeError("ValidationError", f"{before['doctype']} is not submittable")
        if wanted != now:
            self.allow(user, before["doctype"], "submit" if wanted == SUBMITTED else "cancel")

    def _take(self, doc: Doc, kind: DocType, data: Doc, before: Doc | None = None) -> None:
        """Fields that there are; what the server works out, and what there is not, is passed over."""
        tables = kind.tables()
        for name, value in data.items():
            spec = kind.all.get(name)
            if spec is None or name in STANDARD or (spec.read_only and name != "amended_from"):
                continue
            if spec.once and before and before.get(name) and value != before[name]:
                raise FrappeError("CannotChangeConstantError", f"Value cannot be changed for {name}")
            doc[name] = self._rows(doc, tables[name], name, value) if name in tables else _cast(spec, value)

    def _rows(self, doc: Doc, child: str, place: str, rows: Any) -> list[Doc]:
        kind, out = known(self.types, child), []
        there = {row["name"]: row for row in doc.get(place) or []}
        for at, data in enumerate(rows or [], 1):
            row = dict(there.get(data.get("name"), {"doctype": child, "docstatus": 0}))
            row |= {n: row.get(n, _born(f)) for n, f in kind.all.items()}
            self._take(row, kind, data)
            row |= {"name": row.get("name") or f"{next(self._hashes):010x}", "idx": at, "parentfield": place}
            row |= {"parenttype": doc["doctype"], "parent": doc.get("name")}
            out.append(row)
        return out

    # ------------------------------------------------------------------ rules that hold for all
    def _validate(self, doc: Doc, kind: DocType, before: Doc | None) -> None:
        rules.before(self, doc, before)
        for row, spec in [(doc, kind), *self._children(doc, kind)]:
            self._mandatory(row, spec)
            for f in spec.all.values():
                if row.get(f.name) not in (None, "", []):
                    self._fits(row, f)
        rules.validate(self, doc, before)

    def _children(self, doc: Doc, kind: DocType) -> list[tuple[Doc, DocType]]:
        return [
            (row, self.types[child]) for place, child in kind.tables().items() for row in doc.get(place) or []
        ]

    def _mandatory(self, row: Doc, kind: DocType) -> None:
        gone = [f.name for f in kind.all.values() if f.mandatory and row.get(f.name) in (None, "", [])]
        if gone:
            raise FrappeError("MandatoryError", f"[{kind.name}, {row.get('name')}]: {', '.join(gone)}")

    def _fits(self, row: Doc, spec: Field) -> None:
        value = row[spec.name]
        if spec.type == "Link" and spec.options != "User" and self.find(spec.options, value) is None:
            raise FrappeError("LinkValidationError", f"Could not find {spec.name}: {value}")
        if spec.type == "Link" and spec.name != "amended_from":
            target = self.find(spec.options, value)
            if target and target.get("docstatus") == CANCELLED:
                raise FrappeError(
                    "CancelledLinkError", f"Cannot link cancelled document: {spec.name}: {value}"
                )
        if spec.type == "Select" and spec.options and value not in spec.options.split("\n"):
            allowed = '", "'.join(spec.options.split("\n"))
            raise FrappeError(
                "ValidationError", f'{spec.name} cannot be "{value}". It should be one of "{allowed}"'
            )
        if spec.type in ("Data", "Link", "Select") and len(str(value)) > DATA_LENGTH:
            raise FrappeError(
                "CharacterLengthExceededError",
                f"'{spec.name}' will get truncated, as max characters allowed is 140",
            )

    def _unique(self, doc: Doc, kind: DocType) -> None:
        for f in kind.all.values():
            value = doc.get(f.name)
            if not f.unique or value in (None, ""):
                continue
            for other in self.every(kind.name):
                if other["name"] != doc["name"] and str(other.get(f.name)).lower() == str(value).lower():
                    raise FrappeError("UniqueValidationError", f"{f.name} must be unique: {value}")

    def _after_submit(self, doc: Doc, before: Doc, kind: DocType) -> None:
        for f in kind.all.values():
            if not f.on_submit and doc.get(f.name) != before.get(f.name) and not f.read_only:
                raise FrappeError(
                    "UpdateAfterSubmitError",
                    f"Not allowed to change {f.name} after submission from {before.get(f.name)}",
                )

    # ------------------------------------------------------------------ names
    def _named(self, doc: Doc, kind: DocType) -> str:
        if doc.get("amended_from"):
            root, _, count = str(doc["amended_from"]).rpartition("-")
            again = self.find(kind.name, doc["amended_from"])
            if again and again.get("amended_from"):
                return f"{root}-{int(count) + 1}"
            return f"{doc['amended_from']}-1"
        if kind.naming == "hash":
            return f"{next(self._hashes):010x}"
        if kind.naming.startswith("field:"):
            name = str(doc[kind.naming.removeprefix("field:")])
            if self.find(kind.name, name):
                raise FrappeError("DuplicateEntryError", f"{kind.name} {name} already exists")
            return name
        year = self.now().astimezone(self.zone).year
        stem = kind.naming.replace(".YYYY.", str(year)).rstrip(".").partition(".#")[0]
        self._numbers[stem] = self._numbers.get(stem, 0) + 1
        return f"{stem}{self._numbers[stem]:05d}"

    def _amends(self, doc: Doc, kind: DocType, name: str) -> None:
        if self.get(kind.name, name)["docstatus"] != CANCELLED:
            raise FrappeError("ValidationError", f"{kind.name} {name} is not cancelled: it cannot be amended")
        doc["amended_from"] = name


def _restore(place: dict[str, Doc], name: str, before: Doc | None) -> None:
    if before is None:
        place.pop(name, None)
    else:
        place[name] = before


def _born(spec: Field) -> Any:
    if spec.type == "Table":
        return []
    return 0 if spec.type in NUMBERS else None


def _cast(spec: Field, value: Any) -> Any:
    if spec.type in ("Int", "Check"):
        return int(float(value or 0))
    if spec.type in NUMBERS:
        return float(value or 0)
    return value
