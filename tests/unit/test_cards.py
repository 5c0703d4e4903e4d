"""Grade cards: every criterion has a mark, what is not done says why, and no card outlives its plugin."""

from __future__ import annotations

import re

import pytest

from hub.cards import CARDS, CRITERIA, DONE, abilities, card
from hub.registry import GROUPS, Kinds, plugins

OF = [(family, kind) for family in GROUPS for kind in Kinds(family) if kind in CARDS]


def test_there_is_no_card_of_a_plugin_that_is_gone() -> None:
    assert {kind for _, kind in OF} == set(CARDS)


@pytest.mark.parametrize(("family", "kind"), OF)
def test_a_card_marks_every_criterion_of_its_family(family: str, kind: str) -> None:
    marks = card(kind, plugins(family)[kind])
    assert set(marks) == set(CRITERIA[family])
    assert all(m == DONE or re.match(r"(exempt|to do): \w", m) for m in marks.values())


def test_what_is_said_to_be_probed_has_a_probe() -> None:
    for family in ("collectors", "mes", "erp"):
        for kind, cls in plugins(family).items():
            if CARDS.get(kind, {}).get("can be probed") == DONE:
                assert callable(cls.probe), kind


def test_a_plugin_of_somebody_else_carries_its_own_card_or_none() -> None:
    class Lamp:
        card = {"tried on the real thing": DONE}  # noqa: RUF012
        capabilities = frozenset({"b", "a"})

    assert card("lamp", Lamp) == {"tried on the real thing": DONE}
    assert card("lamp", object) == {}
    assert (abilities(Lamp), abilities(object)) == (["a", "b"], [])
