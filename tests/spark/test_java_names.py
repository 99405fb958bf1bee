"""How often the JVM is asked what a name is."""

import pytest
from pyspark.sql import functions as F

from glue_jobs.java_names import look_up_once


@pytest.fixture
def commands(spark, monkeypatch):
    """Commands that the JVM gets; what it was asked before is forgotten."""
    java, sent = spark._jvm, []
    for name in ("functions", "py4j", "org", "PythonUtils", "PythonSQLUtils", "ArrowIteratorServer"):
        java.__dict__.pop(name, None)
    client = java._gateway_client
    plain = client.send_command
    monkeypatch.setattr(
        client, "send_command", lambda text, *rest, **named: sent.append(text) or plain(text, *rest, **named)
    )
    yield sent
    for name in ("functions", "py4j", "org", "PythonUtils", "PythonSQLUtils", "ArrowIteratorServer"):
        java.__dict__.pop(name, None)


def test_names_are_looked_up_once(spark, commands):
    F.col("a")
    before = len(commands)
    assert before > 1, "PySpark asks what `functions` and `col` are"
    assert look_up_once(spark) is spark
    commands.clear()
    F.col("a"), F.lit(1), F.expr("1 + 1")
    assert [text.split("\n")[:3] for text in commands if not text.startswith("m\n")] == [
        ["c", "z:org.apache.spark.sql.functions", name] for name in ("col", "lit", "expr")
    ]


def test_results_are_the_same(spark, commands):
    rows = spark.range(3).select((F.col("id") + F.lit(1)).alias("n"), F.expr("id * 2").alias("m"))
    plain = rows.collect()
    look_up_once(spark)
    assert spark.range(3).select((F.col("id") + F.lit(1)).alias("n"), F.expr("id * 2").alias("m")).collect() == plain
