"""Whose customer it is: the ERP's seller before our own map of customers."""

from __future__ import annotations

from dataclasses import replace

from hub.kpi.sellers import seller_of
from hub.model.people import Person, Role
from hub.model.words import Words

ANNA = Person("anna", Words("王安", "Anna"), frozenset({Role.SALES}), ("p1",), erp_id="SA01")
BERT = Person("bert", Words("李波", "Bert"), frozenset({Role.SALES}), ("p1",))
PEOPLE = {p.id: p for p in (ANNA, BERT)}


def test_the_sellers_number_in_the_erp_comes_first() -> None:
    named_like_it = {"SA01": replace(BERT, id="SA01"), **PEOPLE}
    assert seller_of("SA01", "Nova", named_like_it, {"Nova": "bert"}) == "anna"


def test_a_name_or_a_login_will_do() -> None:
    assert [seller_of(said, "", PEOPLE, {}) for said in ("李波", "Bert", "bert")] == ["bert"] * 3


def test_a_name_that_two_people_have_is_nobodys() -> None:
    twins = {**PEOPLE, "bert2": replace(BERT, id="bert2")}
    assert seller_of("李波", "Nova", twins, {"Nova": "anna"}) == "anna"


def test_without_a_seller_the_customers_own_one_is_told() -> None:
    assert seller_of("", "Nova", PEOPLE, {"Nova": "bert"}) == "bert"
    assert seller_of("somebody else", "Nova", PEOPLE, {"Nova": "bert"}) == "bert"
    assert seller_of("", "Other", PEOPLE, {"Nova": "bert"}) == ""
