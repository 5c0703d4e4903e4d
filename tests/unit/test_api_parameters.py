"""Process parameters as people and spreadsheets get them."""

from __future__ import annotations

import csv
import io

import pytest

from hub.model.people import Role
from tests.api_house import PRESS, house

pytestmark = pytest.mark.anyio


async def test_an_order_tells_each_parameter_of_each_operation_with_its_limits_and_its_lots() -> None:
    async with house().as_role(Role.VIEWER) as client:
        told = (await client.get("/api/orders/MO-1/parameters?points=5")).json()
    [operation] = told["operations"]
    assert (operation["operation"], operation["name"]["en"]) == ("10", "Stamping")
    assert (operation["since"], operation["until"]) == ("2026-01-05T12:00:00Z", "2026-01-05T12:10:00Z")
    [oil] = operation["parameters"]
    assert (oil["tag"], oil["machine"], oil["unit"]) == (f"{PRESS}/oil_temp", PRESS, "℃")
    assert (oil["low"], oil["high"], oil["target"]) == (20, 80, 60)
    assert (oil["samples"], oil["bad"], oil["outside"], oil["mean"]) == (2, 1, 1, 92.4)
    assert oil["lots"] == [{"item": "STEEL", "lot": "L-1"}]
    assert oil["series"] == [["2026-01-05T12:00:00Z", 92.4, 92.4, 92.4]]


async def test_what_is_asked_for_narrows_it_down() -> None:
    async with house().as_role(Role.VIEWER) as client:
        bare = (await client.get("/api/orders/MO-1/parameters?points=0")).json()
        other = (await client.get("/api/orders/MO-1/parameters?operation=20")).json()
        tag = (await client.get("/api/orders/MO-1/parameters?tag=p1/nothing")).json()
    assert bare["operations"][0]["parameters"][0]["series"] == []
    assert other == {"order": "MO-1", "operations": []}
    assert tag["operations"][0]["parameters"] == []


async def test_a_lot_tells_the_orders_that_it_went_into() -> None:
    async with house().as_role(Role.VIEWER) as client:
        told = (await client.get("/api/lots/L-1/parameters")).json()
        unknown = await client.get("/api/lots/L-9/parameters")
    assert [(o["order"], len(o["operations"])) for o in told["orders"]] == [("MO-1", 1)]
    assert unknown.status_code == 404


async def test_a_spreadsheet_gets_every_sample_in_the_plants_time_and_runs_nothing() -> None:
    async with house().as_role(Role.VIEWER) as client:
        answer = await client.get("/api/orders/MO-1/parameters.csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    found = [dict(zip(head, row, strict=True)) for row in rows]
    assert [r["时间"] for r in found] == ["2026-01-05T20:00:00+08:00", "2026-01-05T20:01:00+08:00"]
    assert [r["值"] for r in found] == ["92.4", ""]
    assert [(r["超限"], r["质量"]) for r in found] == [("1", "good"), ("0", "bad")]
    assert found[0]["参数"] == "'=油温"
    assert (found[0]["工单"], found[0]["物料批次"]) == ("MO-1", "STEEL:L-1")
