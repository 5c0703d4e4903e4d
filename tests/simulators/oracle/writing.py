"""What may be written: known attributes, types, lengths, statuses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.simulators.oracle.answers import OracleError
from tests.simulators.oracle.books import Row
from tests.simulators.oracle.schema import BOOL, DATE, INT, NUM, TEXT, Attribute, Resource
from tests.simulators.oracle.seed import STATUSES

_NEXT = {  # system status -> those that may follow
    "ORA_UNRELEASED": {"ORA_RELEASED", "ORA_ON_HOLD", "ORA_CANCELED"},
    "ORA_RELEASED": {"ORA_UNRELEASED", "ORA_ON_HOLD", "ORA_COMPLETED", "ORA_CANCELED"},
    "ORA_ON_HOLD": {"ORA_UNRELEASED", "ORA_RELEASED", "ORA_CANCELED"},
    "ORA_COMPLETED": {"ORA_RELEASED", "ORA_CLOSED"},
}


def checked(resource: Resource, body: Any, *, new: bool) -> Row:
    """The body in our types. Raises OracleError naming the attribute."""
    if not isinstance(body, Mapping):
        raise OracleError(400, "The request body is not an object.")
    out: Row = {}
    for name, value in body.items():
        if name in resource.children:
            rows = value.get("items") if isinstance(value, Mapping) else value
            if not isinstance(rows, list):
                raise OracleError(400, f"{name} is not a collection.", name)
            out[name] = [checked(resource.children[name], row, new=True) for row in rows]
            continue
        attribute = resource.attributes.get(name)
        if attribute is None:
            raise OracleError(400, f"Attribute {name} is not defined in {resource.name}.", name)
        if not (attribute.create if new else attribute.update):
            raise OracleError(400, f"Attribute {name} in {resource.name} cannot be set.", name)
        out[name] = _typed(name, attribute, value)
    missing = [name for name in resource.required if new and out.get(name) in (None, "")]
    if missing:
        raise OracleError(400, f"Attribute {missing[0]} in {resource.name} is required.", missing[0])
    return out


def _typed(name: str, attribute: Attribute, value: Any) -> Any:
    if value is None:
        return None
    good = {
        TEXT: isinstance(value, str), BOOL: isinstance(value, bool), DATE: isinstance(value, str),
        INT: isinstance(value, int) and not isinstance(value, bool),
        NUM: isinstance(value, int | float) and not isinstance(value, bool),
    }  # fmt: skip
    if not good[attribute.kind]:
        raise OracleError(400, f"{value!r} is not a {attribute.kind} value.", name)
    if attribute.most and isinstance(value, str) and len(value) > attribute.most:
        raise OracleError(400, f"The value of {name} is longer than {attribute.most} characters.", name)
    if attribute.kind != DATE:
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise OracleError(400, f"{value!r} is not a date-time value.", name) from None
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


def with_status(before: Row, change: Row, catalogue: Mapping[str, tuple[str, str]] = STATUSES) -> Row:
    """The change with what follows from a new status. Raises OracleError for one that may not follow."""
    now = before.get("WorkOrderSystemStatusCode")
    if now in ("ORA_CLOSED", "ORA_CANCELED"):
        raise OracleError(400, f"A work order in status {now} cannot be updated.", "WorkOrderStatusCode")
    code = change.get("WorkOrderStatusCode")
    if code is None:
        return change
    if code not in catalogue:
        raise OracleError(400, f"{code} is not a valid work order status.", "WorkOrderStatusCode")
    system, name = catalogue[code]
    if now is not None and system != now and system not in _NEXT[now]:
        raise OracleError(400, f"The status cannot be changed from {now} to {code}.", "WorkOrderStatusCode")
    if system == "ORA_CANCELED" and now is not None and not change.get("CanceledReason"):
        raise OracleError(400, "A reason is required to cancel a work order.", "CanceledReason")
    return change | {"WorkOrderSystemStatusCode": system, "WorkOrderStatusName": name}
