"""Values on the wire (OData 2 JSON and URL literals) and in the books: texts, decimals, dates, times."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.simulators.sap.answers import SapError
from tests.simulators.sap.schema import ALPHA, Field

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 dates on this wire have no zone
NO_GUID = "00000000-0000-0000-0000-000000000000"
_DATE = re.compile(r"^/Date\((-?\d+)(?:([+-])(\d+))?\)/$")
_SPAN = re.compile(r"^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?$")


def taken(made: Field, value: Any) -> Any:
    """From a body into the books. Raises SapError 400 as SAP does for what does not fit."""
    if value is None:
        return None if made.kind != "Edm.String" else ""
    try:
        return _taken(made, value)
    except (ValueError, TypeError, InvalidOperation):
        raise SapError(
            400, "CX_SXML_PARSE_ERROR/005", f"Error while parsing property '{made.name}': {value!r}"
        ) from None


def _taken(made: Field, value: Any) -> Any:
    match made.kind:
        case "Edm.String":
            return _text(made, value)
        case "Edm.Decimal":
            return _amount(made, value)
        case "Edm.Double":
            return float(_text_of(value))
        case "Edm.Int32":
            return int(value)
        case "Edm.Boolean":
            if not isinstance(value, bool):
                raise ValueError(value)
            return value
        case "Edm.Guid":
            return str(uuid.UUID(_text_of(value)))
        case "Edm.Time":
            return span(_text_of(value))
        case "Edm.DateTime":
            return _day(_text_of(value))
    return _moment(_text_of(value))


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _text(made: Field, value: Any) -> str:
    text = _text_of(value)
    if made.most and len(text) > made.most:
        raise SapError(
            400, "/IWBEP/CM_MGW_RT/145", f"Property '{made.name}' has value longer than MaxLength {made.most}"
        )
    return shown_text(made, text)


def shown_text(made: Field, text: str) -> str:
    """As the conversion exits leave it."""
    if made.has("#") and text and not text.isdigit():
        raise SapError(400, "/IWBEP/CM_MGW_RT/146", f"Property '{made.name}' takes digits only")
    if made.has("^"):
        text = text.upper()
    if (made.has("#") or made.name in ALPHA) and text.isdigit():
        return text.lstrip("0") or ("0" if not made.name.endswith("Item") else "")
    return text


def _amount(made: Field, value: Any) -> Decimal:
    if not isinstance(value, str):
        raise TypeError(value)  # OData 2 wants decimals as texts
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(value)
    return number


def _day(text: str) -> datetime:
    found = _DATE.match(text)
    if found:
        return EPOCH + timedelta(milliseconds=int(found[1]))
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _moment(text: str) -> datetime:
    found = _DATE.match(text)
    if found:
        return (EPOCH + timedelta(milliseconds=int(found[1]))).replace(tzinfo=UTC)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def span(text: str) -> time:
    found = _SPAN.match(text)
    if not found or text == "PT":
        raise ValueError(text)
    hour, minute, second = (int(part or 0) for part in found.groups())
    return time(hour, minute, second)


def shown(made: Field, value: Any) -> Any:
    """From the books onto the wire."""
    match made.kind:
        case "Edm.String":
            return "" if value is None else value
        case "Edm.Boolean":
            return bool(value)
        case "Edm.Int32":
            return int(value or 0)
        case "Edm.Guid":
            return value or NO_GUID
        case "Edm.Decimal":
            return f"{(value or Decimal(0)).normalize():f}"
        case "Edm.Double":
            return repr(float(value or 0.0))
        case "Edm.Time":
            at = value or time(0)
            return f"PT{at:%H}H{at:%M}M{at:%S}S"
    if value is None:
        return None
    offset = "+0000" if made.kind == "Edm.DateTimeOffset" else ""
    naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return f"/Date({(naive - EPOCH) // timedelta(milliseconds=1)}{offset})/"
