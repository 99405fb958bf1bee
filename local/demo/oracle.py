"""What the star schemas must hold, said a second time: plain SQL over the source, and a comparison.

It shares nothing with the job: names of currencies come from pycountry, and the joins are written here.
"""

from collections.abc import Iterable
from datetime import date, time
from typing import Any

import psycopg
import pycountry
from psycopg import sql

from local.query import query

_MOMENTS = "t.created_at::date, t.created_at::time, t.last_updated::date, t.last_updated::time"

#: For each star table, its columns without the record id, from the source.
ORACLE = {
    "dim_staff": "select staff_id, first_name, last_name, department_name, location, email_address "
    "from staff join department using (department_id)",
    "dim_location": "select address_id, address_line_1, address_line_2, district, city, postal_code, country, phone from address",
    "dim_design": "select design_id, design_name, file_location, file_name from design",
    "dim_counterparty": "select c.counterparty_id, c.counterparty_legal_name, a.address_line_1, a.address_line_2, a.district, "
    "a.city, a.postal_code, a.country, a.phone from counterparty c join address a on a.address_id = c.legal_address_id",
    "dim_transaction": "select transaction_id, transaction_type::text, sales_order_id, purchase_order_id from transaction",
    "dim_payment_type": "select payment_type_id, payment_type_name::text from payment_type",
    "dim_currency": "select currency_id, currency_code, null::text from currency",
    "fact_sales_order": f"select t.sales_order_id, {_MOMENTS}, t.staff_id, t.counterparty_id, t.units_sold, t.unit_price, "
    "t.currency_id, t.design_id, t.agreed_payment_date::date, t.agreed_delivery_date::date, t.agreed_delivery_location_id "
    "from sales_order t",
    "fact_purchase_orders": f"select t.purchase_order_id, {_MOMENTS}, t.staff_id, t.counterparty_id, t.item_code, "
    "t.item_quantity, t.item_unit_price, t.currency_id, t.agreed_delivery_date::date, t.agreed_payment_date::date, "
    "t.agreed_delivery_location_id from purchase_order t",
    "fact_payment": f"select t.payment_id, {_MOMENTS}, t.transaction_id, t.counterparty_id, t.payment_amount, t.currency_id, "
    "t.payment_type_id, t.paid, t.payment_date::date from payment t",
}
#: Current views of the warehouse, and the columns to compare.
_COLUMNS = {
    "fact_sales_order": (
        "current_sales_order",
        "sales_record_id",
        "sales_order_id, created_date, created_time, last_updated_date, last_updated_time, sales_staff_id, counterparty_id, "
        "units_sold, unit_price, currency_id, design_id, agreed_payment_date, agreed_delivery_date, agreed_delivery_location_id",
    ),
    "fact_purchase_orders": (
        "current_purchase_order",
        "purchase_record_id",
        "purchase_order_id, created_date, created_time, last_updated_date, last_updated_time, staff_id, counterparty_id, "
        "item_code, item_quantity, item_unit_price, currency_id, agreed_delivery_date, agreed_payment_date, "
        "agreed_delivery_location_id",
    ),
    "fact_payment": (
        "current_payment",
        "payment_record_id",
        "payment_id, created_date, created_time, last_updated_date, last_updated_time, transaction_id, counterparty_id, "
        "payment_amount, currency_id, payment_type_id, paid, payment_date",
    ),
}
#: Columns of dimensions; they may have further ones.
_DIMENSIONS = {
    "dim_staff": "staff_id, first_name, last_name, department_name, location, email_address",
    "dim_location": "location_id, address_line_1, address_line_2, district, city, postal_code, country, phone",
    "dim_design": "design_id, design_name, file_location, file_name",
    "dim_counterparty": "counterparty_id, counterparty_legal_name, counterparty_legal_address_line_1, "
    "counterparty_legal_address_line_2, counterparty_legal_district, counterparty_legal_city, "
    "counterparty_legal_postal_code, counterparty_legal_country, counterparty_legal_phone_number",
    "dim_transaction": "transaction_id, transaction_type, sales_order_id, purchase_order_id",
    "dim_payment_type": "payment_type_id, payment_type_name",
    "dim_currency": "currency_id, currency_code, currency_name",
}
#: Source table of each dimension, and the key of both.
_SOURCES = {
    "dim_staff": ("staff", "staff_id"),
    "dim_location": ("address", "location_id"),
    "dim_design": ("design", "design_id"),
    "dim_counterparty": ("counterparty", "counterparty_id"),
    "dim_transaction": ("transaction", "transaction_id"),
    "dim_payment_type": ("payment_type", "payment_type_id"),
    "dim_currency": ("currency", "currency_id"),
}
Row = tuple[str | None, ...]


