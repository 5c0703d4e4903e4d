"""Field maps for people: what there is to map, what a draft would do, versions saved and activated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge import trial
from erp_bridge.connector import Connector
from erp_bridge.erp_in_use import ErpInUse, Fit, plainly
from erp_bridge.fieldmap import MapBlock, compiled, plain
from erp_bridge.map_drafts import all_drafted, columns_of, drafted, laid_over, own_map, roots_of
from erp_bridge.map_samples import EXTRA, SUBJECTS, Ours, names, ours, to_try
from erp_bridge.our_titles import TITLES
from erp_bridge.preview import CALLED, Known, Preview, previewed
from hub.errors import ConfigError, Conflict, ErpRefused, ErpUnavailable, NotFound, Refused
from hub.model.mapping import FROM_FILE, ErpField, MappingVersion, Targets
from hub.model.words import Words
from hub.ports import ErpBook, ErpConnector

KEPT = timedelta(minutes=1)  # what the ERP said of its fields and records is believed for so long
MOST = 512  # characters of one value of a record that people are shown
WIDE = 120  # columns that a draft may ask of a record
LATEST = 20  # messages of each subject that records of ours are looked for in
TRIALS = 20  # records of a kind that a version is tried on
PATIENCE, PROBING = 8.0, 60.0  # seconds for one question to the ERP, and for a whole test


@dataclass(frozen=True, slots=True)
class _Heard:
    at: float
    said: Any
    trouble: str = ""
    refused: bool = False  # the ERP answered, and would not


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
            "meanings": {n: self._meaning(fit.connector, n) for n in getattr(fit.connector, "own_maps", {})},
        }

    async def version(self, number: int) -> Mapping[str, Any]:
        found = await self._documents(number)
        return {**self._erp.of_file(), **found}

    async def document(self, name: str) -> dict[str, Any]:
        connector = await self._connector()
        own = own_map(connector, name)
        site = await self.version(await self._erp.mappings.active(self._erp.kind))
        block = laid_over(connector, own, drafted(site.get(name) or {}))
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

    async def targets(self) -> list[Targets]:
        """Titles are those that the ERP has told lately: a look at a letter is no reason to ask it."""
        fit, found = await self._used(), []
        site = await self.version(fit.number)
        for name, own in getattr(fit.connector, "own_maps", {}).items():
            block = laid_over(fit.connector, own, drafted(site.get(name) or {}))
            sides = [block.write, *(v.write for v in block.variants)]
            written = {n: n for side in sides for n, text in side.items() if text}
            heard = self._heard.get(("fields", name, block.form))
            titles = {
                f.title: f.write for f in (heard.said if heard else ()) if f.title and f.write in written
            }
            found.append(Targets(name, self._meaning(fit.connector, name), titles | written))
        return found

    # ------------------------------------------------------------------ trying
    async def preview(self, name: str, block: Any, ours: int, theirs: int) -> dict[str, Any]:
        connector = await self._connector()
        whole = laid_over(connector, own_map(connector, name), drafted(block))
        records = await self._records(connector, name, whole, columns_of(whole))
        fields = await self._fields(connector, name, whole)
        mine = await self._ours(connector, name, whole)
        record = mine[ours].fields if ours < len(mine) else {}
        row = records.said[theirs] if theirs < len(records.said) else {}
        listed = frozenset(n for f in fields.said for n in (f.name, f.name.partition(".")[0]))
        seen = frozenset(row)
        known = Known(
            frozenset(n for n, _ in names(mine)) | frozenset(EXTRA) if mine else frozenset(),
            listed | seen | frozenset(roots_of(own_map(connector, name))) if listed else frozenset(),
        )
        found = previewed(whole, self._zone, record, row, known)
        return _preview(found, whole, self._zone, record, row)

    async def test(self, documents: Mapping[str, Any]) -> dict[str, Any]:
        nothing: dict[str, Any] = {"complaints": [], "probe": {}, "tried": [], "warnings": []}
        try:
            connector = self._erp.made(all_drafted(documents))
        except ConfigError as cause:
            return nothing | {"sound": False, "complaints": list(cause.complaints)}
        try:
            tried = await self._tried(documents, connector)
            found = nothing | {
                "sound": not any(one.fails for one in tried),
                "tried": [one.as_dict() for one in tried],
                "warnings": await self._strange(documents),
            }
            async with asyncio.timeout(PROBING):
                return found | {"probe": dict(await connector.probe())}
        except (ErpUnavailable, ErpRefused) as trouble:
            return found | {"trouble": str(trouble)}
        except TimeoutError:
            return found | {"trouble": f"no answer for {PROBING:g} s"}
        finally:
            await connector.close()

    async def _tried(self, documents: Mapping[str, Any], new: ErpConnector) -> list[trial.Tried]:
        """What differs from the maps in use, on the last records of ours and on those that the ERP shows."""
        fit = await self._used()
        now, then = await self.version(fit.number), {**self._erp.of_file(), **documents}
        exchanges = await self._book.sent(SUBJECTS, LATEST)
        found: list[trial.Tried] = []
        for name, own in getattr(new, "own_maps", {}).items():
            before, after = (laid_over(new, own, drafted(said.get(name) or {})) for said in (now, then))
            if trial.changed(before, after, trial.WRITE):
                mine = to_try(self._meaning(new, name), after, exchanges, TRIALS)
                found += trial.written(name, before, after, self._zone, mine)
            if trial.changed(before, after, trial.READ):
                found.append(await self._read(fit.connector, new, name, before, after))
        return found

    async def _read(
        self, old: ErpConnector, new: ErpConnector, name: str, before: MapBlock, after: MapBlock
    ) -> trial.Tried:
        """As the draft's own connector asks for them: a column that the ERP does not have is its refusal."""
        there = await self._records(old, name, before, ())
        heard = await self._heard_of(new, lambda asked_of: asked_of.samples(name, columns_of(after)))
        if heard.refused and there.said:
            words = Words(heard.trouble, heard.trouble)
            return trial.Tried(name, trial.READ, None, len(there.said), 0, reason=words)
        rows = [plain(row) for row in heard.said][:TRIALS]
        if not rows:
            why = heard.trouble or there.trouble
            return trial.Tried(name, trial.READ, reason=Words(why, why) if why else None)
        return trial.read(name, before, after, self._zone, rows)

    async def _strange(self, documents: Mapping[str, Any]) -> list[dict[str, str]]:
        """Fields that a site's maps write or read and that the ERP does not list; it may list none."""
        found = await self._unlisted(documents)
        return [{"document": document, "field": field} for document, field, _ in found]

    async def _unlisted(self, documents: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """(document, field, the side that names it)"""
        connector, found = await self._connector(), []
        for name in sorted(set(documents) & set(await self._names())):
            own, site = own_map(connector, name), drafted(documents[name])
            listed = (await self._fields(connector, name, laid_over(connector, own, site))).said
            there = {n for f in listed for n in (f.name, f.name.partition(".")[0], f.write)}
            sides = [site.write, *(v.write for v in site.variants)]
            said = {n for side in sides for n, text in side.items() if text and n not in own.write}
            written = {n: n.rpartition("[].")[2] for n in said}
            read = {n: n for n in columns_of(site) if n not in columns_of(own)}
            for field, bare in sorted((written | read).items()) if listed else ():
                if not {field, bare, bare.partition(".")[0]} & there:
                    found.append((name, field, trial.WRITE if field in written else trial.READ))
        return found

    # ------------------------------------------------------------------ deciding
    async def save(
        self, documents: Mapping[str, Any], latest: int, by: str, note: str
    ) -> tuple[int, Mapping[str, Any]]:
        blocks = all_drafted(documents)
        await self._accepted(blocks)
        kept = {name: plainly(block) for name, block in blocks.items()}
        now = self._clock.now()
        made = await self._erp.mappings.save(self._erp.kind, kept, latest, by, note, now)
        return made.number, await self.overview()

    async def activate(self, number: int, active: int, by: str, anyway: bool = False) -> Mapping[str, Any]:
        documents = await self._documents(number)
        await self._accepted(documents)
        if not await self._was_used(number):
            await self._come_through(documents, anyway)
        await self._erp.mappings.activate(self._erp.kind, number, active, by, self._clock.now())
        self._heard.clear()
        return await self.overview()

    async def _was_used(self, number: int) -> bool:
        """What has run before is taken back to without a trial, whatever the ERP does just now."""
        versions = await self._erp.mappings.versions(self._erp.kind)
        return number == FROM_FILE or any(v.number == number and v.activated_at for v in versions)

    async def _come_through(self, documents: Mapping[str, Any], anyway: bool) -> None:
        self._heard.clear()  # a field may have been added in the ERP a moment ago
        new = self._erp.made(documents)
        try:
            tried = await self._tried(documents, new)
        finally:
            await new.close()
        fails, untried = [t for t in tried if t.fails], [t for t in tried if not t.records]
        if fails:
            raise Conflict("mapping-fails", "; ".join(map(str, fails)))
        if anyway:
            return
        unknown = [
            f"{name}.{field}" for name, field, side in await self._unlisted(documents) if side == trial.WRITE
        ]
        if unknown:  # our records come through it all the same, and then the ERP refuses each of them
            raise Conflict("mapping-unknown-field", ", ".join(unknown))
        if untried:
            raise Conflict("mapping-untried", ", ".join(sorted({f"{t.document}.{t.side}" for t in untried})))

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
        return ours(self._meaning(connector, name), block, await self._book.sent(SUBJECTS, LATEST))

    def _meaning(self, connector: ErpConnector, name: str) -> str:
        return str(getattr(connector, "meanings", {}).get(name, name))

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
        heard = await self._heard_of(connector, ask)
        if len(self._heard) > 200:
            self._heard.clear()
        self._heard[key] = heard
        return heard

    async def _heard_of(self, connector: ErpConnector, ask: Any) -> _Heard:
        now = self._clock.monotonic()
        if not isinstance(connector, Connector):
            return _Heard(now, [], "this plug-in has no way to show fields and records")
        try:
            async with asyncio.timeout(PATIENCE):
                return _Heard(now, await ask(connector))
        except ErpRefused as refusal:
            return _Heard(now, [], str(refusal), refused=True)
        except ErpUnavailable as trouble:
            return _Heard(now, [], str(trouble))
        except TimeoutError:
            return _Heard(now, [], f"the ERP has not answered for {PATIENCE:g} s")


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
