"""Databases of other systems (ERP, MES): how each is opened, named and understood when it refuses.

PostgreSQL's driver is part of the hub. Those of MySQL/MariaDB and SQL Server are extras, loaded on use.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from enum import Enum
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from hub.config import Block, Duration
from hub.errors import ConfigError


class SqlBlock(Block):
    driver: Literal["postgresql", "mysql", "mssql"] = "postgresql"
    host: str = Field(min_length=1)
    port: int | None = Field(None, ge=1, le=65535, description="5432, 3306 or 1433 by default")
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: SecretStr = SecretStr("")
    tls: Literal["off", "on", "verified"] = Field(
        "off", description="verified: with the server's certificate"
    )
    schema_: str = Field("", alias="schema", description="PostgreSQL: search path")
    timeout: Duration = timedelta(seconds=30)

    @property
    def door(self) -> int:
        """The port; that of the driver where none is named."""
        return self.port or {"postgresql": 5432, "mysql": 3306, "mssql": 1433}[self.driver]

    @property
    def place(self) -> str:
        """As people name it."""
        return f"{self.host}:{self.door}/{self.database}"


class Failure(Enum):
    LOST = "lost"  # the connection is gone
    BUSY = "busy"  # rolled back; later it may work
    DUPLICATE = "duplicate"
    STRANGER = "stranger"  # user, password or database are not accepted
    REFUSED = "refused"


class Driver(Protocol):
    """Connections are DB-API 2.0 (PEP 249) with `%(name)s` parameters, one thread at a time."""

    Error: type[BaseException]
    can_explain: bool

    def connect(self, block: SqlBlock, zone: ZoneInfo) -> Any: ...
    def begin(self, connection: Any, *, write: bool) -> None:
        """Of the next transaction. What only reads is told so, where the database can be."""
        ...

    def failure(self, cause: BaseException) -> tuple[Failure, str]:
        """(what it is, the database's own words)."""
        ...

    def quoted(self, name: str) -> str: ...

    def wants_zone(self, type_code: Any) -> bool:
        """Of a column's type in a cursor's description: whether a time without a zone is UTC beside it."""
        ...


def driver(kind: str) -> Driver:
    """Raises ConfigError naming what to install."""
    made: Mapping[str, Callable[[], Driver]] = {"postgresql": Postgres, "mysql": MySql, "mssql": SqlServer}
    return made[kind]()


_WHITE = "\t\r\n\u3000\u00a0"


def _loaded(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"sql.driver: {extra} needs {module}, which is not installed; pip install 'andon-hub[{extra}]'"
        ) from None


@dataclass(frozen=True, slots=True)
class _Codes:
    """Error numbers of one kind of database."""

    busy: frozenset[int]
    duplicate: frozenset[int]
    lost: frozenset[int]
    stranger: frozenset[int]

    def failure(self, number: int) -> Failure:
        for known, meant in (
            (self.busy, Failure.BUSY), (self.duplicate, Failure.DUPLICATE), (self.lost, Failure.LOST),
            (self.stranger, Failure.STRANGER),
        ):  # fmt: skip
            if number in known:
                return meant
        return Failure.REFUSED


def _lenient(adapters: Any) -> None:
    """Times that Python has not (infinity, the year 20260, 24:00) come as text: one of them in one row would
    end the whole answer."""
    from psycopg import DataError
    from psycopg.types import datetime as times

    for name, usual in (
        ("date", times.DateLoader), ("time", times.TimeLoader), ("timetz", times.TimetzLoader),
        ("timestamp", times.TimestampLoader), ("timestamptz", times.TimestamptzLoader),
        ("interval", times.IntervalLoader),
    ):  # fmt: skip

        class Lenient(usual):  # type: ignore[valid-type, misc]
            def load(self, data: Any) -> Any:
                try:
                    return super().load(data)
                except DataError:
                    return bytes(data).decode("utf-8", "replace")

        adapters.register_loader(name, Lenient)


def letters(value: Any) -> Any:
    """Bytes as text where they are text: a database without an encoding tells every text so, and GBK and
    UTF-8 may stand side by side in it. What is no text stays as it is."""
    if not isinstance(value, bytes | bytearray | memoryview):
        return value
    raw = bytes(value)
    for code in ("utf-8", "gb18030"):
        with suppress(UnicodeDecodeError):
            text = raw.decode(code)
            if all(letter.isprintable() or letter in _WHITE for letter in text):
                return text
    return raw


class Postgres:
    """Error codes: postgresql.org/docs/current/errcodes-appendix.html."""

    can_explain = True

    def __init__(self) -> None:
        import psycopg

        self._psycopg = psycopg
        self.Error: type[BaseException] = psycopg.Error

    def connect(self, block: SqlBlock, zone: ZoneInfo) -> Any:
        seconds = max(int(block.timeout.total_seconds()), 1)
        options = f"-c statement_timeout={seconds * 1000} -c TimeZone={zone.key}"
        options += " -c DateStyle=ISO -c IntervalStyle=postgres"  # the driver reads no others
        if block.schema_:
            options += f" -c search_path={block.schema_}"
        made = self._psycopg.connect(
            host=block.host, port=block.door, dbname=block.database, user=block.user,
            password=block.password.get_secret_value() or None, options=options, connect_timeout=seconds,
            sslmode={"off": "prefer", "on": "require", "verified": "verify-full"}[block.tls],
            tcp_user_timeout=seconds * 1000, application_name="andon-hub", prepare_threshold=None,
            client_encoding="UTF8",
        )  # fmt: skip
        _lenient(made.adapters)
        if made.info.parameter_status("server_encoding") == "SQL_ASCII":
            # Such a server changes no letters but looks whether they are UTF-8: one row of others would end
            # the whole answer. So its text comes as it is, as bytes.
            made.execute("set client_encoding to SQL_ASCII")
            made.commit()
        return made

    def begin(self, connection: Any, *, write: bool) -> None:
        connection.read_only = not write

    def failure(self, cause: BaseException) -> tuple[Failure, str]:
        state = str(getattr(cause, "sqlstate", None) or "")
        diagnosis = getattr(cause, "diag", None)
        words = getattr(diagnosis, "message_primary", None) or str(cause)
        detail = getattr(diagnosis, "message_detail", None)
        said = f"{words} ({detail})" if detail else str(words)
        if isinstance(cause, self._psycopg.OperationalError) and not state:
            stranger = any(w in said for w in ("authentication failed", "does not exist", "no pg_hba.conf"))
            return (Failure.STRANGER if stranger else Failure.LOST), said
        if not state and isinstance(cause, self._psycopg.InterfaceError | self._psycopg.InternalError):
            return Failure.LOST, said  # the driver cannot make sense of what came back
        if state == "23505":
            return Failure.DUPLICATE, said
        if state[:2] == "28" or state == "3D000":
            return Failure.STRANGER, said
        if state[:2] == "08" or state in ("57P01", "57P02", "57P03", "XX000"):
            return Failure.LOST, said
        if state[:2] in ("40", "53") or state in ("55P03", "57014", "25006"):
            return (Failure.REFUSED if state == "25006" else Failure.BUSY), said
        return Failure.REFUSED, said

    def quoted(self, name: str) -> str:
        return ".".join(f'"{part}"' for part in name.split("."))

    def wants_zone(self, type_code: Any) -> bool:
        return False  # it is taken to be in the session's zone


class MySql:
    """MySQL and MariaDB by PyMySQL. Error numbers: dev.mysql.com/doc/mysql-errors."""

    can_explain = True
    _codes = _Codes(
        busy=frozenset({1040, 1203, 1205, 1213, 3024, 3572}),
        duplicate=frozenset({1062, 1586}),
        lost=frozenset({0, 1053, 1927, 2002, 2003, 2006, 2013, 2014, 2055}),
        stranger=frozenset({1044, 1045, 1049, 1130, 1698}),
    )

    def __init__(self) -> None:
        self._pymysql = _loaded("pymysql", "mysql")
        self.Error: type[BaseException] = self._pymysql.Error

    def connect(self, block: SqlBlock, zone: ZoneInfo) -> Any:
        seconds = max(int(block.timeout.total_seconds()), 1)
        import ssl

        tls = {} if block.tls == "off" else {"ssl": ssl.create_default_context()}
        if tls and block.tls == "on":
            tls["ssl"].check_hostname = False
            tls["ssl"].verify_mode = ssl.CERT_NONE
        kinds = self._pymysql.constants.FIELD_TYPE
        made = self._pymysql.connect(
            host=block.host, port=block.door, database=block.database, user=block.user,
            password=block.password.get_secret_value(), charset="utf8mb4", autocommit=False,
            connect_timeout=seconds, read_timeout=seconds, write_timeout=seconds, local_infile=False,
            client_flag=self._pymysql.constants.CLIENT.FOUND_ROWS,
            conv={**self._pymysql.converters.conversions, kinds.BIT: _bits}, **tls,
        )  # fmt: skip  # FOUND_ROWS: an update that changes nothing has found its row all the same
        self._set_zone(made, zone)
        return made

    def _set_zone(self, connection: Any, zone: ZoneInfo) -> None:
        """In which the session shows TIMESTAMP columns: by its name where the server has its tables of zones,
        else by the present offset, which a zone with summer time has for half a year."""
        with connection.cursor() as cursor:
            try:
                cursor.execute("set time_zone = %s", (zone.key,))
            except self._pymysql.Error:
                cursor.execute("select utc_timestamp()")
                now = cursor.fetchone()[0].replace(tzinfo=UTC).astimezone(zone)
                cursor.execute("set time_zone = %s", (now.isoformat()[-6:],))

    def begin(self, connection: Any, *, write: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute("start transaction" if write else "start transaction read only")

    def failure(self, cause: BaseException) -> tuple[Failure, str]:
        number = cause.args[0] if cause.args and isinstance(cause.args[0], int) else -1
        said = str(cause.args[1]) if len(cause.args) > 1 else str(cause)
        if number < 0 and isinstance(
            cause, self._pymysql.err.InternalError | self._pymysql.err.InterfaceError
        ):
            return Failure.LOST, said  # the driver cannot make sense of what came back
        return self._codes.failure(number), said

    def quoted(self, name: str) -> str:
        return ".".join(f"`{part}`" for part in name.split("."))

    def wants_zone(self, type_code: Any) -> bool:
        return False  # it is taken to be in the session's zone


def _bits(raw: bytes) -> int:
    """A BIT column, which many a MES uses for yes and no."""
    return int.from_bytes(raw)


_DATETIMEOFFSET = 43  # MS-TDS 2.2.5.4, DATETIMEOFFSETNTYPE


class SqlServer:
    """Microsoft SQL Server by python-tds. Error numbers: sys.messages."""

    can_explain = False
    _codes = _Codes(
        busy=frozenset({1204, 1205, 1222, 3960, 10928, 10929, 40501}),
        duplicate=frozenset({2601, 2627}),
        lost=frozenset({0, 596, 6005, 40197, 40613}),
        stranger=frozenset({4060, 18452, 18456}),
    )

    def __init__(self) -> None:
        self._pytds = _loaded("pytds", "mssql")
        self.Error: type[BaseException] = self._pytds.Error

    def connect(self, block: SqlBlock, zone: ZoneInfo) -> Any:
        seconds = max(int(block.timeout.total_seconds()), 1)
        tls: dict[str, Any] = {}
        if block.tls != "off":
            import certifi  # beside httpx, always

            tls = {"cafile": certifi.where(), "validate_host": block.tls == "verified"}
        return self._pytds.connect(
            dsn=block.host, port=block.door, database=block.database, user=block.user,
            password=block.password.get_secret_value(), timeout=seconds, login_timeout=seconds,
            autocommit=False, appname="andon-hub", **tls,
        )  # fmt: skip

    def begin(self, connection: Any, *, write: bool) -> None:
        """The driver begins one by itself."""

    def failure(self, cause: BaseException) -> tuple[Failure, str]:
        if isinstance(cause, self._pytds.LoginError):
            return Failure.STRANGER, str(cause)
        number = getattr(cause, "number", None)
        if not isinstance(number, int):
            return Failure.LOST, str(cause)
        return self._codes.failure(number), str(cause)

    def quoted(self, name: str) -> str:
        return ".".join(f"[{part}]" for part in name.split("."))

    def wants_zone(self, type_code: Any) -> bool:
        return bool(type_code == _DATETIMEOFFSET)
