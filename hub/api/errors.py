"""Errors as clients see them: a code, a text in two languages, and an id that the log line carries too."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hub.api.headers import SECURITY
from hub.api.texts import BY_STATUS, TEXTS, problem
from hub.errors import RecordAway, Refused, Transient
from hub.model.people import Person
from hub.model.words import Words

_log = structlog.get_logger("hub.api")


class NotLoggedIn(Refused):
    status = 401


class Misdirected(Refused):
    """Asked for under a name that is not ours (RFC 9110 15.5.20)."""

    status = 421


class TooMany(Refused):
    status = 429

    def __init__(self, code: str, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__(code, TEXTS[code].en)


class TooLarge(HTTPException):
    """An HTTPException because FastAPI lets only those out of the reading of a body."""

    def __init__(self, code: str = "too-large") -> None:
        self.code = code
        super().__init__(413)


def json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Times in UTC with `Z`; NaN and infinities become null."""
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    return Response(body, status, headers, "application/json")


def error(
    status: int,
    code: str,
    text: Words,
    *,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
    id_: str = "",
    beside: Mapping[str, Any] = MappingProxyType({}),
) -> Response:
    """`detail`: the English words of a refusal that has no text in both languages yet."""
    said = {"code": code, "text": text.as_dict(), "id": id_ or secrets.token_hex(6)}
    if detail:
        said["detail"] = detail
    return json({"error": said, **beside}, status, headers)


def refused(cause: Refused, people: Mapping[str, Person] = MappingProxyType({}), **beside: Any) -> Response:
    """`beside`: what helps to go on, next to the error.

    What is not found is not found in the same words: nobody learns which ids exist elsewhere.
    """
    code = _code(cause)
    headers = {}
    if isinstance(cause, TooMany):
        headers["Retry-After"] = str(max(1, math.ceil(cause.retry_after.total_seconds())))
    detail = "" if code in TEXTS else str(cause)
    return error(cause.status, code, words_of(cause, people), detail=detail, headers=headers, beside=beside)


def words_of(cause: Refused, people: Mapping[str, Person] = MappingProxyType({})) -> Words:
    """A refusal in both languages; a person's id in it becomes their name."""
    detail = str(cause)
    names = people[detail].name if detail in people else cause.words or Words(detail, detail)
    known = TEXTS.get(_code(cause)) or TEXTS[BY_STATUS.get(cause.status, "refused")]
    return Words(known.zh.replace("{detail}", names.zh), known.en.replace("{detail}", names.en))


def _code(cause: Refused) -> str:
    return "not-found" if cause.status == 404 else cause.code


def by_status(status: int, code: str = "", headers: Mapping[str, str] | None = None) -> Response:
    code = code or BY_STATUS.get(status, "refused")
    return error(status, code, TEXTS[code], headers=headers)


def unavailable(cause: Transient) -> Response:
    """503, with what is away where that is known."""
    return by_status(503, "record-away" if isinstance(cause, RecordAway) else "", {"Retry-After": "2"})


def bad_request(cause: RequestValidationError) -> Response:
    """Names each field and the remedy; what was sent is not repeated."""
    zh, en = [], []
    for item in cause.errors()[:5]:
        where = ".".join(str(p) for p in item["loc"][1:] if item["type"] != "json_invalid") or str(
            item["loc"][0]
        )
        said = problem(item["type"], item["msg"], item.get("ctx", {}))
        zh.append(f"{where[:100]} {said.zh}")
        en.append(f"{where[:100]} {said.en}")
    return error(400, "bad-request", Words("；".join(zh), "; ".join(en)))


def install(app: FastAPI, people: Mapping[str, Person]) -> None:
    """Every way out of the app that is not an answer."""

    async def on_refused(_: Request, cause: Exception) -> Response:
        assert isinstance(cause, Refused)
        return refused(cause, people)

    async def on_invalid(_: Request, cause: Exception) -> Response:
        assert isinstance(cause, RequestValidationError)
        return bad_request(cause)

    async def on_http(_: Request, cause: Exception) -> Response:
        assert isinstance(cause, HTTPException)
        return by_status(cause.status_code, getattr(cause, "code", ""), cause.headers)

    async def on_transient(_: Request, cause: Exception) -> Response:
        assert isinstance(cause, Transient)
        _log.warning("not available", reason=str(cause))
        return unavailable(cause)

    async def on_gone(_: Request, cause: Exception) -> Response:
        """The client hung up in the middle of its body: nobody hears the answer, nobody needs a trace."""
        return error(400, "bad-request", Words("请求不完整", "the request was not whole"))

    async def on_bug(request: Request, cause: Exception) -> Response:
        number = secrets.token_hex(6)
        _log.error("unhandled", id=number, method=request.method, path=request.url.path, exc_info=cause)
        return error(500, "internal", TEXTS["internal"], headers=SECURITY, id_=number)

    app.add_exception_handler(Refused, on_refused)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Transient, on_transient)
    app.add_exception_handler(ClientDisconnect, on_gone)
    app.add_exception_handler(Exception, on_bug)