def source_rows(source_url: str) -> dict[str, set[Row]]:
    """Return what every star table's current state must be, row for row, from one source snapshot."""
    with psycopg.connect(source_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        rows = {name: _rows(connection.execute(statement)) for name, statement in ORACLE.items()}
    names = {c.alpha_3: c.name for c in pycountry.currencies}
    rows["dim_currency"] = {(key, code, names[str(code)]) for key, code, _ in rows["dim_currency"]}
    return rows


def warehouse_rows(warehouse_url: str, schema: str = "public", ledger: str = "etl") -> dict[str, set[Row]]:
    """Return the warehouse's current state.

    Parameters
    ----------
    schema, ledger
        Schemas of the star tables, and of the platform's own.
    """
    rows = {}
    with psycopg.connect(warehouse_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for name in ORACLE:
            view, _, columns = _COLUMNS.get(name) or (name, "", _DIMENSIONS[name])
            statement = sql.SQL("select {} from {} t").format(sql.SQL(columns), sql.Identifier(schema, view))
            if name in _SOURCES:  # what history refers to stays in a dimension
                table, key = _SOURCES[name]
                statement += sql.SQL(
                    " where not exists (select 1 from {} d where d.source_table = {} and d.source_key = t.{})"
                ).format(sql.Identifier(ledger, "source_deletion"), sql.Literal(table), sql.Identifier(key))
            rows[name] = _rows(connection.execute(statement))
    return rows


def lake_rows(platform: dict[str, str]) -> dict[str, set[Row]]:
    """Return the lake's current state, through Athena."""
    rows = {}
    for name in ORACLE:
        deleted = (
            "exists (select 1 from source_deletion d where d.source_table = '{}' and d.source_key = v.{} "
            "and d.batch_id >= v.batch_id)"
        )
        if name in _COLUMNS:
            view, record, columns = _COLUMNS[name]
            key = columns.split(",")[0]
            statement = (
                f"select {columns} from (select *, row_number() over (partition by {key} order by {record} desc) as age "
                f"from {name}) as v where age = 1 and not {deleted.format(view.removeprefix('current_'), key)}"
            )
            frame = query(platform, statement)
        else:
            statement = f"select {_DIMENSIONS[name]} from {name} v where not {deleted.format(*_SOURCES[name])}"
            frame = query(platform, statement)
        frame = frame.astype(object).where(frame.notna(), None)
        rows[name] = _rows(frame.itertuples(index=False, name=None))
    return rows


def differences(expected: dict[str, set[Row]], found: dict[str, set[Row]]) -> dict[str, str]:
    """Return, for each table that differs, how many rows are missing and how many are too many."""
    return {
        name: f"{len(rows - found[name])} missing, {len(found[name] - rows)} unexpected"
        for name, rows in expected.items()
        if rows != found[name]
    }


def _rows(rows: Iterable[Iterable[Any]]) -> set[Row]:
    return {tuple(_text(value) for value in row) for row in rows}


def _text(value: Any) -> str | None:
    """Write a value alike whichever system it came from."""
    if value is None:
        return None
    if isinstance(value, time):
        return value.isoformat("milliseconds")
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
