"""Arrays, datasets and templates: a tag may be one number within a metric."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.sparkplug_edge import Absent, Value
from collectors.sparkplug_parts import checked, picked
from collectors.sparkplug_payload import BAD_NO_DATA, Metric, meant, parsed
from collectors.sparkplug_rows import BAD_NODE_UNKNOWN, Row, Rows
from hub.model.sample import GOOD
from tests.simulators.sparkplug import wire
from tests.simulators.sparkplug.wire import Entry, block, payload, whole

NOW = 1_777_000_000_000_000  # microseconds
INT16S, UINT8S, FLOATS, BOOLEANS, STRINGS = 23, 26, 30, 32, 33


def sent(kind: int, raw: bytes) -> Metric:
    [metric] = parsed(payload(NOW // 1000, 0, [Entry("x", kind=kind, value=raw)])).metrics
    return metric


def value(metric: Metric, item: str) -> float | str | None:
    """None where there is no such part."""
    part = picked(metric, 0, item)
    if part is None:
        return None
    number, text, status, why = meant(part, 0)
    assert (status, why) == (GOOD, "")
    return number if text is None else text


def dataset() -> Metric:
    columns = (
        block(2, b"zone") + block(2, b"temp") + block(3, wire.varint(wire.STRING) + wire.varint(wire.INT16))
    )
    rows = b"".join(
        block(4, block(1, block(6, zone)) + block(1, whole(1, temp & 0xFFFF_FFFF)))
        for zone, temp in ((b"inlet", 20), (b"outlet", -5))
    )
    return sent(wire.DATASET, whole(1, 2) + columns + rows)


def template(*members: Entry) -> bytes:
    return block(1, b"1") + b"".join(block(2, m.encoded()) for m in members) + block(4, b"Motor")


@pytest.mark.parametrize(
    ("kind", "raw", "values"),
    [
        (INT16S, struct.pack("<3h", -1, 2, 300), [-1, 2, 300]),
        (UINT8S, b"\x00\xff", [0, 255]),
        (FLOATS, struct.pack("<2f", 1.5, -2.25), [1.5, -2.25]),
        (BOOLEANS, struct.pack("<I", 9) + b"\xa0\x80", [1, 0, 1, 0, 0, 0, 0, 0, 1]),
        (STRINGS, "RUN\0停\0".encode(), ["RUN", "停"]),
    ],
)
def test_the_elements_of_an_array_are_values(kind: int, raw: bytes, values: list[float | str]) -> None:
    metric = sent(kind, raw)
    assert [value(metric, f"[{n}]") for n in range(len(values))] == values
    assert value(metric, "#") == len(values)
    assert value(metric, f"[{len(values)}]") is None
    assert "is an array; name a number in it by item:" in meant(metric, 0)[3]


def test_a_cell_of_a_dataset_is_a_value_with_its_columns_type() -> None:
    metric = dataset()
    assert [value(metric, i) for i in ("[0].temp", "[1].temp", "[1].zone", "[1][1]", "#")] == [
        20,
        -5,
        "outlet",
        -5,
        2,
    ]
    assert [value(metric, i) for i in ("[2].temp", "[0].none", "temp", "[0]")] == [None] * 4


def test_a_member_of_a_template_is_a_value_and_so_is_one_of_a_template_in_it() -> None:
    inner = Entry("Oil/Temp", kind=wire.TEMPLATE, value=template(Entry("Max", kind=wire.INT8, value=-3)))
    metric = sent(
        wire.TEMPLATE, template(Entry("Speed", value=2.5), inner, Entry("Off", kind=wire.INT8, null=True))
    )
    assert [value(metric, i) for i in ("Speed", "Oil/Temp.Max", "Speed.Max", "None", "[0]")] == [
        2.5, -3, None, None, None,
    ]  # fmt: skip
    part = picked(metric, 0, "Off")
    assert part is not None
    assert meant(part, 0)[2] == BAD_NO_DATA


@given(
    st.sampled_from([wire.DATASET, wire.TEMPLATE, *range(22, 35)]), st.binary(max_size=60),
    st.sampled_from(["[0]", "[0].temp", "Speed", "#", "[3][1]"]),
)  # fmt: skip
def test_bytes_that_make_no_sense_have_no_parts(kind: int, raw: bytes, item: str) -> None:
    part = picked(sent(kind, raw), 0, item)
    assert part is None or len(meant(part, 0)) == 4


@pytest.mark.parametrize("item", ["[", "[x]", ".", "a..b", "#a", "[1]]"])
def test_a_way_that_leads_nowhere_is_explained(item: str) -> None:
    with pytest.raises(ValueError, match="leads to no part; write"):
        checked(item)


def test_tags_of_one_metric_live_and_die_together_and_a_part_left_out_is_no_news() -> None:
    rows = Rows(
        [Row(n, 1.0, 0.0, {}, 60_000_000, 0, item, 0) for n, item in enumerate(("Speed", "Load", "Gone"))],
        1,
        "s",
    )
    born = sent(wire.TEMPLATE, template(Entry("Speed", value=1.0), Entry("Load", value=9.0)))
    later = sent(wire.TEMPLATE, template(Entry("Speed", value=2.0)))
    rows.put([Value(0, born, wire.TEMPLATE, NOW, birth=True)], 0, NOW, 0.0)
    rows.put([Value(0, later, wire.TEMPLATE, NOW + 1)], 0, NOW, 0.0)
    [first] = rows.take(0.0)
    assert [(int(t), v) for t, v in zip(first.tags, first.values, strict=True) if not math.isnan(v)] == [
        (0, 1),
        (1, 9),
        (0, 2),
    ]
    assert [int(s) for t, s in zip(first.tags, first.statuses, strict=True) if t == 2] == [BAD_NODE_UNKNOWN]
    assert rows.complaints == [(2, "has no part Gone; correct item:")]
    rows.put([Absent([0])], 0, NOW + 2, 0.0)
    [dead] = rows.take(0.0)
    assert dead.tags.tolist() == [0, 1, 2]
