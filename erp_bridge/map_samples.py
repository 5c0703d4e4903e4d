"""Records of ours to try a map on: the last that were sent, or made-up ones where nothing was sent (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from erp_bridge import mapping
from erp_bridge.fieldmap import MapBlock, plain
from erp_bridge.generic_expressions import expression, roots
from hub.errors import ErpRefused
from hub.model.exchange import Exchange
from hub.model.words import Words

Fields = dict[str, Any]
Reader = Callable[[Mapping[str, Any]], Fields]


@dataclass(frozen=True, slots=True)
class Ours:
    """One record with our fields, as a connector is given them."""

    title: Words
    fields: Fields
    real: bool = False
    subject: str = ""  # of the ledger of messages: what is sent with these fields
    kind: Words | None = None  # the same in words


_AT, _OPENED = "2026-01-05T08:42:00Z", "2026-01-05T08:30:00Z"
_MACHINE = {"equipment": "p1/stamping/l1/press-01", "person": "zhang"}
_TICKET = {
    "ticket": "AH-20260105-0001", "equipment": "p1/stamping/l1/press-01", "erp_id": "EQ-PRESS-01",
    "equipment_name": {"zh": "1号线 冲压机01", "en": "Line 1 Press 01"}, "priority": 4,
    "title": {"zh": "油温过高 92.4 ℃ > 80 ℃", "en": "Oil too hot 92.4 ℃ > 80 ℃"}, "fault_code": "17",
    "order": "MO0001", "opened_at": _OPENED, "stopped_at": _OPENED,
}  # fmt: skip
_STEP = {
    "state": "accepted",
    "by": "zhang",
    "by_name": {"zh": "张伟", "en": "Zhang Wei"},
    "at": _AT,
    "note": "已接单",
}
_CLOSE = {
    "technician": "zhang", "technician_name": {"zh": "张伟", "en": "Zhang Wei"}, "at": "2026-01-05T09:05:00Z",
    "cause_class": "mechanical", "cause": "更换密封圈", "downtime_seconds": 2100, "photo": "photo-1",
}  # fmt: skip
_POSTING = {
    "order": "MO0001", "operation": "10", "item": "A100", "quantity": 5, "unit": "PCS", "lot": "L-0105",
    "warehouse": "CK01", "reason": "划伤", "check": "外径", "passed": True, "value": "12.03",
    "sample_size": 5, "labour_seconds": 5400, "machine_seconds": 3600, "at": _AT, **_MACHINE,
}  # fmt: skip
_REPORT = {"order": "MO0001", "operation": "10", "good": 48, "scrap": 2, "at": _AT, "labour_seconds": 5400,
           **_MACHINE}  # fmt: skip
_CHANGE = {"priority": 1, "rush": True, "due_at": "2026-01-07T08:00:00Z", "reason": "客户急需"}

# What connectors add to our fields before a map sees them.
EXTRA: Fields = {
    "key": "AH-20260105-0001", "headline": "油温过高 92.4 ℃ > 80 ℃", "employee": "E001", "bill": "MO0001",
    "seq": 1, "source_id": "100001", "source_number": "MO0001", "source_line": "100101", "erp_id": "100001",
    "erp_entry_id": "100101", "number": "MO0001", "now": _AT, "product": "A100", "organisation": "100",
    "changed": True, "quantity": 500, "starts_at": _OPENED,
}  # fmt: skip
_OPEN, _STEPPED, _CLOSED = Words("新报修", "a new ticket"), Words("接单", "accepted"), Words("关闭", "closed")
_MADE: dict[str, tuple[tuple[Words, Reader, Mapping[str, Any]], ...]] = {
    "ticket": (
        (_OPEN, mapping.opening, _TICKET),
        (_STEPPED, mapping.update, _STEP),
        (_CLOSED, mapping.closing, _CLOSE),
    ),
    "step": ((_STEPPED, mapping.update, _STEP),),
    "closing": ((_CLOSED, mapping.closing, _CLOSE),),
    "report": ((Words("报工", "a report"), mapping.report, _REPORT),),
    "order": ((Words("改单", "a change"), mapping.order_change, _CHANGE),),
    "order_change": ((Words("改单", "a change"), mapping.order_change, _CHANGE),),
    "sales_order": ((Words("插单", "a rush order"), mapping.order_change, _CHANGE),),
    **{kind.value: ((Words("过账", "a posting"), mapping.posting, _POSTING),) for kind in mapping.POSTINGS},
}
_SENT: dict[str, tuple[tuple[str, Reader, Words], ...]] = {  # subject of the ledger of messages
    "ticket": (
        ("open-ticket", mapping.opening, _OPEN),
        ("update-ticket", mapping.update, Words("进度", "a step")),
        ("close-ticket", mapping.closing, _CLOSED),
    ),
    "step": (("update-ticket", mapping.update, Words("进度", "a step")),),
    "closing": (("close-ticket", mapping.closing, _CLOSED),),
    "report": (("report-operation", mapping.report, Words("报工", "a report")),),
    **dict.fromkeys(
        ("order", "order_change", "sales_order"),
        (("change-order", mapping.order_change, Words("改单", "a change")),),
    ),
    **{
        kind.value: ((f"post {kind.value}", mapping.posting, Words("过账", "a posting")),)
        for kind in mapping.POSTINGS
    },
}


SUBJECTS = tuple(sorted({subject for sent in _SENT.values() for subject, _, _ in sent}))


def ours(meaning: str, block: MapBlock, exchanges: Iterable[Exchange]) -> list[Ours]:
    """What this document is filled from; the last that were sent come first, of each subject one."""
    sent = _sent(meaning, block, exchanges)
    return [*(found[0] for found in sent.values() if found), *_made_up(meaning, block)]


def to_try(meaning: str, block: MapBlock, exchanges: Iterable[Exchange], most: int) -> list[Ours]:
    """Of each subject the last ones that were sent; a made-up one where nothing was."""
    sent = _sent(meaning, block, exchanges)
    real = [one for found in sent.values() for one in found[:most]]
    return real + [one for one in _made_up(meaning, block) if not sent.get(one.subject)]


def _sent(meaning: str, block: MapBlock, exchanges: Iterable[Exchange]) -> dict[str, list[Ours]]:
    extra = _extra(block)
    wanted = {subject: (reader, title) for subject, reader, title in _SENT.get(meaning, ())}
    found: dict[str, list[Ours]] = {subject: [] for subject in wanted}
    for exchange in exchanges:
        if exchange.subject not in wanted or not exchange.after:
            continue
        reader, title = wanted[exchange.subject]
        made = _read(reader, exchange.after)
        if made is not None:
            said = Words(f"{title.zh} {exchange.document}", f"{title.en} {exchange.document}")
            own = {"key": exchange.document} if "key" in extra else {}
            if "headline" in extra:
                own["headline"] = str(made.get("title") or "")
            fields = plain(extra | made | own)
            found[exchange.subject].append(Ours(said, fields, True, exchange.subject, title))
    return found


def _made_up(meaning: str, block: MapBlock) -> list[Ours]:
    extra, subjects = _extra(block), {reader: subject for subject, reader, _ in _SENT.get(meaning, ())}
    return [
        Ours(
            Words(f"示例：{t.zh}", f"example: {t.en}"), plain(extra | reader(payload)),
            subject=subjects.get(reader, ""), kind=t,
        )
        for t, reader, payload in _MADE.get(meaning, ())
    ]  # fmt: skip


def _extra(block: MapBlock) -> Fields:
    return {name: EXTRA[name] for name in _named(block) if name in EXTRA}


def names(records: Sequence[Ours]) -> list[tuple[str, Any]]:
    """Every field of ours that a map may name, with an example of its value."""
    out: dict[str, Any] = {}
    for record in records:
        for name, value in record.fields.items():
            if out.get(name) in (None, "", 0):
                out[name] = value
    return sorted(out.items())


def _read(reader: Reader, payload: Mapping[str, Any]) -> Fields | None:
    try:
        return reader(payload)
    except (ErpRefused, ValueError, TypeError):
        return None


def _named(block: MapBlock) -> set[str]:
    texts = [*block.write.values(), *(t for v in block.variants for t in (v.when, *v.write.values()))]
    trees = [expression(text, "")[1] for text in texts if text]
    return {name for tree in trees if tree is not None for name in roots(tree)}
