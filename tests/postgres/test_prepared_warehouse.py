"""Warehouses that belong to somebody else: other names, other columns, few privileges, earlier releases."""

import psycopg
import pytest
from psycopg import sql

from contracts.tables.ledger import ledger_of
from lambdas.errors import PrivilegeError, WarehouseSchemaError
from lambdas.load.warehouse.naming import Naming
from tests.support.lake import FakeLake
from tests.support.publications import dump, publish_some, use_warehouse
from tools.warehouse_script import render

STAFF = [(1, "Ann", "O'Keefe", "Sales", None, "a@x"), (2, "Bö", "", "Sales", "", "b"), (3, "C", "", "HR", "NULL", "c")]


@pytest.fixture
def lake(pipeline):
    return FakeLake(pipeline)


def test_a_warehouse_in_another_schema(pipeline, lake, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_SCHEMA", 'star "one"')
    lake.publish({"dim_staff": STAFF})
    pipeline.load()
    assert pipeline.warehouse('select count(*) from "star ""one""".dim_staff') == [(3,)]
    assert pipeline.warehouse("select to_regclass('public.dim_staff')") == [(None,)]


def test_an_existing_warehouse_is_used_and_its_extra_columns_left_alone(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table dim_staff add column note text default 'kept'")
        connection.execute("alter table dim_staff alter column first_name type text")
    lake.publish({"dim_staff": STAFF[:1]})
    assert pipeline.load()["loaded"] == [2]


def test_a_differing_warehouse_is_named_before_anything_is_loaded(pipeline, lake):
    lake.publish({"dim_staff": STAFF})
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("alter table dim_staff drop column email_address")
        connection.execute("alter table dim_date alter column day_name type char(9)")
        connection.execute("alter table dim_location add column must text not null")
    lake.publish({"dim_staff": STAFF})
    with pytest.raises(WarehouseSchemaError) as refused:
        pipeline.load()
    for text in (
        "dim_staff.email_address is missing",
        "dim_date.day_name is character(9)",
        "dim_location.must is unknown",
    ):
        assert text in str(refused.value)


def test_a_missing_privilege_is_explained(pipeline, lake):
    role = "loader_" + pipeline.database
    lake.publish({"dim_staff": STAFF})
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(f"create role {role} login password 'pw'")
    from local.servers.urls import secret_from_url

    url = pipeline.warehouse_url.replace("postgres:secret-warehouse", f"{role}:pw")
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["warehouse"], SecretString=secret_from_url(url, "warehouse")
    )
    with pytest.raises(PrivilegeError, match="may not create tables"):
        pipeline.load()


def _least_privileged(pipeline, naming, role):
    """Run the script in the warehouse, and let the load log in as the role that it made."""
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("revoke create on schema public from public")
        connection.execute(render(naming, role))
        connection.execute(f"alter role {role} password 'pw'")
    owner = pipeline.warehouse_url
    use_warehouse(pipeline, owner.replace("postgres:secret-warehouse", f"{role}:pw"))
    return owner


@pytest.mark.parametrize(
    ("schema", "purchase_orders"), [("public", "fact_purchase_orders"), ('stars "1"', "fact_purchase_order")]
)
def test_the_login_that_the_script_makes_suffices(pipeline, lake, monkeypatch, schema, purchase_orders):
    monkeypatch.setenv("WAREHOUSE_SCHEMA", schema)
    monkeypatch.setenv("WAREHOUSE_PURCHASE_ORDERS", purchase_orders)
    ledger = ledger_of(schema)
    owner = _least_privileged(pipeline, Naming(schema, ledger, purchase_orders), f"load_{pipeline.database}")
    publish_some(lake)
    assert pipeline.load()["loaded"] == [1, 2, 3]
    lake.list_files()
    assert pipeline.load({"step": "rebuild"})["done"]
    orders = sql.Identifier(ledger, "current_sales_order").as_string(None)
    assert pipeline.warehouse(f"select count(*) from {orders}") == [(5,)]  # no place among the tables
    with psycopg.connect(owner) as connection:
        made = connection.execute(
            "select relname from pg_class where relowner = %s::regrole and relkind in ('r', 'v') "
            "and relnamespace <> quote_ident(%s)::regnamespace",
            (f"load_{pipeline.database}", ledger),
        )
        assert made.fetchall() == []


def test_privileges_that_are_missing_are_named(pipeline, lake):
    owner = _least_privileged(pipeline, Naming("public", "etl"), f"load_{pipeline.database}")
    with psycopg.connect(owner) as connection:
        connection.execute(f"revoke update on dim_staff from load_{pipeline.database}")
        connection.execute(f"revoke delete on fact_payment from load_{pipeline.database}")
    lake.publish({"dim_staff": STAFF})
    with pytest.raises(PrivilegeError, match=r"lacks UPDATE on dim_staff, DELETE on fact_payment"):
        pipeline.load()


def test_the_other_name_of_purchase_orders_is_suggested(pipeline, lake):
    _least_privileged(pipeline, Naming("public", "etl", "fact_purchase_order"), f"load_{pipeline.database}")
    lake.publish({"dim_staff": STAFF})
    with pytest.raises(PrivilegeError, match=r"lacks fact_purchase_orders.*set warehouse_purchase_orders"):
        pipeline.load()


def test_a_prepared_table_without_its_key_is_named(pipeline, lake):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(render(Naming("public", "etl"), f"load_{pipeline.database}"))
        connection.execute("alter table dim_staff drop constraint dim_staff_pkey cascade")
        connection.execute("alter table dim_staff alter location set not null")
    lake.publish({"dim_staff": STAFF})
    with pytest.raises(WarehouseSchemaError) as refused:
        pipeline.load()
    assert "dim_staff.staff_id is neither primary key nor unique" in str(refused.value)
    assert "dim_staff.location is NOT NULL, and the source has rows without it" in str(refused.value)


def test_a_prepared_table_without_a_column_is_named_before_anything_is_made(pipeline, lake):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(render(Naming("public", "etl"), f"load_{pipeline.database}"))
        connection.execute("alter table fact_sales_order drop column units_sold")
    lake.publish({"dim_staff": STAFF})
    with pytest.raises(WarehouseSchemaError, match=r"column fact_sales_order.units_sold is missing"):
        pipeline.load()
    assert pipeline.warehouse("select count(*) from pg_tables where schemaname = 'etl'") == [(0,)]


def test_narrow_record_ids_and_wide_keys_of_a_prepared_warehouse_are_filled(pipeline, lake):
    """As a warehouse made by hand has them: serial record ids, bigint keys, text, time with milliseconds."""
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(render(Naming("public", "etl"), f"load_{pipeline.database}"))
        connection.execute("alter table fact_sales_order alter sales_record_id type integer")
        connection.execute("alter table fact_sales_order alter sales_record_id add generated always as identity")
        connection.execute("alter table fact_sales_order alter units_sold type bigint")
        connection.execute("alter table fact_sales_order alter created_time type time(3)")
        connection.execute("alter table fact_payment alter payment_amount type numeric")
        connection.execute("alter table dim_staff alter first_name type text")
    publish_some(lake)
    pipeline.load()
    before = dump(pipeline.warehouse_url)
    lake.list_files()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("delete from fact_sales_order where sales_order_id = 1")
    pipeline.load({"step": "rebuild"})
    assert dump(pipeline.warehouse_url) == before


def test_a_longer_calendar_of_somebody_elses_is_left_alone(pipeline, lake):
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute(render(Naming("public", "etl"), f"load_{pipeline.database}"))
        connection.execute("insert into dim_date values ('1999-12-31', 1999, 12, 31, 5, 'Friday', 'December', 4)")
    publish_some(lake)
    pipeline.load()
    lake.list_files()
    pipeline.load({"step": "rebuild"})
    assert pipeline.warehouse("select count(*) from dim_date") == [(3,)]


def test_a_ledger_of_an_earlier_release_is_migrated(pipeline, lake):
    publish_some(lake)
    pipeline.load()
    before = dump(pipeline.warehouse_url)
    with psycopg.connect(pipeline.warehouse_url) as connection:  # what the first release had
        connection.execute("drop view history_staff, history_design, history_counterparty, history_location")
        connection.execute(
            "drop table etl.migration, etl.verification, etl.rebuild_file, etl.dim_staff_history, etl.dim_design_history, "
            "etl.dim_counterparty_history, etl.dim_location_history"
        )
        connection.execute("alter table etl.batch_table drop deleted, drop current_keys, drop key_checksum")
        connection.execute("drop view current_payment")
        connection.execute("create view current_payment as select payment_id from fact_payment")
    lake.publish({"dim_staff": STAFF[:1]})
    assert pipeline.load()["loaded"] == [4]
    lake.list_files()
    pipeline.load({"step": "rebuild"})
    after = dump(pipeline.warehouse_url)
    assert after["current_payment"] == before["current_payment"]
    assert after["history_staff"] == before["history_staff"]
    assert pipeline.warehouse("select array_agg(number order by number) from etl.migration") == [
        ([1, 2, 3, 4, 5, 6, 7],)
    ]


def test_a_warehouse_of_a_newer_release_is_left_alone(pipeline, lake):
    publish_some(lake)
    pipeline.load()
    with psycopg.connect(pipeline.warehouse_url) as connection:
        connection.execute("insert into etl.migration values (99, 'from the future')")
    with pytest.raises(WarehouseSchemaError, match=r"at migration 99, this release knows 7"):
        pipeline.load()
