"""What the fields of an MES's event take, and what is refused rather than guessed."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.mes_events import MODELS, JobIn, Record, StockIn, SumIn, read
from collectors.mes_faults import Unreadable, reason_of

AT = "2026-01-05T08:00:00+08:00"
REPORT = {"type": "report", "id": "1", "order": "MO1", "operation": "10", "at": AT, "good": 1}
ORDER = {
    "type": "order", "number": "M", "product": "P", "product_name": "N", "quantity": 1, "due_at": AT,
}  # fmt: skip
QUALITY = {"type": "quality", "id": "q", "order": "M", "at": AT, "check": "h"}


def refused(event: dict[str, Any], now: datetime | None = None) -> str:
    with pytest.raises(Unreadable) as found:
        read(event, now)
    (fault,) = found.value.faults
    assert fault.text.zh != fault.text.en
    return f"{fault.field} {fault.text.en}"


@pytest.mark.parametrize(
    "number",
    [46027.354, 20260105, 1767600000, 1767600000000, 2026010508, True, "46027", "20260105083000", " 1.5 "],
)  # fmt: skip
@pytest.mark.parametrize(("event", "field"), [(REPORT, "at"), (ORDER, "due_at")])
def test_a_number_is_no_time(event: dict[str, Any], field: str, number: Any) -> None:
    assert refused(event | {field: number}).startswith(f"{field} is a number, which may mean several times;")


@pytest.mark.parametrize("year", ["1970", "1999", "2100", "2199"])
def test_a_time_long_ago_or_far_ahead_is_a_slip(year: str) -> None:
    told = refused(REPORT | {"at": f"{year}-01-05T08:00:00Z"})
    assert told == "at must lie in the years 2000 to 2099; check how its time is written"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1234567.8, "1234567.8"), (12.3456789, "12.3456789"), (12345678, "12345678"), (5.0, "5"),
        (0.1, "0.1"), ("0.50", "0.50"),
    ],
)  # fmt: skip
def test_a_result_keeps_all_its_digits(value: Any, kept: str) -> None:
    thing: Any = read(QUALITY | {"value": value}).thing
    assert thing.value == kept
    thing = read(QUALITY | {"type": "posting", "kind": "quality", "value": value}).thing
    assert thing.value == kept


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("event", [QUALITY, QUALITY | {"type": "posting", "kind": "quality"}])
def test_what_is_no_number_is_no_result(event: dict[str, Any], value: float) -> None:
    told = "must not be NaN or infinite; leave it out where there is no number"
    assert refused(event | {"value": value}) == f"value {told}"
    assert refused(event | {"reason": value}) == f"reason {told}"


@pytest.mark.parametrize(
    "event",
    [
        REPORT, QUALITY, REPORT | {"type": "labour", "labour_seconds": 5},
        QUALITY | {"type": "material", "item": "S", "quantity": 2},
        QUALITY | {"type": "stock", "item": "S", "quantity": 2, "direction": "in"},
        QUALITY | {"type": "posting", "kind": "quality"},
    ],
)  # fmt: skip
def test_nothing_has_happened_more_than_a_day_from_now(event: dict[str, Any]) -> None:
    now = datetime(2026, 1, 4, tzinfo=UTC)  # AT is midnight a day later
    read(event, now)
    told = refused(event, now - timedelta(seconds=1))
    remedy = "correct the MES clock or the time zone"
    assert told == f"at lies more than a day ahead of the hub's clock; {remedy}"


def test_the_end_of_a_day_is_the_beginning_of_the_next() -> None:
    thing: Any = read(REPORT | {"at": "2026-01-05T24:00:00+08:00"}).thing
    assert thing.at == datetime(2026, 1, 5, 16, tzinfo=UTC)
    assert refused(REPORT | {"at": "2026-01-05T24:01:00+08:00"}).startswith("at must be a time such as")


def test_an_order_may_be_due_long_from_now() -> None:
    read(ORDER, datetime(2025, 1, 1, tzinfo=UTC))


def test_a_number_may_be_a_name() -> None:
    thing: Any = read(REPORT | {"order": 1001.0, "person": 1023, "equipment": 7, "operation": 10}).thing
    assert (thing.order, thing.person, thing.equipment, thing.operation) == ("1001", "1023", "7", "10")
    jobs = [{"operation": 10, "name": 20, "work_center": 3, "quantity": 1}]
    thing = read(ORDER | {"customer": 88, "sales_order": 9, "product_name": 5, "jobs": jobs}).thing
    assert (thing.customer, thing.sales_order, thing.product_name.zh) == ("88", "9", "5")
    assert (thing.jobs[0].work_center, thing.jobs[0].name.en) == ("3", "20")
    thing = read(QUALITY | {"check": 4, "unit": 2, "reason": 17}).thing
    assert (thing.check, thing.unit, thing.reason) == ("4", "2", "17")


def test_truth_is_no_name_and_no_number() -> None:
    assert refused(REPORT | {"person": True}) == "person must be text"
    assert refused(REPORT | {"good": True}) == "good must be a whole number"


@pytest.mark.parametrize("whole", [5, 5.0, "5", "5.0", " 5 "])
def test_pieces_are_whole(whole: Any) -> None:
    thing: Any = read(REPORT | {"good": whole}).thing
    assert thing.good == 5


@pytest.mark.parametrize("part", [5.5, "5.5", "0.001"])
def test_a_part_of_a_piece_is_refused_with_what_to_send_instead(part: Any) -> None:
    told = refused(REPORT | {"good": part})
    assert told.startswith("good must be a whole number, for pieces are counted; of kg or m report")


def test_what_weighs_has_fractions() -> None:
    thing: Any = read(QUALITY | {"type": "material", "item": "S", "quantity": 2.5, "unit": "kg"}).thing
    assert thing.quantity == 2.5


@pytest.mark.parametrize("text", ["5\x00", "5\ud800"])
@pytest.mark.parametrize(
    ("model", "field"), [(m, f) for m in (*MODELS.values(), JobIn) for f in m.model_fields]
)
def test_no_field_takes_what_the_record_cannot_hold(model: type[Record], field: str, text: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate({field: text})
    assert field in [error["loc"][0] for error in refusal.value.errors() if error["loc"]]


@pytest.mark.parametrize("beyond", [1e13, -1e13, 1.7e308, math.inf, math.nan])
def test_no_number_is_so_large_that_sums_overflow(beyond: float) -> None:
    for model in (*MODELS.values(), JobIn, SumIn, StockIn):
        numbers = [n for n, f in model.model_fields.items() if f.annotation in (int, float)]
        with pytest.raises(ValidationError) as refusal:
            model.model_validate(dict.fromkeys(numbers, beyond))
        assert set(numbers) <= {error["loc"][0] for error in refusal.value.errors() if error["loc"]}


LONG = "x" * 201
POSTING = {"type": "posting", "id": "q", "order": "M", "at": AT}
JOB = {"operation": "10", "name": "a", "quantity": 1}


@pytest.mark.parametrize(
    ("event", "zh", "en"),
    [
        (REPORT | {"id": LONG}, "id 最多 200 个字符", "id may have 200 characters at most"),
        (REPORT | {"id": ""}, "id 不能为空", "id must not be empty"),
        (REPORT | {"id": "a\n"}, "id 含有控制字符，请去掉", "id contains control characters; remove them"),
        (
            REPORT | {"person": "\x00"},
            "person 含有不是文字的字符，请去掉",
            "person contains characters that are no text; remove them",
        ),
        (
            REPORT | {"state": "x"},
            "state 须为 waiting, running, inspection, done 之一",
            "state must be one of waiting, running, inspection, done",
        ),
        (
            POSTING | {"kind": "receipt"},
            "种类为 receipt 的过账须有 item（料号）和 quantity（数量）",
            "a posting of kind receipt needs item and quantity",
        ),
        (
            POSTING | {"kind": "hours"},
            "工时须有 labour_seconds 或 machine_seconds（大于 0 的秒数）",
            "hours need labour_seconds or machine_seconds",
        ),
        (POSTING | {"kind": "scrap"}, "报废须有 quantity（数量）", "scrap needs quantity"),
        (
            POSTING | {"kind": "quality"},
            "检验结果须有 check：检验的是什么",
            "a quality result needs check: what was looked at",
        ),
        (
            ORDER | {"jobs": [JOB, JOB]},
            "jobs 有两道工序的 operation 相同，请改成不同的",
            "jobs two jobs have the same operation; each has its own",
        ),
        (
            ORDER | {"product_name": 5.5},
            "product_name 须为文本，或分中英文写：{zh: ..., en: ...}",
            "product_name must be text, or {zh: .., en: ..}",
        ),
        (
            ORDER | {"product_name": "x" * 2001},
            "product_name 超过 2000 个字符，请缩短",
            "product_name is longer than 2000 characters; shorten it",
        ),
        (REPORT | {"labour_seconds": -1}, "labour_seconds 不能小于 0", "labour_seconds must be 0 or more"),
    ],
)
def test_what_is_wrong_is_said_in_both_languages(event: dict[str, Any], zh: str, en: str) -> None:
    with pytest.raises(Unreadable) as found:
        read(event)
    told = reason_of(found.value.faults)
    assert (told.zh, told.en) == (zh, en)


@pytest.mark.parametrize("field", ["good", "state", "at"])
def test_half_a_character_is_told_in_both_languages_wherever_it_stands(field: str) -> None:
    assert (
        refused({**REPORT, field: "\ud800"}) == f"{field} contains characters that are no text; remove them"
    )


def test_a_report_that_corrects_itself_is_refused() -> None:
    said = refused({**REPORT, "corrects": " 1 ", "good": -1})
    assert said == "corrects is this report's own id; name the report that it takes something back of"
