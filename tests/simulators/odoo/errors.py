"""What Odoo raises, by the name that it tells and the status that JSON-2 gives it."""

from __future__ import annotations

from typing import Any

STATUS = {
    "odoo.exceptions.AccessError": 403,
    "odoo.exceptions.AccessDenied": 403,
    "odoo.exceptions.MissingError": 404,
    "odoo.exceptions.UserError": 422,
    "odoo.exceptions.ValidationError": 422,
    "odoo.exceptions.LockError": 409,
    "werkzeug.exceptions.Unauthorized": 401,
    "werkzeug.exceptions.NotFound": 404,
    "werkzeug.exceptions.BadRequest": 400,
    "builtins.ValueError": 500,
    "builtins.TypeError": 500,
    "psycopg2.OperationalError": 500,
    "psycopg2.InterfaceError": 500,
}
TRACE = 'Traceback (most recent call last):\n  File "/usr/lib/python3/dist-packages/odoo/http.py"\n'


class OdooError(Exception):
    """`zh` is what a Chinese user reads."""

    def __init__(self, name: str, message: str, zh: str = "") -> None:
        self.name = name
        self.message = message
        self.zh = zh or message
        super().__init__(message)

    @property
    def status(self) -> int:
        return STATUS[self.name]

    def as_json(self, lang: str) -> dict[str, Any]:
        message = self.message if lang == "en_US" else self.zh
        return {
            "name": self.name, "message": message, "arguments": [message], "context": {},
            "debug": TRACE + self.name,
        }  # fmt: skip


def user_error(message: str, zh: str = "") -> OdooError:
    return OdooError("odoo.exceptions.UserError", message, zh)


def invalid(message: str, zh: str = "") -> OdooError:
    return OdooError("odoo.exceptions.ValidationError", message, zh)


def value_error(message: str) -> OdooError:
    return OdooError("builtins.ValueError", message)


def missing(model: str, record: Any) -> OdooError:
    return OdooError(
        "odoo.exceptions.MissingError",
        f"Record does not exist or has been deleted.\n(Record: {model}({record},), User: 2)",
        f"记录不存在或已被删除。\n(记录: {model}({record},), 用户: 2)",
    )


def denied(message: str) -> OdooError:
    return OdooError("odoo.exceptions.AccessError", message, f"抱歉，您无权访问。{message}")


def not_found(message: str) -> OdooError:
    return OdooError("werkzeug.exceptions.NotFound", message)
