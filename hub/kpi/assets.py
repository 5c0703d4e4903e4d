"""The plant's machines beside the ERP's asset list: which is which, and what has no counterpart (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.model.equipment import Equipment
from hub.model.erp import ErpEquipment


class Orphan(StrEnum):
    NO_NUMBER = "no-number"  # the machine names no asset
    NOT_THERE = "not-there"  # ... or one that the ERP does not have
    INACTIVE = "inactive"  # ... or one that the ERP has taken out of service
    SHARED = "shared"  # several machines name one asset: its tickets cannot be told apart
    NO_MACHINE = "no-machine"  # an asset in service that no machine names


@dataclass(frozen=True, slots=True)
class Finding:
    """Something without its counterpart. `machine` is "" of an asset, `asset` "" of a machine without one."""

    kind: Orphan
    machine: str
    asset: str
    others: tuple[str, ...] = ()  # machines on the same asset


@dataclass(frozen=True, slots=True)
class AssetMap:
    """`pairs`: (machine, asset) where each names the other alone and both are in service."""

    pairs: tuple[tuple[Equipment, ErpEquipment], ...]
    orphans: tuple[Finding, ...]

    def of(self, *kinds: Orphan) -> list[Finding]:
        return [one for one in self.orphans if one.kind in kinds]


def asset_map(machines: Iterable[Equipment], assets: Iterable[ErpEquipment]) -> AssetMap:
    """Bound by `erp_id` of the configuration and the asset's number, both ways."""
    assets = list(assets)
    there = {a.number: a for a in sorted(assets, key=lambda a: a.active)}  # of several the one in service
    users: dict[str, list[str]] = defaultdict(list)
    machines = list(machines)
    for machine in machines:
        if machine.erp_id:
            users[machine.erp_id].append(machine.path)
    found = [_of_machine(machine, there, users[machine.erp_id]) for machine in machines]
    free = [
        Finding(Orphan.NO_MACHINE, "", number)
        for number, asset in sorted(there.items())
        if asset.active and number not in users
    ]
    pairs = [(m, there[m.erp_id]) for m, orphan in zip(machines, found, strict=True) if orphan is None]
    return AssetMap(tuple(pairs), (*(one for one in found if one), *free))


def _of_machine(machine: Equipment, there: dict[str, ErpEquipment], users: Sequence[str]) -> Finding | None:
    asset = there.get(machine.erp_id)
    if not machine.erp_id:
        return Finding(Orphan.NO_NUMBER, machine.path, "")
    if asset is None:
        return Finding(Orphan.NOT_THERE, machine.path, machine.erp_id)
    if not asset.active:
        return Finding(Orphan.INACTIVE, machine.path, machine.erp_id)
    others = tuple(path for path in users if path != machine.path)
    return Finding(Orphan.SHARED, machine.path, machine.erp_id, others) if others else None
