"""SQL of the load: bringing staged rows in, and counting what is current."""

from collections.abc import Iterable, Sequence

from psycopg import sql

from contracts.checksum import mix_sql
from contracts.tables.lake import LINEAGE, SOURCE_DELETION
from contracts.tables.star import DIM_DATE
from contracts.tables.table import Kind, StarTable
from contracts.tables.types import DATE
from lambdas.load.warehouse.naming import BATCH_TABLE, Naming
from lambdas.load.warehouse.views import WarehouseSql

#: Ranges of keys, ends included.
Ranges = Sequence[Sequence[int]]


def names(columns: Iterable[str], table: str = "") -> sql.Composed:
    """Return columns with commas between them, of `table` where one is given."""
    return sql.SQL(", ").join(sql.Identifier(table, c) if table else sql.Identifier(c) for c in columns)


def stage(name: str, columns: Iterable[str], target: sql.Composable) -> sql.Composed:
    """Return the statement that creates a temporary table with some of another's columns."""
    return sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
        sql.Identifier(name), names(columns), target
    )


def upsert(table: StarTable, naming: Naming, staged: sql.Composable) -> sql.Composed:
    """Return the statement that inserts a dimension's rows, or changes those that differ."""
    others = [c for c in table.column_names if c != table.key]
    return sql.SQL(
        "insert into {target} as t ({columns}) overriding system value select {columns} from {stage} "
        "on conflict ({key}) do update set {sets} where ({old}) is distinct from ({new})"
    ).format(
        target=naming.table(table),
        stage=staged,
        columns=names(table.column_names),
        key=sql.Identifier(table.key),
        sets=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(c)) for c in others),
        old=names(others, "t"),
        new=names(others, "excluded"),
    )


def delete_others(table: StarTable, naming: Naming, staged: sql.Composable) -> sql.Composed:
    """Return the statement that deletes rows of which `staged` has no equal."""
    return sql.SQL(
        "delete from {target} t where not exists (select 1 from {stage} s where s.{key} = t.{key} "
        "and ({new}) is not distinct from ({old}))"
    ).format(
        target=naming.table(table),
        stage=staged,
        key=sql.Identifier(table.primary_key),
        new=names(table.column_names, "s"),
        old=names(table.column_names, "t"),
    )


def delete_keys(table: StarTable, naming: Naming, staged: sql.Composable) -> sql.Composed:
    """Return the statement that deletes rows whose key `staged` does not have."""
    return sql.SQL("delete from {target} t where not exists (select 1 from {stage} s where s.{key} = t.{key})").format(
        target=naming.table(table), stage=staged, key=sql.Identifier(table.primary_key)
    )


def insert(table: StarTable, naming: Naming, staged: sql.Composable) -> sql.Composed:
    """Return the statement that inserts the rows of another table."""
    return sql.SQL("insert into {target} ({columns}) overriding system value select {columns} from {stage}").format(
        target=naming.table(table), columns=names(table.column_names), stage=staged
    )


def insert_missing(table: StarTable, naming: Naming, staged: sql.Composable) -> sql.Composed:
    """Return the statement that inserts the rows whose key the table does not have."""
    return sql.SQL(
        "insert into {target} ({columns}) overriding system value select {columns} from {stage} s "
        "where not exists (select 1 from {target} t where t.{key} = s.{key})"
    ).format(
        target=naming.table(table),
        columns=names(table.column_names),
        stage=staged,
        key=sql.Identifier(table.primary_key),
    )


def differing_keys(table: StarTable, naming: Naming, staged: sql.Composable) -> sql.Composed:
    """Return the query of the keys, as ``key``, whose rows are not those of `staged`, however many each has."""
    rows = {"live": naming.table(table), "stage": staged, "columns": names(table.column_names)}
    return sql.SQL(
        "select {key} as key from (select {columns} from {live} except all select {columns} from {stage}) gone union "
        "select {key} from (select {columns} from {stage} except all select {columns} from {live}) come"
    ).format(key=sql.Identifier(table.key), **rows)


def key(table: StarTable, alias: str) -> sql.Composed:
    """Return a table's key as the integer that checksums are made of: of a day, days since 1970."""
    column = sql.Identifier(alias, table.key)
    if table.column(table.key).type == DATE:
        return sql.SQL("({} - date '1970-01-01')").format(column)
    return sql.SQL("{}").format(column)


def summed(alias: str) -> sql.SQL:
    """Return how many rows of a query with the column ``key`` there are, and their checksum."""
    return sql.SQL(f"count(*), coalesce(sum({mix_sql(f'{alias}.key')}), 0)")  # an alias of ours


