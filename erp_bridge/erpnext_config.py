"""The `with:` block of `erp: {kind: erpnext}`. What goes where is in `documents`, laid over erpnext_maps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from erp_bridge.erpnext_maps import DOCUMENTS
from erp_bridge.fieldmap import MapBlock
from erp_bridge.mapping import Capability
from hub.config import Block, Duration, TimeZoneName, WrittenSecret

KEY = "custom_andon_ref"


class ErpNextConfig(Block):
    url: HttpUrl = Field(description="https://host[:port], without a path")
    site: str = Field(
        "", description="name of the site where the server knows several and `url` is not its name"
    )
    api_key: str = Field(min_length=1, description="of a user of its own")
    api_secret: WrittenSecret
    scheme: Literal["token", "basic"] = Field("token", description="how key and secret are sent")
    time_zone: TimeZoneName = Field("Asia/Shanghai", description="of the site: ERPNext's times have none")
    company: str = Field("", description="whose orders are ours; empty: every company's")
    timeout: Duration = timedelta(seconds=30)
    page_rows: int = Field(500, ge=2, le=10000)
    parallel: int = Field(4, ge=1, le=20, description="requests at the same time")
    overlap: Duration = Field(
        timedelta(minutes=5), description="changes are asked for from this much earlier"
    )
    look_back: Duration = Field(
        timedelta(days=2), description="how old a job card may be that is searched for a report by hand"
    )
    patience: Duration = Field(
        timedelta(hours=1), description="how old a report may be whose order is still a draft"
    )
    key_field: str = Field(
        KEY, min_length=1, description="custom field, unique, that keeps our number on every document"
    )
    row_key_field: str = Field(
        KEY, min_length=1, description="custom field of Job Card Time Log that keeps a report's number"
    )
    keys: dict[str, str] = Field(
        {}, description="DocType: text field that begins with our number, where no custom field is wanted"
    )
    asset_field: str = Field("name", min_length=1, description="field of Asset that holds a machine's number")
    workstations: bool = Field(False, description="machines are Workstations too; their tickets are Issues")
    submit_repairs: bool = Field(True, description="a closed Asset Repair is submitted, not only Completed")
    report_as: Literal["row", "card"] = Field(
        "row", description="row: a time log of the open job card; card: that card is submitted with it"
    )
    submit_cards: bool = Field(True, description="a job card whose pieces are all there is submitted")
    users: dict[str, str] = Field({}, description="our person id -> ERPNext user, for assignments")
    employees: dict[str, str] = Field({}, description="our person id -> Employee")
    floor_states: list[str] = Field(
        ["Submitted", "Not Started", "In Process", "Stock Reserved", "Stock Partially Reserved"],
        description="statuses of a Work Order that the shop floor sees",
    )
    webhook_secret: SecretStr = Field(SecretStr(""), description="of ERPNext's Webhook documents")
    busy_words: list[str] = Field(
        ["has been modified after you have opened it", "Please refresh to get the latest document", "已修改"],
        description="words of the message that somebody else was faster",
    )
    filters: dict[str, list[list[Any]]] = Field(
        {}, description="document: Frappe filters instead of the connector's"
    )
    without: list[Capability] = Field([], description="what this site does not have or does not want from us")
    documents: dict[str, MapBlock] = Field({}, description="laid over the connector's own, field by field")

    @field_validator("url")
    @classmethod
    def _host_alone(cls, value: HttpUrl) -> HttpUrl:
        if (value.path or "/") != "/" or value.query or value.username:
            raise ValueError("write the host alone, as https://erp.example")
        return value

    @model_validator(mode="after")
    def _known_documents(self) -> Self:
        for place, names in (("documents", self.documents), ("filters", self.filters)):
            for name in names:
                if name not in DOCUMENTS:
                    raise ValueError(f"{place}.{name}: no such document; there are {', '.join(DOCUMENTS)}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def key_of(self, doctype: str) -> str:
        return self.keys.get(doctype, self.key_field)
