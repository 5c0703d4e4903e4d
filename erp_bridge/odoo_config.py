"""The `with:` block of `erp: {kind: odoo}`. What goes where is in `documents`, laid over odoo_maps."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, HttpUrl, model_validator

from erp_bridge.fieldmap import MapBlock
from erp_bridge.mapping import Capability
from erp_bridge.odoo_maps import DOCUMENTS, LOOKUPS
from hub.config import Block, Duration, TimeZoneName, WrittenSecret

Names = Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]


class OdooConfig(Block):
    url: HttpUrl = Field(description="of the server: https://erp.example/")
    database: str = Field("", description="wanted where a host serves several, and before Odoo 19 always")
    user: str = Field("", description="login, before Odoo 19")
    api_key: WrittenSecret = Field(description="Preferences > Account Security; before Odoo 14 a password")
    protocol: Literal["auto", "json2", "jsonrpc"] = Field(
        "auto", description="auto: what the server's release speaks"
    )
    language: str = Field("", description="as zh_CN, installed in Odoo; empty: that of the user")
    time_zone: TimeZoneName = Field("Asia/Shanghai", description="of the plant; what Odoo keeps is UTC")
    timeout: Duration = timedelta(seconds=30)
    page_rows: int = Field(500, ge=1, le=10000)
    overlap: Duration = Field(
        timedelta(minutes=10), description="changes are asked for from this much earlier"
    )
    look_back: Duration = Field(
        timedelta(days=30), description="how old a posting may be that is looked for without its order"
    )
    floor_states: list[str] = Field(
        ["confirmed", "progress", "to_close"], description="states of an order that the shop floor sees"
    )
    start_operations: bool = Field(True, description="press Start on an operation with its first report")
    skip_consumption_warning: bool = Field(
        True, description="complete an order whose consumption differs from its bill of materials"
    )
    without: list[Capability] = Field([], description="what this site does not have or does not want from us")
    filters: dict[str, list[Any]] = Field({}, description="document: search domain instead of ours")
    lookups: dict[str, Names] = Field({}, description="model: fields by which a text names its records")
    documents: dict[str, MapBlock] = Field({}, description="laid over the connector's own, field by field")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for place, names in (("documents", self.documents), ("filters", self.filters)):
            for name in names:
                if name not in DOCUMENTS:
                    raise ValueError(f"{place}.{name}: no such document; there are {', '.join(DOCUMENTS)}")
        if self.protocol == "jsonrpc" and not (self.database and self.user):
            raise ValueError("protocol: jsonrpc needs database and user")
        return self

    @property
    def base(self) -> str:
        return str(self.url).rstrip("/")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def lookup(self, model: str) -> list[str]:
        return self.lookups.get(model) or LOOKUPS.get(model) or ["name"]
