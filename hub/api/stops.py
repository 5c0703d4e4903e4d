"""Why machines stood: stops, the reasons that people give for them, and where the time went."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from hub.api import record
from hub.api.deps import Deps, House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Moment, Note, Place
from hub.api.rights import ACKNOWLEDGERS, EVERYBODY, Caller, requires
from hub.errors import NotFound, Refused
from hub.kpi.calendar import Interval, latest_shift, local_day
from hub.kpi.stops import Loss, laid_out, pareto, version
from hub.model.equipment import Equipment
from hub.model.state_words import STATE_WORDS
from hub.model.stop import StopGroup, StopReason
from hub.model.words import Words
from hub.ports import SeenStop, StopDesk

router = APIRouter(prefix="/api/stops")

LONGEST = timedelta(days=31)
USUALLY = timedelta(hours=12)
TICK = timedelta(microseconds=1)
GROUPS = {
    StopGroup.BREAKDOWN: Words("设备故障", "Breakdown"),
    StopGroup.CHANGEOVER: Words("换型调试", "Changeover"),
    StopGroup.MATERIAL: Words("物料", "Material"),
    StopGroup.QUALITY: Words("质量", "Quality"),
    StopGroup.ORGANISATION: Words("人员组织", "Organisation"),
    StopGroup.PLANNED: Words("计划内", "Planned"),
    StopGroup.UNPLANNED: Words("其他", "Other"),
}
UNSAID = Words("未填写", "No reason given")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # what a spreadsheet would run
_HEAD = (
    Words("设备", "machine"), Words("开始", "from"), Words("结束", "until"), Words("损失分钟", "minutes"),
    Words("原因", "reason"), Words("类别", "group"), Words("备注", "note"), Words("填写人", "by"),
    Words("填写时间", "at"), Words("状态", "state"),
)  # fmt: skip

From = Annotated[Moment | None, Query(alias="from")]
Code = Annotated[str, StringConstraints(max_length=40)]
Version = Annotated[int, Field(ge=0, le=2**63 - 1)]


class OfStop(Asked):
    """`at`: an instant of the stop, such as its start; `version`: as it was last seen."""

    machine: Place
    at: Moment
    version: Version


class Explained(OfStop):
    """`part`: where the part begins; without it the whole stop gets the reason. "" takes it back."""

    reason: Code
    note: Note = ""
    part: Moment | None = None


class Split(OfStop):
    cut: Moment


class Merged(OfStop):
    """The two parts that meet at `cut`; one of their reasons is kept."""

    cut: Moment
    keep: Literal["earlier", "later"] = "earlier"


@router.get("")
@requires(*EVERYBODY)
async def stops(
    house: House, caller: Who, place: Place = "", since: From = None, until: Moment | None = None,
    waiting: bool = False, limit: Annotated[int, Query(ge=1, le=2000)] = 500,
) -> Response:  # fmt: skip
    """The newest first; `waiting`: those that need a reason and have none for all of their time."""
    machines = _machines(house, caller, place)
    start, end = _window(house, since, until)
    found = await _desk(house).seen(machines, start, end)
    shown = [s for s in found if s.waits or not waiting]
    shown.sort(key=lambda s: s.stop.start, reverse=True)
    usual = await _desk(house).usual(machines)
    return json({
        "from": start,
        "until": end,
        "stops": [_stop(house, s) for s in shown[:limit]],
        "left_out": max(0, len(shown) - limit),
        "waiting": sum(s.waits for s in found),
        "reasons": {r.code: _reason(r) for r in house.plant.stops.reasons},
        "usual": {path: [r.code for r in reasons] for path, reasons in usual.items()},
    })  # fmt: skip


@router.get("/one")
@requires(*EVERYBODY)
async def one(house: House, caller: Who, machine: Place, at: Moment) -> Response:
    """With everything that was ever said of it."""
    node = _machine(house, caller, machine)
    seen = await _desk(house).one(node, at)
    lines = [
        _said(house, line.part) | {
            "start": line.part.since, "end": line.part.until, "replaced_at": line.replaced_at,
            "replaced_by": _person(house, line.replaced_by),
        }
        for line in await _desk(house).history(node, at)
    ]  # fmt: skip
    return json({"stop": _stop(house, seen), "lines": lines})


@router.post("/reason")
@requires(*ACKNOWLEDGERS)
async def explain(asked: Explained, house: House, caller: Who, request: Request) -> Response:
    node = _machine(house, caller, asked.machine)
    seen = await _desk(house).explain(
        node, asked.at, asked.version, record.person(caller), asked.reason, asked.note, asked.part
    )
    await record.note(request, caller, "stop.reason", _about(seen), reason=asked.reason)
    return json({"stop": _stop(house, seen)})


@router.post("/split")
@requires(*ACKNOWLEDGERS)
async def split(asked: Split, house: House, caller: Who, request: Request) -> Response:
    node = _machine(house, caller, asked.machine)
    seen = await _desk(house).split(node, asked.at, asked.version, record.person(caller), asked.cut)
    await record.note(request, caller, "stop.split", _about(seen), cut=asked.cut.isoformat())
    return json({"stop": _stop(house, seen)})


@router.post("/merge")
@requires(*ACKNOWLEDGERS)
async def merge(asked: Merged, house: House, caller: Who, request: Request) -> Response:
    node = _machine(house, caller, asked.machine)
    seen = await _desk(house).merge(
        node, asked.at, asked.version, record.person(caller), asked.cut, keep_later=asked.keep == "later"
    )
    await record.note(request, caller, "stop.merge", _about(seen), cut=asked.cut.isoformat())
    return json({"stop": _stop(house, seen)})


@router.get("/pareto")
@requires(*EVERYBODY)
async def losses(
    house: House, caller: Who, place: Place = "", since: From = None, until: Moment | None = None,
    shift: Literal["", "current", "previous"] = "",
) -> Response:  # fmt: skip
    """Planned minutes lost by reason, the greatest first; `shift` takes the place of `from` and `until`."""
    machines = _machines(house, caller, place)
    start, end = _shift(house, shift) if shift else _window(house, since, until)
    found = await _desk(house).seen(machines, start, end)
    rows = pareto([(s.stop, s.parts) for s in found], start, end)
    total = sum((row.lost for row in rows), timedelta())
    return json({
        "from": start,
        "until": end,
        "place": place,
        "seconds": total.total_seconds(),
        "waiting": sum(s.waits for s in found),
        "reasons": [_loss(house, row, total) for row in rows],
    })  # fmt: skip


@router.get(".csv")
@requires(*EVERYBODY)
async def as_csv(
    house: House, caller: Who, place: Place = "", since: From = None, until: Moment | None = None
) -> Response:
    """One line for each part, times in the plant's zone; no cell runs as a formula."""
    start, end = _window(house, since, until)
    found = await _desk(house).seen(_machines(house, caller, place), start, end)
    zh = record.person(caller).language == "zh"
    page = io.StringIO()
    writer = csv.writer(page)
    writer.writerow([word.zh if zh else word.en for word in _HEAD])
    writer.writerows(_rows(house, found, zh=zh))
    return Response(
        b"\xef\xbb\xbf" + page.getvalue().encode(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="stops.csv"'},
    )


# ------------------------------------------------------------------ what is asked for
def _desk(house: Deps) -> StopDesk:
    if house.stops is None:
        raise NotFound("not-found", "no stops are kept here")
    return house.stops


def _machine(house: Deps, caller: Caller, path: str) -> Equipment:
    node = house.plant.equipment.get(path)
    if node is None or node.level != "work-unit" or not caller.may_see(path):
        raise record.missing()
    return node


def _machines(house: Deps, caller: Caller, place: str) -> list[Equipment]:
    """The caller's at this node; a node of somebody else's is not found."""
    mine = [m for m in house.plant.machines(place) if caller.may_see(m.path)]
    if place and not mine and not (place in house.plant.equipment and caller.may_see(place)):
        raise record.missing()
    return mine


def _window(house: Deps, since: datetime | None, until: datetime | None) -> Interval:
    end = min(until or house.clock.now(), house.clock.now())
    start = since or end - USUALLY
    if not timedelta() <= end - start <= LONGEST:
        raise Refused("stops-span", "from: at most 31 days before until, and not after it")
    return start, end


def _shift(house: Deps, which: str) -> Interval:
    now = house.clock.now()
    span = latest_shift(house.plant, now)
    if span is None:
        day = local_day(house.plant.time_zone, now)
        start, end = day if which == "current" else local_day(house.plant.time_zone, day[0] - TICK)
    else:
        chosen = span if which == "current" else latest_shift(house.plant, span.start - TICK) or span
        start, end = chosen.start, chosen.end
    return start, min(end, now)


# ------------------------------------------------------------------ as JSON
def _about(seen: SeenStop) -> str:
    return f"stop:{seen.stop.equipment}@{seen.stop.start.isoformat()}"


def _stop(house: Deps, seen: SeenStop) -> dict[str, Any]:
    stop = seen.stop
    return {
        "machine": stop.equipment,
        "where": house.plant.full_name(stop.equipment).as_dict(),
        "start": stop.start,
        "end": None if stop.lasts else stop.end,
        "known_until": stop.end,
        "seconds": stop.total.total_seconds(),
        "state": stop.state.value,
        "needed_after": seen.after.total_seconds(),
        "waits": seen.waits,
        "version": version(stop, seen.parts),
        "parts": [
            {
                "start": p.start,
                "end": p.end,
                "seconds": stop.lost_in(p.start, p.end).total_seconds(),
                **_said(house, p.said),
            }
            for p in laid_out(stop, seen.parts)
        ],
    }


def _said(house: Deps, said: Any) -> dict[str, Any]:
    if said is None:
        return {"reason": "", "note": "", "by": None, "at": None}
    return {"reason": said.reason, "note": said.note, "by": _person(house, said.by), "at": said.at}


def _person(house: Deps, person_id: str) -> dict[str, Any] | None:
    if not person_id:
        return None
    known = house.plant.people.get(person_id)
    return {"id": person_id, "name": (known.name if known else Words(person_id, person_id)).as_dict()}


def _reason(reason: StopReason) -> dict[str, Any]:
    return {
        "name": reason.name.as_dict(), "group": reason.group.value,
        "group_name": GROUPS[reason.group].as_dict(),
    }  # fmt: skip


def _loss(house: Deps, row: Loss, total: timedelta) -> dict[str, Any]:
    name, group = _words(house, row.reason)
    known = house.plant.stops.reason(row.reason)
    return {
        "reason": row.reason,
        "name": name.as_dict(),
        "group": known.group.value if known else None,
        "group_name": group.as_dict(),
        "seconds": row.lost.total_seconds(),
        "minutes": round(row.lost / timedelta(minutes=1), 1),
        "count": row.count,
        "share": row.lost / total,
    }


def _words(house: Deps, code: str) -> tuple[Words, Words]:
    """A reason and its group; one that the file has dropped since is told by its code."""
    known = house.plant.stops.reason(code)
    if known is None:
        return (Words(code, code), Words("", "")) if code else (UNSAID, Words("", ""))
    return known.name, GROUPS[known.group]


def _rows(house: Deps, found: Sequence[SeenStop], *, zh: bool) -> Iterable[list[Any]]:
    zone = ZoneInfo(house.plant.time_zone)

    def when(at: datetime) -> str:
        return at.astimezone(zone).isoformat(timespec="seconds")

    for seen in found:
        state = STATE_WORDS[seen.stop.state]
        for piece in laid_out(seen.stop, seen.parts):
            name, group = _words(house, piece.reason)
            said = piece.said
            lasts = seen.stop.lasts and piece.end == seen.stop.end
            lost = seen.stop.lost_in(piece.start, piece.end) / timedelta(minutes=1)
            yield [
                _tame(seen.stop.equipment), when(piece.start), "" if lasts else when(piece.end),
                round(lost, 1), *(_tame(w.zh if zh else w.en) for w in (name, group)),
                _tame(said.note) if said else "", _tame(said.by) if said else "",
                when(said.at) if said else "", state.zh if zh else state.en,
            ]  # fmt: skip


def _tame(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
