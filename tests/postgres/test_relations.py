"""G1: content that changes without a new row version. A table is more than its rows: its columns, labels, children and place."""

import psycopg
import pytest

from contracts.protocol.object_layout import manifest_key
from lambdas.errors import PrivilegeError, SourceMovedError
from lambdas.extract import run
from lambdas.extract.snapshot import Snapshot
from local.servers.urls import secret_from_url


def _entry(pipeline, batch, table):
    return pipeline.document(pipeline.ingestion, manifest_key(batch))["tables"][table]


def _lines(pipeline, batch, table):
    bodies = [
        pipeline.s3.get_object(Bucket=pipeline.ingestion, Key=part["key"])["Body"].read().decode()
        for part in _entry(pipeline, batch, table)["parts"]
    ]
    return [line for body in bodies for line in body.splitlines()[1:]]


def _execute(pipeline, *statements):
    with pipeline.source() as connection:
        for statement in statements:
            connection.execute(statement)


TOUCH_STAFF = "update staff set last_updated = last_updated + interval '1s' where staff_id = 1"
RENAMED_LABEL = ["""alter type "TransactionType" rename value 'SALE' to 'SALES'"""]
SWAPPED_COLUMNS = [
    "alter table sales_order rename column unit_price to unit_price_old",
    "alter table sales_order rename column unit_price_new to unit_price",
]
SWAPPED_TABLES = [
    "alter table purchase_order rename to purchase_order_old",
    "alter table purchase_order_new rename to purchase_order",
]
INHERITED = ["alter table purchase_order_more inherit purchase_order"]
REWRITTEN_EXPRESSION = ["alter table sales_order alter column doubled set expression as (units_sold * 3)"]


@pytest.mark.parametrize(
    ("before", "change", "table", "reason", "found"),
    [
        ([], RENAMED_LABEL, "transaction", "'SALES'", ",SALES,"),
        (
            [
                "alter table sales_order add column unit_price_new numeric(10,2)",
                "update sales_order set unit_price_new = 77.77",
                "alter table sales_order alter column unit_price_new set not null",
            ],
            SWAPPED_COLUMNS,
            "sales_order",
            "its columns were",
            ",77.77,",
        ),
        (
            [
                "create table purchase_order_new (like purchase_order including all)",
                "insert into purchase_order_new select * from purchase_order",
                "update purchase_order_new set item_unit_price = 77.77",
            ],
            SWAPPED_TABLES,
            "purchase_order",
            "another table than before",
            ",77.77,",
        ),
        (
            [
                "create table purchase_order_more (like purchase_order including all)",
                "insert into purchase_order_more select * from purchase_order where purchase_order_id = 1",
                "update purchase_order_more set purchase_order_id = 1000000",
            ],
            INHERITED,
            "purchase_order",
            "other tables inherit from it",
            "1000000,",
        ),
        (
            ["alter table sales_order add column doubled int generated always as (units_sold * 2) virtual"],
            REWRITTEN_EXPRESSION,
            "sales_order",
            "units_sold * 3",
            ",",
        ),
    ],
    ids=["label", "columns", "tables", "inheritance", "expression"],
)
def test_g1_a_change_of_what_a_table_is_leads_to_one_whole_reading_of_it(
    pipeline, before, change, table, reason, found
):
    _execute(pipeline, *before)
    pipeline.extract()
    _execute(pipeline, TOUCH_STAFF)  # the horizon passes all that was prepared
    assert pipeline.extract()["batch"] == 2
    _execute(pipeline, *change)
    outcome = pipeline.extract()
    assert outcome["batch"] == 3 and f"{table} is read whole: " in outcome["reason"] and reason in outcome["reason"]
    entry = _entry(pipeline, 3, table)
    assert entry["read"] == "whole" and reason in entry["reason"] and entry["rows"] == entry["source_count"]
    assert any(found in line for line in _lines(pipeline, 3, table))
    assert _entry(pipeline, 3, "payment")["read"] == "nothing"
    assert pipeline.extract()["reason"] == "nothing changed"


RELOAD = """
create temporary table kept on commit drop as select * from payment;
truncate payment;
update kept set payment_amount = 77.77 where payment_id = 1;
insert into payment select * from kept
"""
EXCHANGE = """
create table payment_new (like payment including all);
alter table payment rename to payment_old;
alter table payment_new rename to payment
"""


def _after_the_snapshot(monkeypatch, disturb, times=1):
    """Disturb the source once a reading has its snapshot, before it has read a table."""
    plain, done = Snapshot.position, []

    def position(self):
        found = plain(self)
        if len(done) < times:
            done.append(True)
            disturb()
        return found

    monkeypatch.setattr(Snapshot, "position", position)
    return done


