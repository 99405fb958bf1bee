"""The source's system catalog: what its tables are, beside their rows."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from contracts.protocol.manifest import Shape
from contracts.tables.source import IGNORED_TABLES

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class ColumnFound:
    """A column as the source's catalog describes it; `type` is normalised, see `normalise_type`."""

    name: str
    type: str
    is_key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the catalog describes it.

    Attributes
    ----------
    columns
        Its columns by name.
    shape
        What decides about its content beside its rows.
    hides_rows
        Whether a row-level security policy decides which rows the login may see.
    """

    shape: Shape
    columns: dict[str, ColumnFound] = field(default_factory=dict)
    hides_rows: bool = False


_COLUMNS = sql.SQL(
    "select c.oid::bigint, c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), t.typtype = 'e', "
    "coalesce(a.attnum = any(i.indkey) and i.indnkeyatts = 1, false), "
    "(select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_enum e "
    "where e.enumtypid in (t.oid, t.typelem, t.typbasetype)), "
    "case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end "
    "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
    "join pg_type t on t.oid = a.atttypid left join pg_index i on i.indrelid = c.oid and i.indisprimary "
    "left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum "
    "where n.nspname = %s and c.relkind in ('r', 'p') order by c.relname, a.attnum"
)
#: Every table of the schema with all that inherit from it, itself included.
_TREE = sql.SQL(
    "with recursive tree (root, oid) as (select c.oid, c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname = %s and c.relkind in ('r', 'p') "
    "union select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid) "
)
_CHILDREN = _TREE + sql.SQL(
    "select root::bigint, coalesce(array_agg(oid::bigint order by oid) filter (where oid <> root), '{}'), "
    "row_security_active(root) from tree group by root"
)
# pg_class is read as the snapshot saw it; the function looks at what is there now.
_MOVED = _TREE + sql.SQL(
    "select distinct r.relname from tree join pg_class c on c.oid = tree.oid join pg_class r on r.oid = tree.root "
    "where r.relname = any(%s) and c.relfilenode is distinct from coalesce(pg_relation_filenode(c.oid), 0::oid) order by 1"
)


def read_catalog(connection: Connection, schema: str) -> dict[str, Relation]:
    """Return every table of `schema` by name."""
    beside = {oid: (tuple(children), hides) for oid, children, hides in connection.execute(_CHILDREN, (schema,))}
    columns: dict[str, dict[str, ColumnFound]] = {}
    texts: dict[str, list[str]] = {}
    oids: dict[str, int] = {}
    for oid, table, number, name, type_name, is_enum, is_key, labels, expression in connection.execute(
        _COLUMNS, (schema,)
    ):
        if table not in IGNORED_TABLES:
            oids[table] = oid
            kind = "enum" if is_enum else normalise_type(type_name)
            columns.setdefault(table, {})[name] = ColumnFound(name, kind, is_key)
            further = f" ({labels})" if labels else ""
            further += f" generated as {expression}" if expression else ""
            texts.setdefault(table, []).append(f"{number} {name} {type_name}{further}")
    found = {}
    for table, oid in oids.items():
        children, hides_rows = beside.get(oid, ((), False))
        found[table] = Relation(Shape(oid, tuple(texts[table]), children), columns[table], hides_rows)
    return found


def moved_tables(connection: Connection, schema: str, tables: Collection[str]) -> list[str]:
    """Return those of `tables` that are not any more what the transaction's snapshot saw.

    A table that was truncated or rewritten after the snapshot reads as empty: these commands are not MVCC-safe (PostgreSQL
    manual, "Caveats" of concurrency control). Once a table has been read, it is locked and stays until the transaction ends.
    """
    return [name for (name,) in connection.execute(_MOVED, (schema, list(tables)))]


def normalise_type(type_name: str) -> str:
    """Drop a length or precision that does not limit the values as the contract sees them.

    Examples
    --------
    >>> normalise_type("character varying(3)"), normalise_type("numeric(10,2)")
    ('character varying', 'numeric(10,2)')
    """
    return type_name if type_name.startswith("numeric") else re.sub(r"\(\d+\)", "", type_name)
