"""The `with:` block of `erp: {kind: yonyou-u9}`: whatever differs between sites is written here.

What goes into which field is in `documents:`, laid over erp_bridge.yonyou_maps; which interface stands for
what is in `services:`. U9 has no standard repair form: `services.ticket` says which of the site's own does.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, HttpUrl, field_validator

from erp_bridge.fieldmap import MapBlock
from erp_bridge.mapping import Capability
from erp_bridge.own_pushes import PushSecrets
from hub.config import Block, Duration, TimeZoneName, WrittenSecret

NumberText = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]
Posting = Literal["report", "receipt", "issue", "quality", "hours", "scrap"]
Service = Literal[
    "ticket", "completion", "transfer", "issue", "quality", "hours", "order_change", "sales_change"
]
Document = Literal[
    "ticket", "step", "closing", "order_list", "order", "operation", "source", "pick", "start",
    "order_change", "sales_change", "sales_order", "item_list", "item", "equipment", "stock",
    "report", "transfer", "receipt", "receiving", "issue", "quality", "hours", "scrap",
]  # fmt: skip


class ServiceBlock(Block):
    """The interfaces of one kind of document, below webapi/; an empty path: there is none."""

    create: str | None = None
    query: str | None = None
    modify: str | None = None
    close: str | None = None
    reopen: str | None = Field(None, description="empty: `modify` with the state of documents.step")
    delete: str | None = None
    approve: str | None = None
    receive: str | None = None
    body: str | None = Field(
        None, description="expression over {action, rows}: what is sent where rows alone will not do"
    )
    approve_body: str | None = Field(None, description="the same of `approve`")
    answer: str | None = Field(None, description="expression over Data: where in it the rows are")
    look_up: str | None = Field(
        None, description="table with an alias, or entity, in which our number is looked for by segment"
    )
    doc_type: NumberText | None = Field(None, description="code of the document type 单据类型")
    fields: list[str] = Field(
        [], description="fields that this site's interface takes and the public file does not name"
    )

    def over(self, base: ServiceBlock) -> ServiceBlock:
        return base.model_copy(update=self.model_dump(exclude_unset=True))


class YonyouConfig(Block):
    server_url: HttpUrl = Field(description="with the site's name: http://host[:port]/U9C")
    client_id: str = Field(min_length=1, description="应用ID; of this hub alone: each log-in ends the last")
    client_secret: WrittenSecret
    ent_code: NumberText = Field(min_length=1, description="enterprise 企业编码")
    user_code: NumberText = Field(min_length=1)
    org_code: NumberText = Field(min_length=1, description="organisation 组织: the token is bound to it")
    login_type: Literal[1, 2] = Field(1, description="1 ordinary, 2 domain account")
    language: str = "zh-CN"
    time_zone: TimeZoneName = Field(
        "Asia/Shanghai", description="of the server: its local times have no zone"
    )
    timeout: Duration = timedelta(seconds=60)
    parallel: int = Field(2, ge=1, le=10, description="calls at the same time")
    rows_at_once: int = Field(50, ge=1, le=100, description="rows of one query by number")
    page_rows: int = Field(500, ge=1, le=5000, description="rows of a page of CommonEntity/Query")
    overlap: Duration = Field(
        timedelta(minutes=10), description="changes are asked for from this much earlier"
    )
    patience: Duration = Field(
        timedelta(hours=1), description="how old a report may be whose order the office has not released yet"
    )
    reads: Literal["sql", "entity"] = Field(
        "sql", description="lists by QueryCommon/QueryInfoBySql or by CommonEntity/Query"
    )
    entity_filter: str = Field(
        "",
        description="a filter of CommonEntity/Query, expression over {field, operator, value}; empty: none",
    )
    reports: Literal["auto", "completion", "transfer"] = Field(
        "auto", description="auto: the last operation by completion report, the others by transfer 工序转移"
    )
    start_orders: bool = Field(True, description="a first report starts 开工 an approved order")
    until: dict[Posting, Literal["saved", "approved", "received"]] = Field(
        {}, description="how far we take a posting; the office does the rest"
    )
    tickets: Literal["service", "none"] = Field(
        "service", description="none: this site has no interface for repairs; tickets stay in the hub"
    )
    find_by: list[Literal["OtherID", "DocNo"]] = Field(
        ["OtherID", "DocNo"], min_length=1, description="how a repair is looked for"
    )
    push_secrets: PushSecrets = Field(
        [], description="of signed pushes to /api/erp/push; empty: none is believed"
    )
    employees: dict[str, NumberText] = Field({}, description="our person id -> employee code")
    work_centers: dict[str, str] = Field({}, description="their work centre -> path of our line")
    services: dict[Service, ServiceBlock] = Field({}, description="laid over the connector's own")
    documents: dict[Document, MapBlock] = Field({}, description="laid over the connector's own maps")
    filters: dict[Document, str] = Field(
        {}, description="what of a list is ours, as an SQL condition: m.Org = 1001"
    )
    busy_words: list[str] = Field(
        ["正在被", "被锁定", "已锁定", "被其他用户", "并发", "死锁", "请稍后", "locked by", "deadlock"],
        description="words of a row that somebody has the document open",
    )
    taken_words: list[str] = Field(
        ["已存在", "重复", "already exist", "duplicate"], description="words of a row that a number is taken"
    )
    missing_words: list[str] = Field(
        [
            "不存在",
            "找不到",
            "未找到",
            "没有找到",
            "没有对应",
            "没有数据",
            "未查询到",
            "查无",
            "无此",
            "无数据",
            "not exist",
            "not found",
            "no data",
        ],
        description="words of a row that there is nothing to delete",
    )
    without: list[Capability] = Field([], description="what this site does not have or does not want from us")

    @field_validator("server_url")
    @classmethod
    def _site(cls, value: HttpUrl) -> HttpUrl:
        if (value.path or "/") == "/" or value.query or value.username:
            raise ValueError("write host and site, as http://u9.example:8081/U9C; webapi is added by itself")
        return value

    @property
    def base_url(self) -> str:
        return str(self.server_url).rstrip("/").removesuffix("/webapi") + "/webapi/"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
