"""What people and screens get from the routes, and how refusals read."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from PIL import Image
from structlog.testing import capture_logs

from hub.api import photos
from hub.errors import Transient
from hub.model.gap import SampleGap
from hub.model.people import Role
from tests.api_house import (
    JPEG,
    MY_TICKET,
    PNG,
    PRESS,
    THEIR_TICKET,
    WEBP,
    FlatSamples,
    House,
    house,
    person,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def it() -> House:
    return house()


async def get(it: House, path: str, role: Role = Role.TECHNICIAN, status: int = 200) -> Any:
    async with it.as_role(role) as client:
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


async def post(
    it: House, path: str, body: Any = None, role: Role = Role.TECHNICIAN, status: int = 200
) -> Any:
    async with it.as_role(role) as client:
        answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def upload(it: House, data: bytes, role: Role = Role.TECHNICIAN, name: str = "photo") -> httpx.Response:
    async with it.as_role(role) as client:
        return await client.post("/api/photos", files={name: ("../../x.html", data, "text/html")})


# ------------------------------------------------------------------ alarms
async def test_an_alarm_reads_as_on_the_board(it: House) -> None:
    (found,) = (await get(it, "/api/alarms"))["alarms"]
    assert found == {
        "id": 1, "rule": "oil-hot", "subject": f"{PRESS}/oil_temp", "equipment": PRESS,
        "where": {"zh": "1号线 冲压机01", "en": "Line 1 Press 01"},
        "title": {"zh": "油温过高", "en": "Oil too hot"}, "priority": "critical", "state": "unacked",
        "condition": True, "blind": False, "value": 92.4, "limit": 80.0, "unit": "℃",
        "raised_at": "2026-01-05T12:00:00Z", "opened_at": "2026-01-05T12:00:00Z", "count": 1,
        "ticket": MY_TICKET,
    }  # fmt: skip


async def test_closed_alarms_are_listed_when_asked_for_and_only_ones_own(it: House) -> None:
    found = (await get(it, "/api/alarms?open=false"))["alarms"]
    assert [a["id"] for a in found] == [1, 3]
    assert len((await get(it, "/api/alarms?open=false&limit=1"))["alarms"]) == 1


async def test_an_acknowledgement_names_who_and_stands_in_the_audit_trail(it: House) -> None:
    told = await post(it, "/api/alarms/1/acknowledge", {"note": "going there"})
    assert told["alarm"]["state"] == "acked"
    assert told["alarm"]["owner"] == {
        "id": "technician-1",
        "name": {"zh": "人technician", "en": "The technician"},
    }
    assert it.desk.asked == [("acknowledge", 1, "technician-1", "going there")]
    assert it.people.trail == [
        ("technician-1", "acknowledge", "alarm:1", {"note": "going there", "address": "10.0.0.5"})
    ]


async def test_an_alarm_is_shelved_with_a_reason_until_a_moment_in_utc(it: House) -> None:
    told = await post(
        it, "/api/alarms/1/shelve", {"until": "2026-01-05T21:00:00+08:00", "reason": " sensor "}
    )
    assert told["alarm"]["aside"] == {
        "by": {"id": "technician-1", "name": {"zh": "人technician", "en": "The technician"}},
        "at": "2026-01-05T12:00:00Z", "until": "2026-01-05T13:00:00Z",
        "reason": {"zh": "sensor", "en": "sensor"},
    }  # fmt: skip
    assert it.desk.asked[0][4] == "sensor"
    assert (await post(it, "/api/alarms/1/unshelve"))["alarm"]["state"] == "unacked"
    assert it.audited() == {"shelve": 1, "unshelve": 1}


async def test_an_alarm_is_taken_out_of_service_returned_and_reset_on_the_audit_trail(it: House) -> None:
    told = await post(it, "/api/alarms/1/out-of-service", {"reason": "pump is being changed"})
    assert (told["alarm"]["state"], told["alarm"]["aside"]["reason"]["en"]) == (
        "out-of-service",
        "pump is being changed",
    )
    assert (await post(it, "/api/alarms/1/return"))["alarm"]["state"] == "unacked"
    assert (await post(it, "/api/alarms/1/reset", role=Role.OPERATOR))["alarm"]["state"] == "normal"
    assert it.audited() == {"out-of-service": 1, "return": 1, "reset": 1}


async def test_a_machines_rules_are_listed_and_taken_out_of_service_before_any_alarm(it: House) -> None:
    (rule,) = (await get(it, "/api/rules", Role.VIEWER))["rules"]
    assert (rule["rule"], rule["equipment"], rule["priority"]) == ("oil-hot", PRESS, "critical")
    asked = {"equipment": PRESS, "rule": "oil-hot", "reason": "overhaul"}
    assert [a["id"] for a in (await post(it, "/api/rules/out-of-service", asked))["alarms"]] == [1]
    await post(it, "/api/rules/return", {"equipment": PRESS})
    assert it.desk.asked == [
        ("take-out", PRESS, "technician-1", "overhaul", "oil-hot", ""),
        ("put-back", PRESS, "technician-1", "", ""),
    ]
    assert [(what, about) for _, what, about, _ in it.people.trail] == [
        ("out-of-service", f"equipment:{PRESS}"),
        ("return", f"equipment:{PRESS}"),
    ]


@pytest.mark.parametrize(
    "until",
    [
        "2026-01-05T13:00:00", "tomorrow", 1767618000, "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00", "", None,
    ],
)  # fmt: skip
async def test_a_moment_without_a_zone_or_beyond_reason_is_refused_with_an_example(
    it: House, until: Any
) -> None:
    told = await post(it, "/api/alarms/1/shelve", {"until": until, "reason": "x"}, status=400)
    assert told["error"]["text"]["en"].startswith("until ")
    assert told["error"]["text"]["zh"].startswith("until ")


async def test_a_bad_field_is_named_with_its_remedy_in_both_languages_and_not_repeated(it: House) -> None:
    told = await post(
        it, "/api/alarms/1/shelve", {"until": "2026-01-05T13:00:00Z", "resaon": "canary"}, status=400
    )
    assert told["error"]["text"] == {
        "zh": "reason 缺少，请填写；resaon 是未知字段，请去掉",
        "en": "reason is missing; add it; resaon is not a field we know; remove it",
    }
    assert "canary" not in str(told)


# ------------------------------------------------------------------ tickets
async def test_a_ticket_comes_with_its_alarm_and_its_history(it: House) -> None:
    told = await get(it, f"/api/tickets/{MY_TICKET}")
    assert told["ticket"]["title"] == {"zh": "油温过高", "en": "Oil too hot"}
    assert told["ticket"]["where"]["zh"] == "1号线 冲压机01"
    assert told["alarm"]["id"] == 1
    assert told["lines"][0]["after"] == "sent"
    assert "technician" not in told["ticket"]


async def test_a_ticket_goes_from_accepted_to_closed_by_hand_and_each_step_is_audited(it: House) -> None:
    path = f"/api/tickets/{MY_TICKET}"
    moment = {"device_time": "2026-01-05T20:00:00.5+08:00"}
    assert (await post(it, f"{path}/accept", moment))["ticket"]["state"] == "accepted"
    assert it.desk.asked[0][3].isoformat() == "2026-01-05T12:00:00.500000+00:00"
    assert (await post(it, f"{path}/arrive", {}))["ticket"]["state"] == "on-site"
    assert (await post(it, f"{path}/begin", {}))["ticket"]["state"] == "repairing"
    cause = {"cause_class": "mechanical", "cause": "轴承磨损\n已更换"}
    assert (await post(it, f"{path}/repaired", cause))["ticket"]["cause"] == "轴承磨损\n已更换"
    assert (await post(it, f"{path}/close", {"reason": "tried"}, Role.MANAGER))["ticket"]["state"] == "closed"
    assert it.audited() == {"accept": 1, "arrive": 1, "begin": 1, "repaired": 1, "close": 1}


async def test_who_was_slower_is_told_who_was_faster() -> None:
    it = house(person(Role.TECHNICIAN))
    it.desk._ticket(MY_TICKET, technician="manager-1")
    told = await post(it, f"/api/tickets/{MY_TICKET}/accept", status=409)
    assert told["error"]["code"] == "ticket-taken"
    assert told["error"]["text"] == {
        "zh": "工单已由 人manager 接单",
        "en": "The manager has accepted this ticket already",
    }


async def test_what_is_elsewhere_reads_exactly_like_what_is_nowhere(it: House) -> None:
    for mine, none in (
        (f"/api/tickets/{THEIR_TICKET}", "/api/tickets/AH-20300101-0001"),
        ("/api/alarms/2", "/api/alarms/999"),
        ("/api/trend?tag=p1/machining/l2/cnc-01/spindle", "/api/trend?tag=p1/x"),
        (f"/api/photos/{'0' * 32}-{'0' * 16}", f"/api/photos/{'f' * 32}-{'f' * 16}"),
    ):
        here, there = [(await get(it, path, status=404))["error"] for path in (mine, none)]
        assert {**here, "id": ""} == {**there, "id": ""}


# ------------------------------------------------------------------ photos
@pytest.mark.parametrize(("data", "kind"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")])
async def test_a_picture_is_taken_for_what_it_is_and_shown_so_that_nothing_runs(
    it: House, data: bytes, kind: str
) -> None:
    number = (await upload(it, data)).json()["id"]
    async with it.as_role(Role.TECHNICIAN) as client:
        shown = await client.get(f"/api/photos/{number}")
    with Image.open(io.BytesIO(shown.content)) as seen:
        assert (Image.MIME[str(seen.format)], seen.size) == (kind, (8, 6))
    assert shown.headers["content-type"] == kind
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["content-disposition"].startswith(f'inline; filename="{number}.')
    assert "sandbox" in shown.headers["content-security-policy"]
    assert it.audited() == {"photo": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<svg onload=alert(1)>", b"GIF89a" + b"\0" * 99, b"<html>" + JPEG, b"RIFF\0\0\0\0WAVE",
        b"\xff\xd8", b"%PDF-1", b"\xff\xd8\xff\xe0" + b"\0" * 200, PNG[:60],
    ],
)  # fmt: skip
async def test_what_is_no_picture_is_refused_whatever_it_calls_itself(it: House, data: bytes) -> None:
    answer = await upload(it, data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "photo-kind")
    assert not it.ledger.photos


async def test_a_form_without_a_photo_is_told_so(it: House) -> None:
    assert (await upload(it, JPEG, name="picture")).json()["error"]["code"] == "photo-missing"
    assert (await post(it, "/api/photos", {"photo": "x"}, status=400))["error"]["code"] == "photo-missing"


async def test_a_photo_is_seen_by_its_maker_and_then_by_who_may_see_the_ticket(it: House) -> None:
    number = (await upload(it, JPEG)).json()["id"]
    await get_photo(it, number, Role.TECHNICIAN, 200)
    await get_photo(it, number, Role.VIEWER, 404)
    cause = {"cause_class": "mechanical", "cause": "bearing", "photo": number}
    await post(it, f"/api/tickets/{MY_TICKET}/repaired", cause)
    await get_photo(it, number, Role.VIEWER, 200)
    it.desk._ticket(MY_TICKET, photo="")
    it.desk._ticket(THEIR_TICKET, photo=number)
    await get_photo(it, number, Role.VIEWER, 404)


async def get_photo(it: House, number: str, role: Role, status: int) -> None:
    async with it.as_role(role) as client:
        assert (await client.get(f"/api/photos/{number}")).status_code == status


async def test_nobody_hangs_somebody_elses_photo_or_none_at_all_on_a_ticket(it: House) -> None:
    number = (await upload(it, JPEG, Role.MANAGER)).json()["id"]
    gone = photos.new_id("technician-1")
    for photo, status in ((number, 400), ("0" * 49, 400), ("../../etc", 400), (gone, 404)):
        cause = {"cause_class": "mechanical", "cause": "bearing", "photo": photo}
        await post(it, f"/api/tickets/{MY_TICKET}/repaired", cause, status=status)
    assert not it.desk.asked


# ------------------------------------------------------------------ curves, board, health
async def test_a_trend_has_holes_where_there_is_no_number(it: House) -> None:
    told = await get(it, f"/api/trend?tag={PRESS}/oil_temp&minutes=60")
    assert told == {
        "tag": f"{PRESS}/oil_temp",
        "unit": "℃",
        "points": [["2026-01-05T11:00:00Z", 1.5, 1.0, None]],
        "gaps": [],
    }


async def test_a_trend_begins_where_its_unit_does(it: House) -> None:
    tags = it.deps.plant.tags
    other = replace(tags[f"{PRESS}/oil_temp"], unit="℉", unit_since=it.clock.now() - timedelta(minutes=30))
    object.__setattr__(it.deps, "plant", replace(it.deps.plant, tags={**tags, other.path: other}))
    told = await get(it, f"/api/trend?tag={PRESS}/oil_temp&minutes=60")
    assert (told["unit"], told["unit_since"], told["points"]) == ("℉", "2026-01-05T11:30:00Z", [])


async def test_a_trend_says_where_samples_were_dropped(it: House) -> None:
    class Dropped:
        async def of(self, tag: int, start: datetime, end: datetime) -> list[SampleGap]:
            return [SampleGap("g1", "plc", start, end, 5, frozenset({f"{PRESS}/oil_temp"}))]

    object.__setattr__(it.deps, "gaps", Dropped())
    told = await get(it, f"/api/trend?tag={PRESS}/oil_temp&minutes=60")
    assert told["gaps"] == [
        {"from": "2026-01-05T11:00:00Z", "to": "2026-01-05T12:00:00Z", "source": "plc", "samples": 5}
    ]


@pytest.mark.parametrize(
    "query", ["minutes=0", "minutes=-1", "minutes=1e9", f"minutes={'9' * 400}", "minutes=x", "until=x",
              "until=2026-01-05T11:00:00"],
)  # fmt: skip
async def test_a_span_beyond_reason_is_refused(it: House, query: str) -> None:
    await get(it, f"/api/trend?tag={PRESS}/oil_temp&{query}", status=400)


@pytest.mark.parametrize(
    ("until", "start", "end"),
    [
        ("2026-01-05T10:00:00Z", "2026-01-05T09:00", "2026-01-05T10:00"),
        ("2999-01-01T00:00:00Z", "2026-01-05T11:00", "2026-01-05T12:00"),
        ("0001-01-01T00:00:00Z", "2025-01-04T11:00", "2025-01-04T12:00"),
    ],
)
async def test_a_trend_may_end_earlier_than_now_but_not_later(
    it: House, monkeypatch: pytest.MonkeyPatch, until: str, start: str, end: str
) -> None:
    asked = []

    async def trend(
        _: FlatSamples, number: int, first: datetime, last: datetime, points: int
    ) -> list[object]:
        asked.append((first.strftime("%Y-%m-%dT%H:%M"), last.strftime("%Y-%m-%dT%H:%M")))
        return []

    monkeypatch.setattr(FlatSamples, "trend", trend)
    await get(it, f"/api/trend?tag={PRESS}/oil_temp&minutes=60&until={until}")
    assert asked == [(start, end)]


async def test_health_is_200_only_when_all_is_well() -> None:
    for word, status in (("ok", 200), ("starting", 503), ("degraded", 503)):
        told = {"status": word, "parts": {"web": word == "ok"}}
        it = house(health=lambda told=told: told)  # type: ignore[misc]
        async with it.client() as client:
            answer = await client.get("/health")
        assert (answer.status_code, answer.json()) == (status, told)


async def test_the_status_page_has_the_outbox(it: House) -> None:
    told = await get(it, "/api/status", Role.MANAGER)
    assert told == {
        "parts": [],
        "outbox": {"waiting": {"tell": 2}, "oldest_seconds": {"tell": 3.5}, "dead": 0},
    }


async def test_metrics_answer_while_the_database_is_away(it: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise Transient("the database is away")

    async with it.as_role(Role.ADMIN) as client:
        answer = await client.get("/metrics")
        assert 'andon_outbox_waiting{kind="tell"} 2.0' in answer.text
        monkeypatch.setattr(type(it.deps.outbox), "stats", lambda _: away())
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert 'andon_outbox_waiting{kind="tell"} NaN' in answer.text


# ------------------------------------------------------------------ trouble
async def test_a_bug_tells_an_id_that_the_log_has_too_and_nothing_else(it: House) -> None:
    it.ledger.broken = RuntimeError("canary: password of the database")
    with capture_logs() as logged:
        async with it.as_role(Role.TECHNICIAN) as client:
            answer = await client.get("/api/alarms/1?token=canary")
    assert answer.status_code == 500
    assert "canary" not in answer.text
    assert "Traceback" not in answer.text
    told = answer.json()["error"]
    assert set(told) == {"code", "text", "id"}
    (line,) = [entry for entry in logged if entry["event"] == "unhandled"]
    assert (line["id"], line["path"], line["exc_info"]) == (told["id"], "/api/alarms/1", it.ledger.broken)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


async def test_a_database_that_is_away_lets_nobody_in_and_asks_for_patience(it: House) -> None:
    it.ledger.broken = Transient("the database is away: secret host", timedelta(seconds=2))
    async with it.as_role(Role.TECHNICIAN) as client:
        answer = await client.get("/api/alarms/1")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "secret host" not in answer.text

    async def away(*_: object) -> None:
        raise Transient("the database is away")

    it.people.session = away  # type: ignore[method-assign,assignment]
    async with it.as_role(Role.ADMIN) as client:
        for path in ("/api/me", "/api/alarms", "/api/openapi.json", "/metrics"):
            assert (await client.get(path)).status_code == 503


async def test_every_answer_carries_the_safe_headers_and_api_answers_are_not_kept(it: House) -> None:
    async with it.as_role(Role.TECHNICIAN) as client:
        for path in ("/api/me", "/api/nope", "/api/status", "/health"):
            headers = (await client.get(path)).headers
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "same-origin"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "script-src 'self';" in headers["content-security-policy"]
            assert headers.get("cache-control") == ("no-store" if path.startswith("/api") else None)
            assert "strict-transport-security" not in headers
    async with house(public_url="https://andon.example").client() as client:
        assert "strict-transport-security" in (await client.get("/health")).headers


async def test_there_are_no_documentation_pages(it: House) -> None:
    async with it.as_role(Role.ADMIN) as client:
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert (await client.get(path)).status_code == 404
        described = (await client.get("/api/openapi.json")).json()
    assert "/api/alarms/{alarm_id}/acknowledge" in described["paths"]
