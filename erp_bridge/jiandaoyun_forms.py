"""Our documents in their forms: found by name, and looked at again from time to time."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.jiandaoyun_answers import NO_APP, NO_FORM, Refusal, rows_of
from erp_bridge.jiandaoyun_client import JiandaoyunClient
from erp_bridge.jiandaoyun_config import JiandaoyunConfig
from erp_bridge.jiandaoyun_maps import DOCUMENTS, FORM_TITLES
from erp_bridge.jiandaoyun_values import Layout
from hub.errors import ConfigError, ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

_ID = re.compile(r"^[0-9a-f]{24}$")
_NAMES = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`)|[A-Za-z_]*[^\x00-\x7f\W]\w*""")
_PAGE = 100
_MOST_FORMS = 10_000
ROUND = 10  # a page of 10, 20 .. may be all that something before them lets through


@dataclass(frozen=True, slots=True)
class Form:
    app_id: str
    entry_id: str
    layout: Layout

    @property
    def address(self) -> dict[str, str]:
        return {"app_id": self.app_id, "entry_id": self.entry_id}


@dataclass(frozen=True, slots=True)
class Kind:
    """One of our documents. `key`: the field that carries our number, "" where it has none."""

    name: str
    block: MapBlock
    map: FieldMap
    key: str
    chosen: frozenset[str]  # fields of theirs that the site has asked for
    missed: set[str] = field(default_factory=set)  # told once

    def missing(self, lacking: set[str]) -> None:
        """A field of ours that a form lacks is left out; one that the site has written is worth a line."""
        if news := (lacking & self.chosen) - self.missed:
            log.warning(
                "form %s has no writable field %s: left out; check documents.%s",
                self.block.form, ", ".join(sorted(news)), self.name,
            )  # fmt: skip
        self.missed.update(lacking)


def kind_of(config: JiandaoyunConfig, name: str) -> Kind:
    """Raises ConfigError with every expression that cannot be read."""
    own, given = DOCUMENTS[name], config.documents.get(name)
    site = _quoted(given) if given else None
    block = site.over(own) if site else own
    if name == "progress" and not (site and site.form):  # stands in the order itself
        block = block.model_copy(update={"form": kind_of(config, "order").block.form})
    where = f"erp.with.documents.{name}"
    keyed = [theirs for theirs, text in block.write.items() if text.strip() == "key"]
    if "key" in own.write.values() and not keyed:
        raise ConfigError(f"{where}.write: no field carries `key`, our number; add one")
    map_ = compiled(block, config.zone, where)
    chosen = set(site.write) | set(asked(MapBlock(read=site.read))) if site else set()
    return Kind(name, block, map_, keyed[0] if keyed else "", frozenset(chosen))


def _quoted(block: MapBlock) -> MapBlock:
    """Titles of fields may stand in an expression as they are: JMESPath wants such names in quotes."""
    variants = [
        v.model_copy(update={"when": titles(v.when), "write": _each(v.write), "read": _each(v.read)})
        for v in block.variants
    ]
    return block.model_copy(
        update={"write": _each(block.write), "read": _each(block.read), "variants": variants}
    )


def _each(expressions: Mapping[str, str]) -> dict[str, str]:
    return {name: titles(text) for name, text in expressions.items()}


def titles(text: str) -> str:
    """`number(急单等级)` -> `number("急单等级")`; what stands in quotes already is left alone."""
    return _NAMES.sub(lambda m: f'"{m[0]}"' if m[1] is None else m[0], text)


class Forms:
    def __init__(self, config: JiandaoyunConfig, client: JiandaoyunClient, clock: Clock) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self.kinds: Mapping[str, Kind] = {name: kind_of(config, name) for name in DOCUMENTS}
        self._ids: dict[str, dict[str, str]] = {}  # app -> form's name -> its id
        self._listed_at: dict[str, datetime] = {}
        self._known: dict[tuple[str, str], tuple[datetime, Form]] = {}
        self._looking = asyncio.Lock()

    def forget(self) -> None:
        """Somebody has changed a form."""
        self._ids.clear()
        self._listed_at.clear()
        self._known.clear()

    def documents(self, entry_id: str) -> list[str]:
        """Which of our documents live in this form, as far as we have seen."""
        return [name for name in self.kinds if entry_id and self._entry_id(name) == entry_id]

    async def of(self, name: str) -> Form:
        """Raises ErpRefused when the app has no such form."""
        form = await self.optional(name)
        if form is None:
            wanted = self.kinds[name].block.form
            title = f" or {FORM_TITLES[wanted]}" if wanted in FORM_TITLES else ""
            raise ErpRefused(f"app {self._config.app_id} has no form {wanted}{title}: {self.place(name)}")
        return form

    def place(self, name: str) -> str:
        """What a person does where the form of this document is not there."""
        return f"write its name or id as documents.{name}.form, or take what it is for into `without`"

    async def optional(self, name: str) -> Form | None:
        async with self._looking:
            entry_id = self._entry_id(name)
            if entry_id is None:
                await self._list(self._app(name))
                entry_id = self._entry_id(name)
            return await self._form(name, entry_id) if entry_id else None

    def _app(self, name: str) -> str:
        above, slash, _ = self.kinds[name].block.form.partition("/")
        return above if slash and _ID.match(above) else self._config.app_id

    def _entry_id(self, name: str) -> str | None:
        form = self.kinds[name].block.form
        last = form.rpartition("/")[2] if self._app(name) != self._config.app_id else form
        last = last.removeprefix(f"{self._config.app_id}/")
        if _ID.match(last):
            return last
        listed = self._ids.get(self._app(name), {})
        return listed.get(last) or listed.get(FORM_TITLES.get(last, ""))

    async def _list(self, app_id: str) -> None:
        if self._fresh(self._listed_at.get(app_id)):
            return
        listed: dict[str, str] = {}
        seen: set[str] = set()
        for skip in range(0, _MOST_FORMS, _PAGE):
            body = {"app_id": app_id, "limit": _PAGE, "skip": skip}
            page = rows_of(await self._client.read("v5/app/entry/list", body), "forms", "the list of forms")
            ids = [str(form.get("entry_id") or "") for form in page]
            if page and seen.issuperset(ids):
                raise ErpUnavailable(f"Jiandaoyun goes round in circles when it lists the forms of {app_id}")
            for form, entry_id in zip(page, ids, strict=True):
                listed.setdefault(str(form.get("name") or "").strip(), entry_id)
            seen.update(ids)
            if len(page) < _PAGE and (not page or len(page) % ROUND):
                break
        self._ids[app_id], self._listed_at[app_id] = listed, self._clock.now()

    def _fresh(self, at: datetime | None) -> bool:
        return at is not None and abs(self._clock.now() - at) < self._config.schema_age

    async def _form(self, name: str, entry_id: str) -> Form:
        app_id = self._app(name)
        seen = self._known.get((app_id, entry_id))
        if seen is not None and self._fresh(seen[0]):
            return seen[1]
        body = {"app_id": app_id, "entry_id": entry_id}
        try:
            answer = await self._client.read("v5/app/entry/widget/list", body)
        except Refusal as refusal:
            if refusal.code not in (NO_APP, NO_FORM):
                raise
            raise Refusal(f"{refusal}; {self.place(name)}", refusal.code) from None
        form = Form(app_id, entry_id, Layout(rows_of(answer, "widgets", "the fields of a form")))
        self._known[app_id, entry_id] = self._clock.now(), form
        return form
