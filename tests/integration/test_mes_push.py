"""An MES pushes: believed only when signed and lately; each event once and with its verdict."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from collectors.intake import Intake
from collectors.mes_push import MesDesk, MesPushSource
from collectors.mes_unknown import MOST_FIELDS, Unknown
from erp_bridge import mapping
from hub.api.app import build
from hub.api.limits import Meter
from hub.errors import SourceUnavailable
from hub.model.people import Role
from hub.store.rejects import PgRejects
from tests.api_house import HOST, House, house
from tests.contract.mes.worlds import EVENTS, OF, SECRET, Record, StridingClock, record, signed

pytestmark = pytest.mark.anyio

REPORT = EVENTS[1]


class Door:
    """The API in front of a real record, with one MES that pushes."""

    def __init__(self, it: House, on: Record, app: FastAPI) -> None:
        self.it, self.record, self.app = it, on, app

    async def push(self, sent: Any, path: str = "/api/mes/mes", **headers: str) -> httpx.Response:
        """As a machine sends it: no Origin, no cookie."""
        request = sent if hasattr(sent, "body") else signed(self.it.clock, sent)
        transport = httpx.ASGITransport(self.app)
        more = {**request.headers, "Content-Type": "application/json", **headers}
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            return await client.post(path, content=request.body, headers=more)

    async def count(self) -> tuple[int, int]:
        return len((await self.record.everything())["reports"]), len(await self.record.rejects())


@pytest.fixture
async def door(dsn: str) -> AsyncIterator[Door]:
    it = house()
    async with record(dsn) as on:
        source = MesPushSource(MesPushSource.Config.model_validate({"secrets": [SECRET]}), it.clock, "mes")
        desk = MesDesk(source, Intake("mes", source, on.ledger, it.clock, on.shout), it.clock)
        deps = replace(it.deps, mes_doors={"mes": desk}, rejects=PgRejects(on.pool))
        it.deps, it.app = deps, build(deps, meter=Meter(burst=1e9))
        yield Door(it, on, it.app)


async def test_rework_is_a_count_of_its_own_and_what_is_not_known_is_named(door: Door) -> None:
    await door.push([EVENTS[0]])
    answer = await door.push([{**REPORT, "rework": 1, "colour": "red"}, {**REPORT, "order": "MO\n1"}])
    taken, refused = answer.json()["results"]
    assert taken == {"id": "R-1", "result": "taken", "ignored": ["colour"]}
    assert refused["faults"][0]["field"] == "order"
    (row,) = (await door.record.everything())["reports"]
    (intent,) = (await door.record.everything())["intents"]
    assert (row["rework"], mapping.report(intent["payload"])["rework"]) == (1, 1)


async def test_fields_that_we_do_not_know_are_counted_once_for_each_event_that_is_new(door: Door) -> None:
    unknown = Unknown()
    source = MesPushSource(MesPushSource.Config.model_validate({"secrets": [SECRET]}), door.it.clock, "mes")
    on = door.record
    intake = Intake("mes", source, on.ledger, door.it.clock, on.shout, unknown=unknown)
    told = [{**REPORT, "id": f"R-{n}", "colour": "red", **({"hue": 1} if n else {})} for n in range(3)]
    for events in (told, told, [{**REPORT, "id": "R-9", "good": -1, "size": 1}]):
        await intake.take(events)
    assert unknown.health() == {"unknown_fields": ["report.colour ×3", "report.hue ×2"]}
    await intake.take([{**REPORT, "id": f"N-{n}", f"new-{n}": 1} for n in range(300)])
    assert len(unknown.health()["unknown_fields"]) == MOST_FIELDS


async def test_every_event_of_a_batch_has_its_own_verdict(door: Door) -> None:
    bad = {**REPORT, "id": "R-9", "good": -1}
    answer = await door.push([REPORT, bad, {"type": "gossip", "id": "G"}, REPORT, 7])
    assert answer.status_code == 200
    said = answer.json()
    assert [(r["id"], r["result"]) for r in said["results"]] == [
        ("R-1", "taken"), ("R-9", "rejected"), ("G", "rejected"), ("R-1", "repeat"), ("", "rejected"),
    ]  # fmt: skip
    assert said["counts"] == {"taken": 1, "repeat": 1, "rejected": 3}
    (fault,) = said["results"][1]["faults"]
    assert fault["field"] == "good" and fault["text"]["en"].startswith("must be 0 or more")
    assert said["results"][2]["faults"][0]["field"] == "type"
    assert await door.count() == (1, 3)


async def test_a_result_that_is_no_number_and_a_clock_that_runs_ahead_cost_only_their_own_event(
    door: Door,
) -> None:
    late, unmeasured = {**REPORT, "id": "R-8", "at": "2026-03-05T09:00:00Z"}, {**EVENTS[4], "value": math.nan}
    said = (await door.push([late, unmeasured, REPORT])).json()["results"]
    assert [r["result"] for r in said] == ["rejected", "rejected", "taken"]
    assert [r["faults"][0]["field"] for r in said[:2]] == ["at", "value"]
    assert "correct the MES clock" in said[0]["faults"][0]["text"]["en"]
    assert await door.count() == (1, 2)


async def test_a_correction_cannot_tell_of_what_has_yet_to_happen(door: Door) -> None:
    source = MesPushSource(MesPushSource.Config.model_validate({"secrets": [SECRET]}), door.it.clock, "mes")
    intake = Intake("mes", source, door.record.ledger, door.it.clock, door.record.shout)
    verdict = await intake.correct({**REPORT, "at": "2026-03-05T09:00:00Z"}, take=True)
    assert [f.field for f in verdict.faults] == ["at"] and await door.count() == (0, 0)


async def test_a_batch_of_which_nothing_can_be_taken_is_a_422_that_names_field_and_remedy(door: Door) -> None:
    answer = await door.push([{"type": "report", "id": "R-1", **OF, "at": "2026-01-05 09:00:00"}])
    assert answer.status_code == 422
    (fault,) = answer.json()["results"][0]["faults"]
    assert fault["field"] == "at" and "2026-01-05T12:00:00+08:00" in fault["text"]["en"]


FORGED = ("body", "id", "time", "secret", "none", "empty", "v0", "early", "late", "word", "spaces", "case")


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_push_changes_nothing(door: Door, name: str) -> None:
    clock = door.it.clock
    good = signed(clock, [REPORT])
    said = good.headers["webhook-signature"]
    forged: dict[str, Any] = {
        "body": replace(good, body=good.body.replace(b'"good": 3', b'"good": 9')),
        "id": {"webhook-id": "b-2"}, "time": {"webhook-timestamp": str(int(clock.now().timestamp()) + 1)},
        "secret": signed(clock, [REPORT], secret="another-long-secret-here"),
        "none": replace(good, headers={}), "empty": {"webhook-signature": ""},
        "v0": {"webhook-signature": said.replace("v1,", "v0,")},
        "word": {"webhook-timestamp": "now"}, "case": {"webhook-signature": said.upper()},
        "spaces": replace(good, body=good.body + b" "),
    }  # fmt: skip
    if name in ("early", "late"):
        clock.turn(360 if name == "late" else -360)
        answer = await door.push(good)
    else:
        change = forged[name]
        answer = await door.push(
            replace(good, headers={**good.headers, **change}) if isinstance(change, dict) else change
        )
    assert answer.status_code == 403
    assert await door.count() == (0, 0)


async def test_a_replay_within_the_window_changes_nothing(door: Door) -> None:
    sent = signed(door.it.clock, EVENTS)
    first = await door.push(sent)
    before = await door.record.everything()
    door.it.clock.turn(1)
    again = await door.push(sent)
    assert (first.status_code, again.json()["counts"]) == (200, {"taken": 0, "repeat": 8, "rejected": 0})
    assert await door.record.everything() == before


async def test_an_old_order_pushed_again_does_not_undo_a_newer_one(door: Door) -> None:
    old, new = EVENTS[0], {**EVENTS[0], "id": "O-2", "quantity": 80}
    for told in (old, new, old):
        assert (await door.push([told])).status_code == 200
    assert [o["quantity"] for o in (await door.record.everything())["orders"]] == [80]


async def test_an_order_without_an_id_is_told_what_is_missing(door: Door) -> None:
    answer = await door.push([{k: v for k, v in EVENTS[0].items() if k != "id"}])
    assert answer.status_code == 422
    assert answer.json()["results"][0]["faults"][0]["field"] == "id"


@pytest.mark.parametrize("events", [[], {}, "x", 7, None, [REPORT] * 1001])
async def test_what_is_no_batch_is_refused_whole(door: Door, events: Any) -> None:
    answer = await door.push(events)
    assert answer.status_code == 400
    assert "events" in answer.json()["error"]["text"]["en"]
    assert await door.count() == (0, 0)


@pytest.mark.parametrize(
    "event",
    [
        {**REPORT, "id": "a\x00b"}, {**REPORT, "id": "\ud800"}, {**REPORT, "id": "x" * 201},
        {**REPORT, "at": "0001-01-01T00:00:00+14:00"}, {**REPORT, "good": 10**30},
        {**REPORT, "labour_seconds": 1e999}, {**EVENTS[0], "priority": 10**12}, {**REPORT, "person": "\x00"},
        {**EVENTS[4], "reason": "\x00"}, {**EVENTS[0], "product_name": {"zh": "\x00", "en": "x"}},
        {**EVENTS[0], "jobs": [{"operation": "10", "name": "\ud800", "quantity": 1}]},
    ],
)  # fmt: skip
async def test_what_the_record_cannot_hold_is_a_reject_and_no_error(door: Door, event: Any) -> None:
    answer = await door.push([event])
    assert answer.status_code == 422, answer.text
    assert len(await door.record.rejects()) == 1


async def test_a_source_that_is_not_there_is_not_found(door: Door) -> None:
    assert (await door.push([REPORT], "/api/mes/nobody")).status_code == 404


async def test_rejects_are_listed_replayed_and_put_aside(door: Door) -> None:
    await door.push([{**REPORT, "good": -1}, {**EVENTS[2], "good": -1}])
    async with door.it.as_role(Role.PLANNER) as planner:
        listed = (await planner.get("/api/mes/rejects")).json()
        newest, oldest = listed["rejects"]
        assert (listed["waiting"], newest["event"], json.loads(newest["record"])["good"]) == (
            {"mes": 2},
            "R-2",
            -1,
        )
        again = (await planner.post(f"/api/mes/rejects/{oldest['id']}/replay")).json()
        assert (again["result"]["result"], again["reject"]["times"]) == ("rejected", 2)
        path = f"/api/mes/rejects/{oldest['id']}/aside"
        put = (await planner.post(path, json={"reason": "entered by hand"})).json()["reject"]
        assert (put["state"], put["decided_by"], put["note"]) == ("aside", "planner-1", "entered by hand")
        assert (await planner.post(path, json={"reason": "twice"})).status_code == 409
        assert (await planner.post(f"/api/mes/rejects/{oldest['id']}/replay")).status_code == 409
        assert (await planner.get("/api/mes/rejects?source=other")).json()["rejects"] == []
        assert (await planner.get("/api/mes/rejects?state=aside")).json()["rejects"][0]["id"] == oldest["id"]
    assert (door.it.audited()["mes-replay"], door.it.audited()["mes-aside"]) == (1, 1)


async def test_a_reject_is_corrected_by_a_person_and_the_original_stays(door: Door) -> None:
    bad = {**REPORT, "id": "R-9", "good": "many", "colour": "red"}
    await door.push([EVENTS[0], bad])
    async with door.it.as_role(Role.PLANNER) as planner:
        (kept,) = (await planner.get("/api/mes/rejects")).json()["rejects"]
        path = f"/api/mes/rejects/{kept['id']}"
        draft = json.loads((await planner.get(f"{path}/draft")).json()["event"])
        assert draft == bad
        wrong = (await planner.post(f"{path}/check", json={"event": json.dumps(draft)})).json()
        assert [f["field"] for f in wrong["result"]["faults"]] == ["good"] and wrong["changes"] == []
        slip = (await planner.post(f"{path}/correct", json={"event": '{"good":\n 3,,}'})).json()
        assert "2:4" in slip["result"]["faults"][0]["text"]["en"] and slip["reject"]["state"] == "waiting"
        mended = json.dumps({**draft, "good": 7})
        fine = (await planner.post(f"{path}/check", json={"event": mended})).json()
        assert fine["result"] == {"id": "R-9", "result": "taken", "ignored": ["colour"]}
        assert await door.count() == (0, 1)
        done = (await planner.post(f"{path}/correct", json={"event": mended})).json()
        assert done["changes"] == [{"field": "good", "before": '"many"', "after": "7"}]
        assert (done["reject"]["state"], done["reject"]["decided_by"]) == ("replayed", "planner-1")
        assert json.loads(done["reject"]["record"]) == bad
        assert json.loads(done["reject"]["correction"])["good"] == 7
        assert (await planner.post(f"{path}/correct", json={"event": mended})).status_code == 409
    (row,) = (await door.record.everything())["reports"]
    assert (row["id"], row["good"]) == ("R-9", 7)
    await door.push([bad])  # the MES sends it again: it is settled
    assert [(r["state"], r["times"]) for r in await door.record.rejects()] == [("replayed", 2)]


async def test_who_changed_what_is_on_the_audit_trail_and_a_slip_is_not(door: Door) -> None:
    await door.push([{**REPORT, "good": -1}])
    async with door.it.as_role(Role.PLANNER) as planner:
        (kept,) = (await planner.get("/api/mes/rejects")).json()["rejects"]
        path = f"/api/mes/rejects/{kept['id']}/correct"
        await planner.post(path, json={"event": json.dumps({**REPORT, "good": -2})})
        await planner.post(path, json={"event": json.dumps({**REPORT, "good": 2})})
    ((who, _, about, detail),) = [line for line in door.it.people.trail if line[1] == "mes-correct"]
    assert (who, about, detail["changes"]) == ("planner-1", f"mes-reject:{kept['id']}", "good: -1 > 2")
    assert len(await door.record.rejects()) == 1


async def test_a_correction_under_an_id_that_said_something_else_is_told_and_not_kept(door: Door) -> None:
    await door.push([REPORT, {**REPORT, "id": "R-9", "good": -1}])
    async with door.it.as_role(Role.PLANNER) as planner:
        (kept,) = (await planner.get("/api/mes/rejects")).json()["rejects"]
        asked = {"event": json.dumps({**REPORT, "good": 99})}
        said = (await planner.post(f"/api/mes/rejects/{kept['id']}/correct", json=asked)).json()
    assert said["result"]["faults"][0]["field"] == "id" and said["reject"]["state"] == "waiting"
    assert await door.count() == (1, 1)


def test_a_weak_secret_stops_the_start() -> None:
    with pytest.raises(ValidationError, match="shorter than 16"):
        MesPushSource.Config.model_validate({"secrets": ["short"]})


async def test_an_mes_that_falls_silent_is_told(door: Door) -> None:
    clock = StridingClock()
    config = MesPushSource.Config.model_validate({"secrets": [SECRET], "quiet": "1min"})
    source = MesPushSource(config, clock, "mes")
    with pytest.raises(SourceUnavailable, match="nothing was pushed since 2026-01-05 12:00:00"):
        await source.feed(Intake("mes", source, door.record.ledger, clock, door.record.shout))
