"""The configuration's outline: a block for each part of the file, with what each field takes.

The `with:` blocks are only carried here; each plugin reads its own.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from hub.config import Block, ClockTime, Duration, Text
from hub.kpi.formula import parse
from hub.model.discrepancy import Book, DiscrepancyKind
from hub.model.equipment import EquipmentState
from hub.model.parameter import ProcessParameter
from hub.model.people import Role
from hub.model.state_table import numbered
from hub.stop_settings import StopsBlock

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_TAG_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def _identifier(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"{value!r} is not an id; use small letters, digits, - and _")
    return value


Id = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]


class ParameterBlock(Block):
    """What a recipe says of a process parameter, in the tag's unit."""

    name: Text | None = Field(None, description="as recipes call it; else the tag's name")
    low: float | None = Field(None, allow_inf_nan=False)
    high: float | None = Field(None, allow_inf_nan=False)
    target: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _low_before_high(self) -> ParameterBlock:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low: must lie below high:; change one of them")
        return self


class TagBlock(Block):
    name: Text
    unit: str = ""
    decimals: int = Field(1, ge=0, le=6)
    stale_after: Duration = timedelta(seconds=5)
    shown: bool = True
    range: tuple[float, float] | None = Field(None, description="[low, high] of normal operation")

    deadband: float = Field(
        0, ge=0, allow_inf_nan=False, description="changes up to this, in the tag's unit, are not told"
    )
    formula: str = Field("", description="of a derived tag, over tags of its machine or {p1/...} paths")
    process_parameter: bool | ParameterBlock = Field(
        False,
        description="its samples are bound to the order that its machine runs; true, or a recipe's words",
    )

    def parameter(self) -> ProcessParameter | None:
        """Where the recipe sets no limits, those of normal operation count."""
        said = self.process_parameter
        if said is False:
            return None
        low, high = self.range or (None, None)
        if said is True:
            return ProcessParameter(self.name.words(), low, high)
        if said.low is not None or said.high is not None:
            low, high = said.low, said.high
        return ProcessParameter((said.name or self.name).words(), low, high, said.target)

    @model_validator(mode="after")
    def _target_within(self) -> TagBlock:
        said = self.parameter()
        if said is None or said.target is None:
            return self
        target, low, high = said.target, said.low, said.high
        if (low is None or low <= target) and (high is None or target <= high):
            return self
        if low is not None and high is not None:
            lies = f"outside {low:g} to {high:g}"
        else:
            lies = f"below {low:g}" if low is not None else f"above {high:g}"
        raise ValueError(f"process_parameter.target: {target:g} lies {lies}; correct one of them")

    @field_validator("formula")
    @classmethod
    def _a_formula(cls, value: str) -> str:
        if value:
            parse(value)
        return value

    @field_validator("range")
    @classmethod
    def _low_before_high(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError("the lower end comes first; write [low, high]")
        return value


class StateBlock(Block):
    tag: str
    numbering: str = Field(
        description="which numbering the codes follow: packml-30050, packml-30060 or a word of your own"
    )
    map: dict[int, EquipmentState] = Field({}, description="PackML: only what differs from TR-88")

    @field_validator("map", mode="before")
    @classmethod
    def _off_is_a_state(cls, value: object) -> object:
        """YAML 1.1 reads an unquoted `off` as false, which we take back."""
        return {k: "off" if v is False else v for k, v in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _of_its_numbering(self) -> StateBlock:
        numbered(self.numbering, self.map)
        return self

    def whole(self) -> dict[int, EquipmentState]:
        """With what its numbering says of the other codes."""
        return {**(numbered(self.numbering, self.map) or {}), **self.map}


class FaultBlock(Block):
    tag: str
    texts: dict[int, Text] = {}


class CountersBlock(Block):
    good: str = ""
    scrap: str = ""


class MachineBlock(Block):
    id: Id
    name: Text
    kind: str = Field("", alias="class")
    ideal_cycle: Duration | None = None
    erp_id: str = ""
    state: StateBlock | None = None
    fault: FaultBlock | None = None
    counters: CountersBlock = CountersBlock()
    verify_cycles: int = Field(3, ge=1)
    tags: dict[Id, TagBlock] = {}

    _check = field_validator("id")(_identifier)

    @field_validator("tags")
    @classmethod
    def _names_without_slash(cls, value: dict[str, TagBlock]) -> dict[str, TagBlock]:
        for name in value:
            if not _TAG_ID.fullmatch(name):
                raise ValueError(f"{name!r} is not a tag's id; use letters, digits, -, _ and .")
        return value


class LineBlock(Block):
    id: Id
    name: Text
    target_per_hour: int = Field(0, ge=0)
    output: list[Id] = Field(
        [], description="machines whose good pieces are the line's output; none named: all of them together"
    )
    machines: list[MachineBlock] = []

    _check = field_validator("id")(_identifier)


class AreaBlock(Block):
    id: Id
    name: Text
    lines: list[LineBlock] = []

    _check = field_validator("id")(_identifier)


class SiteBlock(Block):
    id: Id
    name: Text
    time_zone: str = "Asia/Shanghai"
    areas: list[AreaBlock] = []

    _check = field_validator("id")(_identifier)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is not an IANA time zone; write for example Asia/Shanghai") from None
        return value


class PluginBlock(Block):
    """One use of a plugin; `with` is read by the plugin's own Config."""

    name: str
    kind: str
    with_: dict[str, Any] = Field({}, alias="with")


class ErpBlock(PluginBlock):
    """The ERP, and how its books are compared with ours."""

    reconcile_every: Duration = timedelta(minutes=15)
    reconcile_settle: Duration = Field(
        timedelta(seconds=45), description="how long what is under way may take to arrive in the ERP"
    )
    reconcile_remind: Duration = Field(
        timedelta(hours=24), description="an owner hears again of what is still different after so long"
    )
    reconcile_owners: dict[Book, str] = Field({}, description="book: a role, or a person under people:")
    reconcile_ignore: list[DiscrepancyKind] = []


class RuleBlock(BaseModel):
    """Outline of a rule; the rest is read by its kind's own Config."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str
    kind: str


class BreakBlock(Block):
    start: ClockTime
    end: ClockTime


class ShiftBlock(Block):
    name: Text
    start: ClockTime
    end: ClockTime
    days: list[Annotated[int, Field(ge=1, le=7)]] = [1, 2, 3, 4, 5, 6, 7]
    breaks: list[BreakBlock] = []
    on_duty: dict[str, str] = {}


class PersonBlock(Block):
    id: Id
    name: Text
    roles: list[Role]
    scopes: list[str] = []
    language: Literal["zh", "en"] = "zh"
    phone: str = ""
    wecom_id: str = ""
    dingtalk_id: str = ""
    erp_id: str = Field("", description="what the ERP calls them: a seller's number or name there")


class RushBlock(Block):
    """Rush orders."""

    undo: Duration = Field(timedelta(minutes=10), description="for so long a rush can be taken back")
    sellers: dict[str, str] = Field(
        {}, description="customer: person of sales who is told; for others everybody of role sales is"
    )


class DeviceLostBlock(Block):
    """The alarm that every device has, without a rule for it."""

    enabled: bool = True
    after: Duration = Field(timedelta(seconds=5), description="away for so long: shorter is not told")
    back: Duration = Field(timedelta(seconds=5), description="heard again for so long: then it is over")
    silence: Duration = Field(
        timedelta(seconds=30),
        description="nothing for so much longer than stale_after: the collector is gone",
    )
    quiet: Duration = Field(
        timedelta(minutes=10), description="the same for MQTT, where devices speak of changes only; 0s: never"
    )
    priority: Literal["low", "medium", "high", "critical"] = "high"
    ticket: bool = False
    tell: tuple[str, ...] = Field((), description="names of notifiers; none: only the screens")


class LineAlarmsBlock(Block):
    """The alarms of every line to an OPC UA server or MQTT broker: open, a certificate ends in 30 days."""

    enabled: bool = True
    open: Literal["low", "medium", "high", "critical"] = "low"
    certificates: Literal["low", "medium", "high", "critical"] = "high"
    tell: tuple[str, ...] = Field((), description="names of notifiers; none: only the screens")


class RetentionBlock(Block):
    """Raw samples of these tags are kept for another time than `retention_raw` says."""

    tags: str = Field(description="`p1/+/+/+/vibration`: + is one level, a final # all below")
    raw: Duration = Field(
        ge=timedelta(days=2),
        description="so long, in whole days; 2d at least, so that a day's backfill is still rolled up",
    )


class HubBlock(Block):
    host: str = "127.0.0.1"
    port: int = Field(8800, ge=1, le=65535)
    public_url: str = Field("", description="the address phones reach; links in messages begin with it")
    allowed_origins: list[str] = []
    data: Path = Path(".andon")
    database: SecretStr | None = Field(None, description="DSN; empty starts the embedded PostgreSQL")
    redis: SecretStr | None = Field(None, description="URL; empty uses the in-process bus")
    retention_raw: Duration = timedelta(days=7)
    retention: list[RetentionBlock] = Field([], description="other times; the first that fits a tag counts")
    retention_minutes: Duration = Field(
        timedelta(days=90),
        ge=timedelta(days=2),
        description="roll-ups of a minute; hours and days are kept for ever",
    )
    retention_parameters: Duration = Field(
        timedelta(days=730), description="samples of process parameters, with what they are bound to"
    )
    spool: Path | None = Field(
        None, description="where collectors keep what is not on record; empty: data/spool"
    )
    spool_mb: int = Field(4096, ge=1, description="its size in MiB; the oldest goes first when it is full")
    notices: list[str] | None = Field(
        None, description="notifiers that tell of orders, stock and the ERP; empty: all of them"
    )
    rush: RushBlock = RushBlock()
    device_lost: DeviceLostBlock = DeviceLostBlock()
    line_alarms: LineAlarmsBlock = LineAlarmsBlock()
    order_links: Duration = Field(
        timedelta(days=90), description="for so long a link shows a customer's order without a login"
    )

    @field_validator("database")
    @classmethod
    def _a_dsn(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            if value is not None and conninfo_to_dict(value.get_secret_value()):
                return value
        except ProgrammingError:  # its text quotes the whole address
            pass
        if value is None:
            return None
        raise ValueError("is not a server's address; write postgresql://USER:PASSWORD@HOST:5432/DATABASE")

    @field_validator("redis")
    @classmethod
    def _a_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        from redis.connection import parse_url  # many plants have no Redis

        try:
            parse_url(value.get_secret_value())  # type: ignore[no-untyped-call]
        except (ValueError, TypeError):
            raise ValueError("is not a Redis address; write redis://:PASSWORD@HOST:6379/0") from None
        return value


class File(Block):
    """The whole file."""

    plant: SiteBlock
    hub: HubBlock = HubBlock()
    collectors: list[PluginBlock] = []
    mes: list[PluginBlock] = []
    rules: list[RuleBlock] = []
    notifiers: list[PluginBlock] = []
    erp: ErpBlock | None = None
    people: list[PersonBlock] = []
    shifts: list[ShiftBlock] = []
    stops: StopsBlock = StopsBlock()
