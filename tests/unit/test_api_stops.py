"""Stops over HTTP: what is listed, what a tap does, what the second person is told, and the exports."""

from __future__ import annotations

from typing import Any

import pytest

from hub.model.people import Role
from tests.api_house import CNC, PRESS, House, house

pytestmark = pytest.mark.anyio

STOOD = "2026-01-05T11:30:00Z"
TAP = {"machine": PRESS, "at": STOOD, "version": 0, "reason": "jam"}


@pytest.fixture
def it() -> House:
    return house()


async def post(it: House, what: str, role: Role = Role.OPERATOR, **asked: Any) -> tuple[int, Any]:
    async with it.as_role(role) as client:
        answer = await client.post(f"/api/stops/{what}", json=asked)
    return answer.status_code, answer.json()


async def test_stops_of_ones_own_machines_are_listed_with_what_is_usually_said(it: House) -> None:
    async with it.as_role(Role.OPERATOR) as client:
        told = (await client.get("/api/stops?waiting=true")).json()
    assert CNC not in str(told)
    assert told["waiting"] == len(told["stops"]) > 0
    [stop] = [s for s in told["stops"] if s["machine"] == PRESS]
    assert (stop["start"], stop["end"], stop["seconds"], stop["state"]) == (
        STOOD, "2026-01-05T11:50:00Z", 1200.0, "fault",
    )  # fmt: skip
    assert stop["waits"] is True
    assert stop["parts"][0]["reason"] == ""
    assert told["usual"][PRESS][0] == "jam"
    assert told["reasons"]["jam"]["group"] == "breakdown"


async def test_a_tap_gives_the_reason_and_the_second_person_hears_who_was_faster(it: House) -> None:
    status, told = await post(it, "reason", **TAP, note="feeder")
    assert status == 200
    stop = told["stop"]
    assert (stop["waits"], stop["parts"][0]["reason"], stop["parts"][0]["note"]) == (False, "jam", "feeder")
    status, told = await post(it, "reason", Role.TECHNICIAN, **TAP)
    assert (status, told["error"]["code"]) == (409, "stop-changed")
    assert it.deps.plant.people["operator-1"].name.en in told["error"]["text"]["en"]


async def test_a_stop_is_split_and_merged_and_all_of_it_stays_on_record(it: House) -> None:
    _, told = await post(it, "reason", **TAP)
    cut = {"machine": PRESS, "at": STOOD, "cut": "2026-01-05T11:40:00Z"}
    _, told = await post(it, "split", **cut, version=told["stop"]["version"])
    assert [p["seconds"] for p in told["stop"]["parts"]] == [600.0, 600.0]
    later = {**TAP, "reason": "tooling", "version": told["stop"]["version"], "part": cut["cut"]}
    _, told = await post(it, "reason", **later)
    status, told = await post(it, "merge", **cut, version=told["stop"]["version"], keep="later")
    assert status == 200
    assert [p["reason"] for p in told["stop"]["parts"]] == ["tooling"]
    async with it.as_role(Role.VIEWER) as client:
        lines = (await client.get(f"/api/stops/one?machine={PRESS}&at={STOOD}")).json()["lines"]
    assert [x["reason"] for x in lines] == ["jam", "jam", "jam", "tooling", "tooling"]
    assert [it.audited()[f"stop.{what}"] for what in ("reason", "split", "merge")] == [2, 1, 1]


@pytest.mark.parametrize(
    ("what", "asked", "code"),
    [
        ("reason", {**TAP, "reason": "sunshine"}, "stop-reason-unknown"),
        ("split", {**TAP, "cut": "2026-01-05T11:30:00Z"}, "stop-cut-outside"),
        ("merge", {**TAP, "cut": "2026-01-05T11:35:00Z"}, "stop-no-border"),
        ("reason", {**TAP, "at": "2026-01-05T11:10:00Z"}, "stop-moved"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_its_code(
    it: House, what: str, asked: dict[str, Any], code: str
) -> None:
    asked = {k: v for k, v in asked.items() if k != "reason" or what == "reason"}
    status, told = await post(it, what, **asked)
    assert status in (400, 409)
    assert told["error"]["code"] == code
    assert "detail" not in told["error"], "it has words of its own in both languages"


async def test_the_pareto_names_reasons_and_what_nobody_explained(it: House) -> None:
    await post(it, "reason", **TAP)
    async with it.as_role(Role.MANAGER) as client:
        told = (await client.get(f"/api/stops/pareto?place={PRESS}&shift=current")).json()
    [row] = told["reasons"]
    assert (row["reason"], row["minutes"], row["count"], row["share"]) == ("jam", 20.0, 1, 1.0)


async def test_too_long_a_time_is_refused(it: House) -> None:
    async with it.as_role(Role.VIEWER) as client:
        answer = await client.get("/api/stops?from=2025-11-01T00:00:00Z")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "stops-span")


async def test_the_csv_holds_each_part_and_runs_no_formula(it: House) -> None:
    await post(it, "reason", **TAP, note="=1+1")
    async with it.as_role(Role.OPERATOR) as client:
        text = (await client.get("/api/stops.csv")).text
    [row] = [line for line in text.splitlines() if line.startswith(PRESS)]
    assert ",20.0," in row
    assert ",'=1+1,operator-1," in row
    assert row.endswith((",故障", ",faulted")), row
