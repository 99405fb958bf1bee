"""The marts: figures by day, what is open, and an order with its payment, over current rows.

Money is never added across currencies: each mart has the currency among what it groups by.
"""

from contracts.tables.current import TableSql
from contracts.tables.star import (
    DIM_COUNTERPARTY,
    DIM_CURRENCY,
    DIM_DESIGN,
    DIM_PAYMENT_TYPE,
    DIM_STAFF,
    DIM_TRANSACTION,
    FACT_PAYMENT,
    FACT_PURCHASE_ORDERS,
    FACT_SALES_ORDER,
)
from contracts.tables.table import Column, StarTable, text
from contracts.tables.types import AMOUNT, BIGINT, DATE, INTEGER
from contracts.tables.view import View

_COUNTERPARTY = (
    DIM_COUNTERPARTY.column("counterparty_id"),
    DIM_COUNTERPARTY.column("counterparty_legal_name"),
    DIM_COUNTERPARTY.column("counterparty_legal_country"),
)
_CURRENCY = DIM_CURRENCY.column("currency_code")
_BUYER = (DIM_STAFF.column("staff_id"), DIM_STAFF.column("department_name"))
_ITEM_CODE = FACT_PURCHASE_ORDERS.column("item_code")
_COUNTERPARTY_SQL = "f.counterparty_id, c.counterparty_legal_name, c.counterparty_legal_country"


def _or_null(column: Column) -> Column:
    return Column(column.name, column.type, column.description, nullable=True)


def _joined(rule: TableSql, fact: StarTable, *dimensions: tuple[StarTable, str, str]) -> str:
    """Return the FROM of a mart: current rows as ``f``, and for each dimension its alias and the fact's column."""
    joins = "".join(
        f" join {rule.name(table)} {alias} on {alias}.{table.key} = f.{key}" for table, alias, key in dimensions
    )
    return f"from ({rule.current(fact)}) f{joins}"


_PARTY = ((DIM_CURRENCY, "u", "currency_id"), (DIM_COUNTERPARTY, "c", "counterparty_id"))


def _sales_by_day(rule: TableSql) -> str:
    source = _joined(
        rule, FACT_SALES_ORDER, (DIM_DESIGN, "g", "design_id"), (DIM_STAFF, "e", "sales_staff_id"), *_PARTY
    )
    return (
        f'select f.created_date as "day", u.currency_code, f.design_id, g.design_name, f.sales_staff_id as staff_id, '
        f"e.department_name, {_COUNTERPARTY_SQL}, count(*) as orders, sum(f.units_sold) as units, "
        f"cast(sum(f.units_sold * f.unit_price) as decimal(38,2)) as amount {source} group by 1, 2, 3, 4, 5, 6, 7, 8, 9"
    )


def _purchases_by_day(rule: TableSql) -> str:
    source = _joined(rule, FACT_PURCHASE_ORDERS, (DIM_STAFF, "e", "staff_id"), *_PARTY)
    return (
        f'select f.created_date as "day", u.currency_code, f.item_code, f.staff_id, e.department_name, {_COUNTERPARTY_SQL}, '
        f"count(*) as orders, sum(f.item_quantity) as items, "
        f"cast(sum(f.item_quantity * f.item_unit_price) as decimal(38,2)) as amount {source} "
        f"group by 1, 2, 3, 4, 5, 6, 7, 8"
    )


