"""Logging, set up once per process: structlog and the standard library through the same pipe.

JSON lines unless a person watches; UTC; and no secret leaves: known values, query strings that carry keys,
and fields with telling names are blotted out of the finished line, tracebacks included.
"""

from __future__ import annotations

import json as jsonlib
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Literal, TextIO
from urllib.parse import quote, quote_plus

import structlog
from pydantic import BaseModel, SecretStr

BLOT = "***"
Level = Literal["debug", "info", "warning", "error"]

# Libraries that tell whole URLs (a robot's URL is its key) or a line per packet.
_CHATTY = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "asyncua": logging.WARNING,
    "pymodbus": logging.ERROR,
    "apprise": logging.WARNING,
    "urllib3": logging.WARNING,
    "websockets": logging.WARNING,
    "asyncio": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "psycopg.pool": logging.ERROR,
    "multipart": logging.WARNING,
    "python_multipart": logging.WARNING,
    "redis": logging.WARNING,
    "paho": logging.WARNING,
}
_IN_URL = re.compile(
    r"(?i)([?&](?:key|access_token|sign|signature|token|secret|password|appsecret|code)=)[^&\s\"'<>\\#)\]}]+"
)
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@\"']*:)[^\s/@\"']+@")
_TELLING = re.compile(r"(?i)(?:^|[_-])(?:password|passwd|secret|token|cookie|authorization|csrf|api_?key)$")


class _Secrets:
    """The values that must not be seen, in every spelling in which a line could hold them."""

    def __init__(self) -> None:
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        in_json = jsonlib.dumps(value)[1:-1]
        spellings = {value, in_json, jsonlib.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
        spellings |= {quote(value), quote(value, safe=""), quote_plus(value)}
        self._spellings |= {s for s in spellings if s.strip()}
        longest_first = sorted(self._spellings, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def blot(self, line: str) -> str:
        return self._pattern.sub(BLOT, line) if self._pattern else line


_secrets = _Secrets()


def register_secret(value: str | SecretStr) -> None:
    """From now on this value is blotted out of every line, however it is quoted."""
    _secrets.add(value.get_secret_value() if isinstance(value, SecretStr) else value)


_PLAIN = (str, int, float, bool, type(None))


def register_secrets_of(config: BaseModel) -> None:
    """Every SecretStr in a plugin's Config or in the settings, however deep."""
    for secret in _secrets_in(config):
        register_secret(secret)


def _secrets_in(whole: Any) -> Iterable[SecretStr]:
    """A plant of ten thousand points is gone through at every start: no call for each of its values."""
    todo = [whole]
    while todo:
        node = todo.pop()
        if type(node) in _PLAIN:
            continue
        if isinstance(node, SecretStr):
            yield node
        elif isinstance(node, BaseModel):
            todo.extend(getattr(node, name) for name in type(node).model_fields)
        elif isinstance(node, list | tuple | set | frozenset):
            todo.extend(node)
        elif isinstance(node, Mapping):
            todo.extend(node.values())


def redact(line: str) -> str:
    """The line without known secrets, keys in query strings and passwords in URLs."""
    return _USERINFO.sub(rf"\g<1>{BLOT}@", _IN_URL.sub(rf"\g<1>{BLOT}", _secrets.blot(line)))


def setup(level: Level = "info", json: bool | None = None, stream: TextIO | None = None) -> None:
    """Once, at the start. `json` None: lines for people on a terminal, JSON otherwise or with
    ANDON_LOG=json.
    """
    out = stream or sys.stderr
    if json is None:
        json = os.environ.get("ANDON_LOG", "") == "json" or not out.isatty()
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _blot_telling_fields,
    ]
    handler = _Lines(out)
    handler.setFormatter(_RedactingFormatter(foreign_pre_chain=before, processors=_rendering(json, out)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, floor in _CHATTY.items():
        logging.getLogger(name).setLevel(floor)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _rendering(json: bool, out: TextIO) -> list[structlog.typing.Processor]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if json:
        return [
            remove,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=jsonlib.dumps, ensure_ascii=False),
        ]
    # The plain traceback: the pretty ones print local variables, and those hold secrets.
    console = structlog.dev.ConsoleRenderer(
        colors=out.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
        timestamp_key="at",
        repr_native_str=True,
    )
    return [remove, console]


def _blot_telling_fields(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("color_message", None)  # uvicorn says everything twice, once in colours
    for name in event:
        if isinstance(name, str) and _TELLING.search(name):
            event[name] = BLOT
    return event


class _Lines(logging.StreamHandler[TextIO]):
    """A line that finds no room (the disk is full, nobody reads the pipe) ends nothing and is not told in
    another way, with its secrets; the next one that is written says how many were not."""

    _missed = 0

    def emit(self, record: logging.LogRecord) -> None:
        before = self._missed
        super().emit(record)
        if before and self._missed == before:
            self._missed = 0
            words = {"name": __name__, "levelname": "WARNING", "levelno": logging.WARNING}
            super().emit(logging.makeLogRecord(words | {"msg": f"{before} lines of the log found no room"}))

    def handleError(self, record: logging.LogRecord) -> None:
        if isinstance(sys.exc_info()[1], OSError):
            self._missed += 1
        else:
            super().handleError(record)


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """The last hand on a line before it leaves."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
