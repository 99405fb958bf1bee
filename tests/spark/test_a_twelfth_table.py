"""A twelfth source table with a dimension of its own is an edit of the contract: lake and warehouse from before take it in."""

import json

from local.spark.jvm import spark_environment
from tests.support.grown import grown, run_in

#: One batch through all stages, in one process.
PROGRAM = """
import json, sys
from pyspark.sql import SparkSession
from contracts.protocol.bucket import Bucket
from glue_jobs.transform import main
from lambdas.extract.handler import handler as extract
from lambdas.load.handler import handler as load
from tests.support.pipeline import lambda_context

ingestion, processed, database = sys.argv[1:]
answer = extract({"trigger": "schedule"}, lambda_context())
spark = SparkSession.builder.getOrCreate()
main(["--ingestion_bucket", ingestion, "--processed_bucket", processed, "--database", database])
loaded = load({"step": "load"}, lambda_context())
rows = spark.table(f"glue_catalog.{database}.dim_courier").select("courier_id", "courier_name").collect()
print("RESULT" + json.dumps({"batch": answer["batch"], "loaded": loaded["loaded"], "lake": sorted(map(tuple, rows))}))
"""


def batch(tree, pipeline, spark):
    arguments = (pipeline.ingestion, pipeline.processed, pipeline.database)
    out = run_in(tree, PROGRAM, *arguments, **spark_environment(pipeline.servers.home.spark))
    return json.loads(out.rpartition("RESULT")[2])


def test_g1_a_table_that_the_contract_gains_is_read_whole_and_modelled(pipeline, spark, tmp_path):
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute(
            "create table courier (courier_id int primary key, courier_name text not null, "
            "created_at timestamp(3) not null, last_updated timestamp(3) not null)"
        )
        connection.execute("insert into courier select n, 'courier ' || n, now(), now() from generate_series(1, 3) n")
        connection.execute("update payment set paid = not paid where payment_id = 1")
    pipeline.run(spark)  # the contract of before knows nothing of it
    with pipeline.source() as connection:
        connection.execute("update payment set paid = not paid where payment_id = 2")

    tree = grown(tmp_path, "table")
    first = batch(tree, pipeline, spark)
    assert first == {"batch": 3, "loaded": [3], "lake": [[n, f"courier {n}"] for n in (1, 2, 3)]}
    manifest = pipeline.document(pipeline.ingestion, "batches/00000003.json")
    reasons = {name: table["reason"] for name, table in manifest["tables"].items() if table["reason"]}
    assert reasons == {"courier": "it is new in the contract"} and manifest["reason"] == ""
    assert pipeline.warehouse("select courier_id, courier_name from dim_courier order by 1") == [
        (n, f"courier {n}") for n in (1, 2, 3)
    ]
    pipeline.assert_equal()

    with pipeline.source() as connection:
        connection.execute("update courier set courier_name = 'Zoë' where courier_id = 2")
        connection.execute("delete from courier where courier_id = 3")
    assert batch(tree, pipeline, spark)["lake"] == [[1, "courier 1"], [2, "Zoë"], [3, "courier 3"]]
    current = (
        "select courier_name from dim_courier c where not exists (select from etl.source_deletion d "
        "where d.source_table = 'courier' and d.source_key = c.courier_id)"
    )
    assert sorted(pipeline.warehouse(current)) == [("Zoë",), ("courier 1",)]
    dictionary = run_in(tree, "from tools.data_dictionary import render; print(render())")
    assert "### dim_courier" in dictionary and "### courier" in dictionary
