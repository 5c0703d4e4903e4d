"""Tryton's typed JSON both ways, and what its error shapes mean."""

from __future__ import annotations

from typing import Any

import pytest

from erp_bridge.tryton_client import TrytonWarning, complaint
from erp_bridge.tryton_values import plain, typed
from hub.errors import ErpRefused, ErpUnavailable

DATE = {"__class__": "date", "year": 2026, "month": 1, "day": 5}
MOMENT = DATE | {"__class__": "datetime", "hour": 4, "minute": 0, "second": 0, "microsecond": 0}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (DATE, "2026-01-05"),
        (MOMENT, "2026-01-05T04:00:00Z"),
        ({"__class__": "Decimal", "decimal": "10.50"}, 10.5),
        ({"__class__": "timedelta", "seconds": 5400.0}, 5400.0),
        ({"__class__": "time", "hour": 7, "minute": 5}, "07:05:00"),
        ({"__class__": "bytes", "base64": "aGk="}, b"hi"),
        ([{"id": 1, "day": DATE}], [{"id": 1, "day": "2026-01-05"}]),
        (
            {"product": 5, "product.": {"id": 5, "unit": 1, "unit.": {"id": 1, "symbol": "u"}}},
            {"product": {"id": 5, "unit": {"id": 1, "symbol": "u"}}},
        ),
        ({"lot": None, "lot.": None}, {"lot": None}),
    ],
)
def test_what_tryton_sends_is_plain_here(theirs: Any, ours: Any) -> None:
    assert plain(theirs) == ours


@pytest.mark.parametrize(
    ("kind", "ours", "theirs"),
    [
        ("date", "2026-01-05", DATE),
        ("datetime", "2026-01-05T12:00:00+08:00", MOMENT),
        ("timestamp", "2026-01-05T04:00:00Z", MOMENT),
        ("numeric", 0.1, {"__class__": "Decimal", "decimal": "0.1"}),
        ("timedelta", 90, {"__class__": "timedelta", "seconds": 90.0}),
        ("integer", "17", 17),
        ("float", 3, 3.0),
        ("boolean", "false", False),
        ("char", 17.0, "17"),
        ("binary", b"hi", {"__class__": "bytes", "base64": "aGk="}),
        ("date", None, None),
    ],
)
def test_our_values_take_the_type_of_their_field(kind: str, ours: Any, theirs: Any) -> None:
    assert typed(kind, ours, "documents.ticket.write.x") == theirs


@pytest.mark.parametrize(("kind", "value"), [("integer", "E-17"), ("date", "soon"), ("numeric", "1,5")])
def test_a_value_that_does_not_fit_is_refused_with_its_place(kind: str, value: str) -> None:
    with pytest.raises(ErpRefused, match=r"documents\.ticket\.write\.x.*" + value):
        typed(kind, value, "documents.ticket.write.x")


def test_error_shapes_mean_what_the_caller_does_next() -> None:
    refused = complaint("m", ["UserError", ["No.", "Ask the planner", [[["a", "=", 1]], {"a": "x" * 9999}]]])
    assert (type(refused), str(refused)) == (ErpRefused, "No. - Ask the planner")
    asked = complaint("m", ["UserWarning", ["abc.future", "Sure?", ""]])
    assert isinstance(asked, TrytonWarning)
    assert asked.name == "abc.future"
    raced = complaint("m", ["ConcurrencyException", "Records were modified in the meanwhile"])
    assert isinstance(raced, ErpUnavailable)
    assert not raced.in_doubt
    assert isinstance(complaint("m", ["LoginException", ["totp", "Code", "char"]]), ErpRefused)
    assert "'nope'" in str(complaint("m", ["'nope'", ""]))
    assert isinstance(complaint("m", "odd"), ErpRefused)
    assert isinstance(complaint("m", ["UserWarning", []]), TrytonWarning)


def test_a_model_that_is_not_there_is_named_with_its_place_in_the_maps() -> None:
    told = complaint("model.project.work.create", ["'project.work'", ""], "documents.ticket.form")
    assert isinstance(told, ErpRefused)
    assert "no model 'project.work'" in str(told)
    assert "documents.ticket.form" in str(told)
    assert "no model" not in str(complaint("model.project.work.create", ["'name'", ""]))


@pytest.mark.parametrize(
    "said", ["database is locked\n", "could not serialize access due to concurrent update"]
)
def test_what_the_database_undid_is_tried_again(said: str) -> None:
    told = complaint("model.project.work.create", [said, ""], in_doubt=True)
    assert isinstance(told, ErpUnavailable)
    assert told.in_doubt
