"""The configuration as people write it: YAML in, frozen settings out.

Read twice: here as the outline, then every `with:` block by its plugin's own `Config` (hub.registry).
Every complaint names the file, the YAML path and the remedy; unknown keys are errors with a near spelling.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
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
    ValidationError,
    field_validator,
    model_validator,
)

from hub import document
from hub.config import Block, ClockTime, Duration, Text, explain
from hub.errors import ConfigError
from hub.kpi.derived import derivations
from hub.kpi.formula import parse
from hub.mending import mended
from hub.model.discrepancy import Book, DiscrepancyKind
from hub.model.equipment import Equipment, EquipmentLevel, EquipmentState
from hub.model.packml import NUMBERINGS
from hub.model.parameter import ProcessParameter
from hub.model.people import Break, Person, Role, Shift
from hub.model.sample import Tag
from hub.places import located
from hub.ports import Plant

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
        table = NUMBERINGS.get(self.numbering)
        if table is None and self.numbering.startswith("packml"):
            raise ValueError(f"numbering: {self.numbering!r} is unknown; write {' or '.join(NUMBERINGS)}")
        if table is None and not self.map:
            raise ValueError("map: is missing; say which state each code means")
        if table is not None and (other := sorted(set(self.map) - set(table))):
            raise ValueError(f"map: {self.numbering} has no state {other[0]}; correct it, or numbering:")
        return self

    def whole(self) -> dict[int, EquipmentState]:
        """With what its numbering says of the other codes."""
        return {**NUMBERINGS.get(self.numbering, {}), **self.map}


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
    priority: Literal["low", "medium", "high", "critical"] = "high"
    ticket: bool = False
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


class Settings(BaseModel):
    """What the roof works with: the plant drawn from the file (tag numbers still 0), and the rest of the file
    as written. A thousand machines are kept once: `file.plant` is the bare site.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    file: File
    plant: Plant
    source: Path

    def notified(self) -> list[str]:
        """Names of the notifiers that tell of what is no alarm."""
        named = self.file.hub.notices
        return [n.name for n in self.file.notifiers] if named is None else list(named)


