"""The `with:` block of `erp: {kind: kingdee-galaxy}`: whatever differs between tenants is written here.

Field keys are those of a bill made in the BOS designer after our profile; an empty key leaves the field out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr, field_validator

from hub.config import Block, Duration

NumberText = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]


class TicketKeys(Block):
    """Field keys of the maintenance bill 设备报修单."""

    key: str = Field("F_AH_ExtKey", min_length=1, description="our ticket number; give it a unique index")
    equipment: str = "F_AH_Equip"
    title: str = "F_AH_FaultDesc"
    fault_code: str = "F_AH_FaultCode"
    priority: str = "F_AH_Level"
    order: str = "F_AH_MoNo"
    state: str = "F_AH_State"
    opened_at: str = "F_AH_ReportTime"
    stopped_at: str = "F_AH_StopTime"
    accepted_at: str = "F_AH_AckTime"
    arrived_at: str = "F_AH_ArriveTime"
    closed_at: str = "F_AH_CloseTime"
    person: str = "F_AH_Worker"
    person_name: str = "F_AH_WorkerName"
    cause_class: str = "F_AH_CauseClass"
    cause: str = "F_AH_Result"
    downtime_minutes: str = "F_AH_DownMin"
    photo: str = "F_AH_Photo"
    note: str = "F_AH_Note"


class TicketBlock(Block):
    """`states`: our ticket states in the codes of their state field."""

    form: str = "AH_EquipRepair"
    keys: TicketKeys = TicketKeys()
    states: dict[str, str] = Field(
        {
            "sent": "OPEN",
            "accepted": "ACK",
            "on-site": "ON_SITE",
            "repairing": "DOING",
            "verifying": "VERIFYING",
            "wait-parts": "WAIT_PARTS",
            "reopened": "REOPENED",
            "closed": "DONE",
            "false-alarm": "CANCELLED",
        }
    )
    closed_codes: list[str] = Field(["DONE", "CANCELLED"])
    priorities: dict[int, str] = Field({1: "1", 2: "2", 3: "3", 4: "4"})
    submit_on_create: bool = False
    approve_on_close: bool = True


class ReportBlock(Block):
    """Operation reports 工序汇报, pushed from the operation plan 工序计划."""

    form: str = "SFC_OperationReport"
    entry: str = "FEntity"
    key: str = Field("F_AH_RptKey", min_length=1, description="our report number; give it a unique index")
    rule: str = "SFC_OperationPlanning-SFC_OperationReport"
    finished: str = "FFinishQty"
    good: str = "FQuaQty"
    scrap: str = "FProcessFailQty"
    operation: str = "FOperNumber"
    source: str = "FSourceBillNo"
    creator: str = Field("FCreatorId.FNumber", description="tells our own half-made reports from the clerks'")
    person: str = "F_AH_Worker"
    equipment: str = "F_AH_Equip"
    at: str = "F_AH_RptTime"
    plan_patience: Duration = Field(
        timedelta(hours=1), description="how old a report may be whose order the office has not released yet"
    )


class PlanBlock(Block):
    """The operation plan 工序计划."""

    form: str = "SFC_OperationPlanning"
    entry: str = "FSubEntity"
    order: str = "FMONumber"
    order_entry: str = "FMOEntryId"
    operation: str = "FOperNumber"
    name: str = "FOperDescription"
    name_en: str = ""
    work_center: str = "FWorkCenterId.FNumber"
    quantity: str = "FOperQty"


class OrderBlock(Block):
    """Production orders 生产订单, with rush flag and priority from the sales order 销售订单."""

    form: str = "PRD_MO"
    entry: str = "FTreeEntity"
    states: list[NumberText] = Field(["3", "4"], description="3 下达, 4 开工: what the shop floor should see")
    finished: list[NumberText] = Field(["5", "6"], description="5 完工, 6 结案: nothing is left to do")
    organisation: NumberText = Field("", description="number of the production organisation; empty for all")
    product_name_en: str = ""
    priority: str = Field("", description="a custom field of the order line; empty takes the sales order's")
    sales_form: str = Field("SAL_SaleOrder", description="empty leaves sales orders alone")
    sales_entry: str = "FSaleOrderEntry"
    sales_priority: str = "FPriority"
    rush: str = Field("F_AH_Rush", description="check box; empty uses only rush_priority")
    rush_priority: int = Field(0, description="a sales priority of this or less is a rush order; 0 for never")
    work_centers: dict[str, str] = Field({}, description="their work centre -> path of our line")


class KingdeeConfig(Block):
    server_url: HttpUrl
    acct_id: str = Field(min_length=1, description="data centre id 账套ID")
    user: str = Field(min_length=1)
    app_id: str = Field(min_length=1)
    app_secret: SecretStr
    lcid: int = 2052
    org_num: NumberText = "0"
    time_zone: str = Field("Asia/Shanghai", description="of the server: it speaks local time without a zone")
    timeout: Duration = timedelta(seconds=30)
    page_rows: int = Field(2000, ge=1, le=10000)
    overlap: Duration = Field(
        timedelta(minutes=10), description="changes are asked for from this much earlier"
    )
    quota_pause: Duration = Field(timedelta(hours=1), description="rest after MsgCode 14, calls used up")
    employees: dict[str, str] = Field({}, description="our person id -> employee number")
    ticket: TicketBlock = TicketBlock()
    plan: PlanBlock = PlanBlock()
    report: ReportBlock = ReportBlock()
    order: OrderBlock = OrderBlock()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value!r} is not an IANA time zone; write for example Asia/Shanghai") from None
        return value

    @field_validator("app_secret")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value():
            raise ValueError("is empty; write {env: NAME} or {file: PATH}")
        return value

    @property
    def base_url(self) -> str:
        return str(self.server_url).rstrip("/") + "/"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
