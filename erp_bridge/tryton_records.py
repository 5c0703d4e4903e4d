"""Records of any of Tryton's models: searched to the end, mapped by data, typed as Tryton says."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.tryton_client import TrytonClient
from erp_bridge.tryton_config import TrytonConfig
from erp_bridge.tryton_maps import DOCUMENTS, FILTERS
from erp_bridge.tryton_values import typed
from hub.errors import ErpRefused
from hub.ports import Clock

log = logging.getLogger(__name__)

Domain = Sequence[Any]
Row = dict[str, Any]
_ALWAYS = ("id",)
MEMORY = 60.0  # seconds


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
            found = await self.client.read(f"model.{model}.fields_get", missing)
            known.update({n: f for n, f in found.items() if isinstance(f, dict)})
            asked.update(missing)
        return {n: known[n] for n in names if n in known}

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
            rows += page
            if len(page) < limit or (most and len(rows) >= most):
                return rows
            last = max(row["id"] for row in page)

    async def mapped(self, document: str, domain: Domain, extra: Iterable[str] = ()) -> list[tuple[Row, Row]]:
        """(their record, our fields) of every record of a document that fits."""
        block = self.blocks[document]
        names = asked(block)
        gone = await self.absent(block.form, names)
        for name in gone:
            log.debug("Tryton has no %s on %s: going on without it", name, block.form)
        rows = await self.search(block.form, [*self._filter(document), *domain], {*names, *extra} - {*gone})
        return [(row, self.maps[document].read(row)) for row in rows]

    def _filter(self, document: str) -> list[Any]:
        return self.config.filters.get(document, FILTERS.get(document, []))

    async def keyed(
        self, model: str, field: str, key: str, names: Iterable[str] = (), domain: Domain = ()
    ) -> list[Row]:
        """Records whose field is the key or begins with it and a blank, oldest first.

        `%` and `_` are wildcards there, so what comes back is compared again here.
        """
        pattern = key.replace("\\", "_") + "%"
        rows = await self.search(model, [*domain, [field, "like", pattern]], {*names, field})
        return [r for r in rows if r[field] == key or str(r[field] or "").startswith(key + " ")]

    async def named(self, model: str, text: str, domain: Domain = ()) -> int | None:
        """The id of the one record that the text names; None when there is none."""
        field = self.config.lookup(model)
        rows = await self.search(model, [*domain, [field, "=", text]], [], most=2)
        if len(rows) > 1:
            raise ErpRefused(f"Tryton has more than one {model} with {field} {text!r}; name it uniquely")
        return int(rows[0]["id"]) if rows else None

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
        (made,) = await self.client.write(f"model.{model}.create", [values])
        return int(made)

    async def write(self, model: str, row: Row, values: Mapping[str, Any]) -> None:
        """Raises ErpUnavailable when the record was changed since it was read with its `_timestamp`."""
        stamp = row.get("_timestamp")
        context = {"_timestamp": {f"{model},{row['id']}": stamp}} if stamp else {}
        await self.client.write(f"model.{model}.write", [row["id"]], values, context=context)

    async def press(self, model: str, button: str, record: int) -> Any:
        """A button of the form, as the client presses it."""
        return await self.client.write(f"model.{model}.{button}", [record])
