"""Publications of three batches in which everything happens that can, and what a warehouse then holds."""

from datetime import date, datetime
from decimal import Decimal

import psycopg

from contracts.tables.lake import HISTORIES
from contracts.tables.star import STAR_TABLES
from local.servers.urls import secret_from_url

DAY, NEXT = date(2024, 1, 1), date(2024, 1, 2)
TIME = "08:00:00.000"
#: Each foreign key of the warehouse, as it is defined.
FOREIGN_KEYS = (
    "select conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated from pg_constraint "
    "where connamespace = 'public'::regnamespace order by 1, 2"
)


def day(d):
    return (d, d.year, d.month, d.day, d.isoweekday(), "Day", "January", 1)


def order(key, units, *, on=DAY):
    return (key, on, TIME, on, TIME, 1, 1, units, Decimal("2.50"), 1, 1, on, on, 1)


def payment(key, paid):
    return (key, DAY, TIME, DAY, TIME, key, 1, Decimal("-12345678.90"), 1, 1, paid, NEXT)


def publish_some(lake):
    """Three batches: everything, changes with a new dimension row, deletions with a row that came back."""
    dimensions = {
        "dim_date": [day(DAY), day(NEXT)],
        "dim_staff": [(1, "Ann", "O'Keefe", "Sales", None, "a@x")],
        "dim_location": [(1, "1, High St", None, "", "Leds", "01234", "Mali", "1")],
        "dim_currency": [(1, "GBP", "Pound Sterling")],
        "dim_design": [(1, "Tote", "/x", "1.json")],
        "dim_counterparty": [(1, "X", "1", None, None, "Y", "0", "Mali", "1")],
        "dim_payment_type": [(1, "SALES_RECEIPT")],
    }
    history = {"dim_staff_history": [(1, "Ann", "O'Keefe", "Sales", None, "a@x", moment(1), None, True)]}
    keys = range(1, 6)
    lake.publish(
        {
            **dimensions,
            "dim_transaction": [(key, "SALE", key, None) for key in keys],
            "fact_sales_order": [order(key, 10) for key in keys],
            "fact_payment": [payment(key, False) for key in keys],
            **history,
        }
    )
    lake.publish(
        {
            "dim_staff": [(1, "Ann", "Smith", "Sales", None, "a@x"), (2, "Bö", "", "HR", "", 'b,\n"x"')],
            "fact_sales_order": [order(1, 11), order(6, 5, on=NEXT)],
            "fact_payment": [payment(2, True)],
            "dim_staff_history": [
                (1, "Ann", "O'Keefe", "Sales", None, "a@x", moment(1), moment(2), False),
                (1, "Ann", "Smith", "Sales", None, "a@x", moment(2), moment(2), False),  # the clock was set back
                (1, "Ann", "Smith", "Sales", None, "a@x", moment(2), None, True),
                (2, "Bö", "", "HR", "", 'b,\n"x"', moment(2), None, True),
            ],
        }
    )
    lake.publish(
        {
            "fact_sales_order": [order(2, 12)],
            "dim_staff_history": [
                (1, "Ann", "O'Keefe", "Sales", None, "a@x", moment(1), moment(2), False),
                (1, "Ann", "Smith", "Sales", None, "a@x", moment(2), moment(2), False),
                (1, "Ann", "Smith", "Sales", None, "a@x", moment(2), moment(3), False),
                (1, "Ann", "Jones", "Sales", None, "a@x", moment(3), None, True),
                (2, "Bö", "", "HR", "", 'b,\n"x"', moment(2), None, True),
            ],
        },
        deleted={"sales_order": [3], "transaction": [3], "payment": [3]},
    )


def moment(number):
    return datetime(2024, 1, number, 12, 0, 0, 123456)


#: Tables of the ledger that a load fills.
OWN = ["batch_table", "source_deletion", *(table.name for table in HISTORIES.values())]
SHOWN = ("current_sales_order", "current_payment", "history_sales_order", "history_staff")


def dump(url):
    """A digest of the ordered rows of everything that a load writes; the time at which it did so left out."""
    selects = {
        name: f"select t::text from {name} t" for name in (*STAR_TABLES, *(f"etl.{name}" for name in OWN), *SHOWN)
    }
    columns = "batch, snapshot_time, published_at, publication_digest, lake, time_zone"
    selects["etl.batch"] = f"select ({columns})::text as t from etl.batch"
    selects["etl.owner"] = "select (lake, lake_bucket, star_schema)::text as t from etl.owner"
    statement = " union all ".join(
        f"select '{name}', count(*), md5(string_agg(t, e'\\n' order by t collate \"C\")) from ({select}) r(t)"
        for name, select in selects.items()
    )
    with psycopg.connect(url) as connection:
        return {name: (count, digest) for name, count, digest in connection.execute(statement).fetchall()}


def use_warehouse(pipeline, url):
    """Let the load of a pipeline go to another warehouse."""
    pipeline.warehouse_url = url
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["warehouse"], SecretString=secret_from_url(url, "warehouse")
    )


def empty(url):
    """Delete everything that loads have written."""
    with psycopg.connect(url) as connection:
        for name in (
            "etl.verification",
            *(f"etl.{name}" for name in OWN),
            "etl.batch",
            "etl.owner",
            *reversed(STAR_TABLES),
        ):
            connection.execute(f"delete from {name}")