def current_keys(table: StarTable, naming: Naming, known: Ranges) -> sql.Composed:
    """Return the query of the keys that the warehouse shows as current, as ``key``.

    Days outside the `known` ranges are left out: somebody may have prepared a longer calendar.
    """
    if table == DIM_DATE:
        return sql.SQL("select k.key from (select {} as key from {} t) k where {}").format(
            key(table, "t"), naming.table(table), among(known)
        )
    return sql.SQL("select c.{} as key from ({}) c").format(
        sql.Identifier(table.key), sql.SQL(WarehouseSql(naming).current(table, [table.key]))
    )


def among(known: Ranges) -> sql.Composable:
    """Return the condition that ``k.key`` lies in one of the ranges."""
    if not known:
        return sql.SQL("false")
    inside = (sql.SQL("k.key between {} and {}").format(*map(sql.Literal, ends)) for ends in known)
    return sql.SQL("({})").format(sql.SQL(" or ").join(inside))


def missing_keys(known: Ranges, present: sql.Composable, limit: int) -> sql.Composed:
    """Return the query of the first keys of the `known` ranges that the query `present` lacks, as ``key``.

    Only gaps are looked into, and not far, so that keys may lie as far apart as integers can.
    """
    ranges = sql.SQL(", ").join(sql.SQL("({}::bigint, {}::bigint)").format(*map(sql.Literal, ends)) for ends in known)
    return sql.SQL(
        "select g.key from (values {ranges}) r(low, high) cross join lateral (select key, lead(key) over (order by key) as next "
        "from (select low - 1 as key union all select high + 1 union all select p.key::bigint from ({present}) p "
        "where p.key between low and high) found) gap "
        "cross join lateral generate_series(gap.key + 1, least(gap.next - 1, gap.key + {limit})) g(key) "
        "where gap.next > gap.key + 1 order by g.key limit {limit}"
    ).format(ranges=ranges, present=present, limit=sql.Literal(limit))


def new_keys(table: StarTable, naming: Naming, rows: sql.Composable, first_record_id: int) -> sql.Composed:
    """Return the query of the keys, as ``key``, that `rows` brings and that were not current before.

    Parameters
    ----------
    rows
        Of a dimension a table of its staged rows, which are not written yet; of a fact its own table.
    first_record_id
        Of a fact: the first record of the batch.
    """
    if table.kind is Kind.FACT:
        return sql.SQL(
            "select n.{key} as key from {table} n where n.{record} >= {first} and not exists (select 1 from {table} o "
            "where o.{key} = n.{key} and o.{record} < {first} and {shown})"
        ).format(
            key=sql.Identifier(table.key),
            record=sql.Identifier(table.record_id),
            table=rows,
            first=sql.Literal(first_record_id),
            shown=sql.SQL(WarehouseSql(naming).not_deleted(table, "o")),
        )
    shown = sql.SQL(WarehouseSql(naming).not_deleted(table, "t"))
    return sql.SQL(
        "select {value} as key from {stage} n where not exists (select 1 from {table} t where t.{key} = n.{key} and {shown})"
    ).format(value=key(table, "n"), stage=rows, table=naming.table(table), key=sql.Identifier(table.key), shown=shown)


def undelete(table: StarTable, naming: Naming, staged: sql.Composable) -> sql.Composed:
    """Return the statement that forgets the deletion of a dimension's rows that came back."""
    return sql.SQL("delete from {} d using {} s where d.source_table = {} and d.source_key = s.{}").format(
        naming.table(SOURCE_DELETION), staged, sql.Literal(table.source), sql.Identifier(table.key)
    )


def rebuilt_deletions(table: StarTable, naming: Naming) -> sql.Composed:
    """Return the statement that takes a source table's deletions from what a rebuild has filled.

    Of a fact, a deletion ends the versions before it; of a dimension, it counts until the key comes back.
    """
    batch = sql.Identifier(LINEAGE[0].name)
    last: sql.Composable = sql.SQL("0")
    condition: sql.Composable = sql.SQL(
        "not exists (select 1 from {} r where r.{} = d.source_key and r.{batch} > d.{batch})"
    ).format(naming.rebuilt(table), sql.Identifier(table.key), batch=batch)
    if table.kind is Kind.FACT:
        last = sql.SQL(
            "coalesce((select max(t.last_record_id) from {} t where t.table_name = {} and t.batch <= d.{}), 0)"
        ).format(naming.own(BATCH_TABLE), sql.Literal(table.name), batch)
        condition = sql.SQL("true")
    return sql.SQL(
        "insert into {} (source_table, source_key, batch, deleted_at, last_record_id) "
        "select d.source_table, d.source_key, d.{}, d.deleted_at, {} from {} d where d.source_table = {} and {}"
    ).format(
        naming.table(SOURCE_DELETION),
        batch,
        last,
        naming.rebuilt(SOURCE_DELETION),
        sql.Literal(table.source),
        condition,
    )
