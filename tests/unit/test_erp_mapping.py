"""Intents in ERP-neutral fields, orders joined with what is known, pauses that grow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from erp_bridge import mapping
from hub.errors import ErpRefused
from hub.model.production import JobOrder, WorkOrder
from hub.model.words import Words

DUE = datetime(2026, 1, 5, 14, tzinfo=UTC)
JOB = JobOrder("MO0001", "10", Words("冲压", ""), "p1/stamping/l1", 400)
ORDER = WorkOrder("MO0001", "A100", Words("油泵总成", ""), 400, DUE, jobs=(JOB,))


def test_words_are_told_to_the_erp_in_chinese() -> None:
    fields = mapping.opening({"ticket": "T", "title": {"zh": "油温过高", "en": "Oil hot"}, "priority": 4})
    assert fields["title"] == "油温过高"
    assert fields["state"] == "sent"


def test_an_instant_keeps_its_zone_and_a_broken_one_is_refused_by_name() -> None:
    fields = mapping.closing({"at": "2026-01-05T08:30:00Z", "downtime_seconds": 95.0})
    assert fields["at"] == datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    assert fields["downtime"] == timedelta(seconds=95)
    with pytest.raises(ErpRefused, match=r"^at: 'soon' is not an instant"):
        mapping.update({"at": "soon"})


def test_no_downtime_is_not_a_downtime_of_zero() -> None:
    assert mapping.closing({})["downtime"] is None


def test_an_order_keeps_the_translation_and_the_operations_that_only_we_know() -> None:
    known = replace(
        ORDER,
        product_name=Words("油泵总成", "Oil pump"),
        customer="客户B",
        jobs=(replace(JOB, name=Words("冲压", "Stamping")),),
    )
    assert mapping.enriched(ORDER, known).product_name.en == "Oil pump"
    assert mapping.enriched(ORDER, known).jobs[0].name.en == "Stamping"
    assert mapping.enriched(replace(ORDER, jobs=()), known).jobs == known.jobs
    assert mapping.enriched(ORDER, known).customer == "客户B"


def test_a_renamed_product_loses_its_old_translation() -> None:
    known = replace(ORDER, product_name=Words("旧名", "Old name"))
    assert mapping.enriched(ORDER, known).product_name == Words("油泵总成", "")


def test_a_new_order_is_taken_as_it_is() -> None:
    assert mapping.enriched(ORDER, None) is ORDER


def test_pauses_double_to_five_minutes_and_spread_by_a_quarter_at_most() -> None:
    for attempts in range(1, 200):
        least = min(timedelta(seconds=2 ** min(attempts, 20)), timedelta(minutes=5))
        for seed in range(20):
            assert least <= mapping.backoff(attempts, seed) <= least * 1.25
    assert len({mapping.backoff(3, seed) for seed in range(16)}) == 16


def test_what_the_erp_asks_for_is_granted() -> None:
    assert mapping.backoff(1, 1, timedelta(hours=1)) == timedelta(hours=1)
    assert mapping.backoff(12, 0, timedelta(seconds=1)) == timedelta(minutes=5)
