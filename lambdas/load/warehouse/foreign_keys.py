"""Foreign keys of an empty table of ours: checked once for all rows that come, not row by row.

A million rows with nine foreign keys take half a minute row by row, and two seconds as a set. The keys are taken off and put back
in one transaction. To take one off locks both tables against readers, so it is done only where the table is empty: elsewhere
readers would wait for as long as the rows come, and the whole table would be checked again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors, sql

#: Name and definition of a foreign key; schema and name of the table that it refers to.
Key = tuple[str, str, tuple[str, str]]
#: How often, and with which pause in seconds, the tables are looked at for a moment in which nobody uses them.
TRIES, PAUSE = 20, 0.1

_MAY = (
    "select pg_has_role(c.relowner, 'USAGE') and c.relkind = 'r' and not c.relispartition and not c.relhassubclass "
    "and not exists (select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) "
    "from pg_class c where c.oid = to_regclass(%s)"
)
#: Each key, whether it comes back as it was, and the table that it refers to.
_KEYS = (
    "select k.conname, pg_get_constraintdef(k.oid), n.nspname, r.relname, k.convalidated and not k.condeferrable "
    "and r.relkind = 'r' and has_table_privilege(r.oid, 'REFERENCES') and has_table_privilege(r.oid, 'UPDATE') "
    "and obj_description(k.oid, 'pg_constraint') is null "
    "from pg_constraint k join pg_class r on r.oid = k.confrelid join pg_namespace n on n.oid = r.relnamespace "
    "where k.contype = 'f' and k.conrelid = to_regclass(%s) order by k.oid"
)


@contextmanager
def checked_once(connection: psycopg.Connection[Any], table: sql.Identifier) -> Iterator[bool]:
    """Take the foreign keys of `table` off, and put the same back when the rows are there; within a transaction.

    Nothing changes where the table has rows, is somebody else's or in use, or has keys that would not come back as they were:
    the server then checks row by row. A transaction that is rolled back leaves the keys as they were.

    Yields
    ------
    bool
        Whether they are off.
    """
    keys = _keys(connection, table)
    is_off = bool(keys) and _take_off(connection, table, keys)
    yield is_off
    if is_off:
        back = (sql.SQL("add constraint {} {}").format(sql.Identifier(name), sql.SQL(said)) for name, said, _ in keys)
        connection.execute(sql.SQL("alter table {} {}").format(table, sql.SQL(", ").join(back)))


def _keys(connection: psycopg.Connection[Any], table: sql.Identifier) -> list[Key]:
    """Return name, definition and target of each foreign key; none where they must stay."""
    name = (table.as_string(connection),)
    may = connection.execute(_MAY, name).fetchone()
    if not may or not may[0] or connection.execute(sql.SQL("select 1 from {} limit 1").format(table)).fetchone():
        return []
    found = connection.execute(_KEYS, name).fetchall()
    if not all(comes_back for *_, comes_back in found):
        return []
    return [(key, definition, (schema, target)) for key, definition, schema, target, _ in found]


def _take_off(connection: psycopg.Connection[Any], table: sql.Identifier, keys: list[Key]) -> bool:
    """Take them off when nobody uses the tables; a reader who holds one and wants another would be a deadlock."""
    targets = dict.fromkeys(target for _, _, target in keys)
    tables = sql.SQL(", ").join([table, *(sql.Identifier(*target) for target in targets)])
    off = sql.SQL(", ").join(sql.SQL("drop constraint {}").format(sql.Identifier(name)) for name, _, _ in keys)
    for _ in range(TRIES):
        try:
            with connection.transaction():
                connection.execute(sql.SQL("lock table {} in access exclusive mode nowait").format(tables))
                connection.execute(sql.SQL("alter table {} {}").format(table, off))
                return True
        except errors.LockNotAvailable:
            time.sleep(PAUSE)
        except errors.ObjectInUse:  # a deferred trigger of somebody else's waits for the commit
            return False
    return False
