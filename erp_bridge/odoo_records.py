"""Records of any of Odoo's models: searched to the end, mapped by data, typed as Odoo says, made once."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from erp_bridge import as_read
from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.odoo_answers import ACCESS, NOT_FOUND, USER_ERROR, OdooRefused, unread
from erp_bridge.odoo_client import OdooClient
from erp_bridge.odoo_config import OdooConfig
from erp_bridge.odoo_maps import DOCUMENTS, FILTERS
from erp_bridge.odoo_values import Row, columns, plain, spaced, typed
from erp_bridge.unsaid import unsaid
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.mapping import ErpField
from hub.ports import Clock

log = logging.getLogger(__name__)

Domain = Sequence[Any]
MEMORY = 60.0  # seconds that a name's id, or a field's absence, is believed
CHUNK = 500  # ids in one call
_SAMPLES = 3  # records that people are shown
_TRIES = 5  # of a load that met another one of the same key
_CLASH = re.compile(r"serializ|concurrent", re.I)  # PostgreSQL's own words, in no user's language
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


class Records:
    """`maps` and `blocks` by document name, the site's laid over ours. Raises ConfigError for a bad one."""

    def __init__(self, config: OdooConfig, client: OdooClient, clock: Clock) -> None:
        self.config = config
        self.client = client
        self.clock = clock
        self.blocks: dict[str, MapBlock] = {
            name: config.documents.get(name, MapBlock()).over(base) for name, base in DOCUMENTS.items()
        }
        self.maps: dict[str, FieldMap] = {
            name: compiled(block, config.zone, f"documents.{name}") for name, block in self.blocks.items()
        }
        self._names: dict[tuple[str, str], tuple[float, int]] = {}
        self._fields: dict[str, tuple[float, dict[str, Row]]] = {}

    def form(self, document: str) -> str:
        return self.blocks[document].form

    def mine(self, document: str) -> list[Any]:
        """What of a document is ours: the site's domain, else the connector's own."""
        return list(self.config.filters.get(document, FILTERS.get(document, [])))

    def forget(self) -> None:
        """What Odoo has said of its models: somebody may have changed them."""
        self._fields.clear()

    async def _read(self, model: str, method: str, ids: list[int] | None = None, **named: Any) -> Any:
        try:
            return await self.client.read(model, method, ids, **named)
        except OdooRefused as refusal:
            raise self._placed(model, method, refusal) from None

    async def _write(self, model: str, method: str, ids: list[int] | None = None, **named: Any) -> Any:
        try:
            return await self.client.write(model, method, ids, **named)
        except OdooRefused as refusal:
            raise self._placed(model, method, refusal) from None

    def _placed(self, model: str, method: str, refusal: OdooRefused) -> OdooRefused:
        """With the place in the configuration that names the model, where Odoo may have no such model."""
        by_rpc = method == "search_read" and refusal.name == USER_ERROR  # of no such model
        if refusal.name != NOT_FOUND and method != "fields_get" and not by_rpc:
            return refusal
        self._fields.pop(model, None)
        places = [f"documents.{n}.form" for n, block in self.blocks.items() if block.form == model]
        return OdooRefused(f"{refusal}; see {', '.join(places)}" if places else str(refusal), refusal.name)

    # ------------------------------------------------------------------ what Odoo says of its fields
    async def fields(self, model: str, names: Iterable[str] = ()) -> dict[str, Row]:
        """Every field of the model with `type` and `relation`; asked again when one of the names is new."""
        now = self.clock.monotonic()
        at, known = self._fields.get(model, (-MEMORY, {}))
        if not known or (now - at >= MEMORY and any(n not in known for n in names)):
            told = ["type", "relation", "string", "required", "readonly"]
            found = await self._read(model, "fields_get", allfields=[], attributes=told)
            if not isinstance(found, dict) or not found:
                raise unread(f"{model}.fields_get")
            known = {n: f for n, f in found.items() if isinstance(f, dict)}
            self._fields[model] = now, known
        return known

    async def described(self, document: str) -> list[ErpField]:
        """The fields of a document's model, with the captions that the user of the key sees."""
        known = await self.fields(self.form(document))
        return [_described(name, spec) for name, spec in sorted(known.items())]

    async def newest(self, document: str, more: Sequence[str]) -> list[Row]:
        """A few records with what the map asks for, and as much of `more` as there is."""
        names = {*asked(self.blocks[document]), *more}
        return await self.search(self.form(document), self.mine(document), names, _SAMPLES, newest=True)

    async def kinds(self, model: str, names: Iterable[str]) -> dict[str, str]:
        specs = await self.fields(model, names)
        return {n: str(specs[n].get("type")) for n in names if n in specs}

    async def absent(self, model: str, names: Iterable[str]) -> list[str]:
        """Which of the dotted names do not exist, looked up along their relations."""
        out = []
        for step, below in _tree(names).items():
            if step in ("id", "position"):
                continue
            spec = (await self.fields(model, [step])).get(step)
            if spec is None:
                out += [f"{step}.{rest}" for rest in below] or [step]
            elif below and spec.get("relation"):
                rest = [b for b in below if b not in ("id", "name")]
                out += [f"{step}.{gone}" for gone in await self.absent(str(spec["relation"]), rest)]
        return out

    # ------------------------------------------------------------------ reading
    async def search(
        self, model: str, domain: Domain, names: Iterable[str], most: int = 0, *, newest: bool = False
    ) -> list[Row]:
        """All that fit (or the first `most`), by id; what is made meanwhile is not seen twice. Fields that
        the model does not have are left out; `a.b` is read from the record that `a` names."""
        wanted = _tree(names)
        kinds = await self.kinds(model, wanted)
        rows: list[Row] = []
        limit = min(most or self.config.page_rows, self.config.page_rows)
        way, sign = ("id desc", "<") if newest else ("id asc", ">")
        beyond: list[Any] = []
        while True:
            page = await self._read(
                model, "search_read", domain=[*domain, *beyond], fields=sorted({"id", *kinds}), limit=limit,
                order=way,
            )  # fmt: skip
            following = [_plainly(row, kinds, model) for row in page] if isinstance(page, list) else None
            if following is None:
                raise unread(f"{model}.search_read")
            _going_on(rows[-1:] + following, model, newest=newest)
            rows += following
            if len(following) < limit or (most and len(rows) >= most):
                break
            beyond = [["id", sign, rows[-1]["id"]]]
        rows = rows[:most] if most else rows
        await self._join(model, rows, {n: below for n, below in wanted.items() if below and n in kinds})
        return rows

    async def _join(self, model: str, rows: Sequence[Row], wanted: Mapping[str, list[str]]) -> None:
        """`product_id` with the fields of it that are wanted; id and a name for people are there already."""
        for name, below in wanted.items():
            spec = (await self.fields(model))[name]
            more = [b for b in below if b != "id"]
            ids = sorted({int(row[name]["id"]) for row in rows if isinstance(row.get(name), dict)})
            if not more or not ids or spec.get("type") != "many2one":
                continue
            found: dict[int, Row] = {}
            try:
                for at in range(0, len(ids), CHUNK):
                    domain = [["id", "in", ids[at : at + CHUNK]]]
                    kept = await self.search(str(spec["relation"]), domain, more)
                    found |= {row["id"]: row for row in kept}
            except OdooRefused as refusal:
                if refusal.name not in (ACCESS, NOT_FOUND):
                    raise
                log.debug("%s of %s cannot be read: %s", name, model, refusal)
            for row in rows:
                if isinstance(row.get(name), dict):
                    row[name] = {**row[name], **found.get(row[name]["id"], {})}

    async def raw(self, document: str, domain: Domain, extra: Iterable[str] = ()) -> list[Row]:
        """Every record of a document that fits, with all that its map asks for."""
        block = self.blocks[document]
        return await self.search(block.form, [*self.mine(document), *domain], {*asked(block), *extra})

    async def mapped(self, document: str, domain: Domain, extra: Iterable[str] = ()) -> list[tuple[Row, Row]]:
        """(their record, our fields) of every record of a document that fits and that the map can read."""
        rows = await self.raw(document, domain, extra)
        read = [(row, self.ours(document, row)) for row in rows]
        return [(row, ours) for row, ours in read if ours is not None]

    def ours(self, document: str, row: Row) -> Row | None:
        """None for what the map cannot read: left out, so that it does not hide the others."""
        number = row.get("name") or row.get("default_code") or row.get("id")
        return as_read.read(document, number, self.maps[document], row)

    async def by_id(self, model: str, record: int, names: Iterable[str]) -> Row:
        """Raises ErpRefused when it is not there (any more)."""
        rows = await self.search(model, [["id", "=", record]], names)
        for row in rows:
            if row["id"] == record:
                return row
        raise ErpRefused(f"{model} {record} is not in Odoo any more")

    async def marked(
        self, model: str, field: str, marker: str, names: Iterable[str] = (), domain: Domain = ()
    ) -> list[Row]:
        """Records whose field begins with the marker, oldest first; wildcards in it match themselves only."""
        pattern = re.sub(r"[\\%]", "_", marker) + "%"
        rows = await self.search(model, [*domain, [field, "=like", pattern]], {*names, field})
        kept = [row for row in rows if str(row.get(field) or "").startswith(marker)]
        if not kept:
            self.all_say(model, field, marker, rows)
        return kept

    def all_say(self, model: str, field: str, marker: str, rows: Sequence[Row]) -> None:
        """Raises ErpUnavailable for one without the field that it was found by."""
        silent = next((row for row in rows if not row.get(field)), None)
        if silent is not None:
            places = [f"documents.{name}" for name, block in self.blocks.items() if block.form == model]
            raise unsaid("Odoo", f"{model} {silent['id']}", field, marker, (places or ["documents"])[0])

    async def named(self, model: str, text: str, domain: Domain = ()) -> int | None:
        """The id of the one record that the text names; None when there is none."""
        for field in self.config.lookup(model):
            found = await self.search(model, [*domain, [field, "=", text]], [field])
            rows = [row for row in found if _at(row, field) == text]
            if len(rows) > 1:
                raise ErpRefused(f"Odoo has more than one {model} with {field} {text!r}; name it uniquely")
            if rows:
                return int(rows[0]["id"])
        return None

    async def known(self, model: str, text: str, document: str = "") -> int | None:
        """`named`, of what seldom changes: a minute old will do. Those that the site's filter leaves."""
        now = self.clock.monotonic()
        at, found = self._names.get((model, text), (-MEMORY, 0))
        if now - at < MEMORY:
            return found
        fresh = await self.named(model, text, self.config.filters.get(document, []))
        if fresh is not None:
            self._names[model, text] = now, fresh
        return fresh

    # ------------------------------------------------------------------ writing
    async def written(self, document: str, fields: Mapping[str, Any]) -> Row:
        """Our fields as values that Odoo takes; texts that name records are looked up."""
        mapped = self.maps[document].written(fields)
        model, out = self.form(document), {}
        specs = await self.fields(model, [n.rstrip("+") for n in mapped])
        for name, value in mapped.items():
            spec = specs.get(name.rstrip("+"))
            where = f"documents.{document}.write.{name}"
            if name == "message" or name.endswith("+"):
                out[name] = value
            elif spec is not None:
                out[name] = await self._typed(spec, value, where)
            elif name in DOCUMENTS[document].write and not self._by_site(document, name):
                log.debug("%s has no %s: going on without it", model, name)
            else:
                raise ErpRefused(f"Odoo has no field {name} on {model}; see {where}")
        return out

    def _by_site(self, document: str, name: str) -> bool:
        site = self.config.documents.get(document)
        return site is not None and name in site.write

    async def _typed(self, spec: Mapping[str, Any], value: Any, where: str) -> Any:
        if spec.get("type") != "many2one" or value is None or isinstance(value, int):
            return typed(str(spec.get("type")), value, where)
        model = str(spec["relation"])
        found = await self._stage(str(value)) if model == "maintenance.stage" else None
        found = found or await self.known(model, str(value))
        if found is None:
            fields = " or ".join(self.config.lookup(model))
            raise ErpRefused(f"Odoo has no {model} with {fields} {value!r} ({where})")
        return found

    async def _stage(self, word: str) -> int | None:
        """new, progress, done: the stages' own names are the office's to change."""
        if word not in ("new", "progress", "done"):
            return None
        rows = await self.search("maintenance.stage", [], ["sequence", "done", "name"])
        rows.sort(key=lambda r: (r.get("sequence") or 0, r["id"]))
        live, done = [r for r in rows if not r.get("done")], [r for r in rows if r.get("done")]
        chosen = {"new": live[:1], "progress": live[1:2] or live[:1], "done": done[:1]}[word]
        if not chosen:
            raise ErpRefused(
                f"Odoo has no maintenance stage that is {word}: make one, or name another in maps"
            )
        return int(chosen[0]["id"])

    async def load(self, model: str, external: str, values: Mapping[str, Any]) -> int:
        """Make the record of this external id. Odoo's database lets only one of this id be: whoever else is
        making it meanwhile gets the same one."""
        kinds = await self.kinds(model, values)
        names, cells = columns(values, kinds)
        said: list[str] = []
        for _ in range(_TRIES):
            answer = await self._write(
                model, "load", fields=["id", *names], data=[[external, *cells]], context={"tz": "UTC"}
            )
            ids = answer.get("ids") if isinstance(answer, dict) else None
            if ids:
                return made_id(ids, f"{model}.load")
            messages = answer.get("messages") if isinstance(answer, dict) else None
            if not isinstance(messages, list) or not messages:
                raise unread(f"{model}.load", write=True)
            said = [spaced(m.get("message")) for m in messages if isinstance(m, dict)]
            if not any(_CLASH.search(text) for text in said):
                raise ErpRefused(f"Odoo refused {model}.load: {'; '.join(said)[:300]}")
        raise ErpUnavailable(f"{external} is being made by somebody else: {said[:1]}")

    async def made(self, model: str, kind: str, key: str, values: Mapping[str, Any]) -> int:
        """`load` under the key, or without it where Odoo does not let us: whoever comes here has looked for
        the marker that the values carry."""
        try:
            return await self.load(model, external_id(kind, key), values)
        except OdooRefused as refusal:
            if refusal.name not in (NOT_FOUND, ACCESS):
                raise
            log.warning("Odoo takes no external ids from us (%s): a mark alone keeps %s one", refusal, key)
        return await self.create(model, values)

    async def create(self, model: str, values: Mapping[str, Any]) -> int:
        made = await self._write(model, "create", vals_list=[dict(values)])
        return made_id(made, f"{model}.create")

    async def externals(self, model: str, ids: Sequence[int]) -> dict[int, str]:
        out: dict[int, str] = {}
        for at in range(0, len(ids), CHUNK):
            found = await self._read(model, "get_external_id", list(ids[at : at + CHUNK]))
            if not isinstance(found, dict) or not all(str(i).isdecimal() for i in found):
                raise unread(f"{model}.get_external_id")
            out |= {int(i): str(name) for i, name in found.items() if name}
        return out

    async def write(self, model: str, record: int, values: Mapping[str, Any]) -> None:
        if values:
            await self._write(model, "write", [record], vals=dict(values))

    async def press(self, model: str, button: str, record: int, **context: Any) -> Any:
        """A button of the form, as the web client presses it; what it answers may be a question."""
        return await self._write(model, button, [record], **({"context": context} if context else {}))


