"""A column that the contract has given up keeps its values in the lake until somebody drops it by name."""

import pytest
from pyspark.sql import functions as F

from contracts.errors import ContractConflictError


def column(pipeline, spark, table):
    """Return the values of the column ``note`` by key, or None when the table has no such column."""
    frame = pipeline.lake(spark)(table)
    key = frame.columns[0] if table.startswith("dim_") else frame.columns[1]
    return dict(frame.select(key, "note").collect()) if "note" in frame.columns else None


def test_a_given_up_column_keeps_its_values_and_goes_when_asked(pipeline, spark):
    pipeline.run(spark)
    for table in ("fact_payment", "dim_staff", "dim_staff_history"):
        name = f"glue_catalog.{pipeline.database}.{table}"
        spark.sql(f"alter table {name} add columns (note string)")
        spark.table(name).withColumn("note", F.lit("kept")).writeTo(name).overwrite(F.lit(True))
    with pipeline.source() as connection:
        connection.execute("update payment set paid = not paid where payment_id = 1")
        connection.execute("update staff set first_name = 'New' where staff_id = 1")
    pipeline.run(spark)
    pipeline.assert_equal()
    assert column(pipeline, spark, "dim_staff")[2] == "kept" and column(pipeline, spark, "dim_staff")[1] is None
    assert set(column(pipeline, spark, "dim_staff_history").values()) == {"kept", None}
    pipeline.transform(spark, mode="maintain")
    values = pipeline.lake(spark)("fact_payment").groupBy("note").count().collect()
    assert {row["note"] for row in values} == {"kept", None}

    with pytest.raises(ContractConflictError, match="the contract still has fact_payment"):
        pipeline.transform(spark, mode="drop_columns", columns="fact_payment.note,fact_payment.paid")
    assert column(pipeline, spark, "fact_payment") is not None
    pipeline.transform(spark, mode="drop_columns", columns="fact_payment.note,dim_staff.note")
    for table in ("fact_payment", "dim_staff", "dim_staff_history"):
        assert column(pipeline, spark, table) is None
    with pipeline.source() as connection:
        connection.execute("update staff set first_name = 'Newer' where staff_id = 1")
    pipeline.run(spark)
    pipeline.assert_equal()