def _payments_by_day(rule: TableSql) -> str:
    source = _joined(rule, FACT_PAYMENT, (DIM_PAYMENT_TYPE, "k", "payment_type_id"), *_PARTY)
    return (
        f'select f.payment_date as "day", u.currency_code, k.payment_type_name, f.paid, g.design_name, b.item_code, '
        f"e.staff_id, e.department_name, {_COUNTERPARTY_SQL}, count(*) as payments, "
        f"cast(sum(f.payment_amount) as decimal(38,2)) as amount {source} "
        f"left join {rule.name(DIM_TRANSACTION)} t on t.transaction_id = f.transaction_id "
        f"left join ({rule.current(FACT_SALES_ORDER)}) s on s.sales_order_id = t.sales_order_id "
        f"left join ({rule.current(FACT_PURCHASE_ORDERS)}) b on b.purchase_order_id = t.purchase_order_id "
        f"left join {rule.name(DIM_DESIGN)} g on g.design_id = s.design_id "
        f"left join {rule.name(DIM_STAFF)} e on e.staff_id = coalesce(s.sales_staff_id, b.staff_id) "
        f"group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    )


#: Days overdue at most → what a range is called; without a bound, the last one.
_RANGES = ((0, "not due"), (30, "1 to 30"), (60, "31 to 60"), (90, "61 to 90"), (365, "91 to 365"))
_LONGEST = "over 365"
#: Values of ``payment_ageing.days_overdue``, in order.
OVERDUE_RANGES = (*(name for _, name in _RANGES), _LONGEST)


def _payment_ageing(rule: TableSql) -> str:
    overdue = rule.days(rule.today, "f.payment_date")
    cases = " ".join(f"when {overdue} <= {days} then '{name}'" for days, name in _RANGES)
    source = _joined(rule, FACT_PAYMENT, (DIM_PAYMENT_TYPE, "k", "payment_type_id"), *_PARTY)
    return (
        f"select {_COUNTERPARTY_SQL}, u.currency_code, k.payment_type_name, "
        f"cast(case {cases} else '{_LONGEST}' end as varchar) as days_overdue, min(f.payment_date) as oldest_payment_date, "
        f"count(*) as payments, cast(sum(f.payment_amount) as decimal(38,2)) as open_amount "
        f"{source} where not f.paid group by 1, 2, 3, 4, 5, 6"
    )


def _order_to_payment(rule: TableSql) -> str:
    def orders(fact: StarTable, kind: str, amount: str) -> str:
        key = fact.key
        return (
            f"select cast('{kind}' as varchar) as transaction_type, f.{key} as order_id, f.created_date, "
            f"f.counterparty_id, f.currency_id, {amount} as order_amount, t.transaction_id "
            f"from ({rule.current(fact)}) f left join ({rule.current(DIM_TRANSACTION)}) t on t.{key} = f.{key}"
        )

    both = (
        f"{orders(FACT_SALES_ORDER, 'SALE', 'f.units_sold * f.unit_price')} union all "
        f"{orders(FACT_PURCHASE_ORDERS, 'PURCHASE', 'f.item_quantity * f.item_unit_price')}"
    )
    return (
        f"select o.transaction_type, o.order_id, o.created_date, o.counterparty_id, c.counterparty_legal_name, "
        f"c.counterparty_legal_country, u.currency_code, cast(o.order_amount as decimal(38,2)) as order_amount, "
        f"o.transaction_id, p.payment_id, k.payment_type_name, p.payment_amount, v.currency_code as payment_currency_code, "
        f"p.payment_date, p.paid, {rule.days('p.payment_date', 'o.created_date')} as days_to_payment "
        f"from ({both}) o join {rule.name(DIM_COUNTERPARTY)} c on c.counterparty_id = o.counterparty_id "
        f"join {rule.name(DIM_CURRENCY)} u on u.currency_id = o.currency_id "
        f"left join ({rule.current(FACT_PAYMENT)}) p on p.transaction_id = o.transaction_id "
        f"left join {rule.name(DIM_PAYMENT_TYPE)} k on k.payment_type_id = p.payment_type_id "
        f"left join {rule.name(DIM_CURRENCY)} v on v.currency_id = p.currency_id"
    )


MARTS = (
    View(
        "sales_by_day",
        "Sales by day, currency, design, salesperson and customer: current orders, none deleted.",
        (
            Column("day", DATE, "Day on which the order was written."),
            _CURRENCY,
            DIM_DESIGN.column("design_id"),
            DIM_DESIGN.column("design_name"),
            *_BUYER,
            *_COUNTERPARTY,
            Column("orders", BIGINT, "Number of orders."),
            Column("units", BIGINT, "Number of totes."),
            Column("amount", AMOUNT, "Price of all of them, in the currency."),
        ),
        _sales_by_day,
    ),
    View(
        "purchases_by_day",
        "Purchases by day, currency, item, buyer and supplier: current orders, none deleted.",
        (
            Column("day", DATE, "Day on which the order was written."),
            _CURRENCY,
            _ITEM_CODE,
            *_BUYER,
            *_COUNTERPARTY,
            Column("orders", BIGINT, "Number of orders."),
            Column("items", BIGINT, "Number of items."),
            Column("amount", AMOUNT, "Price of all of them, in the currency."),
        ),
        _purchases_by_day,
    ),
    View(
        "payments_by_day",
        "Payments by the day on which they are due, currency, kind, design or item, staff and counterparty.",
        (
            Column("day", DATE, "Day on which the payment is due."),
            _CURRENCY,
            DIM_PAYMENT_TYPE.column("payment_type_name"),
            FACT_PAYMENT.column("paid"),
            text("design_name", "Design, of a payment for a sale.", nullable=True),
            text("item_code", "Supplier's code of the item, of a payment for a purchase.", nullable=True),
            *(_or_null(column) for column in _BUYER),
            *_COUNTERPARTY,
            Column("payments", BIGINT, "Number of payments."),
            Column("amount", AMOUNT, "Sum of them, in the currency."),
        ),
        _payments_by_day,
    ),
    View(
        "payment_ageing",
        "What is open, neither paid nor deleted, by counterparty, currency, kind and days overdue.",
        (
            *_COUNTERPARTY,
            _CURRENCY,
            DIM_PAYMENT_TYPE.column("payment_type_name"),
            text("days_overdue", f"Days since the day of payment, UTC: {', '.join(OVERDUE_RANGES)}."),
            Column("oldest_payment_date", DATE, "Day on which the oldest of them was due."),
            Column("payments", BIGINT, "Number of open payments."),
            Column("open_amount", AMOUNT, "Sum of them, in the currency."),
        ),
        _payment_ageing,
    ),
    View(
        "order_to_payment",
        "Every current order, sale or purchase, with its transaction and payment; NULL where it has none.",
        (
            text("transaction_type", "SALE or PURCHASE."),
            Column("order_id", INTEGER, "The sales order or the purchase order."),
            Column("created_date", DATE, "Day on which the order was written."),
            *_COUNTERPARTY,
            _CURRENCY,
            Column("order_amount", AMOUNT, "Price of the order, in its currency."),
            _or_null(DIM_TRANSACTION.column("transaction_id")),
            _or_null(FACT_PAYMENT.column("payment_id")),
            _or_null(DIM_PAYMENT_TYPE.column("payment_type_name")),
            _or_null(FACT_PAYMENT.column("payment_amount")),
            text("payment_currency_code", "ISO 4217 code of the payment's currency.", nullable=True),
            Column("payment_date", DATE, "Day on which the payment is due.", nullable=True),
            _or_null(FACT_PAYMENT.column("paid")),
            Column("days_to_payment", INTEGER, "Days from the order to the day of payment.", nullable=True),
        ),
        _order_to_payment,
    ),
)
