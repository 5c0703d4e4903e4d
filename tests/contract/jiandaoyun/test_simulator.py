"""The simulated platform refuses what the real one refuses, and takes what it takes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hub.testing.clock import HandClock
from tests.simulators.jiandaoyun import seed
from tests.simulators.jiandaoyun.keys import Key
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

FREE, NARROW, STRUCTURE, ELSEWHERE = "free", "narrow", "structure", "elsewhere"
KEYS = {
    FREE: Key(),
    NARROW: Key(apps=frozenset({seed.ANOTHER_APP})),
    STRUCTURE: Key(groups=frozenset({"structure"})),
    ELSEWHERE: Key(addresses=frozenset({"10.0.0.1"})),
}
DATA = "v5/app/entry/data/"


class Caller:
    def __init__(self, erp: JiandaoyunSimulator) -> None:
        self.erp = erp
        self.http = httpx.Client(trust_env=False)
        self.form = erp.platform.books.form("ah_repair")
        self.at = {"app_id": seed.APP, "entry_id": self.form.entry_id}

    def post(self, path: str, body: dict[str, Any], key: str = FREE) -> httpx.Response:
        return self.http.post(f"{self.erp.url}/{path}", json=body, headers={"Authorization": f"Bearer {key}"})

    def ok(self, path: str, body: dict[str, Any]) -> Any:
        reply = self.post(path, self.at | body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def code(self, path: str, body: dict[str, Any], key: str = FREE) -> int:
        reply = self.post(path, self.at | body, key)
        assert reply.status_code == 400, reply.text
        return int(reply.json()["code"])


@pytest.fixture(scope="module")
def api() -> Iterator[Caller]:
    with JiandaoyunSimulator(keys=KEYS, now=HandClock().now, flow=True) as erp:
        caller = Caller(erp)
        yield caller
        caller.http.close()


def field(value: Any) -> dict[str, Any]:
    return {"value": value}


def test_only_a_known_key_with_its_rights_comes_in(api: Caller) -> None:
    body = {"limit": 1}
    assert api.code(f"{DATA}list", body, "nobody") == 8301
    assert api.code(f"{DATA}list", body, NARROW) == 17053
    assert api.code(f"{DATA}list", body, STRUCTURE) == 17054
    assert api.code(f"{DATA}list", body, ELSEWHERE) == 17052
    assert api.http.get(f"{api.erp.url}/{DATA}list").status_code == 404


def test_apps_and_forms_must_be_there_and_belong_together(api: Caller) -> None:
    assert api.code(f"{DATA}list", {"app_id": "65a0000000000000000000ff"}) == 2004
    assert api.code(f"{DATA}list", {"entry_id": "65a0000000000000000000ff"}) == 3000
    assert api.code(f"{DATA}list", {"app_id": seed.ANOTHER_APP}) == 3000
    assert api.code(f"{DATA}get", {"data_id": "65a0000000000000000000ff"}) == 4001
    assert api.code("v5/app/list", {"limit": 101}) == 17017
    forms = api.ok("v5/app/entry/list", {"limit": 100})["forms"]
    assert {f["name"] for f in forms} >= {"ah_repair", "ah_work_order"}


def test_fields_are_told_by_alias_id_and_title(api: Caller) -> None:
    widgets = api.ok("v5/app/entry/widget/list", {})["widgets"]
    key, last = widgets[0], widgets[-1]
    assert (key["name"], key["label"], key["type"]) == ("ext_key", "安灯编号", "text")
    assert key["widgetName"].startswith("_widget_")
    assert last["name"] == last["widgetName"]  # no alias


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"fault_desc": "text"}, 17017),
        ({"fault_desc": field(3)}, 17017),
        ({"downtime_min": field("3")}, 17017),
        ({"report_time": field(1_700_000_000)}, 17017),
        ({"report_time": field("2026/01/05")}, 17017),
        ({"worker": field("nobody")}, 1010),
        ({"photos": field(["no-such-key"])}, 17017),
    ],
)
def test_values_in_the_wrong_shape_are_refused(api: Caller, data: dict[str, Any], code: int) -> None:
    assert api.code(f"{DATA}create", {"data": data}) == code


@pytest.mark.parametrize(
    "given",
    ["2026-01-05T00:30:00Z", "2026-01-05T08:30:00+08:00", 1_767_573_000_000, "2026-01-05 08:30:00"],
)
def test_times_are_taken_in_many_forms_and_given_in_utc(api: Caller, given: Any) -> None:
    made = api.ok(f"{DATA}create", {"data": {"report_time": field(given)}})["data"]
    assert made["report_time"] == "2026-01-05T00:30:00.000Z"


def test_the_api_passes_over_what_people_are_checked_for(api: Caller) -> None:
    """Neither fields that must be filled nor values that must not repeat; unknown ones are ignored."""
    for _ in range(2):
        api.ok(
            f"{DATA}create",
            {"data": {"ext_key": field("SAME"), "no_such": field(1), "repair_no": field("X")}},
        )
    with pytest.raises(ValueError, match="fault_desc"):
        api.erp.desk.create("ah_repair", {"equip_code": "E"})
    rows = [r for r in api.erp.desk.rows("ah_repair") if r["ext_key"] == "SAME"]
    assert len(rows) == 2
    assert {r["repair_no"][:2] for r in rows} == {"BX"}


def test_a_batch_under_the_same_transaction_overwrites_and_any_other_write_is_refused(api: Caller) -> None:
    body = {"transaction_id": str(uuid.uuid4()), "data_list": [{"ext_key": field("T-1")}]}
    first = api.ok(f"{DATA}batch_create", body)
    again = api.ok(f"{DATA}batch_create", body | {"data_list": [{"ext_key": field("T-2")}]})
    assert again["success_ids"] == first["success_ids"]
    assert [r["ext_key"] for r in api.erp.desk.rows("ah_repair") if r["ext_key"] in ("T-1", "T-2")] == ["T-2"]
    assert api.code(f"{DATA}create", body | {"data": {}}) == 17026
    assert api.code(f"{DATA}create", {"data": {}, "transaction_id": "not-a-uuid"}) == 17025


@pytest.mark.parametrize(("rows", "code"), [([], 17024), (None, 17024), ([{}] * 101, 17023)])
def test_batches_have_an_end(api: Caller, rows: Any, code: int) -> None:
    assert api.code(f"{DATA}batch_create", {"data_list": rows}) == code


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "nowhere", "method": "eq", "value": ["x"]},
        {"field": "ext_key", "type": "text", "method": "like", "value": ["x"]},
        {"field": "ext_key", "type": "text", "method": "eq", "value": "x"},
        {"field": "downtime_min", "type": "number", "method": "in", "value": [1]},
        {"field": "photos", "type": "image", "method": "eq", "value": ["x"]},
        {"field": "ext_key", "type": "number", "method": "eq", "value": [1]},
    ],
)
def test_a_filter_that_a_field_does_not_know_is_refused(api: Caller, condition: dict[str, Any]) -> None:
    assert api.code(f"{DATA}list", {"filter": {"rel": "and", "cond": [condition]}}) == 4815


def test_lists_go_by_id_ten_at_a_time(api: Caller) -> None:
    api.ok(f"{DATA}batch_create", {"data_list": [{"ext_key": field(f"P-{n}")} for n in range(12)]})
    first = api.ok(f"{DATA}list", {})["data"]
    assert len(first) == 10
    assert [r["_id"] for r in first] == sorted(r["_id"] for r in first)
    second = api.ok(f"{DATA}list", {"data_id": first[-1]["_id"], "fields": ["ext_key"]})["data"]
    assert not {r["_id"] for r in first} & {r["_id"] for r in second}
    assert set(second[0]) == {"_id", "appId", "entryId", "ext_key"}


def test_a_subform_is_replaced_as_a_whole_but_rows_that_are_named_keep_their_id(api: Caller) -> None:
    at = {"entry_id": api.erp.platform.books.form("ah_sales_order").entry_id}
    (order,) = api.ok(f"{DATA}list", at)["data"]
    kept = {"_id": field(order["lines"][0]["_id"]), "qty": field(9)}
    body = at | {"data_id": order["_id"], "data": {"lines": field([kept, {"item_code": field("B")}])}}
    lines = api.ok(f"{DATA}update", body)["data"]["lines"]
    assert (lines[0]["_id"], lines[0]["item_code"], lines[0]["qty"]) == (
        order["lines"][0]["_id"],
        seed.ITEM,
        9,
    )
    lines = api.ok(f"{DATA}update", body | {"data": {"lines": field([])}})["data"]["lines"]
    assert lines == []


def test_a_workflow_begins_only_when_asked_and_says_no_with_200(api: Caller) -> None:
    without = api.ok(f"{DATA}create", {"data": {}})["data"]
    assert "flowState" not in without
    told = api.ok("v6/workflow/instance/get", {"instance_id": without["_id"]})
    assert (told["status"], told["code"]) == ("failure", 50016)
    made = api.ok(f"{DATA}create", {"data": {}, "is_start_workflow": True})["data"]
    assert made["flowState"] == 0
    instance = api.ok("v6/workflow/instance/get", {"instance_id": made["_id"], "tasks_type": 1})
    (task,) = instance["tasks"]
    act = {"instance_id": made["_id"], "task_id": task["task_id"], "username": seed.WORKER}
    assert api.ok("v1/workflow/task/approve", act | {"username": "jdy-li"})["code"] == 50041
    assert api.ok("v1/workflow/task/approve", act)["status"] == "success"
    assert api.ok("v1/workflow/task/approve", act)["code"] == 50051
    waiting = api.ok("v6/workflow/task/list", {"username": "jdy-li"})["tasks"]
    assert [t["instance_id"] for t in waiting] == [made["_id"]]


def test_a_file_is_good_in_its_own_transaction_only(api: Caller) -> None:
    mine, other = str(uuid.uuid4()), str(uuid.uuid4())
    path = "v5/app/entry/file/get_upload_token"
    assert api.code(path, {}) == 17025
    places = api.ok(path, {"transaction_id": mine})["token_and_url_list"]
    assert len(places) == 100
    url, token = places[0]["url"], {"token": places[0]["token"]}
    key = api.http.post(url, data=token, files={"file": ("a.jpg", b"\xff\xd8\r\n")}).json()["key"]
    assert api.http.post(url, data=token, files={"file": ("a.jpg", b"x")}).status_code == 579
    body = {"data": {"photos": field([key])}}
    assert api.code(f"{DATA}create", body | {"transaction_id": other}) == 17017
    made = api.ok(f"{DATA}create", body | {"transaction_id": mine})["data"]
    assert [p["name"] for p in made["photos"]] == ["a.jpg"]


def test_too_many_calls_are_told_with_429() -> None:
    with JiandaoyunSimulator(keys={FREE: Key()}, limited=True) as erp:
        caller = Caller(erp)
        erp.platform.door.seconds = lambda: 0.0  # all in one moment
        replies = [caller.post("v5/app/list", {}) for _ in range(31)]
        replies += [caller.post("v5/app/entry/list", {"app_id": seed.APP}) for _ in range(21)]
        caller.http.close()
    assert [r.status_code for r in replies] == [200] * 30 + [429] + [200] * 20 + [429]
    assert [r.json()["code"] for r in (replies[30], replies[-1])] == [8304, 8303]
    assert replies[30].headers["Retry-After"]
