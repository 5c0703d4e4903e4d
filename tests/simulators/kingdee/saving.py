"""Save, BatchSave and Draft: mandatory fields, references, duplicates, what an approved bill forbids."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.simulators.kingdee.answers import (
    BAD_PARAMETER,
    INVALID,
    NO_SUCH_FIELD,
    NOT_FOUND,
    NOT_NOW,
    Refusal,
    entity,
    outcome,
)
from tests.simulators.kingdee.books import Books, Record, Row, form_named
from tests.simulators.kingdee.columns import column
from tests.simulators.kingdee.filters import moment
from tests.simulators.kingdee.forms import Entity, Field, Form, Kind

STATES = {"Z": "暂存", "A": "创建", "B": "审核中", "C": "已审核", "D": "重新审核"}


class Saver:
    """Writes models into the books; remembers request texts for ValidateRepeatJson."""

    def __init__(self, books: Books, user: str, unique_keys: bool) -> None:
        self._books = books
        self._user = user
        self._unique_keys = unique_keys
        self._texts: set[str] = set()

    def save(self, form_id: Any, data: dict[str, Any], *, draft: bool = False) -> dict[str, Any]:
        model = data.get("Model")
        if isinstance(model, str):
            model = json.loads(model)
        if not isinstance(model, dict):
            raise Refusal(BAD_PARAMETER, "参数 Model 必须是对象")
        record = self._one(form_named(form_id), model, data, draft)
        answer = outcome([entity(record.id, record.number, 0)])
        answer["Result"] |= {
            "Id": record.id,
            "Number": record.number,
            "NeedReturnData": [self._returned(record, data.get("NeedReturnFields") or [])],
        }
        return answer

    def batch(self, form_id: Any, data: dict[str, Any]) -> dict[str, Any]:
        form, models = form_named(form_id), data.get("Model")
        if not isinstance(models, list):
            raise Refusal(BAD_PARAMETER, "参数 Model 必须是数组")
        successes, refusals, returned = [], [], []
        for i, model in enumerate(models):
            try:
                record = self._one(form, model, data, draft=False)
            except Refusal as refusal:
                refusals.append(refusal.at(i))
                continue
            successes.append(entity(record.id, record.number, i))
            returned.append(self._returned(record, data.get("NeedReturnFields") or []))
        return outcome(successes, refusals, NeedReturnData=returned)

    # ------------------------------------------------------------------ one document
    def _one(self, form: Form, model: dict[str, Any], data: dict[str, Any], draft: bool) -> Record:
        if form.read_only:
            raise Refusal(NOT_NOW, f"{form.name} 不允许通过接口保存")
        self._refuse_repeat(model, data)
        lower = {key.lower(): value for key, value in model.items()}
        record_id = int(lower.pop("fid", 0) or lower.pop(form.pk.lower(), 0) or 0)
        lower.pop(form.pk.lower(), None)
        record = self._existing(form, record_id) if record_id else self._new(form)
        wanted = {k.lower() for k in data.get("NeedUpDateFields") or []} if record_id else set()
        written = self._write(form, record, lower, wanted, truth(data.get("IsDeleteEntry", True)))
        if record_id and record.status in ("B", "C") and not all(f.changeable for f in written):
            raise Refusal(NOT_NOW, f"单据 {record.number} 状态为{STATES[record.status]}，不允许修改")
        if record.status in ("", "Z"):
            record.values["fdocumentstatus"] = "Z" if draft else "A"
        if not record.number and form.prefix:
            record.values["fbillno"] = self._books.next_number(form)
        self._check(form, record, complete=not draft and truth(data.get("ValidateFlag", True)))
        self._books.put(record)
        return record

    def _refuse_repeat(self, model: dict[str, Any], data: dict[str, Any]) -> None:
        if not truth(data.get("ValidateRepeatJson", False)):
            return
        text = json.dumps(model, sort_keys=True)
        if text in self._texts:
            raise Refusal(INVALID, "重复的请求：相同的 JSON 已提交")
        self._texts.add(text)

    def _existing(self, form: Form, record_id: int) -> Record:
        record = self._books.get(form.id, record_id)
        if record is None:
            raise Refusal(NOT_FOUND, f"内码为 {record_id} 的{form.name}不存在")
        return record.copy()

    def _new(self, form: Form) -> Record:
        user = self._books.numbered("SEC_User", self._user)
        values = {
            "fcreatedate": self._books.local_time(),
            "fcreatorid": user.id if user else None,
            "fcancelstatus": "A",
            "fforbidstatus": "A",
            "fclosestatus": "A",
        }
        return Record(form.id, self._books.next_id(), values)

    def _write(
        self, form: Form, record: Record, model: dict[str, Any], wanted: set[str], drop_rows: bool
    ) -> list[Field]:
        written: list[Field] = []
        for key, value in model.items():
            inside = form.entity(key)
            if wanted and key not in wanted:
                continue
            if inside is not None:
                written += self._write_rows(inside, record, value or [], wanted - {key}, drop_rows)
                continue
            head = form.head(key)
            if head is None:
                raise Refusal(NO_SUCH_FIELD, f"字段 {key} 不存在", key)
            record.values[key] = self._stored(head, value)
            written.append(head)
        return written

    def _write_rows(
        self, inside: Entity, record: Record, given: list[dict[str, Any]], wanted: set[str], drop_rows: bool
    ) -> list[Field]:
        rows, written, kept = record.rows.setdefault(inside.key.lower(), []), [], []
        fields = {f.key.lower(): f for f in inside.fields}
        for raw in given:
            lower = {key.lower(): value for key, value in raw.items()}
            row_id = int(lower.pop("fentryid", 0) or lower.pop(f"{inside.key}_fentryid".lower(), 0) or 0)
            row = next((r for r in rows if r.id == row_id), None)
            if row is None:
                if row_id:
                    raise Refusal(NOT_FOUND, f"分录内码 {row_id} 不存在")
                row = Row(self._books.next_id())
                rows.append(row)
            kept.append(row.id)
            for key, value in lower.items():
                if wanted & set(fields) and key not in wanted:
                    continue
                if key not in fields:
                    raise Refusal(NO_SUCH_FIELD, f"字段 {key} 不存在", key)
                row.values[key] = self._stored(fields[key], value)
                written.append(fields[key])
        if drop_rows:
            record.rows[inside.key.lower()] = [r for r in rows if r.id in kept]
        return written

    # ------------------------------------------------------------------ values
    def _stored(self, spec: Field, value: Any) -> Any:
        match spec.kind:
            case Kind.REF:
                return self._referred(spec, value)
            case Kind.NUMBER:
                try:
                    return None if value in (None, "") else float(value)
                except (TypeError, ValueError):
                    raise Refusal(INVALID, f"“{spec.name}”不是数字", spec.key) from None
            case Kind.MOMENT:
                return self._moment(spec, value)
            case Kind.FLAG:
                return truth(value)
            case Kind.COMBO:
                if str(value) not in spec.codes:
                    raise Refusal(NO_SUCH_FIELD, f"“{spec.name}”的值 {value} 不存在", spec.key)
                return str(value)
            case _:
                return self._text(spec, value)

    def _text(self, spec: Field, value: Any) -> str:
        if isinstance(value, dict | list):
            raise Refusal(BAD_PARAMETER, f"“{spec.name}”应为文本", spec.key)
        text = "" if value is None else str(value)
        if len(text) > spec.length:
            raise Refusal(INVALID, f"“{spec.name}”超过最大长度 {spec.length}", spec.key)
        return text

    def _moment(self, spec: Field, value: Any) -> str | None:
        if value in (None, ""):
            return None
        at = moment(value)
        if at is None:
            raise Refusal(INVALID, f"“{spec.name}”不是日期", spec.key)
        return at.strftime("%Y-%m-%dT%H:%M:%S")

    def _referred(self, spec: Field, value: Any) -> int | None:
        if value in (None, "", {}):
            return None
        if not isinstance(value, dict):
            raise Refusal(BAD_PARAMETER, f'“{spec.name}”应为 {{"FNumber": …}}', spec.key)
        number = next((str(v) for k, v in value.items() if k.lower() in _NUMBERS), "")
        if not number:
            return None
        target = self._books.numbered(spec.ref, number)
        if target is None and spec.new:
            target = Record(spec.ref, self._books.next_id(), {"fnumber": number, "fdocumentstatus": "C"})
            self._books.put(target)
        if target is None:
            raise Refusal(NO_SUCH_FIELD, f"“{spec.name}”的编码 {number} 不存在", spec.key)
        return target.id

    # ------------------------------------------------------------------ the whole document
    def _check(self, form: Form, record: Record, complete: bool) -> None:
        if complete:
            self._refuse_empty(form.fields, record.values)
            for inside in form.entities:
                for row in record.rows.get(inside.key.lower(), ()):
                    self._refuse_empty(inside.fields, row.values)
        if not record.number:
            raise Refusal(INVALID, f"“{'编码' if form.base else '单据编号'}”不能为空", form.number_key)
        namesake = self._books.numbered(form.id, record.number)
        if namesake is not None and namesake.id != record.id:
            raise Refusal(INVALID, f"编码 {record.number} 已存在", form.number_key)
        if self._unique_keys:
            for spec in (f for f in form.fields if f.unique and record.values.get(f.key.lower())):
                self._refuse_twin(form, record, spec)

    def _refuse_empty(self, fields: Iterable[Field], values: dict[str, Any]) -> None:
        for spec in fields:
            if spec.must and values.get(spec.key.lower()) in (None, ""):
                raise Refusal(INVALID, f"字段“{spec.name}”不能为空", spec.key)

    def _refuse_twin(self, form: Form, record: Record, spec: Field) -> None:
        key, wanted = spec.key.lower(), record.values[spec.key.lower()]
        if any(r.id != record.id and r.values.get(key) == wanted for r in self._books.all(form.id)):
            raise Refusal(INVALID, f"“{spec.name}” {wanted} 已存在", spec.key)

    def _returned(self, record: Record, keys: list[str]) -> dict[str, Any]:
        """`NeedReturnFields`: head values by key, entry values as a list under the entry's key."""
        out: dict[str, Any] = {}
        for key in keys:
            entry_key, _, inner = key.partition(".")
            inside = record.kind.entity(entry_key)
            if inside is None:
                out[key] = column(record.kind, key).value(self._books, record, {})
                continue
            rows = record.rows.get(inside.key.lower(), [])
            listed = out.setdefault(inside.key, [{} for _ in rows])
            for into, row in zip(listed, rows, strict=True):
                into[inner] = row.id if inner.lower() == "fentryid" else row.values.get(inner.lower())
        return out


_NUMBERS = {"fnumber", "fuserid", "fusername", "fuseraccount", "number"}


def truth(value: Any) -> bool:
    """Flags come as booleans, numbers or text."""
    return str(value).strip().lower() in ("true", "1")
