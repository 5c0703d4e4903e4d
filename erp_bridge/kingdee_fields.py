"""What a tenant's forms look like: their fields by metadata, and a few records as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from erp_bridge.kingdee_answers import KingdeeRefusal, KingdeeTrouble, about_columns, is_id, objects
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_kinds import Kind
from erp_bridge.kingdee_reading import nested, ordering
from hub.errors import ErpUnavailable
from hub.model.mapping import ErpField
from hub.ports import Clock

MOST = 3
CHINESE = 2052
KEPT_SECONDS = 60.0
DEEPEST = 4  # references in references
_KEY = re.compile(r"^[A-Za-z_]\w{0,79}$", re.ASCII)
_EVERYWHERE = frozenset({"fnumber", "fname"})


class Designs:
    """What the designer says of the tenant's forms, believed for a minute."""

    def __init__(self, client: KingdeeClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._heard: dict[str, tuple[float, list[tuple[ErpField, str]]]] = {}

    async def fields(self, form: str) -> list[ErpField]:
        """Head fields first, then those of each entry."""
        return sorted((f for f, _ in await self._described(form)), key=lambda f: f.group != "")

    async def that_exist(self, form: str, paths: Iterable[str]) -> list[str]:
        """Those that lead to a field of this form or, by its references, of another one. Nothing else of what
        somebody has written is put into a question."""
        return [path for path in dict.fromkeys(paths) if await self._leads(form, path)]

    async def _leads(self, form: str, path: str) -> bool:
        first, _, rest = path.partition(".")
        if not _KEY.match(first):
            return False
        if not rest and (is_id(first) or first.lower().endswith("_fseq")):
            return True
        targets = [to for field, to in await self._described(form) if field.name.lower() == first.lower()]
        if not rest or not targets:
            return bool(targets)
        return bool(targets[0]) and path.count(".") < DEEPEST and await self._refers(targets[0], rest)

    async def _refers(self, form: str, rest: str) -> bool:
        """Where the other form may not be described, what every base data has."""
        try:
            return await self._leads(form, rest)
        except (KingdeeRefusal, KingdeeTrouble):
            return rest.lower() in _EVERYWHERE

    async def _described(self, form: str) -> list[tuple[ErpField, str]]:
        """By QueryBusinessInfo: each field, and the form that it refers to."""
        now = self._clock.monotonic()
        if form not in self._heard or now - self._heard[form][0] >= KEPT_SECONDS:
            answer = await self._client.read("QueryBusinessInfo", {"formid": form, "data": {"FormId": form}})
            result = answer.get("Result") if isinstance(answer, dict) else None
            told = result.get("NeedReturnData") if isinstance(result, dict) else None
            if not isinstance(told, dict):
                raise ErpUnavailable(f"Kingdee described {form} in words we do not know")
            entries = objects(told.get("Entrys"))
            found = [made for e in entries for f in objects(e.get("Fields")) if (made := _field(e, f))]
            self._heard[form] = now, found
        return self._heard[form][1]


def _field(entry: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[ErpField, str] | None:
    key, refers = str(told.get("Key") or ""), str(told.get("LookUpObjectFormId") or "").strip()
    if not key:
        return None
    head = not entry.get("ParentKey") or "BillHead" in str(entry.get("Key"))
    name = f"{key}.FNumber" if refers else key
    group = "" if head else _word(entry.get("Name")) or str(entry.get("Key"))
    write = name if head else f"{entry.get('Key')}[].{name}"
    kind = str(told.get("FieldType") or told.get("ElementType") or "")
    return ErpField(key, _word(told.get("Name")), kind, group, write, name), refers


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
