"""The tables of the three overlapping star schemas: sales, purchases and payments share their dimensions."""

from contracts.tables.source import SOURCE_TABLES
from contracts.tables.table import Column, Kind, StarTable, check_references, check_sources, text
from contracts.tables.types import BIGINT, BOOLEAN, DATE, INTEGER, MONEY, TIME


def _date(name: str, description: str) -> Column:
    return Column(name, DATE, description, references="dim_date.date_id")


def _ref(name: str, target: str, description: str) -> Column:
    return Column(name, INTEGER, description, references=target)


def _moments() -> tuple[Column, ...]:
    return (
        _date("created_date", "Day on which the source row was written."),
        Column("created_time", TIME, "Time of day at which it was written."),
        _date("last_updated_date", "Day of the source's last_updated."),
        Column("last_updated_time", TIME, "Time of day of the source's last_updated."),
    )


FACT_SALES_ORDER = StarTable(
    name="fact_sales_order",
    key="sales_order_id",
    description="Every version of every sales order.",
    kind=Kind.FACT,
    record_id="sales_record_id",
    source="sales_order",
    partitioning=("months(created_date)",),
    columns=(
        Column("sales_record_id", BIGINT, "Surrogate key of this version; grows with batches."),
        Column("sales_order_id", INTEGER, "The order."),
        *_moments(),
        _ref("sales_staff_id", "dim_staff.staff_id", "Salesperson."),
        _ref("counterparty_id", "dim_counterparty.counterparty_id", "Customer."),
        Column("units_sold", INTEGER, "Number of totes."),
        Column("unit_price", MONEY, "Price of one tote, in the order's currency."),
        _ref("currency_id", "dim_currency.currency_id", "Currency."),
        _ref("design_id", "dim_design.design_id", "Design sold."),
        _date("agreed_payment_date", "Agreed day of payment."),
        _date("agreed_delivery_date", "Agreed day of delivery."),
        _ref("agreed_delivery_location_id", "dim_location.location_id", "Where to deliver."),
    ),
)
FACT_PURCHASE_ORDERS = StarTable(
    name="fact_purchase_orders",
    key="purchase_order_id",
    description="Every version of every purchase order.",
    kind=Kind.FACT,
    record_id="purchase_record_id",
    source="purchase_order",
    partitioning=("months(created_date)",),
    columns=(
        Column("purchase_record_id", BIGINT, "Surrogate key of this version; grows with batches."),
        Column("purchase_order_id", INTEGER, "The order."),
        *_moments(),
        _ref("staff_id", "dim_staff.staff_id", "Buyer."),
        _ref("counterparty_id", "dim_counterparty.counterparty_id", "Supplier."),
        text("item_code", "Supplier's code of the item."),
        Column("item_quantity", INTEGER, "Number of items."),
        Column("item_unit_price", MONEY, "Price of one item, in the order's currency."),
        _ref("currency_id", "dim_currency.currency_id", "Currency."),
        _date("agreed_delivery_date", "Agreed day of delivery."),
        _date("agreed_payment_date", "Agreed day of payment."),
        _ref("agreed_delivery_location_id", "dim_location.location_id", "Where it is delivered."),
    ),
)
FACT_PAYMENT = StarTable(
    name="fact_payment",
    key="payment_id",
    description="Every version of every payment.",
    kind=Kind.FACT,
    record_id="payment_record_id",
    source="payment",
    partitioning=("months(created_date)",),
    columns=(
        Column("payment_record_id", BIGINT, "Surrogate key of this version; grows with batches."),
        Column("payment_id", INTEGER, "The payment."),
        *_moments(),
        _ref("transaction_id", "dim_transaction.transaction_id", "The transaction paid."),
        _ref("counterparty_id", "dim_counterparty.counterparty_id", "Who pays or is paid."),
        Column("payment_amount", MONEY, "Amount, in the payment's currency."),
        _ref("currency_id", "dim_currency.currency_id", "Currency."),
        _ref("payment_type_id", "dim_payment_type.payment_type_id", "Kind of payment."),
        Column("paid", BOOLEAN, "Whether it has been paid."),
        _date("payment_date", "Day on which it is due."),
    ),
)
DIM_DATE = StarTable(
    name="dim_date",
    key="date_id",
    description="Calendar: every day of every year that any fact refers to.",
    columns=(
        Column("date_id", DATE, "The day."),
        Column("year", INTEGER, "Year."),
        Column("month", INTEGER, "Month, 1 to 12."),
        Column("day", INTEGER, "Day of the month."),
        Column("day_of_week", INTEGER, "ISO day of the week: Monday 1 to Sunday 7."),
        text("day_name", "English name of the day."),
        text("month_name", "English name of the month."),
        Column("quarter", INTEGER, "Quarter, 1 to 4."),
    ),
)
DIM_STAFF = StarTable(
    name="dim_staff",
    key="staff_id",
    description="Employees with their department.",
    source="staff",
    joins=("department",),
    columns=(
        Column("staff_id", INTEGER, "The employee."),
        text("first_name", "First name.", personal=True),
        text("last_name", "Last name.", personal=True),
        text("department_name", "Department."),
        text("location", "Town of the department's office.", nullable=True),
        text("email_address", "Work e-mail address.", personal=True),
    ),
)
DIM_LOCATION = StarTable(
    name="dim_location",
    key="location_id",
    description="Delivery locations: the source's addresses.",
    source="address",
    columns=(
        Column("location_id", INTEGER, "The address."),
        text("address_line_1", "House and street.", personal=True),
        text("address_line_2", "Second line, if any.", nullable=True, personal=True),
        text("district", "District, if any.", nullable=True),
        text("city", "City."),
        text("postal_code", "Postal code.", personal=True),
        text("country", "Country name in English."),
        text("phone", "Telephone number.", personal=True),
    ),
)
DIM_CURRENCY = StarTable(
    name="dim_currency",
    key="currency_id",
    description="Currencies.",
    source="currency",
    columns=(
        Column("currency_id", INTEGER, "The currency."),
        text("currency_code", "ISO 4217 code."),
        text("currency_name", "ISO 4217 name."),
    ),
)
DIM_DESIGN = StarTable(
    name="dim_design",
    key="design_id",
    description="Designs.",
    source="design",
    columns=(
        Column("design_id", INTEGER, "The design."),
        text("design_name", "Name."),
        text("file_location", "Directory of the design file."),
        text("file_name", "Name of the design file."),
    ),
)
DIM_COUNTERPARTY = StarTable(
    name="dim_counterparty",
    key="counterparty_id",
    description="Customers and suppliers with their legal address.",
    source="counterparty",
    joins=("address",),
    columns=(
        Column("counterparty_id", INTEGER, "The counterparty."),
        text("counterparty_legal_name", "Registered name."),
        text("counterparty_legal_address_line_1", "House and street.", personal=True),
        text("counterparty_legal_address_line_2", "Second line, if any.", nullable=True, personal=True),
        text("counterparty_legal_district", "District, if any.", nullable=True),
        text("counterparty_legal_city", "City."),
        text("counterparty_legal_postal_code", "Postal code.", personal=True),
        text("counterparty_legal_country", "Country name in English."),
        text("counterparty_legal_phone_number", "Telephone number.", personal=True),
    ),
)
DIM_TRANSACTION = StarTable(
    name="dim_transaction",
    key="transaction_id",
    description="Transactions: which order a payment is for.",
    source="transaction",
    partitioning=("truncate(100000, transaction_id)",),
    columns=(
        Column("transaction_id", INTEGER, "The transaction."),
        text("transaction_type", "SALE or PURCHASE."),
        Column("sales_order_id", INTEGER, "The sale, of a SALE.", nullable=True),
        Column("purchase_order_id", INTEGER, "The purchase, of a PURCHASE.", nullable=True),
    ),
)
DIM_PAYMENT_TYPE = StarTable(
    name="dim_payment_type",
    key="payment_type_id",
    description="Kinds of payment.",
    source="payment_type",
    columns=(
        Column("payment_type_id", INTEGER, "The kind of payment."),
        text("payment_type_name", "Name."),
    ),
)


