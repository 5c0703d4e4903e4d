"""Refusals as Frappe sends them: the class decides the status, the words are JSON within JSON."""

from __future__ import annotations

import json
from typing import Any

STATUS = {
    "AuthenticationError": 401, "PermissionError": 403, "DoesNotExistError": 404,
    "PageDoesNotExistError": 404, "DuplicateEntryError": 409, "NameError": 409,
    "SessionStopped": 503, "CSRFTokenError": 400,
    "TooManyRequestsError": 429, "RateLimitExceededError": 429, "OperationalError": 500, "TypeError": 500,
}  # fmt: skip


class FrappeError(Exception):
    def __init__(self, kind: str, text: str, module: str = "frappe.exceptions") -> None:
        self.kind = kind
        self.text = text
        self.path = f"{module}.{kind}"
        self.status = STATUS.get(kind, 417)
        super().__init__(text)


def body_of(error: FrappeError, version: int) -> dict[str, Any]:
    trace = (
        f'Traceback (most recent call last):\n  File "app.py", line 1, in call\n{error.path}: {error.text}\n'
    )
    if version == 2:
        return {
            "errors": [{"type": error.kind, "message": error.text, "exception": trace, "indicator": "red"}]
        }
    message = {"message": error.text, "title": "Message", "indicator": "red", "raise_exception": 1}
    return {
        "exception": f"{error.path}: {error.text}",
        "exc_type": error.kind,
        "exc": json.dumps([trace]),
        "_server_messages": json.dumps([json.dumps(message, ensure_ascii=False)], ensure_ascii=False),
    }


PAGE = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
