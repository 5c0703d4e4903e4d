"""SAP's errors as it gives them: an object in JSON, the same in XML, plain text before any service."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape


class SapError(Exception):
    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        plain: bool = False,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.plain = plain
        self.headers = headers
        super().__init__(message)


def as_json(error: SapError, service: str, language: str = "en") -> str:
    detail = {
        "code": error.code, "message": error.message, "severity": "error", "target": "", "transition": False,
    }  # fmt: skip
    application = {
        "component_id": "", "service_namespace": "/SAP/", "service_id": service, "service_version": "0001",
    }  # fmt: skip
    inner = {
        "application": application, "transactionid": "5F3A", "timestamp": "20260105120000.0000000",
        "Error_Resolution": {"SAP_Transaction": "", "SAP_Note": ""}, "errordetails": [detail],
    }  # fmt: skip
    body = {
        "code": error.code, "message": {"lang": language, "value": error.message}, "innererror": inner,
    }  # fmt: skip
    return json.dumps({"error": body}, ensure_ascii=False)


def as_xml(error: SapError) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        f'<code>{escape(error.code)}</code><message xml:lang="en">{escape(error.message)}</message></error>'
    )
