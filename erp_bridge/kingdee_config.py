"""The `with:` block of `erp: {kind: kingdee-galaxy}`: whatever differs between tenants is written here.

What goes into which field is in `documents:`, laid over erp_bridge.kingdee_maps; the rest says who we are and
how their documents come about and are finished.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, HttpUrl

from erp_bridge.fieldmap import MapBlock
from erp_bridge.own_pushes import PushSecrets
from hub.config import Block, Duration, TimeZoneName, WrittenSecret

NumberText = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]
Posting = Literal["report", "receipt", "issue", "quality", "hours", "scrap"]
Document = Literal[
    "ticket", "order", "plan", "sales_order", "item", "equipment", "stock", "order_change",
    "report", "receipt", "issue", "quality", "hours", "scrap",
]  # fmt: skip
Without = Literal[
    "attachments", "report-operations", "orders", "change-orders", "sales-orders", "items", "equipment",
    "receipts", "issues", "quality", "hours", "scrap", "reported", "stock",
]  # fmt: skip


class TicketBlock(Block):
    """The life of the maintenance bill 设备报修单."""

    submit_on_create: bool = False
    approve_on_close: bool = True
    close_operation: str = Field("", description="form operation that ends it, as BillClose")
    reopen_operation: str = Field("", description="its reverse, as Unclose")


class PostingBlock(Block):
    """How a bill comes about: pushed 下推 from a line of `source`, or saved where `source` is empty."""

    source: str | None = Field(None, description="form it is pushed from; empty: it is saved by itself")
    entry: str | None = Field(None, description="the source's entry")
    match: dict[str, str] | None = Field(None, description="source's field: expression; finds the line")
    trace: dict[str, str] | None = Field(
        None, description="field of the pushed bill: expression; finds one that was pushed and then lost"
    )
    rule: str | None = Field(None, description="conversion rule 转换规则; empty: the tenant's default rule")
    until: Literal["saved", "submitted", "approved"] | None = Field(
        None, description="how far we take it; the office does the rest"
    )

    def over(self, base: PostingBlock) -> PostingBlock:
        return base.model_copy(update=self.model_dump(exclude_unset=True))


class OrderBlock(Block):
    rush_priority: int = Field(0, description="a sales priority of this or less is a rush order; 0 for never")
    work_centers: dict[str, str] = Field({}, description="their work centre -> path of our line")


class KingdeeConfig(Block):
    server_url: HttpUrl
    acct_id: str = Field(min_length=1, description="data centre id 账套ID")
    user: str = Field(min_length=1)
    app_id: str = Field(min_length=1)
    app_secret: WrittenSecret
    lcid: int = 2052
    org_num: NumberText = "0"
    time_zone: TimeZoneName = Field(
        "Asia/Shanghai", description="of the server: its local times have no zone"
    )
    timeout: Duration = timedelta(seconds=30)
    page_rows: int = Field(2000, ge=1, le=10000)
    overlap: Duration = Field(
        timedelta(minutes=10), description="changes are asked for from this much earlier"
    )
    quota_pause: Duration = Field(timedelta(hours=1), description="rest after MsgCode 14, calls used up")
    patience: Duration = Field(
        timedelta(hours=1), description="how old a report may be whose order the office has not released yet"
    )
    creator: str = Field("FCreatorId.FNumber", description="tells our own half-made bills from the clerks'")
    employees: dict[str, str] = Field({}, description="our person id -> employee number")
    documents: dict[Document, MapBlock] = Field({}, description="laid over the connector's own maps")
    filters: dict[Document, str] = Field(
        {}, description="what of it is ours, in their filter language: FPrdOrgId.FNumber='100'"
    )
    postings: dict[Posting, PostingBlock] = Field({})
    ticket: TicketBlock = TicketBlock()
    order: OrderBlock = OrderBlock()
    push_secrets: PushSecrets = Field(
        [], description="of signed pushes to /api/erp/push; empty: none is believed"
    )
    without: list[Without] = Field([], description="what this tenant does not have or does not want from us")

    @property
    def base_url(self) -> str:
        return str(self.server_url).rstrip("/") + "/"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
