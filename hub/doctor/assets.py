"""What the doctor says of machines without an asset in the ERP, and of assets without a machine."""

from __future__ import annotations

from collections.abc import Iterable

from hub.doctor.finding import Finding
from hub.kpi.assets import AssetMap, Orphan

NAMED = 20  # of one kind; more are counted

_SAID = {
    Orphan.NO_NUMBER: (
        "machines without an asset number",
        "write the asset's number as erp_id of the machine",
    ),
    Orphan.NOT_THERE: (
        "machines whose asset the ERP does not have",
        "correct erp_id, or enter the asset there",
    ),
    Orphan.INACTIVE: ("machines whose asset is out of service in the ERP", "put it into service there"),
    Orphan.SHARED: (
        "machines that share an asset with another",
        "give each machine its own asset and erp_id",
    ),
    Orphan.NO_MACHINE: (
        "assets without a machine here",
        "add the machine under plant:, or take the asset out of service there",
    ),
}


def machines(name: str, found: AssetMap) -> list[Finding]:
    """An asset without a machine is no fault: offices keep assets that make nothing."""
    good = [Finding(True, f"{name}: {len(found.pairs)} machines have their asset in the ERP")]
    return good + [
        Finding(kind is Orphan.NO_MACHINE, f"{name}: {said}: {_names(kind, found)}", remedy)
        for kind, (said, remedy) in _SAID.items()
        if found.of(kind)
    ]


def _names(kind: Orphan, found: AssetMap) -> str:
    named = [_one(kind, one.machine, one.asset) for one in found.of(kind)]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return _joined(named[:NAMED]) + more


def _one(kind: Orphan, machine: str, asset: str) -> str:
    return asset if kind is Orphan.NO_MACHINE else f"{machine} ({asset})" if asset else machine


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)
