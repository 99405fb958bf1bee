"""The lake against what it must hold."""

from collections import Counter, defaultdict
from datetime import date

import pyarrow.parquet as pq

from contracts.protocol.progress import newest_listing, newest_load_number, publications_after
from contracts.tables.star import STAR_TABLES
from tests.spark.model.expected import FACTS

EPOCH = date(1970, 1, 1)
VALUES = {"sales_order": "units_sold", "payment": "paid"}


def same(what, found, expected):
    """Fail by saying what differs."""
    if isinstance(expected, dict):
        keys = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
        assert not keys, f"{what}: {[(key, found.get(key), expected.get(key)) for key in sorted(keys)[:5]]}"
    assert found == expected, f"{what}: {sorted(found - expected)[:5]} too many, {sorted(expected - found)[:5]} missing"


def lake(stage, expected):
    """Everything that is pending is published, and the lake holds it and nothing else."""
    published = stage.published()
    assert published.batch == stage.whole, f"publications: {published.batch} is the newest, {stage.whole} is whole"
    for name, column in VALUES.items():
        _fact(stage, expected, name, column)
    transactions = Counter(row["transaction_id"] for row in stage.table("dim_transaction"))
    same("dim_transaction", transactions, dict.fromkeys(expected.written("transaction", stage.whole), 1))
    held = {(r["source_table"], r["source_key"]) for r in stage.table("quarantine") if r["closed_batch"] is None}
    same("quarantine", held, {(name, key) for name, keys in expected.held.items() for key in keys})
    same("quarantine_row", {(r["source_table"], r["source_key"]) for r in stage.table("quarantine_row")}, held)
    deleted = {
        (r["source_table"], r["source_key"]): r["batch_id"]
        for r in sorted(stage.table("source_deletion"), key=lambda r: r["batch_id"])
    }
    batches = {(name, key): batch for name, keys in expected.deleted.items() for key, batch in keys.items() if batch}
    same("source_deletion", deleted, batches)
    days = [(row["date_id"] - EPOCH).days for row in stage.table("dim_date")]
    assert len(days) == len(set(days)), "dim_date: a day stands twice"
    same("dim_date", set(days), expected.days())
    same("calendar", {day for first, last in published.calendar for day in range(first, last + 1)}, set(days))


def _fact(stage, expected, name, column):
    star, found = STAR_TABLES[FACTS[name]], defaultdict(list)
    for row in sorted(stage.table(star.name), key=lambda r: r[star.record_id]):
        value = row[column] if name == "sales_order" else "t" if row[column] else "f"
        found[row[star.key]].append((row["batch_id"], str(value)))
    versions = {
        key: [(batch, row[column]) for batch, row in versions]
        for key, versions in expected.written(name, stage.whole).items()
    }
    same(star.name, found, versions)


def waiting_files(stage):
    """Every file of a publication that no load has confirmed is there, with the rows that it promises."""
    for publication in publications_after(stage.processed, newest_load_number(stage.processed)):
        for name, table in publication.tables.items():
            for file in table.files:
                path = stage.file(file.key)
                assert path.exists(), f"batch {publication.batch}, table {name}: {file.key} is gone"
                assert pq.read_metadata(path).num_rows == file.rows


def listing(stage, expected):
    """Every file that is listed exists, and together they hold exactly what is published."""
    listed = newest_listing(stage.processed)
    published = stage.published()
    assert (listed.batch, listed.lake) == (published.batch, published.lake), "the listing is of another batch"
    for name, star_name in FACTS.items():
        star, found = STAR_TABLES[star_name], defaultdict(list)
        for file in listed.tables[star_name]:
            rows = pq.read_table(stage.file(file.key), columns=[star.key, "batch_id"], partitioning=None)
            assert rows.num_rows == file.rows
            for row in rows.to_pylist():
                found[row[star.key]].append(row["batch_id"])
        versions = expected.written(name, listed.batch)
        batches = {key: [batch for batch, _ in those] for key, those in versions.items()}
        batches = batches if star.record_id else {key: those[-1:] for key, those in batches.items()}
        same(f"listed {star_name}", {key: sorted(those) for key, those in found.items()}, batches)
