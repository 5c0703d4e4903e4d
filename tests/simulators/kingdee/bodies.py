"""The four ways in which clients write a call's body (contract section 2.1), read into one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tests.simulators.kingdee.answers import BAD_PARAMETER, Refusal


@dataclass(frozen=True)
class Call:
    form: str
    operation: str
    data: dict[str, Any]
    top: dict[str, Any]  # lower-case keys


def read_body(content_type: str, body: bytes, service: str) -> Call:
    """Raises MsgCode 8 for what cannot be read; content types are not insisted on."""
    top = {k.lower(): v for k, v in _top(content_type, body).items()}
    parameters = top.get("parameters") or []
    if isinstance(parameters, str):
        parameters = _json(parameters)
    form, operation, data = str(top.get("formid") or ""), str(top.get("opnumber") or ""), top.get("data")
    if data is None and parameters:
        form, operation, data = _by_position(parameters, service, form, operation)
    if isinstance(data, str):
        data = _json(data)
        if isinstance(data, str):
            raise Refusal(BAD_PARAMETER, "参数 data 被重复编码")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise Refusal(BAD_PARAMETER, "参数 data 必须是对象")
    data = _canonical(data)
    return Call(form or str(data.get("FormId") or ""), operation, data, top)


def read_parameters(body: bytes) -> list[Any]:
    """The plain parameter list of a login call."""
    top = {k.lower(): v for k, v in _top("", body).items()}
    parameters = top.get("parameters") or []
    return parameters if isinstance(parameters, list) else []


_KEYS = {
    k.lower(): k
    for k in [
        "FormId",
        "Model",
        "Ids",
        "Numbers",
        "Number",
        "Id",
        "FieldKeys",
        "FilterString",
        "OrderString",
        "TopRowCount",
        "StartRow",
        "Limit",
        "NeedUpDateFields",
        "NeedReturnFields",
        "IsDeleteEntry",
        "ValidateFlag",
        "ValidateRepeatJson",
        "IsAutoSubmitAndAudit",
        "EntryIds",
        "RuleId",
        "TargetFormId",
        "IsEnableDefaultRule",
        "PkEntryIds",
        "ApprovalType",
        "OrgNumber",
        "FileName",
        "InterId",
        "BillNO",
        "IsLast",
        "SendByte",
        "FileId",
        "StartIndex",
    ]
}


def _canonical(data: dict[str, Any]) -> dict[str, Any]:
    return {_KEYS.get(k.lower(), k): v for k, v in data.items()}


def _by_position(
    parameters: list[Any], service: str, form: str, operation: str
) -> tuple[str, str, dict[str, Any] | str]:
    *before, data = parameters
    if service.lower() in ("excuteoperation", "executeoperation") and len(before) == 2:
        return str(before[0]), str(before[1]), data
    return (str(before[0]) if before else form), operation, data


def _top(content_type: str, body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8", errors="replace")
    if "form-urlencoded" in content_type.lower():
        return {k: v[0] for k, v in parse_qs(text, keep_blank_values=True).items()}
    if not text.strip():
        return {}
    top = _json(text)
    if not isinstance(top, dict):
        raise Refusal(BAD_PARAMETER, "请求体必须是 JSON 对象")
    return top


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Refusal(BAD_PARAMETER, "参数不是有效的 JSON") from None
