"""Creating and changing entities: what any service refuses, then what this document refuses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulators.sap.answers import SapError
from tests.simulators.sap.books import Books, Row
from tests.simulators.sap.reading import etag
from tests.simulators.sap.schema import Kind, Service
from tests.simulators.sap.values import taken

ANY_VERSION = "*"


def read_body(service: Service, kind: Kind, body: Any, *, new: bool) -> Row:
    """Known, allowed and short enough; deep rows are under their navigation's name."""
    if not isinstance(body, dict):
        raise SapError(400, "CX_SXML_PARSE_ERROR/001", "Malformed request body")
    row: Row = {}
    for name, value in body.items():
        if name in kind.navigation and new:
            row[name] = _deep(service, kind, name, value)
            continue
        made = kind.fields.get(name)
        if made is None:
            raise SapError(
                400, "/IWBEP/CM_MGW_RT/020", f"Property '{name}' is invalid for type '{kind.name}'"
            )
        if made.has("c" if new else "u") and name not in kind.keys:
            raise SapError(400, "/IWBEP/CM_MGW_RT/104", f"Property '{name}' cannot be written here")
        row[name] = taken(made, value)
    return row


def _deep(service: Service, kind: Kind, name: str, value: Any) -> list[Row]:
    target = service.types[kind.navigation[name].rstrip("*")]
    rows = value.get("results") if isinstance(value, dict) and "results" in value else value
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list):
        raise SapError(400, "CX_SXML_PARSE_ERROR/001", f"'{name}' takes a list")
    return [read_body(service, target, row, new=True) for row in rows]


def check_version(kind: Kind, row: Row, sent: str) -> None:
    """428 without If-Match, 412 with a stale one; nothing of it where the type has no version."""
    version = etag(kind, row)
    if not version:
        return
    if not sent:
        raise SapError(
            428, "SADL_ENTITY_RUNTIME/006", "Precondition required for changing data (If-Match missing)"
        )
    if sent not in (ANY_VERSION, version):
        raise SapError(412, "/IWBEP/CM_MGW_RT/020", "Precondition failed")


def touch(books: Books, kind: Kind, row: Row) -> None:
    """A new version, always another than the one before."""
    made = kind.version
    if made is None:
        if "LastChangeDateTime" in kind.fields:
            row["LastChangeDateTime"] = books.now()
        return
    before = row.get(made.name)
    if made.kind != "Edm.String":
        row[made.name] = max(books.now(), (before or books.now()) + timedelta(microseconds=10))
        return
    now = books.now().astimezone(UTC).replace(microsecond=0)
    if before:
        last = datetime.strptime(before, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        now = max(now, last + timedelta(seconds=1))
    row[made.name] = f"{now:%Y%m%d%H%M%S}"


def required(row: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not row.get(name):
            raise SapError(400, "/IWBEP/CX_MGW_BUSI_EXCEPTION", f"Enter a value for {name}")
