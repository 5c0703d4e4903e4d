"""What of an MES was not taken, for the stand-in hub; its events are judged as the hub judges them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from collectors import mes_corrections
from collectors.mes_events import read
from collectors.mes_faults import Unreadable, reason_of
from hub.api import mes
from hub.model.intake import Correction, Reject, RejectState, Unbound, Uptake, Verdict
from hub.model.words import Words

Json = dict[str, Any]
EVENT = {
    "type": "report", "id": "BG-20260105-0117", "order": "MO-2601", "operation": "10",
    "at": "2026-01-05T09:42:10+08:00", "good": "12件", "scrap": 1, "person": "李敏", "station": "S-4",
}  # fmt: skip


def _judged(text: str) -> Correction:
    try:
        made = mes_corrections.parsed(text)
        event = read(made)
    except Unreadable as why:
        return Correction(Verdict("", Uptake.REJECTED, why.faults))
    changed = mes_corrections.changes(json.dumps(EVENT), made)
    return Correction(Verdict(event.id, Uptake.TAKEN, ignored=event.ignored), changed, text)


class Desk:
    def __init__(self, at: datetime) -> None:
        why = reason_of(_judged(json.dumps(EVENT)).verdict.faults)
        self.at = at
        self.kept = Reject("mes-push", "report", str(EVENT["id"]), json.dumps(EVENT), why, at, at, 3, id=1)
        self.pile = {n: self._of_file(n) for n in range(2, 302)}

    def _of_file(self, n: int) -> Reject:
        row = {
            "单号": f"BG-{n:04}",
            "工单": "MO-2601",
            "工序": "10",
            "时间": "2026-01-05 08:30",
            "合格数": "12,3,4",
        }
        record = {"file": "报工-早班.csv", "line": n, "table": "报工", "rows": [row]}
        at, why = self.at - timedelta(minutes=n), Words("good 须为整数", "good must be a whole number")
        return Reject("mes-drop", "report", f"BG-{n:04}", json.dumps(record), why, at, at, id=1000 - n)

    def _all(self) -> list[Reject]:
        return sorted([self.kept, *self.pile.values()], key=lambda r: -r.id)

    def told(self, query: Mapping[str, str]) -> Json:
        state, source, before = query["state"], query.get("source", ""), int(query.get("before", 0))
        found = [r for r in self._all() if r.state.value == state and source in ("", r.source)]
        found = [r for r in found if query.get("kind", "") in ("", r.kind)]
        found = [r for r in found if query.get("text", "") in r.event + r.reason.zh + r.record]
        waiting = Counter(r.source for r in self._all() if r.state is RejectState.WAITING)
        shown = [mes._reject(r) for r in found if not before or r.id < before]
        return {"rejects": shown[: int(query.get("limit", 100))], "count": len(found), "waiting": waiting}

    def unbound(self) -> Json:
        one = Unbound("MO-2699", "10", False, 14, 620, 3, 0, 2, self.at, self.at, ["mes-push"])
        two = Unbound("MO-2601", "35", True, 2, 41, 0, 0, 0, self.at, self.at, ["mes-drop"])
        return {"unbound": [asdict(one), asdict(two)], "count": 2}

    def many(self, verb: str, body: Json) -> Json:
        """Of the file's, those that were named, else all that match; every third is taken."""
        told: Counter[str] = Counter()
        for r in [r for r in self._all() if r.state is RejectState.WAITING and r.id != 1]:
            if r.id in body["ids"] if body.get("ids") else body.get("source") in ("", r.source):
                fate = "aside" if verb == "aside" else "rejected" if r.id % 3 else "taken"
                state = {"aside": RejectState.ASIDE, "taken": RejectState.REPLAYED}.get(fate, r.state)
                self.pile[1000 - r.id] = replace(r, state=state, decided_by="老板", decided_at=self.at)
                told[fate] += 1
        return {"counts": told, "last": 0}

    def answer(self, verb: str, body: Json) -> Json:
        if verb == "draft":
            return {"event": json.dumps(EVENT, ensure_ascii=False, indent=2)}
        made = _judged(body["event"])
        if verb == "correct" and made.verdict.fate is not Uptake.REJECTED:
            self.kept = replace(
                self.kept,
                state=RejectState.REPLAYED,
                decided_by="老板",
                decided_at=self.at,
                correction=made.event,
            )
        return {"reject": mes._reject(self.kept), **mes._corrected(made)}
