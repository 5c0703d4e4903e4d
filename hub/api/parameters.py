"""Process parameters of an order or a lot: figures of each operation, curves, and every sample as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints

from hub.api import record
from hub.api.deps import Deps, House, ParameterBook, Who
from hub.api.errors import json
from hub.api.fields import LotNumber, OrderNumber
from hub.api.rights import EVERYBODY, Caller, requires
from hub.api.standing import sales_book, sees
from hub.errors import NotFound
from hub.model.parameter import BoundSample, JobSpan, ParameterFigures, ParameterLimits
from hub.model.production import WorkOrder
from hub.model.sample import StatusCode, Tag
from hub.model.words import Words

router = APIRouter(prefix="/api")

Points = Annotated[int, Query(ge=0, le=2000)]
Part = Annotated[str, StringConstraints(max_length=400)]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # what a spreadsheet would run
_HEAD = (
    Words("时间", "time"), Words("工单", "order"), Words("工序", "operation"), Words("设备", "machine"),
    Words("参数", "parameter"), Words("值", "value"), Words("单位", "unit"), Words("质量", "status"),
    Words("下限", "low"), Words("上限", "high"), Words("超限", "outside"), Words("物料批次", "lots"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What one caller may see of it."""

    spans: list[JobSpan]
    orders: dict[str, WorkOrder]
    tags: dict[int, Tag]

    def narrowed(self, operation: str, tag: str) -> Found:
        spans = [s for s in self.spans if not operation or s.operation == operation]
        return Found(spans, self.orders, {n: t for n, t in self.tags.items() if not tag or t.path == tag})

    @property
    def limits(self) -> list[ParameterLimits]:
        return [
            ParameterLimits(n, t.parameter.low, t.parameter.high)
            for n, t in self.tags.items()
            if t.parameter is not None
        ]


@router.get("/orders/{number:path}/parameters")
@requires(*EVERYBODY)
async def of_order(
    number: OrderNumber, house: House, caller: Who, points: Points = 200, operation: Part = "", tag: Part = ""
) -> Response:
    """By operation; `points` 0 leaves the curves out. `operation` and `tag` narrow it down."""
    found = (await _of_order(house, caller, number)).narrowed(operation, tag)
    [told] = await _told(house, found, points) or [{"order": number, "operations": []}]
    return json(told)


@router.get("/orders/{number:path}/parameters.csv")
@requires(*EVERYBODY)
async def order_samples(
    number: OrderNumber, house: House, caller: Who, operation: Part = "", tag: Part = ""
) -> Response:
    found = (await _of_order(house, caller, number)).narrowed(operation, tag)
    return _csv(house, caller, found)


@router.get("/lots/{lot:path}/parameters")
@requires(*EVERYBODY)
async def of_lot(lot: LotNumber, house: House, caller: Who, points: Points = 200) -> Response:
    """Of every order that this lot of material went into while it did, and of the orders it came out of."""
    found = await _of_lot(house, caller, lot)
    return json({"lot": lot, "orders": await _told(house, found, points)})


@router.get("/lots/{lot:path}/parameters.csv")
@requires(*EVERYBODY)
async def lot_samples(lot: LotNumber, house: House, caller: Who) -> Response:
    return _csv(house, caller, await _of_lot(house, caller, lot))


# ------------------------------------------------------------------ what a caller may see
async def _of_order(house: Deps, caller: Caller, number: str) -> Found:
    orders = await sales_book(house).work_orders([], [number])
    if not orders or not sees(house, record.person(caller), orders[0]):
        raise record.missing()
    return _visible(house, caller, await _book(house).spans(number), orders)


async def _of_lot(house: Deps, caller: Caller, lot: str) -> Found:
    spans = await _book(house).spans_with(lot)
    orders = await sales_book(house).work_orders([], sorted({s.order for s in spans}))
    mine = [o for o in orders if sees(house, record.person(caller), o)]
    if not mine:
        raise record.missing()
    return _visible(house, caller, spans, mine)


def _visible(house: Deps, caller: Caller, spans: Iterable[JobSpan], orders: Iterable[WorkOrder]) -> Found:
    known = {o.number: o for o in orders}
    mine = [s for s in spans if s.order in known and caller.may_see(s.equipment)]
    machines = {s.equipment for s in mine}
    marked = (t for t in house.plant.tags.values() if t.parameter is not None)
    return Found(mine, known, {t.number: t for t in marked if t.equipment in machines})


