"""The columns that lake and warehouse had before the platform kept which ones it knows (release 1.2.0); never edited.

What the contract has beyond them it has gained since: such a column may be missing in a warehouse of that time, and a row has
the content of before as long as it has no value there.
"""

_COLUMNS = {
    "dim_date": "date_id year month day day_of_week day_name month_name quarter",
    "dim_staff": "staff_id first_name last_name department_name location email_address",
    "dim_location": "location_id address_line_1 address_line_2 district city postal_code country phone",
    "dim_currency": "currency_id currency_code currency_name",
    "dim_design": "design_id design_name file_location file_name",
    "dim_counterparty": (
        "counterparty_id counterparty_legal_name counterparty_legal_address_line_1 "
        "counterparty_legal_address_line_2 counterparty_legal_district counterparty_legal_city "
        "counterparty_legal_postal_code counterparty_legal_country counterparty_legal_phone_number"
    ),
    "dim_transaction": "transaction_id transaction_type sales_order_id purchase_order_id",
    "dim_payment_type": "payment_type_id payment_type_name",
    "fact_sales_order": (
        "sales_record_id sales_order_id created_date created_time last_updated_date last_updated_time "
        "sales_staff_id counterparty_id units_sold unit_price currency_id design_id agreed_payment_date "
        "agreed_delivery_date agreed_delivery_location_id"
    ),
    "fact_purchase_orders": (
        "purchase_record_id purchase_order_id created_date created_time last_updated_date "
        "last_updated_time staff_id counterparty_id item_code item_quantity item_unit_price currency_id "
        "agreed_delivery_date agreed_payment_date agreed_delivery_location_id"
    ),
    "fact_payment": (
        "payment_record_id payment_id created_date created_time last_updated_date last_updated_time "
        "transaction_id counterparty_id payment_amount currency_id payment_type_id paid payment_date"
    ),
    "dim_staff_history": (
        "staff_id first_name last_name department_name location email_address valid_from valid_to is_current"
    ),
    "dim_design_history": "design_id design_name file_location file_name valid_from valid_to is_current",
    "dim_counterparty_history": (
        "counterparty_id counterparty_legal_name counterparty_legal_address_line_1 "
        "counterparty_legal_address_line_2 counterparty_legal_district counterparty_legal_city "
        "counterparty_legal_postal_code counterparty_legal_country counterparty_legal_phone_number "
        "valid_from valid_to is_current"
    ),
    "dim_location_history": (
        "location_id address_line_1 address_line_2 district city postal_code country phone valid_from "
        "valid_to is_current"
    ),
}
#: Tables of the source that every manifest has, whatever release wrote it.
FIRST_SOURCE_TABLES = frozenset(
    [
        "address",
        "counterparty",
        "currency",
        "department",
        "design",
        "staff",
        "payment_type",
        "sales_order",
        "purchase_order",
        "transaction",
        "payment",
    ]
)
#: Table → its columns at that time.
FIRST_COLUMNS: dict[str, frozenset[str]] = {table: frozenset(names.split()) for table, names in _COLUMNS.items()}

#: Tables of the lake that every publication has, and those that every listing has.
FIRST_LISTED_TABLES = frozenset({*FIRST_COLUMNS, "source_deletion"})
FIRST_LAKE_TABLES = frozenset({*FIRST_LISTED_TABLES, "quarantine", "quarantine_row"})


def gained_since(table: str, column: str) -> bool:
    """Tell whether the contract has gained a column of a table that it had already."""
    return table in FIRST_COLUMNS and column not in FIRST_COLUMNS[table]
