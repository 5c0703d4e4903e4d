"""The `with:` block of `erp: {kind: jiandaoyun}`. `documents` is laid over jiandaoyun_maps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from erp_bridge.fieldmap import MapBlock
from erp_bridge.jiandaoyun_maps import DOCUMENTS
from erp_bridge.mapping import Capability
from hub.config import Block, Duration, TimeZoneName, WrittenSecret

Creation = Literal["batch", "single"]


class PathsBlock(Block):
    """Of the workflow API, below `base_url`: the vendor raises their versions often."""

    instance_get: str = "v6/workflow/instance/get"
    approve: str = "v1/workflow/task/approve"
    activate: str = "v1/workflow/instance/activate"


class TicketBlock(Block):
    """The life of the repair form 设备报修."""

    workflow: bool = Field(
        False, description="a form with a workflow 流程表单: start it, and end it on closing"
    )
    approver: str = Field("", description="member number that ends a step; empty: whoever the step waits for")
    comment: str = Field("设备已恢复", description="said on ending a step")
    steps: int = Field(10, ge=1, le=50, description="steps of the workflow that we end at the most")


class JiandaoyunConfig(Block):
    base_url: HttpUrl = Field(
        HttpUrl("https://api.jiandaoyun.com/api"), description="private clouds have a host of their own"
    )
    api_key: WrittenSecret = Field(description="开放平台 → 密钥管理")
    app_id: str = Field(min_length=1, description="24 hex digits, in the address of the app")
    time_zone: TimeZoneName = Field("Asia/Shanghai", description="of times that come without a zone")
    timeout: Duration = timedelta(seconds=30)
    page_rows: int = Field(100, ge=1, le=100)
    overlap: Duration = Field(
        timedelta(minutes=10), description="changes are asked for from this much earlier"
    )
    patience: Duration = Field(
        timedelta(hours=1), description="how old a report may be whose order the office has not entered yet"
    )
    limit_pause: Duration = Field(
        timedelta(seconds=2), description="rest after a rate limit 8303, 8304 or 429"
    )
    rights_pause: Duration = Field(
        timedelta(minutes=5), description="rest after a key or a right was refused; nothing is given up"
    )
    quota_pause: Duration = Field(timedelta(hours=1), description="rest after a limit of the package")
    pace: float = Field(
        0.8, ge=0, le=1, description="share of the vendor's rates that we use; 0 for no brake"
    )
    schema_age: Duration = Field(timedelta(minutes=10), description="forms are looked at again after so long")
    creator: str = Field("", description="member number that our records are made by; empty: the company's")
    triggers: bool = Field(True, description="our updates run 智能助手")
    create: dict[str, Creation] = Field(
        {}, description="document: batch (safest) or single (runs 智能助手 when a record is made)"
    )
    employees: dict[str, str] = Field({}, description="our person id -> member number 成员编号")
    work_centers: dict[str, str] = Field({}, description="their work centre -> path of our line")
    push_secrets: list[SecretStr] = Field([], description="of the 数据推送 of each form")
    filters: dict[str, list[dict[str, Any]]] = Field(
        {}, description="document: conditions, as {field: plant, method: eq, value: [一厂]}"
    )
    ticket: TicketBlock = TicketBlock()
    paths: PathsBlock = PathsBlock()
    documents: dict[str, MapBlock] = Field({}, description="laid over the connector's own, field by field")
    without: list[Capability] = Field(
        [Capability.STOCK], description="what this app does not have or does not want from us"
    )

    @field_validator("push_secrets")
    @classmethod
    def _none_empty(cls, value: list[SecretStr]) -> list[SecretStr]:
        if not all(secret.get_secret_value() for secret in value):
            raise ValueError("one of them is empty: everybody could sign with it")
        return value

    @model_validator(mode="after")
    def _known_documents(self) -> JiandaoyunConfig:
        named = {"documents": [*self.documents], "filters": [*self.filters], "create": [*self.create]}
        for place, names in named.items():
            for name in names:
                if name not in DOCUMENTS:
                    raise ValueError(f"{place}.{name}: no such document; there are {', '.join(DOCUMENTS)}")
        return self

    @property
    def root(self) -> str:
        return str(self.base_url).rstrip("/") + "/"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
