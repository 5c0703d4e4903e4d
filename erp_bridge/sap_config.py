"""The `with:` block of `erp: {kind: sap-s4}`: whatever differs between systems is written here."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr, field_validator, model_validator

from erp_bridge.bearer import OauthBlock
from erp_bridge.fieldmap import MapBlock
from erp_bridge.own_pushes import PushSecrets
from hub.config import Block, Duration

NumberText = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]
Service = Literal[
    "production_order", "confirmation", "notification", "sales_order", "equipment", "batch", "product"
]
Document = Literal[
    "ticket", "step", "closing", "completion", "order", "operation", "order_change", "sales_order",
    "sales_change", "item", "equipment", "report", "receipt", "issue", "hours", "scrap", "quality",
]  # fmt: skip
Without = Literal[
    "report-operations", "orders", "change-orders", "sales-orders", "items", "equipment", "receipts",
    "issues", "hours", "scrap", "reported",
]  # fmt: skip


class ServiceBlock(Block):
    """Where a service is: successors have other names, OData 4 other paths."""

    path: str = Field("", description="from the host on, as /sap/opu/odata/sap/API_EQUIPMENT")
    version: Literal[2, 4] = 2

    @field_validator("path")
    @classmethod
    def _from_root(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError(f"{value!r} does not begin with /; write it from the host on")
        return value.rstrip("/")


class SapConfig(Block):
    url: HttpUrl = Field(description="https://host[:port], without a path")
    client: NumberText = Field("", description="sap-client, as 100; the cloud has one and needs none")
    language: str = Field("ZH", description="of messages; sent as Accept-Language")
    user: str = Field("", description="communication user")
    password: SecretStr = SecretStr("")
    oauth: OauthBlock | None = None
    time_zone: str = Field("Asia/Shanghai", description="of the plant: SAP's dates and times are its")
    change_time_zone: str = Field("UTC", description="of LastChangeDateTime of production orders")
    plants: list[NumberText] = Field([], description="plants that are ours, as 1710; empty: all")
    timeout: Duration = timedelta(seconds=30)
    page_rows: int = Field(500, ge=1, le=1000)
    parallel: int = Field(5, ge=1, le=20, description="requests at the same time")
    overlap: Duration = Field(
        timedelta(minutes=5), description="changes are asked for from this much earlier"
    )
    patience: Duration = Field(
        timedelta(hours=1), description="how old a report may be whose order is not released yet"
    )
    services: dict[Service, ServiceBlock] = Field({})
    level: Literal["operation", "order"] = Field(
        "operation", description="confirmation level; an order must not mix both"
    )
    operation_zeros: bool = Field(False, description="operations are 0010 in the MES too, not 10")
    any_version: bool = Field(False, description="send If-Match: * where SAP wants one and gives none")
    long_text: Literal["replaced", "appended"] = Field(
        "replaced", description="what SAP does with a long text that is written again"
    )
    quality_notification: str = Field(
        "", description="notification type that takes inspection results, as M3; empty: none does"
    )
    rush_sales_items: bool = Field(False, description="a rush order also raises its sales item's priority")
    busy_words: list[str] = Field(
        ["currently being processed", "being processed by", "locked by", "正在处理", "正在由", "锁定"],
        description="words of the message that somebody has the document open",
    )  # fmt: skip
    employees: dict[str, NumberText] = Field({}, description="our person id -> personnel number")
    users: dict[str, str] = Field({}, description="our person id -> SAP user, for ReportedByUser")
    work_centers: dict[str, str] = Field({}, description="their work centre -> path of our line")
    documents: dict[Document, MapBlock] = Field({}, description="laid over the connector's own maps")
    filters: dict[Document, str] = Field({}, description="what of it is ours, as OData $filter")
    push_secrets: PushSecrets = Field(
        [], description="of signed pushes to /api/erp/push; empty: none is believed"
    )
    without: list[Without] = Field([], description="what this system does not have or does not want from us")

    @field_validator("url")
    @classmethod
    def _host_alone(cls, value: HttpUrl) -> HttpUrl:
        if (value.path or "/") != "/" or value.query or value.username:
            raise ValueError("write the host alone, as https://my300000-api.s4hana.ondemand.com")
        return value

    @field_validator("time_zone", "change_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value!r} is not an IANA time zone; write for example Asia/Shanghai") from None
        return value

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.oauth is None and not (self.user and self.password.get_secret_value()):
            raise ValueError("nobody to log on as; write user and password, or oauth")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
