"""What the data centre holds: documents with their entry rows, kept in memory and, with a file, in SQLite."""

from __future__ import annotations

import copy
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.simulators.kingdee.answers import EXCEPTION, FORM_EMPTY, Refusal
from tests.simulators.kingdee.forms import FORMS, Form

SERVER_ZONE = timezone(timedelta(hours=8))  # the server speaks local time without a zone


@dataclass
class Row:
    id: int
    values: dict[str, Any] = field(default_factory=dict)  # by lower-case field key


@dataclass
class Record:
    form: str
    id: int
    values: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)  # by lower-case entity key
    made_at: str = ""  # for the read-after-write lag

    @property
    def number(self) -> str:
        return str(self.values.get(self.kind.number_key.lower()) or "")

    @property
    def status(self) -> str:
        return str(self.values.get("fdocumentstatus") or "")

    @property
    def kind(self) -> Form:
        return FORMS[self.form.lower()]

    def row(self, row_id: int) -> Row | None:
        return next((r for rows in self.rows.values() for r in rows if r.id == row_id), None)

    def copy(self) -> Record:
        return copy.deepcopy(self)


def form_named(form_id: Any) -> Form:
    if not form_id:
        raise Refusal(FORM_EMPTY, "表单标识不能为空")
    form = FORMS.get(str(form_id).lower())
    if form is None:
        raise Refusal(EXCEPTION, f"业务对象 {form_id} 不存在")
    return form


class Books:
    """Every change goes through `put` or `drop`; `commit` makes it last."""

    def __init__(self, now: Callable[[], datetime], path: Path | None = None) -> None:
        self._now = now
        self._records: dict[str, dict[int, Record]] = {form.id: {} for form in FORMS.values()}
        self._numbers: dict[str, dict[str, int]] = {form.id: {} for form in FORMS.values()}
        self._counters: dict[str, int] = {}
        self._db = sqlite3.connect(path, check_same_thread=False) if path else None
        self.attachments: dict[str, dict[str, Any]] = {}
        if self._db:
            self._open(self._db)

    def close(self) -> None:
        if self._db:
            self._db.close()

    def commit(self) -> None:
        if self._db:
            self._db.commit()

    @property
    def is_empty(self) -> bool:
        return not any(self._records.values())

    # ------------------------------------------------------------------ reading
    def all(self, form: str) -> Iterator[Record]:
        return iter(self._records[FORMS[form.lower()].id].values())

    def get(self, form: str, record_id: int) -> Record | None:
        return self._records[FORMS[form.lower()].id].get(record_id)

    def numbered(self, form: str, number: str) -> Record | None:
        form_id = FORMS[form.lower()].id
        record_id = self._numbers[form_id].get(number.lower())
        return None if record_id is None else self._records[form_id][record_id]

    def local_time(self) -> str:
        return self._now().astimezone(SERVER_ZONE).strftime("%Y-%m-%dT%H:%M:%S")

    # ------------------------------------------------------------------ writing
    def next_id(self) -> int:
        return 200_000 + self._count("id")

    def next_number(self, form: Form) -> str:
        day = self._now().astimezone(SERVER_ZONE).strftime("%Y%m%d")
        while True:
            number = f"{form.prefix}{day}{self._count(f'number {form.id} {day}'):03d}"
            if self.numbered(form.id, number) is None:
                return number

    def put(self, record: Record) -> None:
        before = self._records[record.form].get(record.id)
        if before is not None:
            self._numbers[record.form].pop(before.number.lower(), None)
        record.made_at = record.made_at or self._now().isoformat()
        record.values["fmodifydate"] = self.local_time()
        self._records[record.form][record.id] = record
        self._numbers[record.form][record.number.lower()] = record.id
        self._write(
            "insert or replace into records values (?, ?, ?)",
            record.form,
            record.id,
            json.dumps(asdict(record)),
        )

    def drop(self, record: Record) -> None:
        del self._records[record.form][record.id]
        self._numbers[record.form].pop(record.number.lower(), None)
        self._write("delete from records where form = ? and id = ?", record.form, record.id)

    def put_attachment(self, file_id: str, attachment: dict[str, Any]) -> None:
        self.attachments[file_id] = attachment
        self._write("insert or replace into attachments values (?, ?)", file_id, json.dumps(attachment))

    def _count(self, name: str) -> int:
        self._counters[name] = self._counters.get(name, 0) + 1
        self._write("insert or replace into counters values (?, ?)", name, self._counters[name])
        return self._counters[name]

    def _write(self, sql: str, *values: Any) -> None:
        if self._db:
            self._db.execute(sql, values)

    def _open(self, db: sqlite3.Connection) -> None:
        db.executescript(
            """pragma journal_mode = wal; pragma synchronous = off;
            create table if not exists records (form text, id integer, body text, primary key (form, id));
            create table if not exists counters (name text primary key, value integer);
            create table if not exists attachments (id text primary key, body text);"""
        )
        self._counters = dict(db.execute("select name, value from counters"))
        self.attachments = {i: json.loads(b) for i, b in db.execute("select id, body from attachments")}
        for (body,) in db.execute("select body from records order by id"):
            raw = json.loads(body)
            rows = {key: [Row(**r) for r in found] for key, found in raw.pop("rows").items()}
            record = Record(**raw, rows=rows)
            self._records[record.form][record.id] = record
            self._numbers[record.form][record.number.lower()] = record.id
