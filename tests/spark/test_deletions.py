"""G6: what the source deletes leaves the current state, its history stays, and what comes back is current again."""

import pytest
from pyspark.sql import functions as F

from contracts.protocol.object_layout import manifest_key, publication_key
from glue_jobs.errors import LakeReconciliationError


def _delete_order(connection, key):
    """Delete a sale with its transaction and payment; returns the rows, to bring them back."""
    rows = []
    (transaction,) = connection.execute(
        "select transaction_id from transaction where sales_order_id = %s", (key,)
    ).fetchone()
    for table, column, value in (
        ("payment", "transaction_id", transaction),
        ("transaction", "transaction_id", transaction),
        ("sales_order", "sales_order_id", key),
    ):
        found = connection.execute(f"delete from {table} where {column} = %s returning *", (value,)).fetchone()
        rows.insert(0, (table, found))
    return rows


def _restore(connection, rows):
    for table, row in rows:
        connection.execute(f"insert into {table} values ({', '.join(['%s'] * len(row))})", row)


@pytest.mark.parametrize("small_rows", [20_000, 0], ids=["small", "bulk"])
def test_g6_a_deletion_that_nothing_else_accompanies_is_found_by_the_next_extraction(
    pipeline, spark, monkeypatch, small_rows
):
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", small_rows)
    pipeline.run(spark)
    with pipeline.source() as connection:
        rows = _delete_order(connection, 5)
    assert pipeline.run(spark) == 2
    manifest = pipeline.document(pipeline.ingestion, manifest_key(2))
    listed = {name for name, table in manifest["tables"].items() if table["key_parts"] is not None}
    assert listed == {"sales_order", "transaction", "payment"}
    pipeline.assert_equal()
    history = (
        "select is_current, valid_to is null from history_sales_order where sales_order_id = 5 order by sales_record_id"
    )
    assert pipeline.warehouse(history) == [(False, False)]
    lake = pipeline.lake(spark)
    assert {(r["source_table"], r["batch_id"]) for r in lake("source_deletion").collect()} == {
        (name, 2) for name in ("sales_order", "transaction", "payment")
    }
    with pipeline.source() as connection:  # it comes back, with the same content
        _restore(connection, rows)
    assert pipeline.run(spark) == 3
    pipeline.assert_equal()
    assert pipeline.warehouse(history) == [(False, False), (True, True)]
    tables = pipeline.document(pipeline.processed, publication_key(3))["tables"]
    for name, key in (("dim_transaction", "transaction_id"), ("dim_design", "design_id")):
        assert lake(name).groupBy(key).count().where("count > 1").count() == 0  # its old row gives way
    assert [(tables[n]["inserted"], tables[n]["updated"]) for n in ("fact_sales_order", "dim_transaction")] == [
        (1, 0),
        (1, 0),
    ]
    with pipeline.source() as connection:
        _delete_order(connection, 5)
    pipeline.run(spark)
    pipeline.assert_equal()


@pytest.mark.parametrize("small_rows", [20_000, 0], ids=["small", "bulk"])
def test_g6_a_deletion_among_insertions_asks_for_the_key_list(pipeline, spark, monkeypatch, small_rows):
    monkeypatch.setattr("glue_jobs.versions.by_lookup.SMALL_ROWS", small_rows)
    from local.simulator.day import business_day

    pipeline.run(spark)
    with pipeline.source() as connection:
        _delete_order(connection, 5)
        business_day(connection)
    pipeline.run(spark)
    tables = pipeline.document(pipeline.processed, publication_key(2))["tables"]
    wanted = ["dim_transaction", "fact_payment", "fact_sales_order"]
    assert sorted(name for name, table in tables.items() if table["surplus"]) == wanted
    outcome = pipeline.load()
    assert outcome["keys_wanted"] == ["payment", "sales_order", "transaction"]
    assert pipeline.extract(keys=outcome["keys_wanted"])["batch"] == 3
    assert pipeline.load()["keys_wanted"] == []  # the lists are on their way
    pipeline.transform(spark)
    assert pipeline.load()["keys_wanted"] == []
    pipeline.assert_equal()


def test_g5_a_key_list_that_does_not_explain_the_difference_fails_the_run(pipeline, spark):
    import json

    pipeline.run(spark)
    pipeline.extract(keys="all")
    manifest = pipeline.document(pipeline.ingestion, manifest_key(2))
    manifest["tables"]["payment"]["source_key_checksum"] += 1
    pipeline.s3.delete_object(Bucket=pipeline.ingestion, Key=manifest_key(2))
    pipeline.s3.put_object(Bucket=pipeline.ingestion, Key=manifest_key(2), Body=json.dumps(manifest))
    with pytest.raises(LakeReconciliationError, match="fact_payment"):
        pipeline.transform(spark)
    assert publication_key(2) not in pipeline.keys(pipeline.processed)


def test_g6_history_of_dimensions_is_contiguous_and_knows_deletions_and_returns(pipeline, spark):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute("insert into design select 900, now(), 'New', '/a', 'a.json', now()")
    pipeline.run(spark)
    for change in (
        "update design set file_location = '/b' where design_id = 900",
        "delete from design where design_id = 900",
        "insert into design select 900, now(), 'New', '/b', 'a.json', now()",
        "update department set department_name = 'North' where department_id = 1",
    ):
        with pipeline.source() as connection:
            connection.execute(change)
        pipeline.run(spark)
    lake = pipeline.lake(spark)
    versions = lake("dim_design_history").where("design_id = 900").orderBy("valid_from").collect()
    assert [(v["file_location"], v["is_current"], v["valid_to"] is None) for v in versions] == [
        ("/a", False, False),
        ("/b", False, False),
        ("/b", True, True),
    ]
    assert versions[0]["valid_to"] == versions[1]["valid_from"] and versions[1]["valid_to"] < versions[2]["valid_from"]
    staff = lake("dim_staff_history")
    changed = staff.where("department_name = 'North'")
    assert changed.count() > 0 and changed.where("not is_current").count() == 0
    assert staff.where("is_current").count() == 20
    overlapping = staff.alias("a").join(
        staff.alias("b"),
        F.expr("a.staff_id = b.staff_id and a.valid_from < b.valid_from and not a.valid_to <=> b.valid_from"),
    )
    assert overlapping.count() == 0
