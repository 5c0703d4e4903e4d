"""The catalogue of stop reasons as the plant's file writes it, and after how long a stop needs one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.errors import ConfigError
from hub.model.stop import USUAL, StopGroup
from tests.unit.test_settings import PLANT, read

PRESS = "p1/a1/l1/press-07"
OURS = """
stops:
  reason_after: 3min
  reason_after_for:
  - {place: p1/a1, after: 10min}
  - {place: p1/a1, class: press, after: 90s}
  ask: false
  reasons:
  - {code: die, name: {zh: 换模, en: Die change}, group: changeover, classes: [press]}
  - {code: rain, name: Rain, group: unplanned, places: [p1/a1/l1]}
"""


def test_a_plant_that_writes_none_has_the_usual_reasons(tmp_path: Path) -> None:
    plant = read(tmp_path, PLANT).plant
    assert plant.stops.reasons == USUAL
    assert plant.stops.after(plant.equipment[PRESS]) == timedelta(minutes=5)
    assert {r.group for r in USUAL} == set(StopGroup)
    assert len({r.code for r in USUAL}) == len(USUAL)


def test_a_plants_own_reasons_and_times_are_read(tmp_path: Path) -> None:
    plant = read(tmp_path, PLANT + OURS).plant
    machine = plant.equipment[PRESS]
    assert [(r.code, r.name.en, r.group) for r in plant.stops.reasons_for(machine)] == [
        ("die", "Die change", StopGroup.CHANGEOVER),
        ("rain", "Rain", StopGroup.UNPLANNED),
    ]
    assert plant.stops.after(machine) == timedelta(seconds=90)
    assert plant.stops.after(plant.equipment["p1/a1/l1"]) == timedelta(minutes=10)
    assert plant.stops.reason_after == timedelta(minutes=3)
    assert not plant.stops.ask


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("place: p1/a1, after", "place: p1/a2, after", "reason_after_for[0].place: no node 'p1/a2'"),
        ("class: press, after", "class: pres, after", "did you mean 'press'?"),
        ("[press]", "[lathe]", "stops.reasons[0].classes: no machine of class 'lathe'"),
        ("[p1/a1/l1]", "[p1/a1/l9]", "did you mean 'p1/a1/l1'?"),
        ("code: rain", "code: die", "stops.reasons: the code 'die' is there twice"),
        ("code: rain", "code: Rain!", "use small letters, digits"),
        ("group: unplanned", "group: weather", "stops.reasons[1].group: "),
        ("reason_after: 3min", "reason_after: 3", "write 500ms, 10s, 5min"),
        ("reason_after: 3min", "reason_after: 0s", "stops.reason_after: "),
        ("{place: p1/a1, after: 10min}", "{after: 10min}", "add one, or write stops.reason_after"),
        ("ask: false", "asked: false", "unknown key; did you mean 'ask'?"),
    ],
)
def test_a_mistake_names_the_field_and_the_remedy(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert before in OURS
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, PLANT + OURS.replace(before, after, 1))
    assert told in str(caught.value)
    assert "stops" in str(caught.value)