@pytest.mark.parametrize("change", [RELOAD, EXCHANGE, "vacuum full payment"], ids=["truncate", "exchange", "rewrite"])
def test_g4_a_table_that_changes_as_a_whole_after_the_snapshot_is_read_again(pipeline, monkeypatch, change):
    pipeline.extract()
    rows = _entry(pipeline, 1, "payment")["source_count"]

    def disturb():
        with psycopg.connect(pipeline.source_url, autocommit=change.startswith("vacuum")) as connection:
            connection.execute(change)

    done = _after_the_snapshot(monkeypatch, disturb)
    outcome = pipeline.extract()
    assert done == [True]
    if change == RELOAD:
        assert _entry(pipeline, 2, "payment")["source_count"] == rows == outcome["rows"]["payment"]
        assert any(",77.77," in line for line in _lines(pipeline, 2, "payment"))
    elif change == EXCHANGE:
        assert _entry(pipeline, 2, "payment")["source_count"] == 0
    else:
        assert outcome["batch"] is None


def test_g4_a_source_that_never_holds_still_is_told_and_nothing_is_committed(pipeline, monkeypatch):
    def disturb():
        with psycopg.connect(pipeline.source_url, autocommit=True) as connection:
            connection.execute("vacuum full payment")

    done = _after_the_snapshot(monkeypatch, disturb, times=9)
    with pytest.raises(SourceMovedError, match="payment changed as a whole"):
        pipeline.extract()
    assert len(done) == 3 and pipeline.keys(pipeline.ingestion, "batches/") == []


ATTACH = """
create table transaction_more (like transaction including all);
insert into transaction_more select * from transaction where transaction_id = 1;
update transaction_more set transaction_id = 1000000, sales_order_id = null;
alter table transaction_more inherit transaction
"""


@pytest.mark.parametrize("change", [RENAMED_LABEL[0], ATTACH], ids=["label", "child"])
def test_g4_what_no_lock_keeps_out_while_tables_are_read_is_found_afterwards(pipeline, monkeypatch, caplog, change):
    plain, done = run.write_parts, []

    def disturbed(*arguments, **named):
        if not done:
            done.append(True)
            _execute(pipeline, change)
        return plain(*arguments, **named)

    monkeypatch.setattr(run, "write_parts", disturbed)
    assert pipeline.extract()["batch"] == 1
    assert "transaction changed while they were read" in caplog.text
    entry = _entry(pipeline, 1, "transaction")
    assert entry["rows"] == entry["source_count"] == len(_lines(pipeline, 1, "transaction"))
    assert len({line.split(",")[1] for line in _lines(pipeline, 1, "transaction")} & {"SALE", "SALES"}) == 1
    assert pipeline.extract()["reason"] == "nothing changed"


@pytest.mark.parametrize("bypass", [False, True])
def test_g5_rows_that_row_level_security_would_hide_are_never_passed_over(pipeline, bypass):
    role = f"rls_{pipeline.database}"
    _execute(
        pipeline,
        f"create role {role} login password 'pw' {'bypassrls' if bypass else ''}",
        f"grant usage on schema public to {role}",
        f"grant select on all tables in schema public to {role}",
        "alter table payment enable row level security",
        "create policy half on payment for select using (payment_id % 2 = 0)",
    )
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["source"],
        SecretString=secret_from_url(pipeline.source_url.replace("postgres:secret-source", f"{role}:pw"), "source"),
    )
    try:
        if bypass:
            outcome = pipeline.extract()
            with pipeline.source() as connection:
                assert connection.execute("select count(*) from payment").fetchone() == (outcome["rows"]["payment"],)
        else:
            with pytest.raises(PrivilegeError, match="Row-level security decides which rows of payment"):
                pipeline.extract()
            assert pipeline.keys(pipeline.ingestion) == []
    finally:
        _execute(pipeline, f"drop owned by {role}", f"drop role {role}")


def test_g5_the_database_itself_refuses_to_filter(pipeline, monkeypatch):
    """What the catalog says may be outdated when a table is read: row_security is off as well."""
    role = f"rls_{pipeline.database}"
    _execute(
        pipeline,
        f"create role {role} login password 'pw'",
        f"grant usage on schema public to {role}",
        f"grant select on all tables in schema public to {role}",
        "alter table payment enable row level security",
    )
    pipeline.servers.client("secretsmanager").put_secret_value(
        SecretId=pipeline.secrets["source"],
        SecretString=secret_from_url(pipeline.source_url.replace("postgres:secret-source", f"{role}:pw"), "source"),
    )
    monkeypatch.setattr("lambdas.extract.plan.check_schema", lambda _: None)
    try:
        with pytest.raises(PrivilegeError, match="table payment"):
            pipeline.extract()
    finally:
        _execute(pipeline, f"drop owned by {role}", f"drop role {role}")