def external_id(kind: str, key: str) -> str:
    """Letters, digits, _ and - stay; what else a key holds is written as its code."""
    return f"andon.{kind}_{_UNFIT.sub(lambda found: f'_{ord(found[0]):02x}_', key)}"


def _described(name: str, spec: Row) -> ErpField:
    """Another record is written by what its lookup names it by, and read by its name."""
    kind, writable = str(spec.get("type") or ""), not spec.get("readonly") and name != "id"
    read = f"{name}.name" if kind == "many2one" else name
    return ErpField(name, str(spec.get("string") or ""), kind, "", name if writable else "", read)


def made_id(answer: Any, call: str) -> int:
    """Of what a write has made; what cannot be read of it may have been made all the same."""
    first = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(first, int) or isinstance(first, bool) or first <= 0:
        raise unread(call, write=True)
    return first


def _plainly(row: Any, kinds: Mapping[str, str], model: str) -> Row:
    """Raises ErpUnavailable for a row that is none, or that lacks what was asked for."""
    record = row.get("id") if isinstance(row, dict) else None
    if not isinstance(record, int) or isinstance(record, bool) or any(n not in row for n in kinds):
        raise unread(f"{model}.search_read")
    try:
        return {n: plain(v, kinds.get(n, "id")) for n, v in row.items()}
    except ValueError:
        raise unread(f"{model}.search_read") from None


def _going_on(rows: Sequence[Row], model: str, *, newest: bool) -> None:
    """Ids rise (or fall) from page to page; where they do not, somebody answers beside our question, and a
    list of it would go round for ever."""
    ids = [int(row["id"]) for row in rows]
    if any((a <= b) if newest else (a >= b) for a, b in itertools.pairwise(ids)):
        raise ErpUnavailable(
            f"Odoo answers {model}.search_read page by page with the same records, or in another order than"
            " was asked for: something before it answers in its place; check url"
        )


def _at(row: Row, path: str) -> str:
    found: Any = row
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return str(found) if found is not None else ""


def _tree(names: Iterable[str]) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {}
    for name in names:
        step, _, rest = name.partition(".")
        below.setdefault(step, []).extend([rest] if rest else [])
    return below
