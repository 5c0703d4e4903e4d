"""A row that its map cannot read is still known by its type and its id."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collectors import mes_tables as tables
from collectors.mes_faults import Unreadable

REPORT = tables.TableBlock.model_validate({
    "name": "报工", "type": "report",
    "fields": {
        "id": "单号", "order": "工单", "operation": "工序", "at": "时间", "good": "数量", "state": "状态",
    },
    "words": {"state": {"完工": "done"}},
})  # fmt: skip
ROW = {"单号": 1203.0, "工单": "MO-1", "工序": "10", "时间": "2026-01-05 08:30", "数量": 3, "状态": "歇"}


@pytest.mark.parametrize(
    ("record", "known_as"),
    [
        ({"table": "报工", "rows": [ROW]}, ("report", "1203")),
        ({"table": "报工", "rows": [{**ROW, "单号": None}]}, ("report", "")),
        ({"table": "报工", "rows": [ROW], "extra": 2}, ("report", "1203")),
        ({"table": "没有", "rows": [ROW]}, ("", "")),
        ({"table": "报工", "rows": "x"}, ("report", "")),
        (7, ("", "")),
    ],
)
def test_what_the_map_cannot_read_has_the_type_and_id_of_its_row(
    record: Any, known_as: tuple[str, str]
) -> None:
    reads = {"报工": REPORT}
    with pytest.raises(Unreadable) as why, tables.named_by_row(reads, record):
        tables.event_of(reads, ZoneInfo("Asia/Shanghai"), record)
    assert (why.value.kind, why.value.name) == known_as