# ------------------------------------------------------------------ as JSON
async def _told(house: Deps, found: Found, points: int) -> list[dict[str, Any]]:
    """One entry for each order that ran."""
    out = []
    for number in dict.fromkeys(s.order for s in found.spans):
        spans = [s for s in found.spans if s.order == number]
        figures = await _book(house).figures(spans, found.limits)
        operations = [
            await _operation(house, found, [s for s in spans if s.operation == operation], figures, points)
            for operation in dict.fromkeys(s.operation for s in spans)
        ]
        out.append({"order": number, "operations": operations})
    return out


async def _operation(
    house: Deps, found: Found, spans: Sequence[JobSpan], figures: Iterable[ParameterFigures], points: int
) -> dict[str, Any]:
    order, operation = spans[0].order, spans[0].operation
    names = (job.name for job in found.orders[order].jobs if job.operation == operation)
    ends = [s.until for s in spans]
    mine = [f for f in figures if f.operation == operation]
    return {
        "operation": operation,
        "name": next(names, Words(operation, operation)).as_dict(),
        "since": spans[0].since,
        "until": None if None in ends else max(e for e in ends if e is not None),
        "parameters": [await _parameter(house, found.tags[f.tag], f, spans, points) for f in mine],
    }


async def _parameter(
    house: Deps, tag: Tag, told: ParameterFigures, spans: Sequence[JobSpan], points: int
) -> dict[str, Any]:
    assert tag.parameter is not None
    there = [s for s in spans if s.equipment == told.equipment]
    return {
        "tag": tag.path,
        "name": tag.parameter.name.as_dict(),
        "machine": told.equipment,
        "where": house.plant.full_name(told.equipment).as_dict(),
        "unit": tag.unit,
        "decimals": tag.decimals,
        "low": tag.parameter.low,
        "high": tag.parameter.high,
        "target": tag.parameter.target,
        "samples": told.samples,
        "bad": told.bad,
        "outside": told.outside,
        "min": told.low,
        "mean": told.mean,
        "max": told.high,
        "deviation": told.deviation,
        "first_at": told.first_at,
        "last_at": told.last_at,
        "lots": [
            {"item": lot.item, "lot": lot.lot} for lot in dict.fromkeys(x for s in there for x in s.lots)
        ],
        "series": await _book(house).curve(there, tag.number, points) if points else [],
    }


# ------------------------------------------------------------------ as CSV
def _csv(house: Deps, caller: Caller, found: Found) -> Response:
    """Comma-separated with a byte order mark, times in the plant's zone; no cell runs as a formula."""
    zh = record.person(caller).language == "zh"
    return StreamingResponse(
        _lines(house, found, zh=zh),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="parameters.csv"'},
    )


async def _lines(house: Deps, found: Found, *, zh: bool) -> AsyncIterator[bytes]:
    zone = ZoneInfo(house.plant.time_zone)
    page = io.StringIO()
    writer = csv.writer(page)
    writer.writerow([word.zh if zh else word.en for word in _HEAD])
    yield b"\xef\xbb\xbf"
    async for sample in _book(house).samples(found.spans, list(found.tags)):
        writer.writerow(_cells(sample, found.tags[sample.tag], zone, zh=zh))
        if page.tell() > 1 << 16:
            yield page.getvalue().encode()
            page.seek(0)
            page.truncate()
    yield page.getvalue().encode()


def _cells(sample: BoundSample, tag: Tag, zone: ZoneInfo, *, zh: bool) -> list[Any]:
    assert tag.parameter is not None
    low, high, name = tag.parameter.low, tag.parameter.high, tag.parameter.name
    usable = sample.value is not None and not StatusCode(sample.status).is_bad
    value = sample.value if usable and sample.value is not None else None
    outside = value is not None and ((low is not None and value < low) or (high is not None and value > high))
    lots = " ".join(f"{x.item}:{x.lot}" if x.item else x.lot for x in sample.lots)
    return [
        sample.at.astimezone(zone).isoformat(), _tame(sample.order), _tame(sample.operation),
        _tame(sample.equipment), _tame(name.zh if zh else name.en), "" if value is None else value,
        _tame(tag.unit), StatusCode(sample.status).severity, "" if low is None else low,
        "" if high is None else high, 1 if outside else 0, _tame(lots),
    ]  # fmt: skip


def _tame(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _book(house: Deps) -> ParameterBook:
    if house.parameters is None:
        raise NotFound("not-found", "no process parameters are kept here")
    return house.parameters
