"""A version of the field maps tried on records before it is used: what none of them comes through is refused
(pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import jmespath

from erp_bridge.fieldmap import FieldMap, MapBlock, compiled
from erp_bridge.map_names import tables_named
from erp_bridge.map_samples import Ours
from erp_bridge.preview import Known, previewed
from hub.errors import ErpRefused
from hub.model.words import Words

READ, WRITE = "read", "write"
_NOBODY_KNOWS = Known()


@dataclass(frozen=True, slots=True)
class Tried:
    """One side of one document. `field`, `record` and `reason` are those of the first record that does not
    come through; without records `reason` says why there are none."""

    document: str
    side: str
    what: Words | None = None  # which records of ours: openings, closings ...
    records: int = 0
    sound: int = 0
    field: str = ""
    record: Words | None = None
    reason: Words | None = None

    @property
    def fails(self) -> bool:
        return self.records > 0 and self.sound == 0

    def as_dict(self) -> dict[str, Any]:
        words = {name: getattr(self, name) for name in ("what", "record", "reason")}
        told = {name: said.as_dict() if said else None for name, said in words.items()}
        plain = {name: getattr(self, name) for name in ("document", "side", "records", "sound", "field")}
        return plain | told | {"fails": self.fails}

    def __str__(self) -> str:
        where = ".".join(filter(None, (self.document, self.side, self.field)))
        record = self.record.zh if self.record else ""
        why = " | ".join(dict.fromkeys((self.reason.zh, self.reason.en))) if self.reason else ""
        return f"{where} ({record}) {self.sound}/{self.records}: {why}"


def changed(before: MapBlock, after: MapBlock, side: str) -> bool:
    """Whether what is made of a record on this side could be another thing now."""
    return _side(before, side) != _side(after, side)


def written(
    name: str, before: MapBlock, after: MapBlock, zone: ZoneInfo, records: Sequence[Ours]
) -> list[Tried]:
    """By what the records are of: a map may do for openings and fail for every closing."""
    groups: dict[str, list[Ours]] = {}
    for record in records:
        groups.setdefault(record.subject, []).append(record)
    return [
        _tried(Tried(name, WRITE, group[0].kind), before, after, zone, [(o.title, o.fields) for o in group])
        for group in groups.values()
    ] or [Tried(name, WRITE)]


def read(
    name: str, before: MapBlock, after: MapBlock, zone: ZoneInfo, records: Sequence[Mapping[str, Any]]
) -> Tried:
    named = [(_called(number, record), record) for number, record in enumerate(records, 1)]
    return _tried(Tried(name, READ), before, after, zone, named)


def _tried(
    what: Tried,
    before: MapBlock,
    after: MapBlock,
    zone: ZoneInfo,
    records: Iterable[tuple[Words, Mapping[str, Any]]],
) -> Tried:
    """On records that the maps in use come through: what they cannot read says nothing of the new ones."""
    old, new = _does(before, zone, what.side), _does(after, zone, what.side)
    usable = [(title, record) for title, record in records if old(record)]
    bad = [(title, record) for title, record in usable if not new(record)]
    found = Tried(what.document, what.side, what.what, len(usable), len(usable) - len(bad))
    if not bad:
        return found
    title, record = bad[0]
    field, reason = _why(after, zone, what.side, record)
    return Tried(found.document, found.side, found.what, found.records, found.sound, field, title, reason)


def _does(block: MapBlock, zone: ZoneInfo, side: str) -> Callable[[Mapping[str, Any]], bool]:
    made: FieldMap = compiled(block, zone, "")

    def does(record: Mapping[str, Any]) -> bool:
        try:
            made.written(record) if side == WRITE else made.read(record)
        except ErpRefused:
            return False
        return True

    return does


def _why(block: MapBlock, zone: ZoneInfo, side: str, record: Mapping[str, Any]) -> tuple[str, Words]:
    """The first field that fails, of those that this record would have."""
    ours, theirs = (record, {}) if side == WRITE else ({}, record)
    found = previewed(block, zone, ours, theirs, _NOBODY_KNOWS)
    chosen = {f"variants[{at}].{side}." for at in found.chosen} | {f"{side}."}
    for row in found.rows:
        place = next((p for p in chosen if row.place.startswith(p)), "")
        if row.error is not None and place:
            return row.place.removeprefix(place), row.error
    return "", Words("算不出来", "cannot be worked out")


def _side(block: MapBlock, side: str) -> tuple[Any, ...]:
    """Its expressions, with the value tables that they look into."""
    fields = {name: text for name, text in getattr(block, side).items() if text}
    variants = [(v.when, getattr(v, side)) for v in block.variants if getattr(v, side)]
    texts = [*fields.values(), *(text for when, own in variants for text in (when, *own.values()) if text)]
    used = {name for text in texts for name in tables_named(jmespath.compile(text).parsed)}
    return block.form, fields, variants, {name: block.tables.get(name) for name in used}


def _called(number: int, record: Mapping[str, Any]) -> Words:
    told = [str(value) for value in record.values() if isinstance(value, str) and value][:2]
    shown = " · ".join([str(number), *told])[:120]
    return Words(f"记录 {shown}", f"record {shown}")
