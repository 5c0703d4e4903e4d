"""Records of any of Tryton's models: searched to the end, mapped by data, typed as Tryton says."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from erp_bridge import as_read
from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.tryton_client import TrytonClient
from erp_bridge.tryton_config import TrytonConfig
from erp_bridge.tryton_maps import DOCUMENTS, FILTERS
from erp_bridge.tryton_values import typed
from erp_bridge.unsaid import unsaid
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

Domain = Sequence[Any]
Row = dict[str, Any]
_ALWAYS = ("id",)
MEMORY = 60.0  # seconds
_KEYS = 50  # in one search


class Records:
    """`maps` and `blocks` by document name, the site's laid over ours. Raises ConfigError for a bad one."""

    def __init__(self, config: TrytonConfig, client: TrytonClient, clock: Clock) -> None:
        self.config = config
        self.client = client
        self._clock = clock
        self._names: dict[tuple[str, str], tuple[float, int]] = {}  # when looked up, id
        self.blocks: dict[str, MapBlock] = {
            name: config.documents.get(name, MapBlock()).over(base) for name, base in DOCUMENTS.items()
        }
        self.maps: dict[str, FieldMap] = {
            name: compiled(block, config.zone, f"documents.{name}") for name, block in self.blocks.items()
        }
        client.places = {block.form: f"documents.{n}.form" for n, block in reversed(self.blocks.items())}
        self._fields: dict[str, dict[str, Row]] = {}
        self._asked: dict[str, set[str]] = {}

    def form(self, document: str) -> str:
        return self.blocks[document].form

    # ------------------------------------------------------------------ what Tryton says of its fields
    async def fields(self, model: str, names: Iterable[str]) -> dict[str, Row]:
        """Those of the names that the model has, with `type` and `relation`."""
        known, asked = self._fields.setdefault(model, {}), self._asked.setdefault(model, set())
        missing = sorted({*names} - asked)
        if missing:
            known.update(await self.told(model, missing))
            asked.update(missing)
        return {n: known[n] for n in names if n in known}

    async def told(self, model: str, names: Sequence[str], language: str = "") -> dict[str, Row]:
        """What Tryton says of these fields, of all of them where none is named."""
        more = {"language": language} if language else {}
        found = await self.client.read(f"model.{model}.fields_get", list(names), context=more)
        if not isinstance(found, dict):
            raise ErpUnavailable(f"Tryton told the fields of {model} in words we do not know")
        return {n: f for n, f in found.items() if isinstance(f, dict) and isinstance(f.get("type"), str)}

    async def absent(self, model: str, names: Iterable[str]) -> list[str]:
        """Which of the dotted names do not exist, looked up along their relations: a call for each model."""
        below: dict[str, list[str]] = {}
        for name in names:
            step, _, rest = name.partition(".")
            below.setdefault(step, []).extend([rest] if rest else [])
        specs = await self.fields(model, below)
        out = []
        for step, rests in below.items():
            if step not in specs:
                out += [f"{step}.{rest}" for rest in rests] or [step]
            elif rests and specs[step].get("relation"):
                gone = await self.absent(str(specs[step]["relation"]), rests)
                out += [f"{step}.{rest}" for rest in gone]
        return out

    # ------------------------------------------------------------------ reading
    async def search(
        self,
        model: str,
        domain: Domain,
        names: Iterable[str],
        most: int = 0,
        context: Mapping[str, Any] | None = None,
    ) -> list[Row]:
        """All that fit (or the first `most`), oldest first; what is made meanwhile is not seen twice."""
        wanted, rows, last = sorted({*names, *_ALWAYS}), [], 0
        limit = min(most or self.config.page_rows, self.config.page_rows)
        while True:
            page = await self.client.read(
                f"model.{model}.search_read",
                [*domain, ["id", ">", last]],
                0,
                limit,
                [["id", "ASC"]],
                wanted,
                context=context,
            )
            rows += _records(model, page, last)
            if len(page) < limit or (most and len(rows) >= most):
                return rows
            last = max(row["id"] for row in page)

    async def one(self, model: str, record: int, names: Iterable[str]) -> Row:
        """The record with this id, which we have seen a moment ago."""
        found = await self.search(model, [["id", "=", record]], names)
        if [row["id"] for row in found] != [record]:
            raise ErpUnavailable(f"Tryton does not show {model} {record}, which was there a moment ago")
        return found[0]

    async def mapped(self, document: str, domain: Domain, extra: Iterable[str] = ()) -> list[tuple[Row, Row]]:
        """(their record, our fields) of every record of a document that fits and can be read."""
        by = self.maps[document]
        rows = await self.found(document, domain, extra)
        read = [(row, as_read.read(document, called(row), by, row)) for row in rows]
        return [(row, ours) for row, ours in read if ours is not None]

    def read(self, document: str, row: Row) -> Row:
        """In our fields. Raises ErpRefused naming the map's field."""
        try:
            return self.maps[document].read(row)
        except ErpRefused as refusal:
            raise ErpRefused(f"documents.{document}.read: {refusal}") from None

    async def found(self, document: str, domain: Domain, extra: Iterable[str] = ()) -> list[Row]:
        """Every record of a document that fits, with what its map reads of it."""
        block = self.blocks[document]
        names = asked(block)
        gone = await self.absent(block.form, names)
        for name in gone:
            log.debug("Tryton has no %s on %s: going on without it", name, block.form)
        return await self.search(block.form, [*self.filter(document), *domain], {*names, *extra} - {*gone})

    def filter(self, document: str) -> list[Any]:
        return self.config.filters.get(document, FILTERS.get(document, []))

    async def keyed(
        self, model: str, field: str, key: str, names: Iterable[str] = (), domain: Domain = ()
    ) -> list[Row]:
        """Records whose field is the key or begins with it and a blank, oldest first.

        `%` and `_` are wildcards there, so what comes back is compared again here.
        """
        rows = await self.search(model, [*domain, _begins(field, key)], {*names, field})
        kept = [r for r in rows if _carries(r.get(field), key)]
        if not kept:
            self._all_say(model, field, key, rows)
        return kept

    async def copies(
        self, model: str, field: str, keys: Sequence[str], names: Iterable[str]
    ) -> dict[str, list[Row]]:
        """`keyed`, of many keys at once; those that nothing carries are left out."""
        found: dict[str, list[Row]] = {}
        for at in range(0, len(keys), _KEYS):
            part = keys[at : at + _KEYS]
            either = ["OR", *(_begins(field, key) for key in part)]
            rows = await self.search(model, [either], {*names, field})
            self._all_say(model, field, part[0], rows)
            for row in rows:
                for key in part:
                    if _carries(row.get(field), key):
                        found.setdefault(key, []).append(row)
        return found

    def _all_say(self, model: str, field: str, key: str, rows: Sequence[Row]) -> None:
        """Raises ErpUnavailable for one without its key."""
        silent = next((row for row in rows if not row.get(field)), None)
        if silent is not None:
            places = [f"documents.{name}" for name, block in self.blocks.items() if block.form == model]
            raise unsaid("Tryton", f"{model} {silent['id']}", field, key, (places or ["documents"])[0])

    async def named(self, model: str, text: str, domain: Domain = ()) -> int | None:
        """The id of the one record that the text names; None when there is none."""
        found = await self.exactly(model, self.config.lookup(model), text, (), domain)
        return int(found["id"]) if found else None

    async def exactly(
        self, model: str, field: str, text: str, names: Iterable[str], domain: Domain = ()
    ) -> Row | None:
        """The one record whose field is the text."""
        rows = await self.search(model, [*domain, [field, "=", text]], {*names, field}, most=2)
        said = [str(below(row, *field.split(".")) or "").strip() for row in rows]
        if field != "rec_name" and any(one != text.strip() for one in said):  # which is made of several
            raise ErpUnavailable(f"Tryton was asked for the {model} with {field} {text!r} and gave another")
        if len(rows) > 1:
            raise ErpRefused(f"Tryton has more than one {model} with {field} {text!r}; name it uniquely")
        return rows[0] if rows else None

    async def known(self, model: str, text: str) -> int | None:
        """`named`, of what seldom changes: a minute old will do."""
        now = self._clock.monotonic()
        at, found = self._names.get((model, text), (-MEMORY, 0))
        if now - at < MEMORY:
            return found
        fresh = await self.named(model, text)
        if fresh is not None:
            self._names[model, text] = now, fresh
        return fresh

    # ------------------------------------------------------------------ writing
    async def written(self, document: str, fields: Mapping[str, Any]) -> Row:
        """Our fields as values that Tryton takes; texts that name records are looked up."""
        mapped = self.maps[document].written(fields)
        note = {name: mapped.pop(name) for name in ("note",) if name in mapped}
        return note | await self.values(self.form(document), mapped, f"documents.{document}.write")

    async def values(self, model: str, mapped: Mapping[str, Any], place: str) -> Row:
        specs = await self.fields(model, [name.rstrip("+") for name in mapped])
        out: Row = {}
        for name, value in mapped.items():
            spec = specs.get(name.rstrip("+"))
            if spec is None:
                raise ErpRefused(f"Tryton has no field {name} on {model}; see {place}.{name}")
            out[name] = await self._typed(spec, value, f"{place}.{name}")
        return out

    async def _typed(self, spec: Mapping[str, Any], value: Any, where: str) -> Any:
        if spec["type"] != "many2one" or value is None:
            return typed(str(spec["type"]), value, where)
        if isinstance(value, int):
            return value
        model = str(spec["relation"])
        found = await self.known(model, str(value))
        if found is None:
            field = self.config.lookup(model)
            raise ErpRefused(f"Tryton has no {model} with {field} {value!r} ({where})")
        return found

    async def create(self, model: str, values: Mapping[str, Any]) -> int:
        match await self.client.write(f"model.{model}.create", [values]):
            case [int(made)]:
                return made
        raise ErpUnavailable(f"Tryton made a {model} and does not say which", in_doubt=True)

    async def write(self, model: str, row: Row, values: Mapping[str, Any]) -> None:
        """Raises ErpUnavailable when the record was changed since it was read with its `_timestamp`."""
        stamp = row.get("_timestamp")
        context = {"_timestamp": {f"{model},{row['id']}": stamp}} if stamp else {}
        await self.client.write(f"model.{model}.write", [row["id"]], values, context=context)

    async def press(self, model: str, button: str, record: int) -> Any:
        """A button of the form, as the client presses it."""
        return await self.client.write(f"model.{model}.{button}", [record])


