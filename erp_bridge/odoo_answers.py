"""What Odoo's refusals mean for who asked: by HTTP status and exception name, never by their words (pure).

Words come in the user's language. A traceback in `debug` is nobody's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from erp_bridge.bystanders import CREDENTIALS_PAUSE
from hub.errors import AndonError, ErpRefused, ErpUnavailable

CROWDED_PAUSE = timedelta(minutes=1)
NOT_FOUND = "werkzeug.exceptions.NotFound"
ACCESS = "odoo.exceptions.AccessError"
MISSING = "odoo.exceptions.MissingError"
USER_ERROR = "odoo.exceptions.UserError"

_REFUSED = frozenset(
    {
        USER_ERROR, "odoo.exceptions.ValidationError", "odoo.exceptions.RedirectWarning",
        ACCESS, MISSING, NOT_FOUND, "odoo.exceptions.except_orm", "odoo.exceptions.Warning",
        "builtins.ValueError", "builtins.TypeError", "builtins.KeyError", "builtins.AttributeError",
        "builtins.IndexError", "werkzeug.exceptions.BadRequest", "werkzeug.exceptions.Forbidden",
        "werkzeug.exceptions.UnprocessableEntity", "psycopg2.IntegrityError", "psycopg2.DataError",
        "psycopg2.errors.UniqueViolation", "psycopg2.errors.NotNullViolation",
        "psycopg2.errors.ForeignKeyViolation", "psycopg2.errors.CheckViolation",
        "psycopg2.errors.UndefinedColumn", "psycopg2.errors.InvalidTextRepresentation",
    }
)  # fmt: skip
_BUSY = frozenset(  # rolled back: nothing was done
    {
        "odoo.exceptions.LockError", "odoo.exceptions.ConcurrencyError", "odoo.exceptions.CacheMiss",
        "psycopg2.errors.SerializationFailure", "psycopg2.errors.LockNotAvailable",
        "psycopg2.errors.DeadlockDetected", "psycopg2.extensions.TransactionRollbackError",
        "psycopg2.errors.ReadOnlySqlTransaction",
    }
)  # fmt: skip
_UNWELCOME = frozenset(
    {"odoo.exceptions.AccessDenied", "werkzeug.exceptions.Unauthorized", "odoo.http.SessionExpiredException"}
)


class Elsewhere(ErpUnavailable):
    """We are sent to another address: a log-on page, or somebody's maintenance."""


class OdooRefused(ErpRefused):
    """`name` is Odoo's name of the exception, as odoo.exceptions.MissingError."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        super().__init__(text)


def unwelcome(protocol: str) -> ErpUnavailable:
    what = "api_key" if protocol == "json2" else "database, user and api_key"
    return ErpUnavailable(
        f"Odoo does not accept who we say we are; check {what} (keys expire: make a new one in Odoo)",
        CREDENTIALS_PAUSE,
    )


def no_database(database: str, *, in_doubt: bool = False) -> ErpUnavailable:
    named = f"has no database {database!r}" if database else "serves several databases or none"
    return ErpUnavailable(f"Odoo {named}; check url and database", CREDENTIALS_PAUSE, in_doubt=in_doubt)


def unread(call: str, *, write: bool = False) -> ErpUnavailable:
    """For an answer that is JSON and not what this call answers with."""
    return ErpUnavailable(f"Odoo answered {call} in words we do not know", in_doubt=write)


def trouble(
    call: str, name: str, body: Mapping[str, Any], status: int, protocol: str, *, write: bool
) -> AndonError:
    """What to raise for an answer that names its exception. What has no known name may have been done."""
    if name in _UNWELCOME or status == 401:
        return unwelcome(protocol)
    if status == 409 or name in _BUSY:
        return ErpUnavailable(f"somebody is busy with the same record in Odoo: {call}")
    said = " ".join(str(body.get("message") or "").split())[:300]
    if name in _REFUSED or (400 <= status < 500 and name):
        return OdooRefused(f"Odoo refused {call}: {said or name}", name)
    return ErpUnavailable(f"Odoo failed at {call}: {name or f'HTTP {status}'} {said}".strip(), in_doubt=write)
