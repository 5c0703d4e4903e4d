"""INSERT and UPDATE spelled from lists of columns that stand in the code; values are always parameters."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql


def insert(table: str, columns: Sequence[str], rest: str = "") -> sql.Composed:
    """`rest` is SQL of ours that follows the values: ON CONFLICT, RETURNING."""
    return sql.SQL("insert into {} ({}) values ({}) {}").format(
        sql.Identifier(table),
        _names(columns),
        _places(columns),
        sql.SQL(rest),
    )


def upsert(table: str, key: Sequence[str], columns: Sequence[str]) -> sql.Composed:
    """A row that is there already is written again only when it differs; then no row counts as touched."""
    others = [c for c in columns if c not in key]
    return sql.SQL(
        "insert into {table} as old ({names}) values ({places}) on conflict ({key}) do update set {sets} "
        "where ({old}) is distinct from ({new})"
    ).format(
        table=sql.Identifier(table),
        names=_names(columns),
        places=_places(columns),
        key=_names(key),
        sets=sql.SQL(", ").join(
            sql.SQL("{} = excluded.{}").format(sql.Identifier(c), sql.Identifier(c)) for c in others
        ),
        old=sql.SQL(", ").join(sql.Identifier("old", c) for c in others),
        new=sql.SQL(", ").join(sql.Identifier("excluded", c) for c in others),
    )


def update(table: str, key: str, columns: Sequence[str]) -> sql.Composed:
    sets = (sql.SQL("{} = {}").format(sql.Identifier(c), sql.Placeholder(c)) for c in columns)
    return sql.SQL("update {} set {} where {} = {}").format(
        sql.Identifier(table), sql.SQL(", ").join(sets), sql.Identifier(key), sql.Placeholder(key)
    )


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _places(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Placeholder, columns))
