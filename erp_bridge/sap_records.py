"""A document of ours bound to a service: what its map gives, in the types of this release."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from erp_bridge import as_read
from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.sap_client import SapClient
from erp_bridge.sap_config import SapConfig
from erp_bridge.sap_maps import DOCUMENTS, NEEDED, SERVICES
from erp_bridge.sap_metadata import EntityType, Metadata, Property
from erp_bridge.sap_service import PATHS, Entity, ODataService
from erp_bridge.sap_values import encoded
from hub.errors import ErpRefused

log = logging.getLogger(__name__)

PARAGRAPH = "+"  # at the end of a written field: a line is added to a long text


@dataclass(frozen=True, slots=True)
class Kind:
    """`block`: the site's map over ours; `own`: what the site itself has asked for."""

    name: str
    service: ODataService
    block: MapBlock
    map: FieldMap
    own: frozenset[str]
    mine: str  # what of it is ours, as $filter

    @property
    def form(self) -> str:
        return self.block.form

    async def rows(self, *where: str, **how: Any) -> list[Entity]:
        conditions = [part for part in (*where, f"({self.mine})" if self.mine else "") if part]
        return await self.service.rows(self.form, " and ".join(conditions), **how)

    def read(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """In our fields; one that cannot be read must not hide the others."""
        return as_read.read(self.name, _called(record), self.map, record)

    async def written(self, fields: Mapping[str, Any], *, new: bool) -> tuple[dict[str, Any], dict[str, str]]:
        """(body, lines for long texts). Raises ErpRefused naming the property that does not fit."""
        whole = self.map.written(fields)
        lines = {n.rstrip(PARAGRAPH): str(v) for n, v in whole.items() if n.endswith(PARAGRAPH) and v}
        plain = {n: v for n, v in whole.items() if not n.endswith(PARAGRAPH)}
        kind = await self.service.kind(self.form)
        lines = {n: v for n, v in lines.items() if self._has(kind, n, n + PARAGRAPH, new)}
        return await self.fit(plain, new=new), lines

    async def fit(self, fields: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
        """Plain values by their property, as this release wants them."""
        known, kind = await self.service.metadata(), await self.service.kind(self.form)
        return self._fitted(fields, known, kind, new, "")

    # ------------------------------------------------------------------ fitting
    def _fitted(
        self, fields: Mapping[str, Any], known: Metadata, kind: EntityType, new: bool, above: str
    ) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in fields.items():
            if not self._has(kind, name, above + name, new):
                continue
            below = known.below(kind, name)
            if isinstance(value, list) and below:
                rows = [self._fitted(row, known, below, new, f"{above}{name}[].") for row in value]
                out[name] = rows
            elif isinstance(value, Mapping) and below:
                out[name] = self._fitted(value, known, below, new, f"{above}{name}.")
            else:
                out[name] = self._value(kind.properties.get(name), value, above + name)
        return out

    def _has(self, kind: EntityType, name: str, path: str, new: bool) -> bool:
        """A property that a release lacks is left out, unless it was asked for or is the point of it all."""
        prop = kind.properties.get(name)
        if name in kind.navigation or (prop and (prop.creatable if new else prop.updatable)):
            return True
        if path in self.own or name in NEEDED.get(self.name, frozenset()):
            lacking = "is not to be written" if prop else "is not there"
            raise ErpRefused(
                f"{self.form}.{name} {lacking} in this SAP; take it out of documents.{self.name}.write"
            )
        log.debug("%s.%s is left out: this release does not take it", self.form, name)
        return False

    def _value(self, prop: Property | None, value: Any, path: str) -> Any:
        try:
            fitted = encoded(value, prop.type if prop else "Edm.String", self.service.version)
        except ValueError as cause:
            raise ErpRefused(f"documents.{self.name}.write.{path}: {cause}") from None
        if prop and prop.most and isinstance(fitted, str) and prop.type == "Edm.String":
            self._short_enough(fitted, prop.most, path)
        return fitted

    def _short_enough(self, text: str, most: int, path: str) -> None:
        if len(text) > most:
            raise ErpRefused(
                f"documents.{self.name}.write.{path}: {text[:60]!r} has {len(text)} characters, SAP takes"
                f" {most}; write cut(.., `{most}`)"
            )


_NUMBERS = (
    ("ManufacturingOrder", "ManufacturingOrderOperation"), ("MaintenanceNotification",),
    ("SalesOrder", "SalesOrderItem"), ("Equipment",), ("Product",),
)  # fmt: skip


def _called(record: Mapping[str, Any]) -> str:
    """How a clerk finds it; what is joined of several has the order's number and the item's."""
    inner = [part for name in ("order", "item") if isinstance(part := record.get(name), Mapping)]
    row = dict(record) if not inner else {n: v for part in inner for n, v in part.items()}
    names = next((group for group in _NUMBERS if row.get(group[0])), ())
    return " ".join(str(row[n]) for n in names if row.get(n)) or str(next(iter(row.values()), "?"))


class Records:
    """Everything that the connector's parts share."""

    def __init__(self, config: SapConfig, client: SapClient) -> None:
        self.config = config
        self.services = {name: ODataService(name, config, client) for name in PATHS}
        self.kinds = {name: self._kind(name) for name in DOCUMENTS}

    def _kind(self, name: str) -> Kind:
        site = self.config.documents.get(name)  # type: ignore[call-overload]
        block = site.over(self._base(name)) if site else self._base(name)
        own = frozenset(_asked_for(site)) if site else frozenset()
        where = f"erp.with.documents.{name}"
        mine = self.config.filters.get(name, "")  # type: ignore[call-overload]
        service = self.services[SERVICES[name]]
        return Kind(name, service, block, compiled(block, self.config.zone, where), own, mine)

    def _base(self, name: str) -> MapBlock:
        base = DOCUMENTS[name]
        if name != "operation" or not self.config.work_centers:
            return base
        return MapBlock(tables={"work_centers": dict(self.config.work_centers)}).over(base)


def _asked_for(site: MapBlock) -> Iterator[str]:
    for written in (site.write, *(variant.write for variant in site.variants)):
        yield from (name for name, text in written.items() if text)
    yield from asked(site)
