"""The tables of ``totesys`` (PostgreSQL 13 or newer), exactly as the live database has them.

Where the published diagrams and the live database disagree, the live database decides: there is no
default, trigger or index on ``last_updated``, and the agreed and payment dates are text.
"""

from contracts.tables.table import Column, Reading, SourceTable, check_references, text
from contracts.tables.types import BOOLEAN, CURRENCY_CODE, ENUM, INTEGER, ISO_DATE, MONEY, TIMESTAMP

_CREATED = Column("created_at", TIMESTAMP, "When the row was first written, server time without zone.")
_UPDATED = Column("last_updated", TIMESTAMP, "When the writer says it changed the row; silent updates leave it alone.")


def _key(name: str) -> Column:
    return Column(name, INTEGER, "Primary key, fed by a sequence.")


def _ref(name: str, target: str, description: str, *, nullable: bool = False) -> Column:
    return Column(name, INTEGER, description, nullable=nullable, references=target)


ADDRESS = SourceTable(
    name="address",
    key="address_id",
    description="Postal addresses: delivery locations and the legal addresses of counterparties.",
    reading=Reading.WHOLE,
    group="counterparty",
    columns=(
        _key("address_id"),
        text("address_line_1", "House and street.", personal=True),
        text("address_line_2", "Second line, if any.", nullable=True, personal=True),
        text("district", "District, if any.", nullable=True),
        text("city", "City."),
        text("postal_code", "Postal code, leading zeros kept.", personal=True),
        text("country", "Country name in English."),
        text("phone", "Telephone number.", personal=True),
        _CREATED,
        _UPDATED,
    ),
)
COUNTERPARTY = SourceTable(
    name="counterparty",
    key="counterparty_id",
    description="Customers and suppliers.",
    reading=Reading.WHOLE,
    group="counterparty",
    columns=(
        _key("counterparty_id"),
        text("counterparty_legal_name", "Registered name."),
        _ref("legal_address_id", "address.address_id", "Legal address."),
        text("commercial_contact", "Name of the commercial contact.", nullable=True, personal=True),
        text("delivery_contact", "Name of the delivery contact.", nullable=True, personal=True),
        _CREATED,
        _UPDATED,
    ),
)
CURRENCY = SourceTable(
    name="currency",
    key="currency_id",
    description="Currencies that orders and payments are made in.",
    reading=Reading.WHOLE,
    group="currency",
    columns=(
        _key("currency_id"),
        text("currency_code", "ISO 4217 code, three letters.", type=CURRENCY_CODE),
        _CREATED,
        _UPDATED,
    ),
)
DEPARTMENT = SourceTable(
    name="department",
    key="department_id",
    description="Departments of the company.",
    reading=Reading.WHOLE,
    group="staff",
    columns=(
        _key("department_id"),
        text("department_name", "Name."),
        text("location", "Town of the office.", nullable=True),
        text("manager", "Name of the manager.", nullable=True, personal=True),
        _CREATED,
        _UPDATED,
    ),
)
DESIGN = SourceTable(
    name="design",
    key="design_id",
    description="Designs printed on totes.",
    reading=Reading.WHOLE,
    group="design",
    columns=(
        _key("design_id"),
        _CREATED,
        text("design_name", "Name."),
        text("file_location", "Directory of the design file."),
        text("file_name", "Name of the design file."),
        _UPDATED,
    ),
)
STAFF = SourceTable(
    name="staff",
    key="staff_id",
    description="Employees who handle orders.",
    reading=Reading.WHOLE,
    group="staff",
    columns=(
        _key("staff_id"),
        text("first_name", "First name.", personal=True),
        text("last_name", "Last name.", personal=True),
        _ref("department_id", "department.department_id", "Department."),
        text("email_address", "Work e-mail address.", personal=True),
        _CREATED,
        _UPDATED,
    ),
)
PAYMENT_TYPE = SourceTable(
    name="payment_type",
    key="payment_type_id",
    description="Kinds of payment.",
    reading=Reading.WHOLE,
    group="payment_type",
    columns=(_key("payment_type_id"), text("payment_type_name", "Name.", type=ENUM), _CREATED, _UPDATED),
)
SALES_ORDER = SourceTable(
    name="sales_order",
    key="sales_order_id",
    description="Orders from customers.",
    columns=(
        _key("sales_order_id"),
        _CREATED,
        _UPDATED,
        _ref("design_id", "design.design_id", "Design sold."),
        _ref("staff_id", "staff.staff_id", "Salesperson."),
        _ref("counterparty_id", "counterparty.counterparty_id", "Customer."),
        Column("units_sold", INTEGER, "Number of totes."),
        Column("unit_price", MONEY, "Price of one tote, in the order's currency."),
        _ref("currency_id", "currency.currency_id", "Currency."),
        Column("agreed_delivery_date", ISO_DATE, "Agreed day of delivery."),
        Column("agreed_payment_date", ISO_DATE, "Agreed day of payment."),
        _ref("agreed_delivery_location_id", "address.address_id", "Where to deliver."),
    ),
)
PURCHASE_ORDER = SourceTable(
    name="purchase_order",
    key="purchase_order_id",
    description="Orders to suppliers.",
    columns=(
        _key("purchase_order_id"),
        _CREATED,
        _UPDATED,
        _ref("staff_id", "staff.staff_id", "Buyer."),
        _ref("counterparty_id", "counterparty.counterparty_id", "Supplier."),
        text("item_code", "Supplier's code of the item."),
        Column("item_quantity", INTEGER, "Number of items."),
        Column("item_unit_price", MONEY, "Price of one item, in the order's currency."),
        _ref("currency_id", "currency.currency_id", "Currency."),
        Column("agreed_delivery_date", ISO_DATE, "Agreed day of delivery."),
        Column("agreed_payment_date", ISO_DATE, "Agreed day of payment."),
        _ref("agreed_delivery_location_id", "address.address_id", "Where it is delivered."),
    ),
)
TRANSACTION = SourceTable(
    name="transaction",
    key="transaction_id",
    description="One transaction for each order, of either kind.",
    columns=(
        _key("transaction_id"),
        text("transaction_type", "SALE or PURCHASE.", type=ENUM),
        _ref("sales_order_id", "sales_order.sales_order_id", "The sale, of a SALE.", nullable=True),
        _ref("purchase_order_id", "purchase_order.purchase_order_id", "The purchase, of a PURCHASE.", nullable=True),
        _CREATED,
        _UPDATED,
    ),
)
PAYMENT = SourceTable(
    name="payment",
    key="payment_id",
    description="One payment for each transaction, due or paid.",
    columns=(
        _key("payment_id"),
        _CREATED,
        _UPDATED,
        _ref("transaction_id", "transaction.transaction_id", "The transaction paid."),
        _ref("counterparty_id", "counterparty.counterparty_id", "Who pays or is paid."),
        Column("payment_amount", MONEY, "Amount, in the payment's currency."),
        _ref("currency_id", "currency.currency_id", "Currency."),
        _ref("payment_type_id", "payment_type.payment_type_id", "Kind of payment."),
        Column("paid", BOOLEAN, "Whether it has been paid."),
        Column("payment_date", ISO_DATE, "Day on which it is due."),
        Column("company_ac_number", INTEGER, "Our account number.", personal=True),
        Column("counterparty_ac_number", INTEGER, "Their account number.", personal=True),
    ),
)

#: In the order in which foreign keys allow rows to be written.
SOURCE_TABLES: dict[str, SourceTable] = {
    t.name: t
    for t in (
        ADDRESS, COUNTERPARTY, CURRENCY, DEPARTMENT, DESIGN, STAFF, PAYMENT_TYPE,
        SALES_ORDER, PURCHASE_ORDER, TRANSACTION, PAYMENT,
    )
}  # fmt: skip

check_references(SOURCE_TABLES, SOURCE_TABLES)

#: Tables of the source's schema that are no business tables.
IGNORED_TABLES = frozenset({"_prisma_migrations"})
