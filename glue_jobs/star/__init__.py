"""From typed source tables to star tables: pure DataFrame → DataFrame functions, one file a family.

`BUILDERS` maps each star table that has a source to the function that builds it. Every function
takes the typed source tables by name and returns the star table's columns, without record id.
"""

from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame

from glue_jobs.star import (
    counterparty,
    currency,
    design,
    location,
    payment,
    payment_type,
    purchase_order,
    sales_order,
    staff,
    transaction,
)

Sources = Mapping[str, DataFrame]

BUILDERS: dict[str, Callable[[Sources], DataFrame]] = {
    "dim_staff": staff.build,
    "dim_location": location.build,
    "dim_currency": currency.build,
    "dim_design": design.build,
    "dim_counterparty": counterparty.build,
    "dim_transaction": transaction.build,
    "dim_payment_type": payment_type.build,
    "fact_sales_order": sales_order.build,
    "fact_purchase_orders": purchase_order.build,
    "fact_payment": payment.build,
}
