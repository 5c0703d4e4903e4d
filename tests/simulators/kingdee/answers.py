"""The envelopes the server answers in, and refusals with their MsgCode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CONTEXT_LOST = 1
OPERATION_EMPTY = 3
EXCEPTION = 4
FORM_EMPTY = 5
BAD_PARAMETER = 8
NO_SUCH_FIELD = 9
NOT_FOUND = 10
INVALID = 11
NOT_NOW = 12
BUSY = 13
QUOTA = 14


class Refusal(Exception):
    """The call is not carried out: MsgCode, the text for people, the field and the record it is about."""

    def __init__(self, code: int, text: str, field: str | None = None, index: int = 0) -> None:
        self.code = code
        self.text = text
        self.field = field
        self.index = index
        super().__init__(text)

    def at(self, index: int) -> Refusal:
        return Refusal(self.code, self.text, self.field, index)


class PlainFailure(Exception):
    """An unhandled server exception: HTTP 200 and text that begins with `response_error:`."""


class HttpFailure(Exception):
    """An answer with another HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def entity(record_id: int, number: str, index: int) -> dict[str, Any]:
    return {"Id": record_id, "Number": number, "DIndex": index}


def response_status(
    successes: Sequence[dict[str, Any]] = (), refusals: Sequence[Refusal] = ()
) -> dict[str, Any]:
    status: dict[str, Any] = {"ErrorCode": 500} if refusals else {}
    return status | {
        "IsSuccess": not refusals,
        "Errors": [{"FieldName": r.field, "Message": r.text, "DIndex": r.index} for r in refusals],
        "SuccessEntitys": list(successes),
        "SuccessMessages": [],
        "MsgCode": refusals[0].code if refusals else 0,
    }


def failure(*refusals: Refusal) -> dict[str, Any]:
    return {"Result": {"ResponseStatus": response_status((), refusals)}}


def outcome(
    successes: Sequence[dict[str, Any]] = (), refusals: Sequence[Refusal] = (), **more: Any
) -> dict[str, Any]:
    return {"Result": {"ResponseStatus": response_status(successes, refusals)} | more}
