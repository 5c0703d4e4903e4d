"""One of our documents in one of their forms: what is written where, what is read, what may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_maps import DOCUMENTS
from hub.errors import ConfigError

# what a clerk cannot do without, whoever made the bill
_ESSENTIAL = ("key", "headline", "filled(equipment)", "table('states', state)")


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    block: MapBlock
    map: FieldMap
    key: str  # the field that carries our key; "" for what is only read
    extras: frozenset[str]  # custom fields of our profile that a tenant's bill may not have
    lacking: set[str] = field(default_factory=set)  # those that it was found not to have

    @property
    def form(self) -> str:
        return self.block.form

    @property
    def columns(self) -> list[str]:
        return asked(self.block)

    @property
    def shown(self) -> list[str]:
        """What a bill that is never read is shown by: what it is known by, and what is written into it."""
        if self.columns:
            return []
        written = [*self.block.write, *(w for v in self.block.variants for w in v.write)]
        return list(dict.fromkeys(["FID", "FBillNo", *(w.rpartition("[].")[2] for w in written)]))

    def present(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What can be written; an entry of which nothing is left is left out."""
        return without(fields, self.lacking)


def kind_of(config: KingdeeConfig, name: str) -> Kind:
    """Raises ConfigError with every expression that cannot be read."""
    own, site = DOCUMENTS[name], config.documents.get(name)  # type: ignore[call-overload]
    block: MapBlock = site.over(own) if site else own
    where = f"erp.with.documents.{name}"
    keyed = [written for written, text in block.write.items() if text.strip() == "key"]
    if "key" in own.write.values() and not keyed:
        raise ConfigError(f"{where}.write: no field carries `key`, our number; add one, with a unique index")
    asked_for = set(site.write) if site else set()
    extras = frozenset(
        column(written)
        for written, text in own.write.items()
        if column(written).startswith("F_AH_") and text not in _ESSENTIAL and written not in asked_for
    )
    key = keyed[0].rpartition("[].")[2] if keyed else ""
    return Kind(name, block, compiled(block, config.zone, where), key, extras)


def column(written: str) -> str:
    """Of a written field, as a query names it: FEntity[].FLot.FNumber is FLot."""
    return written.rpartition("[].")[2].partition(".")[0]


def columns_of(kind: Kind, ours: Iterable[str]) -> frozenset[str]:
    """The columns without which these fields of ours could not be read."""
    return frozenset(asked(MapBlock(read={n: t for n, t in kind.block.read.items() if n in ours})))


def without(fields: Mapping[str, Any], lacking: Iterable[str]) -> dict[str, Any]:
    gone, out = set(lacking), dict[str, Any]()
    for name, value in fields.items():
        if isinstance(value, list):
            rows = [{n: v for n, v in row.items() if n not in gone} for row in value]
            if any(rows):
                out[name] = rows
        elif name not in gone:
            out[name] = value
    return out


def named_in(fields: Mapping[str, Any]) -> set[str]:
    """Every field key of a model, those of its entries included."""
    inner = {n for value in fields.values() if isinstance(value, list) for row in value for n in row}
    return set(fields) | inner
