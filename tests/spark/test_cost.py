"""What a batch reads and writes follows the batch, not the history: told by Iceberg's own figures."""

import pytest

from contracts.protocol.object_layout import publication_key

MONTHS = 30
_INSERT = """
insert into sales_order (created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price, currency_id,
    agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id)
select t, t, 1, 1, 1, 10, 2.50, 1, to_char(t, 'YYYY-MM-DD'), to_char(t, 'YYYY-MM-DD'), 1
from (select timestamp '2020-01-15' + (m || ' months')::interval as t from generate_series(0, %s - 1) m,
    generate_series(1, %s) n) times order by t
"""


def _figures(spark, name, since):
    """Sum one of Iceberg's scan figures over the statements that ran since the given one."""
    store = spark._jsparkSession.sharedState().statusStore()
    executions = store.executionsList()
    total = 0
    for index in range(executions.size()):
        execution = executions.apply(index)
        if execution.executionId() < since:
            continue
        values = store.executionMetrics(execution.executionId())
        metrics = execution.metrics()
        for number in range(metrics.size()):
            metric = metrics.apply(number)
            value = values.get(metric.accumulatorId())
            if metric.name() == name and value.isDefined():
                total += int(value.get().replace(",", ""))
    return total


def _next(spark):
    executions = spark._jsparkSession.sharedState().statusStore().executionsList()
    return 1 + max(executions.apply(index).executionId() for index in range(executions.size()))


@pytest.mark.parametrize("orders", [3, 110], ids=["few keys", "more keys than Iceberg compares with a file"])
def test_g9_a_batch_reads_and_writes_the_files_of_what_it_changes(pipeline, spark, orders):
    with pipeline.source() as connection:
        connection.execute(_INSERT, (MONTHS, orders))
    pipeline.run(spark)
    with pipeline.source() as connection:
        connection.execute(
            "update sales_order set units_sold = 99 where created_at in ('2020-01-15', '2020-03-15') returning 1"
        )
    since = _next(spark)
    pipeline.run(spark)
    files = pipeline.document(pipeline.processed, publication_key(2))["tables"]["fact_sales_order"]["files"]
    assert sorted(file["rows"] for file in files) == [orders, orders]  # a file for each month
    read = _figures(spark, "number of result data files", since)
    left = _figures(spark, "number of skipped data files", since)
    assert read == 2, (read, left)  # those two months; every other file is left
    assert left >= MONTHS - 2
