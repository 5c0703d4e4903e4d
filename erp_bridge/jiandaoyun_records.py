"""Records 数据 of our forms: found by our number, made once, changed, read page by page.

Nothing in Jiandaoyun keeps a number unique: writes by the API pass over 不允许重复值. What keeps a document
single is a look before, a transaction id that follows from our number (a batch with the same id overwrites
instead of adding), and a look afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge import as_read
from erp_bridge.fieldmap import MapBlock, asked
from erp_bridge.jiandaoyun_answers import (
    BAD_FILTER,
    NO_APP,
    NO_FORM,
    NO_RECORD,
    Refusal,
    Used,
    id_of,
    rows_of,
)
from erp_bridge.jiandaoyun_client import DATA, JiandaoyunClient
from erp_bridge.jiandaoyun_config import JiandaoyunConfig
from erp_bridge.jiandaoyun_forms import ROUND, Form, Forms, Kind
from erp_bridge.jiandaoyun_values import IN_LISTS, SUBFORM, is_one_of, number
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

Record = dict[str, Any]  # with every name of every field, see Layout.readable
Condition = dict[str, Any]
AT_ONCE = 100  # values in one `in`
BURNT = timedelta(minutes=5)  # a transaction id is forgotten after an hour
_SAME = 10  # records with one number that we look at


class Records:
    def __init__(self, config: JiandaoyunConfig, client: JiandaoyunClient, forms: Forms) -> None:
        self.config = config
        self.client = client
        self.forms = forms
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def kind(self, name: str) -> Kind:
        return self.forms.kinds[name]

    def field_of(self, name: str, ours: str, otherwise: str) -> str:
        """Their field that a field of ours is read from: what it is searched by."""
        text = self.kind(name).block.read.get(ours, "")
        return next(iter(asked(MapBlock(read={ours: text}))), otherwise) if text else otherwise

    # ------------------------------------------------------------------ reading
    async def listed(
        self, name: str, *conditions: Condition | None, most: int = 0, fields: Sequence[str] = ()
    ) -> list[Record]:
        """Each record once, oldest first: all of them, or the first `most`; with all fields or with these."""
        form = await self.forms.of(name)
        asked = [c for c in conditions if c]
        found: dict[str, Record] = {}
        limit, last = min(most or self.config.page_rows, self.config.page_rows), ""
        while True:
            body: dict[str, Any] = {"limit": limit}
            body |= {"filter": {"rel": "and", "cond": asked}} if asked else {}
            body |= {"fields": list(fields)} if fields else {}
            body |= {"data_id": last} if last else {}
            page = rows_of(await self._said(name, form, "list", body), "data", f"a list of {name}")
            if not all(map(id_of, page)):
                raise ErpUnavailable(f"Jiandaoyun lists a record of {name} without its id")
            before = len(found)
            found |= {id_of(r): form.layout.readable(r) for r in page}
            whole = len(page) < limit and (not page or len(page) % ROUND)
            if whole or (most and len(found) >= most):
                return list(found.values())
            if len(found) == before:
                raise ErpUnavailable(f"Jiandaoyun goes round in circles when it lists {name}")
            last = id_of(page[-1])

    async def _said(
        self, name: str, form: Form, what: str, body: Mapping[str, Any], *, write: bool = False
    ) -> dict[str, Any]:
        """One call about records of this form. One that is gone was taken away, or made anew under another
        id, since we looked: nothing was done."""
        call = self.client.write if write else self.client.read
        try:
            return await call(f"{DATA}{what}", {**form.address, **body})
        except Refusal as refusal:
            if refusal.code not in (NO_APP, NO_FORM):
                raise
            self.forms.forget()
            if (await self.forms.of(name)).entry_id != form.entry_id:
                raise ErpUnavailable(f"form {self.kind(name).block.form} was made anew") from None
            raise Refusal(f"{refusal}; {self.forms.place(name)}", refusal.code) from None

    async def several(self, name: str, erp_ids: Sequence[str]) -> list[Record]:
        """Those of these ids that are still there."""
        found: list[Record] = []
        for at in range(0, len(erp_ids), AT_ONCE):
            part = list(erp_ids[at : at + AT_ONCE])
            try:
                listed = await self.listed(name, {"field": "_id", "method": "in", "value": part})
                found += [r for r in listed if r["_id"] in part]
            except Refusal as refusal:  # one id that is not theirs spoils the filter for all
                if refusal.code != BAD_FILTER:
                    raise
                found += [r for i in part if (r := await self.one(name, i)) is not None]
        return found

    async def there(self, name: str, erp_ids: Sequence[str], field: str) -> set[str]:
        """Which of these ids are still there: only `field` of each is fetched. Ids are theirs."""
        found: set[str] = set()
        for at in range(0, len(erp_ids), AT_ONCE):
            condition = {"field": "_id", "method": "in", "value": list(erp_ids[at : at + AT_ONCE])}
            found |= {r["_id"] for r in await self.listed(name, condition, fields=[field])}
        return found

    async def mapped(self, name: str, *conditions: Condition | None) -> list[tuple[Record, Record]]:
        """(record, our fields); one that cannot be read must not hide the others."""
        return self.understood(name, await self.listed(name, *conditions))

    def understood(self, name: str, records: Iterable[Record]) -> list[tuple[Record, Record]]:
        """Those that the map can read, each with what was read; the others are told."""
        read = ((r, self.read(name, r)) for r in records)
        return [(record, ours) for record, ours in read if ours is not None]

    def read(self, name: str, record: Record) -> Record | None:
        """In our fields, with what a clerk finds it by."""
        return as_read.read(name, self.number_of(name, record), self.kind(name).map, record)

    def number_of(self, name: str, record: Record) -> str:
        kind = self.kind(name)
        fields = [self.field_of(name, ours, "") for ours in ("number", "order", "item")]
        told = (record.get(field) for field in (*fields, kind.key) if field)
        return next((str(t) for t in told if isinstance(t, str | int) and t), str(record["_id"]))

    async def any_of(self, name: str, field: str, values: Iterable[str]) -> list[tuple[Record, Record]]:
        """Those whose field has one of these values, and that the map can read."""
        return self.understood(name, await self.having(name, field, values))

    async def having(self, name: str, field: str, values: Iterable[str]) -> list[Record]:
        """Others, of a server that does not filter, are no answer."""
        wanted, form = sorted({*values} - {""}), await self.forms.of(name)
        found: list[Record] = []
        for at in range(0, len(wanted), AT_ONCE):
            part = wanted[at : at + AT_ONCE]
            records = await self.listed(name, self.condition(form, field, "in", part))
            found += [r for r in records if is_one_of(r.get(field), part)]
        return found

    async def one(self, name: str, erp_id: str) -> Record | None:
        form = await self.forms.of(name)
        try:
            answer = await self._said(name, form, "get", {"data_id": erp_id})
        except Refusal as refusal:
            if refusal.code != NO_RECORD:
                raise
            return None
        data = answer.get("data")
        if not isinstance(data, Mapping) or id_of(data) != erp_id:
            raise ErpUnavailable(
                f"Jiandaoyun was asked for record {erp_id} and shows {id_of(data) or 'none'}"
            )
        return form.layout.readable(data)

    def changed(self, since: datetime) -> Condition:
        """An overlap earlier: clocks differ, and a record may appear after its own time."""
        earlier = (since - self.config.overlap).astimezone(UTC)
        return {
            "field": "updateTime",
            "method": "range",
            "value": [f"{earlier:%Y-%m-%dT%H:%M:%S}.000Z", None],
        }

    def condition(self, form: Form, field: str, method: str, values: Sequence[Any]) -> Condition:
        """Raises ErpRefused when the form has no such field, or one that cannot be searched that way."""
        widget = form.layout.find(field)
        if widget is None:
            raise ErpRefused(
                f"form {form.entry_id} has no field {field}: add a text field with this alias 字段别名,"
                " or name yours in `documents`"
            )
        if method in ("eq", "in") and widget.type == "number":  # knows no `in`: what lies between is too much
            numbers = sorted(number(field, v) for v in values)
            return {
                "field": widget.name, "type": "number", "method": "range", "value": [numbers[0], numbers[-1]],
            }  # fmt: skip
        if method in ("eq", "in") and widget.type not in IN_LISTS:
            raise ErpRefused(
                f"field {field} of form {form.entry_id} is a {widget.type}: make it a text 单行文本"
            )
        return {"field": widget.name, "type": widget.type, "method": method, "value": list(values)}

    async def chosen(self, name: str) -> list[Condition]:
        """What of this form is ours, as the site has said: for reading only, never to look for our number."""
        out, form = [], await self.forms.of(name)
        for condition in self.config.filters.get(name, []):
            widget = form.layout.find(str(condition.get("field")))
            typed = {} if widget is None else {"field": widget.name, "type": widget.type}
            out.append({**condition, **typed})
        return out

    # ------------------------------------------------------------------ by our number
    async def keyed(self, name: str, key: str) -> list[Record]:
        """All that carry our number, the oldest first."""
        kind, form = self.kind(name), await self.forms.of(name)
        condition = self.condition(form, kind.key, "eq", [key])
        found = await self.listed(name, condition, most=_SAME)
        if strange := [r for r in found if str(r.get(kind.key)).casefold() != key.casefold()]:
            raise ErpUnavailable(
                f"Jiandaoyun was asked for {name} {key} and shows {self.number_of(name, strange[0])}: the"
                " filter is ignored by it or by what stands before it"
            )
        return sorted((r for r in found if str(r.get(kind.key)) == key), key=lambda r: str(r["_id"]))

    async def make(
        self, name: str, key: str, fields: Callable[[], Mapping[str, Any]], **how: Any
    ) -> tuple[Record, bool]:
        """The record that carries our number, and whether it had to be made. Calling again makes no second.

        `fields` is asked only when there is none. When there are two, the oldest counts and the others are
        marked in their state, by whoever finds them here.
        """
        async with self._making.setdefault(f"{name} {key}", asyncio.Lock()):
            found, made = await self.keyed(name, key), False
            if not found:
                made_id = await self._create(name, key, fields(), **how)
                found, made = await self._seen(name, key, made_id), True
            await self._marked(name, key, found[1:])
            return found[0], made

    async def _create(self, name: str, key: str, fields: Mapping[str, Any], **how: Any) -> str:
        """The new record's id, "" when the answer does not tell."""
        kind, form, single = self.kind(name), await self.forms.of(name), self._single(name)
        data = self._written(kind, form, fields)
        body: dict[str, Any] = {"transaction_id": transaction(form, name, key), **how}
        body |= {"data": data, "is_start_trigger": True} if single else {"data_list": [data]}
        body |= {"data_creator": self.config.creator} if self.config.creator else {}
        try:
            what = "create" if single else "batch_create"
            answer = await self._said(name, form, what, body, write=True)
        except Used as trouble:
            found = await self._look_again(name, key)
            if not found:
                text = f"{key}: {trouble}; Jiandaoyun does not show what it was used for"
                raise ErpUnavailable(text, BURNT, in_doubt=True) from None
            return str(found[0]["_id"])
        made = answer.get("success_ids")
        first = made[0] if isinstance(made, list) and made else id_of(answer.get("data"))
        return first if isinstance(first, str) else ""

    def _single(self, name: str) -> bool:
        return self.config.create.get(name) == "single"

    async def _seen(self, name: str, key: str, made_id: str) -> list[Record]:
        found = await self._look_again(name, key)
        if not found and made_id:
            return [{"_id": made_id, self.kind(name).key: key}]
        if not found:
            raise ErpUnavailable(f"{key} was sent to Jiandaoyun, which does not show it", in_doubt=True)
        return found

    async def _look_again(self, name: str, key: str) -> list[Record]:
        try:
            return await self.keyed(name, key)
        except ErpUnavailable as trouble:  # it was sent, whatever the look says
            raise ErpUnavailable(str(trouble), trouble.retry_after, in_doubt=True) from None

    async def _marked(self, name: str, key: str, others: Sequence[Record]) -> None:
        """Nothing is deleted unsaid: a person decides."""
        mark = self.kind(name).block.tables.get("states", {}).get("duplicate")
        form = await self.forms.of(name)
        for other in others:
            log.error("%s is in Jiandaoyun more than once: record %s counts not", key, other["_id"])
            if mark and form.layout.find("state") is not None and other.get("state") != mark:
                await self.change(name, str(other["_id"]), {"state": mark})

    # ------------------------------------------------------------------ changing
    async def change(self, name: str, erp_id: str, fields: Mapping[str, Any], **how: Any) -> None:
        """Absolute values, so that a repeat is harmless. Sub-forms are left alone: a list replaces them."""
        kind, form = self.kind(name), await self.forms.of(name)
        data = self._written(kind, form, fields)
        subforms = [n for n in data if (w := form.layout.find(n)) is not None and w.type == SUBFORM]
        if subforms:
            log.warning("sub-forms of %s are not changed: %s", name, ", ".join(subforms))
            data = {n: v for n, v in data.items() if n not in subforms}
        if data:
            body = {"data_id": erp_id, "data": data, **how}
            body |= {"is_start_trigger": True} if self.config.triggers else {}
            answer = await self._said(name, form, "update", body, write=True)
            if (told := id_of(answer.get("data"))) and told != erp_id:
                text = f"Jiandaoyun was to change record {erp_id} of {name} and has changed {told}"
                raise ErpUnavailable(text, in_doubt=True)

    def _written(self, kind: Kind, form: Form, fields: Mapping[str, Any]) -> dict[str, Any]:
        lacking: set[str] = set()
        data = form.layout.written(fields, lacking)
        kind.missing(lacking)
        if kind.key in lacking:
            raise ErpRefused(
                f"form {kind.block.form} has no writable field {kind.key}: it carries our number"
            )
        return data


def transaction(form: Form, name: str, key: str) -> str:
    """The same for the same document, whoever sends it and however often."""
    told = f"andon {form.app_id} {form.entry_id} {name} {key}"
    return str(uuid.UUID(bytes=hashlib.sha256(told.encode()).digest()[:16], version=4))
