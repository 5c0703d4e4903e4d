"""Whose order is whose, where the MES says nothing of where its work is done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.api.standing import sees
from hub.model.people import Person, Role
from hub.model.words import Words
from tests.api_house import house, order


def person(*scopes: str) -> Person:
    return Person("zhang", Words("张伟", "Zhang Wei"), frozenset({Role.MANAGER}), scopes)


@pytest.mark.parametrize("place", ["", "l1", "p1/nowhere"])
def test_an_order_without_a_place_that_we_know_is_seen_by_whoever_has_the_whole_plant(place: str) -> None:
    here = house().deps
    assert sees(here, person("p1"), order("MO-7", place))
    assert not sees(here, person("p1/stamping"), order("MO-7", place))


def test_so_is_one_that_has_no_work_yet() -> None:
    here, bare = house().deps, replace(order("MO-8", ""), jobs=())
    assert sees(here, person("p1/stamping/l1", "p1"), bare)
    assert not sees(here, person("p1/stamping/l1"), bare)


def test_a_part_of_the_work_is_enough() -> None:
    made = order("MO-9", "p1/stamping/l1")
    both = replace(made, jobs=(*made.jobs, *order("MO-9", "").jobs))
    assert sees(house().deps, person("p1/stamping"), both)
    assert not sees(house().deps, person("p1/machining"), both)