#: Dimensions before the facts that refer to them: the order in which the warehouse is loaded.
STAR_TABLES: dict[str, StarTable] = {
    t.name: t
    for t in (
        DIM_DATE, DIM_STAFF, DIM_LOCATION, DIM_CURRENCY, DIM_DESIGN, DIM_COUNTERPARTY, DIM_TRANSACTION,
        DIM_PAYMENT_TYPE, FACT_SALES_ORDER, FACT_PURCHASE_ORDERS, FACT_PAYMENT,
    )
}  # fmt: skip
FACTS = tuple(t for t in STAR_TABLES.values() if t.kind is Kind.FACT)
DIMENSIONS = tuple(t for t in STAR_TABLES.values() if t.kind is Kind.DIMENSION)

check_references(STAR_TABLES, STAR_TABLES)
check_sources(STAR_TABLES, SOURCE_TABLES)


def modelled(source: str) -> tuple[str, ...]:
    """Return the columns, as ``table.column``, of the star tables that a source table feeds.

    A manifest keeps them: where the contract has gained one since, the source table is read whole, so that old rows get it.
    """
    fed = [table for table in STAR_TABLES.values() if source in (table.source, *table.joins)]
    return tuple(f"{table.name}.{column.name}" for table in fed for column in table.content_columns)
