"""What a tenant's forms look like: their fields by metadata, and a few records as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.kingdee_client import KingdeeClient, KingdeeRefusal, KingdeeTrouble, about_columns
from erp_bridge.kingdee_kinds import Kind
from erp_bridge.kingdee_reading import nested, ordering
from hub.errors import ErpUnavailable
from hub.model.mapping import ErpField

MOST = 3
CHINESE = 2052


async def described(client: KingdeeClient, form: str) -> list[ErpField]:
    """By QueryBusinessInfo: head fields first, then those of each entry."""
    answer = await client.read("QueryBusinessInfo", {"formid": form, "data": {"FormId": form}})
    result = answer.get("Result") if isinstance(answer, dict) else None
    told = result.get("NeedReturnData") if isinstance(result, dict) else None
    if not isinstance(told, dict):
        raise ErpUnavailable(f"Kingdee described {form} in words we do not know")
    entries = [e for e in told.get("Entrys") or [] if isinstance(e, dict)]
    found = [made for e in entries for f in e.get("Fields") or [] if (made := _field(e, f)) is not None]
    return sorted(found, key=lambda f: f.group != "")


def _field(entry: Mapping[str, Any], told: Any) -> ErpField | None:
    key = str(told.get("Key") or "") if isinstance(told, dict) else ""
    if not key:
        return None
    head = not entry.get("ParentKey") or "BillHead" in str(entry.get("Key"))
    name = f"{key}.FNumber" if str(told.get("LookUpObjectFormId") or "").strip() else key
    group = "" if head else _word(entry.get("Name")) or str(entry.get("Key"))
    write = name if head else f"{entry.get('Key')}[].{name}"
    kind = str(told.get("FieldType") or told.get("ElementType") or "")
    return ErpField(key, _word(told.get("Name")), kind, group, write, name)


def _word(name: Any) -> str:
    """`[{"Key": 2052, "Value": "备注"}]`, Chinese before any other; or a text."""
    if not isinstance(name, list):
        return str(name or "")
    words = {str(w.get("Key")): str(w.get("Value") or "") for w in name if isinstance(w, dict)}
    return words.get(str(CHINESE)) or next(iter(words.values()), "")


async def raw_records(
    client: KingdeeClient, kind: Kind, more: Sequence[str], mine: str
) -> list[dict[str, Any]]:
    """A few records, the newest first where the form counts them, with every column that there is."""
    keys = list(dict.fromkeys([*kind.columns, *more]))
    order = ",".join(part.replace(" ASC", " DESC") for part in ordering(keys).split(","))
    try:
        rows = await client.query(kind.form, keys, mine, order, most=MOST)
    except (KingdeeRefusal, KingdeeTrouble) as refusal:
        if not about_columns(refusal):
            raise
        keys = [key for key in keys if await client.knows(kind.form, key)]
        order = ",".join(part.replace(" ASC", " DESC") for part in ordering(keys).split(","))
        rows = await client.query(kind.form, keys, mine, order, most=MOST) if keys else []
    return [nested(row) for row in rows[:MOST]]
