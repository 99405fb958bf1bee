"""Dimensions, and as many sales orders as wanted, in data files of a fake lake; what `bench.load` measures with."""

from dataclasses import replace

import duckdb
import psycopg

from bench.load import DIMENSIONS, FACT, FILE_ROWS, ORDERS
from contracts.checksum import mix_sql
from contracts.protocol.publication import EMPTY, DataFile
from contracts.tables.star import STAR_TABLES


def publish_dimensions(lake, directory):
    """Publish a batch of what orders refer to."""
    tables = {name: _table(lake, name, [select], directory) for name, select in DIMENSIONS.items()}
    lake.current["dim_date"] = {
        day for (day,) in duckdb.sql(f"select date_id from ({DIMENSIONS['dim_date']})").fetchall()
    }
    lake.publish({}, **tables)


def publish_orders(lake, rows, directory):
    """Publish a batch of orders, in two files at least."""
    size = min(FILE_ROWS, -(-rows // 2))
    selects = [ORDERS.format(low=low, high=min(low + size, rows + 1)) for low in range(1, rows + 1, size)]
    lake.publish({}, **{FACT: replace(_table(lake, FACT, selects, directory), last_record_id=rows)})


def _table(lake, name, selects, directory):
    key, files = STAR_TABLES[name].key, []
    number = f"({key} - date '1970-01-01')" if name == "dim_date" else key
    for part, select in enumerate(selects):
        file = directory / "part.parquet"
        duckdb.sql(
            f"copy (select *, {lake.batch + 1}::int as batch_id from ({select})) to '{file}' "
            f"(format parquet, compression zstd, row_group_size 10240)"
        )
        path = f"star/{name}/data/{lake.batch + 1}-{part}.parquet"
        lake.put(lake.pipeline.processed, path, file.read_bytes())
        files.append(
            DataFile(path, file.stat().st_size, duckdb.sql(f"select count(*) from ({select})").fetchall()[0][0])
        )
    whole = " union all ".join(f"select {number} as n from ({select})" for select in selects)
    count, checksum, lowest, highest = duckdb.sql(
        f"select count(*), sum({mix_sql('n')}), min(n), max(n) from ({whole})"
    ).fetchall()[0]
    return replace(
        EMPTY,
        snapshot_id="1",
        files=tuple(files),
        inserted=count,
        current_keys=count,
        key_checksum=int(checksum),
        lowest_key=lowest,
        highest_key=highest,
    )


def star_digest(url):
    """For each star table, how many rows it has, and a number that follows from all of them, in whatever order."""
    with psycopg.connect(url) as connection:
        return {
            name: connection.execute(
                f"select count(*), sum(hashtextextended(t::text, 0)::numeric) from {name} t"
            ).fetchone()
            for name in STAR_TABLES
        }
