"""Numbers as people write them, and those that may be two."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.mes_events import read
from collectors.mes_faults import Unreadable
from collectors.mes_numbers import doubtful, plain_number

REPORT = {"type": "report", "id": "1", "order": "M", "operation": "10", "at": "2026-01-05T08:00:00+08:00"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("１２", "12"), ("－１２．５", "-12.5"), (" 12 ", "12"), ("1,200,000", "1200000"),
        ("1,200.50", "1200.50"),
        ("１，２００，０００", "1200000"), ("many", "many"), ("", ""), (5, 5), (None, None), ("1e3", "1e3"),
        ("5²", "5²"), ("①", "①"),
    ],
)  # fmt: skip
def test_what_can_mean_one_number_is_that(written: Any, meant: Any) -> None:
    assert plain_number(written) == meant and not doubtful(plain_number(written))


@pytest.mark.parametrize(
    "written", ["1,200", "１，２００", "1,2", "1.200,5", "1'200", "-1,200", "1.200.000", "12,00,000"]
)
def test_a_comma_that_may_be_two_things_is_doubtful(written: str) -> None:
    assert doubtful(plain_number(written))


def test_pieces_are_read_so_and_what_is_doubtful_names_the_comma() -> None:
    thing: Any = read({**REPORT, "good": "１２"}).thing
    assert thing.good == 12
    with pytest.raises(Unreadable) as found:
        read({**REPORT, "good": "1,200"})
    (fault,) = found.value.faults
    assert fault.field == "good" and "write 1200, or 1.2" in fault.text.en and "千分位" in fault.text.zh
