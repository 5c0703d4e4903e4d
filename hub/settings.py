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
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
)

from hub import document
from hub.config import explain
from hub.errors import ConfigError
from hub.kpi.derived import derivations
from hub.mending import mended
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.people import Break, Person, Role, Shift
from hub.model.sample import Tag
from hub.outline import File, LineBlock, MachineBlock, PersonBlock, ShiftBlock
from hub.places import located
from hub.ports import Plant
from hub.stop_settings import stop_rules

PUSHED = "mes-push"  # the kind of source that has an address of its own
_IN_AN_ADDRESS = re.compile(r"\w[\w.-]{0,79}")


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
    stops = stop_rules(file.stops, nodes, complaints)
    _unique([c.name for c in file.collectors], "collectors", complaints)
    _unique([m.name for m in file.mes], "mes", complaints)
    _addresses(file, complaints)
    _unique([r.name for r in file.rules], "rules", complaints)
    _unique([n.name for n in file.notifiers], "notifiers", complaints)
    _unique([p.id for p in file.people], "people", complaints)
    _owners(file, people, complaints)
    return Plant(
        site, nodes, tags, file.plant.time_zone, shifts, people, targets, outlets, stops=stops
    )  # fmt: skip


def _addresses(file: File, complaints: list[str]) -> None:
    """The name of a source that is pushed to is a part of its address, as the door takes it."""
    for i, source in enumerate(file.mes):
        if source.kind == PUSHED and not _IN_AN_ADDRESS.fullmatch(source.name):
            complaints.append(
                f"mes[{i}].name: the MES pushes to /api/mes/NAME, and {source.name[:80]!r} cannot stand "
                "there; use letters, digits, - and _, 80 at most"
            )


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
        block.state.numbering if block.state else "",
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
