"""What a site's documents look like, for whoever edits a map: their fields, and a few records.

U9 has no interface that tells of fields. Those that are written are the vendor's public models, with the
site's own; those that are read are told by a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from erp_bridge.yonyou_answers import named, rows_in, rows_of, text
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_fields import MODELS, REFERENCES
from erp_bridge.yonyou_kinds import Kind, service_of
from erp_bridge.yonyou_lists import ListReader
from erp_bridge.yonyou_maps import SERVICE_OF
from erp_bridge.yonyou_titles import title
from hub.errors import ErpRefused
from hub.model.mapping import ErpField

MOST = 3
SEGMENTS = 30
_INSIDE = {"operation": "MOOperationDTOs", "source": "MOSrcRelationDTOs", "pick": "MOPickListDTOs"}
_SERVICES = {**SERVICE_OF, "step": "ticket", "closing": "ticket"}

Record = dict[str, Any]


class Samples:
    def __init__(
        self,
        config: YonyouConfig,
        client: U9Client,
        kinds: Mapping[str, Kind],
        lists: Mapping[str, ListReader],
    ) -> None:
        self._config = config
        self._client = client
        self._kinds = kinds
        self._lists = lists

    # ------------------------------------------------------------------ fields
    async def fields(self, document: str) -> list[ErpField]:
        if document in self._lists:
            return [_column(name, value) for name, value in await self._lists[document].everything()]
        if document in MODELS:
            return self._model(document)
        records = await self.records(document)
        merged = {name: value for record in reversed(records) for name, value in record.items()}
        return [field for name, value in merged.items() for field in _read(name, value)]

    def _model(self, document: str) -> list[ErpField]:
        own = service_of(self._config, _SERVICES[document]).block.fields if document in _SERVICES else []
        names = [n for n in [*MODELS[document], *own] if n.rpartition(".")[2] not in ("DescFlexField", "")]
        lined = {n.partition("[]")[0] for n in names if "[]." in n}
        listed = [_written(n) for n in sorted(set(names)) if n not in lined]
        segments = [f"DescFlexField.PrivateDescSeg{n}" for n in range(1, SEGMENTS + 1)]
        return [*listed, *(ErpField(s, title(s), "text", title("DescFlexField"), s, s) for s in segments)]

    # ------------------------------------------------------------------ records
    async def records(self, document: str, more: Sequence[str] = ()) -> list[Record]:
        if document in self._lists:
            return await self._lists[document].some(MOST, more)
        if document == "item":
            codes = await self._numbers("item_list")
            return await self._asked("item", [{"ItemMaster": {"Code": code}} for code in codes])
        orders = ("order", *_INSIDE)
        if document not in orders:
            raise ErpRefused(
                f"U9 shows no records of {document} without their numbers: open the interface's own page"
            )
        found = await self._asked("order", [{"DocNo": n} for n in await self._numbers("order_list")])
        if document == "order":
            return found
        return [row for order in found for row in rows_of(order.get(_INSIDE[document]) or [])][:MOST]

    async def _numbers(self, name: str) -> list[str]:
        """Of the newest records of a list: map and all, for that is what they are looked for by."""
        reader = self._lists[name]
        column = reader.column("number")
        rows = await reader.some(MOST)
        alias, _, last = column.rpartition(".")
        inner = (row.get(alias, {}) if alias else row for row in rows)
        return [number for row in inner if (number := text(row.get(last)))]

    async def _asked(self, document: str, asked: list[Record]) -> list[Record]:
        path = self._kinds[document].block.form
        return [named(row) for row in rows_in(await self._client.read(path, asked), path)] if asked else []


def _column(name: str, value: Any) -> ErpField:
    table, _, last = name.rpartition(".")
    return ErpField(name, title(last), _type(value), table, "", name)


def _written(name: str) -> ErpField:
    group, lined, last = name.rpartition("[].")
    write = f"{name}.Code" if last in REFERENCES else name
    return ErpField(last, title(last), "", title(group) or group if lined else "", write, "")


def _read(name: str, value: Any) -> Iterable[ErpField]:
    """A reference by its parts: ItemMaster.Code."""
    if isinstance(value, Mapping):
        parts = [n for n, inner in value.items() if not isinstance(inner, Mapping | list)]
        group = title(name) or name
        return [ErpField(f"{name}.{n}", title(n), _type(value[n]), group, "", f"{name}.{n}") for n in parts]
    return [ErpField(name, title(name), _type(value), "", "", name)]


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "list" if isinstance(value, list) else "text"
