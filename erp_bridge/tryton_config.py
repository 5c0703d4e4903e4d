"""The `with:` block of `erp: {kind: tryton}`. What goes where is in `documents`, laid over tryton_maps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, HttpUrl, model_validator

from erp_bridge.fieldmap import MapBlock
from erp_bridge.mapping import Capability
from erp_bridge.own_pushes import PushSecrets
from erp_bridge.tryton_maps import DOCUMENTS, LOOKUPS
from hub.config import Block, Duration, TimeZoneName, WrittenSecret


class TrytonConfig(Block):
    url: HttpUrl = Field(description="of the server, without the database: http://erp.example:8000/")
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: WrittenSecret
    time_zone: TimeZoneName = Field("Asia/Shanghai", description="of the plant: Tryton's dates have no zone")
    timeout: Duration = timedelta(seconds=30)
    page_rows: int = Field(500, ge=1, le=10000)
    overlap: Duration = Field(
        timedelta(minutes=10), description="changes are asked for from this much earlier"
    )
    look_back: Duration = Field(
        timedelta(days=30), description="how old a report or move may be that is looked for without its order"
    )
    key_field: str = Field(
        "name", min_length=1, description="field of the ticket that is our number or begins with it"
    )
    employees: dict[str, str] = Field({}, description="our person id -> employee's name or code")
    employee: str = Field("", description="books the hours of persons who are not in `employees`")
    quality_control: str = Field("", description="name of the control for checks that have none of their own")
    shop_floor: str = Field(
        "", description="location that issued material goes to; empty: the warehouse's production picking"
    )
    floor_states: list[str] = Field(
        ["waiting", "assigned", "running"], description="states of a production that the shop floor sees"
    )
    accept_warnings: list[str] = Field(
        [], description="names of warnings to be answered with yes; all others are refusals"
    )
    push_secrets: PushSecrets = Field(
        [], description="of signed pushes to /api/erp/push; empty: none is believed"
    )
    without: list[Capability] = Field([], description="what this site does not have or does not want from us")
    filters: dict[str, list[Any]] = Field(
        {}, description="document: search domain instead of the connector's"
    )
    lookups: dict[str, str] = Field({}, description="model: field by which a text names one of its records")
    documents: dict[str, MapBlock] = Field({}, description="laid over the connector's own, field by field")

    @model_validator(mode="after")
    def _known_documents(self) -> TrytonConfig:
        for place, names in (("documents", self.documents), ("filters", self.filters)):
            for name in names:
                if name not in DOCUMENTS:
                    raise ValueError(f"{place}.{name}: no such document; there are {', '.join(DOCUMENTS)}")
        return self

    @property
    def endpoint(self) -> str:
        return f"{str(self.url).rstrip('/')}/{self.database}/rpc/"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def lookup(self, model: str) -> str:
        return (LOOKUPS | self.lookups).get(model, "rec_name")