def _begins(field: str, key: str) -> list[str]:
    return [field, "like", key.replace("\\", "_") + "%"]


def _carries(text: Any, key: str) -> bool:
    return text == key or str(text or "").startswith(key + " ")


def called(row: Row) -> str:
    """What a clerk finds the record by."""
    whole = below(row, "sale", "number") or below(row, "production", "number")
    return str(row.get("number") or row.get("code") or whole or row.get("name") or row["id"])


def below(row: Row, *names: str) -> Any:
    """`row["warehouse"]["code"]`, None where something on the way is empty."""
    here: Any = row
    for name in names:
        here = here.get(name) if isinstance(here, dict) else None
    return here


def _records(model: str, page: Any, last: int) -> list[Row]:
    """Rows after the one with the id `last`. Raises ErpUnavailable for anything else."""
    rows: list[Any] = page if isinstance(page, list) else [None]
    if not all(isinstance(row, dict) and type(row.get("id")) is int for row in rows):
        raise ErpUnavailable(f"Tryton answered the search for {model} with what are no records")
    ids = [row["id"] for row in rows]
    if len({*ids}) < len(ids) or any(one <= last for one in ids):
        raise ErpUnavailable(
            f"Tryton gives records of {model} again that it gave before: something before it passes over"
            " what is asked for, and a list like that is not believed"
        )
    return rows
