"""View (property names instead of field keys), metadata, attachments."""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Any

from tests.simulators.kingdee.answers import (
    BAD_PARAMETER,
    NOT_FOUND,
    Refusal,
    outcome,
    response_status,
)
from tests.simulators.kingdee.books import Books, Record, form_named
from tests.simulators.kingdee.forms import Entity, Field, Kind
from tests.simulators.kingdee.saving import truth

CHUNK = 4 * 1024 * 1024
ZH = 2052


def view(books: Books, form_id: Any, data: dict[str, Any]) -> dict[str, Any]:
    form = form_named(form_id)
    record_id, number = str(data.get("Id") or ""), str(data.get("Number") or "")
    record = books.get(form.id, int(record_id)) if record_id.isdigit() else books.numbered(form.id, number)
    if record is None:
        raise Refusal(NOT_FOUND, f"{form.name} {record_id or number} 不存在")
    return {"Result": {"ResponseStatus": None, "Result": _unfolded(books, record)}}


def _unfolded(books: Books, record: Record) -> dict[str, Any]:
    form = record.kind
    out: dict[str, Any] = {"Id": record.id}
    out |= {_property(f.key): _shown(books, f, record.values.get(f.key.lower())) for f in form.all_fields}
    for inside in form.entities:
        out[_property(inside.key)] = [
            {"Id": row.id, "Seq": seq}
            | {_property(f.key): _shown(books, f, row.values.get(f.key.lower())) for f in inside.fields}
            for seq, row in enumerate(record.rows.get(inside.key.lower(), ()), 1)
        ]
    return out


def _property(key: str) -> str:
    """FBillNo -> BillNo; custom keys keep their F."""
    return key if key.startswith("F_") else key[1:]


def _words(text: str) -> list[dict[str, Any]]:
    return [{"Key": ZH, "Value": text}]


def _shown(books: Books, spec: Field, value: Any) -> Any:
    if spec.kind is not Kind.REF:
        return value if value is not None else (0.0 if spec.kind is Kind.NUMBER else " ")
    target = books.get(spec.ref, value) if value is not None else None
    if target is None:
        return None
    return {"Id": target.id, "Number": target.number, "Name": _words(str(target.values.get("fname") or ""))}


def business_info(data: dict[str, Any]) -> dict[str, Any]:
    form = form_named(data.get("FormId"))
    head = Entity("FBillHead", form.name, form.all_fields)
    operations = [
        ("Save", "保存"),
        ("Submit", "提交"),
        ("Audit", "审核"),
        ("UnAudit", "反审核"),
        ("Delete", "删除"),
    ]
    described = {
        "Id": form.id,
        "Name": _words(form.name),
        "Entrys": [_described(e, "" if e is head else "FBillHead") for e in (head, *form.entities)],
        "Operations": [
            {"OperationNumber": n, "OperationName": _words(t)} for n, t in (*operations, *form.operations)
        ],
    }
    return {"Result": {"ResponseStatus": response_status(), "NeedReturnData": described}}


def _described(inside: Entity, parent: str) -> dict[str, Any]:
    fields = [
        {
            "Key": f.key, "Name": _words(f.name), "FieldType": f.kind.value, "ElementType": f.kind.value,
            "LookUpObjectFormId": f.ref, "MustInput": int(f.must),
        }
        for f in inside.fields
    ]  # fmt: skip
    return {"Key": inside.key, "ParentKey": parent, "Name": _words(inside.name), "Fields": fields}


# ------------------------------------------------------------------ attachments
def upload(books: Books, data: dict[str, Any]) -> dict[str, Any]:
    """Chunks of one file share the FileId that the first answer gave."""
    try:
        part = base64.b64decode(str(data.get("SendByte") or ""), validate=True)
    except binascii.Error:
        raise Refusal(BAD_PARAMETER, "SendByte 不是 Base64 文本", "SendByte") from None
    if len(part) > CHUNK:
        raise Refusal(BAD_PARAMETER, "单个分块超过 4MB", "SendByte")
    form = form_named(data.get("FormId"))
    record_id = str(data.get("InterId") or "")
    if not record_id.isdigit() or books.get(form.id, int(record_id)) is None:
        raise Refusal(NOT_FOUND, f"内码为 {record_id} 的{form.name}不存在", "InterId")
    file_id = str(data.get("FileId") or "") or uuid.uuid4().hex
    held = books.attachments.get(file_id, {"name": str(data.get("FileName") or ""), "form": form.id,
                                           "record": int(record_id), "bytes": "", "done": False})  # fmt: skip
    whole = base64.b64decode(held["bytes"]) + part
    held = held | {"bytes": base64.b64encode(whole).decode(), "done": truth(data.get("IsLast", True))}
    books.put_attachment(file_id, held)
    return outcome(FileId=file_id, Message="")


def download(books: Books, data: dict[str, Any]) -> dict[str, Any]:
    held = books.attachments.get(str(data.get("FileId") or ""))
    if held is None or not held["done"]:
        raise Refusal(NOT_FOUND, "附件不存在")
    whole, start = base64.b64decode(held["bytes"]), int(data.get("StartIndex") or 0)
    part = whole[start : start + CHUNK]
    return outcome(
        StartIndex=start + len(part), IsLast=start + len(part) >= len(whole), FileSize=len(whole),
        FileName=held["name"], FilePart=base64.b64encode(part).decode(),
    )  # fmt: skip
