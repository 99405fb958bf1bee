"""Golden documents: what a release really writes, kept for the releases that follow."""

from pathlib import Path

from local.home import ROOT

GOLDEN = ROOT / "tests" / "golden"


def record(pipeline, spark, monkeypatch):
    """Run a short history through all stages, and return the documents that it leaves, by name."""
    found = {}

    def keep(name, bucket, key):
        found[name] = pipeline.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def forward():
        pipeline.transform(spark)
        pipeline.load()

    pipeline.extract()
    forward()
    keep("manifest-first", pipeline.ingestion, "batches/00000001.json")
    keep("publication-first", pipeline.processed, "publications/00000001.json")
    with pipeline.source() as connection:
        connection.execute("update payment set paid = not paid where payment_id = 1")
    pipeline.extract()
    forward()
    keep("manifest-incremental", pipeline.ingestion, "batches/00000002.json")
    found["figures"] = figures(pipeline, spark)
    with pipeline.source() as connection:
        connection.execute("delete from payment where payment_id = 2")
    pipeline.extract(keys="all")
    forward()
    keep("manifest-key-lists", pipeline.ingestion, "batches/00000003.json")
    keep("publication", pipeline.processed, "publications/00000003.json")
    keep("load-note", pipeline.processed, "loads/00000003.json")
    pipeline.transform(spark, mode="list")
    keep("listing", pipeline.processed, "listings/00000003.json")
    with pipeline.source() as connection:
        connection.execute("update sales_order set units_sold = units_sold + 1; update payment set paid = not paid")
    monkeypatch.setenv("TIME_BUDGET_SECONDS", "0")
    pipeline.extract(read="everything")
    keep("manifest-unfinished", pipeline.ingestion, "batches/00000004.json")
    return found


def figures(pipeline, spark):
    """Return the figures of the newest commit to ``fact_payment``, as they are stored."""
    name = f"glue_catalog.{pipeline.database}.fact_payment.snapshots"
    row = spark.sql(f"select summary['figures'] from {name} order by committed_at desc limit 1").collect()[0]
    return row[0].encode()


def shape(value):
    """Return what a document is built of: its fields and their types, one for all tables, files and rows."""
    if isinstance(value, dict):
        if {"payment", "fact_payment"} & value.keys():  # by the names of tables
            return {"*": merged(shape(item) for item in value.values())}
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [merged(shape(item) for item in value)]
    return {type(value).__name__}


def merged(shapes):
    """Return the shape of which all of `shapes` are examples."""
    found = set()
    for one in shapes:
        if isinstance(one, dict) and isinstance(found, dict):
            found = {name: merged([found.get(name, set()), one.get(name, set())]) for name in {*found, *one}}
        elif isinstance(one, list) and isinstance(found, list):
            found = [merged([found[0], one[0]])]
        elif isinstance(one, set) and isinstance(found, set):
            found = found | one
        elif one != set():  # of an optional field, that which is there
            found = one
    return found


def write(documents, directory: Path):
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in documents.items():
        (directory / f"{name}.json").write_bytes(data)
