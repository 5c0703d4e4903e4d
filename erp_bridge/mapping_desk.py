"""Field maps for people: what there is to map, what a draft would do, versions saved and activated."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from erp_bridge.connector import Connector
from erp_bridge.erp_in_use import ErpInUse, Fit, plainly, refuse_too_deep
from erp_bridge.fieldmap import MapBlock, asked, compiled, plain
from erp_bridge.map_samples import EXTRA, Ours, names, ours
from erp_bridge.our_titles import TITLES
from erp_bridge.preview import CALLED, Known, Preview, previewed
from hub.config import explain
from hub.errors import ConfigError, ErpRefused, ErpUnavailable, NotFound, Refused
from hub.model.mapping import FROM_FILE, ErpField, MappingVersion
from hub.model.words import Words
from hub.ports import ErpBook, ErpConnector

KEPT = timedelta(minutes=1)  # what the ERP said of its fields and records is believed for so long
MOST = 512  # characters of one value of a record that people are shown
WIDE = 120  # columns that a draft may ask of a record
LATEST = 200  # exchanges that records of ours are looked for in
PATIENCE, PROBING = 8.0, 60.0  # seconds for one question to the ERP, and for a whole test


@dataclass(frozen=True, slots=True)
class _Heard:
    at: float
    said: Any
    trouble: str = ""


class ErpMappingDesk:
    """hub.ports.MappingDesk. Keeps one connector of its own, which only reads."""

    def __init__(self, erp: ErpInUse, book: ErpBook) -> None:
        self._erp, self._book, self._clock = erp, book, erp.clock
        zone = getattr(erp.config({}), "zone", None)
        self._zone = zone if isinstance(zone, ZoneInfo) else ZoneInfo("Asia/Shanghai")
        self._heard: dict[tuple[str, ...], _Heard] = {}
        self._fit: Fit | None = None
        self._made: list[ErpConnector] = []  # to be closed at the end: somebody may still be asking by them

    async def close(self) -> None:
        for connector in self._made:
            await connector.close()

    # ------------------------------------------------------------------ looking
    async def overview(self) -> dict[str, Any]:
        versions = await self._erp.mappings.versions(self._erp.kind)
        fit = await self._used()
        return {
            "kind": self._erp.kind,
            "documents": await self._names(),
            "versions": [_shape(v) for v in versions],
            "active": fit.active,
            "used": fit.number,
            "trouble": fit.trouble,
            "latest": versions[0].number if versions else FROM_FILE,
            "functions": sorted(CALLED),
        }

    async def version(self, number: int) -> Mapping[str, Any]:
        found = await self._documents(number)
        return {**self._erp.of_file(), **found}

    async def document(self, name: str) -> dict[str, Any]:
        connector = await self._connector()
        own = _own(connector, name)
        site = await self.version(await self._erp.mappings.active(self._erp.kind))
        block = _laid(connector, own, _block(site.get(name) or {}))
        fields, records = (
            await self._fields(connector, name, block),
            await self._records(connector, name, block, ()),
        )
        mine = await self._ours(connector, name, block)
        return {
            "name": name,
            "layered": getattr(connector, "layered", True),
            "own": own.model_dump(mode="json"),
            "fields": [asdict(f) for f in fields.said],
            "fields_trouble": fields.trouble,
            "theirs": records.said,
            "theirs_trouble": records.trouble,
            "ours": [{"title": o.title.as_dict(), "fields": o.fields, "real": o.real} for o in mine],
            "names": [{"name": n, "example": v} for n, v in names(mine)],
            "titles": {n: title.as_dict() for n, title in TITLES.items()},
        }

    # ------------------------------------------------------------------ trying
    async def preview(self, name: str, block: Any, ours: int, theirs: int) -> dict[str, Any]:
        connector = await self._connector()
        whole = _laid(connector, _own(connector, name), _block(block))
        records = await self._records(connector, name, whole, _columns(whole))
        fields = await self._fields(connector, name, whole)
        mine = await self._ours(connector, name, whole)
        record = mine[ours].fields if ours < len(mine) else {}
        row = records.said[theirs] if theirs < len(records.said) else {}
        listed = frozenset(n for f in fields.said for n in (f.name, f.name.partition(".")[0]))
        seen = frozenset(row)
        known = Known(
            frozenset(n for n, _ in names(mine)) | frozenset(EXTRA) if mine else frozenset(),
            listed | seen | frozenset(_roots_of(_own(connector, name))) if listed else frozenset(),
        )
        found = previewed(whole, self._zone, record, row, known)
        return _preview(found, whole, self._zone, record, row)

    async def test(self, documents: Mapping[str, Any]) -> dict[str, Any]:
        try:
            connector = self._erp.made(_blocks(documents))
        except ConfigError as cause:
            return {"sound": False, "complaints": list(cause.complaints), "probe": {}}
        try:
            async with asyncio.timeout(PROBING):
                said = dict(await connector.probe())
        except (ErpUnavailable, ErpRefused) as trouble:
            return {"sound": True, "complaints": [], "probe": {}, "trouble": str(trouble)}
        except TimeoutError:
            return {"sound": True, "complaints": [], "probe": {}, "trouble": f"no answer for {PROBING:g} s"}
        finally:
            await connector.close()
        return {"sound": True, "complaints": [], "probe": said}

    # ------------------------------------------------------------------ deciding
    async def save(
        self, documents: Mapping[str, Any], latest: int, by: str, note: str
    ) -> tuple[int, Mapping[str, Any]]:
        blocks = _blocks(documents)
        await self._accepted(blocks)
        kept = {name: plainly(block) for name, block in blocks.items()}
        now = self._clock.now()
        made = await self._erp.mappings.save(self._erp.kind, kept, latest, by, note, now)
        return made.number, await self.overview()

    async def activate(self, number: int, active: int, by: str) -> Mapping[str, Any]:
        await self._accepted(await self._documents(number))
        await self._erp.mappings.activate(self._erp.kind, number, active, by, self._clock.now())
        self._heard.clear()
        return await self.overview()

    async def _accepted(self, documents: Mapping[str, Any]) -> None:
        try:
            connector = self._erp.made(documents)
        except ConfigError as cause:
            raise Refused("mapping-refused", "; ".join(cause.complaints)) from None
        await connector.close()

    # ------------------------------------------------------------------ what there is
    async def _documents(self, number: int) -> Mapping[str, Any]:
        if number == FROM_FILE:
            return {}
        found = [v for v in await self._erp.mappings.versions(self._erp.kind) if v.number == number]
        if not found:
            raise NotFound("not-found", f"there is no version {number}")
        return found[0].documents

    async def _names(self) -> list[str]:
        return list(getattr(await self._connector(), "own_maps", {}))

    async def _used(self) -> Fit:
        """With the maps in use, and the same connector as long as they are."""
        active = await self._erp.mappings.active(self._erp.kind)
        if self._fit is None or self._fit.active != active:
            self._fit = await self._erp.fit()
            self._made.append(self._fit.connector)
        return self._fit

    async def _connector(self) -> ErpConnector:
        return (await self._used()).connector

    async def _ours(self, connector: ErpConnector, name: str, block: MapBlock) -> list[Ours]:
        meaning = str(getattr(connector, "meanings", {}).get(name, name))
        return ours(meaning, block, await self._book.exchanges("", 0, LATEST))

    async def _fields(self, connector: ErpConnector, name: str, block: MapBlock) -> _Heard:
        async def ask(asked_of: Connector) -> list[ErpField]:
            return list(await asked_of.fields(name))

        return await self._once(("fields", name, block.form), connector, ask)

    async def _records(
        self, connector: ErpConnector, name: str, block: MapBlock, more: Sequence[str]
    ) -> _Heard:
        """With the columns that the draft asks for; only such as the ERP has told us of."""
        told = await self._fields(connector, name, block)
        listed = {n for f in told.said for n in (f.name, f.name.partition(".")[0])}
        extra = sorted({m for m in more if m.partition(".")[0] in listed})[:WIDE]

        async def ask(asked_of: Connector) -> list[Any]:
            return [_short(plain(row)) for row in await asked_of.samples(name, extra)]

        return await self._once(("records", name, block.form, *extra), connector, ask)

    async def _once(self, key: tuple[str, ...], connector: ErpConnector, ask: Any) -> _Heard:
        """An answer, or why there is none, kept for a minute: a preview comes with every key that is hit."""
        now = self._clock.monotonic()
        known = self._heard.get(key)
        if known is not None and now - known.at < KEPT.total_seconds():
            return known
        if not isinstance(connector, Connector):
            heard = _Heard(now, [], "this plug-in has no way to show fields and records")
        else:
            try:
                async with asyncio.timeout(PATIENCE):
                    heard = _Heard(now, await ask(connector))
            except (ErpUnavailable, ErpRefused) as trouble:
                heard = _Heard(now, [], str(trouble))
            except TimeoutError:
                heard = _Heard(now, [], f"the ERP has not answered for {PATIENCE:g} s")
        if len(self._heard) > 200:
            self._heard.clear()
        self._heard[key] = heard
        return heard


# ------------------------------------------------------------------ drafts
def _own(connector: ErpConnector, name: str) -> MapBlock:
    own: Mapping[str, MapBlock] = getattr(connector, "own_maps", {})
    if name not in own:
        raise NotFound("not-found", f"there is no document {name}")
    return own[name]


def _laid(connector: ErpConnector, own: MapBlock, site: MapBlock) -> MapBlock:
    if getattr(connector, "layered", True):
        return site.over(own)
    return site.model_copy(update={"write": site.write or own.write, "read": site.read or own.read})


def _block(draft: Any) -> MapBlock:
    """Raises Refused with what is wrong with its shape."""
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in "".join(_strings(draft))):
        raise Refused("mapping-refused", "block: a text contains control characters; remove them")
    try:
        refuse_too_deep({"block": draft})
        return MapBlock.model_validate(draft)
    except ValidationError as cause:
        raise Refused("mapping-refused", "; ".join(explain(cause, "block"))) from None
    except ConfigError as cause:
        raise Refused("mapping-refused", str(cause)) from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from (str(name), *_strings(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _blocks(documents: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _block(block).model_dump(mode="json", exclude_defaults=True)
        for name, block in documents.items()
    }


def _columns(block: MapBlock) -> list[str]:
    """Of what can be read: rows under work are left out."""
    found: list[str] = []
    for text in [*block.read.values(), *(t for v in block.variants for t in v.read.values())]:
        found += _asked(text)
    return list(dict.fromkeys(found))


def _roots_of(block: MapBlock) -> list[str]:
    return [name.partition(".")[0] for name in asked(MapBlock(read=block.read))]


def _asked(text: str) -> list[str]:
    draft = MapBlock(read={"x": text})
    try:
        refuse_too_deep({"x": draft})
        compiled(draft, ZoneInfo("UTC"), "")
        return asked(draft)
    except (ConfigError, ValueError):
        return []


# ------------------------------------------------------------------ as JSON
def _preview(
    found: Preview, block: MapBlock, zone: ZoneInfo, record: Mapping[str, Any], row: Mapping[str, Any]
) -> dict[str, Any]:
    """With the whole document as it would be sent, and the whole record as it would be read."""
    whole: dict[str, Any] = {"written": None, "read": None}
    if found.sound:
        made = compiled(block, zone, "")
        with suppress(ErpRefused):  # a variant sees it differently: its rows say so
            whole = {"written": made.written(record), "read": made.read(row) if row else None}
    rows = {
        r.place: {
            "value": r.value,
            "error": _words(r.error),
            "at": r.at,
            "remark": _words(r.remark),
            "near": r.near,
        }
        for r in found.rows
    }
    return {"rows": rows, "chosen": list(found.chosen), "sound": found.sound, **whole}


def _words(words: Words | None) -> dict[str, str] | None:
    return None if words is None else words.as_dict()


def _shape(version: MappingVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "by": version.by,
        "at": version.at,
        "note": version.note,
        "state": version.state.value,
        "activated_at": version.activated_at,
        "activated_by": version.activated_by,
    }


def _short(value: Any) -> Any:
    """Texts cut: a record may hold a whole file."""
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_short(v) for v in value[:20]]
    return value[:MOST] if isinstance(value, str) else value
