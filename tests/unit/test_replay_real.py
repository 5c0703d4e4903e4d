"""Real recordings, counted a second time by other means (data: NIST SMS Test Bed; SME manufacturing)."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from hub.model.equipment import EquipmentState as S
from tests.simulators.replay import MachineRecording, Recording, describe
from tests.simulators.replay.changes import changes

SETS = Path(os.environ.get("ANDON_DATA_SETS", Path(__file__).parents[3] / "shared" / "data"))
DAY = SETS / "nist-mtconnect" / "Mazak01-201706" / "Mazak01-20170613-20170614.txt.gz"
FLOOD = SETS / "nist-mtconnect" / "GFAgie01-201610" / "GFAgie01-20161019-20161020.txt.gz"
SME = SETS / "sme-discrete" / "assets_0_1.csv.gz"


def present(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"no data set at {path}; set ANDON_DATA_SETS to the folder that holds them")
    return path


def lines(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n").split("|") for line in file]


@pytest.fixture(scope="module")
def day() -> MachineRecording:
    (machine,) = describe(present(DAY)).machines
    return machine


@pytest.fixture(scope="module")
def shop() -> Recording:
    return describe(present(SME).parent)


def told(machine: MachineRecording, tag: str) -> list[object]:
    return [c.value for c in changes(machine) if c.tag == tag]


@pytest.mark.parametrize(
    ("tag", "name"), [("state", "execution"), ("mode", "mode"), ("sload", "Sload"), ("zabs", "Zabs")]
)
def test_a_day_of_a_mill_is_played_change_by_change(day: MachineRecording, tag: str, name: str) -> None:
    words = [p[2] for p in lines(DAY) if p[1] == name]
    number = float if tag in ("sload", "zabs") else str
    known = [None if w == "UNAVAILABLE" else number(w) for w in words]
    unlike = [value for value, _ in groupby(known)]
    assert unlike[0] is None  # it begins unknown, which is no change
    assert told(day, tag) == unlike[1:]
    assert len(unlike) > 3


def test_the_day_has_the_alarms_that_were_raised(day: MachineRecording) -> None:
    raised = {" ".join(p[6].split()) for p in lines(DAY) if len(p) == 7 and p[2] in ("Warning", "Fault")}
    shown = {day.fault_texts[int(str(c).removesuffix(".0"))] for c in told(day, "fault") if c}
    assert {text.partition(" (")[0] for text in shown} == raised


def test_units_come_from_the_description_of_the_machine() -> None:
    (machine,) = describe(present(DAY).parent / DAY.name).machines
    units = {s.label: s.unit for s in machine.signals}
    assert (units["Sload"], units["Srpm"], units["Stemp"]) == ("%", "rpm", "℃")


def test_a_code_with_several_texts_is_several_alarms() -> None:
    (machine,) = describe(present(FLOOD)).machines
    raised = Counter((p[1], p[3]) for p in lines(FLOOD) if len(p) == 7 and p[2] in ("Warning", "Fault"))
    texts = {(p[1], p[3], " ".join(p[6].split())) for p in lines(FLOOD) if len(p) == 7 and p[3] and p[6]}
    assert raised
    assert set(machine.fault_codes) == {t for t in texts if t[:2] in raised}
    assert len(set(machine.fault_codes.values())) == len(machine.fault_codes)


def test_two_machines_of_a_shop_make_what_their_rows_add_up_to(shop: Recording) -> None:
    with gzip.open(SME, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(m.count for m in shop.machines) == 7 * len(rows)
    for machine in shop.machines:
        mine = [r for r in rows if r["asset"] == machine.label]
        counted = [v for v in told(machine, "good") if v is not None]
        assert counted[-1] == sum(float(r["items"]) for r in mine)
        assert {str(c) for c in machine.state_map} == {r["status"].removesuffix(".0") for r in mine}
        alarms = sum(b > a for a, b in pairwise([0, *(int(r["alarm"]) for r in mine)]))
        assert (told(machine, "fault").count(1.0) > 0) == (alarms > 0)


def test_the_busy_state_and_the_alarm_state_are_found(shop: Recording) -> None:
    by_label = {m.label: m.state_map for m in shop.machines}
    assert by_label["0"][2] is S.EXECUTING
    assert (by_label["1"][2], by_label["1"][3]) == (S.EXECUTING, S.FAULT)


def test_gaps_between_rows_are_told_as_not_knowing(shop: Recording) -> None:
    with gzip.open(SME, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for machine in shop.machines:
        times = [datetime.fromisoformat(r["ts"]) for r in rows if r["asset"] == machine.label]
        gaps = sum((b - a).total_seconds() > 750 for a, b in pairwise(times))
        assert gaps > 0
        assert told(machine, "state").count(None) == gaps
