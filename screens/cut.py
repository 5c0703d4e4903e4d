"""What somebody may see of the board: the nodes of the plant tree that are theirs, nothing else. (pure)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.model.equipment import within
from hub.ports import Plant
from screens.board import ACTIVE, Board
from screens.figures import as_time
from screens.merge import Json, tidy


def cut(board: Board, scopes: Iterable[str]) -> Json:
    """What these scopes may see: nodes at or below one of them, and the names of those above."""
    allowed = tuple(scopes)
    whole = board.site in allowed
    out = dict(board.sections) if whole else _cut_sections(board, allowed)
    calm = [at for path, at in board.calm.items() if whole or _sees(allowed, path)]
    if calm and not any(a["state"] in ACTIVE for a in out["alarms"].values()):
        out["last_calm_since"] = as_time(max(calm))
    return out


def visible_machines(plant: Plant, scopes: Iterable[str]) -> frozenset[str] | None:
    """Paths of machines in these scopes; None when that is all."""
    allowed = tuple(scopes)
    if plant.site.path in allowed:
        return None
    return frozenset(m.path for m in plant.machines() if _sees(allowed, m.path))


def _sees(scopes: tuple[str, ...], path: str) -> bool:
    return any(within(path, scope) for scope in scopes)


def _touches(scopes: tuple[str, ...], path: str) -> bool:
    return any(within(path, scope) or within(scope, path) for scope in scopes)


def _cut_sections(board: Board, scopes: tuple[str, ...]) -> Json:
    full = board.sections
    mine = {path: m for path, m in full["machines"].items() if _sees(scopes, path)}
    out = tidy(
        plant=full["plant"],
        areas=_cut_areas(full["areas"], scopes),
        machines=mine,
        lines={path: line for path, line in full["lines"].items() if _sees(scopes, path)},
        alarms=_at_equipment(full["alarms"], scopes),
        tickets=_at_equipment(full["tickets"], scopes),
        orders=_cut_orders(full["orders"], scopes),
        shift=full.get("shift"),
        health=_cut_health(full["health"], board.feeds, frozenset(mine)),
    )
    known = set(out["tickets"])
    for key, alarm in out["alarms"].items():
        if alarm.get("ticket", "") not in known | {""}:
            out["alarms"][key] = {k: v for k, v in alarm.items() if k != "ticket"}
    return out


def _at_equipment(items: Json, scopes: tuple[str, ...]) -> Json:
    return {key: item for key, item in items.items() if _sees(scopes, item["equipment"])}


def _cut_areas(areas: list[Json], scopes: tuple[str, ...]) -> list[Json]:
    out = []
    for area in areas:
        lines = [
            {**line, "machines": [m for m in line["machines"] if _sees(scopes, m)]}
            for line in area["lines"]
            if _touches(scopes, line["path"])
        ]
        if lines or _touches(scopes, area["path"]):
            out.append({**area, "lines": lines})
    return out


def _cut_orders(orders: Json, scopes: tuple[str, ...]) -> Json:
    """Orders that touch the scope, with those of their operations that do. A change of one that names no
    operation has to be confirmed all the same: it concerns everybody."""
    out = {}
    for number, order in orders.items():
        mine = [o for o in order["operations"] if _touches(scopes, o["work_center"])]
        if mine or ("change" in order and not order["operations"]):
            out[number] = {**order, "operations": mine}
    return out


def _cut_health(health: Json, feeds: Mapping[str, frozenset[str]], machines: frozenset[str]) -> Json:
    """Sources that speak for a machine in sight; the parts of other sources are left out."""
    sources = health.get("sources", {})
    seen = {name for name, fed in feeds.items() if fed & machines}
    mine = {name: _in_sight(source, machines) for name, source in sources.items() if name in seen}
    hidden = (set(sources) | set(feeds)) - seen
    parts = [p for p in health.get("parts_down", []) if _source_of(p) not in hidden]
    return {**health, "sources": mine, "parts_down": parts}


def _in_sight(source: Json, machines: frozenset[str]) -> Json:
    if "machines" not in source:
        return source
    return {**source, "machines": [m for m in source["machines"] if m in machines]}


def _source_of(part: str) -> str:
    """ "press" of "collector press", "plan" of "mes plan tickets"; "" of a part that is no source's."""
    family, _, name = part.partition(" ")
    return name.removesuffix(" tickets") if family in ("collector", "mes") else ""
