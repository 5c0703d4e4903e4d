"""Machines beside the ERP's asset list: every way in which one has no counterpart, both ways."""

from __future__ import annotations

from dataclasses import replace

from erp_bridge.books import OurBook, TheirBook
from erp_bridge.reconcile import equipment
from hub.doctor.assets import NAMED, machines
from hub.kpi.assets import Orphan, asset_map
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.erp import ErpEquipment
from hub.model.words import Words


def machine(name: str, erp_id: str) -> Equipment:
    return Equipment(f"p1/a/l/{name}", EquipmentLevel.WORK_UNIT, Words(name, name), erp_id=erp_id)


def asset(number: str, *, active: bool = True) -> ErpEquipment:
    return ErpEquipment(number, Words(f"设备{number}", number), active=active)


MACHINES = [
    machine("good", "E1"), machine("bare", ""), machine("wrong", "E9"), machine("resting", "E2"),
    machine("one", "E3"), machine("two", "E3"),
]  # fmt: skip
ASSETS = [asset("E1"), asset("E2", active=False), asset("E3"), asset("E4"), asset("E5", active=False)]


def test_what_is_bound_both_ways_is_a_pair_and_all_else_is_told_by_its_kind() -> None:
    found = asset_map(MACHINES, ASSETS)
    assert [(m.name.en, a.number) for m, a in found.pairs] == [("good", "E1")]
    assert {(o.kind, o.machine.rpartition("/")[2], o.asset) for o in found.orphans} == {
        (Orphan.NO_NUMBER, "bare", ""), (Orphan.NOT_THERE, "wrong", "E9"), (Orphan.INACTIVE, "resting", "E2"),
        (Orphan.SHARED, "one", "E3"), (Orphan.SHARED, "two", "E3"), (Orphan.NO_MACHINE, "", "E4"),
    }  # fmt: skip


def test_who_shares_an_asset_is_told_with_whom() -> None:
    (one, two) = asset_map(MACHINES, ASSETS).of(Orphan.SHARED)
    assert (one.others, two.others) == (("p1/a/l/two",), ("p1/a/l/one",))


def test_an_asset_that_rests_and_that_no_machine_names_concerns_nobody() -> None:
    assert "E5" not in {o.asset for o in asset_map(MACHINES, ASSETS).orphans}


def test_the_reconciliation_tells_the_same_orphans() -> None:
    found = equipment(OurBook(equipment=tuple(MACHINES)), TheirBook(equipment=tuple(ASSETS)))
    assert {(d.kind.value, d.subject) for d in found} == {
        ("equipment-not-in-erp", "p1/a/l/bare"), ("equipment-not-in-erp", "p1/a/l/wrong"),
        ("equipment-not-in-erp", "p1/a/l/resting"), ("equipment-not-here", "E4"),
        ("equipment-shared", "E3"),
    }  # fmt: skip


def test_the_doctor_names_each_with_a_remedy() -> None:
    told = machines("erp", asset_map(MACHINES, ASSETS))
    assert told[0].what == "erp: 1 machines have their asset in the ERP"
    bad = [f for f in told if not f.good]
    assert [f.what.partition(": ")[2].partition(":")[0] for f in bad] == [
        "machines without an asset number", "machines whose asset the ERP does not have",
        "machines whose asset is out of service in the ERP", "machines that share an asset with another",
    ]  # fmt: skip
    assert all(f.remedy for f in bad)
    assert any(f.good and "assets without a machine here: E4" in f.what for f in told)


def test_a_thousand_of_a_kind_are_counted() -> None:
    many = [replace(machine(f"m{n}", ""), path=f"p1/a/l/m{n}") for n in range(1000)]
    (_, told) = machines("erp", asset_map(many, []))
    assert told.what.endswith(f"and {1000 - NAMED} more")
    assert len(told.what) < 2000
