"""A map of columns, as data: rows of somebody else's table become typed events, or say what is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from pydantic import ValidationError

from collectors import mes_tables as tables
from collectors.mes_events import read
from collectors.mes_faults import Unreadable
from collectors.mes_sql import MesSqlConfig
from collectors.mes_tables import TableBlock
from hub.model.production import JobResponse, JobState, WorkOrder
from hub.registry import plugins

ZONE = ZoneInfo("Asia/Shanghai")
REPORT = TableBlock.model_validate(
    {
        "name": "bg", "type": "report", "constants": {"operation": 10},
        "fields": {"id": "单号", "order": "工单", "at": "时间", "good": "合格", "state": "状态"},
        "words": {"state": {"完工": "done", "1": "running"}},
    }
)  # fmt: skip
ROW = {"单号": "B1", "工单": "MO-1", "时间": "2026/01/05 09:30:00", "合格": "3", "状态": "完工", "备注": "x"}


def test_columns_words_and_times_become_our_own() -> None:
    thing = read(tables.event(REPORT, ZONE, [ROW])).thing
    assert isinstance(thing, JobResponse)
    assert (thing.id, thing.order, thing.operation, thing.good, thing.state) == (
        "B1", "MO-1", "10", 3, JobState.DONE,
    )  # fmt: skip
    assert thing.at.isoformat() == "2026-01-05T01:30:00+00:00"


def test_an_empty_cell_is_not_told_and_a_strange_word_is_told() -> None:
    assert "good" not in tables.event(REPORT, ZONE, [ROW | {"合格": " "}])
    with pytest.raises(Unreadable, match="state is no word of the map: 完工, 1"):
        tables.event(REPORT, ZONE, [ROW | {"状态": "暂停"}])


def test_the_row_itself_is_the_id_where_there_is_none() -> None:
    assert tables.event(REPORT, ZONE, [ROW | {"单号": ""}], "abc:2")["id"] == "abc:2"
    assert tables.event(REPORT, ZONE, [ROW], "abc:2")["id"] == "B1"


def test_rows_of_an_order_are_its_operations_and_two_languages_its_name() -> None:
    block = TableBlock.model_validate(
        {
            "name": "o", "type": "order",
            "fields": {
                "number": "mo", "product": "p", "product_name.zh": "zh", "product_name.en": "en",
                "quantity": "q", "due_at": "due", "job.operation": "op", "job.name": "opn",
                "job.quantity": "q",
            },
        }
    )  # fmt: skip
    row = {
        "mo": "M1",
        "p": "A",
        "zh": "泵",
        "en": "Pump",
        "q": 5,
        "due": "2026-01-06",
        "op": "10",
        "opn": "冲",
    }
    rows = [row, row | {"op": "20"}, row | {"mo": "M2"}]
    first, second = tables.folded(block, rows)
    thing = read(tables.event(block, ZONE, first)).thing
    assert isinstance(thing, WorkOrder)
    assert (thing.product_name.en, [j.operation for j in thing.jobs], len(second)) == (
        "Pump",
        ["10", "20"],
        1,
    )
    assert thing.due_at.isoformat() == "2026-01-05T16:00:00+00:00"


def test_without_a_map_columns_with_our_names_are_taken() -> None:
    block = TableBlock(name="r", type="report")
    row: dict[str, Any] = {
        "id": 7,
        "order": "M",
        "operation": 10,
        "at": "2026-01-05T09:00:00Z",
        "secret": "x",
    }
    made = tables.event(block, ZONE, [row])
    assert (made["id"], made["type"], "secret" in made) == (7, "report", False)


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "report", "fields": {"goood": "x"}}, "did you mean 'good'"),
        ({"type": "order", "constants": {"job.op": "x"}}, "did you mean 'job"),
        ({"type": "quality", "words": {"state": {}}}, "no such field; known are"),
        ({"type": "gossip"}, "type"),
    ],
)
def test_a_map_that_names_what_is_not_there_stops_the_start(block: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as found:
        TableBlock.model_validate({"name": "x", **block})
    assert told in str(found.value)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (Decimal("3.0"), 3),
        (Decimal("2.5"), 2.5),
        (10.0, 10),
        (1e300, 1e300),
        (True, True),
        (None, None),
        ("a", "a"),
    ],
)
def test_numbers_of_databases_and_sheets_are_json(value: Any, made: Any) -> None:
    assert tables.plain(value) == made and type(tables.plain(value)) is type(made)


READ = {"name": "r", "type": "report", "watermark": "t", "start": "2026-01-01"}
GOOD = "select id, t from v where t >= :since order by t limit :limit"


@pytest.mark.parametrize(
    ("read_block", "told"),
    [
        ({"statement": "delete from v where t >= :since and :limit = 1"}, "may begin with select"),
        ({"statement": GOOD + "; drop table v"}, "several statements"),
        ({"statement": GOOD.replace(":since", "'{since}'")}, "what stands in quotes is not filled in"),
        ({"statement": GOOD.replace(":since", "%s")}, "parameters have names"),
        ({"statement": GOOD.replace(":since", ":from")}, ":from is unknown"),
        ({"statement": "select id, t from v where t >= :since"}, "needs :limit"),
        ({"statement": GOOD, "watermark": ""}, "watermark and :since go together"),
        ({"statement": GOOD, "start": ""}, "say where to begin"),
        ({"statement": GOOD, "type": "order", "fields": {"job.operation": "op"}}, "read whole"),
    ],
)
def test_a_statement_that_is_not_bound_reading_stops_the_start(read_block: dict[str, Any], told: str) -> None:
    good = {"host": "h", "database": "d", "user": "u"}
    assert MesSqlConfig.model_validate({**good, "reads": [{**READ, "statement": GOOD}]})
    with pytest.raises(ValidationError) as found:
        MesSqlConfig.model_validate({**good, "reads": [READ | read_block]})
    assert told in str(found.value)


def test_the_blocks_of_the_manual_can_be_copied_whole() -> None:
    text = (Path(__file__).parents[2] / "docs" / "mes.md").read_text(encoding="utf-8")
    sources = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])["mes"]
    kinds = plugins("mes")
    assert {s["kind"] for s in sources} == set(kinds) - {"mes-http"}
    for source in sources:
        block = {k: _filled(k, v) for k, v in source["with"].items()}
        assert kinds[source["kind"]].Config.model_validate(block)


def _filled(name: str, value: Any) -> Any:
    """A secret as the environment would give it."""
    if isinstance(value, list) and name == "secrets":
        return [_filled("", v) for v in value]
    secret = isinstance(value, dict) and "env" in value
    return ("redis://h:6379/0" if name == "url" else "correct-horse-battery") if secret else value