# ------------------------------------------------------------------ reading
_OVERRIDES = (
    "database",
    "redis",
    "data",
    "port",
    "host",
    "public_url",
)  # ANDON_DATABASE ... over hub.database


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check; raises ConfigError with every complaint at once, and nothing else."""
    found = survey(path, environment)
    if found.settings is None or found.complaints:
        raise ConfigError(*located(found.complaints, path))
    return found.settings


@dataclass(frozen=True, slots=True)
class Survey:
    """What was read of a file, and what is wrong with it.

    Settings that come with complaints are for finding what else is wrong, not for running on. `named`: every
    machine, tag and person is there under its own name, so that who refers to one can be judged.
    """

    settings: Settings | None
    complaints: list[str]
    named: bool


def survey(path: Path, environment: Mapping[str, str] | None = None) -> Survey:
    """Every complaint of the outline and the plant; raises ConfigError for what is no YAML at all."""
    env = dict(os.environ if environment is None else environment)
    complaints: list[str] = []
    raw = document.with_secrets(document.read(path), env, path.parent, complaints)
    taken = _override(raw, env, complaints)
    complaints = [f"{path}: {c}" for c in complaints]
    file: File | None
    try:
        file, named = File.model_validate(raw), True
    except ValidationError as cause:
        complaints += [_named(c, taken) for c in explain(cause, str(path))]
        file, named = mended(raw, cause, File.model_validate)
    if file is None:
        return Survey(None, complaints, named=False)
    drawn: list[str] = []
    plant = _draw(file, drawn)
    if named:
        complaints += [f"{path}: {c}" for c in drawn]
    bare = file.plant.model_copy(update={"areas": []})
    settings = Settings(file=file.model_copy(update={"plant": bare}), plant=plant, source=path)
    return Survey(settings, complaints, named)


def _override(raw: dict[Any, Any], env: Mapping[str, str], complaints: list[str]) -> list[str]:
    """Put the environment's values over the file's; the keys that were."""
    found = {k: v for k in _OVERRIDES if (v := _from_environment(f"ANDON_{k.upper()}", env, complaints))}
    hub = raw.get("hub")
    if found and (hub is None or isinstance(hub, dict)):
        raw["hub"] = {**(hub or {}), **found}
    return list(found)


def _from_environment(name: str, env: Mapping[str, str], complaints: list[str]) -> str:
    """`NAME`, or the content of the file that `NAME_FILE` names (container secrets)."""
    if named := env.get(f"{name}_FILE"):
        return document.secret_file(Path(named), named, f"{name}_FILE", complaints)
    return env.get(name, "")


def _named(complaint: str, taken: list[str]) -> str:
    """Say of what came from the environment that it did: the file is not where to look."""
    for key in taken:
        complaint = complaint.replace(f": hub.{key}: ", f": hub.{key} (from ANDON_{key.upper()}): ")
    return complaint


# ------------------------------------------------------------------ the plant tree
def _draw(file: File, complaints: list[str]) -> Plant:
    site = Equipment(file.plant.id, EquipmentLevel.SITE, file.plant.name.words())
    nodes = {site.path: site}
    tags: dict[str, Tag] = {}
    targets: dict[str, int] = {}
    outlets: dict[str, tuple[str, ...]] = {}

    def add(node: Equipment, at: str) -> None:
        if node.path in nodes:
            complaints.append(f"{at}: {node.path} is there twice; ids must differ among siblings")
        nodes[node.path] = node

    for a, area in enumerate(file.plant.areas):
        area_path = f"{site.path}/{area.id}"
        add(Equipment(area_path, EquipmentLevel.AREA, area.name.words()), f"plant.areas[{a}]")
        for n, line in enumerate(area.lines):
            line_path = f"{area_path}/{line.id}"
            at = f"plant.areas[{a}].lines[{n}]"
            add(Equipment(line_path, EquipmentLevel.WORK_CENTER, line.name.words()), at)
            targets[line_path] = line.target_per_hour
            outlets[line_path] = _outlets(line, line_path, at, complaints)
            for m, machine in enumerate(line.machines):
                where = f"{at}.machines[{m}]"
                add(_machine(machine, line_path, tags, where, complaints), where)
    derivations(tags, complaints)
    people = {p.id: _person(p, site.path, nodes, complaints) for p in file.people}
    shifts = tuple(_shift(s, i, nodes, people, complaints) for i, s in enumerate(file.shifts))
    for customer, person in file.hub.rush.sellers.items():
        if person not in people:
            complaints.append(f"hub.rush.sellers.{customer}: no person {person!r} under people:")
    _unique([c.name for c in file.collectors], "collectors", complaints)
    _unique([r.name for r in file.rules], "rules", complaints)
    _unique([n.name for n in file.notifiers], "notifiers", complaints)
    _unique([p.id for p in file.people], "people", complaints)
    _owners(file, people, complaints)
    return Plant(site, nodes, tags, file.plant.time_zone, shifts, people, targets, outlets)


def _owners(file: File, people: Mapping[str, Person], complaints: list[str]) -> None:
    known = [*(role.value for role in Role), *people]
    for book, owner in (file.erp.reconcile_owners if file.erp else {}).items():
        if owner not in known:
            near = difflib.get_close_matches(owner, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else "add the person under people:"
            complaints.append(f"erp.reconcile_owners.{book}: no role or person {owner!r}; {hint}")


def _outlets(line: LineBlock, path: str, at: str, complaints: list[str]) -> tuple[str, ...]:
    known = [m.id for m in line.machines]
    for name in line.output:
        if name not in known:
            complaints.append(f"{at}.output: no machine {name!r} on this line; known are {', '.join(known)}")
    return tuple(f"{path}/{name}" for name in line.output)


def _machine(
    block: MachineBlock, line: str, tags: dict[str, Tag], at: str, complaints: list[str]
) -> Equipment:
    path = f"{line}/{block.id}"
    for tag_id, tag in block.tags.items():
        full = f"{path}/{tag_id}"
        tags[full] = Tag(
            0, full, tag.name.words(), tag.unit, tag.decimals, tag.stale_after, tag.shown, tag.range,
            tag.deadband, tag.formula, tag.parameter(),
        )  # fmt: skip

    def tag_path(tag_id: str, where: str) -> str:
        if not tag_id:
            return ""
        if tag_id not in block.tags:
            near = difflib.get_close_matches(tag_id, block.tags, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "; add it under tags:"
            complaints.append(f"{at}.{where}: no tag {tag_id!r} on this machine{hint}")
        return f"{path}/{tag_id}"

    return Equipment(
        path, EquipmentLevel.WORK_UNIT, block.name.words(), block.kind, block.ideal_cycle, block.erp_id,
        block.verify_cycles,
        tag_path(block.state.tag, "state.tag") if block.state else "",
        block.state.whole() if block.state else {},
        tag_path(block.fault.tag, "fault.tag") if block.fault else "",
        {k: v.words() for k, v in block.fault.texts.items()} if block.fault else {},
        tag_path(block.counters.good, "counters.good"),
        tag_path(block.counters.scrap, "counters.scrap"),
    )  # fmt: skip


def _person(block: PersonBlock, site: str, nodes: dict[str, Equipment], complaints: list[str]) -> Person:
    for scope in block.scopes:
        if scope not in nodes:
            near = difflib.get_close_matches(scope, nodes, 1)
            complaints.append(
                f"people.{block.id}.scopes: no node {scope!r} in the plant"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
    return Person(
        block.id, block.name.words(), frozenset(block.roles), tuple(block.scopes), block.language,
        block.phone, block.wecom_id, block.dingtalk_id, block.erp_id,
    )  # fmt: skip


def _shift(
    block: ShiftBlock, i: int, nodes: dict[str, Equipment], people: dict[str, Person], complaints: list[str]
) -> Shift:
    for node, person in block.on_duty.items():
        if node not in nodes:
            complaints.append(f"shifts[{i}].on_duty: no node {node!r} in the plant")
        if person not in people:
            complaints.append(f"shifts[{i}].on_duty.{node}: no person {person!r} under people:")
    return Shift(
        block.name.words(), block.start, block.end, frozenset(d - 1 for d in block.days),
        tuple(Break(b.start, b.end) for b in block.breaks), dict(block.on_duty),
    )  # fmt: skip


def _unique(names: list[str], where: str, complaints: list[str]) -> None:
    complaints.extend(
        f"{where}: the name {n!r} is there twice; names must differ"
        for n in {n for n in names if names.count(n) > 1}
    )
