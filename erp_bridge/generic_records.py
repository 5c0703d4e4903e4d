"""Operations in our own fields: maps on both sides of a door, looks before creates."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from erp_bridge import as_read
from erp_bridge.fieldmap import FieldMap, MapBlock, compiled
from erp_bridge.generic_answers import Duplicate, NotThere
from erp_bridge.generic_config import GenericConfig, OperationBlock
from erp_bridge.generic_fields import DOCUMENTS, LISTED, OPERATIONS, Deed
from erp_bridge.generic_reading import text
from erp_bridge.generic_rest import Circles, RestDoor
from erp_bridge.generic_sql import SqlDoor
from erp_bridge.generic_templates import as_text, names, texts_of
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock
from hub.sql_text import names as parameters

log = logging.getLogger(__name__)

Ours = dict[str, Any]
Fields = Mapping[str, Any]
_CALLED = ("number", "order", "item", "name", "key", "erp_id")  # a clerk's names of a record, best first


class Records:
    def __init__(self, config: GenericConfig, clock: Clock) -> None:
        self.config = config
        self._clock = clock
        self.rest = RestDoor(config, config.rest, clock) if config.rest else None
        self.sql = SqlDoor(config, config.sql) if config.sql else None
        used = {self.document(n) for n in config.operations} | {"ticket"}
        self.blocks = {name: self._block(name) for name in sorted(used)}
        self._maps: dict[str, FieldMap] = {
            name: compiled(block, config.zone, f"documents.{name}") for name, block in self.blocks.items()
        }
        self._numbers = {name: self._each_alone(name, block) for name, block in self.blocks.items()}

    async def close(self) -> None:
        if self.rest:
            await self.rest.close()
        if self.sql:
            await self.sql.close()

    def has(self, name: str) -> bool:
        return name in self.config.operations

    def document(self, name: str) -> str:
        return self.config.operations[name].document or OPERATIONS[name].document

    def _block(self, name: str) -> MapBlock:
        """The site's map. A side that it leaves out is that of a system which names everything as we do."""
        kind = next(
            (OPERATIONS[n].document for n, o in self.config.operations.items() if o.document == name), name
        )
        plainly = DOCUMENTS[kind].plainly()
        own = self.config.documents.get(name)
        if own is None:
            return plainly
        return own.model_copy(update={"write": own.write or plainly.write, "read": own.read or plainly.read})

    def _each_alone(self, document: str, block: MapBlock) -> dict[str, FieldMap]:
        """Maps of one field each: what a record is called is known though another field cannot be read."""
        alone = {
            n: MapBlock(read={n: t}, tables=block.tables) for n, t in block.read.items() if n in _CALLED and t
        }
        place = f"documents.{document}"
        return {name: compiled(one, self.config.zone, place) for name, one in alone.items()}

    def seen(self, fields: Fields) -> Ours:
        """With what every expression and placeholder may name besides."""
        person = str(fields.get("person") or "")
        more = {"now": self._clock.now(), "employee": self.config.employees.get(person, "")}
        return {**self.config.constants, **more, **fields}

    # ------------------------------------------------------------------ reading
    async def rows(self, name: str, fields: Fields, *, whole: bool = True) -> list[Any]:
        """As the ERP has them."""
        call = self.config.operations[name]
        seen = self.seen(fields)
        if call.is_sql:
            assert self.sql is not None  # the check has seen to it
            try:
                return await self.sql.read(name, call, seen)
            except ErpRefused as refusal:
                raise ErpRefused(f"{refusal}; see operations.{name}.sql") from None
        assert self.rest is not None
        return await self.rest.read(name, call, seen, whole=whole)

    async def listed(self, name: str, fields: Fields) -> list[Ours]:
        """In our fields, and `record`. One that cannot be read is told, and keeps no other from us."""
        document, found = self.document(name), []
        for row in await self.rows(name, fields):
            ours = as_read.read(document, self._called(document, row), self._maps[document], row)
            found += [] if ours is None else [ours]
        return found

    def _called(self, document: str, row: Any) -> str:
        """How a clerk finds a record of theirs, also where its map fails."""
        for name in _CALLED:
            try:
                ours = self._numbers[document][name].read(row) if name in self._numbers[document] else {}
            except ErpRefused:
                continue
            if text(ours, name):
                return text(ours, name)
        return next((str(v) for v in row.values() if isinstance(v, str | int) and v not in ("", True)), "?")

    def read(self, name: str, row: Any) -> Ours:
        """One row of the operation in our fields. Raises ErpRefused naming the map's field."""
        document = self.document(name)
        try:
            return self._maps[document].read(row)
        except ErpRefused as refusal:
            raise ErpRefused(f"documents.{document}.read: {refusal}") from None

    async def one_by_one(self, name: str, many: str, values: Sequence[str]) -> list[Ours]:
        """All of `values`, in as few calls as the operation allows."""
        found: list[Ours] = []
        for asked in self._asked(name, many, values):
            found += await self.listed(name, asked)
        return found

    async def one_of(self, name: str, many: str, value: str) -> list[Ours]:
        """Those that answer to this one value, each read or not at all."""
        rows = [row for asked in self._asked(name, many, [value]) for row in await self.rows(name, asked)]
        return [self.read(name, row) for row in rows]

    def _asked(self, name: str, many: str, values: Sequence[str]) -> Iterator[Fields]:
        call = self.config.operations[name]
        one = LISTED[many]
        size = call.batch if many in _named(call) else 1
        for at in range(0, len(values), size):
            part = list(values[at : at + size])
            yield {many: part, one: part[0]}

    async def found(self, name: str, fields: Fields) -> list[Ours]:
        """Records that answer to a key, each read or not at all: overlooking one would make a second."""
        key = fields.get("key")
        try:
            ours = [self.read(name, row) for row in await self.rows(name, fields)]
        except Circles as circles:  # it takes no notice of pages; if ours is there, it is there
            mine = self._with_key(name, [self.read(name, row) for row in circles.rows], key) if key else []
            if not mine:
                raise
            return mine
        return self._with_key(name, ours, key) if key else ours

    def _with_key(self, name: str, found: list[Ours], key: Any) -> list[Ours]:
        """Only what carries exactly our key, or what an address with the key in it, or a statement of the
        site's own, gives that shows none."""
        call, document = self.config.operations[name], self.config.documents.get(self.document(name))
        said = [(o, as_text(o.get("key"), "", self.config.zone)) for o in found]
        mine = [o for o, theirs in said if theirs == str(key)]
        if mine or (document and document.read.get("key")):  # the site says where the key stands
            return mine
        keyless = [o for o, theirs in said if not theirs]
        if not keyless or call.is_sql or "key" in names(call.path):
            return keyless
        raise ErpUnavailable(
            f"{self.config.name}: {name} gives records that show no key, so nobody can tell whether they are"
            f" ours; map the field that holds it: documents.{self.document(name)}.read.key"
        )

    # ------------------------------------------------------------------ writing
    async def make(self, name: str, look: str, key: str, fields: Fields) -> Ours:
        """The record that carries the key, made if it is not there. Its `erp_id` or `number` is known."""
        fields = {**fields, "key": key}
        there = await self.found(look, fields)
        if len(there) > 1:
            log.error("%s has %s more than once: a unique key is missing there", self.config.name, key)
        if there:
            return there[0]
        try:
            made = await self._written(name, fields)
        except Duplicate as refusal:
            return await self._shown(look, fields, refusal)
        mine = [o for o in made if as_text(o.get("key"), "", self.config.zone) in ("", key)]
        named = next((o for o in mine if o.get("erp_id") or o.get("number")), None)
        return named or await self._shown(look, fields, None)

    async def _shown(self, look: str, fields: Fields, refusal: ErpRefused | None) -> Ours:
        """What was made just now, by us or by somebody faster."""
        try:
            there = await self.found(look, fields)
        except ErpUnavailable as trouble:
            raise ErpUnavailable(str(trouble), trouble.retry_after, in_doubt=True) from None
        if there:
            return there[0]
        if refusal:
            raise refusal
        raise ErpUnavailable(
            f"{fields['key']} was made in {self.config.name}, which does not show it", in_doubt=True
        )

    async def change(self, name: str, fields: Fields) -> None:
        await self._written(name, fields)

    async def _written(self, name: str, fields: Fields) -> list[Ours]:
        call = self.config.operations[name]
        seen = self.seen(fields)
        document = self._maps[self.document(name)].written(seen)
        create = OPERATIONS[name].deed is Deed.CREATE
        try:
            rows: Sequence[Any]
            if call.is_sql:
                assert self.sql is not None
                rows = await self.sql.write(name, call, seen, document)
            else:
                assert self.rest is not None
                rows = await self.rest.write(name, call, seen, document, create)
        except (Duplicate, NotThere) as refusal:
            raise type(refusal)(f"{refusal}{_about(fields)}") from None
        except ErpRefused as refusal:
            raise ErpRefused(f"{refusal}{_about(fields)}") from None
        return list(self._answered(name, rows))

    def _answered(self, name: str, rows: Sequence[Any]) -> Iterator[Ours]:
        """It is done: an answer that does not fit the map only means that we have to look."""
        for row in rows:
            try:
                yield self._maps[self.document(name)].read(row)
            except ErpRefused as refusal:
                log.info("%s: the answer to %s is not read: %s", self.config.name, name, refusal)


def _named(call: OperationBlock) -> set[str]:
    """Placeholders and parameters that a call names."""
    texts = [call.path, *call.query.values(), *call.headers.values(), *texts_of(call.send)]
    return {n for t in texts for n in names(t)} | {n for s in call.sql for n in parameters(s)}


def _about(fields: Fields) -> str:
    """Which of ours it was: whoever reads the dead letters looks for these."""
    named = [f"{n} {fields[n]}" for n in ("key", "order", "number", "erp_id") if fields.get(n)]
    return f" ({', '.join(named)})" if named else ""
