"""The `with:` block of `erp: {kind: oracle-fusion}`: whatever differs between pods is written here."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr, field_validator, model_validator

from erp_bridge.bearer import OauthBlock
from erp_bridge.fieldmap import MapBlock
from hub.config import Block, Duration, TimeZoneName

NumberText = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]
Document = Literal[
    "ticket", "step", "closing", "order", "operation", "material", "resource", "order_change",
    "sales_order", "item", "equipment", "stock", "report", "scrap", "receipt", "issue", "hours", "quality",
]  # fmt: skip
Without = Literal[
    "report-operations", "orders", "change-orders", "sales-orders", "items", "equipment", "receipts",
    "issues", "hours", "scrap", "reported", "stock", "reopen-tickets",
]  # fmt: skip


class MarkBlock(Block):
    """Where a production order remembers which of our reports it has: Oracle's transactions have no key."""

    attribute: str = Field(
        "WorkOrderDescription",
        description="a text of the work order, or of `child`; empty: none, a restart forgets what was begun",
    )
    child: str = Field("", description="WorkOrderDFF for a descriptive flexfield; empty: the order itself")
    context: str = Field("", description="__FLEX_Context of that flexfield")
    length: int = Field(240, ge=80, le=4000, description="characters that the attribute takes")


class QualityBlock(Block):
    """A resource that takes inspection results and can be asked for them by a key of ours."""

    resource: str = Field(description="its name in the URL")
    key: str = Field(description="the attribute with our key; make it unique")


class OracleConfig(Block):
    url: HttpUrl = Field(description="https://<pod>.fa.<region>.oraclecloud.com, without a path")
    resources: str = Field("/fscmRestApi/resources/11.13.18.05", description="path of the REST resources")
    framework: int = Field(4, ge=1, le=9, description="REST-Framework-Version; 1 has another query language")
    user: str = Field("", description="integration user")
    password: SecretStr = SecretStr("")
    oauth: OauthBlock | None = None
    organization: NumberText = Field(min_length=1, max_length=18, description="OrganizationCode of the plant")
    maintenance_organization: NumberText = Field("", description="of tickets; empty: `organization`")
    source_system: str = Field("ANDON_HUB", max_length=30, description="as registered in Manufacturing")
    time_zone: TimeZoneName = Field("Asia/Shanghai", description="of the plant, for times in texts")
    timeout: Duration = timedelta(seconds=60)
    page_rows: int = Field(500, ge=2, le=500)
    parallel: int = Field(4, ge=1, le=20, description="requests at the same time")
    overlap: Duration = Field(
        timedelta(minutes=5), description="changes are asked for from this much earlier"
    )
    patience: Duration = Field(
        timedelta(hours=1), description="how old a report may be whose order is not ready for it yet"
    )
    settle: Duration = Field(
        timedelta(seconds=15), description="how long a transaction may still be under way after a crash"
    )
    marks_kept: Duration = Field(
        timedelta(days=30), description="a report is looked for in orders changed since then"
    )
    mark: MarkBlock = Field(default_factory=MarkBlock)
    other_asset: str = Field("", description="AssetNumber for machines that Oracle does not have")
    opened_as: Literal["unreleased", "released"] = Field("unreleased", description="status of a new ticket")
    report_ticket_operations: bool = Field(
        True, description="report a ticket's operations where Oracle does not complete it otherwise"
    )
    flex_context: str = Field("", description="__FLEX_Context of a ticket's WorkOrderDFF")
    resource_codes: dict[Literal["labour", "machine"], str] = Field(
        {}, description="resource that hours are charged to; otherwise the operation's own of that type"
    )
    quality: QualityBlock | None = None
    busy_words: list[str] = Field(
        ["locked by another user", "currently being updated", "被其他用户锁定"],
        description="words of the message that somebody has the record open",
    )
    employees: dict[str, NumberText] = Field({}, description="our person id -> their labour instance")
    work_centers: dict[str, str] = Field({}, description="their work centre code -> path of our line")
    documents: dict[Document, MapBlock] = Field({}, description="laid over the connector's own maps")
    filters: dict[Document, str] = Field({}, description="what of it is ours, in the query language of q")
    without: list[Without] = Field([], description="what this pod does not have or does not want from us")

    @field_validator("url")
    @classmethod
    def _host_alone(cls, value: HttpUrl) -> HttpUrl:
        if (value.path or "/") != "/" or value.query or value.username:
            raise ValueError("write the host alone, as https://abcd.fa.em2.oraclecloud.com")
        return value

    @field_validator("resources")
    @classmethod
    def _from_root(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError(f"{value!r} does not begin with /; write it from the host on")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.oauth is None and not (self.user and self.password.get_secret_value()):
            raise ValueError("nobody to log on as; write user and password, or oauth")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def workshop(self) -> str:
        """The organization that tickets belong to."""
        return self.maintenance_organization or self.organization
