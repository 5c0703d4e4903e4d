"""What a person finds when a reject is opened, and what is told of what they changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collectors import mes_corrections
from collectors.mes_faults import Unreadable
from collectors.mes_files import MesFilesSource
from collectors.mes_kafka import MesKafkaSource
from collectors.mes_push import MesPushSource
from hub.model.intake import Change
from hub.testing.clock import HandClock

BLOCK = {
    "folder": "/tmp", "reads": [
        {
            "name": "r", "type": "report", "pattern": "*",
            "fields": {"id": "单号", "order": "工单", "operation": "工序", "at": "时间", "state": "状态"},
            "words": {"state": {"1": "running"}},
        }
    ],
}  # fmt: skip
FILES = MesFilesSource(MesFilesSource.Config.model_validate(BLOCK), HandClock(), "mes")
KAFKA = MesKafkaSource(
    MesKafkaSource.Config.model_validate({"servers": ["k:9092"], "topics": ["t"]}), HandClock(), "mes"
)
PUSH = MesPushSource(MesPushSource.Config.model_validate({"secrets": ["x" * 20]}), HandClock(), "mes")


@pytest.mark.parametrize(
    ("source", "record", "found"),
    [
        (PUSH, {"type": "report", "id": "R"}, {"type": "report", "id": "R"}), (PUSH, 7, 7),
        (PUSH, {"type": "order"}, {"type": "order"}),
        (KAFKA, {"entry": "t/0/1", "event": '{"good": 1}'}, {"id": "t/0/1", "good": 1}),
        (
            FILES, {"table": "r", "rows": [{"单号": "R", "状态": "1"}]},
            {"id": "R", "state": "running", "type": "report"},
        ),
        (FILES, {"table": "r", "rows": [{"单号": "R", "状态": "9"}]}, {"单号": "R", "状态": "9"}),
        (FILES, {"table": "gone", "rows": [{"a": 1}]}, {"a": 1}),
    ],
)  # fmt: skip
def test_the_draft_is_the_event_or_what_is_nearest_to_it(source: Any, record: Any, found: Any) -> None:
    assert json.loads(mes_corrections.draft(source, record)) == found


def test_a_text_that_is_no_json_is_shown_as_it_came() -> None:
    assert mes_corrections.draft(KAFKA, {"entry": "t/0/1", "event": '{"good": 1'}) == '{"good": 1'
    assert json.loads(mes_corrections.draft(PUSH, {"id": "\ud800"})) == {"id": "\ud800"}
    mes_corrections.draft(PUSH, {"id": "\ud800"}).encode()


def test_each_field_that_was_changed_is_told_with_before_and_after() -> None:
    before = json.dumps({"good": "many", "jobs": [{"operation": "10"}], "person": "李", "same": 1})
    after = {"good": 7, "jobs": [{"operation": "20"}], "same": 1, "scrap": None}
    assert mes_corrections.changes(before, after) == (
        Change("good", '"many"', "7"), Change("jobs.0.operation", '"10"', '"20"'),
        Change("person", '"李"', ""), Change("scrap", "", "null"),
    )  # fmt: skip
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert len(mes_corrections.changes("{}", {"x": deep})) == 1
    assert mes_corrections.changes("{", {"a": 1}) == (Change("", '"{"', ""), Change("a", "", "1"))


@pytest.mark.parametrize(
    ("text", "where"), [('{"a": 1,\n}', "2:1"), ("[" * 100_000, "is not JSON"), ("", "1:1")]
)
def test_a_slip_of_the_pen_is_told_with_its_place(text: str, where: str) -> None:
    with pytest.raises(Unreadable) as told:
        mes_corrections.parsed(text)
    assert where in told.value.faults[0].text.en
