"""One connection to a database and its transactions, used by one thread at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from erp_bridge.bystanders import CREDENTIALS_PAUSE
from erp_bridge.generic_answers import Duplicate, NotThere
from hub import sql_text as statements
from hub.databases import Driver, Failure, SqlBlock, letters
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")


def rows_of(
    connection: Any, texts: Sequence[str], values: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], int]:
    """(rows of the last statement, how many it touched)."""
    rows: list[dict[str, Any]] = []
    touched = -1
    cursor = connection.cursor()
    try:
        for text in texts:
            statement, used = statements.bound(text, values)
            cursor.execute(statement, used)
            rows, touched = [], cursor.rowcount
            if cursor.description:
                names = [column[0] for column in cursor.description]
                rows = [dict(zip(names, map(_told, row), strict=True)) for row in cursor.fetchall()]
    finally:
        cursor.close()
    return rows, touched


class Session:
    """A connection that died while idle is noticed before it is trusted with a write."""

    def __init__(self, driver: Driver, block: SqlBlock, name: str, zone: ZoneInfo) -> None:
        self._driver = driver
        self._block = block
        self._name = name
        self._zone = zone
        self._connection: Any = None

    def run(self, name: str, work: Callable[[Any], T], write: bool) -> T:
        """`work` in one transaction. Raises ErpUnavailable, `in_doubt` when a write may have been done, and
        ErpRefused in the database's own words."""
        committing = False
        connection = self._open()
        try:
            self._driver.begin(connection, write=write)
            result = work(connection)
            committing = True
            connection.commit()
        except self._driver.Error as cause:
            raise self._complaint(name, cause, in_doubt=write, committing=committing) from None
        except NotThere:
            connection.rollback()
            raise
        except (OSError, TypeError, ValueError, IndexError, AttributeError) as cause:
            # what drivers raise when the other side speaks in riddles
            self.let_go()
            text = f"{self._name} did not answer {name}: {type(cause).__name__}"
            raise ErpUnavailable(text, in_doubt=write) from None
        return result

    def let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except (self._driver.Error, OSError):
            log.debug("the connection to %s was gone already", self._name)

    def _open(self) -> Any:
        if self._connection is not None and self._lives(self._connection):
            return self._connection
        self.let_go()
        try:
            self._connection = self._driver.connect(self._block, self._zone)
        except (self._driver.Error, OSError) as cause:
            kind, _ = self._driver.failure(cause)
            if kind is Failure.STRANGER:
                text = (
                    f"{self._name} does not accept who we say we are; check sql.user, password and database"
                )
                raise ErpUnavailable(text, CREDENTIALS_PAUSE) from None
            text = f"{self._name} cannot be reached: {type(cause).__name__}; check sql.host and sql.port"
            raise ErpUnavailable(text) from None
        return self._connection

    def _lives(self, connection: Any) -> bool:
        try:
            rows_of(connection, ["select 1"], {})
            connection.rollback()
        except (self._driver.Error, OSError):
            return False
        return True

    def _complaint(self, name: str, cause: BaseException, *, in_doubt: bool, committing: bool) -> Exception:
        kind, said = self._driver.failure(cause)
        said = " ".join(said.split())[:400]
        text = f"{self._name} refused {name}: {said}"
        if kind in (Failure.LOST, Failure.STRANGER) or committing:
            self.let_go()
            return ErpUnavailable(f"{self._name} did not finish {name}: {said}", in_doubt=in_doubt)
        try:
            self._connection.rollback()
        except (self._driver.Error, OSError):
            self.let_go()
        if kind is Failure.BUSY:
            return ErpUnavailable(text)
        return Duplicate(text) if kind is Failure.DUPLICATE else ErpRefused(text)


def _told(value: Any) -> Any:
    """What a map can work with: identifiers, times of day and the like are their words, bytes the text that
    they are or nothing."""
    value = letters(value)
    known = value is None or isinstance(value, str | int | float | Decimal | date | timedelta | list | dict)
    return value if known else None if isinstance(value, bytes) else str(value)
