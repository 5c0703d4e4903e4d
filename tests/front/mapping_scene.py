"""The field maps of a Kingdee that shows its fields and records without being there: the real desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from erp_bridge.erp_in_use import ErpInUse
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from erp_bridge.mapping_desk import ErpMappingDesk
from hub.clock import SystemClock
from hub.errors import Conflict
from hub.model.exchange import Direction, Exchange, Outcome
from hub.model.mapping import ErpField, MappingState, MappingVersion
from tests.simulators.kingdee.forms import FORMS, Form, Kind

RAW = {"server_url": "http://127.0.0.1:9", "acct_id": "a", "user": "u", "app_id": "i", "app_secret": "s"}


class ShownKingdee(KingdeeGalaxyConnector):
    """Its fields are those of the simulated tenant, `F_PLANT_Code` among them: a custom field."""

    async def fields(self, document: str) -> Sequence[ErpField]:
        form = FORMS.get(self._kinds[document].form.lower())
        return _fields(form) if form else []

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        if document != "order":
            return []
        row = {
            "FID": 100136, "FTreeEntity_FEntryId": 100010, "FBillNo": "MO0010", "FTreeEntity_FSeq": 1,
            "FQty": 1000.0, "FPlanFinishDate": "2026-01-06T08:00:00", "FStatus": "4", "FCancelStatus": "A",
            "FDocumentStatus": "C", "FMaterialId": {"FNumber": "D100", "FName": "冷却液 5 L"},
        }  # fmt: skip
        return [dict.fromkeys(more, "2") | row]

    async def probe(self) -> Mapping[str, str]:
        return {"ticket": "AH_EquipRepair: 24 fields", "order": "PRD_MO: 14 fields"}


def _fields(form: Form) -> list[ErpField]:
    groups = [("", "", form.all_fields), *((e.name, f"{e.key}[].", e.fields) for e in form.entities)]
    found = []
    for group, prefix, fields in groups:
        for f in fields:
            name = f"{f.key}.FNumber" if f.kind is Kind.REF else f.key
            found.append(ErpField(f.key, f.name, f.kind.value, group, prefix + name, name))
    return found


class MemoryMappings:
    """hub.ports.Mappings."""

    def __init__(self) -> None:
        self.kept: list[MappingVersion] = []
        self.now = 0

    async def versions(self, kind: str) -> list[MappingVersion]:
        return [*reversed(self.kept)]

    async def active(self, kind: str) -> int:
        return self.now

    async def save(
        self, kind: str, documents: Mapping[str, Any], latest: int, by: str, note: str, at: datetime
    ) -> MappingVersion:
        if latest != len(self.kept):
            raise Conflict("mapping-saved", "somebody was faster")
        self.kept.append(MappingVersion(latest + 1, kind, dict(documents), by, at, note))
        return self.kept[-1]

    async def activate(self, kind: str, number: int, active: int, by: str, at: datetime) -> None:
        self.now = number
        states = {number: MappingState.ACTIVE}
        self.kept = [
            MappingVersion(
                v.number, kind, v.documents, v.by, v.at, v.note, states.get(v.number, MappingState.SAVED)
            )
            for v in self.kept
        ]


class _Book:
    async def sent(self, subjects: Sequence[str], most: int) -> list[Exchange]:
        sent = {
            "ticket": "AH-20260105-0007", "equipment": "p1/stamping/l1/press-01", "erp_id": "EQ-PRESS-01",
            "equipment_name": "冲压机01", "title": "主轴过载", "priority": 3, "fault_code": "17",
            "order": "MO0003", "opened_at": "2026-01-05T10:02:00Z", "stopped_at": "2026-01-05T10:02:00Z",
        }  # fmt: skip
        at = SystemClock().now()
        return [Exchange(at, Direction.OUT, "open-ticket", sent["ticket"], Outcome.DONE, after=sent)]  # type: ignore[arg-type]


def desk() -> ErpMappingDesk:
    in_use = ErpInUse(ShownKingdee, RAW, "kingdee-galaxy", SystemClock(), MemoryMappings())
    return ErpMappingDesk(in_use, _Book())  # type: ignore[arg-type]


async def answer(here: ErpMappingDesk, method: str, path: str, body: Any) -> Any:
    """As hub.api.mappings does it; `path` is what follows /api/erp/mappings."""
    match [method, *path.strip("/").split("/")]:
        case ["GET", ""]:
            return await here.overview()
        case ["GET", "versions", number]:
            return {"number": int(number), "documents": await here.version(int(number))}
        case ["GET", "documents", name]:
            return await here.document(name)
        case ["POST", "documents", name, "preview"]:
            return await here.preview(name, body["block"], body["ours"], body["theirs"])
        case ["POST", "test"]:
            return await here.test(body["documents"])
        case ["POST", "versions", number, "activate"]:
            return await here.activate(int(number), body["active"], "zhang", body.get("anyway", False))
        case _:
            made, seen = await here.save(body["documents"], body["latest"], "zhang", body["note"])
            return {"number": made, **seen}
