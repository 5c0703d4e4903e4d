"""The same books through OData 4: other paths, literals and envelopes before and behind the second version.

SAP's successors of these services exist; their exact names differ by release. What is common to all is here:
`value`, `@odata.nextLink`, `@odata.etag`, numbers and ISO times, actions bound to an entity.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.sax.saxutils import quoteattr

from tests.simulators.sap.answers import SapError
from tests.simulators.sap.schema import Field, Kind, Service

ROOT = "/sap/opu/odata4/sap/"
_DATE = re.compile(r"^/Date\((-?\d+)")
_TYPES = {"Edm.DateTime": "Edm.Date", "Edm.Time": "Edm.TimeOfDay"}
_GUID = re.compile(r"\b([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\b")
_INSTANT = re.compile(r"(?<!')\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_DAY = re.compile(r"(?<!')\b(\d{4}-\d\d-\d\d)\b(?![T'])")


# ------------------------------------------------------------------ what comes in
def query(asked: Mapping[str, str]) -> dict[str, str]:
    """Their words in those of version 2. A literal of version 2 is not one here."""
    out = dict(asked)
    where = out.get("$filter", "")
    if re.search(r"\b(guid|datetime|datetimeoffset|time)'", where) or re.search(r"\d[Mm]\b", where):
        raise SapError(400, "/IWBEP/CM_V4_COS/021", "Invalid literal in $filter")
    if where:
        out["$filter"] = _literals(where)
    if out.pop("$count", "") == "true":
        out["$inlinecount"] = "allpages"
    if "$expand" in out:
        out["$expand"] = ",".join(_paths(out["$expand"]))
    return out | {"$format": "json"}


def argument(kind: str, value: Any) -> str:
    """A parameter of an action as a function of version 2 takes it."""
    match kind:
        case "Edm.DateTimeOffset":
            return f"datetimeoffset'{value}'"
        case "Edm.DateTime":
            return f"datetime'{value}T00:00:00'"
    return "'" + str(value).replace("'", "''") + "'"


def _literals(text: str) -> str:
    text = _GUID.sub(r"guid'\1'", text)
    text = _INSTANT.sub(r"datetimeoffset'\1'", text)
    return _DAY.sub(r"datetime'\1T00:00:00'", text)


def _paths(text: str) -> list[str]:
    """`a($expand=b),c` as a, a/b, c."""
    if "/" in text:
        raise SapError(400, "/IWBEP/CM_V4_COS/022", "Write nested $expand in brackets")
    found = re.fullmatch(r"(\w+)\(\$expand=(.*)\)", text)
    if found:
        return [found[1], *(f"{found[1]}/{path}" for path in _paths(found[2]))]
    return [path for part in text.split(",") for path in ([part] if "(" not in part else _paths(part))]


def body(service: Service, kind: Kind, sent: bytes) -> bytes:
    """A body in the forms of version 2; forms of version 2 are refused."""
    record = json.loads(sent or b"{}")
    return json.dumps(_in(service, kind, record)).encode()


def _in(service: Service, kind: Kind, record: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in record.items():
        made = kind.fields.get(name)
        if isinstance(value, list) and name in kind.navigation:
            below = service.types[kind.navigation[name].rstrip("*")]
            out[name] = [_in(service, below, row) for row in value]
        else:
            out[name] = _value_in(made, value) if made else value
    return out


def _value_in(made: Field, value: Any) -> Any:
    if isinstance(value, str) and value.startswith(("/Date(", "PT")) and made.kind != "Edm.String":
        raise SapError(400, "/IWBEP/CM_V4_COS/023", f"Property '{made.name}' has the form of another version")
    match made.kind:
        case "Edm.Decimal" | "Edm.Double" if isinstance(value, str):
            raise SapError(400, "/IWBEP/CM_V4_COS/023", f"Property '{made.name}' takes a number")
        case "Edm.Decimal" | "Edm.Double":
            return f"{value}"
        case "Edm.Time" if isinstance(value, str):
            hour, minute, second = value.split(":")
            return f"PT{hour}H{minute}M{second}S"
        case "Edm.DateTime" if isinstance(value, str):
            return f"{value}T00:00:00"
    return value


# ------------------------------------------------------------------ what goes out
def answer(service: Service, kind: Kind, text: str, asked: Mapping[str, str]) -> str:
    """A JSON answer of version 2 in the envelope of version 4."""
    inner = json.loads(text)["d"]
    if isinstance(inner.get("results"), list):
        out: dict[str, Any] = {"value": [_out(service, kind, row) for row in inner["results"]]}
        if "__next" in inner:
            token = dict(parse_qsl(urlsplit(inner["__next"]).query))["$skiptoken"]
            again = dict(asked) | {"$skiptoken": token}
            out["@odata.nextLink"] = f"{next(iter(service.sets))}?{urlencode(again, safe='$')}"
        if "__count" in inner:
            out["@odata.count"] = int(inner["__count"])
        return json.dumps(out, ensure_ascii=False)
    return json.dumps(_out(service, kind, inner), ensure_ascii=False)


def _out(service: Service, kind: Kind | None, record: Mapping[str, Any]) -> dict[str, Any]:
    meta = record.get("__metadata", {})
    out: dict[str, Any] = {"@odata.etag": meta["etag"]} if "etag" in meta else {}
    for name, value in record.items():
        if name == "__metadata" or (isinstance(value, dict) and "__deferred" in value):
            continue
        if isinstance(value, dict) and "results" in value and kind:
            below = service.types[kind.navigation[name].rstrip("*")]
            out[name] = [_out(service, below, row) for row in value["results"]]
        else:
            made = kind.fields.get(name) if kind else None
            out[name] = _value_out(made, value) if made else value
    return out


def _value_out(made: Field, value: Any) -> Any:
    if value is None:
        return None
    match made.kind:
        case "Edm.Decimal" | "Edm.Double":
            return float(value)
        case "Edm.Time":
            return value[2:].replace("H", ":").replace("M", ":").removesuffix("S")
        case "Edm.DateTime" | "Edm.DateTimeOffset":
            at = datetime.fromtimestamp(int(_DATE.match(value)[1]) / 1000, UTC)  # type: ignore[index]
            return f"{at:%Y-%m-%d}" if made.kind == "Edm.DateTime" else f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return value


def metadata(service: Service) -> str:
    """CSDL 4."""
    out = [
        '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0"',
        ' xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>',
        f"<Schema Namespace={quoteattr(namespace(service))}",
        ' xmlns="http://docs.oasis-open.org/odata/ns/edm">',
    ]
    for kind in service.types.values():
        keys = "".join(f'<PropertyRef Name="{k}"/>' for k in kind.keys)
        out.append(f'<EntityType Name="{kind.name}"><Key>{keys}</Key>')
        for made in kind.fields.values():
            most = f' MaxLength="{made.most}"' if made.most and made.kind == "Edm.String" else ""
            out.append(f'<Property Name="{made.name}" Type="{_TYPES.get(made.kind, made.kind)}"{most}/>')
        for name, target in kind.navigation.items():
            full = f"{namespace(service)}.{target.rstrip('*')}"
            shown = f"Collection({full})" if target.endswith("*") else full
            out.append(f'<NavigationProperty Name="{name}" Type="{shown}"/>')
        out.append("</EntityType>")
    for call in service.calls.values():
        names = "".join(f'<Parameter Name="{n}" Type="{f.kind}"/>' for n, (f, _) in call.parameters.items())
        out.append(f'<Action Name="{call.name}" IsBound="true">{names}</Action>')
    sets = "".join(
        f'<EntitySet Name="{name}" EntityType="{namespace(service)}.{kind}"/>'
        for name, (kind, _) in service.sets.items()
    )
    tail = "</Schema></edmx:DataServices></edmx:Edmx>"
    return "".join([*out, f'<EntityContainer Name="Container">{sets}</EntityContainer>', tail])


def namespace(service: Service) -> str:
    return f"com.sap.gateway.srvd_a2x.{service.name.lower()}.v0001"
