"""Databases by others: what their sessions are told, as seen on a MariaDB 10.11."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pymysql
import pytest

from erp_bridge.generic_session import rows_of
from hub.databases import MySql, SqlBlock

BLOCK = SqlBlock.model_validate({"driver": "mysql", "host": "mes", "database": "mes", "user": "hub"})


class Session:
    """As a server answers that has its tables of time zones, or has not (error 1298)."""

    def __init__(self, *, knows_names: bool) -> None:
        self._knows_names, self.zone = knows_names, ""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None: ...

    def cursor(self) -> Session:
        return self

    def execute(self, statement: str, values: tuple[str, ...] = ()) -> None:
        if not statement.startswith("set time_zone"):
            assert statement == "select utc_timestamp()"
            return
        if "/" in values[0] and not self._knows_names:
            raise pymysql.err.OperationalError(1298, f"Unknown or incorrect time zone: '{values[0]}'")
        self.zone = values[0]

    def fetchone(self) -> tuple[datetime]:
        return (datetime(2026, 1, 5, 9, 0),)  # noqa: DTZ001  as the driver gives it


@pytest.mark.parametrize(
    ("knows_names", "zone", "told"),
    [
        (True, "Asia/Shanghai", "Asia/Shanghai"), (False, "Asia/Shanghai", "+08:00"),
        (False, "America/St_Johns", "-03:30"),
    ],
)  # fmt: skip
def test_times_with_a_zone_are_shown_in_the_one_that_is_configured(
    monkeypatch: pytest.MonkeyPatch, knows_names: bool, zone: str, told: str
) -> None:
    """TIMESTAMP columns come in the session's zone, without naming it; the server's own is often UTC."""
    session, given = Session(knows_names=knows_names), dict[str, Any]()

    def connect(**settings: Any) -> Session:
        given.update(settings)
        return session

    monkeypatch.setattr(pymysql, "connect", connect)
    assert MySql().connect(BLOCK, ZoneInfo(zone)) is session
    assert session.zone == told
    yes_or_no = given["conv"][pymysql.constants.FIELD_TYPE.BIT]
    assert (yes_or_no(b"\x01"), yes_or_no(b"\x00")) == (1, 0)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("李".encode(), "李"),
        ("李".encode("gb18030"), "李"),
        (b"\x00\x07\xd1", None),
        (b"", ""),
        (b"\xff", None),
    ],
)
def test_bytes_of_an_erps_database_are_the_text_that_they_are(raw: bytes, told: str | None) -> None:
    """As a database without an encoding gives them, and BINARY columns."""

    class Line(Session):
        description, rowcount = (("name",),), 1

        def execute(self, statement: str, values: Any = ()) -> None: ...
        def fetchall(self) -> list[tuple[bytes]]:
            return [(raw,)]

        def close(self) -> None: ...

    rows, _ = rows_of(Line(knows_names=True), ["select name from item"], {})
    assert rows == [{"name": told}]
