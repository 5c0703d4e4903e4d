"""The platform behind its paths: a body in, an answer out. Knows nothing of sockets."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.simulators.jiandaoyun.answers import Refused
from tests.simulators.jiandaoyun.books import Books, Form, Record, Values, lagging
from tests.simulators.jiandaoyun.faults import Faults
from tests.simulators.jiandaoyun.files import Files
from tests.simulators.jiandaoyun.filters import chosen
from tests.simulators.jiandaoyun.keys import Door, Key
from tests.simulators.jiandaoyun.pushing import Pusher
from tests.simulators.jiandaoyun.shapes import shown, stored
from tests.simulators.jiandaoyun.workflow import Workflow

BATCH = 100
_FLOW = re.compile(r"^v\d/workflow/(.+)$")
_COMMENTS = re.compile(r"^v1/app/(\w+)/entry/(\w+)/data/(\w+)/approval_comments$")
COMPANY = "jdy-company"  # makes what nobody is named for
WRITES = frozenset({"create", "batch_create", "update", "batch_update", "delete", "batch_delete"})


@dataclass(frozen=True, slots=True)
class Call:
    path: str  # after /api/
    body: Values
    host: str
    key: Key

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Platform:
    def __init__(self, now: Callable[[], datetime], keys: Mapping[str, Key], *, limited: bool) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.faults = Faults()
        self.door = Door(keys, limited=limited)
        self.books = Books(now)
        self.files = Files(now)
        self.workflow = Workflow(self.books)
        self.pusher = Pusher(now)
        self._used: dict[str, tuple[datetime, list[str]]] = {}  # transaction -> records made by it

    # ------------------------------------------------------------------ one call
    def call(self, path: str, authorization: str, address: str, host: str, raw: bytes) -> Call:
        key = self.door.key(authorization, address)
        self.door.counted(path)
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            raise Refused(1) from None
        if not isinstance(body, dict):
            raise Refused(1)
        return Call(path, body, host, key)

    def form_written(self, call: Call) -> str | None:
        """The name of the form that this call writes to; None when it writes none."""
        if _FLOW.match(call.path):
            instance = self.workflow.instances.get(str(call.body.get("instance_id")))
            read = call.name in ("list", "get", "logs")
            return None if read or instance is None else instance.form.name
        form = self.books.forms.get(str(call.body.get("entry_id")))
        return form.name if form and "/data/" in call.path and call.name in WRITES else None

    def answer(self, call: Call) -> Values:
        with self.lock:
            if flow := _FLOW.match(call.path):
                self.door.enter(call.key, "workflow", "")
                return self.workflow.answer(flow[1], call.body)
            if comments := _COMMENTS.match(call.path):
                self.door.enter(call.key, "workflow", comments[1])
                return {"approveCommentList": []}
            return self._structure(call) if "/data/" not in call.path else self._data(call)

    def _structure(self, call: Call) -> Values:
        body = call.body
        self.door.enter(
            call.key, "file" if "/file/" in call.path else "structure", str(body.get("app_id") or "")
        )
        match call.path:
            case "v5/app/list":
                apps = [{"app_id": i, "name": n} for i, n in self.books.apps.items()]
                return {"apps": _page(apps, body)}
            case "v5/app/entry/list":
                forms = [f for f in self.books.forms.values() if f.app_id == self._app(body)]
                renamed = {"ah_repair": "设备维修单"} if self.faults.lasting("renamed") else {}
                told = [
                    {"name": renamed.get(f.name, f.name), "app_id": f.app_id, "entry_id": f.entry_id}
                    for f in forms
                ]
                return {"forms": _page(told, body)}
            case "v5/app/entry/widget/list":
                form = self._form(body)
                system = ["_id", "creator", "createTime", "updateTime"] + ["flowState"] * bool(form.flow)
                widgets = [w.as_json() for w in form.widgets]
                return {
                    "widgets": widgets, "sysWidgets": [{"name": n} for n in system],
                    "dataModifyTime": shown(self.now()),
                }  # fmt: skip
            case "v5/app/entry/file/get_upload_token":
                self._form(body)
                return self.files.tokens(_transaction(body, needed=True), call.host)
        raise Refused(1, 404)

    def _app(self, body: Values) -> str:
        app_id = str(body.get("app_id"))
        if app_id not in self.books.apps:
            raise Refused(2004)
        return app_id

    def _form(self, body: Values) -> Form:
        app_id, form = self._app(body), self.books.forms.get(str(body.get("entry_id")))
        if form is None or form.app_id != app_id:
            raise Refused(3000)
        return form

    # ------------------------------------------------------------------ data
    def _data(self, call: Call) -> Values:
        self.door.enter(call.key, "data", str(call.body.get("app_id") or ""))
        doings: dict[str, Callable[[Form, Values], Values]] = {
            "create": self._create, "batch_create": self._batch_create, "get": self._get, "list": self._list,
            "update": self._update, "batch_update": self._batch_update, "delete": self._delete,
            "batch_delete": self._batch_delete,
        }  # fmt: skip
        if call.path != f"v5/app/entry/data/{call.name}" or call.name not in doings:
            raise Refused(1, 404)
        return doings[call.name](self._form(call.body), call.body)

    def _create(self, form: Form, body: Values) -> Values:
        transaction = self._spent(body)
        values = stored(self.books, form, body.get("data"), self._files(transaction))
        record_id = self._made(form, body, values)
        if body.get("is_start_trigger") and form.assistant:
            form.assistant(self.books, self.books.records[record_id])
        return {"data": shown(self.books.records[record_id].values())}

    def _batch_create(self, form: Form, body: Values) -> Values:
        """A repeat under the same transaction overwrites what the first has made."""
        rows, transaction = body.get("data_list"), _transaction(body)
        _checked_batch(rows)
        whole = [stored(self.books, form, row, self._files(transaction)) for row in rows or []]
        made = self._known(transaction) if transaction else None
        if made is not None:
            ids = made
            for record_id, values in zip(ids, whole, strict=False):
                self.books.put(record_id, form, values, COMPANY, made=False)
        else:
            ids = [self._made(form, body, values) for values in whole]
            if transaction:
                self._used[transaction] = self.now(), ids
        return {"status": "success", "success_count": len(ids), "success_ids": ids}

    def _made(self, form: Form, body: Values, values: Values) -> str:
        by = str(body.get("data_creator") or COMPANY)
        if by not in self.books.members:
            raise Refused(1010, about=by)
        record_id = self.books.new_id()
        self.books.put(record_id, form, values, by, made=True)
        if body.get("is_start_workflow"):
            self.workflow.start(self.books.records[record_id], by)
        return record_id

    def _get(self, form: Form, body: Values) -> Values:
        return {"data": shown(self._seen(form, body))}

    def _list(self, form: Form, body: Values) -> Values:
        limit = body.get("limit", 10)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= BATCH:
            raise Refused(17017, about="limit")
        test, after = chosen(form, body.get("filter")), str(body.get("data_id") or "")
        if self.faults.lasting("any_document"):
            test = chosen(form, None)
        if self.faults.lasting("same_page"):
            after = ""
        rows = [v for i, v in self.books.all(form, self._until()) if i > after and test(v)][:limit]
        if fields := body.get("fields"):
            keep = {"_id", "appId", "entryId", *fields}
            rows = [{n: v for n, v in row.items() if n in keep} for row in rows]
        return {"data": shown(rows)}

    def _update(self, form: Form, body: Values) -> Values:
        transaction = self._spent(body)
        record, before = self._record(form, body)
        values = stored(self.books, form, body.get("data"), self._files(transaction), before)
        self.books.put(record.id, form, values, COMPANY, made=False)
        if body.get("is_start_trigger") and form.assistant:
            form.assistant(self.books, record)
        return {"data": shown(record.values())}

    def _batch_update(self, form: Form, body: Values) -> Values:
        ids, transaction = body.get("data_ids"), self._spent(body)
        _checked_batch(ids)
        for record_id in ids or []:
            record, before = self._record(form, {"data_id": record_id})
            values = stored(self.books, form, body.get("data"), self._files(transaction), before)
            self.books.put(record.id, form, values, COMPANY, made=False)
        return {"status": "success", "success_count": len(ids or [])}

    def _delete(self, form: Form, body: Values) -> Values:
        self.books.remove(self._record(form, body)[0].id)
        return {"status": "success"}

    def _batch_delete(self, form: Form, body: Values) -> Values:
        ids = body.get("data_ids")
        _checked_batch(ids)
        for record_id in ids or []:
            self.books.remove(self._record(form, {"data_id": record_id})[0].id)
        return {"status": "success", "success_count": len(ids or [])}

    # ------------------------------------------------------------------ pieces
    def _until(self) -> datetime | None:
        return lagging(self.now(), self.faults.lag)

    def _seen(self, form: Form, body: Values) -> Values:
        record = self.books.records.get(str(body.get("data_id")))
        values = record.values(self._until()) if record and record.form is form else None
        if values is None:
            raise Refused(4001)
        return values

    def _record(self, form: Form, body: Values) -> tuple[Record, Values]:
        record = self.books.records.get(str(body.get("data_id")))
        values = record.values() if record and record.form is form else None
        if record is None or values is None:
            raise Refused(4001)
        return record, values

    def _known(self, transaction: str) -> list[str] | None:
        at, made = self._used.get(transaction, (None, []))
        return made if at is not None and self.now() - at < timedelta(hours=1) else None

    def _spent(self, body: Values) -> str:
        """Everywhere but in a batch_create an id is good for one write."""
        transaction = _transaction(body)
        if transaction and self._known(transaction) is not None:
            raise Refused(17026)
        if transaction:
            self._used[transaction] = self.now(), []
        return transaction

    def _files(self, transaction: str) -> Callable[[str], Values | None]:
        return lambda key: self.files.usable(key, transaction)


def _transaction(body: Values, *, needed: bool = False) -> str:
    given = body.get("transaction_id")
    if given is None and not needed:
        return ""
    try:
        return str(uuid.UUID(str(given)))
    except ValueError:
        raise Refused(17025) from None


def _checked_batch(rows: Any) -> None:
    if not isinstance(rows, list) or not rows:
        raise Refused(17024)
    if len(rows) > BATCH:
        raise Refused(17023)


def _page(rows: list[Values], body: Values) -> list[Values]:
    limit, skip = body.get("limit", BATCH), body.get("skip", 0)
    if not isinstance(limit, int) or not 1 <= limit <= BATCH or not isinstance(skip, int) or skip < 0:
        raise Refused(17017)
    return rows[skip : skip + limit]
